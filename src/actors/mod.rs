//! Layer 4, decisions: deterministic state machines. Nothing here can touch the world: no clock, no
//! file, no socket, no thread, no randomness but what arrives as an input (INV-2).
//!
//! Read `lane.rs` first: [`step`] is the only place where an actor is called.

pub mod agent;
pub mod core;
pub mod enforce;
pub mod guardian;
pub mod lane;
pub mod market;
pub mod notice;
pub mod oms;
pub mod risk;
pub mod saved;
#[cfg(test)]
mod tests;

pub use self::core::{Core, CoreOut, Tally};
pub use lane::{Lane, Outbox, agent_state, step, step_market};
pub use notice::Notice;
