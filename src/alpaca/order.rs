//! Orders: what is asked, and what stands.

use super::number::{Number, Opt};
use super::words::{AssetClass, OrderClass, OrderStatus, OrderType, PositionIntent, SideWord, Tif};
use super::{Time, Uuid};
use serde::{Deserialize, Serialize};

/// An order as answers and updates show it. Every key is always written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the keys of the wire, in its order; times and numbers as it has them"
)]
pub struct Order {
    pub id: Uuid,
    pub client_order_id: String,
    pub created_at: Time,
    pub updated_at: Time,
    pub submitted_at: Time,
    pub filled_at: Option<Time>,
    pub expired_at: Option<Time>,
    pub expires_at: Option<Time>,
    pub canceled_at: Option<Time>,
    pub failed_at: Option<Time>,
    pub replaced_at: Option<Time>,
    pub replaced_by: Option<Uuid>,
    pub replaces: Option<Uuid>,
    pub asset_id: Uuid,
    pub symbol: String,
    pub asset_class: AssetClass,
    pub notional: Opt,
    pub qty: Opt,
    pub filled_qty: Number,
    pub filled_avg_price: Opt,
    pub order_class: OrderClass,
    pub order_type: OrderType,
    #[serde(rename = "type")]
    pub kind: OrderType,
    pub side: SideWord,
    pub position_intent: Option<PositionIntent>,
    pub time_in_force: Tif,
    pub limit_price: Opt,
    pub stop_price: Opt,
    pub status: OrderStatus,
    pub extended_hours: bool,
    pub legs: Option<Vec<Order>>,
    pub trail_percent: Opt,
    pub trail_price: Opt,
    pub hwm: Opt,
    #[serde(default)]
    pub subtag: Option<String>,
    #[serde(default)]
    pub source: Option<String>,
}

/// `POST /v2/orders`. `null` is as good as absent; keys that are not known are passed over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct PostOrder {
    pub symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notional: Opt,
    pub side: Option<SideWord>,
    #[serde(rename = "type")]
    pub kind: Option<OrderType>,
    pub time_in_force: Option<Tif>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_price: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail_price: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail_percent: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_hours: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_class: Option<OrderClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<TakeProfit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<StopLoss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_intent: Option<PositionIntent>,
}

/// The exit with a profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TakeProfit {
    /// Its limit.
    pub limit_price: Opt,
}

/// The exit with a loss: a stop order, or a stop-limit order where it has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StopLoss {
    /// Its trigger.
    pub stop_price: Opt,
    /// Its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_price: Opt,
}

/// `PATCH /v2/orders/{id}`: what is absent stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct PatchOrder {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<Tif>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_price: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Opt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
}
