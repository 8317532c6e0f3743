//! Many sessions: sums over seeds, medians, and the smallest plan that still fails.

use super::fault::Fault;
use super::plan::{Broker, Plan};
use super::watch::Violation;
use super::world::{Outcome, run};
use crate::wiring::ConfigError;
use serde::Serialize;
use std::collections::BTreeMap;

/// A seed whose session broke an invariant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The invariant.
    pub invariant: String,
    /// What was seen.
    pub what: String,
    /// When, in seconds of the session.
    pub at: f64,
    /// The faults that are needed for it, after shrinking.
    pub faults: Vec<String>,
}

/// Sums over sessions.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Sessions run.
    pub sessions: u64,
    /// Faults that had an effect.
    pub faults: BTreeMap<Fault, u64>,
    /// Kills raised.
    pub trips: u64,
    /// Writes begun although a kill forbade them.
    pub after_kill: u64,
    /// Boots.
    pub boots: u64,
    /// Seeds that failed, with what was seen first.
    pub failing: Vec<(u64, Violation)>,
    sizes: Vec<[u64; 6]>,
}

/// Medians of what a session holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Medians {
    /// Messages that the core consumed.
    pub inputs: u64,
    /// New orders approved.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Faults with an effect.
    pub faults: u64,
    /// Brokers.
    pub brokers: u64,
    /// Agents, the remote one included.
    pub agents: u64,
}

impl Sums {
    /// Adds a session.
    pub fn add(&mut self, plan: &Plan, outcome: Outcome) {
        self.sessions += 1;
        for (fault, count) in &outcome.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.trips += outcome.trips;
        self.after_kill += outcome.after_kill;
        self.boots += u64::from(outcome.boots);
        self.sizes.push([
            outcome.inputs,
            outcome.orders,
            outcome.fills,
            outcome.faults.values().sum(),
            plan.brokers,
            plan.agents + 1,
        ]);
        if let Some(first) = outcome.violations.into_iter().next() {
            self.failing.push((plan.seed, first));
        }
    }

    /// Adds what another thread summed up.
    pub fn join(&mut self, other: Self) {
        self.sessions += other.sessions;
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.trips += other.trips;
        self.after_kill += other.after_kill;
        self.boots += other.boots;
        self.failing.extend(other.failing);
        self.failing.sort_by_key(|(seed, _)| *seed);
        self.sizes.extend(other.sizes);
    }

    /// The middle session of each kind of size.
    pub fn medians(&self) -> Medians {
        let middle = |of: usize| {
            let mut values: Vec<u64> = self.sizes.iter().map(|sizes| sizes[of]).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Medians {
            inputs: middle(0),
            orders: middle(1),
            fills: middle(2),
            faults: middle(3),
            brokers: middle(4),
            agents: middle(5),
        }
    }
}

/// The plan of a seed with only `faults`, all of its own where the list is empty.
pub fn plan(broker: Broker, seed: u64, faults: &[Fault]) -> Plan {
    let mut plan = match broker {
        Broker::Sandbox => Plan::swarm(seed),
        Broker::Alpaca => Plan::alpaca(seed),
    };
    if !faults.is_empty() {
        plan.only(faults);
    }
    plan
}

/// Drops what a failure does not need: kinds of faults, then single faults, kills and records, as
/// long as the same invariant still breaks.
///
/// # Errors
/// The configuration of the plan.
pub fn shrink(plan: Plan, invariant: &str) -> Result<(Plan, Failure), ConfigError> {
    let fails = |plan: &Plan| -> Result<Option<Violation>, ConfigError> {
        let found = run(plan.clone())?.violations.into_iter().next();
        Ok(found.filter(|violation| violation.invariant == invariant))
    };
    let mut best = plan;
    let mut seen = fails(&best)?;
    let mut attempt = |best: &mut Plan, smaller: Plan| -> Result<(), ConfigError> {
        if let Some(violation) = fails(&smaller)? {
            (*best, seen) = (smaller, Some(violation));
        }
        Ok(())
    };
    for at in (0..best.faults.len()).rev() {
        let mut smaller = best.clone();
        if at < smaller.faults.len() {
            smaller.faults.remove(at);
            attempt(&mut best, smaller)?;
        }
    }
    let without = Plan { trips: Vec::new(), ..best.clone() };
    attempt(&mut best, without)?;
    while best.records > 100 {
        let before = best.records;
        let smaller = Plan { records: before * 3 / 4, ..best.clone() };
        attempt(&mut best, smaller)?;
        if best.records == before {
            break;
        }
    }
    let mut faults: Vec<String> =
        best.faults.iter().map(|injection| injection.fault.name().to_owned()).collect();
    faults.dedup();
    let failure = seen.map_or_else(
        || Failure {
            seed: best.seed,
            invariant: invariant.to_owned(),
            what: "did not come again".to_owned(),
            at: 0.0,
            faults: Vec::new(),
        },
        |violation| Failure {
            seed: best.seed,
            invariant: violation.invariant.to_owned(),
            what: violation.what,
            at: violation.at.as_secs_f64(),
            faults,
        },
    );
    Ok((best, failure))
}
