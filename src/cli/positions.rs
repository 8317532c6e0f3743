//! `qtos positions`.

use super::args::{ControlArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Positions;

/// Lists positions.
pub(super) fn run(args: &ControlArgs, global: &Global) -> Result<Exit, CliError> {
    let positions: Positions = Client::find(args, global)?.get("/v1/positions")?;
    global.print(&positions);
    Ok(Exit::Done)
}
