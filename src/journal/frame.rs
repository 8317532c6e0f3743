//! Frames: checksummed blocks of entries.
//!
//! ```text
//! file   = "QTOSLOG1" frame*
//! frame  = magic u32 | length u32 | seq u64 | count u32 | crc32 u32 | payload[length]
//! ```
//! All little-endian. `seq` numbers the first entry of the frame, `count` says how many there are,
//! and the next frame's `seq` must be `seq + count`: a lost frame is noticed, not skipped. The
//! checksum (CRC-32, IEEE) covers the header before it and the payload.

use std::io::{self, Read, Write};

/// First bytes of every file.
pub const FILE_MAGIC: &[u8; 8] = b"QTOSLOG1";
const MAGIC: u32 = 0x3146_5451;
const HEADER: usize = 24;
/// Largest payload; a longer length is damage, not data.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// One block of entries whose checksum was right.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Number of the first entry.
    pub seq: u64,
    /// How many entries.
    pub count: u32,
    /// Their bytes.
    pub payload: Vec<u8>,
}

/// What is wrong with a file of frames.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The operating system could not read or write.
    #[error("input/output: {0}")]
    Io(#[from] io::Error),
    /// It is not a file of ours.
    #[error("not a recording or journal: the first eight bytes are not QTOSLOG1")]
    NotALog,
    /// The file ends inside a frame and nothing valid follows: a torn write.
    #[error("torn tail: {torn} bytes after offset {offset} are not a whole frame")]
    Torn {
        /// Where the last whole frame ends.
        offset: u64,
        /// Bytes after it.
        torn: u64,
    },
    /// Damage before the end.
    #[error("damaged frame at offset {offset} (after entry {last_seq}): {what}")]
    Damaged {
        /// Where the frame begins.
        offset: u64,
        /// The last good entry.
        last_seq: u64,
        /// What does not fit.
        what: &'static str,
    },
}

/// Encodes one frame onto `out`.
pub fn encode(seq: u64, count: u32, payload: &[u8], out: &mut Vec<u8>) {
    let start = begin(out);
    out.extend_from_slice(payload);
    seal(seq, count, out, start);
}

/// Leaves room for a frame's header at the end of `out`; the payload is to be appended next. Returns
/// where the frame begins, for [`seal`].
pub fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    start
}

/// Writes the header of the frame that [`begin`] began at `start` and whose payload is the rest of
/// `out`.
pub fn seal(seq: u64, count: u32, out: &mut [u8], start: usize) {
    let Some((header, payload)) = out[start..].split_at_mut_checked(HEADER) else {
        return;
    };
    header[..4].copy_from_slice(&MAGIC.to_le_bytes());
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..16].copy_from_slice(&seq.to_le_bytes());
    header[16..20].copy_from_slice(&count.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..20]);
    crc.update(payload);
    header[20..].copy_from_slice(&crc.finalize().to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// What the front of a byte buffer holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole frame of this many bytes; its parts are written to the frame passed in.
    Whole(usize),
    /// The start of a frame; more bytes are needed.
    Partial,
    /// Not a frame.
    Damaged(&'static str),
}

/// Looks at the front of `bytes`: the sans-IO way in, for sockets and files alike.
pub fn parse(bytes: &[u8], frame: &mut Frame) -> Parsed {
    if bytes.len() < HEADER {
        let known = bytes.len().min(4);
        return if bytes[..known] == MAGIC.to_le_bytes()[..known] {
            Parsed::Partial
        } else {
            Parsed::Damaged("no frame begins here")
        };
    }
    if u32_at(bytes, 0) != MAGIC {
        return Parsed::Damaged("no frame begins here");
    }
    let length = u32_at(bytes, 4) as usize;
    if length > MAX_PAYLOAD {
        return Parsed::Damaged("length over 16 MiB");
    }
    let Some(payload) = bytes.get(HEADER..HEADER + length) else {
        return Parsed::Partial;
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..HEADER - 4]);
    crc.update(payload);
    if crc.finalize() != u32_at(bytes, 20) {
        return Parsed::Damaged("checksum");
    }
    frame.seq = u64_at(bytes, 8);
    frame.count = u32_at(bytes, 16);
    frame.payload.clear();
    frame.payload.extend_from_slice(payload);
    Parsed::Whole(HEADER + length)
}

/// Writes frames to a stream, numbering their entries. One frame is open at any time; it is built in
/// the buffer that is written, behind those that are sealed.
#[derive(Debug)]
pub struct FrameWriter<W> {
    to: W,
    next_seq: u64,
    buffer: Vec<u8>,
    /// Where the open frame begins.
    open: usize,
}

