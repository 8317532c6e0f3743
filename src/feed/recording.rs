//! Recorded sessions: a `.qrec` is a journal file that holds market records only.

use super::{Counts, Feed, FeedError};
use crate::journal::{Entry, EntryReader, EntryWriter, FrameError, Header, HeaderKind, Units};
use crate::msg::MarketData;
use crate::types::{InstrumentTable, Timestamp};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Payload at which a frame is written: large enough for its header not to count, small enough for
/// a damaged one to lose little.
const FRAME: usize = 64 << 10;

/// What a finished recording holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Records by kind.
    pub counts: Counts,
    /// Time of the first record.
    pub first: Option<Timestamp>,
    /// Time of the last record.
    pub last: Option<Timestamp>,
}

/// Writes a recording beside its final name and puts it there when it is whole: a reader never sees
/// half a file, and a failed import leaves none.
#[derive(Debug)]
pub struct RecordingWriter {
    entries: EntryWriter<File>,
    path: PathBuf,
    partial: PathBuf,
    written: Written,
    finished: bool,
}

impl RecordingWriter {
    /// Begins the recording that will be at `path`; until [`Self::finish`] it is `path.partial`.
    /// `units` are the steps of prices and sizes in the order of the instruments' ids; values that
    /// are no multiple are kept exactly, only less compact.
    ///
    /// # Errors
    /// The file cannot be made, or `units` does not fit `instruments`.
    pub fn create(
        path: &Path,
        instruments: InstrumentTable,
        units: Vec<Units>,
    ) -> Result<Self, FeedError> {
        if units.len() != instruments.len() || units.iter().any(|u| u.price < 1 || u.size < 1) {
            return Err(FeedError::Source("each instrument needs units above zero".into()));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let header = Header { units, ..Header::new(HeaderKind::Recording, instruments) };
        let entries = File::create(&partial)
            .and_then(|file| EntryWriter::create(file, &header))
            .map_err(|error| FeedError::io(&partial, error))?;
        let written = Written { counts: Counts::default(), first: None, last: None };
        Ok(Self { entries, path: path.to_owned(), partial, written, finished: false })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`FeedError::Backwards`] for a record older than the one before it; the disk's.
    pub fn push(&mut self, record: &MarketData) -> Result<(), FeedError> {
        let ts = record.ts();
        if let Some(before) = self.written.last
            && ts < before
        {
            let position = self.written.counts.records();
            return Err(FeedError::Backwards { position, ts, before });
        }
        self.written.first.get_or_insert(ts);
        self.written.last = Some(ts);
        self.written.counts.add(record);
        self.entries
            .push_market(ts, record)
            .and_then(
                |()| if self.entries.buffered() >= FRAME { self.entries.flush() } else { Ok(()) },
            )
            .map_err(|error| FeedError::io(&self.partial, error))
    }

    /// Writes what is left, makes it durable and gives the file its name.
    ///
    /// # Errors
    /// The disk's; then there is no file.
    pub fn finish(mut self) -> Result<Written, FeedError> {
        self.entries
            .push(&end(self.written.counts.records()))
            .and_then(|()| self.entries.flush())
            .and_then(|()| self.entries.get_mut().sync_all())
            .and_then(|()| fs::rename(&self.partial, &self.path))
            .map_err(|error| FeedError::io(&self.path, error))?;
        self.finished = true;
        Ok(self.written)
    }
}

/// The last entry of a recording. Without it a file that was cut off between two frames would pass for
/// a shorter day.
fn end(records: u64) -> Entry {
    Entry::Other(records.to_le_bytes().to_vec())
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Reads a recording record by record; the memory it takes does not depend on the file's size.
#[derive(Debug)]
pub struct Recording {
    entries: EntryReader<File>,
    path: PathBuf,
    position: u64,
}

impl Recording {
    /// Opens a recording.
    ///
    /// # Errors
    /// No such file, or not a recording.
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let file = File::open(path).map_err(|error| FeedError::io(path, error))?;
        let entries = EntryReader::open(file).map_err(|error| FeedError::recording(path, error))?;
        if entries.header().kind != HeaderKind::Recording {
            let what = "it is a journal or a ledger, not a recording";
            let error = FrameError::Damaged { offset: 8, last_seq: 0, what };
            return Err(FeedError::recording(path, error));
        }
        Ok(Self { entries, path: path.to_owned(), position: 0 })
    }

    /// The file's header: instruments and units.
    pub const fn header(&self) -> &Header {
        self.entries.header()
    }

    /// Bytes of the file read so far.
    pub const fn offset(&self) -> u64 {
        self.entries.offset()
    }

    /// Records given so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    #[cold]
    fn bad(&self, error: FrameError) -> FeedError {
        FeedError::recording(&self.path, error)
    }
}

impl Feed for Recording {
    fn instruments(&self) -> &InstrumentTable {
        &self.entries.header().instruments
    }

    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        let mut record = MarketData::NOTHING;
        Ok(self.next_into(&mut record)?.then_some(record))
    }

    #[inline]
    fn next_into(&mut self, into: &mut MarketData) -> Result<bool, FeedError> {
        match self.entries.next_market(into) {
            Ok(true) => {
                self.position += 1;
                Ok(true)
            }
            Ok(false) if self.entries.passed() == Some(&end(self.position)) => Ok(false),
            Ok(false) => {
                let (offset, last_seq) = (self.offset(), self.position);
                let what = "it ends without its end mark: what followed is missing";
                Err(self.bad(FrameError::Damaged { offset, last_seq, what }))
            }
            Err(error) => Err(self.bad(error)),
        }
    }
}

/// SHA-256 of a file's bytes, read as a stream.
///
/// # Errors
/// The disk's.
pub fn digest(path: &Path) -> Result<[u8; 32], FeedError> {
    let read = || -> io::Result<[u8; 32]> {
        let mut file = File::open(path)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; FRAME]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hash.finalize().into()),
                Ok(length) => hash.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    read().map_err(|error| FeedError::io(path, error))
}

/// A digest as people read it: 64 lower-case hexadecimal digits.
pub fn hex(digest: &[u8; 32]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
