//! Layer 5, outbound edges: broker sessions without input/output of their own.

pub mod sandbox;
pub mod session;

pub use crate::net::Backoff;
pub use sandbox::{SandboxConfig, SandboxSession};
pub use session::{BrokerSession, Frame, Output};
