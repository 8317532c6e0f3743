//! Moments and spans in nanoseconds. There is no `now()` here: time arrives as an argument.

use super::text::text_for_people;
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// Nanoseconds since 1970-01-01T00:00:00Z; good until the year 2554.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A span of nanoseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

text_for_people! {
    Timestamp as u64, |value: &Self| value.0, Self;
    Nanos as u64, |value: &Self| value.0, Self;
}

impl Timestamp {
    /// The beginning of the epoch.
    pub const ZERO: Self = Self(0);
    /// Later than any event.
    pub const MAX: Self = Self(u64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }
    /// The span since `earlier`; nothing if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Nanos {
    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }
    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }
    /// As seconds, for reports and metrics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add<Nanos> for Timestamp {
    type Output = Self;
    fn add(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Nanos> for Timestamp {
    type Output = Self;
    fn sub(self, span: Nanos) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// RFC 3339 in UTC with nine digits: `2013-10-08T13:30:00.000000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(at) => write!(f, "{at:.9}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In the largest unit that leaves a whole number: `5s`, `250ms`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s")];
        let small = [(1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let fits = |(size, _): &(u64, &str)| self.0 >= *size && self.0.is_multiple_of(*size);
        let (size, unit) = units.into_iter().chain(small).find(fits).unwrap_or((1, "ns"));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl fmt::Debug for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}

/// A moment written by a person or a file: RFC 3339, or nanoseconds since the epoch.
impl FromStr for Timestamp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(nanos) = text.parse::<u64>() {
            return Ok(Self(nanos));
        }
        let at: jiff::Timestamp = text.parse().map_err(|_| {
            format!("`{text}` is neither nanoseconds since 1970 nor an RFC 3339 time")
        })?;
        u64::try_from(at.as_nanosecond())
            .map(Self)
            .map_err(|_| format!("`{text}` lies before 1970 or after 2554"))
    }
}

/// A span as people write it: `250ms`, `5s`, `2m`, `1h`, `10us`, `7ns`.
impl FromStr for Nanos {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[split..] {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(format!("`{text}` is not a span like 250ms, 5s, 2m or 1h")),
        };
        text[..split]
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a span like 250ms, 5s, 2m or 1h"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc_3339() {
        let at = Timestamp::from_nanos(1_381_239_000_000_000_001);
        assert_eq!(at.to_string(), "2013-10-08T13:30:00.000000001Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("1381239000000000001".parse(), Ok(at));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn reads_spans() {
        assert_eq!("250ms".parse(), Ok(Nanos::from_millis(250)));
        assert_eq!("2m".parse(), Ok(Nanos::from_secs(120)));
        for text in ["2m", "250ms", "61s", "1h", "7ns", "0ns"] {
            assert_eq!(text.parse::<Nanos>().unwrap().to_string(), text);
        }
        assert!("5".parse::<Nanos>().is_err());
        assert!("99999999999999999999s".parse::<Nanos>().is_err());
    }
}
