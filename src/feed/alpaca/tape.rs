//! Words of the consolidated tape: exchanges, sale conditions, halts.

use crate::types::ExchangeId;

/// Letters of the US exchanges; the place in this table is the exchange's number. Place 0 stands for
/// the stream as a whole: whatever names no exchange, and the quotes. Those of a stream are the best
/// of all its exchanges, each replaces the one before, whichever exchanges had the two sides.
const EXCHANGES: &[u8] = b"\0ABCDEGHIJKLMNPQSTUVWXYZ";

/// Of the stream as a whole.
pub(super) const CONSOLIDATED: ExchangeId = ExchangeId(0);

/// The exchange with this letter; letters that nobody listed are told as the stream's.
pub(super) fn exchange(letter: u8) -> ExchangeId {
    let found = EXCHANGES.iter().position(|&known| known == letter && letter != 0);
    ExchangeId(found.and_then(|at| u8::try_from(at).ok()).unwrap_or(0))
}

/// Trades whose price is not that of this moment, by their sale condition: cash and next-day sales,
/// average and prior reference prices, sales told out of sequence, contingent and derived ones, and the
/// official open and close, which repeat the auction.
const DOUBTFUL: &[u8] = b"CHMNPQRUVWZ47";

/// Sale conditions as bits: `A` to `Z` are bits 0 to 25, 4, 5, 6, 7 and 9 are bits 26 to 30, all others
/// but `@` and a blank (a regular sale) are bit 31.
pub(super) const fn condition(code: u8) -> u32 {
    match code {
        b'A'..=b'Z' => 1 << (code - b'A'),
        b'4'..=b'7' => 1 << (26 + code - b'4'),
        b'9' => 1 << 30,
        b'@' | b' ' => 0,
        _ => 1 << 31,
    }
}

/// Whether a trade of these conditions moves no price.
pub(super) fn is_doubtful(conditions: u32) -> bool {
    conditions != 0 && DOUBTFUL.iter().any(|&code| conditions & condition(code) != 0)
}

/// Whether a status halts trading (`Some(true)`), resumes it, or says neither. Tapes A and B have
/// digits, tape C and coins letters; quoting may resume before trading does.
pub(super) const fn halts(code: u8) -> Option<bool> {
    match code {
        b'2' | b'H' | b'P' | b'Q' => Some(true),
        b'3' | b'T' => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_a_number_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for &letter in &EXCHANGES[1..] {
            assert!(seen.insert(exchange(letter)), "{}", char::from(letter));
        }
        assert_eq!(exchange(b'V'), exchange(b'V'));
        assert_eq!((exchange(b'?'), exchange(0)), (CONSOLIDATED, CONSOLIDATED));
    }

    #[test]
    fn conditions_say_whether_a_price_is_of_this_moment() {
        for (codes, doubtful) in
            [("@", false), ("@I", false), ("@ T", false), ("W", true), ("@7", true)]
        {
            let bits = codes.bytes().fold(0, |bits, code| bits | condition(code));
            assert_eq!(is_doubtful(bits), doubtful, "{codes}");
        }
    }
}
