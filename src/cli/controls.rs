//! `qtos check --controls`: every control C1 to C28, every rule of the guardian, every automatic trigger,
//! and where each acts.

use super::args::{CheckArgs, Global};
use super::client::Client;
use crate::actors::guardian::Guardian;
use crate::actors::risk::CHECKS;
use crate::entry::rules;
use crate::msg::Rule;
use crate::view::{ControlView, Controls, LimitView, Limits};
use crate::wiring::Topology;

/// Controls that have no rows: number, name, where they act, value.
const RULES: &[(&str, &str, &str, &str)] = &[
    ("C13", "parent_qty", "wire", "always"),
    ("C23", "live_gate", "start", "mode and QTOS_LIVE_TRADING_ENABLED must agree"),
    ("C26", "reduce_only", "risk, wire", "by kill level"),
    ("C27", "reconciliation", "order manager", "boot, reconnect, reconcile_every"),
    ("C28", "operator_confirm", "api", "50% of a limit"),
];

/// What raises kills outside of the guardian.
fn triggers(topology: &Topology) -> Vec<ControlView> {
    let restarts = topology.restarts;
    let rows = [
        (Rule::RestartBudget, format!("{}/{}", restarts.restarts, restarts.window)),
        (Rule::JournalError, "always".to_owned()),
        (Rule::CoreStalled, "always".to_owned()),
    ];
    let view = |(rule, value): (Rule, String)| ControlView {
        id: "-".to_owned(),
        name: rule.name().to_owned(),
        acts: "supervision".to_owned(),
        scope: None,
        value,
        used: None,
    };
    rows.into_iter().map(view).collect()
}

/// Controls that the gate at the wire holds an approval to.
const AT_WIRE: [&str; 2] = ["approval_age", "message_budget"];

/// The controls as a running gateway has them, else as the file does.
pub(super) fn list(
    args: &CheckArgs,
    global: &Global,
    topology: &Topology,
    guardian: &Guardian,
) -> Controls {
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
    controls.extend(match running.as_ref() {
        Some(running) => running.rules.clone(),
        None => rules(guardian, None, topology),
    });
    controls.extend(triggers(topology));
    controls.sort_by_key(|row| row.id.trim_start_matches('C').parse::<u8>().unwrap_or(u8::MAX));
    Controls { running: running.is_some(), controls }
}
