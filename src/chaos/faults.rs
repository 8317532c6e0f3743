//! Which faults a proxy causes, as an operator writes them.

use crate::types::Nanos;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A piece comes later.
    Delay,
    /// A piece never comes.
    Drop,
    /// A piece comes twice.
    Duplicate,
    /// A piece comes after the one behind it.
    Reorder,
    /// Both sides get a TCP reset.
    Reset,
    /// From this piece on nothing passes in either direction, and neither side is told.
    HalfOpen,
    /// A connection passes only so many bytes a second.
    Trickle,
    /// For a while nothing passes on any connection; nothing is lost.
    Partition,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Delay,
        Self::Drop,
        Self::Duplicate,
        Self::Reorder,
        Self::Reset,
        Self::HalfOpen,
        Self::Trickle,
        Self::Partition,
    ];

    /// As in the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Reset => "reset",
            Self::HalfOpen => "half_open",
            Self::Trickle => "trickle",
            Self::Partition => "partition",
        }
    }
}

/// Which pieces of a connection's direction a fault befalls.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Dose {
    /// None.
    #[default]
    Never,
    /// Each with this probability, 0 to 1, drawn from the seed.
    Chance(f64),
    /// Those with these numbers, from 1.
    Pieces(Vec<u64>),
}

/// `0.01`, or `@3` or `@3,17`.
impl FromStr for Dose {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is neither a probability from 0 to 1 nor pieces as in @3,17");
        if let Some(list) = text.strip_prefix('@') {
            let numbers = list.split(',').map(|number| number.parse::<u64>());
            let pieces: Result<Vec<u64>, _> = numbers.collect();
            return match pieces {
                Ok(pieces) if !pieces.contains(&0) => Ok(Self::Pieces(pieces)),
                _ => Err(wrong()),
            };
        }
        match text.parse::<f64>() {
            Ok(0.0) => Ok(Self::Never),
            Ok(chance) if (0.0..=1.0).contains(&chance) => Ok(Self::Chance(chance)),
            _ => Err(wrong()),
        }
    }
}

/// A fixed amount, or one that is drawn from a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Least.
    pub low: u64,
    /// Most.
    pub high: u64,
}

impl Amount {
    fn read(text: &str, one: impl Fn(&str) -> Result<u64, String>) -> Result<Self, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let (low, high) = (one(low)?, one(high)?);
        if low > high {
            return Err(format!("`{text}`: the second value is below the first"));
        }
        Ok(Self { low, high })
    }

    /// A delay in nanoseconds: `20`, `20ms`, `5ms..50ms`; a bare number is milliseconds.
    ///
    /// # Errors
    /// What does not read as a span of at most one hour.
    pub fn delay(text: &str) -> Result<Self, String> {
        let span = |text: &str| span(text).map(|span| span.0);
        Self::read(text, span)
    }

    /// Bytes a second: `2000` or `500..5000`, above zero.
    ///
    /// # Errors
    /// What is not a whole number above zero.
    pub fn bytes(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not bytes a second, as in 2000 or 500..5000");
        Self::read(text, |part| match part.parse::<u64>() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(wrong()),
        })
    }
}

/// Milliseconds, or a number with its unit.
fn span(text: &str) -> Result<Nanos, String> {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let span: Nanos = if bare { format!("{text}ms").parse()? } else { text.parse()? };
    if span > Nanos::from_secs(3_600) {
        return Err(format!("`{text}` is longer than an hour"));
    }
    Ok(span)
}

/// When nothing passes, counted from the start of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// Once.
    Once {
        /// Begin.
        from: Nanos,
        /// End.
        to: Nanos,
    },
    /// Again and again, the pauses drawn from the seed.
    Every {
        /// How long one lasts.
        length: Nanos,
        /// How long the pause between two is, on average.
        pause: Nanos,
    },
}

/// `10s..20s`: once; `2s/30s`: for 2 s, after pauses of 30 s on average.
impl FromStr for Partition {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (span(from)?, span(to)?);
            return if from < to {
                Ok(Self::Once { from, to })
            } else {
                Err(format!("`{text}` ends before it begins"))
            };
        }
        if let Some((length, pause)) = text.split_once('/') {
            let (length, pause) = (span(length)?, span(pause)?);
            return if length.0 > 0 && pause.0 > 0 {
                Ok(Self::Every { length, pause })
            } else {
                Err(format!("`{text}`: both spans must be above zero"))
            };
        }
        Err(format!("`{text}` is neither a window as in 10s..20s nor a rhythm as in 2s/30s"))
    }
}

/// The way a piece goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client to the venue.
    ToVenue,
    /// From the venue to the client.
    ToClient,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToVenue => "to venue",
            Self::ToClient => "to client",
        })
    }
}

impl FromStr for Direction {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "to-venue" => Ok(Self::ToVenue),
            "to-client" => Ok(Self::ToClient),
            _ => Err(format!("`{text}` is no direction: to-venue or to-client")),
        }
    }
}

/// All faults of a proxy. The default causes none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// Of every draw.
    pub seed: u64,
    /// Of each piece, in nanoseconds; the order stays.
    pub delay: Option<Amount>,
    /// Of each direction of each connection, in bytes a second.
    pub trickle: Option<Amount>,
    /// Pieces that never come.
    pub drop: Dose,
    /// Pieces that come twice.
    pub duplicate: Dose,
    /// Pieces that change places with the next.
    pub reorder: Dose,
    /// Pieces in whose place both sides get a reset.
    pub reset: Dose,
    /// Pieces from which on nothing passes any more.
    pub half_open: Dose,
    /// When nothing passes.
    pub partitions: Vec<Partition>,
    /// Only pieces that go this way; partitions and what a half-open connection swallows go both.
    pub only: Option<Direction>,
    /// No new fault after so long.
    pub until: Option<Nanos>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_an_operator_writes() {
        assert_eq!("0.25".parse(), Ok(Dose::Chance(0.25)));
        assert_eq!("0".parse(), Ok(Dose::Never));
        assert_eq!("@3,17".parse(), Ok(Dose::Pieces(vec![3, 17])));
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "@", "@0", "@1,", "often"] {
            assert!(bad.parse::<Dose>().is_err(), "{bad}");
        }
        let ms = 1_000_000;
        assert_eq!(Amount::delay("20"), Ok(Amount { low: 20 * ms, high: 20 * ms }));
        assert_eq!(Amount::delay("5ms..1s"), Ok(Amount { low: 5 * ms, high: 1_000 * ms }));
        for bad in ["", "..", "50..5", "-1", "2h", "5ms.."] {
            assert!(Amount::delay(bad).is_err(), "{bad}");
        }
        assert_eq!(Amount::bytes("500..5000"), Ok(Amount { low: 500, high: 5_000 }));
        for bad in ["0", "", "1.5", "9..1"] {
            assert!(Amount::bytes(bad).is_err(), "{bad}");
        }
        let secs = Nanos::from_secs;
        assert_eq!("10s..20s".parse(), Ok(Partition::Once { from: secs(10), to: secs(20) }));
        assert_eq!("2s/30s".parse(), Ok(Partition::Every { length: secs(2), pause: secs(30) }));
        for bad in ["", "20s..10s", "10s", "0s/1s", "1s/0s", "a..b"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }
}
