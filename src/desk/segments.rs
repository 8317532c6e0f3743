//! The files of a journal, read in order; each boot begins one. A file is cut off at its last whole
//! frame if the process died; what follows it is the next boot.

use crate::disk::{Disk, Folder};
use crate::journal::{Entry, EntryReader, FrameError, Header, Record};
use std::io::{self, Read};

/// Where the journal is in a state folder.
pub const JOURNAL: &str = "journal";

/// One file of a journal.
pub struct Segment {
    /// The file's name in the state folder.
    pub name: String,
    reader: EntryReader<Box<dyn Read + Send>>,
    /// Bytes after the last whole frame, known once the end was reached.
    pub torn: u64,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("name", &self.name).field("torn", &self.torn).finish()
    }
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or file cannot be read.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// A file is damaged.
    #[error("{0}: {1}")]
    Frame(String, FrameError),
    /// There is nothing.
    #[error("{0} holds no journal")]
    Empty(String),
}

/// Name of a journal file, in the state folder.
pub fn segment_name(number: u32) -> String {
    format!("{JOURNAL}/{number:08}.qlog")
}

/// The number in the name of a journal file or snapshot.
pub fn number(name: &str) -> Option<u32> {
    let (stem, _) = name.rsplit('/').next()?.split_once('.')?;
    stem.parse().ok()
}

/// The number of the next journal file.
///
/// # Errors
/// The folder cannot be read.
pub fn next_number(state: &dyn Folder) -> Result<u32, JournalError> {
    Ok(list(state)?.iter().filter_map(|name| number(name)).max().unwrap_or(0).saturating_add(1))
}

/// Makes a journal file; its name is on stable storage when this returns.
///
/// # Errors
/// The file is there already, or the disk refuses.
pub fn create(state: &dyn Folder, number: u32) -> io::Result<Box<dyn Disk>> {
    let name = segment_name(number);
    let file = state.create(&name)?;
    state.sync_names(&name)?;
    Ok(file)
}

/// The journal files of a state folder, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(state: &dyn Folder) -> Result<Vec<String>, JournalError> {
    let mut files =
        state.list(JOURNAL).map_err(|error| JournalError::Io(JOURNAL.to_owned(), error))?;
    files.retain(|name| name.ends_with(".qlog"));
    Ok(files)
}

/// Bytes of a file, readable or not.
///
/// # Errors
/// The folder's.
pub fn length(state: &dyn Folder, name: &str) -> Result<u64, JournalError> {
    let failed = |error| JournalError::Io(name.to_owned(), error);
    let mut file = state.open(name).map_err(failed)?;
    io::copy(&mut file, &mut io::sink()).map_err(failed)
}

impl Segment {
    /// Opens a file. A file that was cut off before its header was whole holds nothing: `None`.
    ///
    /// # Errors
    /// Damage.
    pub fn open(state: &dyn Folder, name: &str) -> Result<Option<Self>, JournalError> {
        let file = state.open(name).map_err(|error| JournalError::Io(name.to_owned(), error))?;
        match EntryReader::open(file) {
            Ok(reader) => Ok(Some(Self { name: name.to_owned(), reader, torn: 0 })),
            Err(FrameError::Torn { .. }) => Ok(None),
            Err(error) => Err(JournalError::Frame(name.to_owned(), error)),
        }
    }

    /// Its header.
    pub const fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Where the last whole frame that was read ends.
    pub const fn offset(&self) -> u64 {
        self.reader.offset()
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
        Ok(self.next_record()?.map(Record::into_entry))
    }

    /// The next entry where it stands, for long walks.
    ///
    /// # Errors
    /// As [`Self::next`].
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        match self.reader.next_record() {
            Ok(record) => Ok(record),
            Err(FrameError::Torn { torn, .. }) => {
                self.torn = torn;
                Ok(None)
            }
            Err(error) => Err(JournalError::Frame(self.name.clone(), error)),
        }
    }
}

/// Removes journal files and snapshots that no boot needs: of the journal the newest `keep` files
/// stay, and all that follow the second newest snapshot; of the snapshots those that what stays can
/// begin at. Only snapshots that a boot `can_begin` at count: what is whole, but of another build, may
/// be nothing that this one can load. Gives how many files went.
///
/// # Errors
/// The folder's; what was removed before it is gone.
pub fn prune(state: &dyn Folder, keep: u32, can_begin: impl Fn(u32) -> bool) -> io::Result<u32> {
    let mut good = super::snapshot::list(state)?;
    good.retain(|after| can_begin(*after));
    let [.., needed, _] = good.as_slice() else { return Ok(0) };
    let mut numbers: Vec<u32> = state.list(JOURNAL)?.iter().filter_map(|n| number(n)).collect();
    numbers.sort_unstable();
    let spare = numbers.len().saturating_sub(keep as usize);
    let gone: Vec<u32> =
        numbers[..spare].iter().copied().take_while(|number| number <= needed).collect();
    let Some(last) = gone.last() else { return Ok(0) };
    // What stays has to begin somewhere: at the snapshot behind the last file that goes.
    let Some(base) = good.iter().rev().find(|after| *after <= last) else { return Ok(0) };
    let mut removed = 0;
    for number in gone.iter().filter(|number| *number <= base) {
        state.remove(&segment_name(*number))?;
        removed += 1;
    }
    for after in super::snapshot::list(state)?.iter().filter(|after| *after < base) {
        state.remove(&super::snapshot::name(*after))?;
        removed += 1;
    }
    state.sync_names(&segment_name(*base))?;
    Ok(removed)
}
