//! Layer 8, driver B: the same actors under a virtual clock, on one lane.
//!
//! `run.rs` replays a recording against the sandbox, `verify.rs` runs a journal again and compares,
//! `diff.rs` runs its market records again under another configuration.

pub mod diff;
pub mod report;
pub mod run;
pub mod source;
pub mod verify;

pub use report::{Metrics, Report};
pub use run::{Outcome, ReplayError, run, summary};
pub use source::{JournalFeed, JournalSource};
