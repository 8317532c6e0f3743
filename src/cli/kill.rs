//! `qtos kill`.

use super::args::{Global, KillArgs};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{KillRequest, KillResult};

/// Raises a kill. When this returns done, the latch holds and is durable.
pub(super) fn run(args: &KillArgs, global: &Global) -> Result<Exit, CliError> {
    let KillArgs { scope, level, reason, control } = args;
    let body = KillRequest { scope: scope.clone(), level: *level, reason: reason.clone() };
    let result: KillResult = Client::find(control, global)?.post("/v1/kill", Some(&body))?;
    global.print(&result);
    Ok(Exit::Done)
}
