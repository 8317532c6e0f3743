//! Pacing: when a recorded moment is due in wall time. Pure arithmetic; the driver owns the clock.

use crate::types::{Nanos, Timestamp};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// How fast recorded time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// This many times real time; 1 is as it was.
    Times(NonZeroU32),
    /// As fast as the records can be taken.
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        text.parse()
            .map(Self::Times)
            .map_err(|_| format!("`{text}` is no speed: a whole number from 1, or max"))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Maps the time of records to wall time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    speed: Speed,
    start: Timestamp,
    first: Timestamp,
}

impl Pace {
    /// The record of time `first` is due at wall time `start`.
    pub const fn new(speed: Speed, start: Timestamp, first: Timestamp) -> Self {
        Self { speed, start, first }
    }

    /// Wall time at which a record of time `ts` is due: never before it, by less than 1 ns after.
    /// With [`Speed::Max`] everything is due at once.
    pub const fn due(&self, ts: Timestamp) -> Timestamp {
        let Speed::Times(times) = self.speed else { return self.start };
        let span = ts.since(self.first).0.div_ceil(times.get() as u64);
        Timestamp::from_nanos(self.start.nanos().saturating_add(span))
    }

    /// The latest record time that is due at wall time `now`; `None` before the start.
    pub fn reached(&self, now: Timestamp) -> Option<Timestamp> {
        if now < self.start {
            return None;
        }
        Some(match self.speed {
            Speed::Max => Timestamp::MAX,
            Speed::Times(times) => {
                self.first + Nanos(now.since(self.start).0.saturating_mul(u64::from(times.get())))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_reached_exactly_when_it_is_due(times in 1u32..100_000, start in 0u64..1 << 61, first in 0u64..1 << 61, span in 0u64..1 << 40) {
            let pace = Pace::new(Speed::Times(NonZeroU32::new(times).unwrap()), Timestamp::from_nanos(start), Timestamp::from_nanos(first));
            let ts = Timestamp::from_nanos(first + span);
            let due = pace.due(ts);
            prop_assert!(pace.reached(due).unwrap() >= ts);
            if due.nanos() > start {
                prop_assert!(pace.reached(due - Nanos(1)).unwrap() < ts);
            }
        }
    }

    #[test]
    fn speeds_are_read_and_written() {
        for text in ["1", "600", "max"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "1.5", "", "fast", "99999999999"] {
            assert!(text.parse::<Speed>().unwrap_err().contains("is no speed"), "{text}");
        }
    }

    #[test]
    fn max_waits_for_nothing() {
        let pace = Pace::new(Speed::Max, Timestamp::from_nanos(5), Timestamp::ZERO);
        assert_eq!(pace.due(Timestamp::MAX), Timestamp::from_nanos(5));
        assert_eq!(pace.reached(Timestamp::from_nanos(4)), None);
        assert_eq!(pace.reached(Timestamp::from_nanos(5)), Some(Timestamp::MAX));
    }
}
