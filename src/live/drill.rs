//! A kill for practice: the same kill as any other, with its times.

use super::audit::Act;
use super::handle::Handle;
use crate::actors::enforce::Progress;
use crate::kill::{LatchError, Trip};
use crate::types::{KillLevel, Nanos, Scope, Timestamp};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a drill waits for the broker.
const PATIENCE: Nanos = Nanos::from_secs(10);

/// How long each part of a kill took, from the moment it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// The trip. It stands: only the two-step arm lowers it.
    pub trip: Trip,
    /// Until no covered write was under way and none could begin.
    pub gate_closed: Nanos,
    /// Until the last cancel was written to a socket; none where no cancel was written to one.
    pub cancel_written: Option<Nanos>,
    /// Until two snapshots of the broker said that nothing in scope is open; none below level cancel,
    /// or where it did not come within ten seconds.
    pub confirmed: Option<Nanos>,
}

impl Handle {
    /// Raises a kill and watches it being carried out. It is an operator's kill, so it never escalates.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn drill(
        &self,
        scope: Scope,
        level: KillLevel,
        reason: &str,
    ) -> Result<Drilled, LatchError> {
        let begin = self.now();
        self.board().raise(scope, level);
        let gate_closed = self.now().since(begin);
        let trip = self.kill(scope, level, &format!("drill: {reason}"))?;
        let mut confirmed = None;
        while level >= KillLevel::Cancel && self.now().since(begin) < PATIENCE {
            let done = self.call(move |desk, _, _| {
                desk.lane.core.as_ref().is_some_and(|core| {
                    matches!(core.enforcement.progress(scope), Progress::Cancelled | Progress::Flat)
                })
            });
            if done == Ok(true) {
                confirmed = Some(self.now().since(begin));
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let cancel_written = self.last_cancel().filter(|at| *at > begin).map(|at| at.since(begin));
        let show = |span: Option<Nanos>| span.map_or("-".to_owned(), |span| span.to_string());
        let times = format!(
            "gate closed {gate_closed}, cancel written {}, confirmed {}",
            show(cancel_written),
            show(confirmed)
        );
        self.note(Act::new("operator", "drill", &trip.scope, reason).changed("", times));
        Ok(Drilled { trip, gate_closed, cancel_written, confirmed })
    }

    /// When a cancel was last written to a broker's socket.
    fn last_cancel(&self) -> Option<Timestamp> {
        let written = self.brokers().iter().map(|broker| broker.cancelled.load(Ordering::Relaxed));
        written.max().filter(|at| *at > 0).map(Timestamp::from_nanos)
    }
}
