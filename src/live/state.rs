//! The state folder: who this gateway is, which boot this is, and that nobody else is it.

use crate::desk::backup::INSTANCE;
use crate::desk::segments::JOURNAL;
use crate::disk::{Folder, OsFolder};
use crate::kill::Latch;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open state folder; the lock goes with it.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// The same, for those that need no path.
    pub disk: Arc<dyn Folder>,
    /// Who this gateway is.
    pub identity: Identity,
    _lock: File,
}

/// What makes the ids of a boot its own (INV-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Random tag of the state folder: part of every client order id.
    pub instance: u32,
    /// Number of the boot, on stable storage before anything is sent.
    pub epoch: u32,
    /// The folder was new.
    pub first_run: bool,
}

const EPOCH: &str = "epoch";
/// The last boot that ended with nothing left to cancel.
const ENDED: &str = "ended";

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has it.
    #[error("state folder {0} is in use by another gateway")]
    Locked(PathBuf),
    /// Its content is not what this program writes.
    #[error("{0}: {1}")]
    Damaged(PathBuf, &'static str),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

fn read_number(disk: &dyn Folder, name: &str) -> Result<Option<u32>, StateError> {
    let damaged = || StateError::Damaged(name.into(), "not a number");
    match disk.read(name) {
        Ok(text) => {
            let text = String::from_utf8(text).map_err(|_| damaged())?;
            text.trim().parse().map(Some).map_err(|_| damaged())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::Io(name.into(), error)),
    }
}

impl Identity {
    /// Counts a boot. `tag` is a random number, used by a folder that has none yet.
    ///
    /// # Errors
    /// A file of the folder is not what it was, or the disk refuses.
    pub fn count(disk: &Arc<dyn Folder>, tag: u32) -> Result<Self, StateError> {
        let replace = |name: &str, number: u32| {
            let written = disk.replace(name, number.to_string().as_bytes());
            written.map_err(|error| StateError::Io(name.into(), error))
        };
        let known = read_number(disk.as_ref(), INSTANCE)?;
        let before = read_number(disk.as_ref(), EPOCH)?;
        let epoch = match before {
            Some(epoch) => epoch
                .checked_add(1)
                .ok_or(StateError::Damaged(EPOCH.into(), "no boot number is left"))?,
            None if known.is_none() => 1,
            // The tag is known but the count is lost: a new tag would hide it, an old count would
            // use ids twice.
            None => return Err(StateError::Damaged(EPOCH.into(), "missing")),
        };
        replace(EPOCH, epoch)?;
        // Zero stands for replays, which have no folder.
        let instance = known.unwrap_or(tag.max(1));
        if known.is_none() {
            // The tag comes last: a folder without it is new, however far a first boot came.
            Latch::open(disk, true)
                .map_err(|error| StateError::Io("kill.json".into(), io::Error::other(error)))?;
            replace(INSTANCE, instance)?;
        }
        Ok(Self { instance, epoch, first_run: known.is_none() })
    }
}

/// The random tag of a state folder that another process may hold.
///
/// # Errors
/// There is no tag, or it cannot be read.
pub fn instance_of(path: &Path) -> Result<u32, StateError> {
    let missing = StateError::Damaged(path.join(INSTANCE), "missing: no gateway has run here");
    read_number(&OsFolder::new(path), INSTANCE)?.ok_or(missing)
}

/// The last boot of a state folder that ended with no order open, if any did.
///
/// # Errors
/// The file is damaged or cannot be read.
pub fn last_clean_end(path: &Path) -> Result<Option<u32>, StateError> {
    read_number(&OsFolder::new(path), ENDED)
}

impl StateFolder {
    /// Opens or makes the folder, takes its lock and counts the boot.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |error| StateError::Io(path.to_path_buf(), error);
        fs::create_dir_all(path.join(JOURNAL)).map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StateError::Locked(path.to_path_buf()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        let mut tag = [0; 4];
        getrandom::fill(&mut tag).map_err(|error| io(io::Error::other(error)))?;
        let disk: Arc<dyn Folder> = Arc::new(OsFolder::new(path));
        let identity = Identity::count(&disk, u32::from_le_bytes(tag))?;
        Ok(Self { path: path.to_path_buf(), disk, identity, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that this boot ended with no order open: nobody has to cancel anything for it.
    ///
    /// # Errors
    /// The disk's.
    pub fn note_clean_end(&self) -> io::Result<()> {
        self.disk.replace(ENDED, self.identity.epoch.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_count_and_one_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateFolder::open(dir.path()).unwrap();
        assert!(first.identity.first_run && first.identity.epoch == 1);
        assert!(matches!(StateFolder::open(dir.path()), Err(StateError::Locked(_))));
        let instance = first.identity.instance;
        drop(first);
        let second = StateFolder::open(dir.path()).unwrap();
        assert_eq!(second.identity, Identity { instance, epoch: 2, first_run: false });
        assert_eq!(last_clean_end(dir.path()).unwrap(), None);
        second.note_clean_end().unwrap();
        drop(second);
        assert_eq!(last_clean_end(dir.path()).unwrap(), Some(2));
        // A first boot that was killed before the tag was written is still a first boot.
        fs::remove_file(dir.path().join("instance")).unwrap();
        let again = StateFolder::open(dir.path()).unwrap();
        assert_eq!((again.identity.epoch, again.identity.first_run), (3, true));
        drop(again);
        fs::remove_file(dir.path().join("epoch")).unwrap();
        assert!(matches!(StateFolder::open(dir.path()), Err(StateError::Damaged(..))));
    }
}
