//! Orders that depend on each other (FIX 1385).
//!
//! - One cancels other: a complete fill of one cancels the other, a partial fill reduces it by as much.
//!   A cancel or an expiry of one leaves the other.
//! - One triggers other, bracket: legs are acknowledged with their parent but may trade no more than
//!   the parent has filled. When the parent ends, each leg is cut to that; with nothing filled it is
//!   cancelled. The two legs of a bracket exclude each other as above.
//!
//! A cut leg is told by a report of type `OrderStatus` with its new `leaves_qty`.

use super::exchange::Exchange;
use super::order::OrderIndex;
use super::reporting::Outbox;
use crate::msg::Contingent;
use crate::types::{ExecType, OrdStatus, Qty};

impl Exchange {
    /// Ties the orders of a list together; `first` and those after it are its orders.
    pub(super) fn tie(&mut self, first: OrderIndex, contingent: &Contingent) {
        let (leg, second) = (first + 1, first + 2);
        let (legs, exclusive) = match contingent {
            Contingent::None => ([None; 2], None),
            Contingent::OneCancelsOther(_) => ([None; 2], Some((first, leg))),
            Contingent::OneTriggersOther(_) => ([Some(leg), None], None),
            Contingent::Bracket { .. } => ([Some(leg), Some(second)], Some((leg, second))),
        };
        self.orders[first as usize].order.legs = legs;
        for leg in legs.into_iter().flatten() {
            self.orders[leg as usize].order.released = Some(Qty::ZERO);
        }
        if let Some((one, other)) = exclusive {
            self.orders[one as usize].order.excludes = Some(other);
            self.orders[other as usize].order.excludes = Some(one);
        }
    }

    /// An order filled by `qty`: releases its legs, cuts or cancels what it excludes.
    pub(super) fn after_fill(&mut self, index: OrderIndex, qty: Qty, out: &mut Outbox) {
        let order = &self.orders[index as usize].order;
        let (legs, excludes, filled) = (order.legs, order.excludes, order.cum == order.qty);
        for leg in legs.into_iter().flatten() {
            let leg_order = &mut self.orders[leg as usize].order;
            if let Some(released) = leg_order.released {
                leg_order.released = Some(released.saturating_add(qty).min(leg_order.qty));
                out.touched.push(leg);
            }
        }
        if let Some(other) = excludes {
            let order = &mut self.orders[other as usize].order;
            if !order.is_open() {
                return;
            }
            if filled {
                return self.close(other, OrdStatus::Canceled, None, out);
            }
            order.released = order.released.map(|released| (released - qty).max(order.cum));
            let left = order.qty - qty;
            self.cut(other, left, out);
        }
    }

    /// An order ended: its legs keep what it filled.
    pub(super) fn settle_legs(&mut self, index: OrderIndex, out: &mut Outbox) {
        for leg in self.orders[index as usize].order.legs.into_iter().flatten() {
            let order = &mut self.orders[leg as usize].order;
            if let Some(released) = order.released.take()
                && order.is_open()
            {
                out.touched.push(leg);
                if released < order.qty {
                    self.cut(leg, released, out);
                }
            }
        }
    }

    /// Lowers an order's total to `qty`, or cancels it where nothing would be left.
    fn cut(&mut self, index: OrderIndex, qty: Qty, out: &mut Outbox) {
        let order = &mut self.orders[index as usize].order;
        if qty <= order.cum {
            return self.close(index, OrdStatus::Canceled, None, out);
        }
        order.qty = qty;
        self.report(index, ExecType::OrderStatus, None, out);
    }
}
