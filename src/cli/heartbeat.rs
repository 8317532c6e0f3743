//! `qtos heartbeat`.

use super::args::{ControlArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Heartbeat;

/// Tells the gateway that an operator is there.
pub(super) fn run(args: &ControlArgs, global: &Global) -> Result<Exit, CliError> {
    let heard: Heartbeat = Client::find(args, global)?.post("/v1/heartbeat", None::<&()>)?;
    global.print(&heard);
    Ok(Exit::Done)
}
