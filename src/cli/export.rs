//! `qtos export`.

use super::args::{ExportArgs, Global};
use super::{CliError, Exit, Progress};
use crate::feed::{Feed, RecordingWriter};
use crate::journal::{Header, HeaderKind};
use crate::replay::JournalSource;
use crate::view::Import;
use crate::wiring::Registry;

/// Cuts a recording out of a journal.
pub(super) fn run(
    args: &ExportArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    let state = args.journal.journal.clone().unwrap_or_else(|| global.state_dir());
    let mut feed = JournalSource::open(&state, registry)?.records();
    let header = Header::new(HeaderKind::Recording, feed.instruments().clone());
    let mut out = RecordingWriter::create(&args.out, header.instruments, header.units)?;
    let bar = Progress::spin("export");
    let mut done = 0;
    while let Some(record) = feed.next()? {
        done += 1;
        if done & 0xfff == 0 {
            bar.set(done);
        }
        let after = args.from.is_none_or(|from| record.ts() >= from);
        if after && args.to.is_none_or(|to| record.ts() <= to) {
            out.push(&record)?;
        }
    }
    bar.finish();
    let written = out.finish()?;
    global.print(&Import {
        out: args.out.display().to_string(),
        counts: written.counts,
        skipped: 0,
        first: written.first,
        last: written.last,
    });
    Ok(Exit::Done)
}
