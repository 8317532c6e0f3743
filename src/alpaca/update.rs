//! The stream of trade updates. It has no welcome: the first frame is the answer to the first request.

use super::order::Order;
use super::words::Event;
use super::{Credentials, Number, Time, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a client sends; both forms of authentication.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct StreamRequest {
    /// `auth`, `authenticate` or `listen`.
    action: String,
    /// Of `auth`.
    #[serde(default)]
    key: Option<String>,
    /// Of `auth`.
    #[serde(default)]
    secret: Option<String>,
    /// Of `authenticate` (`key_id`, `secret_key`, `oauth_token`) and `listen` (`streams`).
    #[serde(default)]
    data: Value,
}

/// What a client wants of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamCall {
    /// It says who it is; `None`: it said nothing that names anybody.
    Auth(Option<Credentials>),
    /// What it listens to from here on: trade updates, or nothing.
    Listen(bool),
    /// An action that there is not.
    Unknown,
    /// No message of this stream.
    Garbled,
}

impl StreamCall {
    /// Reads a message of a client.
    pub fn read(message: &[u8]) -> Self {
        let Ok(request) = serde_json::from_slice::<StreamRequest>(message) else {
            return Self::Garbled;
        };
        let field = |name: &str| request.data[name].as_str().map(str::to_owned);
        match request.action.as_str() {
            "auth" | "authenticate" => {
                let key = request.key.clone().or_else(|| field("key_id"));
                let secret = request.secret.clone().or_else(|| field("secret_key"));
                Self::Auth(match (key, secret, field("oauth_token")) {
                    (Some(key), Some(secret), _) => Some(Credentials::Key(key, secret)),
                    (_, _, Some(token)) => Some(Credentials::Bearer(token)),
                    _ => None,
                })
            }
            "listen" => {
                let streams = request.data["streams"].as_array();
                let updates = |names: &Vec<Value>| names.iter().any(|name| name == "trade_updates");
                Self::Listen(streams.is_some_and(updates))
            }
            _ => Self::Unknown,
        }
    }
}

/// A message of the trading stream, its tag first: a client may read it in one pass.
pub fn stream_message(stream: &str, data: &Value) -> String {
    format!(r#"{{"stream":"{stream}","data":{data}}}"#)
}

/// The answer to [`StreamCall::Auth`], or to another call of somebody without a name.
pub fn authorization(granted: bool, action: &str) -> String {
    let status = if granted { "authorized" } else { "unauthorized" };
    stream_message("authorization", &json!({"status": status, "action": action}))
}

/// The answer to [`StreamCall::Listen`].
pub fn listening(updates: bool) -> String {
    let streams: &[&str] = if updates { &["trade_updates"] } else { &[] };
    stream_message("listening", &json!({ "streams": streams }))
}

/// The answer to what is no call.
pub fn stream_error(text: &str) -> String {
    json!({"action": "error", "data": {"error_message": text}}).to_string()
}

impl TradeUpdate {
    /// As it stands on the wire.
    pub fn message(&self) -> Option<String> {
        let data = serde_json::to_string(self).ok()?;
        Some(format!(r#"{{"stream":"trade_updates","data":{data}}}"#))
    }
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
