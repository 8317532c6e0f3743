//! `qtos sim`: simulated sessions with faults.

use super::args::{Global, SimArgs};
use super::{CliError, Exit, Progress};
use crate::sim::campaign::{self, Failure, Medians, Sums};
use crate::sim::{Violation, scenario};
use crate::view::Render;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sessions where no number was asked for.
const SESSIONS: u64 = 1_000;
/// Failing seeds that are made small; more would only take time.
const SHRUNK: usize = 3;

/// What a campaign prints.
#[derive(Debug, Serialize)]
struct Campaign {
    broker: &'static str,
    sessions: u64,
    violations: u64,
    seconds: f64,
    sessions_per_second: f64,
    /// Processor time of one session, in milliseconds.
    cpu_ms_per_session: f64,
    median: Medians,
    trips: u64,
    writes_after_kill: u64,
    boots: u64,
    faults: BTreeMap<&'static str, u64>,
    /// Sessions by the invariant that broke first.
    invariants: BTreeMap<&'static str, u64>,
    failing_seeds: Vec<u64>,
    failures: Vec<Failure>,
    build: &'static str,
    /// Seeds count up from here without a gap.
    first_seed: u64,
}

/// Campaigns add up in a file, one line each: a later one begins where the last seed ended.
fn keep(campaign: &Campaign, ledger: &std::path::Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(ledger)?;
    let mut line = serde_json::to_vec(campaign)?;
    line.push(b'\n');
    std::io::Write::write_all(&mut file, &line)
}

impl Render for Campaign {
    fn render(&self) -> String {
        let Medians { inputs, orders, fills, faults, brokers, agents } = self.median;
        let mut text = format!(
            "{} sessions in {:.1} s: {:.1} a second, {:.1} ms each\n\
             the median session: {inputs} inputs, {orders} orders, {fills} fills, {faults} faults, \
             {brokers} brokers, {agents} agents\n\
             {} kills, {} writes begun after one; {} boots\n",
            self.sessions,
            self.seconds,
            self.sessions_per_second,
            self.cpu_ms_per_session,
            self.trips,
            self.writes_after_kill,
            self.boots,
        );
        for (fault, count) in &self.faults {
            text += &format!("  {fault:<20} {count}\n");
        }
        for failure in &self.failures {
            text += &format!(
                "FAILED seed {} at {:.3} s: {}: {}\n  needs: {}\n  again: qtos sim --broker {} --sessions 1 --seed {}   (build {})\n",
                failure.seed,
                failure.at,
                failure.invariant,
                failure.what,
                failure.faults.join(","),
                self.broker,
                failure.seed,
                self.build,
            );
        }
        for (invariant, count) in &self.invariants {
            text += &format!("{invariant}: {count} sessions\n");
        }
        text += &format!("{} violations", self.violations);
        if !self.failing_seeds.is_empty() {
            text += &format!(", seeds {:?}", self.failing_seeds);
        }
        text
    }
}

/// Runs a campaign.
///
/// # Errors
/// A plan that cannot be run.
pub(super) fn run(args: &SimArgs, global: &Global) -> Result<Exit, CliError> {
    match &args.scenario {
        _ if args.mutants => mutants(args, global),
        Some(id) => scenarios(id, global),
        None => campaign(args, global),
    }
}

#[cfg(feature = "mutants")]
use super::mutants::run as mutants;

#[cfg(not(feature = "mutants"))]
fn mutants(_: &SimArgs, _: &Global) -> Result<Exit, CliError> {
    let build = "cargo run --profile quick --features mutants -- sim --mutants";
    Err(CliError::usage(format!("this build has no planted bugs in it: {build}")))
}

/// What scenarios print.
#[derive(Debug, Serialize)]
struct Scenarios {
    scenarios: u64,
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Render for Scenarios {
    fn render(&self) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            text += &format!("FAILED {failure}\n");
        }
        text + &format!(
            "{} scenarios: {} passed, {} failed",
            self.scenarios, self.passed, self.failed
        )
    }
}

fn scenarios(id: &str, global: &Global) -> Result<Exit, CliError> {
    let ids = if id == "all" { scenario::ids() } else { vec![id.to_owned()] };
    let bar = Progress::count("sim", ids.len() as u64);
    let mut failures = Vec::new();
    let mut passed = 0;
    for (number, id) in ids.iter().enumerate() {
        let verdict = scenario::play(id, scenario::SEEDS)?.ok_or_else(|| {
            CliError::usage(format!("no scenario `{id}`: {}", scenario::ids().join(", ")))
        })?;
        passed += u64::from(verdict.violations.is_empty());
        failures.extend(verdict.violations.iter().map(|violation| {
            let Violation { invariant, what, at } = violation;
            format!("{id} at {:.3} s: {invariant}: {what}", at.as_secs_f64())
        }));
        bar.set(number as u64 + 1);
    }
    bar.finish();
    let scenarios = ids.len() as u64;
    let clean = passed == scenarios;
    global.print(&Scenarios { scenarios, passed, failed: scenarios - passed, failures });
    Ok(if clean { Exit::Done } else { Exit::False })
}

fn campaign(args: &SimArgs, global: &Global) -> Result<Exit, CliError> {
    let start = Instant::now();
    let broker = args.broker.unwrap_or_default();
    let sessions = args.sessions.unwrap_or(SESSIONS);
    let limit = args.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores).max(1);
    let bar = Progress::count("sim", sessions);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || -> Result<Sums, CliError> {
        let mut sums = Sums::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sessions || limit.is_some_and(|limit| start.elapsed() > limit) {
                return Ok(sums);
            }
            let plan = campaign::plan(broker, args.seed + number, &args.faults);
            let outcome = crate::sim::run(plan.clone())?;
            sums.add(&plan, outcome);
            bar.set(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let mut sums = Sums::default();
    let parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    for part in parts {
        sums.join(part.map_err(|_| CliError::core("a session panicked".to_owned()))??);
    }
    let seconds = start.elapsed().as_secs_f64();
    bar.finish();
    let mut failures = Vec::new();
    for (seed, violation) in sums.failing.iter().take(SHRUNK) {
        let plan = campaign::plan(broker, *seed, &args.faults);
        failures.push(campaign::shrink(plan, violation.invariant)?.1);
    }
    let clean = sums.failing.is_empty();
    let mut invariants = BTreeMap::new();
    for (_, violation) in &sums.failing {
        *invariants.entry(violation.invariant).or_default() += 1;
    }
    let campaign = Campaign {
        broker: broker.name(),
        sessions: sums.sessions,
        violations: sums.failing.len() as u64,
        seconds,
        sessions_per_second: sums.sessions as f64 / seconds.max(1e-9),
        cpu_ms_per_session: 1e3 * seconds * threads.min(cores) as f64 / sums.sessions.max(1) as f64,
        median: sums.medians(),
        trips: sums.trips,
        writes_after_kill: sums.after_kill,
        boots: sums.boots,
        faults: sums.faults.iter().map(|(fault, count)| (fault.name(), *count)).collect(),
        invariants,
        failing_seeds: sums.failing.iter().map(|(seed, _)| *seed).collect(),
        failures,
        build: env!("CARGO_PKG_VERSION"),
        first_seed: args.seed,
    };
    if let Some(ledger) = &args.ledger {
        keep(&campaign, ledger)
            .map_err(|error| CliError::input(format!("{}: {error}", ledger.display())))?;
    }
    global.print(&campaign);
    Ok(if clean { Exit::Done } else { Exit::False })
}
