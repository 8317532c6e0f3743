//! The market data streams: control messages, channels, subscriptions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Which data stream a socket is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// `/v2/{feed}`.
    Stocks(String),
    /// `/v1beta3/crypto/{loc}`.
    Crypto,
    /// `/v1beta1/news`.
    News,
}

impl Feed {
    /// The channels that one can subscribe to, in the order of the acknowledgement.
    pub const fn channels(&self) -> &'static [Channel] {
        use Channel::{Bars, DailyBars, Lulds, News, Orderbooks, Quotes, Statuses, Trades};
        use Channel::{CancelErrors, Corrections, UpdatedBars};
        match self {
            Self::Stocks(_) => &[
                Trades,
                Quotes,
                Bars,
                UpdatedBars,
                DailyBars,
                Statuses,
                Lulds,
                Corrections,
                CancelErrors,
            ],
            Self::Crypto => &[Trades, Quotes, Bars, UpdatedBars, DailyBars, Orderbooks],
            Self::News => &[News],
        }
    }
}

/// A channel of a data stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words of the wire")]
pub enum Channel {
    Trades,
    Quotes,
    Bars,
    UpdatedBars,
    DailyBars,
    Statuses,
    Lulds,
    Corrections,
    CancelErrors,
    Orderbooks,
    News,
}

impl Channel {
    /// Its key in control messages.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Bars => "bars",
            Self::UpdatedBars => "updatedBars",
            Self::DailyBars => "dailyBars",
            Self::Statuses => "statuses",
            Self::Lulds => "lulds",
            Self::Corrections => "corrections",
            Self::CancelErrors => "cancelErrors",
            Self::Orderbooks => "orderbooks",
            Self::News => "news",
        }
    }
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct ControlMessage {
    /// `auth`, `subscribe` or `unsubscribe`.
    pub action: String,
    /// Of `auth`.
    #[serde(default)]
    pub key: Option<String>,
    /// Of `auth`.
    #[serde(default)]
    pub secret: Option<String>,
    /// Symbols by channel.
    #[serde(flatten)]
    pub channels: serde_json::Map<String, Value>,
}

/// What a socket is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscription {
    wanted: BTreeSet<(Channel, String)>,
}

impl Subscription {
    /// Adds or takes away what the message names. `None` where it names no channel of this feed.
    pub fn change(&mut self, feed: &Feed, message: &ControlMessage) -> Option<()> {
        let on = message.action == "subscribe";
        let mut any = false;
        for &channel in feed.channels() {
            let Some(Value::Array(symbols)) = message.channels.get(channel.key()) else { continue };
            any = true;
            let mut follow = vec![channel];
            if channel == Channel::Trades && matches!(feed, Feed::Stocks(_)) {
                follow.extend([Channel::Corrections, Channel::CancelErrors]);
            }
            for symbol in symbols.iter().filter_map(Value::as_str) {
                for &channel in &follow {
                    let entry = (channel, symbol.to_owned());
                    if on {
                        self.wanted.insert(entry);
                    } else {
                        self.wanted.remove(&entry);
                    }
                }
            }
        }
        any.then_some(())
    }

    /// Whether it takes this channel of this symbol.
    pub fn takes(&self, channel: Channel, symbol: &str) -> bool {
        let has = |symbol: &str| self.wanted.contains(&(channel, symbol.to_owned()));
        has(symbol) || has("*")
    }

    /// Whether nothing at all is wanted.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The acknowledgement: all of it, every channel listed.
    pub fn ack(&self, feed: &Feed) -> Value {
        let mut ack = json!({"T": "subscription"});
        for &channel in feed.channels() {
            let of: Vec<&str> = self
                .wanted
                .iter()
                .filter(|(own, _)| *own == channel)
                .map(|(_, symbol)| symbol.as_str())
                .collect();
            ack[channel.key()] = json!(of);
        }
        ack
    }
}

/// The errors of a data stream, by their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says its own text")]
pub enum DataError {
    InvalidSyntax = 400,
    NotAuthenticated = 401,
    AuthFailed = 402,
    AlreadyAuthenticated = 403,
    AuthTimeout = 404,
    SymbolLimit = 405,
    ConnectionLimit = 406,
    SlowClient = 407,
    InsufficientSubscription = 409,
    InvalidSubscribeAction = 410,
    InsufficientScope = 411,
    Internal = 500,
}

impl DataError {
    /// The message that goes with the code.
    pub const fn text(self) -> &'static str {
        match self {
            Self::InvalidSyntax => "invalid syntax",
            Self::NotAuthenticated => "not authenticated",
            Self::AuthFailed => "auth failed",
            Self::AlreadyAuthenticated => "already authenticated",
            Self::AuthTimeout => "auth timeout",
            Self::SymbolLimit => "symbol limit exceeded",
            Self::ConnectionLimit => "connection limit exceeded",
            Self::SlowClient => "slow client",
            Self::InsufficientSubscription => "insufficient subscription",
            Self::InvalidSubscribeAction => "invalid subscribe action for this feed",
            Self::InsufficientScope => "insufficient scope",
            Self::Internal => "internal error",
        }
    }

    /// As it stands on the wire.
    pub fn message(self) -> Value {
        json!({"T": "error", "code": self as u16, "msg": self.text()})
    }
}
