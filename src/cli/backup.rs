//! `qtos backup` and `qtos restore`.

use super::args::{BackupArgs, Global, RestoreArgs};
use super::{CliError, Exit};
use crate::desk::backup::{self, BackupError};
use crate::disk::{Folder, OsFolder};
use crate::types::Timestamp;
use crate::view::Copied;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Copies a state folder into one file, also while its gateway runs.
pub(super) fn backup(args: &BackupArgs, global: &Global) -> Result<Exit, CliError> {
    let failed = |error: io::Error| CliError::input(format!("{}: {error}", args.out.display()));
    let out = OpenOptions::new().create_new(true).write(true).open(&args.out).map_err(failed)?;
    let made = backup::backup(&OsFolder::new(&args.state), &out)
        .map_err(CliError::from)
        .and_then(|files| out.sync_all().map(|()| files).map_err(failed));
    let files = made.inspect_err(|_| {
        // Half a backup is none.
        let _ = std::fs::remove_file(&args.out);
    })?;
    global.print(&Copied { to: args.out.display().to_string(), files });
    Ok(Exit::Done)
}

/// Makes a state folder of a backup.
pub(super) fn restore(args: &RestoreArgs, global: &Global) -> Result<Exit, CliError> {
    let file = File::open(&args.file)
        .map_err(|error| CliError::input(format!("{}: {error}", args.file.display())))?;
    let mut tag = [0; 4];
    getrandom::fill(&mut tag).map_err(|error| CliError::core(error.to_string()))?;
    let state = global.state_dir();
    let folder: Arc<dyn Folder> = Arc::new(OsFolder::new(&state));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let now = Timestamp::from_nanos(u64::try_from(now).unwrap_or(u64::MAX));
    let files = backup::restore(BufReader::new(file), &folder, u32::from_le_bytes(tag), now)?;
    global.print(&Copied { to: state.display().to_string(), files });
    Ok(Exit::Done)
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        Self::input(error.to_string())
    }
}
