//! Frames of a data stream as they came: what `qtos record` keeps beside the recording, so that the
//! venue's own words can be read again.
//!
//! A line of JSON (encoding, symbols, instruments), then for each frame: local time of receipt in
//! nanoseconds (8 bytes), length (4), CRC-32 of time, length and frame (4), the frame. Numbers are
//! little-endian. A frame that is cut off at the end is what a kill leaves behind.

use super::FeedError;
use super::alpaca::{Encoding, Symbols};
use crate::types::{InstrumentId, InstrumentTable, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const FORMAT: &str = "qtos-frames 1";
/// What every file begins with.
const BEGIN: &[u8] = br#"{"format":"qtos-frames "#;
/// A longer frame is damage.
const MAX_FRAME: u32 = 64 << 20;
const MAX_HEADER: u64 = 16 << 20;
const HEAD: usize = 16;

/// What the frames of a file are to be read with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FramesHeader {
    format: String,
    msgpack: bool,
    symbols: Vec<(String, InstrumentId)>,
    /// The instruments of the gateway that took the frames.
    pub instruments: InstrumentTable,
}

impl FramesHeader {
    /// Of a stream with these symbols.
    pub fn new(encoding: Encoding, symbols: &Symbols, instruments: InstrumentTable) -> Self {
        let msgpack = encoding == Encoding::Msgpack;
        Self { format: FORMAT.to_owned(), msgpack, symbols: symbols.names().to_vec(), instruments }
    }

    /// How the frames are written.
    pub const fn encoding(&self) -> Encoding {
        if self.msgpack { Encoding::Msgpack } else { Encoding::Json }
    }

    /// The stream's symbols.
    ///
    /// # Errors
    /// A header that no writer here makes.
    pub fn symbols(&self) -> Result<Symbols, String> {
        if self.symbols.iter().any(|(_, id)| id.index() >= self.instruments.len()) {
            return Err("a symbol without an instrument".to_owned());
        }
        Symbols::new(self.symbols.clone())
    }
}

/// Writes a file of frames.
#[derive(Debug)]
pub struct FrameWriter {
    file: BufWriter<File>,
    path: PathBuf,
    frames: u64,
}

impl FrameWriter {
    /// Begins a file that is not there yet.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(path: &Path, header: &FramesHeader) -> Result<Self, FeedError> {
        let make = || {
            let file = File::create_new(path)?;
            let mut file = BufWriter::with_capacity(1 << 16, file);
            serde_json::to_writer(&mut file, header)?;
            file.write_all(b"\n")?;
            Ok(file)
        };
        let file = make().map_err(|error: io::Error| FeedError::io(path, error))?;
        Ok(Self { file, path: path.to_owned(), frames: 0 })
    }

    /// Adds a frame that came at `at`.
    ///
    /// # Errors
    /// The disk's, or a frame of more than 64 MiB.
    pub fn push(&mut self, at: Timestamp, frame: &[u8]) -> Result<(), FeedError> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        if length > MAX_FRAME {
            return Err(FeedError::Source(format!("a frame of {length} bytes")));
        }
        let (time, length) = (at.nanos().to_le_bytes(), length.to_le_bytes());
        let sum = checksum(&time, &length, frame).to_le_bytes();
        self.frames += 1;
        [&time[..], &length, &sum, frame]
            .into_iter()
            .try_for_each(|part| self.file.write_all(part))
            .map_err(|error| FeedError::io(&self.path, error))
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// The disk's.
    pub fn flush(&mut self) -> Result<(), FeedError> {
        self.file.flush().map_err(|error| FeedError::io(&self.path, error))
    }

    /// Makes it durable, and says how many frames there are.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> Result<u64, FeedError> {
        self.flush()?;
        self.file.get_ref().sync_all().map_err(|error| FeedError::io(&self.path, error))?;
        Ok(self.frames)
    }
}

fn checksum(time: &[u8], length: &[u8], frame: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    [time, length, frame].into_iter().for_each(|part| hash.update(part));
    hash.finalize()
}

