//! What a broker's execution reports do to orders and books.

use super::order::OrderIndex;
use super::transition::{Event, Oddity};
use super::{Fill, News, Oms};
use crate::msg::ExecutionReport;
use crate::types::{
    BrokerId, ClientOrderId, ExecType, OrdStatus, OrderQty, Price, Qty, Reason, Timestamp,
    VenueOrderId,
};

impl Oms {
    /// Takes in an execution report.
    pub(in crate::actors) fn on_execution(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        report: &ExecutionReport,
        news: &mut News,
    ) {
        let Some(index) = self.by_id.get(&report.cl_ord_id).copied() else {
            // Not ours, or from before the books were lost: the snapshot tells whose it is.
            self.note(Oddity::Unasked);
            self.ask_snapshot(at, broker, news);
            return;
        };
        let index = self.same_order(index, broker, report.venue_order_id);
        let order = &mut self.orders[index as usize];
        if order.route.broker != broker {
            self.note(Oddity::Contradiction);
            return;
        }
        if let Some(link) = self.links.get_mut(broker.index()) {
            link.ahead = report.transact_time.since(at);
        }
        // A refusal at the door gives no number.
        if report.venue_order_id != VenueOrderId::NONE {
            order.venue_order_id.get_or_insert(report.venue_order_id);
        }
        if report.reason.is_some() {
            order.reason = report.reason;
        }
        // Whatever a broker does under the name of a replace that is under way, it has carried it
        // out: the report that says so is lost or late.
        let carried_out =
            order.replacement.is_some_and(|(replace, _)| replace.cl_ord_id == report.cl_ord_id);
        if carried_out && !matches!(report.exec_type, ExecType::Replaced | ExecType::Rejected) {
            self.apply(index, Event::Replaced);
            self.tell(at, index, Some(ExecType::Replaced), Qty::ZERO, Price::ZERO, news);
        }
        let is_done = self.orders[index as usize].state.is_done();
        let event = match report.exec_type {
            ExecType::New => Some(Event::Accepted),
            ExecType::Canceled => Some(Event::Canceled),
            // Said before, or of a replace that was held for refused, with terms that are forgotten
            // here: no answer to another one, but an order that was called refused lives after all.
            ExecType::Replaced if !carried_out => {
                let units = report.cum_qty.saturating_add(report.leaves_qty);
                self.outgrow(index, report.cl_ord_id, units);
                self.ask_snapshot(at, broker, news);
                if !is_done {
                    return self.note(Oddity::Duplicate);
                }
                Some(Event::Replaced)
            }
            ExecType::Replaced => Some(Event::Replaced),
            // The broker has an order of this name already: whether it is this one, a snapshot says.
            ExecType::Rejected if report.reason == Some(Reason::BrokerDuplicate) => {
                self.apply(index, Event::Lost);
                self.ask_snapshot(at, broker, news);
                return;
            }
            ExecType::Rejected => Some(Event::Rejected),
            ExecType::Expired => Some(Event::Expired),
            ExecType::Trade => {
                let units = report.cum_qty.saturating_add(report.leaves_qty);
                if self.outgrow(index, report.cl_ord_id, units) {
                    self.ask_snapshot(at, broker, news);
                }
                let fill = Fill {
                    at,
                    transact_time: report.transact_time,
                    order: index,
                    exec_id: report.exec_id,
                    qty: report.last_qty,
                    price: report.last_px,
                    fee: report.fee,
                    cum_qty: report.cum_qty,
                    arrival: None,
                    late: false,
                    taken_back: false,
                };
                let complete = report.ord_status == OrdStatus::Filled;
                self.on_fill(fill, complete, broker, news);
                return;
            }
            // These come as [`crate::msg::TradeCorrection`], which names the fill.
            ExecType::TradeCancel | ExecType::TradeCorrect => {
                self.note(Oddity::Contradiction);
                self.ask_snapshot(at, broker, news);
                return;
            }
            ExecType::OrderStatus => {
                // Under an older name it tells of a size from before a replace.
                if self.orders[index as usize].cl_ord_id == report.cl_ord_id {
                    self.cut(index, report.cum_qty.saturating_add(report.leaves_qty));
                }
                None
            }
        };
        if let Some(event) = event {
            self.apply(index, event);
            self.tell(at, index, Some(report.exec_type), Qty::ZERO, Price::ZERO, news);
        }
    }

