//! The one place where the clock is read.

use crate::types::{Nanos, Timestamp};
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

    /// How far the system's time has moved away from this one since: somebody has set it, or the
    /// machine slept.
    pub fn off(&self) -> Nanos {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Nanos((wall.as_nanos() as u64).abs_diff(self.now().nanos()))
    }
}

/// The wall clock, for commands that only want to know when they run.
pub fn now() -> Timestamp {
    Clock::new().now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_system_time_shows_either_way() {
        let clock = Clock::new();
        assert!(clock.off() < Nanos::from_secs(60));
        let hour = Nanos::from_secs(3_600);
        for wall in [clock.wall - hour.0, clock.wall + hour.0] {
            let off = Clock { wall, ..clock }.off();
            assert!(off > Nanos::from_secs(3_500) && off < Nanos::from_secs(3_700), "{off}");
        }
    }
}
