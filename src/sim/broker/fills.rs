//! What the market does to orders: how much fills, when and at which price.

use super::ledger::Booked;
use super::{SimBroker, Todo};
use crate::msg::OrderTerms;
use crate::sim::fault::Fault;
use crate::types::{
    AccountId, ClientOrderId, ExecType, InstrumentId, Notional, OrdType, OrderQty, Price, Qty,
    Side, TimeInForce, Timestamp,
};
use crate::venue::wire::VenueMessage;

impl SimBroker {
    /// A part of `rest` in whole lots.
    pub(super) fn lots(&self, place: usize, rest: Qty) -> Qty {
        let lot = self.instruments.get(self.ledger.orders[place].instrument).lot.raw().max(1);
        Qty::from_raw((rest.raw() / lot).max(1) * lot).min(rest)
    }

    /// From now on orders fill by [`Self::fill_order`] only; those by hand fill all the same.
    pub const fn fills_on_command(&mut self) {
        self.commanded = true;
    }

    /// The market fills so much of an order.
    pub fn fill_order(&mut self, now: Timestamp, id: ClientOrderId, qty: Qty) {
        if let Some(place) = self.open(id) {
            self.fill(now, place, qty.min(self.ledger.room(place)));
        }
    }

    /// What the market does to an order now and then.
    pub(super) fn market_fills(&mut self, now: Timestamp, place: usize) {
        let room = self.ledger.room(place);
        let order = &self.ledger.orders[place];
        if !order.is_open() || self.commanded && order.id().is_some() {
            return;
        }
        let waits = room.is_zero();
        if !waits && (self.marketable(place) || self.dice.chance(150)) {
            let part = self.part(place, room);
            self.fill(now, place, part);
        }
        if self.ledger.orders[place].is_open() && !self.quiet {
            self.soon(now, 500, 15_000, Todo::Fill(place));
        }
    }

    pub(super) fn marketable(&self, place: usize) -> bool {
        let order = &self.ledger.orders[place];
        let mark = self.prices[order.instrument.index()];
        match order.terms.ord_type {
            OrdType::Market => true,
            OrdType::Limit { price } => order.terms.side.within(mark, price),
            _ => false,
        }
    }

    /// All of it, or a part in whole lots.
    pub(super) fn part(&mut self, place: usize, room: Qty) -> Qty {
        if self.dice.chance(450) {
            return room;
        }
        let lot = self.instruments.get(self.ledger.orders[place].instrument).lot.raw().max(1);
        let lots = (room.raw() / lot).max(1) as u64;
        Qty::from_raw(self.dice.between(1, lots) as i64 * lot).min(room)
    }

    pub(super) fn fill(&mut self, now: Timestamp, place: usize, qty: Qty) {
        let order = &self.ledger.orders[place];
        if !qty.is_positive() || self.closed == Some(order.instrument) {
            return;
        }
        let tick = self.instruments.get(order.instrument).tick.raw().max(1);
        let slip = self.dice.below(4) as i64 * tick;
        let mark = self.prices[order.instrument.index()].raw() / tick * tick;
        let price = match (order.terms.ord_type.limit_price(), order.terms.side) {
            (Some(limit), Side::Buy) => limit.raw() - slip,
            (Some(limit), Side::Sell) => limit.raw() + slip,
            (None, Side::Buy) => mark + slip,
            (None, Side::Sell) => mark - slip,
        };
        let price = Price::from_raw(price.max(tick));
        let odd = self.spoils(Fault::OddFee);
        let fee = match self.dice.below(4) {
            0 if odd => Notional::ZERO,
            1 if odd => -price.notional(qty, 1),
            _ if odd => price.notional(qty, 3),
            _ => Notional::from_raw(price.notional(qty, 1).raw() / 10_000),
        };
        let before: Vec<usize> = self.ledger.orders[place].excludes.into_iter().collect();
        let changed = self.ledger.fill(place, qty, price, fee, now);
        if let Some(report) = self.ledger.trade(place) {
            self.say(now, VenueMessage::Execution(report));
        }
        debug_assert!(changed.iter().all(|place| before.contains(place)));
        for other in changed {
            let ended = !self.ledger.orders[other].is_open();
            let kind = if ended { ExecType::Canceled } else { ExecType::OrderStatus };
            if let Some(report) = self.ledger.report(other, kind, now) {
                self.say(now, VenueMessage::Execution(report));
            }
        }
    }

    /// A trade of the last ones is cancelled or corrected, and the gateway is told.
    pub(super) fn correct_trade(&mut self, now: Timestamp, fault: Fault) {
        let traded = |order: &Booked| !order.fills.is_empty() && order.id().is_some();
        let places: Vec<usize> =
            (0..self.ledger.orders.len()).filter(|&at| traded(&self.ledger.orders[at])).collect();
        let Some(&place) = self.dice.pick(&places[places.len().saturating_sub(40)..]) else {
            return;
        };
        let order = &self.ledger.orders[place];
        let which = self.dice.below(order.fills.len() as u64) as usize;
        let before = order.fills[which];
        if self.closed == Some(order.instrument) {
            return;
        }
        let instrument = self.instruments.get(order.instrument);
        let (tick, lot) = (instrument.tick.raw(), instrument.lot.raw());
        let corrected = (fault == Fault::TradeCorrect).then(|| {
            let moved = self.dice.between(1, 3) as i64 * tick;
            let half = Qty::from_raw(before.qty.raw() / 2 / lot * lot);
            let smaller = self.dice.chance(300) && half.is_positive();
            (if smaller { half } else { before.qty }, Price::from_raw(before.price.raw() + moved))
        });
        let again = self.dice.chance(500);
        self.strike(fault);
        let said = self.ledger.correct(place, which, corrected, again, now);
        if self.ledger.orders[place].is_open() {
            self.soon(now, 500, 15_000, Todo::Fill(place));
        }
        if let Some(said) = said {
            self.say(now, VenueMessage::Correction(said));
        }
    }

    /// Somebody trades by hand.
    pub(super) fn manual_order(&mut self, now: Timestamp) {
        let account = AccountId(self.dice.below(self.accounts as u64) as u16);
        let number = self.dice.below(self.instruments.len() as u64) as u16;
        let instrument = InstrumentId(number);
        let side = if self.dice.chance(500) { Side::Buy } else { Side::Sell };
        let mark = self.prices[instrument.index()];
        if !mark.is_positive() {
            return;
        }
        let lot = self.instruments.get(instrument).lot;
        let units = Qty::from_raw(lot.raw() * self.dice.between(1, 5) as i64);
        let terms = OrderTerms {
            side,
            qty: OrderQty::Units(units),
            ord_type: OrdType::Market,
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        };
        let place = self.ledger.insert(None, account, instrument, terms, units);
        self.strike(Fault::ManualOrder);
        self.soon(now, 1, 5_000, Todo::Fill(place));
    }
}
