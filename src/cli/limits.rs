//! `qtos limits`.

use super::args::{Global, LimitsArgs, LimitsCommand};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{ArmConfirm, LimitRequest, LimitResult, Limits, LimitsVersion};

/// Shows the limits, or changes one.
pub(super) fn run(args: &LimitsArgs, global: &Global) -> Result<Exit, CliError> {
    let show = LimitsCommand::Show(args.control.clone());
    match args.command.as_ref().unwrap_or(&show) {
        LimitsCommand::Show(control) => {
            let limits: Limits = Client::find(control, global)?.get("/v1/limits")?;
            global.print(&limits);
        }
        LimitsCommand::Set(args) => {
            let body = LimitRequest {
                control: args.name.clone(),
                scope: args.scope.clone(),
                value: args.value.clone(),
                reason: args.reason.clone(),
            };
            let client = Client::find(&args.control, global)?;
            let result: LimitResult = client.post("/v1/limits", Some(&body))?;
            global.print(&result);
        }
        LimitsCommand::Confirm(args) => {
            let body = ArmConfirm { challenge: args.challenge.clone() };
            let client = Client::find(&args.control, global)?;
            let version: LimitsVersion = client.post("/v1/limits/confirm", Some(&body))?;
            global.print(&version);
        }
    }
    Ok(Exit::Done)
}
