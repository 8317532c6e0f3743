//! What joins the gateway's side to the world's: links whose bytes go into bounded queues, and a
//! disk whose bytes do. Both can end the process at any call, as `kill -9` would.

use crate::actors::risk::Approved;
use crate::broker::session::Channel;
use crate::broker::{BrokerSession, Frame, Output, SandboxSession};
use crate::desk::gate::{Cleared, Gate, NoWire, Wire};
use crate::desk::{Link, NotSent};
use crate::disk::Disk;
use crate::kill::{Effect, KillBoard, Permit, Route, Writer};
use crate::msg::{OrderRequest, Report};
use crate::types::{BrokerId, KillLevel, Reason, Scope, Timestamp};
use crossbeam_queue::ArrayQueue;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// What a crash unwinds with: no panic of anybody's code.
#[derive(Debug)]
pub struct Crash;

/// Ends the process after so many more calls of the system.
#[derive(Debug)]
pub struct Fuse(AtomicI64);

impl Default for Fuse {
    fn default() -> Self {
        Self(AtomicI64::new(-1))
    }
}

impl Fuse {
    /// Lights it: the call number `calls` from now is the last.
    pub fn light(&self, calls: u32) {
        self.0.store(i64::from(calls), Ordering::SeqCst);
    }

    /// A call of the system.
    pub fn burn(&self) {
        if self.0.load(Ordering::SeqCst) < 0 {
            return;
        }
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            std::panic::resume_unwind(Box::new(Crash));
        }
    }
}

/// To the session.
#[derive(Debug)]
pub enum Inbound {
    /// The connection stands.
    Connected,
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The connection ended.
    Closed(&'static str),
}

/// From the session, in order.
#[derive(Debug)]
pub enum Outbound {
    /// Open a connection.
    Dial(Channel),
    /// Close it.
    Hangup(Channel),
    /// Bytes of the session's own.
    Bytes(Channel, Vec<u8>),
    /// An order's bytes: the write has begun.
    Order(Box<OrderWrite>),
    /// A kill landed here, between approval and write.
    Tripped(Scope, KillLevel),
}

/// An order's bytes on the wire, with what the gateway said about them.
#[derive(Debug)]
pub struct OrderWrite {
    /// Whose.
    pub route: Route,
    /// What risk said that it does.
    pub effect: Effect,
    /// What was approved.
    pub request: OrderRequest,
    /// On which connection.
    pub channel: Channel,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Journal bytes written before.
    pub journaled: u64,
    /// The broker has told of all it holds since this connection was made.
    pub synced: bool,
}

impl OrderWrite {
    /// The write of `frame`, which holds what was approved, now.
    pub fn new(approved: &Approved, frame: &Frame, disk: &DiskState, synced: bool) -> Self {
        Self {
            route: approved.route(),
            effect: approved.effect(),
            request: *approved.request(),
            channel: frame.channel,
            bytes: frame.bytes.clone(),
            journaled: disk.written.load(Ordering::SeqCst),
            synced,
        }
    }
}

/// The queues between one link and the world.
#[derive(Debug)]
pub struct Port {
    /// To the session.
    pub inbound: ArrayQueue<(Channel, Inbound)>,
    /// From the session.
    pub outbound: Arc<Outbox>,
    /// Whose link this is.
    broker: BrokerId,
    /// Kills to land just before the next write.
    pub trips: ArrayQueue<(Scope, KillLevel)>,
    /// Requests to refuse as the queue is full.
    pub full: AtomicU32,
    /// Snapshots handed to the gateway.
    pub snapshots: AtomicU64,
}

/// What all links of a process say, in the order in which they say it.
pub type Outbox = ArrayQueue<(BrokerId, Outbound)>;

impl Port {
    /// The port of one link.
    pub fn new(broker: BrokerId, outbound: Arc<Outbox>) -> Self {
        Self {
            inbound: ArrayQueue::new(1 << 12),
            outbound,
            broker,
            trips: ArrayQueue::new(8),
            full: AtomicU32::new(0),
            snapshots: AtomicU64::new(0),
        }
    }

    /// Tells the world.
    ///
    /// # Errors
    /// The queue is full, which the world never lets it be.
    pub fn say(&self, outbound: Outbound) -> Result<(), NoWire> {
        // The world empties the queue after every call.
        self.outbound.push((self.broker, outbound)).map_err(|_| NoWire)
    }

    /// What a request meets on its way to the gate: a full queue, kills that land just now.
    ///
    /// # Errors
    /// The queue is full.
    pub fn meet(&self, board: &KillBoard, cleared: &Cleared) -> Result<(), NotSent> {
        if self.full.load(Ordering::SeqCst) > 0 {
            self.full.fetch_sub(1, Ordering::SeqCst);
            return Err(NotSent::of(cleared, Reason::Busy));
        }
        while let Some((scope, level)) = self.trips.pop() {
            board.raise(scope, level);
            let _ = self.say(Outbound::Tripped(scope, level));
        }
        Ok(())
    }
}

/// A broker link of the simulation: the production session, permit and release; queues instead of a
/// socket.
pub struct SimLink {
    session: SandboxSession,
    gate: Gate,
    board: Arc<KillBoard>,
    port: Arc<Port>,
    disk: Arc<DiskState>,
    fuse: Arc<Fuse>,
    reports: VecDeque<Report>,
    connected: bool,
    synced: bool,
}

impl SimLink {
    /// A link that speaks through `port`.
    pub fn new(
        session: SandboxSession,
        writer: Writer,
        board: Arc<KillBoard>,
        port: Arc<Port>,
        disk: Arc<DiskState>,
        fuse: Arc<Fuse>,
    ) -> Self {
        Self {
            session,
            gate: Gate::new(writer),
            board,
            port,
            disk,
            fuse,
            reports: VecDeque::new(),
            connected: false,
            synced: false,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let outbound = match output {
                Output::Dial(channel) => Outbound::Dial(channel),
                Output::Hangup(channel) => {
                    self.connected = false;
                    Outbound::Hangup(channel)
                }
                Output::Send(channel, bytes) => {
                    self.fuse.burn();
                    Outbound::Bytes(channel, bytes)
                }
                Output::Report(report) => {
                    self.reports.push_back(report);
                    continue;
                }
            };
            let _ = self.port.say(outbound);
        }
    }
}

struct SimWire<'a> {
    port: &'a Port,
    disk: &'a DiskState,
    connected: bool,
    synced: bool,
    approved: &'a Approved,
}

