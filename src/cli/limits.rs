//! `qtos limits`.

use super::args::{ControlArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Limits;

/// Shows the limits.
pub(super) fn run(args: &ControlArgs, global: &Global) -> Result<Exit, CliError> {
    let limits: Limits = Client::find(args, global)?.get("/v1/limits")?;
    global.print(&limits);
    Ok(Exit::Done)
}
