//! The stream of trade updates. It has no welcome: the first frame is the answer to the first request.

use super::order::Order;
use super::words::Event;
use super::{Number, Time, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a client sends; both forms of authentication.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StreamRequest {
    /// `auth`, `authenticate` or `listen`.
    pub action: String,
    /// Of `auth`.
    #[serde(default)]
    pub key: Option<String>,
    /// Of `auth`.
    #[serde(default)]
    pub secret: Option<String>,
    /// Of `authenticate` (`key_id`, `secret_key`, `oauth_token`) and `listen` (`streams`).
    #[serde(default)]
    pub data: Value,
}

/// `data` of a trade update. `price` and `qty` are of this execution; the order's are cumulative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeUpdate {
    /// What happened.
    pub event: Event,
    /// Number of the event.
    pub execution_id: Uuid,
    /// The order after it; of a replace the old one.
    pub order: Order,
    /// When.
    pub timestamp: Time,
    /// Of this execution.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<Number>,
    /// Of this execution.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub qty: Option<Number>,
    /// Signed position after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position_qty: Option<Number>,
    /// The execution that a bust or a correction is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_execution_id: Option<Uuid>,
}
