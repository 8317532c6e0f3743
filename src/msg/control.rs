//! Control: decisions of operators, the guardian and the driver, as inputs like any other.

use super::Rule;
use crate::types::{AgentId, Date, InstrumentId, KillLevel, LimitRow, Price, Scope};
use serde::{Deserialize, Serialize};

/// One control message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Control {
    /// A boot of the gateway: client order ids of this run carry these two numbers.
    Boot {
        /// Random tag of the state folder.
        instance: u32,
        /// Boot number.
        epoch: u32,
    },
    /// A kill was raised. The atomic latch is set already; this makes the core's state agree.
    Kill(KillOrder),
    /// A kill was lowered by the two-step arm.
    Arm(KillOrder),
    /// A hold began or ended.
    Hold {
        /// What it covers.
        scope: Scope,
        /// Which condition.
        kind: HoldKind,
        /// Began or ended.
        on: bool,
    },
    /// An agent is to run, pause or stay out.
    Agent {
        /// Which agent.
        agent: AgentId,
        /// Its state from now on.
        state: AgentState,
    },
    /// Other limits hold from now on.
    Limits(LimitsChange),
    /// An operator wants the positions in a scope closed, now and once.
    Flatten {
        /// Which positions.
        scope: Scope,
        /// Who and why, in the words given.
        reason: String,
    },
    /// An operator is at the console: what the dead-man rule waits for.
    Heartbeat,
    /// A corporate action takes effect when its trading day begins.
    CorporateAction(CorporateAction),
}

/// A corporate action, as an operator gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CorporateAction {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// The trading day at whose start it takes effect; at once if that is past.
    pub on: Date,
    /// What.
    pub kind: ActionKind,
}

/// Kinds of corporate actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActionKind {
    /// `denominator` units become `numerator`.
    Split {
        /// Units after it.
        numerator: u32,
        /// Units before it.
        denominator: u32,
    },
    /// Cash to those that are long, from those that are short.
    CashDividend {
        /// In the instrument's currency.
        per_unit: Price,
    },
}

/// A new version of the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsChange {
    /// One more than the version that it takes the place of; with another number it changes nothing.
    pub version: u32,
    /// Every row that holds from now on.
    pub rows: Vec<LimitRow>,
    /// Who changed it.
    pub who: String,
    /// Why, in the words given.
    pub why: String,
}

/// A kill or an arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillOrder {
    /// What it covers.
    pub scope: Scope,
    /// The level from now on.
    pub level: KillLevel,
    /// Who and why, in the words given.
    pub reason: String,
    /// Number of the trip; an arm names the trip it ends.
    pub episode: u64,
    /// The automatic trigger behind it; none for what a person did.
    pub rule: Option<Rule>,
}

/// A condition that blocks new orders while it is true (Decision 7). Each has its row in
/// `runbooks/README.md` (INV-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The broker's orders and positions are not confirmed.
    Unreconciled,
    /// The broker's link is down.
    StreamDown,
    /// The broker's position is not ours.
    PositionMismatch,
    /// A lane does not move.
    Stalled,
    /// The service is ending.
    Draining,
    /// The system's time was set.
    ClockStep,
    /// A split that not every broker has shown yet.
    CorporateAction,
    /// The broker refuses the gateway's credentials.
    Unauthorized,
    /// A rule of the guardian that is set to hold found something.
    Guardian(Rule),
}

impl HoldKind {
    /// The kind's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreconciled => "unreconciled",
            Self::StreamDown => "stream_down",
            Self::PositionMismatch => "position_mismatch",
            Self::Stalled => "stalled",
            Self::Draining => "draining",
            Self::ClockStep => "clock_step",
            Self::CorporateAction => "corporate_action",
            Self::Unauthorized => "unauthorized",
            Self::Guardian(rule) => rule.name(),
        }
    }
}

/// Whether an agent is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Called, and its requests are heard.
    #[default]
    Running,
    /// Called, but its new orders are refused until resumed.
    Paused,
    /// It panicked or broke its budget: not called, orders cancelled, until an operator resumes it.
    Quarantined,
}

impl AgentState {
    /// The state's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Quarantined => "quarantined",
        }
    }
}
