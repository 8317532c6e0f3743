//! What trade updates mean.

use super::{AlpacaSession, terms};
use crate::alpaca::{Event, Number, Order, TradeUpdate, Uuid};
use crate::msg::{
    CancelReject, ExecutionReport, FillSnapshot, Report, RequestKind, TradeCorrection,
};
use crate::types::{
    ClientOrderId, ExecId, ExecType, Nanos, Notional, OrdStatus, Price, Qty, Reason, Timestamp,
    VenueOrderId,
};
use serde_json::value::RawValue;

/// Strangers' orders are told by snapshots, at most one in this time.
const STRANGERS: Nanos = Nanos::from_secs(2);

impl AlpacaSession {
    /// `data` of an update.
    pub(super) fn on_update(&mut self, now: Timestamp, data: &RawValue) {
        let update: TradeUpdate = match serde_json::from_str(data.get()) {
            Ok(update) => update,
            Err(error) => {
                tracing::error!(%error, "a trade update that cannot be read; a snapshot will tell");
                return self.want_snapshot(now);
            }
        };
        let order = &update.order;
        let terms = terms::read(order);
        if let Err(field) = terms {
            tracing::warn!(id = %order.id, field, "a trade update has a field that cannot be read");
        }
        let own = self.replaced_name(order);
        self.book.learn(now, order, terms.ok());
        self.book.set_ended(order.id, order.status.is_terminal());
        if let Some(resync) = &mut self.resync {
            resync.touch(order, update.position_qty);
        }
        let Some(name) = self.book.own_name(order).or(own) else {
            return self.want_snapshot(now + STRANGERS);
        };
        self.tell(now, name, &update);
    }

    /// The name of an order that came by a replace whose answer is still on its way.
    fn replaced_name(&self, order: &Order) -> Option<ClientOrderId> {
        let older = order.replaces?;
        self.replacing.get(&older).map(|one| one.name)
    }

    fn tell(&mut self, now: Timestamp, name: ClientOrderId, update: &TradeUpdate) {
        let order = &update.order;
        match &update.event {
            Event::New | Event::Accepted | Event::PendingNew | Event::Held => {
                self.acknowledge(order);
            }
            Event::Fill | Event::PartialFill => self.on_fill(now, name, update),
            Event::Canceled => {
                self.execution(name, update, ExecType::Canceled, OrdStatus::Canceled)
            }
            Event::Expired => self.execution(name, update, ExecType::Expired, OrdStatus::Expired),
            Event::Rejected => {
                self.execution(name, update, ExecType::Rejected, OrdStatus::Rejected)
            }
            Event::Replaced => self.on_replaced(now, name, update),
            Event::OrderReplaceRejected => {
                if let Some(replacing) = self.replacing.remove(&order.id) {
                    self.book.refused(replacing.name);
                    self.report(Report::CancelReject(CancelReject {
                        cl_ord_id: Some(replacing.name),
                        orig_cl_ord_id: replacing.orig,
                        request: RequestKind::Replace,
                        reason: Reason::BrokerTooLate,
                    }));
                }
            }
            Event::OrderCancelRejected => {
                let reject = CancelReject::of_cancel(name, Reason::BrokerTooLate);
                self.report(Report::CancelReject(reject));
            }
            Event::TradeBust | Event::TradeCorrect => self.on_correction(now, name, update),
            Event::PendingCancel | Event::PendingReplace => {}
            Event::DoneForDay
            | Event::Stopped
            | Event::Suspended
            | Event::Calculated
            | Event::Restated
            | Event::Unknown(_) => {
                tracing::warn!(%name, event = update.event.as_str(), "an event that changes nothing here; a snapshot will tell");
                self.want_snapshot(now);
            }
        }
        // The end of one order of a list ends or shrinks others, and of those that wait the stream says
        // nothing.
        if order.status.is_terminal()
            && !matches!(update.event, Event::Replaced)
            && is_listed(order)
        {
            self.want_snapshot(now + STRANGERS);
        }
    }

    /// The broker has the order.
    pub(super) fn acknowledge(&mut self, order: &Order) {
        let Some(name) = self.book.own_name(order) else { return };
        if order.status.is_terminal() || !self.book.acknowledge(order.id) {
            return;
        }
        let filled = order.filled_qty.qty().unwrap_or(Qty::ZERO);
        let report = ExecutionReport {
            cl_ord_id: name,
            venue_order_id: VenueOrderId(order.id.0),
            exec_id: ExecId(order.id.0),
            exec_type: ExecType::New,
            ord_status: OrdStatus::New,
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty: Qty::ZERO,
            leaves_qty: terms::leaves(order, filled).saturating_add(filled),
            fee: Notional::ZERO,
            reason: None,
            transact_time: order.submitted_at.0,
        };
        self.report(Report::Execution(report));
    }

    /// The broker refused a new order in its answer.
    pub(super) fn reject(&mut self, now: Timestamp, name: ClientOrderId, reason: Reason) {
        self.report(Report::Execution(ExecutionReport {
            cl_ord_id: name,
            venue_order_id: VenueOrderId::NONE,
            exec_id: ExecId(0),
            exec_type: ExecType::Rejected,
            ord_status: OrdStatus::Rejected,
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty: Qty::ZERO,
            leaves_qty: Qty::ZERO,
            fee: Notional::ZERO,
            reason: Some(reason),
            transact_time: now,
        }));
    }

