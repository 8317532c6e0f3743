//! A broker connection as an actix actor on a thread of its own. Requests arrive cleared (approved and
//! on record) over a bounded queue, reports go back over another.

use super::clock::Clock;
use super::edge::ReportEdge;
use super::keeper::{Guard, inject};
use super::sockets::Sockets;
use super::status::{ActorState, ActorStatus};
use crate::desk::connection::Connection;
use crate::desk::{Cleared, Link, NotSent};
use crate::kill::{Effect, KillBoard};
use crate::msg::{Report, SessionStatus};
use crate::types::{BrokerId, Nanos, Reason, Timestamp};
use crate::wiring::RemoteSession;
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
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

    /// Whether everything is to be cancelled, once.
    pub fn take_cancel_all(&self) -> bool {
        self.cancel_all.swap(false, Ordering::SeqCst)
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
#[derive(Clone)]
pub struct BrokerParts {
    /// The protocol.
    pub session: RemoteSession,
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

/// Things that happen at most in a turn before the commands are looked at again.
const BURST: usize = 64;
/// How long requests may hold up the end of the service.
const LAST: Nanos = Nanos::from_secs(2);

/// One connection's work, between the edges and the sockets.
struct Work {
    parts: BrokerParts,
    connection: Connection<Sockets>,
    clock: Clock,
}

/// Runs the session until the service ends (`true`).
async fn serve(parts: BrokerParts) -> bool {
    // After a panic the old actor may still be on its way out.
    let writer = loop {
        match parts.board.writer(parts.broker) {
            Some(writer) => break writer,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let sockets = Sockets::new(parts.session.endpoints.clone());
    let connection = Connection::new(parts.session.make(), sockets, writer);
    let mut work = Work { parts, connection, clock: Clock::new() };
    let mut closed = work.parts.commands.closed.load(Ordering::SeqCst);
    let mut ends: Option<Timestamp> = None;
    work.parts.status.set(ActorState::Running);
    if !closed {
        work.connection.start(work.clock.now());
    }
    loop {
        work.tell().await;
        if work.parts.stop.load(Ordering::SeqCst) {
            let now = work.clock.now();
            let idle = work.parts.commands.requests.is_empty() && work.connection.is_idle();
            if idle || now >= *ends.get_or_insert(now + LAST) {
                work.connection.carrier_mut().flush();
                work.parts.status.set(ActorState::Stopped);
                return true;
            }
        }
        let due = work.connection.deadline();
        let wait = due.map_or(Nanos::from_millis(50), |at| at.since(work.clock.now()));
        tokio::select! {
            biased;
            () = work.parts.commands.notify.notified() => {}
            () = work.connection.carrier().ready() => {}
            () = tokio::time::sleep(Duration::from_nanos(wait.0.min(50_000_000))) => {}
        }
        inject(&work.parts.status.name);
        let now = work.clock.now();
        work.parts.status.beat(now);
        work.commands(now, &mut closed).await;
        work.requests().await;
        work.listen().await;
        work.requests().await;
        work.connection.on_time(work.clock.now());
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
                true => self.connection.close(now),
                false => self.connection.start(now),
            }
        }
        if self.connection.is_up() && commands.take_cancel_all() {
            self.connection.cancel_all(now);
        }
        if self.connection.is_up() && commands.sweep.swap(false, Ordering::SeqCst) {
            self.connection.sweep(now);
            commands.cancelled.store(self.clock.now().nanos(), Ordering::Relaxed);
        }
        self.tell().await;
    }

    /// Writes what the session can take now. A snapshot that is asked for after requests knows of them.
    async fn requests(&mut self) {
        let snapshot = self.parts.commands.snapshot.swap(false, Ordering::SeqCst);
        while self.connection.has_room()
            && let Some(cleared) = self.parts.commands.requests.pop()
        {
            self.connection.push(cleared);
        }
        if self.connection.write(self.clock.now()) {
            let written = self.clock.now().nanos();
            self.parts.commands.cancelled.store(written, Ordering::Relaxed);
        }
        if snapshot {
            self.connection.request_snapshot(self.clock.now());
        }
        self.tell().await;
    }

    /// Hands the session what came.
    async fn listen(&mut self) {
        for _ in 0..BURST {
            if !self.connection.listen(self.clock.now()) {
                return;
            }
            self.tell().await;
        }
        // There may be more, and the system tells only of changes.
        self.parts.commands.notify.notify_one();
    }

    /// Hands reports over; while there is no room no socket is read. A core that takes nothing any
    /// more while everything is to be cancelled without it, or the service ends, gets nothing more: the
    /// next boot learns it from the broker's snapshot.
    async fn tell(&mut self) {
        while let Some(mut report) = self.connection.poll() {
            while let Err(back) = self.parts.reports.push(report) {
                let given_up = self.parts.commands.cancel_all.load(Ordering::SeqCst)
                    || self.parts.stop.load(Ordering::SeqCst);
                if given_up {
                    break;
                }
                report = back;
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
    }
}
