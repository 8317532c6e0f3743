//! A broker connection without its driver: session, bytes, gate, and the requests that wait for their
//! turn. Every driver has its own [`Carrier`] of bytes under it; nothing else writes orders.
//!
//! Pacing and readiness come first ([`BrokerSession::pace`]), the kill permit is taken in the call that
//! starts the write, and nothing queues in between.

use super::gate::{Cleared, Gate, NoWire, Wire};
use crate::broker::session::Channel;
use crate::broker::{BrokerSession, Frame, Output, Pace};
use crate::kill::{Effect, Permit, Writer};
use crate::msg::{Report, SessionStatus};
use crate::types::Timestamp;
use std::collections::VecDeque;

/// What happened on a channel.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// The connection stands.
    Connected,
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// It ended, or could not be opened.
    Closed(String),
}

/// Carries the bytes of a session's channels: sockets, or the simulator's queues.
pub trait Carrier: Send {
    /// Opens the connection of a channel, anew if there is one.
    fn dial(&mut self, channel: Channel);

    /// Closes it.
    fn hang_up(&mut self, channel: Channel);

    /// Writes session bytes; what the peer does not take at once goes later, in order.
    fn send(&mut self, channel: Channel, bytes: &[u8]);

    /// Starts to write an order; `false` if the connection is gone, or the peer does not read and the
    /// order would queue behind its permit. A cancel may queue.
    fn start(&mut self, cleared: &Cleared, frame: &Frame) -> bool;

    /// The next thing that happened; bytes go into `buffer`.
    fn next_event(&mut self, buffer: &mut [u8]) -> Option<(Channel, Arrived)>;
}

/// Requests that wait for the session; the rest waits with the driver, or is refused.
const WAITING: usize = 1024;

/// The way of an order frame to its connection.
struct CarrierWire<'a, C> {
    carrier: &'a mut C,
    cleared: &'a Cleared,
}

impl<C: Carrier> Wire for CarrierWire<'_, C> {
    fn write(&mut self, frame: &Frame, _permit: Permit<'_>) -> Result<(), NoWire> {
        if self.carrier.start(self.cleared, frame) { Ok(()) } else { Err(NoWire) }
    }
}

/// A connection. After every call that takes `&mut self` and a time, [`Self::poll`] may have reports.
pub struct Connection<C> {
    session: Box<dyn BrokerSession>,
    carrier: C,
    gate: Gate,
    /// Cleared and not written yet: the session asked for patience.
    waiting: VecDeque<Cleared>,
    reports: VecDeque<Report>,
    up: bool,
    buffer: Vec<u8>,
}

impl<C: Carrier> Connection<C> {
    /// A connection for a new session; orders leave under the permits of `writer`. It dials with
    /// [`Self::start`].
    pub fn new(session: Box<dyn BrokerSession>, carrier: C, writer: Writer) -> Self {
        Self {
            session,
            carrier,
            gate: Gate::new(writer),
            waiting: VecDeque::new(),
            reports: VecDeque::new(),
            up: false,
            buffer: vec![0; 1 << 16],
        }
    }

    /// What carries its bytes.
    pub const fn carrier(&self) -> &C {
        &self.carrier
    }

    /// What carries its bytes.
    pub const fn carrier_mut(&mut self) -> &mut C {
        &mut self.carrier
    }

    /// Connects.
    pub fn start(&mut self, now: Timestamp) {
        self.session.start(now);
        self.carry_out();
    }

    /// Hangs up, and stays down until [`Self::start`].
    pub fn close(&mut self, now: Timestamp) {
        self.session.close(now);
        self.carry_out();
    }

    /// The session is logged in.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Has the broker cancel everything.
    pub fn cancel_all(&mut self, now: Timestamp) {
        self.session.cancel_all(now);
        self.carry_out();
    }

    /// Sends the broker's own mass cancel, if it has one.
    pub fn sweep(&mut self, now: Timestamp) {
        self.session.sweep(now);
        self.carry_out();
    }

    /// Asks for a complete snapshot.
    pub fn request_snapshot(&mut self, now: Timestamp) {
        self.session.request_snapshot(now);
        self.carry_out();
    }

    /// Whether one more request can wait here.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING
    }

    /// No request waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a request; [`Self::write`] writes it.
    pub fn push(&mut self, cleared: Cleared) {
        self.waiting.push_back(cleared);
    }

    /// Writes what the session can take now, and reports what can never leave. Whether a cancel was
    /// among it.
    pub fn write(&mut self, now: Timestamp) -> bool {
        let mut cancelled = false;
        let mut at = 0;
        while let Some(cleared) = self.waiting.get(at) {
            let void = self.gate.is_void(now, cleared);
            let pace = match void {
                true => Pace::Now,
                false => self.session.pace(now, cleared.approved().request()),
            };
            if pace == Pace::Later {
                at += 1;
                continue;
            }
            let Some(cleared) = self.waiting.remove(at) else { break };
            if pace == Pace::Covered {
                continue;
            }
            let cancels = cleared.approved().effect() == Effect::Cancels;
            let mut wire = CarrierWire { carrier: &mut self.carrier, cleared: &cleared };
            match self.gate.release(now, &cleared, self.session.as_mut(), &mut wire) {
                Err(refused) => self.reports.push_back(refused.report()),
                Ok(()) => cancelled |= cancels,
            }
        }
        cancelled
    }

    /// Hands the session the next thing that happened; `false` if nothing did.
    pub fn listen(&mut self, now: Timestamp) -> bool {
        let Some((channel, event)) = self.carrier.next_event(&mut self.buffer) else {
            return false;
        };
        match event {
            Arrived::Connected => self.session.on_connected(now, channel),
            Arrived::Bytes(count) => {
                self.session.on_bytes(now, channel, &self.buffer[..count]);
            }
            Arrived::Closed(why) => self.session.on_closed(now, channel, &why),
        }
        self.carry_out();
        true
    }

    /// Lets the session do what is due.
    pub fn on_time(&mut self, now: Timestamp) {
        if self.session.deadline().is_some_and(|at| at <= now) {
            self.session.on_deadline(now);
            self.carry_out();
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.session.deadline()
    }

    /// The next thing to tell the order manager.
    pub fn poll(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Does what the session wants.
    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Dial(channel) => self.carrier.dial(channel),
                Output::Hangup(channel) => self.carrier.hang_up(channel),
                Output::Send(channel, bytes) => self.carrier.send(channel, &bytes),
                Output::Report(report) => {
                    match &report {
                        Report::Session(SessionStatus::Up) => self.up = true,
                        Report::Session(SessionStatus::Down | SessionStatus::Refused) => {
                            self.up = false;
                        }
                        _ => {}
                    }
                    self.reports.push_back(report);
                }
            }
        }
    }
}
