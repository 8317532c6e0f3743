//! `qtos corporate-action`.

use super::args::{ActionArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{ActionRequest, ActionResult};

/// Has a split or a dividend booked, now or when a trading day begins.
pub(super) fn run(args: &ActionArgs, global: &Global) -> Result<Exit, CliError> {
    let body = ActionRequest {
        symbol: args.symbol.clone(),
        split: args.split.clone(),
        dividend: args.dividend,
        on: args.on,
        reason: args.reason.clone(),
    };
    let result: ActionResult =
        Client::find(&args.control, global)?.post("/v1/corporate-actions", Some(&body))?;
    global.print(&result);
    Ok(Exit::Done)
}
