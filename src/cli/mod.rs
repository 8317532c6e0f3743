//! Layer 10, the command line: one file a command, one object on standard output with `--json`.

mod agent;
pub mod args;
mod arm;
mod audit;
mod backup;
mod bench;
mod broker;
mod chaos;
pub mod check;
mod client;
mod controls;
mod corporate_action;
mod demo;
mod drill;
mod engine;
mod error;
mod export;
mod fills;
mod flatten;
mod heartbeat;
pub mod import;
mod import_alpaca;
pub mod info;
pub mod journal;
mod kill;
mod limits;
mod login;
#[cfg(feature = "mutants")]
mod mutants;
mod order;
mod orders;
mod output;
mod positions;
mod progress;
mod record;
mod replay;
mod run;
mod signal;
mod sim;
mod status;
mod token;
pub mod venue;
mod venue_alpaca;
mod watchdog;

pub use engine::dispatch as engine;
pub use error::{CliError, Exit};
pub use progress::Progress;

use args::{Cli, ClientCommand, Command, DrillCommand, EngineCommand, Global};
use clap::Parser;
use std::ffi::OsString;

/// Reads a command line and runs it. `engine` runs the commands that work in this process.
///
/// Errors go to standard error as `error: ...`, and with `--json` to standard output as well.
pub fn run<E>(words: impl IntoIterator<Item = OsString>, engine: E) -> Exit
where
    E: FnOnce(EngineCommand, &Global) -> Result<Exit, CliError>,
{
    let words: Vec<OsString> = words.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::Done;
            }
            let json = words.iter().any(|word| word == "--json");
            let text = error.to_string();
            let message = text.split("\n\n").next().unwrap_or(&text);
            return CliError::usage(message.split_whitespace().collect::<Vec<_>>().join(" "))
                .on_stdout(json);
        }
    };
    let global = cli.global;
    let result = match cli.command {
        Command::Engine(command) => engine(command, &global),
        Command::Client(command) => client_command(&command, &global),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.on_stdout(global.json)
    })
}

fn client_command(command: &ClientCommand, global: &Global) -> Result<Exit, CliError> {
    match command {
        ClientCommand::Status(args) => status::run(args, global),
        ClientCommand::Order(args) => order::run(args, global),
        ClientCommand::Orders(args) => orders::run(args, global),
        ClientCommand::Fills(args) => fills::run(args, global),
        ClientCommand::Positions(args) => positions::run(args, global),
        ClientCommand::Flatten(args) => flatten::run(args, global),
        ClientCommand::CorporateAction(args) => corporate_action::run(args, global),
        ClientCommand::Heartbeat(args) => heartbeat::run(args, global),
        ClientCommand::Agent(args) => agent::run(args, global),
        ClientCommand::Limits(args) => limits::run(args, global),
        ClientCommand::Drill(DrillCommand::Kill(args)) => drill::run(args, global),
        ClientCommand::Arm(args) => arm::run(args, global),
    }
}

#[cfg(test)]
mod tests;
