//! A broker connection: an actix actor that owns its sockets. The only file that writes orders to one.
//!
//! Requests arrive cleared (approved and on record) over a bounded queue; pacing and readiness come
//! first (`BrokerSession::pace`), the kill permit is taken in the call that starts the write, and nothing
//! queues in between.

use super::clock::Clock;
use super::edge::ReportEdge;
use super::keeper::{Guard, inject};
use super::sockets::{SocketEvent, Sockets};
use super::status::{ActorState, ActorStatus};
use crate::broker::{BrokerSession, Frame, Output, Pace};
use crate::desk::gate::{Gate, NoWire, Wire};
use crate::desk::{Cleared, Link, NotSent};
use crate::kill::{Effect, KillBoard, Permit};
use crate::msg::{Report, SessionStatus};
use crate::net::Endpoint;
use crate::types::{BrokerId, Nanos, Reason, Timestamp};
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// From the core lane to a broker's thread.
#[derive(Debug)]
pub struct CommandEdge {
    requests: ArrayQueue<Cleared>,
    snapshot: AtomicBool,
    /// A kill covers everything at this broker.
    sweep: AtomicBool,
    /// Cancel everything, whatever the core says: it may be dead.
    cancel_all: AtomicBool,
    /// A kill closed the session.
    closed: AtomicBool,
    /// When a cancel was last written; zero before the first.
    pub cancelled: AtomicU64,
    notify: Notify,
}

impl CommandEdge {
    /// Places kept free for cancels.
    const RESERVE: usize = 64;

    /// A new edge.
    pub fn new() -> Self {
        Self {
            requests: ArrayQueue::new(1024),
            snapshot: AtomicBool::new(false),
            sweep: AtomicBool::new(false),
            cancel_all: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            cancelled: AtomicU64::new(0),
            notify: Notify::new(),
        }
    }

    /// Has the session cancel everything at the broker without the core's help.
    pub fn cancel_all(&self) {
        self.cancel_all.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }
}

/// The core lane's end of a broker on another thread.
#[derive(Debug)]
pub struct RemoteLink {
    commands: Arc<CommandEdge>,
    reports: ReportEdge,
    board: Arc<KillBoard>,
}

impl RemoteLink {
    /// The lane's end of these edges; `board` is the one that the other end writes under.
    pub const fn new(
        commands: Arc<CommandEdge>,
        reports: ReportEdge,
        board: Arc<KillBoard>,
    ) -> Self {
        Self { commands, reports, board }
    }
}

impl Link for RemoteLink {
    /// The actor dials and logs in on its own, unless it was told not to.
    fn start(&mut self, _now: Timestamp) {
        self.commands.closed.store(false, Ordering::SeqCst);
        self.commands.notify.notify_one();
    }

    fn close(&mut self, _now: Timestamp) {
        self.commands.closed.store(true, Ordering::SeqCst);
        self.commands.notify.notify_one();
    }

    fn send(&mut self, _now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        let free = self.commands.requests.capacity() - self.commands.requests.len();
        let is_cancel = cleared.approved().effect() == Effect::Cancels;
        if !is_cancel && free <= CommandEdge::RESERVE {
            return Err(NotSent::of(&cleared, Reason::Busy));
        }
        let pushed = self.commands.requests.push(cleared.wait(&self.board));
        self.commands.notify.notify_one();
        pushed.map_err(|cleared| NotSent::of(&cleared, Reason::Busy))
    }

    fn sweep(&mut self, _now: Timestamp) {
        self.commands.sweep.store(true, Ordering::SeqCst);
        self.commands.notify.notify_one();
    }

    fn request_snapshot(&mut self, _now: Timestamp) {
        self.commands.snapshot.store(true, Ordering::SeqCst);
        self.commands.notify.notify_one();
    }

    fn poll(&mut self) -> Option<Report> {
        self.reports.pop()
    }
}

/// What a broker actor is made of; the keeper makes it anew after a panic.
pub struct BrokerParts {
    /// The protocol.
    pub session: Box<dyn BrokerSession>,
    /// Where to connect, by the session's channels.
    pub endpoints: Vec<Endpoint>,
    /// From the core.
    pub commands: Arc<CommandEdge>,
    /// To the core.
    pub reports: ReportEdge,
    /// The board whose permit each write needs.
    pub board: Arc<KillBoard>,
    /// Which broker.
    pub broker: BrokerId,
    /// What supervision sees.
    pub status: Arc<ActorStatus>,
    /// The service ends.
    pub stop: Arc<AtomicBool>,
}

