//! `qtos check`.

use super::args::Global;
use super::{CliError, Exit};
use crate::view::Check;
use crate::wiring::{ConfigError, Topology, Vocabulary};

/// Checks the config file and prints its topology. `build` checks what only the rooms of agents,
/// checks and exchanges can: their own parameters and values.
///
/// # Errors
/// What is wrong, with file, line and column.
pub fn run(
    global: &Global,
    vocabulary: &Vocabulary,
    build: impl FnOnce(&Topology) -> Result<(), ConfigError>,
) -> Result<Exit, CliError> {
    let topology = global.topology(vocabulary)?;
    build(&topology)?;
    let file = topology.source().file().to_owned();
    global.print(&Check { ok: true, file, topology: topology.to_string() });
    Ok(Exit::Done)
}
