//! `qtos check --controls`: every control C1 to C28 and where it acts.

use super::args::{CheckArgs, Global};
use super::client::Client;
use crate::actors::risk::CHECKS;
use crate::view::{ControlView, Controls, LimitView, Limits};
use crate::wiring::Topology;

/// Rules that have no rows: number, name, where they act, value.
const RULES: &[(&str, &str, &str, &str)] = &[
    ("C13", "parent_qty", "wire", "always"),
    ("C23", "live_gate", "start", "mode and QTOS_LIVE_TRADING_ENABLED must agree"),
    ("C26", "reduce_only", "risk, wire", "by kill level"),
    ("C27", "reconciliation", "order manager", "boot, reconnect, reconcile_every"),
    ("C28", "operator_confirm", "api", "50% of a limit"),
];

/// Controls that the gate at the wire holds an approval to.
const AT_WIRE: [&str; 2] = ["approval_age", "message_budget"];

/// The controls as a running gateway has them, else as the file does.
pub(super) fn list(args: &CheckArgs, global: &Global, topology: &Topology) -> Controls {
    let running: Option<Limits> =
        Client::find(&args.control, global).ok().and_then(|client| client.get("/v1/limits").ok());
    let written = || {
        let rows = topology.limits.iter().filter(|row| !row.value.is_off());
        let view = rows.map(|row| LimitView {
            control: row.control.clone(),
            scope: topology.names.scope_name(row.scope),
            value: row.value.to_string(),
            used: None,
            denied: 0,
        });
        view.collect()
    };
    let limits: Vec<LimitView> = match &running {
        Some(running) => running.limits.clone(),
        None => written(),
    };
    let mut controls = Vec::new();
    for control in CHECKS {
        let acts = if AT_WIRE.contains(&control.name) { "wire" } else { "risk" };
        let row = |scope, value: &str, used| ControlView {
            id: control.id.to_owned(),
            name: control.name.to_owned(),
            acts: acts.to_owned(),
            scope,
            value: value.to_owned(),
            used,
        };
        let before = controls.len();
        for limit in limits.iter().filter(|limit| limit.control == control.name) {
            controls.push(row(Some(limit.scope.clone()), &limit.value, limit.used.clone()));
        }
        if controls.len() == before {
            controls.push(row(None, "off", None));
        }
    }
    controls.extend(RULES.iter().map(|(id, name, acts, value)| ControlView {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        acts: (*acts).to_owned(),
        scope: None,
        value: (*value).to_owned(),
        used: None,
    }));
    controls.sort_by_key(|row| row.id.trim_start_matches('C').parse::<u8>().unwrap_or(u8::MAX));
    Controls { running: running.is_some(), controls }
}
