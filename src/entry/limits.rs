//! Limits as an operator sees and changes them. What only tightens holds at once; what loosens takes
//! two steps. Every change is an input of the core and stands in the journal with who and why.

use super::gateway::Refusal;
use crate::actors::guardian::{Guardian, View};
use crate::actors::risk::Proposal;
use crate::actors::risk::check::Look;
use crate::desk::Desk;
use crate::kill::StepError;
use crate::live::Handle;
use crate::msg::LimitsChange;
use crate::types::{LimitRow, LimitValue, Scope};
use crate::view::{
    ArmChallenge, ControlView, LimitRequest, LimitResult, LimitView, Limits, LimitsVersion,
};
use crate::wiring::Topology;

impl From<StepError> for Refusal {
    fn from(error: StepError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Every row as it stands, with what is used of it.
pub(super) fn show(desk: &Desk, topology: &Topology) -> Limits {
    let Some(core) = &desk.lane.core else {
        return Limits { version: 0, limits: Vec::new(), rules: Vec::new() };
    };
    let look = Look { at: desk.now(), oms: &core.oms, market: &desk.lane.market };
    let mut limits = Vec::new();
    for check in core.risk.checks() {
        let denied = core
            .denied()
            .filter(|(_, reason, _)| reason.name() == check.name())
            .map(|(.., count)| count)
            .sum();
        for (scope, value) in check.table().list() {
            limits.push(LimitView {
                control: check.name().to_owned(),
                scope: topology.names.scope_name(scope),
                value,
                used: check.used(scope, &look),
                denied,
            });
        }
    }
    let view = View { at: desk.now(), oms: &core.oms, risk: &core.risk, market: &desk.lane.market };
    let rules = rules(&core.guardian, Some(&view), topology);
    Limits { version: core.risk.limits_version(), limits, rules }
}

/// Every rule of the guardian: a row for each scope that has come nearer to it, at least one.
pub fn rules(
    guardian: &Guardian,
    view: Option<&View<'_>>,
    topology: &Topology,
) -> Vec<ControlView> {
    let mut rows = Vec::new();
    for (rule, value) in guardian.rules() {
        let row = |scope, used| ControlView {
            id: rule.control.unwrap_or("-").to_owned(),
            name: rule.rule.name().to_owned(),
            acts: "guardian".to_owned(),
            scope,
            value: value.to_owned(),
            used,
        };
        let used = view.map(|view| guardian.used(rule.rule, view)).unwrap_or_default();
        if used.is_empty() {
            rows.push(row(None, None));
        }
        let named = |(scope, used)| row(Some(topology.names.scope_name(scope)), Some(used));
        rows.extend(used.into_iter().map(named));
    }
    rows
}

/// Sets a limit, or hands out the challenge for it.
pub(super) fn set(
    handle: &Handle,
    scope: Scope,
    wish: LimitRequest,
) -> Result<LimitResult, Refusal> {
    if wish.reason.trim().len() < 3 {
        return Err(Refusal::Invalid("a reason of at least 3 characters is needed".to_owned()));
    }
    let LimitRequest { control, scope: scope_name, value, reason } = wish;
    let text = LimitValue::Text(value.clone());
    let row = LimitRow { control: control.clone(), scope, value: text, line: 0 };
    let proposal = handle
        .call(move |desk, _, _| desk.lane.core.as_ref().map(|core| core.risk.propose(row)))?
        .ok_or_else(|| Refusal::Unavailable("no core".to_owned()))?
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    let Proposal { version, rows, tightens, old } = proposal;
    let change = LimitsChange { version, rows, who: "operator".to_owned(), why: reason };
    let mut result = LimitResult {
        control,
        scope: scope_name,
        before: old,
        value,
        applied: tightens,
        version,
        challenge: None,
    };
    if tightens {
        apply(handle, change)?;
    } else {
        let (challenge, expires_seconds) = handle.ask_limits(change, &facts(version))?;
        result.version = version - 1;
        let facts = vec!["it lets through what is held back now".to_owned()];
        result.challenge = Some(ArmChallenge { challenge, expires_seconds, facts });
    }
    Ok(result)
}

/// Second step of a limit that loosens.
pub(super) fn confirm(handle: &Handle, challenge: &str) -> Result<LimitsVersion, Refusal> {
    let now = version(handle)?;
    let change = handle.confirm_limits(challenge, &facts(now + 1))?;
    let version = change.version;
    apply(handle, change)?;
    Ok(LimitsVersion { version })
}

/// What a challenge is bound to: no other change may come in between.
fn facts(version: u32) -> String {
    format!("limits version {version}")
}

fn version(handle: &Handle) -> Result<u32, Refusal> {
    let version =
        |desk: &mut Desk| desk.lane.core.as_ref().map_or(0, |core| core.risk.limits_version());
    Ok(handle.call(move |desk, _, _| version(desk))?)
}

fn apply(handle: &Handle, change: LimitsChange) -> Result<(), Refusal> {
    let wanted = change.clone();
    handle.set_limits(change)?;
    let in_force = handle.call(move |desk, _, _| {
        desk.lane.core.as_ref().is_some_and(|core| core.risk.has_limits(&wanted))
    })?;
    if in_force {
        Ok(())
    } else {
        Err(Refusal::Refused("the limits were changed by somebody else: look again".to_owned()))
    }
}
