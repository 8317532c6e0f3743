//! What a refusal stands on, said to whoever was refused: the kills and holds in force, or the rows of
//! the control that objected and what is used of them.

use crate::actors::Core;
use crate::actors::risk::check::Look;
use crate::desk::Desk;
use crate::kill::Route;
use crate::msg::OrderRequest;
use crate::types::Reason;
use crate::wiring::Names;

/// The route of a request; `None` for one of an order or account that nobody knows.
pub(super) fn route(core: &Core, request: &OrderRequest) -> Option<Route> {
    let of = |id| core.oms.find(id).map(|(_, order)| order.route);
    match request {
        OrderRequest::New(new) => core.risk.route(new),
        OrderRequest::Replace(replace) => of(replace.orig_cl_ord_id),
        OrderRequest::Cancel(cancel) => of(cancel.orig_cl_ord_id),
    }
}

/// What the reason means, and what stands behind it as of now.
pub(super) fn grounds(desk: &Desk, names: &Names, reason: Reason, route: Option<Route>) -> String {
    let mut text = reason.text();
    let (Some(core), Some(route)) = (&desk.lane.core, route) else { return text };
    let mut facts = Vec::new();
    match reason {
        Reason::Kill => {
            let kills = core.risk.halts.kills().filter(|(scope, _)| route.covered_by(*scope));
            facts.extend(kills.map(|(scope, kill)| {
                let (scope, level) = (names.scope_name(scope), kill.level);
                format!("{scope} is at {level} since {}", kill.since)
            }));
        }
        Reason::Hold => {
            let holds = core.risk.halts.holds().filter(|(scope, ..)| route.covered_by(*scope));
            facts.extend(holds.map(|(scope, kind, since)| {
                format!("{} is held since {since}: {}", names.scope_name(scope), kind.name())
            }));
        }
        _ => {}
    }
    let look = Look { at: desk.now(), oms: &core.oms, market: &desk.lane.market };
    for check in core.risk.checks().iter().filter(|check| check.name() == reason.name()) {
        let rows = check.table().list().into_iter().filter(|(scope, _)| route.covered_by(*scope));
        facts.extend(rows.map(|(scope, value)| {
            let used = check.used(scope, &look).map(|used| format!(", {used} used"));
            let scope = names.scope_name(scope);
            format!("{} is {value} on {scope}{}", check.name(), used.unwrap_or_default())
        }));
    }
    for (place, fact) in facts.iter().enumerate() {
        text += if place == 0 { ": " } else { "; " };
        text += fact;
    }
    text
}
