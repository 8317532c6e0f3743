//! `qtos drill`.

use super::args::{DrillArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{DrillResult, KillRequest};

/// Raises a kill for practice and prints its times.
pub(super) fn run(args: &DrillArgs, global: &Global) -> Result<Exit, CliError> {
    let DrillArgs { scope, level, reason, control } = args;
    let body = KillRequest { scope: scope.clone(), level: *level, reason: reason.clone() };
    let result: DrillResult = Client::find(control, global)?.post("/v1/drill", Some(&body))?;
    global.print(&result);
    Ok(Exit::Done)
}
