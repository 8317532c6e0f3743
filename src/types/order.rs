//! The words of an order, as FIX names them. Tags are given where FIX has one.

use super::{Notional, Price, Qty};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// FIX 54.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// 1
    Buy,
    /// 2; also a short sale, which the account's position decides.
    Sell,
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
    /// `qty` with the sign it gives a position.
    pub fn signed(self, qty: Qty) -> Qty {
        match self {
            Self::Buy => qty,
            Self::Sell => -qty,
        }
    }
    /// Whether `price` is at least as good for this side as `limit`.
    pub fn within(self, price: Price, limit: Price) -> bool {
        match self {
            Self::Buy => price <= limit,
            Self::Sell => price >= limit,
        }
    }
}

/// How far a trailing stop follows the best price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TrailingOffset {
    /// A distance in price, above zero.
    Price(Price),
    /// A distance in basis points of the best price, 1 to 9,999.
    BasisPoints(u32),
}

/// FIX 40, each with the prices that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrdType {
    /// 1: at the best price there is.
    Market,
    /// 2: at `price` (FIX 44) or better.
    Limit {
        /// Worst price accepted.
        price: Price,
    },
    /// 3: a market order once the market trades at or through `stop_px` (FIX 99).
    Stop {
        /// Trigger.
        stop_px: Price,
    },
    /// 4: a limit order once triggered.
    StopLimit {
        /// Trigger.
        stop_px: Price,
        /// Worst price accepted after the trigger.
        price: Price,
    },
    /// P (pegged, trailing stop peg): a stop that follows the best price since entry.
    TrailingStop {
        /// Distance to the best price.
        offset: TrailingOffset,
    },
}

impl OrdType {
    /// The worst price the order may fill at, where it names one.
    pub const fn limit_price(&self) -> Option<Price> {
        match self {
            Self::Limit { price } | Self::StopLimit { price, .. } => Some(*price),
            Self::Market | Self::Stop { .. } | Self::TrailingStop { .. } => None,
        }
    }
    /// The trigger, where it is fixed.
    pub const fn stop_price(&self) -> Option<Price> {
        match self {
            Self::Stop { stop_px } | Self::StopLimit { stop_px, .. } => Some(*stop_px),
            Self::Market | Self::Limit { .. } | Self::TrailingStop { .. } => None,
        }
    }
    /// The type's word in CLI and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit { .. } => "limit",
            Self::Stop { .. } => "stop",
            Self::StopLimit { .. } => "stop_limit",
            Self::TrailingStop { .. } => "trailing_stop",
        }
    }
}

/// FIX 59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeInForce {
    /// 0: until the session ends.
    Day,
    /// 1: until cancelled.
    Gtc,
    /// 6: until a date (FIX 126 ExpireTime is carried by the order).
    Gtd,
    /// 3: what fills at once, the rest is cancelled.
    Ioc,
    /// 4: all at once or nothing.
    Fok,
    /// 2: in the opening auction.
    Opg,
    /// 7: in the closing auction.
    Cls,
}

impl FromStr for TimeInForce {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "day" => Self::Day,
            "gtc" => Self::Gtc,
            "gtd" => Self::Gtd,
            "ioc" => Self::Ioc,
            "fok" => Self::Fok,
            "opg" => Self::Opg,
            "cls" => Self::Cls,
            _ => {
                return Err(format!(
                    "`{text}` is not a time in force: day, gtc, gtd, ioc, fok, opg or cls"
                ));
            }
        })
    }
}

/// How much to trade: FIX 38 or FIX 152.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderQty {
    /// So many units, above zero.
    Units(Qty),
    /// So much money, above zero; the broker decides the units.
    Cash(Notional),
}

/// FIX 39, derived from an order's stage, never stored beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrdStatus {
    /// A: sent or about to be, not acknowledged.
    PendingNew,
    /// 0
    New,
    /// 1
    PartiallyFilled,
    /// 2
    Filled,
    /// 4
    Canceled,
    /// 5
    Replaced,
    /// 6
    PendingCancel,
    /// 8
    Rejected,
    /// C
    Expired,
    /// E
    PendingReplace,
    /// No FIX value: the outcome is unknown and the exposure stays reserved.
    InDoubt,
}

/// FIX 150, the kinds of execution report that brokers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecType {
    /// 0: accepted.
    New,
    /// F: a fill; the report carries `last_qty` and `last_px`.
    Trade,
    /// H: a fill is taken back; the update carries its quantity and price.
    TradeCancel,
    /// G: what stands in place of a fill that was taken back.
    TradeCorrect,
    /// 4
    Canceled,
    /// 5: the order now stands under the new terms.
    Replaced,
    /// 8
    Rejected,
    /// C
    Expired,
    /// I: the answer to a status query; changes nothing by itself but the facts it carries.
    OrderStatus,
}
