//! A program outside: it decides nothing here. Its orders come through the gateway's order entry, as
//! requests from outside, and count as those of this agent: scopes, limits, kills and positions.

use super::AgentSpec;
use crate::actors::agent::Agent;
use crate::actors::saved::Saved;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {}

#[derive(Debug, Serialize, Deserialize)]
struct Remote {}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let Params {} = spec.params()?;
    Ok(Box::new(Remote {}))
}

impl Agent for Remote {
    fn state(&self) -> Option<&dyn Saved> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(self)
    }
}
