//! `qtos journal`.

use super::args::{Global, JournalArgs, JournalCommand, ShowArgs};
use super::{CliError, Exit};
use crate::desk::mark::Mark;
use crate::desk::segments::{self, JournalError, Segment};
use crate::disk::OsFolder;
use crate::journal::Entry;
use crate::view::{JournalCheck, JournalRecord, JournalRecords};
use serde_json::value::to_raw_value;
use std::collections::VecDeque;

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

/// What a walk over all files has seen.
#[derive(Default)]
struct Seen {
    /// Bytes behind the last whole record of a file.
    torn: u64,
    /// Each file's number, and how far it can be read.
    files: Vec<(u32, u64)>,
}

/// Calls `each` with every record, its file's number and its own in it, until it says that it has seen
/// enough.
fn walk(
    args: &JournalArgs,
    global: &Global,
    mut each: impl FnMut((u32, u64), Entry) -> bool,
) -> Result<Seen, JournalError> {
    let state = args.journal.clone().unwrap_or_else(|| global.state_dir());
    let folder = OsFolder::new(&state);
    let files = segments::list(&folder)?;
    if files.is_empty() {
        return Err(JournalError::Empty(state.display().to_string()));
    }
    let mut seen = Seen::default();
    for name in files {
        let number = segments::number(&name).unwrap_or_default();
        let Some(mut segment) = Segment::open(&folder, &name)? else {
            seen.torn += std::fs::metadata(state.join(&name)).map_or(0, |file| file.len());
            seen.files.push((number, 0));
            continue;
        };
        while let Some(entry) = segment.next()? {
            if !each((number, segment.next_seq().saturating_sub(1)), entry) {
                return Ok(seen);
            }
        }
        seen.torn += segment.torn;
        seen.files.push((number, segment.offset()));
    }
    Ok(seen)
}

/// What is missing of a journal whose files can all be read, by their numbers and the head mark.
fn missing(seen: &Seen, mark: Result<Option<Mark>, String>) -> Option<String> {
    let gap = seen.files.windows(2).find(|pair| pair[1].0 != pair[0].0 + 1);
    if let Some(gap) = gap {
        return Some(format!("journal file {} is missing", gap[0].0 + 1));
    }
    let mark = match mark {
        Ok(mark) => mark?,
        Err(why) => return Some(format!("the head mark: {why}")),
    };
    let whole = seen.files.iter().find(|(number, _)| *number == mark.number);
    match whole {
        None => Some(format!("journal file {} is missing: the head mark names it", mark.number)),
        Some((number, whole)) if *whole < mark.length => Some(format!(
            "journal file {number} ends after {whole} bytes, {} were on stable storage",
            mark.length
        )),
        Some(_) => None,
    }
}

fn verify(args: &JournalArgs, global: &Global) -> Result<JournalCheck, CliError> {
    let (mut records, mut last_seq) = (0, 0);
    let end = walk(args, global, |(_, seq), _| {
        records += 1;
        last_seq = seq;
        true
    });
    let (torn_bytes, error) = match end {
        Ok(seen) => {
            let state = args.journal.clone().unwrap_or_else(|| global.state_dir());
            (seen.torn, missing(&seen, Mark::read(&OsFolder::new(&state))))
        }
        Err(error @ JournalError::Frame(..)) => (0, Some(error.to_string())),
        Err(error) => return Err(CliError::input(error.to_string())),
    };
    Ok(JournalCheck { ok: error.is_none(), records, torn_bytes, last_seq, error })
}

fn show(args: &ShowArgs, global: &Global) -> Result<JournalRecords, CliError> {
    let limit = args.limit as usize;
    let mut records = VecDeque::new();
    walk(&args.journal, global, |(file, seq), entry| {
        let (wanted, from) = (args.file.is_none_or(|number| number == file), args.from);
        if wanted && from.is_none_or(|from| seq >= from) {
            // Without a beginning it is the end that is asked for.
            if from.is_none() && records.len() == limit {
                records.pop_front();
            }
            if records.len() < limit {
                records.push_back((file, seq, entry));
            }
        }
        from.is_none() || records.len() < limit
    })
    .map_err(|error| CliError::input(error.to_string()))?;
    let shown =
        |(file, seq, entry)| to_raw_value(&entry).map(|record| JournalRecord { file, seq, record });
    let records = records.into_iter().map(shown).collect::<Result<_, _>>();
    Ok(JournalRecords { records: records.map_err(|error| CliError::core(error.to_string()))? })
}
