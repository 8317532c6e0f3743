//! What the guardian watches, and what it did about it.

use crate::types::{KillLevel, Nanos, Scope};
use serde::{Deserialize, Serialize};

/// A rule of the guardian, or an automatic trigger of the driver. Each has its row in
/// `runbooks/README.md` (INV-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// C15: the day's loss came near its limit, or passed it.
    DailyLoss,
    /// C16: equity fell too far below its peak.
    Drawdown,
    /// C17: the broker refuses too many of an agent's orders.
    RejectStorm,
    /// C18: several fills in a row were far from the price at arrival.
    Slippage,
    /// Too many of an agent's requests were denied, or one for a reason that stops it.
    Denials,
    /// An order has been in doubt for too long.
    InDoubt,
    /// The broker's position is not ours, and nothing has explained it.
    PositionMismatch,
    /// The broker's link is down or unconfirmed for too long.
    LinkLost,
    /// An agent's lane does not move.
    HeartbeatLost,
    /// No data came for an instrument that is held or worked.
    DataStale,
    /// The operator's console has not been heard of.
    DeadMan,
    /// An actor is out of restarts.
    RestartBudget,
    /// The journal cannot be written.
    JournalError,
    /// The core lane stands still.
    CoreStalled,
}

impl Rule {
    /// The rule's word in config, metrics, runbooks and the reason of a kill.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyLoss => "daily_loss",
            Self::Drawdown => "drawdown",
            Self::RejectStorm => "reject_storm",
            Self::Slippage => "slippage",
            Self::Denials => "denials",
            Self::InDoubt => "in_doubt",
            Self::PositionMismatch => "position_mismatch",
            Self::LinkLost => "link_lost",
            Self::HeartbeatLost => "heartbeat_lost",
            Self::DataStale => "data_stale",
            Self::DeadMan => "dead_man",
            Self::RestartBudget => "restart_budget",
            Self::JournalError => "journal_error",
            Self::CoreStalled => "core_stalled",
        }
    }
}

/// What the guardian did to a scope. It follows from the inputs before it, so a replay does it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// Which rule.
    pub rule: Rule,
    /// What it covers.
    pub scope: Scope,
    /// What was done.
    pub act: Act,
}

/// A hold or a kill of the guardian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// A hold began (`true`) or ended.
    Hold(bool),
    /// A kill was raised.
    Kill {
        /// To this level.
        level: KillLevel,
        /// Number of the trip. Those that the core mints never meet those that the latch file mints.
        episode: u64,
        /// How long it cannot be armed.
        cool_off: Nanos,
    },
}
