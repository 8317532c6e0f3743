//! Numbers of the wire to fixed point: exact, or a named error.

use crate::types::NumberError;
use std::io::Write;

const PLACES: usize = 9;
const POWERS: [u64; PLACES + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Reads the number that `text` begins with, in units of 1e-9, and says how many bytes it takes: those
/// are right also where the number is not. No bytes: there is none.
#[inline]
pub(super) fn decimal(text: &[u8]) -> (Result<i64, NumberError>, usize) {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let (mut value, first) = (0u64, at);
    while let Some(digit) = digit(text, at) {
        value = value.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let whole = at - first;
    let mut places = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = digit(text, at) {
            value = value.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        places = at - point;
    }
    // Eighteen digits do not wrap; an exponent, or more digits, are for the slow way.
    if whole == 0 || whole + places > 18 || places > PLACES || is_exponent(text, at) {
        return slow(text);
    }
    let scaled = value.checked_mul(POWERS[PLACES - places]);
    let scaled = scaled.and_then(|value| i64::try_from(value).ok());
    (scaled.map(|value| if negative { -value } else { value }).ok_or(NumberError::OutOfRange), at)
}

#[inline]
fn digit(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

fn is_exponent(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b'e' | b'E'))
}

#[cold]
fn slow(text: &[u8]) -> (Result<i64, NumberError>, usize) {
    let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let length = text.iter().take_while(|byte| part(byte)).count();
    let value = std::str::from_utf8(&text[..length]).map_err(|_| NumberError::NotANumber);
    (value.and_then(parse), length)
}

/// Text of any length, with or without an exponent.
fn parse(text: &str) -> Result<i64, NumberError> {
    let (text, power) = match text.split_once(['e', 'E']) {
        Some((text, power)) => (text, power.parse::<i32>().map_err(|_| NumberError::NotANumber)?),
        None => (text, 0),
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = || whole.bytes().chain(rest.bytes());
    if whole.is_empty() || !digits().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let point = i64::try_from(whole.len()).map_err(|_| NumberError::OutOfRange)? + i64::from(power);
    let mut value = 0i128;
    for (place, byte) in (1i64..).zip(digits()) {
        let digit = i128::from(byte - b'0');
        // How many places behind the point this digit stands.
        let behind = place - point;
        if digit == 0 {
            continue;
        }
        let up = u32::try_from(PLACES as i64 - behind)
            .map_err(|_| NumberError::TooPrecise(PLACES as u32))?;
        let added = 10i128.checked_pow(up).and_then(|up| up.checked_mul(digit));
        let sum = added.and_then(|added| value.checked_add(added));
        value = sum.ok_or(NumberError::OutOfRange)?;
    }
    i64::try_from(sign * value).map_err(|_| NumberError::OutOfRange)
}

/// A float of MessagePack in units of 1e-9: the shortest decimal that reads back as the same float is
/// what the venue meant.
pub(super) fn float(value: f64) -> Result<i64, NumberError> {
    // A decimal of at most fifteen digits that gives this float is the shortest one: no two of that
    // length give the same float.
    for (step, up) in [(1e4, 100_000i64), (1e9, 1)] {
        let units = (value * step).round();
        if units.abs() < 1e15 && units / step == value {
            return (units as i64).checked_mul(up).ok_or(NumberError::OutOfRange);
        }
    }
    let mut text = [0u8; 400];
    let mut rest = &mut text[..];
    write!(rest, "{value}").map_err(|_| NumberError::OutOfRange)?;
    let length = 400 - rest.len();
    std::str::from_utf8(&text[..length]).map_err(|_| NumberError::NotANumber).and_then(parse)
}

/// A whole number in units of 1e-9.
pub(super) fn whole(value: i128) -> Result<i64, NumberError> {
    let scaled = value.checked_mul(1_000_000_000).and_then(|value| i64::try_from(value).ok());
    scaled.ok_or(NumberError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Price;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<i64, NumberError> {
        let (value, length) = decimal(text.as_bytes());
        assert_eq!(length, text.len(), "{text}");
        value
    }

    #[test]
    fn numbers_are_exact_or_named_errors() {
        for (text, units) in [
            ("0", 0),
            ("-1.5", -1_500_000_000),
            ("185.3100", 185_310_000_000),
            ("1e-7", 100),
            ("1.25E+2", 125_000_000_000),
            ("9223372036.854775807", i64::MAX),
            ("0.00000000100000000000000000000", 1),
        ] {
            assert_eq!(read(text), Ok(units), "{text}");
        }
        assert_eq!(read("0.0000000001"), Err(NumberError::TooPrecise(9)));
        assert_eq!(read("9223372037"), Err(NumberError::OutOfRange));
        assert_eq!(read("1e99999999999"), Err(NumberError::NotANumber));
        assert_eq!(read("1e999999999"), Err(NumberError::OutOfRange));
        assert_eq!(decimal(b"x").0, Err(NumberError::NotANumber));
        assert_eq!(float(0.1 + 0.2), Err(NumberError::TooPrecise(9)), "0.30000000000000004");
        assert_eq!(float(f64::NAN), Err(NumberError::NotANumber));
        assert_eq!(float(f64::INFINITY), Err(NumberError::NotANumber));
        assert_eq!(float(1e300), Err(NumberError::OutOfRange));
    }

    proptest! {
        #[test]
        fn text_reads_as_prices_do(raw: i64, places in 0usize..14) {
            let text = format!("{}{}", Price::from_raw(raw), if places > 9 { "" } else { "e0" });
            prop_assert_eq!(read(&text), Ok(raw));
            prop_assert_eq!(read(&Price::from_raw(raw).to_string()), Ok(raw));
        }

        #[test]
        fn floats_mean_their_shortest_decimal(units in -999_999_999_999_999i64..999_999_999_999_999, up in 0u32..7) {
            let raw = units / 10i64.pow(up) * 10i64.pow(up);
            let meant = Price::from_raw(raw);
            prop_assert_eq!(float(meant.to_string().parse::<f64>().unwrap()), Ok(raw));
        }
    }
}
