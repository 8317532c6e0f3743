//! Dates of the Gregorian calendar.

use crate::types::text::text_for_people;
use std::fmt;

/// A date, counted in days from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(u32);

text_for_people! { Date as u32, |date: &Self| date.0, Self; }

/// Days from 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end.
const EPOCH: u32 = 719_468;
const FOUR_CENTURIES: u32 = 146_097;

impl Date {
    /// From days since 1970-01-01.
    pub const fn from_days(days: u32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> u32 {
        self.0
    }

    /// A year from 1970, a month from 1, a day from 1 that the month has.
    pub const fn new(year: u32, month: u32, day: u32) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let (cycle, year) = (year / 400, year % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_cycle = year * 365 + year / 4 - year / 100 + day_of_year;
        Self(cycle * FOUR_CENTURIES + day_of_cycle - EPOCH)
    }

    /// Year, month and day.
    pub const fn ymd(self) -> (u32, u32, u32) {
        let days = self.0 + EPOCH;
        let (cycle, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = cycle * 400 + year;
        (if month <= 2 { year + 1 } else { year }, month, day)
    }

    /// Day of the week: Monday is 0, Sunday is 6.
    pub const fn weekday(self) -> u32 {
        (self.0 + 3) % 7
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day before.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// ISO 8601: `2013-10-08`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl std::str::FromStr for Date {
    type Err = String;
    /// `2013-10-08`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.trim().splitn(3, '-').map(|part| part.parse::<u32>().ok());
        let date = (|| {
            let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
            let sound = (1970..=9999).contains(&year) && (1..=12).contains(&month);
            (sound && (1..=31).contains(&day)).then(|| Self::new(year, month, day))
        })();
        // A day that the month does not have becomes another date.
        let same = |date: &Self| date.to_string() == text.trim();
        date.filter(same).ok_or_else(|| format!("`{text}` is no date such as 2013-10-08"))
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
