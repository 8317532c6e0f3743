//! `qtos fills`.

use super::args::{FillsArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Fills;

/// Lists executions.
pub(super) fn run(args: &FillsArgs, global: &Global) -> Result<Exit, CliError> {
    let path = format!("/v1/fills?limit={}", args.limit);
    let fills: Fills = Client::find(&args.control, global)?.get(&path)?;
    global.print(&fills);
    Ok(Exit::Done)
}
