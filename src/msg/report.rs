//! Reports: what brokers say about orders. Nothing in here is ever dropped (INV-5).

use super::{OrderTerms, ReplaceOrder};
use crate::types::{
    AccountId, ClientOrderId, ExecId, ExecType, InstrumentId, Notional, OrdStatus, Price, Qty,
    Reason, Timestamp, VenueOrderId,
};
use serde::{Deserialize, Serialize};

/// One thing a broker session says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// FIX 8.
    Execution(ExecutionReport),
    /// FIX 8 with 150 = H or G: a trade is cancelled or corrected.
    Correction(Box<TradeCorrection>),
    /// FIX 9: a cancel or replace was refused; the order stands as it was.
    CancelReject(CancelReject),
    /// The request never left: the gate, the session or a full queue refused it. Proof, not a guess.
    NotSent {
        /// The request's own id: the new order, the replacement, or the order to cancel.
        cl_ord_id: ClientOrderId,
        /// What was not sent.
        request: RequestKind,
        /// Who refused.
        reason: Reason,
    },
    /// The session's link changed. `Down` puts every unacknowledged request in doubt.
    Session(SessionStatus),
    /// Everything the broker knows; only complete ones exist.
    Snapshot(Box<BrokerSnapshot>),
}

/// Which request a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestKind {
    /// A new order.
    New,
    /// A replace.
    Replace,
    /// A cancel.
    Cancel,
}

/// FIX 8. A fill is identified by (order, `cum_qty` after it); `exec_id` is an alias, so that the
/// stream and a backfill agree (Decision 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// FIX 11: any id the order has had.
    pub cl_ord_id: ClientOrderId,
    /// FIX 37.
    pub venue_order_id: VenueOrderId,
    /// FIX 17.
    pub exec_id: ExecId,
    /// FIX 150.
    pub exec_type: ExecType,
    /// FIX 39, as the broker sees it.
    pub ord_status: OrdStatus,
    /// FIX 32: quantity of this fill, zero otherwise.
    pub last_qty: Qty,
    /// FIX 31: price of this fill, zero otherwise.
    pub last_px: Price,
    /// FIX 14: filled so far.
    pub cum_qty: Qty,
    /// FIX 151: still open.
    pub leaves_qty: Qty,
    /// FIX 12: fee of this fill, in the instrument's currency; negative is a rebate.
    pub fee: Notional,
    /// FIX 103 for rejects and cancels.
    pub reason: Option<Reason>,
    /// FIX 60.
    pub transact_time: Timestamp,
}

/// FIX 8 with ExecType trade cancel (H) or trade correct (G).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeCorrection {
    /// FIX 11: any id the order has had.
    pub cl_ord_id: ClientOrderId,
    /// FIX 37.
    pub venue_order_id: VenueOrderId,
    /// FIX 17.
    pub exec_id: ExecId,
    /// FIX 19: the fill that it is about.
    pub exec_ref_id: ExecId,
    /// What stands instead; `None`: nothing, the trade is cancelled.
    pub corrected: Option<FillSnapshot>,
    /// FIX 39, as the broker sees it afterwards.
    pub ord_status: OrdStatus,
    /// FIX 151: open afterwards.
    pub leaves_qty: Qty,
}

/// FIX 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelReject {
    /// FIX 11: the name that a refused replace would have given, where the broker says; else `None`.
    pub cl_ord_id: Option<ClientOrderId>,
    /// FIX 41: the order that stands.
    pub orig_cl_ord_id: ClientOrderId,
    /// What was refused.
    pub request: RequestKind,
    /// Why.
    pub reason: Reason,
}

impl CancelReject {
    /// The answer to a cancel of `orig_cl_ord_id`.
    pub const fn of_cancel(orig_cl_ord_id: ClientOrderId, reason: Reason) -> Self {
        Self { cl_ord_id: None, orig_cl_ord_id, request: RequestKind::Cancel, reason }
    }

    /// The answer to a replace.
    pub const fn of_replace(replace: &ReplaceOrder, reason: Reason) -> Self {
        Self {
            cl_ord_id: Some(replace.cl_ord_id),
            orig_cl_ord_id: replace.orig_cl_ord_id,
            request: RequestKind::Replace,
            reason,
        }
    }
}

/// State of a broker session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionStatus {
    /// Logged in; reports flow, a snapshot is on its way.
    Up,
    /// The link stands, but something of what the broker said on it was lost: a snapshot is needed.
    Missed,
    /// The link is gone.
    Down,
    /// The broker refused the credentials: without an operator it stays down.
    Refused,
}

/// All orders and positions of a broker at one moment, complete by construction: a session that
/// could not fetch all of it sends none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct BrokerSnapshot {
    /// Open orders, and all that ended since the gateway's last complete snapshot.
    pub orders: Vec<OrderSnapshot>,
    /// Every position that is not flat.
    pub positions: Vec<PositionSnapshot>,
}

/// One order as the broker sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderSnapshot {
    /// FIX 11 where it is one of ours.
    pub cl_ord_id: Option<ClientOrderId>,
    /// FIX 37.
    pub venue_order_id: VenueOrderId,
    /// Which account.
    pub account: AccountId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Its terms now.
    pub terms: OrderTerms,
    /// FIX 39.
    pub ord_status: OrdStatus,
    /// FIX 14.
    pub cum_qty: Qty,
    /// FIX 151.
    pub leaves_qty: Qty,
    /// Every fill, oldest first: quantity, price, fee, time. Their sum is `cum_qty`.
    pub fills: Vec<FillSnapshot>,
}

/// One fill as the broker lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillSnapshot {
    /// FIX 17.
    pub exec_id: ExecId,
    /// FIX 32.
    pub qty: Qty,
    /// FIX 31.
    pub price: Price,
    /// FIX 12.
    pub fee: Notional,
    /// FIX 60.
    pub transact_time: Timestamp,
}

/// One position as the broker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionSnapshot {
    /// Which account.
    pub account: AccountId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Signed quantity.
    pub qty: Qty,
    /// Average price, zero where the broker does not say.
    pub avg_px: Price,
}
