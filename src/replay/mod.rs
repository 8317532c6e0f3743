//! Layer 8, driver B: the same actors under a virtual clock, on one lane.
//!
//! `run.rs` replays a recording against the sandbox, `verify.rs` runs a journal again and compares.

pub mod report;
pub mod run;
pub mod verify;

pub use report::{Metrics, Report};
pub use run::{Outcome, ReplayError, run, summary};
