//! Where the options of every command become paths, a topology and printed values.

use super::CliError;
use super::args::Global;
use crate::view::Render;
use crate::wiring::{Topology, Vocabulary};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The config that holds where none is given: the demo's.
const BUILT_IN: (&str, &str) = ("config/sandbox.toml", include_str!("../../config/sandbox.toml"));

impl Global {
    /// The state folder.
    pub fn state_dir(&self) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| PathBuf::from("state"))
    }

    /// The config file, or the built-in one.
    ///
    /// # Errors
    /// The file cannot be read or is wrong: exit code 2.
    pub fn topology(&self, vocabulary: &Vocabulary) -> Result<Topology, CliError> {
        match &self.config {
            Some(path) => Ok(Topology::load(Path::new(path), vocabulary)?),
            None => Ok(Topology::parse(BUILT_IN.0, BUILT_IN.1, vocabulary)?),
        }
    }

    /// Prints a result: one JSON object, or text for people.
    pub fn print<T: Serialize + Render>(&self, value: &T) {
        if self.json {
            json(value);
        } else {
            let mut lines = value.render();
            if !lines.is_empty() && !lines.ends_with('\n') {
                lines.push('\n');
            }
            text(&lines);
        }
    }
}

/// One line of JSON on standard output.
pub(super) fn json(value: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        text(&(line + "\n"));
    }
}

/// A reader that went away, such as `head`, is no reason to fail.
fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
