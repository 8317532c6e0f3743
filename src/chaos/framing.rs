//! Cuts a byte stream into the pieces that faults befall.

use crate::journal::frame::{self, Frame, Parsed};
use std::str::FromStr;

/// How a proxy finds the pieces of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// What one read gave.
    #[default]
    None,
    /// Lines, each with its line feed.
    Lines,
    /// Frames of the sandbox venue's protocol.
    Sandbox,
}

impl FromStr for Framing {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "lines" => Ok(Self::Lines),
            "sandbox" => Ok(Self::Sandbox),
            _ => Err(format!("`{text}` is no framing: none, lines or sandbox")),
        }
    }
}

/// A line that is longer is no line.
const LONGEST_LINE: usize = 1 << 20;

/// One direction of one connection.
#[derive(Debug)]
pub struct Cutter {
    framing: Framing,
    buffer: Vec<u8>,
    frame: Frame,
}

impl Cutter {
    /// A cutter at the start of a stream.
    pub fn new(framing: Framing) -> Self {
        Self { framing, buffer: Vec::new(), frame: Frame::default() }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole piece. A stream that does not have the framing goes on in pieces as they come.
    pub fn next_piece(&mut self) -> Option<Vec<u8>> {
        if self.buffer.is_empty() {
            return None;
        }
        let length = match self.framing {
            Framing::None => Some(self.buffer.len()),
            Framing::Lines => match self.buffer.iter().position(|&byte| byte == b'\n') {
                Some(at) => Some(at + 1),
                None if self.buffer.len() > LONGEST_LINE => self.give_up(),
                None => None,
            },
            Framing::Sandbox => match frame::parse(&self.buffer, &mut self.frame) {
                Parsed::Whole(length) => Some(length),
                Parsed::Partial => None,
                Parsed::Damaged(_) => self.give_up(),
            },
        }?;
        Some(self.buffer.drain(..length).collect())
    }

    fn give_up(&mut self) -> Option<usize> {
        self.framing = Framing::None;
        Some(self.buffer.len())
    }

    /// What is left at the end of the stream.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::wire::{self, ClientMessage};

    fn cut(framing: Framing, bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(framing);
        let mut pieces = Vec::new();
        for some in bytes.chunks(step) {
            cutter.push(some);
            pieces.extend(std::iter::from_fn(|| cutter.next_piece()));
        }
        pieces.push(cutter.rest());
        pieces
    }

    #[test]
    fn pieces_do_not_depend_on_reads_and_nothing_is_lost() {
        let mut frames = Vec::new();
        for id in 0..5 {
            let ask = ClientMessage::SnapshotRequest { id, since: 0 };
            wire::encode(&ask, &mut frames).unwrap();
        }
        let lines = b"one\n\ntwo\nthree".to_vec();
        for (framing, bytes, count) in [(Framing::Sandbox, &frames, 5), (Framing::Lines, &lines, 3)]
        {
            let whole = cut(framing, bytes, bytes.len());
            assert_eq!(whole.len(), count + 1, "{framing:?}");
            for step in 1..bytes.len() {
                assert_eq!(cut(framing, bytes, step), whole, "{framing:?} in steps of {step}");
            }
            assert_eq!(&whole.concat(), bytes);
        }
    }

    #[test]
    fn a_stream_without_the_framing_passes() {
        let bytes = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        assert_eq!(cut(Framing::Sandbox, &bytes, 7).concat(), bytes);
        let long = vec![b'x'; LONGEST_LINE + 10];
        assert_eq!(cut(Framing::Lines, &long, 4_096).concat(), long);
    }
}
