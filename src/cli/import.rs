//! `qtos import`.

use super::args::{Global, ImportCommand};
use super::{CliError, Exit, Progress};
use crate::feed::frames::FrameReader;
use crate::feed::import::{capture, csv, frames, lean};
use crate::view::Import;

/// Makes a recording from other files.
///
/// # Errors
/// The first line that cannot be read, with its number; then there is no new recording.
pub fn run(command: &ImportCommand, global: &Global) -> Result<Exit, CliError> {
    let bar = Progress::bytes("import", 0);
    let mut on_progress = |at: crate::feed::import::Progress| {
        bar.total(at.total);
        bar.set(at.done);
    };
    let (out, imported) = match command {
        ImportCommand::Lean(args) => {
            let (dir, date) = (&args.dir, args.date);
            (&args.out, lean::import(dir, &args.symbols, date, &args.out, &mut on_progress))
        }
        ImportCommand::Csv(args) => {
            (&args.out, csv::import(&args.file, &args.symbol, &args.out, &mut on_progress))
        }
        ImportCommand::Capture(args) => {
            let imported = if FrameReader::is_one(&args.file) {
                frames::import(&args.file, &args.out, &mut on_progress)
            } else {
                capture::import(&args.file, &args.out, &mut on_progress)
            };
            (&args.out, imported)
        }
        ImportCommand::Alpaca(args) => return super::import_alpaca::run(args, global),
    };
    bar.finish();
    let imported = imported?;
    global.print(&Import {
        out: out.display().to_string(),
        counts: imported.written.counts,
        skipped: imported.skipped,
        first: imported.written.first,
        last: imported.written.last,
    });
    Ok(Exit::Done)
}
