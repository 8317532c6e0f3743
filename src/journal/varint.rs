//! Variable-length integers: seven bits a byte, low bits first; signed ones zig-zag.

/// The values of one record, put together before they go to a buffer at once.
#[derive(Debug)]
pub struct Piece {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl Piece {
    /// The longest record is a bar of quotes: a tag and 14 values of up to ten bytes.
    const ROOM: usize = 160;

    /// Begins with this byte.
    #[inline]
    pub const fn new(tag: u8) -> Self {
        let mut bytes = [0; Self::ROOM];
        bytes[0] = tag;
        Self { bytes, length: 1 }
    }

    /// Appends `value`.
    #[inline]
    pub fn put(&mut self, value: u64) {
        // Prices move by a few steps: many values have one byte.
        if value < 0x80 {
            self.bytes[self.length] = value as u8;
            self.length += 1;
            return;
        }
        // The others, but for huge ones, without a branch on their length: the way back of `get_word`.
        let length = (64 - value.leading_zeros()).div_ceil(7) as usize;
        let word = self.bytes.get_mut(self.length..).and_then(|rest| rest.first_chunk_mut());
        let (Some(word), 1..=8) = (word, length) else {
            return self.put_bytes(value);
        };
        let groups = (value & 0x0000_0000_0fff_ffff) | (value & 0x00ff_ffff_f000_0000) << 4;
        let groups = (groups & 0x0000_3fff_0000_3fff) | (groups & 0x0fff_c000_0fff_c000) << 2;
        let groups = (groups & 0x007f_007f_007f_007f) | (groups & 0x3f80_3f80_3f80_3f80) << 1;
        let more = 0x0080_8080_8080_8080 & !(u64::MAX << (8 * (length - 1)));
        *word = (groups | more).to_le_bytes();
        self.length += length;
    }

    #[cold]
    fn put_bytes(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes[self.length] = value as u8 | 0x80;
            self.length += 1;
            value >>= 7;
        }
        self.bytes[self.length] = value as u8;
        self.length += 1;
    }

    /// Appends a signed `value`; small sizes of either sign stay short.
    #[inline]
    pub fn put_signed(&mut self, value: i64) {
        self.put(((value << 1) ^ (value >> 63)) as u64);
    }

    /// What was put together.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Reads from the front of `bytes`; `None` if they end early or say more than 64 bits.
#[inline]
pub fn get(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    let (value, rest) = match bytes.first_chunk() {
        Some(chunk) => get_word(bytes, u64::from_le_bytes(*chunk)),
        None => get_bytes(bytes),
    }?;
    *bytes = rest;
    Some(value)
}

/// Reads values of up to eight bytes without a branch on their length: the groups of seven bits are
/// moved together in pairs, fours and eights.
#[inline]
fn get_word(bytes: &[u8], word: u64) -> Option<(u64, &[u8])> {
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return get_bytes(bytes);
    }
    let value = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    let value = (value & 0x007f_007f_007f_007f) | (value & 0x7f00_7f00_7f00_7f00) >> 1;
    let value = (value & 0x0000_3fff_0000_3fff) | (value & 0x3fff_0000_3fff_0000) >> 2;
    let value = (value & 0x0000_0000_0fff_ffff) | (value & 0x0fff_ffff_0000_0000) >> 4;
    Some((value, &bytes[(ends.trailing_zeros() as usize >> 3) + 1..]))
}

/// Reads values of any length: the last ones of a buffer, and those of nine and ten bytes. It takes
/// and returns the bytes by value so that callers can keep them in registers.
#[cold]
fn get_bytes(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut shift = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
    None
}

/// Reads a signed value.
#[inline]
pub fn get_signed(bytes: &mut &[u8]) -> Option<i64> {
    let raw = get(bytes)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(value: u64, signed: i64, less in 0u32..64) {
            let (value, signed) = (value >> less, signed >> less);
            let mut piece = Piece::new(7);
            piece.put(value);
            piece.put_signed(signed);
            let mut bytes = &piece.bytes()[1..];
            prop_assert_eq!(get(&mut bytes), Some(value));
            prop_assert_eq!(get_signed(&mut bytes), Some(signed));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn short_and_long_way_write_the_same(value: u64, less in 0u32..64) {
            let value = value >> less;
            let (mut short, mut long) = (Piece::new(7), Piece::new(7));
            short.put(value);
            long.put_bytes(value);
            prop_assert_eq!(short.bytes(), long.bytes());
        }

        #[test]
        fn short_and_long_way_agree_on_any_bytes(bytes: Vec<u8>, more in prop::collection::vec(0x80u8.., 0..12)) {
            let bytes = [more, bytes].concat();
            let mut rest = bytes.as_slice();
            let short = get(&mut rest).map(|value| (value, rest));
            prop_assert_eq!(short, get_bytes(&bytes));
        }
    }
}
