//! What operators ask for, and what they get back.

use super::state::OrderView;
use crate::types::{Date, KillLevel, Notional, Price, Qty, Side, TimeInForce, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `control.json` in the state folder: how to reach the running gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlFile {
    /// Base address, `http://127.0.0.1:PORT`.
    pub url: String,
    /// File with the bearer token.
    pub token_file: PathBuf,
    /// Its process.
    pub pid: u32,
}

/// Body of a new order. A type has exactly its prices, and there is one of `qty` and `cash`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrderRequest {
    /// May be left out where there is one account only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Instrument.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: Side,
    /// `market`, `limit`, `stop`, `stop_limit` or `trailing_stop`.
    #[serde(rename = "type")]
    pub ord_type: String,
    /// Units; or `cash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Qty>,
    /// Money; or `qty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<Notional>,
    /// Worst price of a limit or stop limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Trigger of a stop or stop limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_px: Option<Price>,
    /// Distance of a trailing stop in price; or `trail_bps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Price>,
    /// Distance of a trailing stop in basis points, 1 to 9,999; or `trail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail_bps: Option<u32>,
    /// FIX 59.
    #[serde(default = "day")]
    pub tif: TimeInForce,
    /// FIX 126, with `gtd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_at: Option<Timestamp>,
    /// May trade outside regular hours.
    #[serde(default)]
    pub extended_hours: bool,
    /// The caller's own number of what it wants: the same number is never executed twice, so a
    /// request may be repeated after a lost answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<u64>,
    /// `qty` or `cash` once more: needed where the order uses more than half of a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Notional>,
}

const fn day() -> TimeInForce {
    TimeInForce::Day
}

/// Body of a replace: what is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceOrderRequest {
    /// New total, filled part included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Qty>,
    /// New worst price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// New trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_px: Option<Price>,
    /// The new total once more: needed where the order then uses more than half of a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Notional>,
}

/// Body of a corporate action: one of `split` and `dividend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// Which instrument.
    pub symbol: String,
    /// Units after it and before it: `3:2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Cash for each unit, in the instrument's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dividend: Option<Price>,
    /// The trading day at whose start it takes effect; the one under way without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
    /// Why; goes into the audit file.
    pub reason: String,
}

/// What became of a corporate action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionResult {
    /// Which instrument.
    pub symbol: String,
    /// The trading day at whose start it takes effect.
    pub on: Date,
    /// It waits for that day.
    pub waits: bool,
    /// The instrument is held until every broker has shown the split.
    pub held: bool,
}

impl super::Render for ActionResult {
    fn render(&self) -> String {
        let state = if self.waits { "waits for" } else { "in the books from" };
        let held = if self.held { ", held until every broker has shown it" } else { "" };
        format!("{}: {state} {}{held}\n", self.symbol, self.on)
    }
}

/// Body of a flatten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlattenRequest {
    /// Which positions.
    pub scope: String,
    /// Why; goes into the journal.
    pub reason: String,
}

/// What a flatten did. It trades through the same gates as any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlattenResult {
    /// Which positions.
    pub scope: String,
    /// The exits that were sent.
    pub orders: Vec<OrderView>,
    /// The exits that were refused.
    pub denied: Vec<OrderDenied>,
}

/// An order that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDenied {
    /// Account.
    pub account: String,
    /// Agent.
    pub agent: String,
    /// Instrument.
    pub symbol: String,
    /// The reason's word.
    pub reason: String,
}

/// Body of a kill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    /// What.
    pub scope: String,
    /// How hard; above normal.
    pub level: KillLevel,
    /// Why. A kill without a reason is still a kill.
    #[serde(default)]
    pub reason: String,
}

/// A kill that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillResult {
    /// What.
    pub scope: String,
    /// Its level now.
    pub level: KillLevel,
    /// Number of the trip.
    pub episode: u64,
    /// Open orders in scope at that moment.
    pub open_orders: u64,
}

/// How long each part of a drilled kill took, in microseconds from the moment it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillResult {
    /// What. It stays killed until it is armed.
    pub scope: String,
    /// Its level now.
    pub level: KillLevel,
    /// Number of the trip.
    pub episode: u64,
    /// Until no covered write could begin any more.
    pub gate_closed_us: u64,
    /// Until the last cancel was written to a socket; absent where none was.
    pub cancel_written_us: Option<u64>,
    /// Until the broker's snapshots showed nothing open; absent where that did not come.
    pub confirmed_us: Option<u64>,
}

/// What a direct kill found and did at one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectBroker {
    /// Its name.
    pub broker: String,
    /// Orders open in its first snapshot; absent where there was none.
    pub open_before: Option<u64>,
    /// Orders open in its last one; absent where there was none.
    pub open_after: Option<u64>,
    /// Its snapshots showed nothing open, twice.
    pub confirmed: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What a direct kill did. Brokers in the gateway's own process have ended with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectResult {
    /// One a broker.
    pub brokers: Vec<DirectBroker>,
}

/// What a watchdog did about a gateway that hung or died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchdogAct {
    /// When it was done.
    pub time: Timestamp,
    /// Every broker has confirmed, and the kill is left for the next boot. It tries again until then.
    pub confirmed: bool,
    /// One a broker.
    pub brokers: Vec<DirectBroker>,
    /// What went wrong here.
    pub error: Option<String>,
}

/// The answer to an operator's heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When it was heard.
    pub heard: Timestamp,
}

/// Body of the arm's first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmRequest {
    /// What to lower.
    pub scope: String,
    /// Why it is safe.
    pub reason: String,
}

/// The answer to the first step: look at the facts, then return the challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmChallenge {
    /// The word to return.
    pub challenge: String,
    /// How long it is good.
    pub expires_seconds: u64,
    /// What the operator should know before.
    pub facts: Vec<String>,
}

/// Body of the arm's second step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmConfirm {
    /// The word of the first step.
    pub challenge: String,
}

/// A scope that was lowered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmResult {
    /// What.
    pub scope: String,
    /// Its level now.
    pub level: KillLevel,
}

/// Body of a change of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRequest {
    /// Which control.
    pub control: String,
    /// What it covers.
    pub scope: String,
    /// As in the config; names of a list with commas between them.
    pub value: String,
    /// Why; goes into the journal.
    pub reason: String,
}

/// What came of it: in force, or a challenge to return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitResult {
    /// Which control.
    pub control: String,
    /// What it covers.
    pub scope: String,
    /// The value before; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value wanted.
    pub value: String,
    /// It is in force.
    pub applied: bool,
    /// Version of the limits in force.
    pub version: u32,
    /// It loosens: look again, then return this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ArmChallenge>,
}

/// Limits that were confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsVersion {
    /// Version of the limits in force.
    pub version: u32,
}

/// What an operator does with an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentAction {
    /// Refuse its new orders from now on.
    Pause,
    /// Hear it again, also after a quarantine.
    Resume,
}
