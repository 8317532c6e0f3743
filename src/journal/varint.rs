//! Variable-length integers: seven bits a byte, low bits first; signed ones zig-zag.

/// Appends `value`.
#[inline]
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed `value`; small sizes of either sign stay short.
#[inline]
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads from the front of `bytes`; `None` if they end early or say more than 64 bits.
#[inline]
pub fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    let mut shift = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value);
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
        fn round_trips(value: u64, signed: i64) {
            let mut out = Vec::new();
            put(&mut out, value);
            put_signed(&mut out, signed);
            let mut bytes = out.as_slice();
            prop_assert_eq!(get(&mut bytes), Some(value));
            prop_assert_eq!(get_signed(&mut bytes), Some(signed));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn any_bytes_are_a_value_or_none(bytes: Vec<u8>) {
            let _ = get(&mut bytes.as_slice());
        }
    }
}
