//! The state folder: who this gateway is, which boot this is, and that nobody else is it.

use crate::kill::Latch;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An open state folder; the lock goes with it.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// Random tag of this folder: part of every client order id.
    pub instance: u32,
    /// Number of this boot, on stable storage before anything is sent.
    pub epoch: u32,
    /// The folder was new.
    pub first_run: bool,
    _lock: File,
}

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

/// Replaces a small file as a whole, on stable storage when this returns.
///
/// # Errors
/// The disk's.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn read_number(path: &Path) -> Result<Option<u32>, StateError> {
    match fs::read_to_string(path) {
        Ok(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| StateError::Damaged(path.to_path_buf(), "not a number")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::Io(path.to_path_buf(), error)),
    }
}

/// The random tag of a state folder that another process may hold.
///
/// # Errors
/// There is no tag, or it cannot be read.
pub fn instance_of(path: &Path) -> Result<u32, StateError> {
    let file = path.join("instance");
    read_number(&file)?.ok_or(StateError::Damaged(file, "missing: no gateway has run here"))
}

impl StateFolder {
    /// Opens or makes the folder, takes its lock and counts the boot.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |error| StateError::Io(path.to_path_buf(), error);
        fs::create_dir_all(path.join("journal")).map_err(io)?;
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
        let (instance_file, epoch_file) = (path.join("instance"), path.join("epoch"));
        let (known, before) = (read_number(&instance_file)?, read_number(&epoch_file)?);
        let first_run = known.is_none();
        let instance = match known {
            Some(instance) => instance,
            None => {
                let mut tag = [0; 4];
                getrandom::fill(&mut tag).map_err(|error| io(io::Error::other(error)))?;
                // Zero stands for replays, which have no folder.
                u32::from_le_bytes(tag).max(1)
            }
        };
        let epoch = match before {
            Some(epoch) => epoch
                .checked_add(1)
                .ok_or(StateError::Damaged(epoch_file.clone(), "no boot number is left"))?,
            None if first_run => 1,
            // The tag is known but the count is lost: a new tag would hide it, an old count would
            // use ids twice.
            None => return Err(StateError::Damaged(epoch_file, "missing")),
        };
        replace_file(&epoch_file, epoch.to_string().as_bytes()).map_err(io)?;
        if first_run {
            // The tag comes last: a folder without it is new, however far a first boot came.
            Latch::open(path, true).map_err(|error| io(io::Error::other(error)))?;
            replace_file(&instance_file, instance.to_string().as_bytes()).map_err(io)?;
        }
        Ok(Self { path: path.to_path_buf(), instance, epoch, first_run, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The journal file of this boot.
    pub fn segment(&self) -> PathBuf {
        self.journal().join(segment_name(self.epoch))
    }
}

/// Name of the journal file of a boot.
pub fn segment_name(epoch: u32) -> String {
    format!("{epoch:08}.qlog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_count_and_one_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateFolder::open(dir.path()).unwrap();
        assert!(first.first_run && first.epoch == 1);
        assert!(matches!(StateFolder::open(dir.path()), Err(StateError::Locked(_))));
        let instance = first.instance;
        drop(first);
        let second = StateFolder::open(dir.path()).unwrap();
        assert_eq!((second.instance, second.epoch, second.first_run), (instance, 2, false));
        drop(second);
        // A first boot that was killed before the tag was written is still a first boot.
        fs::remove_file(dir.path().join("instance")).unwrap();
        let again = StateFolder::open(dir.path()).unwrap();
        assert_eq!((again.epoch, again.first_run), (3, true));
        drop(again);
        fs::remove_file(dir.path().join("epoch")).unwrap();
        assert!(matches!(StateFolder::open(dir.path()), Err(StateError::Damaged(..))));
    }
}
