//! The two clocks that days here are counted by.

use super::Date;
use crate::types::{Nanos, Timestamp};

pub(super) const DAY: u64 = 86_400_000_000_000;
pub(super) const HOUR: u64 = 3_600_000_000_000;
const SUNDAY: u32 = 6;
/// When New York's clocks leave an hour out: 02:00 standard time, in UTC.
const LEFT_OUT: u64 = 7 * HOUR;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Zone {
    /// UTC.
    Utc,
    /// New York, by the rule in force since 2007.
    NewYork,
}

impl Zone {
    /// How far this zone's clocks are behind UTC.
    #[inline]
    const fn behind(self, at: Timestamp) -> u64 {
        match self {
            Self::Utc => 0,
            Self::NewYork => {
                let (year, month, _) = utc_date(at).ymd();
                let summer = match month {
                    4..=10 => true,
                    // From the second Sunday.
                    3 => at.nanos() >= nth(SUNDAY, 2, year, 3).days() as u64 * DAY + LEFT_OUT,
                    // Until the first Sunday, 02:00 summer time.
                    11 => at.nanos() < nth(SUNDAY, 1, year, 11).days() as u64 * DAY + 6 * HOUR,
                    _ => false,
                };
                if summer { 4 * HOUR } else { 5 * HOUR }
            }
        }
    }

    /// The date and the time of day on the clocks of this zone.
    #[inline]
    pub const fn local(self, at: Timestamp) -> (Date, Nanos) {
        let local = at.nanos().saturating_sub(self.behind(at));
        (utc_date(Timestamp::from_nanos(local)), Nanos(local % DAY))
    }

    /// The date on the clocks of this zone.
    #[inline]
    pub const fn date(self, at: Timestamp) -> Date {
        self.local(at).0
    }

    /// The moment when clocks of this zone show `time` on `date`: the first one where an hour
    /// repeats, the one that they jump at where it is left out.
    #[inline]
    pub const fn utc(self, date: Date, time: Nanos) -> Timestamp {
        let local = (date.days() as u64).saturating_mul(DAY).saturating_add(time.0);
        match self {
            Self::Utc => Timestamp::from_nanos(local),
            Self::NewYork => {
                let summer = Timestamp::from_nanos(local.saturating_add(4 * HOUR));
                let winter = Timestamp::from_nanos(local.saturating_add(5 * HOUR));
                if self.behind(summer) == 4 * HOUR {
                    summer
                } else if self.behind(winter) == 5 * HOUR {
                    winter
                } else {
                    Timestamp::from_nanos(date.days() as u64 * DAY + LEFT_OUT)
                }
            }
        }
    }

    /// The zone's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::NewYork => "America/New_York",
        }
    }
}

const fn utc_date(at: Timestamp) -> Date {
    Date::from_days((at.nanos() / DAY) as u32)
}

/// The `n`-th `weekday` of a month; `n` from 1.
pub(super) const fn nth(weekday: u32, n: u32, year: u32, month: u32) -> Date {
    let first = Date::new(year, month, 1);
    let ahead = (weekday + 7 - first.weekday()) % 7;
    Date::from_days(first.days() + ahead + 7 * (n - 1))
}
