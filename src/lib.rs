//! qtos-gateway: an execution gateway. Actors decide, drivers deliver.
//!
//! The modules below stand in the order of their layers; each may use only those above it in this
//! list (`tests/tidy.rs` checks it). `ARCHITECTURE.md` is the map.

#![forbid(unsafe_code)]
#![deny(unused, missing_docs)]

// 0: what threads share, and bugs to find
#[macro_use]
pub mod planted;
mod sync;

// 1: values
pub mod types;
// 2: vocabulary, what outlives the process, and the bytes of connections
pub mod disk;
pub mod msg;
pub mod net;
// 3: memory and the kill switch
pub mod journal;
pub mod kill;
// 4: decisions, and the words of a broker's wire
pub mod actors;
pub mod alpaca;
// 5: edges without input/output of their own
pub mod broker;
pub mod feed;
pub mod venue;
// 6: the agents that ship, and the way from decision to wire
pub mod agents;
pub mod desk;
// 7: composition and border values
pub mod view;
pub mod wiring;
// 8: drivers, and trouble on purpose
pub mod chaos;
pub mod live;
pub mod replay;
pub mod sim;
// 9: what comes in from outside, and measurements
pub mod bench;
pub mod entry;
// 10: the command line
pub mod cli;

/// The whole command line of `qtos` with the agents of `registry`: all of `main` for a program that
/// brings agents of its own.
pub fn run(registry: &wiring::Registry) -> std::process::ExitCode {
    let engine = |command, global: &cli::args::Global| cli::engine(&command, global, registry);
    cli::run(std::env::args_os(), engine).into()
}
