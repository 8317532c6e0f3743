//! Fills that a broker takes back or states anew (FIX 150 = H, G): told in the stream, or found out
//! as its snapshots go on listing other fills than these books hold. In the same way an end is taken
//! back: an order that they go on listing as open lives.
//!
//! A fill that was booked stays in the list of fills; one of negative quantity takes it back. Names of
//! executions are not trusted to differ: a broker may correct a fill under its own name.

use super::order::OrderIndex;
use super::transition::{Event, Oddity};
use super::{Fill, News, Oms};
use crate::msg::{FillSnapshot, OrderSnapshot, TradeCorrection};
use crate::types::{
    BrokerId, ExecId, ExecType, Notional, OrdStatus, OrderQty, Price, Qty, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a snapshot says of an order's fills or of its end, where the books say otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dispute {
    /// When it was said first.
    pub(super) since: Timestamp,
    theirs: OrderSnapshot,
    /// It is open there and ended here.
    lives: bool,
}

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
        let known_void = order.void.contains(&said.exec_ref_id);
        let index = index.unwrap_or_default();
        let named = |&&place: &&usize| self.fills[place].exec_id == said.exec_ref_id;
        let Some(place) = self.standing(index).iter().find(named).copied() else {
            if known_void {
                return self.note(Oddity::Duplicate);
            }
            let order = &mut self.orders[index as usize];
            order.void.push(said.exec_ref_id);
            order.corrected = true;
            return self.note(Oddity::Correction);
        };
        let stands = &self.fills[place];
        if said.corrected.is_some_and(|new| new.exec_id == stands.exec_id && same(&new, stands)) {
            return self.note(Oddity::Duplicate);
        }
        self.disputes.remove(&index);
        self.take_back(at, place, said.exec_id, news);
        if let Some(corrected) = &said.corrected {
            self.book_again(at, index, corrected, news);
        }
        self.go_on(index, said.ord_status, said.leaves_qty);
    }

    /// The places of the fills of an order that nothing has taken back, in the order they were booked.
    fn standing(&self, index: OrderIndex) -> Vec<usize> {
        let stands =
            |fill: &Fill| fill.order == index && fill.qty.is_positive() && !fill.taken_back;
        (0..self.fills.len()).filter(|&place| stands(&self.fills[place])).collect()
    }

    /// Whether a fill of an order that had corrections is one that was booked or taken back before:
    /// its cumulative quantity counts what is gone since.
    pub(super) fn is_old_news(&self, index: OrderIndex, exec_id: ExecId) -> bool {
        let order = &self.orders[index as usize];
        order.void.contains(&exec_id)
            || order.corrected
                && self.standing(index).iter().any(|&place| self.fills[place].exec_id == exec_id)
    }

    fn take_back(&mut self, at: Timestamp, place: usize, by: ExecId, news: &mut News) {
        self.fills[place].taken_back = true;
        let fill = self.fills[place];
        let index = fill.order;
        let order = &mut self.orders[index as usize];
        order.corrected = true;
        order.void.push(fill.exec_id);
        order.value = order.value.saturating_sub(fill.price.notional(fill.qty, 1));
        order.fees = order.fees.saturating_sub(fill.fee);
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
        self.fills.push(Fill { at, exec_id: by, qty, fee, cum_qty, late, ..fill });
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
        order.fees = order.fees.saturating_add(fill.fee);
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
            taken_back: false,
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

    /// Compares an order's fills with a snapshot's, and whether it has ended. What differs is what is
    /// true if a snapshot that was asked for a while later says the same, and nothing was booked in
    /// between. One alone may be old, or cross the report of the end.
    pub(super) fn dispute(
        &mut self,
        at: Timestamp,
        asked: Timestamp,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        let order = &self.orders[index as usize];
        let whole: Qty = theirs.fills.iter().map(|fill| fill.qty).sum();
        let value: Notional =
            theirs.fills.iter().map(|fill| fill.price.notional(fill.qty, 1)).sum();
        if whole != theirs.cum_qty {
            return;
        }
        let fees: Notional = theirs.fills.iter().map(|fill| fill.fee).sum();
        let lives = order.state.was_ended() && theirs.leaves_qty.is_positive();
        if !lives && (whole, value, fees) == (order.filled(), order.value, order.fees) {
            self.disputes.remove(&index);
            return;
        }
        let same = |said: &&Dispute| said.theirs.fills == theirs.fills && said.lives == lives;
        let said = self.disputes.get(&index).filter(same);
        let since = said.map_or(at, |said| said.since);
        if said.is_some() && self.is_proof(order.route.broker, since, asked) {
            self.restate(at, index, theirs, news);
        } else {
            self.disputes.insert(index, Dispute { since, theirs: theirs.clone(), lives });
        }
    }

    /// A snapshot that does not list a disputed order says that nothing changed since the last one.
    pub(super) fn uphold(
        &mut self,
        at: Timestamp,
        asked: Timestamp,
        broker: BrokerId,
        seen: &BTreeSet<OrderIndex>,
        news: &mut News,
    ) {
        let stands = |(index, dispute): &(&OrderIndex, &Dispute)| {
            self.orders[**index as usize].route.broker == broker
                && dispute.theirs.leaves_qty.is_zero()
                && !seen.contains(index)
                && self.is_proof(broker, dispute.since, asked)
        };
        let upheld: Vec<_> =
            self.disputes.iter().filter(stands).map(|(at, d)| (*at, d.clone())).collect();
        for (index, dispute) in upheld {
            self.restate(at, index, &dispute.theirs, news);
        }
    }

    /// What a snapshot showed at `since` and another, asked for at `asked`, as well is a fact.
    fn is_proof(&self, broker: BrokerId, since: Timestamp, asked: Timestamp) -> bool {
        asked >= since + self.patience[broker.index()].absence
    }

    fn restate(
        &mut self,
        at: Timestamp,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        self.disputes.remove(&index);
        let mut missing = theirs.fills.clone();
        for place in self.standing(index) {
            let fill = self.fills[place];
            match missing.iter().position(|other| same(other, &fill)) {
                Some(listed) => drop(missing.remove(listed)),
                None => self.take_back(at, place, fill.exec_id, news),
            }
        }
        for fill in &missing {
            self.book_again(at, index, fill, news);
        }
        if self.orders[index as usize].state.was_ended() && theirs.leaves_qty.is_positive() {
            self.apply(index, Event::Revived);
            self.tell(at, index, Some(ExecType::New), Qty::ZERO, Price::ZERO, news);
        } else {
            self.go_on(index, theirs.ord_status, theirs.leaves_qty);
        }
        if theirs.ord_status == OrdStatus::Filled && !self.orders[index as usize].state.is_done() {
            self.apply(index, Event::LastFill);
        }
    }
}

fn same(theirs: &FillSnapshot, ours: &Fill) -> bool {
    (theirs.qty, theirs.price, theirs.fee) == (ours.qty, ours.price, ours.fee)
}
