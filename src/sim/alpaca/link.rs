//! The gateway's end: the connection of the live driver, with queues for its sockets.

use crate::broker::session::Channel;
use crate::broker::{BrokerSession, Frame};
use crate::desk::connection::{Arrived, Carrier, Connection};
use crate::desk::{Cleared, Link, NotSent};
use crate::kill::{KillBoard, Writer};
use crate::msg::{Report, SessionStatus};
use crate::sim::port::{DiskState, Fuse, Inbound, OrderWrite, Outbound, Port};
use crate::types::{Nanos, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often requests that wait are looked at, as in the live driver.
const LOOK: Nanos = Nanos::from_millis(50);

/// Queues for sockets.
struct Queues {
    port: Arc<Port>,
    disk: Arc<DiskState>,
    fuse: Arc<Fuse>,
    open: BTreeSet<Channel>,
    synced: bool,
    /// Of bytes that did not fit into the buffer.
    rest: Option<(Channel, Vec<u8>)>,
}

impl Carrier for Queues {
    fn dial(&mut self, channel: Channel) {
        self.open.remove(&channel);
        let _ = self.port.say(Outbound::Dial(channel));
    }

    fn hang_up(&mut self, channel: Channel) {
        self.open.remove(&channel);
        let _ = self.port.say(Outbound::Hangup(channel));
    }

    fn send(&mut self, channel: Channel, bytes: &[u8]) {
        self.fuse.burn();
        if self.open.contains(&channel) {
            let _ = self.port.say(Outbound::Bytes(channel, bytes.to_vec()));
        }
    }

    fn start(&mut self, cleared: &Cleared, frame: &Frame) -> bool {
        let write = OrderWrite::new(cleared.approved(), frame, &self.disk, self.synced);
        self.open.contains(&frame.channel)
            && self.port.say(Outbound::Order(Box::new(write))).is_ok()
    }

    fn next_event(&mut self, buffer: &mut [u8]) -> Option<(Channel, Arrived)> {
        if let Some((channel, rest)) = self.rest.take() {
            return Some((channel, self.fill(buffer, channel, rest)));
        }
        let (channel, inbound) = self.port.inbound.pop()?;
        let arrived = match inbound {
            Inbound::Connected => {
                self.open.insert(channel);
                Arrived::Connected
            }
            Inbound::Bytes(bytes) => self.fill(buffer, channel, bytes),
            Inbound::Closed(why) => {
                self.open.remove(&channel);
                Arrived::Closed(why.to_owned())
            }
        };
        Some((channel, arrived))
    }
}

impl Queues {
    fn fill(&mut self, buffer: &mut [u8], channel: Channel, mut bytes: Vec<u8>) -> Arrived {
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        if count < bytes.len() {
            self.rest = Some((channel, bytes.split_off(count)));
        }
        Arrived::Bytes(count)
    }
}

/// A link whose bytes go through a [`Port`].
pub struct QueueLink {
    connection: Connection<Queues>,
    board: Arc<KillBoard>,
    reports: VecDeque<Report>,
    /// Requests that wait are looked at again then.
    look: Timestamp,
}

impl QueueLink {
    /// A link that speaks through `port`.
    pub fn new(
        session: Box<dyn BrokerSession>,
        writer: Writer,
        board: Arc<KillBoard>,
        port: Arc<Port>,
        disk: Arc<DiskState>,
        fuse: Arc<Fuse>,
    ) -> Self {
        let open = BTreeSet::new();
        let queues = Queues { port, disk, fuse, open, synced: false, rest: None };
        Self {
            connection: Connection::new(session, queues, writer),
            board,
            reports: VecDeque::new(),
            look: Timestamp::MAX,
        }
    }

    fn collect(&mut self) {
        while let Some(report) = self.connection.poll() {
            self.reports.push_back(report);
        }
    }

    fn write(&mut self, now: Timestamp) {
        self.connection.write(now);
        self.look = if self.connection.is_idle() { Timestamp::MAX } else { now + LOOK };
        self.collect();
    }
}

impl Link for QueueLink {
    fn start(&mut self, now: Timestamp) {
        self.connection.start(now);
        self.collect();
    }

    fn close(&mut self, now: Timestamp) {
        self.connection.close(now);
        self.collect();
    }

    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        let queues = self.connection.carrier();
        queues.fuse.burn();
        queues.port.meet(&self.board, &cleared)?;
        self.connection.push(cleared.wait(&self.board));
        self.write(now);
        self.connection.carrier().fuse.burn();
        Ok(())
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.connection.is_up() {
            self.connection.sweep(now);
            self.collect();
        }
    }

    fn request_snapshot(&mut self, now: Timestamp) {
        self.connection.request_snapshot(now);
        self.collect();
    }

    fn poll(&mut self) -> Option<Report> {
        let report = self.reports.pop_front();
        let queues = self.connection.carrier_mut();
        match &report {
            Some(Report::Session(SessionStatus::Missed)) | None => {}
            Some(Report::Session(_)) => queues.synced = false,
            Some(Report::Snapshot(_)) => {
                queues.synced = true;
                queues.port.snapshots.fetch_add(1, Ordering::SeqCst);
            }
            Some(_) => {}
        }
        report
    }

    fn next_event(&self) -> Timestamp {
        let queues = self.connection.carrier();
        if !queues.port.inbound.is_empty() || queues.rest.is_some() || !self.reports.is_empty() {
            return Timestamp::ZERO;
        }
        self.connection.deadline().unwrap_or(Timestamp::MAX).min(self.look)
    }

    fn advance(&mut self, now: Timestamp) {
        while self.connection.listen(now) {}
        self.connection.on_time(now);
        self.write(now);
    }
}
