//! What can be wrong with a feed or with a file that is imported.

use crate::journal::FrameError;
use crate::types::Timestamp;
use std::io;
use std::path::Path;

/// Why a feed cannot go on, or a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The operating system could not open, read or write a file.
    #[error("{file}: {error}")]
    Io {
        /// Which file.
        file: String,
        /// What it said.
        error: io::Error,
    },
    /// A recording that is torn, damaged or none.
    #[error("{file}: {error}")]
    Recording {
        /// Which file.
        file: String,
        /// What is wrong.
        error: FrameError,
    },
    /// A line of a source that cannot be read.
    #[error("{file} line {line}{}: {what}", named(.field))]
    Line {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: u64,
        /// Which field; empty where it is the line as a whole.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A record older than the one before it. Feeds are merged in time order, so a step back is an
    /// error of the source; it is never mended in silence.
    #[error("record {position} is of {ts}, before {before} of the record ahead of it")]
    Backwards {
        /// Its place in the feed, from 0.
        position: u64,
        /// Its time.
        ts: Timestamp,
        /// The time of the record before it.
        before: Timestamp,
    },
    /// A source that does not hold what was asked for.
    #[error("{0}")]
    Source(String),
}

fn named(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(", field `{field}`") }
}

impl FeedError {
    /// An input or output error of this file.
    pub fn io(file: &Path, error: io::Error) -> Self {
        Self::Io { file: file.display().to_string(), error }
    }
    /// What is wrong with this recording.
    pub fn recording(file: &Path, error: FrameError) -> Self {
        let error = match error {
            // A journal may be cut off anywhere; nobody calls so few bytes a recording.
            FrameError::Torn { offset: 0, .. } => FrameError::NotALog,
            error => error,
        };
        Self::Recording { file: file.display().to_string(), error }
    }
}
