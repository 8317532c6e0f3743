//! The head mark: how far the journal is on stable storage, kept outside of it.
//!
//! A journal that lost whole records at its end, or whole files, reads like one that ends earlier. The
//! mark tells the difference: it never names more than was synced, so a journal that is shorter has
//! lost what it once had.

use crate::disk::Folder;
use std::io;

/// Name of the mark in the state folder.
pub const FILE: &str = "journal.head";

/// How far the journal was on stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Number of the journal file.
    pub number: u32,
    /// So many bytes of it.
    pub length: u64,
}

impl Mark {
    /// The mark of a state folder; `None` if it has none, as one that was never synced.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(state: &dyn Folder) -> Result<Option<Self>, String> {
        let text = match state.read(FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let text = String::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let mut words = text.split_whitespace();
        let mark = (|| {
            let number = words.next()?.parse().ok()?;
            Some(Self { number, length: words.next()?.parse().ok()? })
        })();
        mark.filter(|mark| mark.text() == text).map(Some).ok_or_else(|| "it is damaged".to_owned())
    }

    /// Replaces the mark of a state folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(self, state: &dyn Folder) -> io::Result<()> {
        state.replace(FILE, self.text().as_bytes())
    }

    fn text(self) -> String {
        let line = format!("{} {}", self.number, self.length);
        format!("{line} {:08x}\n", crc32fast::hash(line.as_bytes()))
    }
}
