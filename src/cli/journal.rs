//! `qtos journal`.

use super::args::{Global, JournalArgs, JournalCommand, ShowArgs};
use super::{CliError, Exit};
use crate::desk::segments::{self, JournalError, Segment};
use crate::disk::OsFolder;
use crate::journal::Entry;
use crate::view::{JournalCheck, JournalRecord, JournalRecords};

/// Looks into a journal.
///
/// # Errors
/// There is no journal, or it cannot be read; damage makes `verify` false and `show` fail.
pub fn run(command: &JournalCommand, global: &Global) -> Result<Exit, CliError> {
    match command {
        JournalCommand::Verify(args) => {
            let check = verify(args, global)?;
            global.print(&check);
            Ok(if check.ok { Exit::Done } else { Exit::False })
        }
        JournalCommand::Show(args) => {
            global.print(&show(args, global)?);
            Ok(Exit::Done)
        }
    }
}

/// Calls `each` with every record until it says that it has seen enough; gives the torn bytes.
fn walk(
    args: &JournalArgs,
    global: &Global,
    mut each: impl FnMut(u64, Entry) -> bool,
) -> Result<u64, JournalError> {
    let state = args.journal.clone().unwrap_or_else(|| global.state_dir());
    let folder = OsFolder::new(&state);
    let files = segments::list(&folder)?;
    if files.is_empty() {
        return Err(JournalError::Empty(state.display().to_string()));
    }
    let mut torn = 0;
    for name in files {
        let Some(mut segment) = Segment::open(&folder, &name)? else {
            torn += std::fs::metadata(state.join(&name)).map_or(0, |file| file.len());
            continue;
        };
        while let Some(entry) = segment.next()? {
            if !each(segment.next_seq().saturating_sub(1), entry) {
                return Ok(torn);
            }
        }
        torn += segment.torn;
    }
    Ok(torn)
}

fn verify(args: &JournalArgs, global: &Global) -> Result<JournalCheck, CliError> {
    let (mut records, mut last_seq) = (0, 0);
    let end = walk(args, global, |seq, _| {
        records += 1;
        last_seq = seq;
        true
    });
    let (torn_bytes, error) = match end {
        Ok(torn) => (torn, None),
        Err(error @ JournalError::Frame(..)) => (0, Some(error.to_string())),
        Err(error) => return Err(CliError::input(error.to_string())),
    };
    Ok(JournalCheck { ok: error.is_none(), records, torn_bytes, last_seq, error })
}

fn show(args: &ShowArgs, global: &Global) -> Result<JournalRecords, CliError> {
    let mut records = Vec::new();
    walk(&args.journal, global, |seq, entry| {
        if seq >= args.from && (records.len() as u64) < args.limit {
            records.push(JournalRecord { seq, record: format!("{entry:?}") });
        }
        (records.len() as u64) < args.limit
    })
    .map_err(|error| CliError::input(error.to_string()))?;
    Ok(JournalRecords { records })
}
