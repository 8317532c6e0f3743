//! How many requests a caller may send.

use crate::types::Timestamp;

/// Requests in the running minute of the machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    limit: u32,
    used: u32,
    /// Second at which the minute ends.
    ends: u64,
}

impl Budget {
    /// So many in each minute.
    pub const fn new(limit: u32) -> Self {
        Self { limit, used: 0, ends: 0 }
    }

    /// Takes one request; the headers that tell of it, and whether there was one left.
    pub fn take(&mut self, now: Timestamp) -> (Vec<(&'static str, String)>, bool) {
        let second = now.nanos() / 1_000_000_000;
        if second >= self.ends {
            self.used = 0;
            self.ends = second + 60;
        }
        let granted = self.used < self.limit;
        self.used += u32::from(granted);
        let headers = vec![
            ("X-RateLimit-Limit", self.limit.to_string()),
            ("X-RateLimit-Remaining", (self.limit - self.used).to_string()),
            ("X-RateLimit-Reset", self.ends.to_string()),
        ];
        (headers, granted)
    }
}
