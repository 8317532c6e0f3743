//! How long to wait before the next try to connect.

use crate::types::Nanos;

/// Waits that double from `first` to `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Nanos,
    limit: Nanos,
    next: Nanos,
}

impl Backoff {
    /// 50 ms to 5 s.
    pub const DEFAULT: Self = Self::new(Nanos::from_millis(50), Nanos::from_secs(5));

    /// Waits from `first` to `limit`.
    pub const fn new(first: Nanos, limit: Nanos) -> Self {
        Self { first, limit, next: first }
    }

    /// The wait before the next try; the one after it is twice as long.
    pub fn wait(&mut self) -> Nanos {
        let wait = self.next.min(self.limit);
        self.next = Nanos(wait.0.saturating_mul(2).max(1)).min(self.limit);
        wait
    }

    /// A try succeeded: the next wait is the first again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_limit_and_starts_over() {
        let mut backoff = Backoff::new(Nanos(50), Nanos(300));
        let waits: Vec<u64> = (0..5).map(|_| backoff.wait().0).collect();
        assert_eq!(waits, [50, 100, 200, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.wait(), Nanos(50));
    }
}
