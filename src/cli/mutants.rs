//! `qtos sim --mutants`: planted bugs, one after the other, each over seeds until one shows it.

use super::args::{Global, SimArgs};
use super::{CliError, Exit, Progress};
use crate::planted::{self, BUGS, Planted};
use crate::sim::{Violation, mutants};
use crate::view::Render;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds that must hold without a bug before any is believed to show one.
const CONTROL: u64 = 200;
/// Seeds that each bug may take, where nothing else was asked for.
pub(super) const SESSIONS: u64 = 2_000;

/// A bug that was noticed.
#[derive(Debug, Serialize)]
struct Caught {
    name: &'static str,
    place: &'static str,
    /// Sessions that it took; nothing where no session but a scenario noticed it.
    sessions: Option<u64>,
    /// The scenario that noticed it, where no session did.
    scenario: Option<String>,
    invariant: &'static str,
    what: String,
}

/// A bug that was not noticed.
#[derive(Debug, Serialize)]
struct Missed {
    name: &'static str,
    place: &'static str,
    what: &'static str,
    /// Why nothing else was to be expected, where that is known.
    why: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Mutants {
    mutants: usize,
    caught: usize,
    caught_by_sessions: usize,
    missed: Vec<&'static str>,
    seconds: f64,
    first_seed: u64,
    sessions: u64,
    details: Vec<Caught>,
    missed_details: Vec<Missed>,
}

impl Render for Mutants {
    fn render(&self) -> String {
        let mut text = String::new();
        for Caught { name, sessions, scenario, invariant, what, .. } in &self.details {
            let by = match (sessions, scenario) {
                (Some(1), _) => "1 session".to_owned(),
                (Some(count), _) => format!("{count} sessions"),
                (None, id) => format!("scenario {}", id.as_deref().unwrap_or_default()),
            };
            let what: String = what.chars().take(80).collect();
            text += &format!("caught  {name:<24} {by:<20} {invariant:<6} {what}\n");
        }
        for Missed { name, what, why, .. } in &self.missed_details {
            let why = why.unwrap_or("not expected");
            text += &format!("MISSED  {name:<24} {what}: {why}\n");
        }
        text + &format!(
            "{} mutants: {} caught, {} of them by a session, {} missed, in {:.0} s",
            self.mutants,
            self.caught,
            self.caught_by_sessions,
            self.missed.len(),
            self.seconds
        )
    }
}

/// The first of these seeds whose session breaks, with what it broke. All threads work on the same
/// bug, as there is one switch in the process.
fn first(seed: u64, sessions: u64, threads: usize) -> Result<Option<(u64, Violation)>, CliError> {
    let (next, found) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let work = || -> Result<Option<(u64, Violation)>, CliError> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sessions || number > found.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if let Some(violation) = mutants::session(seed + number)? {
                found.fetch_min(number, Ordering::Relaxed);
                return Ok(Some((number, violation)));
            }
        }
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let mut best = None;
    for part in done {
        let shown = part.map_err(|_| CliError::core("a worker panicked".to_owned()))??;
        best = match (best, shown) {
            (Some(one), Some(other)) => {
                Some(std::cmp::min_by_key(one, other, |(number, _)| *number))
            }
            (one, other) => one.or(other),
        };
    }
    Ok(best)
}

/// Has every planted bug run, until a session or at last a scenario notices it.
///
/// # Errors
/// A session or scenario breaks without a bug: then nothing that is noticed means anything.
pub(super) fn run(args: &SimArgs, global: &Global) -> Result<Exit, CliError> {
    let start = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores).max(1);
    let sessions = args.sessions.unwrap_or(SESSIONS);
    planted::switch(None);
    if let Some((number, violation)) = first(args.seed, sessions.min(CONTROL), threads)? {
        let Violation { invariant, what, .. } = violation;
        let seed = args.seed + number;
        return Err(CliError::core(format!(
            "seed {seed} breaks without a bug: {invariant}: {what}"
        )));
    }
    if let Some((id, Violation { invariant, what, .. })) = mutants::scenarios()? {
        return Err(CliError::core(format!(
            "scenario {id} breaks without a bug: {invariant}: {what}"
        )));
    }
    // What a bug makes panic is a finding, not news for standard error.
    std::panic::set_hook(Box::new(|_| {}));
    let bar = Progress::count("mutants", BUGS.len() as u64);
    let (mut details, mut missed) = (Vec::new(), Vec::new());
    for (number, &Planted { bug, name, place, what: wrong }) in BUGS.iter().enumerate() {
        planted::switch(Some(bug));
        let shown = first(args.seed, sessions, threads)?;
        let by = shown.map(|(number, violation)| (Some(number + 1), None, violation));
        let by = match by {
            Some(by) => Some(by),
            None => mutants::scenarios()?.map(|(id, violation)| (None, Some(id), violation)),
        };
        match by {
            Some((sessions, scenario, Violation { invariant, what, .. })) => {
                details.push(Caught { name, place, sessions, scenario, invariant, what });
            }
            None => {
                missed.push(Missed { name, place, what: wrong, why: mutants::beyond(bug) });
            }
        }
        bar.set(number as u64 + 1);
    }
    planted::switch(None);
    let _ = std::panic::take_hook();
    bar.finish();
    let known = missed.iter().all(|missed| missed.why.is_some());
    global.print(&Mutants {
        mutants: BUGS.len(),
        caught: details.len(),
        caught_by_sessions: details.iter().filter(|caught| caught.sessions.is_some()).count(),
        missed: missed.iter().map(|missed| missed.name).collect(),
        seconds: start.elapsed().as_secs_f64(),
        first_seed: args.seed,
        sessions,
        details,
        missed_details: missed,
    });
    Ok(if known { Exit::Done } else { Exit::False })
}
