//! Layer 5, outbound edges: broker sessions without input/output of their own.

pub mod alpaca;
pub mod figures;
pub mod sandbox;
pub mod session;

pub use crate::net::Backoff;
pub use alpaca::{AlpacaConfig, AlpacaSession, Credentials, Known};
pub use figures::{Counted, SessionFigures};
pub use sandbox::{SandboxConfig, SandboxSession};
pub use session::{BrokerSession, Frame, Output, Pace};