impl<W: Write> FrameWriter<W> {
    /// Begins a new file: writes the file magic.
    ///
    /// # Errors
    /// The stream's.
    pub fn create(mut to: W) -> io::Result<Self> {
        to.write_all(FILE_MAGIC)?;
        Ok(Self::resume(to, 0))
    }

    /// Goes on after entry `next_seq - 1` of a file that stands at its end.
    pub fn resume(to: W, next_seq: u64) -> Self {
        let mut buffer = Vec::with_capacity(1 << 16);
        let open = begin(&mut buffer);
        Self { to, next_seq, buffer, open }
    }

    /// Where the payload of the open frame is appended.
    #[inline]
    pub const fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Bytes in the open frame's payload.
    #[inline]
    pub const fn open_bytes(&self) -> usize {
        self.buffer.len() - self.open - HEADER
    }

    /// Bytes that wait for [`Self::flush`], but for the header of the open frame.
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - HEADER
    }

    /// Seals the open frame, which holds `count` entries, and begins the next.
    pub fn seal(&mut self, count: u32) {
        seal(self.next_seq, count, &mut self.buffer, self.open);
        self.next_seq += u64::from(count);
        self.open = begin(&mut self.buffer);
    }

    /// Writes the sealed frames in one `write_all`.
    ///
    /// # Errors
    /// The stream's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.buffer[..self.open])?;
        self.buffer.drain(..self.open);
        self.open = 0;
        Ok(())
    }

    /// Number of the next entry.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Goes on in another stream, which stands at its end after entry `next_seq - 1`; gives this one
    /// back. What was not flushed goes to the other.
    pub const fn go_on(&mut self, to: W, next_seq: u64) -> W {
        self.next_seq = next_seq;
        std::mem::replace(&mut self.to, to)
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.to
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> W {
        self.to
    }
}

/// Reads frames from a stream, one at a time.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    offset: u64,
    next_seq: u64,
    ended: bool,
}

impl<R: Read> FrameReader<R> {
    /// Opens a stream at its beginning.
    ///
    /// # Errors
    /// [`FrameError::NotALog`] where the first eight bytes are not ours, [`FrameError::Torn`] where
    /// there are less; the stream's own.
    pub fn open(mut from: R) -> Result<Self, FrameError> {
        let mut magic = Vec::with_capacity(FILE_MAGIC.len());
        from.by_ref().take(FILE_MAGIC.len() as u64).read_to_end(&mut magic)?;
        if !FILE_MAGIC.starts_with(&magic) {
            return Err(FrameError::NotALog);
        }
        if magic.len() < FILE_MAGIC.len() {
            return Err(FrameError::Torn { offset: 0, torn: magic.len() as u64 });
        }
        Ok(Self { from, buffer: Vec::new(), start: 0, offset: 8, next_seq: 0, ended: false })
    }

    /// File offset after the last whole frame.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of the entry after the last whole frame.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The next frame into `frame`; `false` at a clean end.
    ///
    /// # Errors
    /// [`FrameError::Torn`] at an unclean end, [`FrameError::Damaged`] for damage before it.
    pub fn next(&mut self, frame: &mut Frame) -> Result<bool, FrameError> {
        loop {
            let bytes = &self.buffer[self.start..];
            if bytes.is_empty() && self.ended {
                return Ok(false);
            }
            match if bytes.is_empty() { Parsed::Partial } else { parse(bytes, frame) } {
                Parsed::Whole(length) => {
                    if frame.seq != self.next_seq {
                        return Err(self.damaged("entries before this frame are missing"));
                    }
                    self.start += length;
                    self.offset += length as u64;
                    self.next_seq += u64::from(frame.count);
                    return Ok(true);
                }
                Parsed::Partial if !self.ended => self.fill()?,
                Parsed::Partial => return Err(self.at_bad_bytes("the frame is cut off")?),
                Parsed::Damaged(what) => return Err(self.at_bad_bytes(what)?),
            }
        }
    }

