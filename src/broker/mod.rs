//! Layer 5, outbound edges: broker sessions without input/output of their own.

pub mod alpaca;
pub mod reconnect;
pub mod sandbox;
pub mod session;

pub use alpaca::{AlpacaConfig, AlpacaSession, Credentials, Known};
pub use reconnect::Backoff;
pub use sandbox::{SandboxConfig, SandboxSession};
pub use session::{BrokerSession, Frame, Output, Pace};
