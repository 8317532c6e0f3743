//! Layer 9, measurements: what this build does on this machine. `qtos bench` and `cargo bench` print
//! the same rows.
//!
//! Latencies of things that happen by themselves (ticks) are measured from the moment they were due,
//! so that a slow one is not hidden by the wait before the next. `machine_gaps` measures the same way
//! with nothing to do: what the rows beside it have of it is the machine's, not the program's.

mod edge;
mod journal;
mod kill;
mod latency;
mod order;
mod recovery;
mod replay;

use crate::feed::FeedError;
use crate::replay::ReplayError;
use crate::view::{Bench, BenchRow};
use crate::wiring::{ConfigError, Registry, Topology};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is no such measurement.
    #[error("`{0}` is no measurement; there are {list}", list = names().join(", "))]
    Unknown(String),
    /// The configuration of the measurement.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A scratch file.
    #[error("scratch file: {0}")]
    Io(#[from] std::io::Error),
    /// What was measured did not do what it should.
    #[error("{0}")]
    Wrong(String),
}

type Rows = Vec<(&'static str, BenchRow)>;
type Measure = fn(&Registry) -> Result<Rows, BenchError>;

/// The measurements, by the rows that they bring.
const MEASUREMENTS: &[(&[&str], Measure)] = &[
    (&["machine_gaps"], |_| latency::machine_gaps()),
    (&["replay_rate"], replay::replay_rate),
    (&["tick_to_order", "tick_to_order_service"], order::tick_to_order),
    (&["risk_chain"], order::risk_chain),
    (&["edge_hop", "edge_hop_bare"], |_| edge::hops()),
    (&["journal_append"], |_| journal::append()),
    (&["recovery"], recovery::recovery),
    (&["kill_latch"], |_| kill::latch()),
    (&["kill_cancel_all", "kill_load", "demo_orders"], |_| kill::cancel_all()),
];

/// The names of all rows.
pub fn names() -> Vec<&'static str> {
    MEASUREMENTS.iter().flat_map(|(names, _)| names.iter().copied()).collect()
}

/// Makes the measurements that bring the rows `wanted`, all if there are none; `watch` is told the
/// name of each before it begins.
///
/// # Errors
/// An unknown name, or a measurement that could not be made.
pub fn run(
    wanted: &[String],
    registry: &Registry,
    watch: &mut dyn FnMut(&str),
) -> Result<Bench, BenchError> {
    if let Some(unknown) = wanted.iter().find(|name| !names().contains(&name.as_str())) {
        return Err(BenchError::Unknown(unknown.clone()));
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let mut rows = BTreeMap::new();
    for (names, measure) in MEASUREMENTS {
        if names.iter().any(|name| is_wanted(name)) {
            watch(names[0]);
            let made = measure(registry)?;
            rows.extend(made.into_iter().map(|(name, row)| (name.to_owned(), row)));
        }
    }
    Ok(Bench(rows))
}

/// The configuration of the measurements: all checks on.
fn topology(registry: &Registry) -> Result<Topology, BenchError> {
    let text = include_str!("../../config/bench.toml");
    Ok(Topology::parse("config/bench.toml", text, &registry.vocabulary())?)
}

/// A file or folder that goes away with its guard.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("qtos-bench-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
    }
}
