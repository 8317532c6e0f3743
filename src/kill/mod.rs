//! Layer 3, the kill switch: an atomic that only rises, read in the call that starts a write.
//!
//! Read `board.rs` first; it is the only thing that stands between an approved order and a socket.
//! `latch.rs` is what survives a restart, `arm.rs` the only way down.

pub mod arm;
pub mod board;
pub mod latch;
pub mod two_step;

pub use arm::{ArmDesk, ArmError};
pub use board::{Effect, KillBoard, Permit, Route, Writer};
pub use latch::{Latch, LatchError, Trip};
pub use two_step::{StepError, TwoStep};

#[cfg(test)]
mod interleavings;
