//! `qtos arm`.

use super::args::{ArmArgs, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{ArmChallenge, ArmConfirm, ArmRequest, ArmResult};

/// One of the two steps.
pub(super) fn run(args: &ArmArgs, global: &Global) -> Result<Exit, CliError> {
    let client = Client::find(&args.control, global)?;
    match (&args.confirm, &args.scope, &args.reason) {
        (Some(challenge), _, _) => {
            let body = ArmConfirm { challenge: challenge.clone() };
            let result: ArmResult = client.post("/v1/arm/confirm", Some(&body))?;
            global.print(&result);
        }
        (None, Some(scope), Some(reason)) => {
            let body = ArmRequest { scope: scope.clone(), reason: reason.clone() };
            let challenge: ArmChallenge = client.post("/v1/arm", Some(&body))?;
            global.print(&challenge);
        }
        _ => return Err(CliError::usage("arm needs --scope and --reason, or --confirm")),
    }
    Ok(Exit::Done)
}
