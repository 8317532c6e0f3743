//! `qtos check`.

use super::args::{CheckArgs, Global};
use super::controls;
use super::{CliError, Exit};
use crate::types::BrokerId;
use crate::view::Check;
use crate::wiring::{FeedSource, Placement, Registry};

/// Checks the config file and prints its topology. It builds what the file describes, so that the
/// parameters of agents, exchanges, feeds and limits are checked as well.
///
/// # Errors
/// What is wrong, with file, line and column.
pub fn run(args: &CheckArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    let lane = topology.lane(registry, Placement::All)?;
    let board = topology.kill_board();
    for broker in 0..topology.brokers.len() {
        topology.in_process(BrokerId(broker as u8), &board, None)?;
    }
    for feed in &topology.feeds {
        if let FeedSource::Generated(params) = &feed.source {
            topology.generated_market(Some(params))?;
        }
    }
    if args.controls {
        let guardian = lane.core.map(|core| core.guardian).unwrap_or_default();
        global.print(&controls::list(args, global, &topology, &guardian));
        return Ok(Exit::Done);
    }
    let file = topology.source().file().to_owned();
    global.print(&Check { ok: true, file, topology: topology.to_string() });
    Ok(Exit::Done)
}
