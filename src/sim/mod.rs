//! Driver C: simulated sessions. The production actors, journal, gates and broker sessions against
//! adversarial brokers, a faulty network and a faulty disk, on one virtual clock and one seed.
//!
//! `plan.rs` draws a session from its seed, `world.rs` runs it, `watch.rs` checks what must hold after
//! every event, `oracle.rs` compares books and ledgers at the end.

pub mod agent;
mod alpaca;
mod approval;
mod bounds;
mod broker;
pub mod campaign;
mod dice;
mod duty;
pub mod fault;
mod losses;
mod market;
#[cfg(feature = "mutants")]
pub mod mutants;
mod oracle;
pub mod plan;
mod port;
mod process;
pub mod scenario;
mod shown;
mod truth;
mod watch;
pub mod world;
mod worst;

pub use fault::Fault;
pub use plan::{Broker, Plan};
pub use watch::Violation;
pub use world::{Outcome, run};
