//! When a trading day begins: one rule for daily limits and daily figures.

use super::zone::{DAY, HOUR};
use super::{Date, Zone};
use crate::types::{Nanos, Timestamp};
use std::fmt;
use std::str::FromStr;

/// A time of day at which a new trading day begins. From noon on, the day that begins bears the date
/// of the next morning: 17:00 on Sunday begins Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DayStart {
    zone: Zone,
    time: Nanos,
}

impl DayStart {
    /// Midnight in UTC.
    pub const UTC: Self = Self { zone: Zone::Utc, time: Nanos(0) };
    /// Midnight in New York: the date that US exchanges are at.
    pub const NEW_YORK: Self = Self { zone: Zone::NewYork, time: Nanos(0) };

    /// The trading day that `at` belongs to. It does not end where clocks go back.
    #[inline]
    pub const fn date(self, at: Timestamp) -> Date {
        let local = self.zone.date(at);
        let date = if self.names_next_day() { local.next() } else { local };
        if at.nanos() >= self.begin(date).nanos() { date } else { date.prev() }
    }

    /// The first moment of a trading day.
    #[inline]
    pub const fn begin(self, date: Date) -> Timestamp {
        let date = if self.names_next_day() { date.prev() } else { date };
        self.zone.utc(date, self.time)
    }

    const fn names_next_day(self) -> bool {
        self.time.0 >= DAY / 2
    }
}

/// `17:00 America/New_York`.
impl fmt::Display for DayStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.time.0 / (HOUR / 60);
        write!(f, "{:02}:{:02} {}", minutes / 60, minutes % 60, self.zone.name())
    }
}

impl FromStr for DayStart {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a time of day and a zone, UTC or America/New_York, like `17:00 America/New_York`"
            )
        };
        let (time, zone) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let zone = [Zone::Utc, Zone::NewYork].into_iter().find(|known| known.name() == zone.trim());
        let (hours, minutes) = time.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, below: u64| match text.bytes().all(|b| b.is_ascii_digit()) {
            true if text.len() == 2 => text.parse::<u64>().ok().filter(|number| *number < below),
            _ => None,
        };
        match (number(hours, 24), number(minutes, 60), zone) {
            (Some(hours), Some(minutes), Some(zone)) => {
                Ok(Self { zone, time: Nanos(hours * HOUR + minutes * (HOUR / 60)) })
            }
            _ => Err(wrong()),
        }
    }
}
