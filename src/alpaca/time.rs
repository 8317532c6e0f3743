//! Moments as this wire writes them: RFC 3339 in UTC, and in New York's offset for the clock.

use crate::types::calendar::Zone;
use crate::types::{Date, Nanos, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A moment: any offset is read, UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

/// A moment as the clock writes it, with the offset of New York.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eastern(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Time {
    type Err = String;

    /// RFC 3339 with any offset, also where a query has made a blank of its `+`; or a date, which is
    /// its first moment in New York.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(date) = read_date(text) {
            return Ok(Self(Zone::NewYork.utc(date, Nanos(0))));
        }
        let text = text.trim().replacen(' ', if text.contains('T') { "+" } else { "T" }, 1);
        let zoned = text.ends_with(['Z', 'z'])
            || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
        let text = if zoned { text } else { format!("{text}Z") };
        match text.parse::<Timestamp>() {
            Ok(at) if text.contains('T') => Ok(Self(at)),
            _ => Err(format!("`{text}` is not an RFC 3339 time")),
        }
    }
}

/// `YYYY-MM-DD`.
pub fn read_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    if !(1970..=2500).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let date = Date::new(year, month, day);
    (date.ymd() == (year, month, day)).then_some(date)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Eastern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = Zone::NewYork.local(self.0);
        let local = Zone::Utc.utc(date, time);
        let hours = (self.0.nanos() - local.nanos().min(self.0.nanos())) / 3_600_000_000_000;
        let text = local.to_string();
        write!(f, "{}-{hours:02}:00", text.trim_end_matches('Z'))
    }
}

impl Serialize for Eastern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Eastern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Time::deserialize(deserializer).map(|time| Self(time.0))
    }
}
