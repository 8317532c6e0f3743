//! The account and what it holds.

use super::number::{Number, Opt};
use super::words::{AssetClass, PositionSide, SideWord};
use super::{Time, Uuid};
use serde::{Deserialize, Serialize};

/// `GET /v2/account`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Account {
    pub id: Uuid,
    pub account_number: String,
    pub status: String,
    pub crypto_status: String,
    pub currency: String,
    pub buying_power: Number,
    pub regt_buying_power: Number,
    pub daytrading_buying_power: Number,
    pub non_marginable_buying_power: Number,
    pub options_buying_power: Number,
    pub effective_buying_power: Number,
    pub bod_dtbp: Number,
    pub cash: Number,
    pub accrued_fees: Number,
    pub pending_transfer_in: Number,
    pub pending_transfer_out: Number,
    pub portfolio_value: Number,
    pub pattern_day_trader: bool,
    pub trading_blocked: bool,
    pub transfers_blocked: bool,
    pub account_blocked: bool,
    pub created_at: Time,
    pub trade_suspended_by_user: bool,
    pub multiplier: Number,
    pub shorting_enabled: bool,
    pub equity: Number,
    pub last_equity: Number,
    pub long_market_value: Number,
    pub short_market_value: Number,
    pub position_market_value: Number,
    pub initial_margin: Number,
    pub maintenance_margin: Number,
    pub last_maintenance_margin: Number,
    pub sma: Number,
    pub daytrade_count: u32,
    pub balance_asof: String,
    pub crypto_tier: u32,
    pub options_approved_level: u32,
    pub options_trading_level: u32,
    pub intraday_adjustments: Number,
    pub pending_reg_taf_fees: Number,
}

/// `GET /v2/account/configurations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Configuration {
    pub dtbp_check: String,
    pub fractional_trading: bool,
    pub max_margin_multiplier: String,
    pub no_shorting: bool,
    pub suspend_trade: bool,
    pub trade_confirm_email: String,
    pub ptp_no_exception_entry: bool,
    pub pdt_check: String,
    pub max_options_trading_level: u32,
    pub disable_overnight_trading: bool,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            dtbp_check: "entry".to_owned(),
            fractional_trading: true,
            max_margin_multiplier: "2".to_owned(),
            no_shorting: false,
            suspend_trade: false,
            trade_confirm_email: "all".to_owned(),
            ptp_no_exception_entry: false,
            pdt_check: "entry".to_owned(),
            max_options_trading_level: 0,
            disable_overnight_trading: false,
        }
    }
}

/// `PATCH /v2/account/configurations`: `null` and absent leave a setting as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct ConfigurationPatch {
    pub dtbp_check: Option<String>,
    pub fractional_trading: Option<bool>,
    pub max_margin_multiplier: Option<crate::types::text::Text<String>>,
    pub no_shorting: Option<bool>,
    pub suspend_trade: Option<bool>,
    pub trade_confirm_email: Option<String>,
    pub ptp_no_exception_entry: Option<bool>,
    pub pdt_check: Option<String>,
    pub max_options_trading_level: Option<u32>,
    pub disable_overnight_trading: Option<bool>,
}

/// A position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Position {
    pub asset_id: Uuid,
    pub symbol: String,
    pub exchange: String,
    pub asset_class: AssetClass,
    pub asset_marginable: bool,
    pub qty: Number,
    pub qty_available: Number,
    pub avg_entry_price: Number,
    pub side: PositionSide,
    pub market_value: Opt,
    pub cost_basis: Number,
    pub unrealized_pl: Opt,
    pub unrealized_plpc: Opt,
    pub unrealized_intraday_pl: Opt,
    pub unrealized_intraday_plpc: Opt,
    pub current_price: Opt,
    pub lastday_price: Opt,
    pub change_today: Opt,
}

/// `DELETE /v2/positions/{symbol}`: how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClosePosition {
    /// Units.
    pub qty: Opt,
    /// Per cent of what there is, 0 to 100.
    pub percentage: Opt,
}

/// An execution in `GET /v2/account/activities`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct Activity {
    pub activity_type: String,
    pub id: String,
    pub transaction_time: Time,
    #[serde(rename = "type")]
    pub kind: String,
    pub price: Number,
    pub qty: Number,
    pub side: SideWord,
    pub symbol: String,
    pub leaves_qty: Number,
    pub cum_qty: Number,
    pub order_id: Uuid,
    pub order_status: String,
}

/// `GET /v2/account/portfolio/history`; JSON numbers, for charts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of the wire")]
pub struct PortfolioHistory {
    pub timestamp: Vec<u64>,
    pub equity: Vec<f64>,
    pub profit_loss: Vec<f64>,
    pub profit_loss_pct: Vec<f64>,
    pub base_value: f64,
    pub base_value_asof: String,
    pub timeframe: String,
    pub cashflow: serde_json::Value,
}
