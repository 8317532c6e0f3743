//! What reading one message needs of an encoding. JSON and MessagePack each bring theirs, so that the
//! shape of the messages stands in one place.

use crate::types::{NumberError, Timestamp};
use std::borrow::Cow;

/// Deepest nesting that is passed over.
pub(super) const DEPTH: u8 = 32;

/// What stands next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    List,
    Map,
    /// A time of its own kind: MessagePack has one.
    Time,
    /// Booleans and nothing.
    Other,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The bytes are no message; where the next one begins is not known.
    #[error("byte {at}: {what}")]
    Broken { at: usize, what: &'static str },
    /// The value was passed over, and it is not usable.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// The same of a time.
    #[error("not an RFC 3339 time")]
    Time,
}

/// A place in a message.
pub(super) trait Cursor<'a> {
    /// What is left of a list or map.
    type Left;

    fn peek(&mut self) -> Result<Kind, Fault>;
    fn open_list(&mut self) -> Result<Self::Left, Fault>;
    fn open_map(&mut self) -> Result<Self::Left, Fault>;
    /// Whether another item, or key, follows; at the end it is consumed.
    fn more(&mut self, left: &mut Self::Left) -> Result<bool, Fault>;
    fn key(&mut self) -> Result<Cow<'a, [u8]>, Fault>;
    fn text(&mut self) -> Result<Cow<'a, [u8]>, Fault>;
    /// In units of 1e-9.
    fn number(&mut self) -> Result<i64, Fault>;
    fn time(&mut self) -> Result<Timestamp, Fault>;
    /// A boolean; anything else that is neither list nor map is `false`.
    fn truth(&mut self) -> Result<bool, Fault>;
    /// Passes over one value, whatever it is.
    fn skip(&mut self) -> Result<(), Fault>;
    /// Nothing may follow.
    fn end(&mut self) -> Result<(), Fault>;
}

/// RFC 3339: fast for what the venue writes, `2026-01-05T14:30:00.123456789Z`.
#[inline]
pub(super) fn rfc3339(text: &[u8]) -> Result<Timestamp, Fault> {
    fast(text).or_else(|| slow(text)).ok_or(Fault::Time)
}

#[inline]
fn fast(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = (text.get(..19)?, &text[19..]);
    let pair = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
    };
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    if marks != *b"--T::" {
        return None;
    }
    let (year, month, day) = (pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    // Days past 28 and years far away are for the calendar of the slow way.
    let plain =
        (1970..2500).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !plain || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut nanos = 0u64;
    match tail {
        [b'Z'] => {}
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            for digit in digits {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                nanos = nanos * 10 + u64::from(digit);
            }
            nanos *= 10u64.pow(9 - digits.len() as u32);
        }
        _ => return None,
    }
    let date = crate::types::Date::new(year, month, day);
    if day > 28 && date.ymd() != (year, month, day) {
        return None;
    }
    let seconds = u64::from(date.days()) * 86_400
        + u64::from(hour) * 3_600
        + u64::from(minute) * 60
        + u64::from(second);
    Some(Timestamp::from_nanos(seconds * 1_000_000_000 + nanos))
}

#[cold]
fn slow(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() < 19 { None } else { text.parse().ok() }
}
