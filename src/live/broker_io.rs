//! A broker connection: an actix actor that owns the socket. The only file that writes orders to one.
//!
//! Requests arrive cleared (approved and on record) over a bounded queue; pacing and readiness come
//! first, the kill permit is taken in the call that starts the write, and nothing queues in between.

use super::clock::Clock;
use super::edge::ReportEdge;
use super::keeper::{Guard, inject};
use super::status::{ActorState, ActorStatus};
use crate::broker::{BrokerSession, Frame, Output};
use crate::desk::gate::{Gate, NoWire, Wire};
use crate::desk::{Cleared, Link, NotSent};
use crate::kill::{Effect, KillBoard, Permit};
use crate::msg::{Report, SessionStatus};
use crate::types::{BrokerId, Nanos, Reason, Timestamp};
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// From the core lane to a broker's thread.
#[derive(Debug)]
pub struct CommandEdge {
    requests: ArrayQueue<Cleared>,
    snapshot: AtomicBool,
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
    /// Where to connect.
    pub addr: SocketAddr,
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

/// The socket and what it has not taken yet.
struct Socket {
    stream: TcpStream,
    backlog: Vec<u8>,
}

impl Socket {
    /// Writes as much as the socket takes now.
    fn flush(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            match self.stream.try_write(&self.backlog) {
                Ok(count) => drop(self.backlog.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The way of an order frame to the socket.
struct SocketWire<'a> {
    socket: Option<&'a mut Socket>,
    effect: Effect,
    broken: bool,
}

impl Wire for SocketWire<'_> {
    fn write(&mut self, frame: &Frame, _permit: Permit<'_>) -> Result<(), NoWire> {
        let Some(socket) = &mut self.socket else { return Err(NoWire) };
        if !socket.backlog.is_empty() {
            // The peer does not read: an order would wait in a queue behind its permit. A cancel may.
            if self.effect != Effect::Cancels {
                return Err(NoWire);
            }
            socket.backlog.extend_from_slice(&frame.bytes);
            return Ok(());
        }
        match socket.stream.try_write(&frame.bytes) {
            Ok(count) => socket.backlog.extend_from_slice(&frame.bytes[count..]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(NoWire),
            Err(_) => {
                self.broken = true;
                return Err(NoWire);
            }
        }
        Ok(())
    }
}

/// Runs the session until the service ends (`true`).
async fn serve(mut parts: BrokerParts) -> bool {
    let clock = Clock::new();
    // After a panic the old actor may still be on its way out.
    let mut gate = loop {
        match parts.board.writer(parts.broker) {
            Some(writer) => break Gate::new(writer),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let mut socket: Option<Socket> = None;
    let mut up = false;
    let mut closed = parts.commands.closed.load(Ordering::SeqCst);
    let mut buffer = vec![0u8; 1 << 16];
    parts.status.set(ActorState::Running);
    if !closed {
        parts.session.start(clock.now());
    }
    loop {
        carry_out(&mut parts, &mut socket, &mut up, &clock).await;
        if parts.stop.load(Ordering::SeqCst) && parts.commands.requests.is_empty() {
            if let Some(socket) = &mut socket {
                let _ = socket.flush();
            }
            parts.status.set(ActorState::Stopped);
            return true;
        }
        let due =
            parts.session.deadline().map_or(Nanos::from_millis(50), |at| at.since(clock.now()));
        let wait = Duration::from_nanos(due.0.min(50_000_000));
        let event = match &mut socket {
            Some(open) => tokio::select! {
                biased;
                () = parts.commands.notify.notified() => Event::Commands,
                ready = open.stream.readable() => match ready.and_then(|()| open.stream.try_read(&mut buffer)) {
                    Ok(0) => Event::Closed("the peer closed the connection".to_owned()),
                    Ok(count) => Event::Bytes(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Event::Nothing,
                    Err(error) => Event::Closed(error.to_string()),
                },
                ready = open.stream.writable(), if !open.backlog.is_empty() => match ready.and_then(|()| open.flush()) {
                    Ok(()) => Event::Nothing,
                    Err(error) => Event::Closed(error.to_string()),
                },
                () = tokio::time::sleep(wait) => Event::Nothing,
            },
            None => tokio::select! {
                () = parts.commands.notify.notified() => Event::Commands,
                () = tokio::time::sleep(wait) => Event::Nothing,
            },
        };
        inject(&parts.status.name);
        let now = clock.now();
        parts.status.beat(now);
        match event {
            Event::Bytes(count) => parts.session.on_bytes(now, 0, &buffer[..count]),
            Event::Closed(why) => {
                socket = None;
                parts.session.on_closed(now, 0, &why);
            }
            Event::Commands | Event::Nothing => {}
        }
        let close = parts.commands.closed.load(Ordering::SeqCst);
        if close != closed {
            closed = close;
            match close {
                true => parts.session.close(now),
                false => parts.session.start(now),
            }
        }
        if up && parts.commands.cancel_all.swap(false, Ordering::SeqCst) {
            parts.session.cancel_all(now);
        }
        // Before the requests: a snapshot that is asked for after them must know of them.
        let snapshot = parts.commands.snapshot.swap(false, Ordering::SeqCst);
        while let Some(cleared) = parts.commands.requests.pop() {
            let effect = cleared.approved().effect();
            let mut wire = SocketWire { socket: socket.as_mut(), effect, broken: false };
            let sent = gate.release(clock.now(), &cleared, parts.session.as_mut(), &mut wire);
            let broken = wire.broken;
            match sent {
                Err(refused) => push(&parts, refused.report()).await,
                Ok(_) if effect == Effect::Cancels => {
                    parts.commands.cancelled.store(clock.now().nanos(), Ordering::Relaxed);
                }
                Ok(_) => {}
            }
            if broken {
                socket = None;
                parts.session.on_closed(now, 0, "write failed");
            }
        }
        if snapshot {
            parts.session.request_snapshot(now);
        }
        if parts.session.deadline().is_some_and(|at| at <= now) {
            parts.session.on_deadline(now);
        }
    }
}

enum Event {
    Commands,
    Bytes(usize),
    Closed(String),
    Nothing,
}

/// Does what the session wants.
async fn carry_out(
    parts: &mut BrokerParts,
    socket: &mut Option<Socket>,
    up: &mut bool,
    clock: &Clock,
) {
    while let Some(output) = parts.session.poll_output() {
        match output {
            Output::Dial(_) => {
                let dialled =
                    tokio::time::timeout(Duration::from_secs(3), TcpStream::connect(parts.addr))
                        .await;
                match dialled {
                    Ok(Ok(stream)) => {
                        let _ = stream.set_nodelay(true);
                        *socket = Some(Socket { stream, backlog: Vec::new() });
                        parts.session.on_connected(clock.now(), 0);
                    }
                    Ok(Err(error)) => parts.session.on_closed(clock.now(), 0, &error.to_string()),
                    Err(_) => parts.session.on_closed(clock.now(), 0, "connect timed out"),
                }
            }
            Output::Hangup(_) => *socket = None,
            Output::Send(_, bytes) => {
                if let Some(open) = socket {
                    open.backlog.extend_from_slice(&bytes);
                    if let Err(error) = open.flush() {
                        *socket = None;
                        parts.session.on_closed(clock.now(), 0, &error.to_string());
                    }
                }
            }
            Output::Report(report) => {
                if let Report::Session(status) = &report {
                    *up = *status == SessionStatus::Up;
                }
                push(parts, report).await;
            }
        }
    }
}

/// Hands a report over; while there is no room the socket is not read. A core that takes nothing any
/// more while everything is to be cancelled without it, or the service ends, gets nothing more: the
/// next boot learns it from the broker's snapshot.
async fn push(parts: &BrokerParts, report: Report) {
    let mut report = report;
    while let Err(back) = parts.reports.push(report) {
        let given_up =
            parts.commands.cancel_all.load(Ordering::SeqCst) || parts.stop.load(Ordering::SeqCst);
        if given_up {
            return;
        }
        report = back;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}
