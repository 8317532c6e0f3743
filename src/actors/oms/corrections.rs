//! Fills that a broker takes back or states anew (FIX 150 = H, G): told in the stream, or found out
//! as two of its snapshots list other fills than these books hold.
//!
//! A fill that was booked stays in the list of fills; one of negative quantity takes it back.

use super::order::OrderIndex;
use super::transition::{Event, Oddity};
use super::{Fill, News, Oms};
use crate::msg::{FillSnapshot, OrderSnapshot, TradeCorrection};
use crate::types::{BrokerId, ExecId, ExecType, Notional, OrdStatus, OrderQty, Qty, Timestamp};

impl Oms {
    /// The broker cancels or corrects a trade. A fill that is not known yet is void when it comes.
    pub(in crate::actors) fn on_correction(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        said: &TradeCorrection,
        news: &mut News,
    ) {
        // Whatever is known of the fill: positions have to agree afterwards.
        self.ask_snapshot(at, broker, news);
        let index = self.by_id.get(&said.cl_ord_id).copied();
        let index = index.map(|index| self.same_order(index, broker, said.venue_order_id));
        let Some(order) = index.and_then(|index| self.orders.get_mut(index as usize)) else {
            return self.note(Oddity::Unasked);
        };
        if order.route.broker != broker {
            return self.note(Oddity::Contradiction);
        }
        if order.void.contains(&said.exec_ref_id) {
            return self.note(Oddity::Duplicate);
        }
        order.disputed = false;
        let index = index.unwrap_or_default();
        let named = |fill: &&Fill| fill.exec_id == said.exec_ref_id;
        let Some(fill) = self.standing(index).iter().find(named).copied() else {
            self.orders[index as usize].void.push(said.exec_ref_id);
            return self.note(Oddity::Correction);
        };
        self.take_back(at, &fill, said.exec_id, news);
        if let Some(corrected) = &said.corrected {
            self.book_again(at, index, corrected, news);
        }
        self.go_on(index, said.ord_status, said.leaves_qty);
    }

    /// The fills of an order that nothing has taken back, in the order they were booked.
    fn standing(&self, index: OrderIndex) -> Vec<Fill> {
        let void = &self.orders[index as usize].void;
        let of_order = self.fills.iter().filter(|fill| fill.order == index);
        of_order
            .filter(|fill| fill.qty.is_positive() && !void.contains(&fill.exec_id))
            .copied()
            .collect()
    }

    /// Whether a fill of an order that had corrections is one that was booked or taken back before:
    /// its cumulative quantity counts what is gone since.
    pub(super) fn is_old_news(&self, index: OrderIndex, exec_id: ExecId) -> bool {
        let void = &self.orders[index as usize].void;
        !void.is_empty()
            && (void.contains(&exec_id)
                || self.standing(index).iter().any(|fill| fill.exec_id == exec_id))
    }

    fn take_back(&mut self, at: Timestamp, fill: &Fill, by: ExecId, news: &mut News) {
        let index = fill.order;
        let order = &mut self.orders[index as usize];
        order.void.push(fill.exec_id);
        order.value = order.value.saturating_sub(fill.price.notional(fill.qty, 1));
        let whole = (fill.cum_qty - fill.qty, fill.cum_qty);
        match order.ahead.iter().position(|&range| range == whole) {
            Some(place) => drop(order.ahead.swap_remove(place)),
            None => order.shift(-fill.qty),
        }
        let (route, side, cum_qty) = (order.route, order.terms.side, order.cum_qty);
        let late = order.state.is_done();
        planted!(
            BustUnbooked,
            self.books.take_back(route, side, fill.qty, fill.price, fill.fee),
            (),
        );
        let (qty, fee) = (-fill.qty, -fill.fee);
        self.fills.push(Fill { at, exec_id: by, qty, fee, cum_qty, late, ..*fill });
        self.note(Oddity::Correction);
        self.refresh(index);
        self.tell(at, index, Some(ExecType::TradeCancel), fill.qty, fill.price, news);
    }

    /// Books what the broker says instead of a fill that was taken back.
    fn book_again(
        &mut self,
        at: Timestamp,
        index: OrderIndex,
        fill: &FillSnapshot,
        news: &mut News,
    ) {
        if !fill.qty.is_positive() || !fill.price.is_positive() {
            return self.note(Oddity::Contradiction);
        }
        let order = &mut self.orders[index as usize];
        order.void.retain(|void| *void != fill.exec_id);
        order.value = order.value.saturating_add(fill.price.notional(fill.qty, 1));
        order.shift(fill.qty);
        let (route, side, cum_qty) = (order.route, order.terms.side, order.cum_qty);
        let late = order.state.is_done();
        self.books.book(route, side, fill.qty, fill.price, fill.fee);
        let &FillSnapshot { exec_id, qty, price, fee, transact_time } = fill;
        let (order, arrival) = (index, self.arrivals[index as usize]);
        self.fills.push(Fill {
            at,
            transact_time,
            order,
            exec_id,
            qty,
            price,
            fee,
            cum_qty,
            arrival,
            late,
        });
        self.refresh(index);
        self.tell(at, index, Some(ExecType::TradeCorrect), qty, price, news);
    }

    /// What a correction means for the order: one that was filled goes on where the broker works it.
    fn go_on(&mut self, index: OrderIndex, status: OrdStatus, leaves: Qty) {
        let order = &self.orders[index as usize];
        let working = matches!(status, OrdStatus::New | OrdStatus::PartiallyFilled);
        let full = matches!(order.terms.qty, OrderQty::Units(_))
            && order.filled() >= order.units
            && order.replacement.is_none();
        if order.state.is_done() {
            if working && leaves.is_positive() && !full {
                self.apply(index, Event::Reopened);
            }
        } else if full {
            self.apply(index, Event::LastFill);
        }
    }

    /// Compares an order's fills with a snapshot's. A list that differs, and differs again in the next
    /// snapshot though nothing was booked in between, is what is true.
    pub(super) fn restate(
        &mut self,
        at: Timestamp,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        let order = &mut self.orders[index as usize];
        let whole: Qty = theirs.fills.iter().map(|fill| fill.qty).sum();
        let value: Notional =
            theirs.fills.iter().map(|fill| fill.price.notional(fill.qty, 1)).sum();
        if whole != theirs.cum_qty {
            return;
        }
        let differs = whole != order.filled() || value != order.value;
        if !std::mem::replace(&mut order.disputed, differs) || !differs {
            return;
        }
        order.disputed = false;
        let mut missing = theirs.fills.clone();
        for fill in self.standing(index) {
            let same = |other: &FillSnapshot| (other.qty, other.price) == (fill.qty, fill.price);
            match missing.iter().position(same) {
                Some(place) => drop(missing.remove(place)),
                None => self.take_back(at, &fill, fill.exec_id, news),
            }
        }
        for fill in &missing {
            self.book_again(at, index, fill, news);
        }
        self.go_on(index, theirs.ord_status, theirs.leaves_qty);
    }
}
