//! What a gateway is doing now.

use crate::msg::AgentState;
use crate::types::{KillLevel, Notional, OrdStatus, Price, Qty, Side, TimeInForce, Timestamp};
use serde::{Deserialize, Serialize};

/// `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// `sandbox` or `live`.
    pub mode: String,
    /// Takes orders.
    pub ready: bool,
    /// Kill switch.
    pub kill: KillView,
    /// Holds, in the order they began.
    pub holds: Vec<HoldView>,
    /// Orders that may still fill.
    pub orders_open: u64,
    /// Of those, the ones whose fate is unknown.
    pub orders_in_doubt: u64,
    /// Positions that are not flat, and those with a result.
    pub positions: Vec<PositionView>,
    /// Every actor.
    pub actors: Vec<ActorView>,
}

/// The kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KillView {
    /// The highest level of all scopes.
    pub level: KillLevel,
    /// Every scope that is not normal.
    pub scopes: Vec<TripView>,
}

/// One scope that is killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripView {
    /// Its name.
    pub scope: String,
    /// How hard.
    pub level: KillLevel,
    /// Who and why.
    pub reason: String,
    /// Number of the trip.
    pub episode: u64,
    /// When it was raised.
    pub since: Timestamp,
    /// How far it has been carried out: `in_force` below level cancel, else `requested`, `cancelled`
    /// or `flat`, the latter two on two snapshots of each broker.
    pub progress: String,
}

/// A condition that blocks new orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// What it covers.
    pub scope: String,
    /// Which condition.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
}

/// A position of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PositionView {
    /// Account.
    pub account: String,
    /// Agent.
    pub agent: String,
    /// Instrument.
    pub symbol: String,
    /// Signed quantity.
    pub qty: Qty,
    /// Average entry price; zero when flat.
    pub avg_price: Price,
    /// Profit of what was closed, before fees, in the account currency.
    pub realised: Notional,
    /// Profit of what is open at the last mark, in the account currency.
    pub unrealised: Notional,
    /// Fees paid, in the account currency.
    pub fees: Notional,
}

/// An actor and how it fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorView {
    /// Its name.
    pub name: String,
    /// `running`, `paused`, `quarantined`, `restarting` or `stopped`.
    pub state: String,
    /// Restarts since boot.
    pub restarts: u32,
}

/// A strategy and what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its account.
    pub account: String,
    /// Its lane.
    pub lane: String,
    /// Whether it is called.
    pub state: AgentState,
    /// New orders handed to a broker.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Requests refused by risk, hold or kill.
    pub denied: u64,
    /// Realised + unrealised - fees.
    pub pnl: Notional,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    /// FIX 11 of the order as it stands.
    pub id: String,
    /// FIX 37, once the broker has told it.
    pub venue_id: Option<String>,
    /// Account.
    pub account: String,
    /// Agent.
    pub agent: String,
    /// Instrument.
    pub symbol: String,
    /// FIX 54.
    pub side: Side,
    /// FIX 40.
    #[serde(rename = "type")]
    pub ord_type: String,
    /// FIX 38; absent for an order in money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Qty>,
    /// FIX 152; absent for an order in units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<Notional>,
    /// FIX 44.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// FIX 99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_px: Option<Price>,
    /// FIX 59.
    pub tif: TimeInForce,
    /// FIX 39.
    pub status: OrdStatus,
    /// FIX 14.
    pub filled: Qty,
    /// FIX 6; zero without a fill.
    pub avg_price: Price,
    /// FIX 58: why it was refused or ended, where there is a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the gateway took it.
    pub created: Timestamp,
}

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillView {
    /// FIX 11 of the order.
    pub order: String,
    /// Account.
    pub account: String,
    /// Agent.
    pub agent: String,
    /// Instrument.
    pub symbol: String,
    /// FIX 54.
    pub side: Side,
    /// FIX 32.
    pub qty: Qty,
    /// FIX 31.
    pub price: Price,
    /// FIX 12, in the instrument's currency; negative is a rebate.
    pub fee: Notional,
    /// FIX 14 after it: with the order, this identifies the fill.
    pub cum_qty: Qty,
    /// FIX 60.
    pub time: Timestamp,
}

/// A control, as `check --controls` lists it: one row for each of its limits, one if it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlView {
    /// C1 to C28; `-` for a rule or trigger without a number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it acts.
    pub acts: String,
    /// What the row covers; absent for a rule without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Its value; `off` for a control that is not in force, `always` for a rule without rows.
    pub value: String,
    /// How much of it is used, where a gateway runs and the control can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

/// `check --controls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// The figures are those of a running gateway, not of the file alone.
    pub running: bool,
    /// By number.
    pub controls: Vec<ControlView>,
}

/// A limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// Which check.
    pub control: String,
    /// What it covers.
    pub scope: String,
    /// As written in the config.
    pub value: String,
    /// How much of it is used, where the control can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// Requests that it refused.
    pub denied: u64,
}

/// `livez`: the core's last beat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// It beat within the last two seconds.
    pub live: bool,
    /// Boot number of the gateway.
    pub boot: u32,
    /// How long ago, in milliseconds; absent before the first.
    pub core_beat_age_ms: Option<u64>,
}

/// `readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Takes orders.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// `orders`, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// All that matched.
    pub orders: Vec<OrderView>,
}

/// `fills`, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fills {
    /// All that matched.
    pub fills: Vec<FillView>,
}

/// `positions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Positions {
    /// By account, agent and symbol.
    pub positions: Vec<PositionView>,
}

/// `actors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actors {
    /// By name.
    pub actors: Vec<ActorView>,
}

/// `agent list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agents {
    /// By name.
    pub agents: Vec<AgentView>,
}

/// `limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How often they were changed since the state folder began.
    pub version: u32,
    /// In the order of the chain.
    pub limits: Vec<LimitView>,
    /// The rules of the guardian.
    pub rules: Vec<ControlView>,
}