    /// A report without a fill.
    fn execution(
        &mut self,
        name: ClientOrderId,
        update: &TradeUpdate,
        exec_type: ExecType,
        ord_status: OrdStatus,
    ) {
        let order = &update.order;
        let filled = order.filled_qty.qty().unwrap_or(Qty::ZERO);
        let cum_qty =
            self.book.base(order.id).saturating_add(self.book.own_filled(order.id, filled));
        self.report(Report::Execution(ExecutionReport {
            cl_ord_id: name,
            venue_order_id: VenueOrderId(order.id.0),
            exec_id: ExecId(update.execution_id.0),
            exec_type,
            ord_status,
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty,
            leaves_qty: terms::leaves(order, filled),
            fee: Notional::ZERO,
            reason: (exec_type == ExecType::Rejected).then_some(Reason::BrokerOther),
            transact_time: update.timestamp.0,
        }));
    }

    fn on_fill(&mut self, now: Timestamp, name: ClientOrderId, update: &TradeUpdate) {
        let order = &update.order;
        let (Some(qty), Some(price), Some(filled)) = (
            update.qty.and_then(Number::qty).filter(|qty| qty.is_positive()),
            update.price.and_then(Number::price),
            order.filled_qty.qty(),
        ) else {
            tracing::error!(%name, "a fill without quantity or price; a snapshot will tell");
            return self.want_snapshot(now);
        };
        let fill = FillSnapshot {
            exec_id: ExecId(update.execution_id.0),
            qty,
            price,
            fee: Notional::ZERO,
            transact_time: update.timestamp.0,
        };
        let cum_qty = self.book.fill(now, order.id, filled, fill);
        if !self.book.is_filled_to(order.id, filled) {
            // A fill before this one was lost: the books wait for it.
            self.want_snapshot(now);
        }
        self.report(Report::Execution(ExecutionReport {
            cl_ord_id: name,
            venue_order_id: VenueOrderId(order.id.0),
            exec_id: fill.exec_id,
            exec_type: ExecType::Trade,
            ord_status: terms::status(&order.status, filled),
            last_qty: qty,
            last_px: price,
            cum_qty,
            leaves_qty: terms::leaves(order, filled),
            fee: fill.fee,
            reason: None,
            transact_time: fill.transact_time,
        }));
    }

    /// The update shows the old order; another stands in its place.
    fn on_replaced(&mut self, now: Timestamp, name: ClientOrderId, update: &TradeUpdate) {
        let old = &update.order;
        let newer = old.replaced_by;
        let ours = self.replacing.remove(&old.id);
        let named = newer.and_then(|id| self.book.get(id)).and_then(|node| node.name);
        let (Some(newer), Some(new_name)) = (newer, named.or(ours.map(|one| one.name))) else {
            // Somebody else did that: what is in its place is a stranger's order.
            self.execution(name, update, ExecType::Canceled, OrdStatus::Canceled);
            return self.want_snapshot(now);
        };
        self.book.succeed(now, old.id, newer, new_name, ours.map(|one| one.terms));
        let cum_qty = self.book.base(newer);
        let total = ours.map_or_else(
            || old.qty.and_then(Number::qty),
            |one| match one.terms.qty {
                crate::types::OrderQty::Units(units) => Some(units),
                crate::types::OrderQty::Cash(_) => None,
            },
        );
        self.report(Report::Execution(ExecutionReport {
            cl_ord_id: new_name,
            venue_order_id: VenueOrderId(newer.0),
            exec_id: ExecId(update.execution_id.0),
            exec_type: ExecType::Replaced,
            ord_status: if cum_qty.is_positive() {
                OrdStatus::PartiallyFilled
            } else {
                OrdStatus::New
            },
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty,
            leaves_qty: total.unwrap_or(Qty::ZERO).saturating_sub(cum_qty),
            fee: Notional::ZERO,
            reason: None,
            transact_time: update.timestamp.0,
        }));
    }

    fn on_correction(&mut self, now: Timestamp, name: ClientOrderId, update: &TradeUpdate) {
        let order = &update.order;
        let Some(Uuid(previous)) = update.previous_execution_id else {
            tracing::error!(%name, "a bust or correction of no execution; a snapshot will tell");
            return self.want_snapshot(now);
        };
        let corrected = match (&update.event, update.qty, update.price) {
            (Event::TradeCorrect, Some(qty), Some(price)) => match (qty.qty(), price.price()) {
                (Some(qty), Some(price)) => Some(FillSnapshot {
                    exec_id: ExecId(update.execution_id.0),
                    qty,
                    price,
                    fee: Notional::ZERO,
                    transact_time: update.timestamp.0,
                }),
                _ => return self.want_snapshot(now),
            },
            (Event::TradeCorrect, ..) => return self.want_snapshot(now),
            _ => None,
        };
        self.book.correct(order.id, ExecId(previous), corrected);
        let filled = order.filled_qty.qty().unwrap_or(Qty::ZERO);
        self.report(Report::Correction(Box::new(TradeCorrection {
            cl_ord_id: name,
            venue_order_id: VenueOrderId(order.id.0),
            exec_id: ExecId(update.execution_id.0),
            exec_ref_id: ExecId(previous),
            corrected,
            ord_status: terms::status(&order.status, filled),
            leaves_qty: terms::leaves(order, filled),
        })));
    }
}

/// Whether other orders hang on this one.
fn is_listed(order: &Order) -> bool {
    use crate::alpaca::OrderClass::{Bracket, Oco, Oto};
    matches!(order.order_class, Bracket | Oco | Oto)
}
