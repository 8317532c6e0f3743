//! Layer 5, outbound edges: broker sessions without input/output of their own.

pub mod session;

pub use session::{BrokerSession, Frame, Output};
