//! Corporate actions as an operator gives them: an input of the core, and a line of the audit file.

use super::gateway::Refusal;
use super::show::as_json;
use crate::actors::oms::ActionError;
use crate::live::{Act, Handle};
use crate::msg::{ActionKind, Control, CorporateAction, Input};
use crate::types::{Date, InstrumentId};
use crate::view::ActionResult;

/// Gives an action to the core, for today without a date.
pub(super) fn give(
    handle: &Handle,
    instrument: InstrumentId,
    kind: ActionKind,
    on: Option<Date>,
    reason: &str,
) -> Result<ActionResult, Refusal> {
    let given = handle.call(move |desk, at, _| {
        let core = desk.lane.core.as_ref()?;
        let on = on.unwrap_or_else(|| core.oms.books.date());
        let action = CorporateAction { instrument, on, kind };
        if let Err(error) = core.oms.check_action(&action) {
            return Some(Err(error));
        }
        desk.deliver(at, &Input::Control(Control::CorporateAction(action)));
        let actions = &desk.lane.core.as_ref()?.oms.actions;
        let waits = actions.waiting().any(|waiting| *waiting == action);
        Some(Ok((on, waits, actions.is_settling(instrument))))
    })?;
    let given = given.ok_or_else(|| Refusal::Unavailable("no core".to_owned()))?;
    let symbol = handle.topology().names.instruments().get(instrument).symbol.clone();
    let scope = format!("symbol:{symbol}");
    let (on, waits, held) = given.map_err(|error| match error {
        ActionError::Again | ActionError::Untold => Refusal::Refused(error.to_string()),
        _ => Refusal::Invalid(error.to_string()),
    })?;
    tracing::warn!(%symbol, ?kind, %on, reason, "corporate action");
    let act = Act::new("operator", "corporate_action", &scope, reason);
    handle.note(act.changed("", format!("{} on {on}", as_json(&kind))));
    Ok(ActionResult { symbol, on, waits, held })
}
