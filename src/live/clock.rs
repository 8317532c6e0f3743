//! The one place where the clock is read.

use crate::types::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall time that never goes back: the system's time at start plus monotonic time since.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: u64,
    start: Instant,
}

impl Clock {
    /// Reads both clocks.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: wall.as_nanos() as u64, start: Instant::now() }
    }

    /// Now.
    #[inline]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.wall.saturating_add(self.start.elapsed().as_nanos() as u64))
    }
}
