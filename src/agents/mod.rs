//! Layer 6, the agents that ship. Each is one file against the public [`Agent`] trait, as an
//! outsider's would be, and one row in [`AGENTS`].

mod ema_cross;
#[cfg(feature = "inject")]
mod faulty;
mod observer;
mod quoter;
mod remote;

use crate::actors::agent::Agent;
use crate::types::{InstrumentId, InstrumentTable};
use serde::de::DeserializeOwned;

/// What an agent is built from.
#[derive(Debug)]
pub struct AgentSpec<'a> {
    /// Its `params` table.
    pub params: &'a toml::Table,
    /// The instruments that it subscribes to, at least one.
    pub symbols: &'a [InstrumentId],
    /// All instruments.
    pub instruments: &'a InstrumentTable,
}

impl AgentSpec<'_> {
    /// The parameters as the agent's own struct; unknown keys are an error of that struct.
    ///
    /// # Errors
    /// The key that is missing, unknown or of the wrong type.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.params.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

/// Builds an agent of a kind.
pub type BuildAgent = fn(&AgentSpec<'_>) -> Result<Box<dyn Agent>, String>;

/// The kind of agent whose orders come through the order entry.
pub const REMOTE: &str = "remote";

/// The kinds that ship, by the name that the configuration uses.
pub const AGENTS: &[(&str, BuildAgent)] = &[
    ("ema_cross", ema_cross::build),
    #[cfg(feature = "inject")]
    ("faulty", faulty::build),
    ("observer", observer::build),
    ("quoter", quoter::build),
    (REMOTE, remote::build),
];