/// Reads a file of frames.
#[derive(Debug)]
pub struct FrameReader {
    file: BufReader<File>,
    path: PathBuf,
    header: FramesHeader,
    frames: u64,
    read: u64,
    frame: Vec<u8>,
}

impl FrameReader {
    /// Whether the file begins as one of frames does.
    pub fn is_one(path: &Path) -> bool {
        let mut begin = [0; BEGIN.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
        read.is_ok() && begin == BEGIN
    }

    /// Opens a file.
    ///
    /// # Errors
    /// The disk's, or it is none of frames.
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let file = File::open(path).map_err(|error| FeedError::io(path, error))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        let read = (&mut file).take(MAX_HEADER).read_until(b'\n', &mut line);
        read.map_err(|error| FeedError::io(path, error))?;
        let wrong = |what: &dyn std::fmt::Display| {
            FeedError::Source(format!("{}: no file of frames: {what}", path.display()))
        };
        let header: FramesHeader = serde_json::from_slice(&line).map_err(|error| wrong(&error))?;
        if header.format != FORMAT {
            return Err(wrong(&header.format));
        }
        let (path, read) = (path.to_owned(), line.len() as u64);
        Ok(Self { file, path, header, frames: 0, read, frame: Vec::new() })
    }

    /// What the frames are to be read with.
    pub const fn header(&self) -> &FramesHeader {
        &self.header
    }

    /// Bytes read so far.
    pub const fn offset(&self) -> u64 {
        self.read
    }

    /// An error about the frame that was read last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> FeedError {
        FeedError::Source(format!("{}, frame {}: {what}", self.path.display(), self.frames))
    }

    /// The next whole frame; `None` at the end, also where it is cut off.
    ///
    /// # Errors
    /// The disk's, or damage: which frame.
    pub fn next_frame(&mut self) -> Result<Option<(Timestamp, &[u8])>, FeedError> {
        let mut head = [0; HEAD];
        if !fill(&mut self.file, &mut head).map_err(|error| FeedError::io(&self.path, error))? {
            return Ok(None);
        }
        let (time, rest) = head.split_at(8);
        let (length, sum) = rest.split_at(4);
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, &b| (n << 8) | u64::from(b));
        self.frames += 1;
        if number(length) > u64::from(MAX_FRAME) {
            return Err(self.wrong("damaged: its length is too large"));
        }
        self.frame.resize(number(length) as usize, 0);
        let whole = fill(&mut self.file, &mut self.frame);
        if !whole.map_err(|error| FeedError::io(&self.path, error))? {
            return Ok(None);
        }
        if u64::from(checksum(time, length, &self.frame)) != number(sum) {
            return Err(self.wrong("damaged: its checksum does not fit"));
        }
        self.read += (HEAD + self.frame.len()) as u64;
        Ok(Some((Timestamp::from_nanos(number(time)), &self.frame)))
    }
}

/// Fills `into`; `false` at the end of the file, or where it ends within.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_torn_tails_end_it_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.frames");
        let symbols = Symbols::new(Vec::new()).unwrap();
        let header = FramesHeader::new(Encoding::Msgpack, &symbols, InstrumentTable::default());
        let mut writer = FrameWriter::create(&path, &header).unwrap();
        for at in 1..=3u64 {
            writer.push(Timestamp::from_nanos(at), &vec![at as u8; at as usize * 10]).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 3);
        assert!(FrameWriter::create(&path, &header).is_err(), "nothing is written over");
        assert!(FrameReader::is_one(&path));
        let all = |path: &Path| {
            let mut reader = FrameReader::open(path).unwrap();
            let mut found = Vec::new();
            loop {
                match reader.next_frame() {
                    Ok(Some((at, frame))) => found.push((at.nanos(), frame.len())),
                    Ok(None) => return Ok(found),
                    Err(error) => return Err(error.to_string()),
                }
            }
        };
        assert_eq!(all(&path), Ok(vec![(1, 10), (2, 20), (3, 30)]));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(all(&path), Ok(vec![(1, 10), (2, 20)]));
        let mut bad = bytes;
        let at = bad.len() - 40;
        bad[at - 10] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let error = all(&path).unwrap_err();
        assert!(error.contains("frame 2"), "{error}");
    }
}
