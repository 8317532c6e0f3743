//! Planted bugs against the simulator: which of them break an invariant, and how soon
//! (docs/mutants.md).

use super::campaign;
use super::plan::Broker;
use super::scenario;
use super::watch::Violation;
use super::world::run;
use crate::planted::Bug;
use crate::wiring::ConfigError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bugs that no session can show, each with the reason.
pub const BEYOND: &[(Bug, &str)] = &[
    (
        Bug::ApprovalKeeps,
        "nothing stands between approval and write in a session: src/actors/tests/wire.rs",
    ),
    (
        Bug::ExitUnsynced,
        "the power must fail just behind an exit that closed nothing: docs/mutants.md",
    ),
];

/// What the session of a seed shows first; a panic counts.
///
/// # Errors
/// The configuration of the plan.
pub fn session(seed: u64) -> Result<Option<Violation>, ConfigError> {
    let ran = catch_unwind(AssertUnwindSafe(|| run(campaign::plan(Broker::Sandbox, seed, &[]))));
    match ran {
        Ok(outcome) => Ok(outcome?.violations.into_iter().next()),
        Err(_) => Ok(Some(Violation::new("panic", "the session panicked".to_owned()))),
    }
}

/// The first scenario that shows something, with what it shows.
///
/// # Errors
/// The configuration of a scenario.
pub fn scenarios() -> Result<Option<(String, Violation)>, ConfigError> {
    for id in scenario::ids() {
        let played = catch_unwind(AssertUnwindSafe(|| scenario::play(&id, scenario::SEEDS)));
        let first = match played {
            Ok(verdict) => verdict?.and_then(|verdict| verdict.violations.into_iter().next()),
            Err(_) => Some(Violation::new("panic", "the scenario panicked".to_owned())),
        };
        if let Some(violation) = first {
            return Ok(Some((id, violation)));
        }
    }
    Ok(None)
}

/// Why a bug is beyond the simulator, if it is.
pub fn beyond(bug: Bug) -> Option<&'static str> {
    BEYOND.iter().find(|(known, _)| *known == bug).map(|(_, why)| *why)
}
