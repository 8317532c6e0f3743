//! The section of the order entry.

use super::build::Reader;
use super::config::{AlpacaEntrySection, EntrySection};
use super::source::ConfigError;
use super::topology::{AgentSpec, AlpacaEntrySpec};
use crate::agents::REMOTE;
use std::num::NonZeroU32;

/// Requests a minute that the real venue allows.
const RATE: u32 = 200;

/// What the section means; it needs an agent whose program is outside.
pub(super) fn read(
    read: &Reader<'_>,
    section: EntrySection,
    agents: &[AgentSpec],
) -> Result<Option<AlpacaEntrySpec>, ConfigError> {
    let Some(section) = section.alpaca else { return Ok(None) };
    if !agents.iter().any(|agent| agent.kind == REMOTE) {
        let message = "[entry.alpaca] needs an [[agent]] with kind = \"remote\"";
        return Err(read.at(&section, message));
    }
    let AlpacaEntrySection { listen, rate } = section.into_inner();
    if !listen.as_ref().0.ip().is_loopback() {
        let message = "`listen` must be a loopback address such as 127.0.0.1:9200: the order entry is not for the network";
        return Err(read.at(&listen, message));
    }
    let rate = rate.map_or(RATE, NonZeroU32::get);
    Ok(Some(AlpacaEntrySpec { listen: listen.into_inner().0, rate }))
}
