//! A broker link: a session together with what carries its bytes.

use super::NotSent;
use super::gate::{Cleared, Gate, NoWire, Wire};
use crate::broker::Frame;
use crate::kill::{Permit, Writer};
use crate::msg::{MarketData, Report};
use crate::types::Timestamp;
use crate::venue::Loopback;

/// Whether a market record made a broker do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketEffect {
    /// Nothing.
    None,
    /// [`Link::poll`] may have reports, [`Link::next_event`] may be another.
    Changed,
}

/// One broker as a desk sees it.
pub trait Link: Send {
    /// Connects, or connects anew.
    fn start(&mut self, now: Timestamp);

    /// Hangs up and stays down until [`Self::start`].
    fn close(&mut self, now: Timestamp);

    /// Market data, for a broker that lives on it.
    fn on_market(&mut self, _now: Timestamp, _record: &MarketData) -> MarketEffect {
        MarketEffect::None
    }

    /// Sends a cleared request, or hands it to the thread that owns the socket.
    ///
    /// # Errors
    /// Proof that it did not leave.
    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent>;

    /// A kill covers everything at this broker, and cancels by name follow: what is quicker may go ahead.
    fn sweep(&mut self, _now: Timestamp) {}

    /// Asks for a complete snapshot.
    fn request_snapshot(&mut self, now: Timestamp);

    /// Reads what has come, for a link whose sockets are the desk's own thread's.
    fn listen(&mut self, _now: Timestamp) {}

    /// The next thing the broker said.
    fn poll(&mut self) -> Option<Report>;

    /// When [`Self::advance`] is due; [`Timestamp::MAX`] for links on threads of their own.
    fn next_event(&self) -> Timestamp {
        Timestamp::MAX
    }

    /// Time passed.
    fn advance(&mut self, _now: Timestamp) {}
}

/// The sandbox in this process: the same session, codecs and exchange as over a socket, on the
/// desk's own thread and clock, so that a run with it is repeatable.
#[derive(Debug)]
pub struct InProcess {
    loopback: Loopback,
    gate: Gate,
}

impl InProcess {
    /// Joins a loopback with the writer of its broker.
    pub fn new(loopback: Loopback, writer: Writer) -> Self {
        Self { loopback, gate: Gate::new(writer) }
    }
}

struct LoopbackWire<'a> {
    now: Timestamp,
    submit: &'a mut dyn FnMut(Timestamp, &[u8]),
}

impl Wire for LoopbackWire<'_> {
    fn write(&mut self, frame: &Frame, _permit: Permit<'_>) -> Result<(), NoWire> {
        (self.submit)(self.now, &frame.bytes);
        Ok(())
    }
}

impl Link for InProcess {
    fn start(&mut self, now: Timestamp) {
        self.loopback.start(now);
    }

    fn close(&mut self, now: Timestamp) {
        self.loopback.stop(now);
    }

    #[inline]
    fn on_market(&mut self, now: Timestamp, record: &MarketData) -> MarketEffect {
        let changed = self.loopback.on_market(now, record);
        if changed { MarketEffect::Changed } else { MarketEffect::None }
    }

    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        let released = {
            let (session, mut submit) = self.loopback.halves();
            let mut wire = LoopbackWire { now, submit: &mut submit };
            self.gate.release(now, &cleared, session, &mut wire)
        };
        self.loopback.settle(now);
        released
    }

    fn request_snapshot(&mut self, now: Timestamp) {
        self.loopback.request_snapshot(now);
    }

    #[inline]
    fn poll(&mut self) -> Option<Report> {
        self.loopback.poll_report()
    }

    #[inline]
    fn next_event(&self) -> Timestamp {
        self.loopback.next_event().unwrap_or(Timestamp::MAX)
    }

    fn advance(&mut self, now: Timestamp) {
        self.loopback.advance(now);
    }
}

/// A broker that is only remembered: what it said stands in a journal, what is sent goes nowhere.
#[derive(Debug, Default)]
pub struct Remembered;

impl Link for Remembered {
    fn start(&mut self, _now: Timestamp) {}

    fn close(&mut self, _now: Timestamp) {}

    fn send(&mut self, _now: Timestamp, _cleared: Cleared) -> Result<(), NotSent> {
        Ok(())
    }

    fn request_snapshot(&mut self, _now: Timestamp) {}

    fn poll(&mut self) -> Option<Report> {
        None
    }
}
