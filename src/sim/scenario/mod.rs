//! Scenarios: one fault or one public incident each, told step by step, with what must hold.

mod incidents;
mod restarts;
mod rules;
mod script;

use super::alpaca;
use super::fault::Fault;
use super::plan::{Injection, Plan};
use super::watch::Violation;
use super::world::run;
use crate::types::Nanos;
use crate::wiring::ConfigError;
pub use incidents::INCIDENTS;
pub use restarts::RESTARTS;
pub use rules::RULES;
pub use script::Script;

/// A public incident, told again, or a rule that no session tries.
#[derive(Debug)]
pub struct Incident {
    /// Its number in docs/faults.md.
    pub id: &'static str,
    /// Where it was reported, or which rule.
    pub source: &'static str,
    /// What went wrong there.
    pub title: &'static str,
    /// The same against this gateway; what it expects goes to the script.
    pub tell: fn(&mut Script),
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its id: of an incident, or a kind of fault.
    pub id: String,
    /// What did not hold; empty where it passed.
    pub violations: Vec<Violation>,
}

/// All incidents and rules that are told here.
pub fn incidents() -> impl Iterator<Item = &'static Incident> {
    INCIDENTS.iter().chain(RESTARTS).chain(RULES)
}

/// The ids of all scenarios.
pub fn ids() -> Vec<String> {
    let incidents = incidents().map(|incident| incident.id.to_owned());
    incidents.chain(Fault::ALL.iter().map(|fault| fault.name().to_owned())).collect()
}

/// Sessions that `qtos sim --scenario` plays for each kind of fault.
pub const SEEDS: u64 = 5;

/// Plays one scenario, for a kind of fault in so many sessions; `None` if there is none of this id.
///
/// # Errors
/// The configuration of the scenario.
pub fn play(id: &str, seeds: u64) -> Result<Option<Verdict>, ConfigError> {
    if let Some(incident) = incidents().find(|incident| incident.id == id) {
        let mut script = Script::new()?;
        (incident.tell)(&mut script);
        return Ok(Some(Verdict { id: id.to_owned(), violations: script.end() }));
    }
    let Some(&fault) = Fault::ALL.iter().find(|fault| fault.name() == id) else { return Ok(None) };
    let mut violations = Vec::new();
    for seed in 1..=seeds {
        let mut plan = match alpaca::ONLY.contains(&fault) {
            true => Plan { trips: Vec::new(), ..Plan::alpaca(seed) },
            false => Plan::calm(seed),
        };
        // Again and again in a session that trades.
        plan.faults = (0..6)
            .map(|number| Injection {
                at: Nanos::from_secs(5 + 11 * number),
                fault,
                place: number * 31 + seed,
            })
            .collect();
        let outcome = run(plan)?;
        if !outcome.faults.contains_key(&fault) && outcome.violations.is_empty() {
            violations.push(Violation::new("home", format!("{fault} had no effect, seed {seed}")));
        }
        violations.extend(outcome.violations);
    }
    Ok(Some(Verdict { id: id.to_owned(), violations }))
}