impl Wire for SimWire<'_> {
    fn write(&mut self, frame: &Frame, _permit: Permit<'_>) -> Result<(), NoWire> {
        if !self.connected {
            return Err(NoWire);
        }
        let write = OrderWrite::new(self.approved, frame, self.disk, self.synced);
        self.port.say(Outbound::Order(Box::new(write)))
    }
}

impl Link for SimLink {
    fn start(&mut self, now: Timestamp) {
        self.session.start(now);
        self.drain();
    }

    fn close(&mut self, now: Timestamp) {
        self.session.close(now);
        self.drain();
    }

    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        self.fuse.burn();
        self.port.meet(&self.board, &cleared)?;
        let mut wire = SimWire {
            port: &self.port,
            disk: &self.disk,
            connected: self.connected,
            synced: self.synced,
            approved: cleared.approved(),
        };
        let sent = self.gate.release(now, &cleared, &mut self.session, &mut wire);
        self.fuse.burn();
        sent
    }

    fn request_snapshot(&mut self, now: Timestamp) {
        self.session.request_snapshot(now);
        self.drain();
    }

    fn poll(&mut self) -> Option<Report> {
        let report = self.reports.pop_front();
        match &report {
            Some(Report::Session(_)) => self.synced = false,
            Some(Report::Snapshot(_)) => {
                self.synced = true;
                self.port.snapshots.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        report
    }

    fn next_event(&self) -> Timestamp {
        if !self.port.inbound.is_empty() || !self.reports.is_empty() {
            return Timestamp::ZERO;
        }
        self.session.deadline().unwrap_or(Timestamp::MAX)
    }

    fn advance(&mut self, now: Timestamp) {
        while let Some((_, inbound)) = self.port.inbound.pop() {
            match inbound {
                Inbound::Connected => {
                    self.connected = true;
                    self.session.on_connected(now, 0);
                }
                Inbound::Bytes(bytes) => self.session.on_bytes(now, 0, &bytes),
                Inbound::Closed(why) => {
                    self.connected = false;
                    self.session.on_closed(now, 0, why);
                }
            }
            self.drain();
        }
        if self.session.deadline().is_some_and(|due| due <= now) {
            self.session.on_deadline(now);
            self.drain();
        }
    }
}

/// How the disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DiskFault {
    /// It does not.
    None = 0,
    /// Full: nothing is written.
    Full = 1,
    /// A part is written, then an error.
    Short = 2,
    /// A sync fails.
    Sync = 3,
}

/// What the disk and the world share.
#[derive(Debug)]
pub struct DiskState {
    /// Bytes written and not yet taken by the world.
    pub chunks: ArrayQueue<Vec<u8>>,
    /// Bytes written to the file of this boot.
    pub written: AtomicU64,
    /// Bytes of it that a power loss leaves.
    pub synced: AtomicU64,
    fault: AtomicU8,
    /// The disk refused something.
    pub failed: AtomicBool,
}

impl Default for DiskState {
    fn default() -> Self {
        Self {
            chunks: ArrayQueue::new(1 << 12),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            fault: AtomicU8::new(0),
            failed: AtomicBool::new(false),
        }
    }
}

impl DiskState {
    /// The next call of a kind fails; so do all after it.
    pub fn fail(&self, fault: DiskFault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    fn refuse(&self, what: io::ErrorKind) -> io::Error {
        self.failed.store(true, Ordering::SeqCst);
        what.into()
    }

    fn take(&self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len() as u64;
        self.chunks.push(bytes.to_vec()).map_err(|_| self.refuse(io::ErrorKind::OutOfMemory))?;
        self.written.fetch_add(count, Ordering::SeqCst);
        Ok(bytes.len())
    }
}

/// The journal's disk.
pub struct SimDisk {
    state: Arc<DiskState>,
    fuse: Arc<Fuse>,
}

impl SimDisk {
    /// A disk that writes into `state`.
    pub const fn new(state: Arc<DiskState>, fuse: Arc<Fuse>) -> Self {
        Self { state, fuse }
    }
}

impl Write for SimDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fuse.burn();
        let written = match self.state.fault.load(Ordering::SeqCst) {
            1 => Err(self.state.refuse(io::ErrorKind::StorageFull)),
            2 => {
                self.state.take(&bytes[..bytes.len() / 2])?;
                Err(self.state.refuse(io::ErrorKind::Other))
            }
            // As the file of the live driver: after a failed sync nothing more is written.
            3 => Err(self.state.refuse(io::ErrorKind::Other)),
            _ => self.state.take(bytes),
        };
        self.fuse.burn();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for SimDisk {
    fn sync(&mut self) -> io::Result<()> {
        self.fuse.burn();
        if self.state.fault.load(Ordering::SeqCst) == DiskFault::Sync as u8 {
            return Err(self.state.refuse(io::ErrorKind::Other));
        }
        self.state.synced.store(self.state.written.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(())
    }
}
