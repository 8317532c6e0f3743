//! Runs a journal again: recovery and verification are the same walk.
//!
//! In an *open* world (a broker or feed of another process) every input stands in the journal and is
//! delivered again. In a *closed* world (a recording or seed as feed, all brokers in this process,
//! every record at its own time) brokers answer anew and time passes anew; only what came from
//! outside, the feed's position and control, is taken from the journal. Either way each decision is
//! compared with the one on record (INV-7).

use super::Desk;
use crate::feed::{Feed, FeedError};
use crate::journal::{Derived, Entry, Record};
use crate::msg::Input;
use crate::types::Timestamp;

/// The first point where a second run is not the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Number of the journal entry.
    pub seq: u64,
    /// What the journal says.
    pub expected: String,
    /// What this run did.
    pub actual: String,
}

/// Why a journal cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The feed that stands for the market records.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The journal refers to a feed that was not given.
    #[error("the journal refers to records of a feed that is not there")]
    NoFeed,
    /// The feed has fewer records than the journal consumed.
    #[error("the feed ends after {have} records, the journal consumed {need}")]
    FeedTooShort {
        /// Records in the feed.
        have: u64,
        /// Records consumed.
        need: u64,
    },
}

/// A journal being run again.
pub struct Rerun<'a> {
    desk: &'a mut Desk,
    feed: Option<&'a mut dyn Feed>,
    closed: bool,
    /// The first difference, if there is one.
    pub difference: Option<Difference>,
    /// Checkpoints met: on record, made anew.
    pub checkpoint: Option<([u8; 32], [u8; 32])>,
}

impl<'a> Rerun<'a> {
    /// Prepares a walk over `desk`, whose log is [`crate::journal::Log::none`].
    pub fn new(desk: &'a mut Desk, feed: Option<&'a mut dyn Feed>, closed: bool) -> Self {
        desk.keep_decisions();
        Self { desk, feed, closed, difference: None, checkpoint: None }
    }

    /// Applies one entry; `seq` is its number.
    ///
    /// # Errors
    /// The reference feed is not what it was.
    #[inline]
    pub fn apply(&mut self, seq: u64, record: &Record<'_>) -> Result<(), RerunError> {
        match record {
            Record::Market(at, record) => {
                self.desk.market(*at, record, false);
                Ok(())
            }
            Record::Other(entry) => self.rare(seq, entry),
        }
    }

    fn rare(&mut self, seq: u64, entry: &Entry) -> Result<(), RerunError> {
        match entry {
            Entry::Header(_) | Entry::Other(_) | Entry::Continues { .. } => {}
            Entry::Feed { position, at } => self.consume(*position, *at)?,
            Entry::Input { at, input } => match input {
                Input::Control(crate::msg::Control::Boot { instance, epoch }) => {
                    self.desk.boot(*at, *instance, *epoch);
                }
                Input::Report(..) | Input::Tick if self.closed => {}
                _ => self.desk.deliver(*at, input),
            },
            Entry::Derived(expected) => self.compare(seq, expected),
            Entry::Checkpoint { digest } => {
                let actual = self.desk.digest();
                if actual != *digest && self.difference.is_none() {
                    self.differ(seq, "checkpoint of another state".into(), "this state".into());
                }
                self.checkpoint = Some((*digest, actual));
            }
        }
        Ok(())
    }

    fn consume(&mut self, position: u64, at: Option<Timestamp>) -> Result<(), RerunError> {
        let feed = self.feed.as_deref_mut().ok_or(RerunError::NoFeed)?;
        while self.desk.position() < position {
            let Some(record) = feed.next()? else {
                return Err(RerunError::FeedTooShort {
                    have: self.desk.position(),
                    need: position,
                });
            };
            let own_time = record.ts().max(self.desk.now());
            if self.closed {
                self.desk.advance(own_time);
            }
            self.desk.market(at.unwrap_or(own_time), &record, at.is_none());
        }
        Ok(())
    }

    fn compare(&mut self, seq: u64, expected: &Derived) {
        let actual = self.desk.next_decision();
        if actual.as_ref() != Some(expected) && self.difference.is_none() {
            let actual = actual.map_or("nothing".to_owned(), |actual| describe(&actual));
            self.differ(seq, describe(expected), actual);
        }
    }

    fn differ(&mut self, seq: u64, expected: String, actual: String) {
        self.difference = Some(Difference { seq, expected, actual });
    }
}

/// A decision in words.
pub fn describe(derived: &Derived) -> String {
    match derived {
        Derived::Sent { request, .. } => format!("sent {request:?}"),
        Derived::Denied { cl_ord_id, reason } => format!("denied {cl_ord_id}: {reason}"),
        Derived::Intervened(done) => {
            format!("guardian: {} on {:?}, {:?}", done.rule.name(), done.scope, done.act)
        }
    }
}
