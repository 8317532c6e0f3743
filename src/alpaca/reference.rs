//! What is the same for every account: assets, clock, calendar; and watchlists of assets.

use super::number::Opt;
use super::words::AssetClass;
use super::{Eastern, Time, Uuid};
use serde::{Deserialize, Serialize};

/// An asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Asset {
    pub id: Uuid,
    pub class: AssetClass,
    pub exchange: String,
    pub symbol: String,
    pub name: String,
    pub status: String,
    pub tradable: bool,
    pub marginable: bool,
    pub maintenance_margin_requirement: u32,
    pub margin_requirement_long: String,
    pub margin_requirement_short: String,
    pub shortable: bool,
    pub easy_to_borrow: bool,
    pub fractionable: bool,
    pub attributes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_order_size: Opt,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_trade_increment: Opt,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price_increment: Opt,
}

/// `GET /v2/clock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Clock {
    pub timestamp: Eastern,
    pub is_open: bool,
    pub next_open: Eastern,
    pub next_close: Eastern,
}

/// A row of `GET /v2/calendar`: dates as `YYYY-MM-DD`, `HH:MM` and `HHMM` in New York.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct CalendarDay {
    pub date: String,
    pub open: String,
    pub close: String,
    pub session_open: String,
    pub session_close: String,
    pub settlement_date: String,
}

/// A watchlist; the list of all has no `assets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Watchlist {
    pub id: Uuid,
    pub account_id: Uuid,
    pub created_at: Time,
    pub updated_at: Time,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assets: Option<Vec<Asset>>,
}

/// Body of the requests that make or change a watchlist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct WatchlistBody {
    pub name: Option<String>,
    pub symbols: Option<Vec<String>>,
    pub symbol: Option<String>,
}
