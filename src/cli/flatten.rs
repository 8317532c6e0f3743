//! `qtos flatten`.

use super::args::{FlattenArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{FlattenRequest, FlattenResult};

/// Closes positions; refused where one exit was.
pub(super) fn run(args: &FlattenArgs, global: &Global) -> Result<Exit, CliError> {
    let body = FlattenRequest { scope: args.scope.clone(), reason: args.reason.clone() };
    let result: FlattenResult =
        Client::find(&args.control, global)?.post("/v1/flatten", Some(&body))?;
    global.print(&result);
    Ok(if result.denied.is_empty() { Exit::Done } else { Exit::Refused })
}
