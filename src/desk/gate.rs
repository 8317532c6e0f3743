//! Gates 2 and 3: from an approval to bytes on a wire.
//!
//! [`Gate::release`] is the only function that turns an order into a write: it needs a [`Cleared`] (so
//! the request was approved and is on record), holds it to the terms of its approval, encodes exactly
//! that request, takes the kill permit, and starts the write before it gives the permit back. Nothing
//! queues between permit and write. What it refuses comes back as [`NotSent`], an input like any other.

use super::NotSent;
use crate::actors::risk::value::Rate;
use crate::actors::risk::{Approved, Quota, Window};
use crate::broker::{BrokerSession, Frame};
use crate::journal::Recorded;
use crate::kill::{Effect, KillBoard, Permit, Writer};
use crate::types::{Reason, Timestamp};

/// A request that is approved and on record.
#[derive(Debug)]
#[must_use = "a cleared request that is not sent leaves a reservation behind"]
pub struct Cleared {
    approved: Approved,
    /// The kill board's when it began to wait for the thread that writes it.
    epoch: Option<u64>,
}

impl Cleared {
    /// Clears a request that was pushed to the log before `recorded` was made.
    pub const fn recorded(approved: Approved, _recorded: &Recorded) -> Self {
        Self { approved, epoch: None }
    }

    /// Clears a cancel without a record: losing the record of a cancel costs nothing, waiting for a
    /// broken disk might.
    ///
    /// # Errors
    /// Gives back a request that is no cancel.
    #[allow(clippy::result_large_err, reason = "the approval itself goes back, rarely")]
    pub fn cancel(approved: Approved) -> Result<Self, Approved> {
        if approved.effect() == Effect::Cancels {
            Ok(Self { approved, epoch: None })
        } else {
            Err(approved)
        }
    }

    /// It will wait for another thread: a kill that comes in between makes it void, also one that is
    /// lowered again before its turn.
    pub fn wait(mut self, board: &KillBoard) -> Self {
        self.epoch = Some(board.epoch());
        self
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

/// The last gate of a broker connection: the kill switch's writer and the messages that have left.
#[derive(Debug)]
pub struct Gate {
    writer: Writer,
    /// For each of an approval's quotas.
    sent: [Window; 2],
    frame: Frame,
    /// A cancel since the last other request did not leave.
    stuck: bool,
}

impl Gate {
    /// The gate of the connection that `writer` writes to.
    pub fn new(writer: Writer) -> Self {
        Self { writer, sent: Default::default(), frame: Frame::default(), stuck: false }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// Its terms no longer hold, the session cannot take it, a kill forbids it, or there is no
    /// connection: in each case not one byte has left.
    pub fn release(
        &mut self,
        now: Timestamp,
        cleared: &Cleared,
        session: &mut dyn BrokerSession,
        wire: &mut dyn Wire,
    ) -> Result<(), NotSent> {
        let cancels = cleared.approved().effect() == Effect::Cancels;
        let done = self.write(now, cleared, session, wire);
        self.stuck = cancels && (self.stuck || done.is_err());
        done.map_err(|reason| NotSent::of(cleared, reason))
    }

    fn write(
        &mut self,
        now: Timestamp,
        cleared: &Cleared,
        session: &mut dyn BrokerSession,
        wire: &mut dyn Wire,
    ) -> Result<(), Reason> {
        let approved = cleared.approved();
        if approved.effect() != Effect::Cancels {
            self.terms_hold(now, cleared)?;
        }
        self.frame.bytes.clear();
        session.encode(now, approved.request(), &mut self.frame)?;
        let permit =
            self.writer.permit(approved.route(), approved.effect()).map_err(|_| Reason::Kill)?;
        wire.write(&self.frame, permit).map_err(|NoWire| Reason::BrokerNotReady)?;
        session.written(now, approved.request());
        let counts = planted!(CancelsUncounted, true, approved.effect() != Effect::Cancels);
        let quotas = approved.terms().quotas.into_iter().filter(|_| counts);
        for (sent, quota) in self.sent.iter_mut().zip(quotas) {
            if let Some(quota) = quota {
                sent.push(quota.rate, now);
            }
        }
        Ok(())
    }

    /// A request that waits for its turn never can have it: [`Self::release`] says why.
    pub fn is_void(&self, now: Timestamp, cleared: &Cleared) -> bool {
        cleared.approved().effect() != Effect::Cancels && self.terms_hold(now, cleared).is_err()
    }

    /// What holds for everything but cancels: the approval is fresh, nothing it was based on has
    /// changed, the orders that make way for it were taken back, the parts of a larger order are no
    /// more than the whole, and the broker takes more messages.
    fn terms_hold(&self, now: Timestamp, cleared: &Cleared) -> Result<(), Reason> {
        let (terms, board) = (cleared.approved.terms(), self.writer.board());
        let expires = planted!(ApprovalKeeps, terms.expires, Timestamp::MAX);
        let stale = now > expires
            || terms.limits < board.limits()
            || cleared.epoch.is_some_and(|epoch| epoch != board.epoch());
        if stale {
            return Err(Reason::ApprovalAge);
        }
        if terms.follows && self.stuck {
            return Err(Reason::SelfMatch);
        }
        if planted!(ParentOutgrown, terms.children > terms.parent, false) {
            return Err(Reason::ParentQty);
        }
        for (sent, quota) in self.sent.iter().zip(terms.quotas) {
            if let Some(Quota { rate, reserve }) = quota {
                let reserve = planted!(NoReserve, reserve, 0);
                let open = Rate { count: rate.count.saturating_sub(reserve), ..rate };
                if open.count == 0 || sent.is_full(open, now) {
                    return Err(Reason::MessageBudget);
                }
            }
        }
        Ok(())
    }
}
