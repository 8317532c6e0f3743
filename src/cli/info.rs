//! `qtos info`.

use super::args::{Global, InfoArgs};
use super::{CliError, Exit};

/// Says what is in a recording.
///
/// # Errors
/// The recording cannot be read, is torn or damaged.
pub fn run(args: &InfoArgs, global: &Global) -> Result<Exit, CliError> {
    global.print(&crate::feed::info(&args.file)?);
    Ok(Exit::Done)
}
