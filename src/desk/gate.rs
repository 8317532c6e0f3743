//! Gates 2 and 3: from an approval to bytes on a wire.
//!
//! [`release`] is the only function that turns an order into a write: it needs a [`Cleared`] (so the
//! request was approved and is on record), encodes exactly that request, takes the kill permit, and
//! starts the write before it gives the permit back. Nothing queues between permit and write.

use super::NotSent;
use crate::actors::risk::Approved;
use crate::broker::{BrokerSession, Frame};
use crate::journal::Recorded;
use crate::kill::{Effect, Permit, Writer};
use crate::types::{Reason, Timestamp};

/// A request that is approved and on record.
#[derive(Debug)]
#[must_use = "a cleared request that is not sent leaves a reservation behind"]
pub struct Cleared {
    approved: Approved,
}

impl Cleared {
    /// Clears a request that was pushed to the log before `recorded` was made.
    pub const fn recorded(approved: Approved, _recorded: &Recorded) -> Self {
        Self { approved }
    }

    /// Clears a cancel without a record: losing the record of a cancel costs nothing, waiting for a
    /// broken disk might.
    ///
    /// # Errors
    /// Gives back a request that is no cancel.
    #[allow(clippy::result_large_err, reason = "the approval itself goes back, rarely")]
    pub fn cancel(approved: Approved) -> Result<Self, Approved> {
        if approved.effect() == Effect::Cancels { Ok(Self { approved }) } else { Err(approved) }
    }

    /// What was approved.
    pub const fn approved(&self) -> &Approved {
        &self.approved
    }
}

/// Where order bytes go. An implementation starts the write before it returns and keeps nothing
/// back to begin later; what the peer does not take at once it finishes in order.
pub trait Wire {
    /// Starts the write of one order frame.
    ///
    /// # Errors
    /// The connection is gone and not a single byte was written.
    fn write(&mut self, frame: &Frame, permit: Permit<'_>) -> Result<(), NoWire>;
}

/// There is no connection to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoWire;

/// Sends one request.
///
/// # Errors
/// The session cannot take it, a kill forbids it, or there is no connection: in each case not one
/// byte has left.
pub fn release(
    now: Timestamp,
    cleared: &Cleared,
    session: &mut dyn BrokerSession,
    writer: &mut Writer,
    wire: &mut dyn Wire,
    frame: &mut Frame,
) -> Result<(), NotSent> {
    let approved = cleared.approved();
    frame.bytes.clear();
    session
        .encode(now, approved.request(), frame)
        .map_err(|reason| NotSent::of(cleared, reason))?;
    let permit = writer
        .permit(approved.route(), approved.effect())
        .map_err(|_| NotSent::of(cleared, Reason::Kill))?;
    wire.write(frame, permit).map_err(|NoWire| NotSent::of(cleared, Reason::BrokerNotReady))
}