    /// The broker says that an order is smaller than we know: a fill of the order that excludes it
    /// reduced it.
    pub(super) fn cut(&mut self, index: OrderIndex, units: Qty) {
        let order = &mut self.orders[index as usize];
        let by_units = matches!(order.terms.qty, OrderQty::Units(_));
        if planted!(LegNotCut, by_units, false)
            && !order.state.is_done()
            && units < order.units
            && units >= order.filled()
        {
            order.units = units;
            self.refresh(index);
        }
    }

    /// Something under a later name than ours: a replace that was held for refused, or lost with the
    /// power, was carried out. What the broker says is left may trade; a snapshot brings the terms.
    pub(super) fn outgrow(&mut self, index: OrderIndex, name: ClientOrderId, units: Qty) -> bool {
        let order = &mut self.orders[index as usize];
        let larger = order.cl_ord_id.is_older_than(name) && units > order.units;
        if larger {
            order.units = units;
            self.note(Oddity::Contradiction);
            self.refresh(index);
        }
        larger
    }

    /// Books a fill unless it is known: its identity is the order and the cumulative quantity after
    /// it. A fill ahead of a gap is booked at once, as the money has moved, and the missing ones are
    /// asked for.
    pub(super) fn on_fill(
        &mut self,
        mut fill: Fill,
        complete: bool,
        broker: BrokerId,
        news: &mut News,
    ) {
        let index = fill.order;
        if self.is_old_news(index, fill.exec_id) {
            return self.note(Oddity::Duplicate);
        }
        let order = &mut self.orders[index as usize];
        let (from, to) = (fill.cum_qty.saturating_sub(fill.qty), fill.cum_qty);
        let valid = fill.qty.is_positive() && !from.is_negative() && fill.price.is_positive();
        let valid = planted!(LateFillDropped, valid, valid && !order.state.is_done());
        let known = to <= order.cum_qty || order.ahead.iter().any(|&(_, end)| end == to);
        let overlaps = from < order.cum_qty
            || order.ahead.iter().any(|&(start, end)| from < end && start < to);
        if planted!(FillBookedTwice, !valid || known || overlaps, !valid) {
            let odd = if valid && known { Oddity::Duplicate } else { Oddity::Contradiction };
            self.note(odd);
            if odd == Oddity::Contradiction {
                self.ask_snapshot(fill.at, broker, news);
            }
            return;
        }
        if planted!(GapClosedOver, from == order.cum_qty, true) {
            order.cum_qty = to;
            while let Some(next) = order.ahead.iter().position(|&(start, _)| start == order.cum_qty)
            {
                order.cum_qty = order.ahead.swap_remove(next).1;
            }
        } else {
            order.ahead.push((from, to));
        }
        let gap = !order.ahead.is_empty();
        let multiplier_free = fill.price.notional(fill.qty, 1);
        order.value = order.value.saturating_add(multiplier_free);
        order.fees = order.fees.saturating_add(fill.fee);
        fill.late = order.state.is_done();
        fill.arrival = self.arrivals[index as usize];
        let (route, side) = (order.route, order.terms.side);
        let last = complete && !gap
            || order.filled() >= order.units
                && matches!(order.terms.qty, OrderQty::Units(_))
                && order.replacement.is_none();
        if self.orders[index as usize].is_overfilled() {
            *self.oddities.entry(Oddity::Overfill).or_default() += 1;
        }
        self.disputes.remove(&index);
        self.books.book(route, side, fill.qty, fill.price, fill.fee);
        self.fills.push(fill);
        self.apply(index, if last { Event::LastFill } else { Event::Fill });
        self.tell(fill.at, index, Some(ExecType::Trade), fill.qty, fill.price, news);
        if gap {
            self.ask_snapshot(fill.at, broker, news);
        }
    }
}