/// The actor.
pub struct BrokerIo {
    parts: Option<BrokerParts>,
    guard: Option<Guard>,
}

impl BrokerIo {
    /// An actor of these parts; `guard` tells the keeper when it is gone.
    pub const fn new(parts: BrokerParts, guard: Guard) -> Self {
        Self { parts: Some(parts), guard: Some(guard) }
    }
}

impl Actor for BrokerIo {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let (Some(parts), Some(guard)) = (self.parts.take(), self.guard.take()) else { return };
        let down = LinkDown { reports: parts.reports.clone() };
        let run = async move {
            let mut guard = guard;
            let _down = down;
            if serve(parts).await {
                guard.done();
            }
        };
        cx.spawn(run.into_actor(self).map(|(), _, cx| cx.stop()));
    }
}

/// Tells the core that the link is gone, also when the actor panics.
struct LinkDown {
    reports: ReportEdge,
}

impl Drop for LinkDown {
    fn drop(&mut self) {
        let mut report = Report::Session(SessionStatus::Down);
        // Reports are never dropped; the core empties its queue unless it is dead itself.
        for _ in 0..1_000 {
            match self.reports.push(report) {
                Ok(()) => return,
                Err(back) => report = back,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The way of an order frame to its connection.
struct SocketWire<'a> {
    sockets: &'a mut Sockets,
    /// The peer does not read: an order would wait in a queue behind its permit. A cancel may.
    may_wait: bool,
}

impl Wire for SocketWire<'_> {
    fn write(&mut self, frame: &Frame, _permit: Permit<'_>) -> Result<(), NoWire> {
        let begun = self.sockets.start(frame.channel, &frame.bytes, self.may_wait);
        if begun { Ok(()) } else { Err(NoWire) }
    }
}

/// Things that happen at most in a turn before the commands are looked at again.
const BURST: usize = 64;
/// Requests that wait for the session; the rest waits in the edge.
const WAITING: usize = 1024;
/// How long requests may hold up the end of the service.
const LAST: Nanos = Nanos::from_secs(2);

/// One connection's work, between the edges and the sockets.
struct Work {
    parts: BrokerParts,
    sockets: Sockets,
    gate: Gate,
    clock: Clock,
    /// Cleared and not written yet: the session asked for patience.
    waiting: VecDeque<Cleared>,
    up: bool,
}

/// Runs the session until the service ends (`true`).
async fn serve(mut parts: BrokerParts) -> bool {
    // After a panic the old actor may still be on its way out.
    let gate = loop {
        match parts.board.writer(parts.broker) {
            Some(writer) => break Gate::new(writer),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let sockets = Sockets::new(std::mem::take(&mut parts.endpoints));
    let clock = Clock::new();
    let mut work = Work { parts, sockets, gate, clock, waiting: VecDeque::new(), up: false };
    let mut closed = work.parts.commands.closed.load(Ordering::SeqCst);
    let mut buffer = vec![0u8; 1 << 16];
    let mut ends: Option<Timestamp> = None;
    work.parts.status.set(ActorState::Running);
    if !closed {
        work.parts.session.start(work.clock.now());
    }
    loop {
        work.carry_out().await;
        if work.parts.stop.load(Ordering::SeqCst) {
            let now = work.clock.now();
            let idle = work.parts.commands.requests.is_empty() && work.waiting.is_empty();
            if idle || now >= *ends.get_or_insert(now + LAST) {
                work.sockets.flush();
                work.parts.status.set(ActorState::Stopped);
                return true;
            }
        }
        let due = work.parts.session.deadline();
        let wait = due.map_or(Nanos::from_millis(50), |at| at.since(work.clock.now()));
        tokio::select! {
            biased;
            () = work.parts.commands.notify.notified() => {}
            () = work.sockets.ready() => {}
            () = tokio::time::sleep(Duration::from_nanos(wait.0.min(50_000_000))) => {}
        }
        inject(&work.parts.status.name);
        let now = work.clock.now();
        work.parts.status.beat(now);
        work.commands(now, &mut closed).await;
        work.requests().await;
        work.listen(&mut buffer).await;
        work.requests().await;
        let now = work.clock.now();
        if work.parts.session.deadline().is_some_and(|at| at <= now) {
            work.parts.session.on_deadline(now);
        }
    }
}

impl Work {
    /// What the core wants besides requests.
    async fn commands(&mut self, now: Timestamp, closed: &mut bool) {
        let commands = Arc::clone(&self.parts.commands);
        let close = commands.closed.load(Ordering::SeqCst);
        if close != *closed {
            *closed = close;
            match close {
                true => self.parts.session.close(now),
                false => self.parts.session.start(now),
            }
            self.carry_out().await;
        }
        if self.up && commands.cancel_all.swap(false, Ordering::SeqCst) {
            self.parts.session.cancel_all(now);
            self.carry_out().await;
        }
        if self.up && commands.sweep.swap(false, Ordering::SeqCst) {
            self.parts.session.sweep(now);
            self.carry_out().await;
            commands.cancelled.store(self.clock.now().nanos(), Ordering::Relaxed);
        }
    }

    /// Writes what the session can take now. A snapshot that is asked for after requests knows of them.
    async fn requests(&mut self) {
        let snapshot = self.parts.commands.snapshot.swap(false, Ordering::SeqCst);
        while self.waiting.len() < WAITING
            && let Some(cleared) = self.parts.commands.requests.pop()
        {
            self.waiting.push_back(cleared);
        }
        let mut at = 0;
        while at < self.waiting.len() {
            let now = self.clock.now();
            let cleared = &self.waiting[at];
            let effect = cleared.approved().effect();
            let void = self.gate.is_void(now, cleared);
            let pace = match void {
                true => Pace::Now,
                false => self.parts.session.pace(now, cleared.approved().request()),
            };
            if pace == Pace::Later {
                at += 1;
                continue;
            }
            let Some(cleared) = self.waiting.remove(at) else { return };
            if pace == Pace::Covered {
                continue;
            }
            let may_wait = effect == Effect::Cancels;
            let mut wire = SocketWire { sockets: &mut self.sockets, may_wait };
            let session = self.parts.session.as_mut();
            match self.gate.release(now, &cleared, session, &mut wire) {
                Err(refused) => self.push(refused.report()).await,
                Ok(()) if effect == Effect::Cancels => {
                    let written = self.clock.now().nanos();
                    self.parts.commands.cancelled.store(written, Ordering::Relaxed);
                }
                Ok(()) => {}
            }
        }
        if snapshot {
            self.parts.session.request_snapshot(self.clock.now());
            self.carry_out().await;
        }
    }

    /// Hands the session what came.
    async fn listen(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let Some((channel, event)) = self.sockets.next_event(buffer) else { return };
            let now = self.clock.now();
            match event {
                SocketEvent::Connected => self.parts.session.on_connected(now, channel),
                SocketEvent::Bytes(count) => {
                    self.parts.session.on_bytes(now, channel, &buffer[..count]);
                }
                SocketEvent::Closed(why) => self.parts.session.on_closed(now, channel, &why),
            }
            self.carry_out().await;
        }
        // There may be more, and the system tells only of changes.
        self.parts.commands.notify.notify_one();
    }

    /// Does what the session wants.
    async fn carry_out(&mut self) {
        while let Some(output) = self.parts.session.poll_output() {
            match output {
                Output::Dial(channel) => self.sockets.dial(channel),
                Output::Hangup(channel) => self.sockets.hang_up(channel),
                Output::Send(channel, bytes) => self.sockets.send(channel, &bytes),
                Output::Report(report) => {
                    if let Report::Session(status) = &report {
                        self.up = *status == SessionStatus::Up;
                    }
                    self.push(report).await;
                }
            }
        }
    }

    /// Hands a report over; while there is no room no socket is read. A core that takes nothing any
    /// more while everything is to be cancelled without it, or the service ends, gets nothing more: the
    /// next boot learns it from the broker's snapshot.
    async fn push(&self, report: Report) {
        let parts = &self.parts;
        let mut report = report;
        while let Err(back) = parts.reports.push(report) {
            let given_up = parts.commands.cancel_all.load(Ordering::SeqCst)
                || parts.stop.load(Ordering::SeqCst);
            if given_up {
                return;
            }
            report = back;
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}
