//! The files of a journal: one for each boot, read in order. A boot is cut off at its last whole
//! frame if the process died; what follows it is the next boot.

use crate::journal::{Entry, EntryReader, FrameError, Header};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// One file of a journal.
#[derive(Debug)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    reader: EntryReader<File>,
    /// Bytes after the last whole frame, known once the end was reached.
    pub torn: u64,
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or file cannot be read.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// A file is damaged.
    #[error("{0}: {1}")]
    Frame(PathBuf, FrameError),
    /// There is nothing.
    #[error("{0} holds no journal")]
    Empty(PathBuf),
}

/// The journal files below a state folder, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(state: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let folder = state.join("journal");
    let io = |error| JournalError::Io(folder.clone(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|ending| ending == "qlog") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Segment {
    /// Opens a file. A file that was cut off before its header was whole holds nothing: `None`.
    ///
    /// # Errors
    /// Damage.
    pub fn open(path: &Path) -> Result<Option<Self>, JournalError> {
        let file = File::open(path).map_err(|error| JournalError::Io(path.to_path_buf(), error))?;
        match EntryReader::open(file) {
            Ok(reader) => Ok(Some(Self { path: path.to_path_buf(), reader, torn: 0 })),
            Err(FrameError::Torn { .. }) => Ok(None),
            Err(FrameError::NotALog) if std::fs::metadata(path).is_ok_and(|m| m.len() < 8) => {
                Ok(None)
            }
            Err(error) => Err(JournalError::Frame(path.to_path_buf(), error)),
        }
    }

    /// Its header.
    pub const fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Number of the next entry.
    pub const fn next_seq(&self) -> u64 {
        self.reader.next_seq()
    }

    /// The next entry; `None` at the end, torn or clean.
    ///
    /// # Errors
    /// Damage before the end.
    #[allow(clippy::should_implement_trait, reason = "it fails, and borrows nothing to iterate")]
    pub fn next(&mut self) -> Result<Option<Entry>, JournalError> {
        match self.reader.next() {
            Ok(entry) => Ok(entry),
            Err(FrameError::Torn { torn, .. }) => {
                self.torn = torn;
                Ok(None)
            }
            Err(error) => Err(JournalError::Frame(self.path.clone(), error)),
        }
    }
}
