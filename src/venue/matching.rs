//! When orders fill, at which price and for which size.
//!
//! | order | fills when | at |
//! |---|---|---|
//! | market, triggered stop | the touch has a price for it | the touch |
//! | limit, on arrival | the touch is within its limit | the touch |
//! | limit, resting | a quote or a trade is at or through its limit | its limit: it was there first |
//! | stop, stop limit, trailing | triggered by a trade, or by the touch it would take, at or through its stop | as a market or limit order that arrives |
//!
//! An instrument without any quote uses its last trade as its touch. A bar counts as trades between
//! its low and its high. With [`FillModel::SameBarClose`] only closes count and everything fills
//! there. While an instrument is halted, or outside the hours an order is for, nothing fills; what
//! waits arrives when trading goes on.

use super::FillModel;
use super::exchange::{Book, Exchange, OrderRecord};
use super::order::{OrderIndex, units_for};
use super::reporting::Outbox;
use super::touch::{Move, Source};
use crate::types::{
    ExecType, InstrumentId, Notional, OrdStatus, Price, Qty, Reason, Side, TimeInForce,
};

impl Exchange {
    /// Shows a market event to every open order of an instrument, oldest first.
    pub(super) fn match_resting(&mut self, id: InstrumentId, moved: Move, out: &mut Outbox) {
        let mut at = 0;
        while let Some(&index) = self.books[id.index()].resting.get(at) {
            self.work(index, moved, out);
            at += 1;
        }
        self.sweep();
    }

    /// An order's first turn, or its first one under new terms.
    pub(super) fn work_arrival(&mut self, index: OrderIndex, out: &mut Outbox) {
        self.work(index, Move::Touch, out);
    }

    fn work(&mut self, index: OrderIndex, moved: Move, out: &mut Outbox) {
        let OrderRecord { order, .. } = &mut self.orders[index as usize];
        if !order.is_open() || (order.open_cash().is_none() && !order.workable().is_positive()) {
            return;
        }
        let side = order.terms.side;
        let now_or_never = matches!(order.terms.tif, TimeInForce::Ioc | TimeInForce::Fok);
        let Book { touch, .. } = &mut self.books[order.instrument.index()];
        let calendar = self.instruments.get(order.instrument).calendar;
        let idle = match calendar.phase(self.now).takes(order.terms.extended_hours) {
            true if touch.halted => Some(Reason::Halted),
            true => None,
            false => Some(Reason::MarketClosed),
        };
        if let Some(reason) = idle {
            if now_or_never && !order.is_stop() {
                self.close(index, OrdStatus::Canceled, Some(reason), out);
            }
            return;
        }
        if order.is_stop() {
            let (low, high) = match (moved, touch.taking(side)) {
                (Move::Print { low, high }, _) => (low, high),
                (Move::Touch, Some((price, _))) => (price, price),
                (Move::Touch, None) => return,
            };
            if order.observe(low, high) {
                out.touched.push(index);
            }
            if order.is_stop() {
                return;
            }
        }
        let arriving = !order.arrived;
        if arriving {
            order.arrived = true;
            out.touched.push(index);
        }
        let limit = order.terms.ord_type.limit_price();
        let fillable = match (limit, moved) {
            (Some(limit), Move::Print { low, high }) if !arriving => {
                let reached = if side == Side::Buy { low } else { high };
                side.within(reached, limit).then_some((limit, Source::Last))
            }
            (Some(limit), _) if !arriving => touch
                .taking(side)
                .filter(|(price, _)| side.within(*price, limit))
                .map(|(_, source)| (limit, source)),
            _ => touch
                .taking(side)
                .filter(|(price, _)| limit.is_none_or(|limit| side.within(*price, limit))),
        };
        if let Some((price, source)) = fillable {
            self.trade(index, price, source, out);
        }
        let order = &self.orders[index as usize].order;
        if now_or_never && order.is_open() {
            self.close(index, OrdStatus::Canceled, None, out);
        }
    }

    /// Fills what there is for an order at a price.
    fn trade(&mut self, index: OrderIndex, price: Price, source: Source, out: &mut Outbox) {
        let model = self.rules.fill_model;
        let OrderRecord { order, .. } = &mut self.orders[index as usize];
        let (side, id) = (order.terms.side, order.instrument);
        let instrument = self.instruments.get(id);
        let touch = &mut self.books[id.index()].touch;
        let price = match model {
            FillModel::SameBarClose => touch.taking(side).map_or(price, |(close, _)| close),
            FillModel::Touch | FillModel::Displayed => price,
        };
        if order.terms.ord_type.limit_price().is_some_and(|limit| !side.within(price, limit)) {
            return;
        }
        if let Some(cash) = order.open_cash() {
            order.qty = units_for(cash, price, instrument);
            if order.qty.is_zero() {
                return self.close(index, OrdStatus::Canceled, Some(Reason::InvalidOrder), out);
            }
        }
        let wanted = order.workable();
        let qty = match model {
            FillModel::Displayed => {
                let left = touch.left(side, source).min(wanted);
                Qty::from_raw(left.raw() - left.raw() % instrument.lot.raw().max(1))
            }
            FillModel::Touch | FillModel::SameBarClose => wanted,
        };
        if !qty.is_positive() || (order.terms.tif == TimeInForce::Fok && qty < wanted) {
            return;
        }
        if !self.accounts.can_book(order.account, id, side, qty) {
            return self.close(index, OrdStatus::Canceled, Some(Reason::BrokerOther), out);
        }
        if model == FillModel::Displayed {
            touch.take(side, source, qty);
        }
        let multiplier = instrument.multiplier;
        let fee = self.rules.fee(price, qty, multiplier);
        self.accounts.book(order.account, id, multiplier, side, qty, price, fee);
        self.fill(index, qty, price, fee, out);
    }

    fn fill(&mut self, index: OrderIndex, qty: Qty, price: Price, fee: Notional, out: &mut Outbox) {
        let order = &mut self.orders[index as usize].order;
        order.cum += qty;
        let done = order.cum == order.qty;
        order.status = if done { OrdStatus::Filled } else { OrdStatus::PartiallyFilled };
        self.report(index, ExecType::Trade, Some((qty, price, fee)), out);
        self.after_fill(index, qty, out);
        if done {
            self.close(index, OrdStatus::Filled, None, out);
        }
    }
}
