//! `qtos bench`.

use super::args::{BenchArgs, Global};
use super::{CliError, Exit};
use crate::bench::{self, BenchError};
use crate::wiring::Registry;
use std::io::IsTerminal;

/// Measures this machine and this build.
pub(super) fn run(
    args: &BenchArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    let terminal = std::io::stderr().is_terminal();
    let rows = bench::run(&args.names, registry, &mut |name| {
        if terminal {
            eprintln!("measuring {name}");
        }
    })
    .map_err(|error| match error {
        BenchError::Unknown(_) => CliError::usage(error.to_string()),
        error => CliError::core(error.to_string()),
    })?;
    global.print(&rows);
    Ok(Exit::Done)
}
