//! Layer 7, border values: what the control API sends and the command line prints.
//!
//! Money and quantities are decimal text, times are RFC 3339 in UTC with nine digits, digests are
//! 64 lower-case hex digits. Scripts rely on the names. Each type renders itself for people as well.

mod control;
mod record;
mod render;
mod report;
mod state;

pub use control::{
    ActionRequest, ActionResult, AgentAction, ArmChallenge, ArmConfirm, ArmRequest, ArmResult,
    ControlFile, DirectBroker, DirectResult, DrillResult, FlattenRequest, FlattenResult, Heartbeat,
    KillRequest, KillResult, LimitRequest, LimitResult, LimitsVersion, NewOrderRequest,
    OrderDenied, ReplaceOrderRequest, WatchdogAct,
};
pub use record::{RecordResult, RecordedFeed};
pub use render::{Render, Table, word};
pub use report::{
    AgentSummary, Bench, BenchRow, Check, Copied, Divergence, Import, JournalCheck, JournalRecord,
    JournalRecords, Summary, VenueResult, VerifyResult,
};
pub use state::{
    ActorView, Actors, AgentView, Agents, ControlView, Controls, FillView, Fills, HoldView,
    KillView, LimitView, Limits, Liveness, OrderView, Orders, PositionView, Positions, Readiness,
    Status, TripView,
};

use serde::{Deserialize, Serialize};

/// An error as JSON: `{"error":{"code":..., "message":...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// The one field.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable word.
    pub code: String,
    /// For people.
    pub message: String,
}

impl ErrorView {
    /// From a code and a message.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { error: ErrorBody { code: code.to_owned(), message: message.into() } }
    }
}

#[cfg(test)]
mod tests;
