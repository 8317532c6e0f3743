//! `qtos status`.

use super::args::{ControlArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Status;

/// Everything at a glance.
pub(super) fn run(args: &ControlArgs, global: &Global) -> Result<Exit, CliError> {
    let status: Status = Client::find(args, global)?.get("/v1/status")?;
    global.print(&status);
    Ok(Exit::Done)
}
