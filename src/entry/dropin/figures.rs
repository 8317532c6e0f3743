//! What the entry counts of itself, for the metrics.

use crate::alpaca::Method;
use std::sync::atomic::{AtomicU64, Ordering};

const CLASSES: [&str; 4] = ["order_write", "order_read", "account", "data"];
const OUTCOMES: [&str; 5] = ["ok", "refused", "unauthorized", "limited", "failed"];

/// Requests by what they were about and what came of them; sockets.
#[derive(Debug, Default)]
pub struct Figures {
    requests: [[AtomicU64; OUTCOMES.len()]; CLASSES.len()],
    sockets: AtomicU64,
    updates: AtomicU64,
    lost: AtomicU64,
}

impl Figures {
    /// Counts a request and its status.
    pub(super) fn count(&self, method: Method, path: &str, status: u16) {
        let write = method != Method::Get;
        let class = match path.trim_start_matches("/v2/").split(['/', ':']).next() {
            Some("orders" | "positions") if write => 0,
            Some("orders") => 1,
            Some("stocks" | "assets" | "clock" | "calendar") => 3,
            _ => 2,
        };
        let outcome = match status {
            ..400 => 0,
            401 => 2,
            429 => 3,
            400..500 => 1,
            _ => 4,
        };
        self.requests[class][outcome].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_sockets(&self, open: usize) {
        self.sockets.store(open as u64, Ordering::Relaxed);
    }

    pub(super) fn add_update(&self) {
        self.updates.fetch_add(1, Ordering::Relaxed);
    }

    /// The core was faster than the entry: all streams were ended.
    pub(super) fn add_loss(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests so far, as `class.outcome`.
    pub fn requests(&self) -> impl Iterator<Item = (String, u64)> {
        let rows = CLASSES.iter().zip(&self.requests);
        rows.flat_map(|(class, row)| {
            OUTCOMES.iter().zip(row).map(move |(outcome, count)| {
                (format!("{class}.{outcome}"), count.load(Ordering::Relaxed))
            })
        })
    }

    /// Streams that are open, trade updates sent, and how often all streams were ended.
    pub fn streams(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.sockets), read(&self.updates), read(&self.lost))
    }
}
