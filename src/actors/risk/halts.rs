//! Kills, holds and agent states as inputs made them. The atomics at the wire say the same earlier;
//! this copy is what a replay sees.

use crate::kill::{Effect, Route};
use crate::msg::{AgentState, Control, HoldKind};
use crate::types::{AgentId, BrokerId, KillLevel, Reason, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What stands in the way of new orders.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Halts {
    kills: BTreeMap<Scope, KillLevel>,
    /// With the time since when.
    holds: BTreeMap<(Scope, HoldKind), Timestamp>,
    agents: BTreeMap<AgentId, AgentState>,
}

impl Halts {
    /// Takes in a control message.
    pub fn apply(&mut self, at: Timestamp, control: &Control) {
        match control {
            Control::Kill(kill) => {
                let level = self.kills.entry(kill.scope).or_default();
                *level = (*level).max(kill.level);
            }
            Control::Arm(arm) => {
                if arm.level == KillLevel::Normal {
                    self.kills.remove(&arm.scope);
                } else {
                    self.kills.insert(arm.scope, arm.level);
                }
            }
            Control::Hold { scope, kind, on } => self.hold(at, *scope, *kind, *on),
            Control::Agent { agent, state } => self.set_agent(*agent, *state),
            // Conditions of the run before; those that still hold are found anew.
            Control::Boot { .. } => self.holds.clear(),
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
        if self.kills.is_empty() {
            return KillLevel::Normal;
        }
        self.kills
            .iter()
            .filter(|(scope, _)| route.covered_by(**scope))
            .map(|(_, level)| *level)
            .max()
            .unwrap_or_default()
    }

    /// The service is ending: open orders go.
    pub fn draining(&self) -> bool {
        self.holds.contains_key(&(Scope::Global, HoldKind::Draining))
    }

    /// Kills in force.
    pub fn kills(&self) -> impl Iterator<Item = (Scope, KillLevel)> {
        self.kills.iter().map(|(scope, level)| (*scope, *level))
    }

    /// The kill level of a broker and everything above it: what covers orders that are not ours.
    pub fn level_of_broker(&self, broker: BrokerId) -> KillLevel {
        let of = |scope| self.kills.get(&scope).copied().unwrap_or_default();
        of(Scope::Global).max(of(Scope::Broker(broker)))
    }

    /// Whether a request with this effect may pass.
    ///
    /// # Errors
    /// [`Reason::Kill`] or [`Reason::Hold`].
    #[inline]
    pub fn allow(&self, route: Route, effect: Effect) -> Result<(), Reason> {
        if !effect.allowed_at(self.level(route)) {
            return Err(Reason::Kill);
        }
        if self.holds.keys().any(|(scope, _)| route.covered_by(*scope)) {
            return Err(Reason::Hold);
        }
        Ok(())
    }
}