    fn fill(&mut self) -> Result<(), FrameError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let before = self.buffer.len();
        let wanted = before.max(1 << 17);
        self.buffer.resize(before + wanted, 0);
        let mut got = 0;
        while got < wanted {
            match self.from.read(&mut self.buffer[before + got..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.buffer.truncate(before + got);
        Ok(())
    }

    /// Bad bytes are a torn tail only if no whole frame follows anywhere behind them. The search
    /// drops what it has passed, so it never holds much more than one frame.
    fn at_bad_bytes(&mut self, what: &'static str) -> Result<FrameError, FrameError> {
        let (mut probe, mut passed, mut skip) = (Frame::default(), 0, 1);
        loop {
            // To the next place where a frame could begin; its magic may be cut by the buffer's end.
            let rest = &self.buffer[self.start + skip..];
            let magic = rest.windows(4).position(|four| four == MAGIC.to_le_bytes());
            skip += magic.unwrap_or(rest.len().saturating_sub(3));
            self.start += skip;
            passed += skip as u64;
            let rest = &self.buffer[self.start..];
            if rest.is_empty() && self.ended {
                return Ok(FrameError::Torn { offset: self.offset, torn: passed });
            }
            skip = 1;
            match parse(rest, &mut probe) {
                Parsed::Whole(_) => return Ok(self.damaged(what)),
                Parsed::Partial if !self.ended => {
                    self.fill()?;
                    skip = 0;
                }
                Parsed::Partial | Parsed::Damaged(_) => {}
            }
        }
    }

    fn damaged(&self, what: &'static str) -> FrameError {
        FrameError::Damaged { offset: self.offset, last_seq: self.next_seq.saturating_sub(1), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut writer = FrameWriter::create(Vec::new()).unwrap();
        for payload in payloads {
            writer.payload().extend_from_slice(payload);
            writer.seal(1);
        }
        writer.flush().unwrap();
        writer.into_inner()
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let mut all = Vec::new();
        let mut reader = match FrameReader::open(bytes) {
            Ok(reader) => reader,
            Err(error) => return (all, Some(error)),
        };
        let mut frame = Frame::default();
        loop {
            match reader.next(&mut frame) {
                Ok(true) => all.push(frame.payload.clone()),
                Ok(false) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn every_cut_gives_an_exact_prefix_and_says_so() {
        let payloads: [&[u8]; 3] = [b"one", b"", b"three of them"];
        let whole = file(&payloads);
        let ends: Vec<usize> = (0..=3).map(|n| file(&payloads[..n]).len()).collect();
        for cut in 0..whole.len() {
            let (read, error) = read(&whole[..cut]);
            let expected = ends.iter().filter(|&&end| end <= cut).count().saturating_sub(1);
            assert_eq!(read, payloads[..expected].iter().map(|p| p.to_vec()).collect::<Vec<_>>());
            match error {
                None => assert!(ends.contains(&cut)),
                Some(FrameError::NotALog) => assert!(cut < 8),
                Some(FrameError::Torn { offset, torn }) => assert_eq!(offset + torn, cut as u64),
                Some(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }

    #[test]
    fn every_bit_flip_is_reported() {
        let whole = file(&[b"one", b"two", b"three"]);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (read, error) = read(&bytes);
            assert!(error.is_some(), "flip of bit {bit} went unnoticed");
            assert!(read.len() < 3);
            if bit / 8 < file(&[b"one", b"two"]).len() && bit >= 64 {
                assert!(matches!(error, Some(FrameError::Damaged { .. })), "bit {bit}: {error:?}");
            }
        }
    }

    /// A reader that gives one byte at a time makes every buffer end in every place.
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(1).min(buffer.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    #[test]
    fn far_behind_damage_the_next_frame_is_found_and_a_long_tail_is_counted() {
        let first = file(&[b"one"]);
        for junk in [(1 << 20) - first.len() - 2, 3 << 20] {
            let tail = vec![0x51; junk];
            let second = &file(&[b"one", b"two"])[first.len()..];
            for from in [[&first[..], &tail, second].concat(), [&first[..], &tail].concat()] {
                let mut reader = FrameReader::open(Slow(&from)).unwrap();
                let mut frame = Frame::default();
                assert!(reader.next(&mut frame).unwrap());
                match reader.next(&mut frame) {
                    Err(FrameError::Damaged { .. }) => assert!(from.len() > first.len() + junk),
                    Err(FrameError::Torn { torn, .. }) => assert_eq!(torn, junk as u64),
                    other => panic!("{other:?}"),
                }
                assert!(reader.buffer.len() <= 2 << 20, "the search holds a window only");
            }
        }
    }

    #[test]
    fn a_missing_frame_is_noticed() {
        let whole = file(&[b"one", b"two", b"three"]);
        let (first, second) = (file(&[b"one"]).len(), file(&[b"one", b"two"]).len());
        let lost = [&whole[..first], &whole[second..]].concat();
        let (read, error) = read(&lost);
        assert_eq!(read.len(), 1);
        assert!(matches!(error, Some(FrameError::Damaged { .. })));
    }
}
