//! What targets share.

use qtos_gateway::journal::frame;

/// Takes bytes off an input one by one; zero when it is at its end.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Mostly small, sometimes as large as it can be.
    pub fn number(&mut self) -> i64 {
        match self.byte() {
            255 => i64::MAX,
            254 => i64::MIN,
            253 => -1,
            252 => i64::MAX / 2,
            251 => 1_000_000_000,
            250 => i64::from(self.byte()) << self.below(56),
            small => i64::from(small % 32),
        }
    }
}

/// Text of an input: what is not UTF-8 is replaced, so that text decoders are reached more often.
pub fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// An input for a decoder behind a checksum, which a blind change never passes. Odd first byte: the rest
/// as it is. Even: the rest is a list of payloads, and here are frames with checksums that are right.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let Some((kind, rest)) = data.split_first() else { return Vec::new() };
    if kind % 2 == 1 {
        return rest.to_vec();
    }
    let (mut out, mut seq) = (Vec::new(), 0u64);
    for (count, payload) in parts(rest) {
        frame::encode(seq, u32::from(count), payload, &mut out);
        seq += u64::from(count);
    }
    out
}

/// The payloads of [`framed`]: count, length in two bytes, bytes; the last one may be cut off.
fn parts(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut parts = Vec::new();
    while let [count, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (payload, next) = tail.split_at(length);
        parts.push((*count, payload));
        rest = next;
    }
    parts
}

/// Input for [`framed`] of these payloads, each with its number of entries.
pub fn payloads(list: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0];
    for (count, payload) in list {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        out.push(*count);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&payload[..usize::from(length)]);
    }
    out
}

/// Input for [`framed`] of frames as they are, and of their payloads.
pub fn both(frames: &[u8]) -> [Vec<u8>; 2] {
    let (mut list, mut at) = (Vec::new(), 0);
    let mut one = frame::Frame::default();
    while let frame::Parsed::Whole(length) = frame::parse(&frames[at..], &mut one) {
        list.push((one.count as u8, one.payload.clone()));
        at += length;
    }
    [[&[1], frames].concat(), payloads(&list)]
}
