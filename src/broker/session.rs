//! The seam between the order manager and a broker: bytes and `now` in; bytes, reports and deadlines
//! out. A session owns no socket and reads no clock, so live, replay and simulation drive the same
//! code.

use crate::msg::{OrderRequest, Report};
use crate::types::{Reason, Timestamp};

/// One of a session's connections; a session that needs one only uses 0.
pub type Channel = u8;

/// The bytes of exactly one order request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// On which connection.
    pub channel: Channel,
    /// What to write, all of it.
    pub bytes: Vec<u8>,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open this connection.
    Dial(Channel),
    /// Close this connection.
    Hangup(Channel),
    /// Write session bytes: logon, heartbeat, query. Never an order.
    Send(Channel, Vec<u8>),
    /// Tell the order manager.
    Report(Report),
}

/// Whether a request can be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Yes, or [`BrokerSession::encode`] says why never.
    Now,
    /// Not yet: the connection is busy with another, the broker's request budget is used up, or what it
    /// changes has no number yet. [`BrokerSession::deadline`] or the next bytes may change that.
    Later,
    /// It is a cancel, and a mass cancel that has left does what it asks for.
    Covered,
}

/// A broker's protocol as a state machine.
///
/// Contract: after every `on_*` call, drain [`Self::poll_output`] to `None` before the next one, and
/// call [`Self::on_deadline`] once [`Self::deadline`] has passed. The session tells
/// `Report::Session(Up)` once it is logged in and has asked for a snapshot, then `Report::Snapshot`,
/// and `Report::Session(Down)` when the link goes, also if no snapshot came.
pub trait BrokerSession: Send {
    /// The driver may open connections from now on, also after [`Self::close`].
    fn start(&mut self, now: Timestamp);

    /// Hangs up, says `Report::Session(Down)` if it was up, and stays down until [`Self::start`].
    fn close(&mut self, now: Timestamp);

    /// A connection stands.
    fn on_connected(&mut self, now: Timestamp, channel: Channel);

    /// Bytes came in.
    fn on_bytes(&mut self, now: Timestamp, channel: Channel, bytes: &[u8]);

    /// A connection ended or could not be opened; `error` is for the log.
    fn on_closed(&mut self, now: Timestamp, channel: Channel, error: &str);

    /// Time passed.
    fn on_deadline(&mut self, now: Timestamp);

    /// Whether a request can be written now. What has to wait waits with the caller, before its kill
    /// permit, and may grow too old there.
    fn pace(&mut self, _now: Timestamp, _request: &OrderRequest) -> Pace {
        Pace::Now
    }

    /// Encodes one order request into `frame` for the caller to write at once, under a kill permit.
    /// Nothing is sent, queued or remembered as sent here: if the caller does not write the frame,
    /// the request never happened.
    ///
    /// # Errors
    /// The reason why the broker cannot take it now, or not at all.
    fn encode(
        &mut self,
        now: Timestamp,
        request: &OrderRequest,
        frame: &mut Frame,
    ) -> Result<(), Reason>;

    /// The frame that [`Self::encode`] made of this request was written.
    fn written(&mut self, _now: Timestamp, _request: &OrderRequest) {}

    /// Has the broker cancel every open order of our accounts, by its own mass cancel where it has
    /// one. Used when the core cannot: cancels need no approval and pass at every kill level.
    fn cancel_all(&mut self, now: Timestamp);

    /// A kill covers everything at this broker, and cancels by name follow: a session whose broker has a
    /// mass cancel that is quicker than they are sends it now.
    fn sweep(&mut self, _now: Timestamp) {}

    /// Asks the broker for a complete snapshot; it comes as `Report::Snapshot`. Orders that ended may
    /// be left out where an earlier one of this connection listed them and nothing changed since; the
    /// first one that is asked for after a `Report::Correction` lists its order all the same.
    fn request_snapshot(&mut self, now: Timestamp);

    /// What the session wants done next.
    fn poll_output(&mut self) -> Option<Output>;

    /// When [`Self::on_deadline`] is due.
    fn deadline(&self) -> Option<Timestamp>;
}
