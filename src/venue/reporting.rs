//! What the exchange says: execution reports and cancel rejects.

use super::exchange::{Exchange, OrderRecord};
use super::order::OrderIndex;
use crate::msg::{CancelReject, ExecutionReport, FillSnapshot, Report};
use crate::types::{
    AccountId, ClientOrderId, ExecId, ExecType, Notional, OrdStatus, Price, Qty, Reason,
    VenueOrderId,
};

/// A report and whom it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct VenueReport {
    /// Everyone who trades this account; `None`: only the one who asked.
    pub account: Option<AccountId>,
    /// `Execution` or `CancelReject`.
    pub report: Report,
}

/// What a call on the exchange did.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Reports, in the order in which they happened.
    pub reports: Vec<VenueReport>,
    /// Orders that changed, also without a report; one may be named more than once.
    pub touched: Vec<OrderIndex>,
}

impl Outbox {
    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.touched.is_empty()
    }
    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        self.reports.clear();
        self.touched.clear();
    }
}

impl Exchange {
    /// Tells an asker that an order is not known to it.
    pub(super) fn cancel_reject(&self, reject: CancelReject, out: &mut Outbox) {
        let report = Report::CancelReject(reject);
        out.reports.push(VenueReport { account: None, report });
    }

    /// Tells of an order as it stands now, with the fill that just happened where there was one.
    pub(super) fn report(
        &mut self,
        index: OrderIndex,
        exec_type: ExecType,
        fill: Option<(Qty, Price, Notional)>,
        out: &mut Outbox,
    ) {
        self.execs += 1;
        let exec_id = ExecId(u128::from(self.execs));
        let transact_time = self.now;
        let OrderRecord { order, fills } = &mut self.orders[index as usize];
        order.changed = self.execs;
        let (last_qty, last_px, fee) = fill.unwrap_or_default();
        if fill.is_some() {
            fills.push(FillSnapshot { exec_id, qty: last_qty, price: last_px, fee, transact_time });
        }
        let report = ExecutionReport {
            cl_ord_id: order.cl_ord_id,
            venue_order_id: order.venue_order_id(),
            exec_id,
            exec_type,
            ord_status: order.status,
            last_qty,
            last_px,
            cum_qty: order.cum,
            leaves_qty: order.leaves(),
            fee,
            reason: order.reason,
            transact_time,
        };
        let (account, report) = (Some(order.account), Report::Execution(report));
        out.reports.push(VenueReport { account, report });
        out.touched.push(index);
    }

    /// The answer to a new order that cannot be made an order, as its id names another one. Order and
    /// execution ids are zero: nothing was made.
    pub(super) fn refusal(&self, cl_ord_id: ClientOrderId, reason: Reason) -> VenueReport {
        let report = ExecutionReport {
            cl_ord_id,
            venue_order_id: VenueOrderId(0),
            exec_id: ExecId(0),
            exec_type: ExecType::Rejected,
            ord_status: OrdStatus::Rejected,
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty: Qty::ZERO,
            leaves_qty: Qty::ZERO,
            fee: Notional::ZERO,
            reason: Some(reason),
            transact_time: self.now,
        };
        VenueReport { account: None, report: Report::Execution(report) }
    }
}
