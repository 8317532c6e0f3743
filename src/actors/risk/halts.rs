//! Kills, holds and agent states as inputs and the guardian made them. The atomics at the wire say
//! the same, and a kill from outside earlier; this copy is what a replay sees.

use crate::kill::{Effect, Route};
use crate::msg::{AgentState, Control, HoldKind, KillOrder, Rule};
use crate::types::{AgentId, BrokerId, KillLevel, Nanos, Reason, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kill in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// How hard.
    pub level: KillLevel,
    /// Number of the trip.
    pub episode: u64,
    /// Since when.
    pub since: Timestamp,
    /// The automatic trigger behind it.
    pub rule: Option<Rule>,
    /// How long it cannot be armed, where the core decided it.
    pub cool_off: Nanos,
}

/// What stands in the way of new orders.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Halts {
    kills: BTreeMap<Scope, Kill>,
    /// With the time since when.
    holds: BTreeMap<(Scope, HoldKind), Timestamp>,
    agents: BTreeMap<AgentId, AgentState>,
}

impl Halts {
    /// Takes in a control message.
    pub fn apply(&mut self, at: Timestamp, control: &Control) {
        match control {
            Control::Kill(KillOrder { scope, level, episode, rule, .. }) => {
                let (level, episode, rule) = (*level, *episode, *rule);
                self.kill(*scope, Kill { level, episode, since: at, rule, cool_off: Nanos(0) });
            }
            // An arm ends the trip it names, and no other: one that came since stands.
            Control::Arm(arm) => {
                if self.kills.get(&arm.scope).is_some_and(|kill| kill.episode == arm.episode) {
                    self.kills.remove(&arm.scope);
                }
            }
            Control::Hold { scope, kind, on } => self.hold(at, *scope, *kind, *on),
            Control::Agent { agent, state } => self.set_agent(*agent, *state),
            // Conditions of the run before; those that still hold are found anew.
            Control::Boot { .. } => self.holds.clear(),
            Control::Limits(_)
            | Control::Flatten { .. }
            | Control::Heartbeat
            | Control::CorporateAction(_) => {}
        }
    }

    /// Raises a scope. One that stands as high or higher keeps its level and its trip; a finding of the
    /// guardian on that trip adds its rule and its cool-off.
    pub fn kill(&mut self, scope: Scope, kill: Kill) {
        let stands = self.kills.entry(scope).or_insert(kill);
        if planted!(LowerKillWins, kill.level > stands.level, true) {
            *stands = kill;
        } else if kill.episode == stands.episode {
            let cooled = (kill.since + kill.cool_off).since(stands.since);
            stands.rule = kill.rule.or(stands.rule);
            stands.cool_off = stands.cool_off.max(cooled);
        }
    }

    /// Begins or ends a hold.
    pub fn hold(&mut self, at: Timestamp, scope: Scope, kind: HoldKind, on: bool) {
        if on {
            self.holds.entry((scope, kind)).or_insert(at);
        } else {
            self.holds.remove(&(scope, kind));
        }
    }

    /// Sets whether an agent runs.
    pub fn set_agent(&mut self, agent: AgentId, state: AgentState) {
        self.agents.insert(agent, state);
    }

    /// Whether an agent runs.
    pub fn agent(&self, agent: AgentId) -> AgentState {
        self.agents.get(&agent).copied().unwrap_or_default()
    }

    /// Holds in force.
    pub fn holds(&self) -> impl Iterator<Item = (Scope, HoldKind, Timestamp)> {
        self.holds.iter().map(|((scope, kind), since)| (*scope, *kind, *since))
    }

    /// The kill level that holds for an order.
    #[inline]
    pub fn level(&self, route: Route) -> KillLevel {
        self.covering(route).map(|kill| kill.level).max().unwrap_or_default()
    }

    #[inline]
    fn covering(&self, route: Route) -> impl Iterator<Item = &Kill> {
        self.kills.iter().filter(move |(scope, _)| route.covered_by(**scope)).map(|(_, kill)| kill)
    }

    /// The service is ending: open orders go.
    pub fn draining(&self) -> bool {
        self.holds.contains_key(&(Scope::Global, HoldKind::Draining))
    }

    /// Kills in force.
    pub fn kills(&self) -> impl Iterator<Item = (Scope, Kill)> {
        self.kills.iter().map(|(scope, kill)| (*scope, *kill))
    }

    /// The kill of one scope alone.
    pub fn kill_of(&self, scope: Scope) -> Option<Kill> {
        self.kills.get(&scope).copied()
    }

    /// The kill level of one scope alone.
    pub fn level_of(&self, scope: Scope) -> KillLevel {
        self.kill_of(scope).map_or(KillLevel::Normal, |kill| kill.level)
    }

    /// The kill level of a broker and everything above it: what covers orders that are not ours.
    pub fn level_of_broker(&self, broker: BrokerId) -> KillLevel {
        self.level_of(Scope::Global).max(self.level_of(Scope::Broker(broker)))
    }

    /// Whether the kills in force let a request with this effect pass.
    #[inline]
    pub fn kills_allow(&self, route: Route, effect: Effect) -> bool {
        self.covering(route).all(|kill| effect.allowed_at(kill.level))
    }

    /// Whether a hold covers an order.
    #[inline]
    pub fn held(&self, route: Route) -> bool {
        self.holds.keys().any(|(scope, _)| route.covered_by(*scope))
    }

    /// Whether a request with this effect may pass.
    ///
    /// # Errors
    /// [`Reason::Kill`] or [`Reason::Hold`].
    #[inline]
    pub fn allow(&self, route: Route, effect: Effect) -> Result<(), Reason> {
        if !self.kills_allow(route, effect) {
            return Err(Reason::Kill);
        }
        if planted!(HoldIgnored, self.held(route), false) {
            return Err(Reason::Hold);
        }
        Ok(())
    }
}
