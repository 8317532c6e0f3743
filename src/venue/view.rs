//! The ledger in names and decimal strings, for people, scripts and tests.

use super::ledger::{Ledger, LedgerError, LedgerState};
use crate::types::{AccountId, InstrumentId, OrdStatus, Reason, Side};
use serde::Serialize;
use std::path::Path;

/// All that a ledger says. Amounts are decimal strings, times RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerView {
    /// Session time of the last commit.
    pub time: String,
    /// Every order ever, oldest first.
    pub orders: Vec<OrderView>,
    /// Every fill, by order, oldest first.
    pub fills: Vec<FillView>,
    /// Positions that are not flat, by account and symbol.
    pub positions: Vec<PositionView>,
    /// Cash of every account.
    pub cash: Vec<CashView>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// FIX 37.
    pub order_id: String,
    /// FIX 11, the last one.
    pub cl_ord_id: String,
    /// Ids before replaces, oldest first.
    pub earlier_ids: Vec<String>,
    /// Account name.
    pub account: String,
    /// Symbol.
    pub symbol: String,
    /// FIX 54.
    pub side: Side,
    /// FIX 40.
    pub ord_type: &'static str,
    /// Total units.
    pub qty: String,
    /// Units filled.
    pub cum_qty: String,
    /// Units still open.
    pub leaves_qty: String,
    /// FIX 39.
    pub status: OrdStatus,
    /// Why it was rejected or cancelled.
    pub reason: Option<Reason>,
}

/// A fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FillView {
    /// FIX 37.
    pub order_id: String,
    /// FIX 11 of the order, the last one.
    pub cl_ord_id: String,
    /// FIX 17.
    pub exec_id: String,
    /// Units.
    pub qty: String,
    /// Units filled of the order with this fill.
    pub cum_qty: String,
    /// Price.
    pub price: String,
    /// Fee.
    pub fee: String,
    /// FIX 60.
    pub time: String,
}

/// A position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PositionView {
    /// Account name.
    pub account: String,
    /// Symbol.
    pub symbol: String,
    /// Signed quantity.
    pub qty: String,
    /// Average price.
    pub avg_price: String,
}

/// Cash of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CashView {
    /// Account name.
    pub account: String,
    /// Amount; all accounts begin with zero.
    pub cash: String,
}

impl Ledger {
    /// Reads the ledger of a state folder, also while a venue runs.
    ///
    /// # Errors
    /// [`LedgerError`]; a torn tail is no error.
    pub fn read(dir: &Path) -> Result<LedgerView, LedgerError> {
        Self::load(dir).map(|state| state.view())
    }
}

impl LedgerState {
    /// In names and decimal strings.
    pub fn view(&self) -> LedgerView {
        let account = |id: AccountId| self.accounts.names()[id.index()].clone();
        let symbol = |id: InstrumentId| self.instruments.get(id).symbol.clone();
        let mut fills = Vec::new();
        let orders = self.orders.iter().map(|record| {
            let order = &record.order;
            let order_id = order.venue_order_id().0.to_string();
            let mut cum = crate::types::Qty::ZERO;
            fills.extend(record.fills.iter().map(|fill| {
                cum += fill.qty;
                FillView {
                    order_id: order_id.clone(),
                    cl_ord_id: order.cl_ord_id.to_string(),
                    exec_id: fill.exec_id.0.to_string(),
                    qty: fill.qty.to_string(),
                    cum_qty: cum.to_string(),
                    price: fill.price.to_string(),
                    fee: fill.fee.to_string(),
                    time: fill.transact_time.to_string(),
                }
            }));
            OrderView {
                order_id,
                cl_ord_id: order.cl_ord_id.to_string(),
                earlier_ids: order.earlier_ids.iter().map(ToString::to_string).collect(),
                account: account(order.account),
                symbol: symbol(order.instrument),
                side: order.terms.side,
                ord_type: order.terms.ord_type.name(),
                qty: order.qty.to_string(),
                cum_qty: order.cum.to_string(),
                leaves_qty: order.leaves().to_string(),
                status: order.status,
                reason: order.reason,
            }
        });
        let orders = orders.collect();
        let positions = self.accounts.positions().map(|(id, instrument, qty, cost)| PositionView {
            account: account(id),
            symbol: symbol(instrument),
            qty: qty.to_string(),
            avg_price: cost.per(qty, self.instruments.get(instrument).multiplier).to_string(),
        });
        let cash = self.accounts.names().iter().enumerate().map(|(at, name)| CashView {
            account: name.clone(),
            cash: self.accounts.cash(AccountId(at as u16)).to_string(),
        });
        LedgerView {
            time: self.time.to_string(),
            orders,
            fills,
            positions: positions.collect(),
            cash: cash.collect(),
        }
    }
}
