//! The commands that work in this process.

use super::args::{EngineCommand, Global};
use super::{
    CliError, Exit, audit, backup, bench, broker, chaos, check, demo, export, import, info,
    journal, kill, login, record, replay, run, sim, token, venue, watchdog,
};
use crate::desk::segments::JournalError;
use crate::replay::ReplayError;
use crate::replay::diff::DiffError;
use crate::wiring::{AssemblyError, Registry, WalkError};

/// Runs one, with the agents of `registry`.
///
/// # Errors
/// What went wrong, with its exit code.
pub fn dispatch(
    command: &EngineCommand,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    match command {
        EngineCommand::Demo(args) => demo::run(args, global, registry),
        EngineCommand::Run(args) => run::run(args, global, registry),
        EngineCommand::Replay(args) => replay::run(args, global, registry),
        EngineCommand::Import(args) => import::run(args, global),
        EngineCommand::Record(args) => record::run(args, global, registry),
        EngineCommand::Info(args) => info::run(args, global),
        EngineCommand::Venue(args) => venue::run(args, global, registry),
        EngineCommand::Chaos(args) => chaos::run(args, global),
        EngineCommand::Journal(args) => journal::run(args, global),
        EngineCommand::Audit(command) => audit::run(*command, global),
        EngineCommand::Export(args) => export::run(args, global, registry),
        EngineCommand::Backup(args) => backup::backup(args, global),
        EngineCommand::Restore(args) => backup::restore(args, global),
        EngineCommand::Token(command) => token::run(command, global, registry),
        EngineCommand::Broker(args) => broker::run(args, global, registry),
        EngineCommand::Login(command) => login::run(command, global),
        EngineCommand::Check(args) => check::run(args, global, registry),
        EngineCommand::Kill(args) => kill::run(args, global, registry),
        EngineCommand::Watchdog(args) => watchdog::run(args, global, registry),
        EngineCommand::Bench(args) => bench::run(args, global, registry),
        EngineCommand::Sim(args) => sim::run(args, global),
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<AssemblyError> for CliError {
    fn from(error: AssemblyError) -> Self {
        Self::new(Exit::Usage, "config", error.to_string())
    }
}

impl From<ReplayError> for CliError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Config(error) => Self::new(Exit::Usage, "config", error.to_string()),
            ReplayError::Feed(error) => error.into(),
        }
    }
}

impl From<WalkError> for CliError {
    fn from(error: WalkError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<DiffError> for CliError {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Journal(error) => error.into(),
            DiffError::Other(error) => error.into(),
        }
    }
}
