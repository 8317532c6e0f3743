//! A state folder in one file, and back.
//!
//! The copy is taken while the gateway runs: files of a state folder are either replaced as a whole or
//! only grow, and what names the end of the journal is read before the journal. What was written
//! meanwhile is in it or not, as after a crash at that moment.

use super::segments::JOURNAL;
use super::snapshot;
use crate::actors::saved::{put, take};
use crate::disk::Folder;
use crate::journal::frame::Frame;
use crate::journal::{FrameError, FrameReader, FrameWriter};
use crate::kill::{Latch, LatchError};
use crate::types::{KillLevel, Timestamp};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// The random tag of a state folder.
pub const INSTANCE: &str = "instance";
/// What belongs to a running process, or is not whole.
const LEFT_OUT: &[&str] = &["lock", "control.json", "control.token", "KILL"];
const CHUNK: usize = 1 << 20;

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The file is no backup, or not all of it.
    #[error("the backup cannot be read: {0}")]
    Damaged(String),
    /// There is something in the folder.
    #[error("the folder is not empty: a backup is restored into a new one")]
    NotEmpty,
    /// There is no state in the folder.
    #[error("the folder is no state folder: it has no file `instance`")]
    NoState,
    /// The kill that a restored folder begins with could not be kept.
    #[error(transparent)]
    Latch(#[from] LatchError),
}

impl From<FrameError> for BackupError {
    fn from(error: FrameError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Copies a state folder into `out`; gives the number of files. The caller syncs `out`.
///
/// # Errors
/// [`BackupError`].
pub fn backup(state: &dyn Folder, out: impl Write) -> Result<u32, BackupError> {
    let io = |name: &str| {
        let name = name.to_owned();
        move |error| BackupError::Io(name, error)
    };
    let mut frames = FrameWriter::create(out).map_err(io("backup"))?;
    let mut files = 0u32;
    // Each folder is listed when its turn comes: the journal after the mark that names its last file.
    for folder in ["", snapshot::FOLDER, JOURNAL] {
        let mut names = state.list(folder).map_err(io(folder))?;
        names.retain(|name| !LEFT_OUT.contains(&name.as_str()) && !name.ends_with(".partial"));
        if folder.is_empty() && !names.iter().any(|name| name == INSTANCE) {
            return Err(BackupError::NoState);
        }
        for name in &names {
            let mut file = match state.open(name) {
                // Retention took it in the meantime; what replaces it is in the list.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(io(name))?,
            };
            files += 1;
            loop {
                let mut chunk = Vec::new();
                file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).map_err(io(name))?;
                put(&(name, &chunk), frames.payload());
                frames.seal(1);
                frames.flush().map_err(io("backup"))?;
                if chunk.len() < CHUNK {
                    break;
                }
            }
        }
    }
    put(&("", files.to_le_bytes().as_slice()), frames.payload());
    frames.seal(1);
    frames.flush().map_err(io("backup"))?;
    Ok(files)
}

/// Makes a state folder of a backup; gives the number of files.
///
/// The gateway that the backup was taken from went on, and other ids left under its tag. So the new
/// folder gets another one (`tag`, random), and no id can come twice (INV-9). Orders may have left
/// that its journal does not know: it begins blocked, until somebody has looked and armed it.
///
/// # Errors
/// [`BackupError`]; a folder that was begun has no tag, so that nothing starts from it.
pub fn restore(
    from: impl Read,
    state: &Arc<dyn Folder>,
    tag: u32,
    now: Timestamp,
) -> Result<u32, BackupError> {
    let io = |name: &str| {
        let name = name.to_owned();
        move |error| BackupError::Io(name, error)
    };
    for folder in ["", snapshot::FOLDER, JOURNAL] {
        if !state.list(folder).map_err(io(folder))?.is_empty() {
            return Err(BackupError::NotEmpty);
        }
    }
    let mut frames = FrameReader::open(from)?;
    let mut frame = Frame::default();
    let mut open: Option<(String, Box<dyn crate::disk::Disk>)> = None;
    let mut files = 0u32;
    while frames.next(&mut frame)? {
        let damaged = || BackupError::Damaged("a frame is no part of a file".to_owned());
        let mut bytes = frame.payload.as_slice();
        let (name, chunk): (String, Vec<u8>) = take(&mut bytes).map_err(|_| damaged())?;
        let next = open.as_ref().is_none_or(|(open, _)| *open != name);
        if next {
            if let Some((name, mut file)) = open.take() {
                file.sync().map_err(io(&name))?;
                state.sync_names(&name).map_err(io(&name))?;
            }
            if name.is_empty() {
                if chunk != files.to_le_bytes() || frames.next(&mut frame)? {
                    return Err(damaged());
                }
                let mut latch = match Latch::open(state, false) {
                    Ok(latch) => latch,
                    Err(why) => Latch::distrusted(state, &why, now)?,
                };
                latch.raise("global", KillLevel::Block, "restored from a backup", now)?;
                state.replace(INSTANCE, tag.max(1).to_string().as_bytes()).map_err(io(INSTANCE))?;
                return Ok(files);
            }
            files += 1;
        }
        if !plain(&name) {
            return Err(damaged());
        }
        // The tag comes last, and is another: a folder without one is not used.
        if name == INSTANCE {
            open = Some((name, Box::new(Vec::new())));
            continue;
        }
        if next {
            let file = state.create(&name).map_err(io(&name))?;
            open = Some((name.clone(), file));
        }
        if let Some((name, file)) = &mut open {
            file.write_all(&chunk).map_err(io(name))?;
        }
    }
    Err(BackupError::Damaged("its end is missing".to_owned()))
}

/// A name in the state folder or in one of its two folders, and nowhere else.
fn plain(name: &str) -> bool {
    let file = name
        .strip_prefix(JOURNAL)
        .or_else(|| name.strip_prefix(snapshot::FOLDER))
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(name);
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !file.is_empty() && !file.starts_with('.') && file.bytes().all(letter)
}
