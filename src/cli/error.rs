//! How a command ends.

use super::output;
use crate::feed::FeedError;
use crate::view::ErrorView;
use crate::wiring::{ConfigError, LoadError};
use std::process::ExitCode;

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Checked, and it is not so.
    False = 1,
    /// Usage, config or input.
    Usage = 2,
    /// Refused by risk, hold, kill or the gateway's state.
    Refused = 3,
    /// The core failed.
    Core = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, and how it exits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// Its exit code.
    pub exit: Exit,
    /// A stable word: `usage`, `config`, `input`, a reason's word, ...
    pub code: String,
    /// For people.
    pub message: String,
}

impl CliError {
    /// An error with its exit code and word.
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into() }
    }
    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Exit::Usage, "usage", message.trim_start_matches("error: "))
    }
    /// A file or value that was given is wrong.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "input", message)
    }
    /// The gateway said no.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "refused", message)
    }
    /// The core failed.
    pub fn core(message: impl Into<String>) -> Self {
        Self::new(Exit::Core, "core", message)
    }

    /// Prints it as JSON where that was asked for; gives the exit code.
    pub(super) fn on_stdout(self, json: bool) -> Exit {
        if json {
            output::json(&ErrorView::new(&self.code, self.message));
        }
        self.exit
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "config", error.to_string())
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        Self::new(Exit::Usage, "config", error.to_string())
    }
}

impl From<FeedError> for CliError {
    fn from(error: FeedError) -> Self {
        Self::input(error.to_string())
    }
}
