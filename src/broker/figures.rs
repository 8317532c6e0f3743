//! What a session counts, for those who watch it from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Requests written: orders, changes, cancels, questions.
    Requests,
    /// Requests that the broker refused.
    Refused,
    /// Requests whose outcome nobody told: they are looked up.
    Unknown,
    /// Requests refused for being too many.
    Throttled,
    /// Complete snapshots.
    Snapshots,
    /// Snapshots that did not come together.
    Scattered,
    /// Streams that were lost.
    Lost,
}

impl Counted {
    /// All, each with the metric that shows it.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Requests, "qtos_broker_requests_total"),
        (Self::Refused, "qtos_broker_refused_total"),
        (Self::Unknown, "qtos_broker_unknown_total"),
        (Self::Throttled, "qtos_broker_throttled_total"),
        (Self::Snapshots, "qtos_broker_snapshots_total"),
        (Self::Scattered, "qtos_broker_snapshots_failed_total"),
        (Self::Lost, "qtos_broker_lost_total"),
    ];
}

/// Counts of one broker since the service began.
#[derive(Debug, Default)]
pub struct SessionFigures([AtomicU64; Counted::ALL.len()]);

impl SessionFigures {
    /// One more.
    pub fn count(&self, what: Counted) {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn of(&self, what: Counted) -> u64 {
        self.0[what as usize].load(Ordering::Relaxed)
    }
}
