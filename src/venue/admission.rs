//! Which requests the exchange takes.

use super::exchange::Exchange;
use super::order::{self, OrderIndex};
use crate::msg::{Contingent, NewOrder, OrderTerms, ReplaceOrder};
use crate::types::{OrdType, OrderQty, Reason, TimeInForce};

impl Exchange {
    /// A new order or list: all of it, or the first reason against it.
    pub(super) fn check_list(&self, new: &NewOrder) -> Result<(), Reason> {
        let ids =
            || std::iter::once(new.cl_ord_id).chain(new.contingent.legs().map(|leg| leg.cl_ord_id));
        if ids()
            .enumerate()
            .any(|(at, id)| self.ids.contains_key(&id) || ids().take(at).any(|i| i == id))
        {
            return Err(Reason::BrokerDuplicate);
        }
        if new.instrument.index() >= self.instruments.len()
            || new.account.index() >= self.accounts.names().len()
        {
            return Err(Reason::InvalidOrder);
        }
        let instrument = self.instruments.get(new.instrument);
        order::check(&new.terms, instrument, self.now)?;
        for leg in new.contingent.legs() {
            order::check(&leg.terms, instrument, self.now)?;
        }
        let is_cash = |terms: &OrderTerms| matches!(terms.qty, OrderQty::Cash(_));
        let any_cash = is_cash(&new.terms) || new.contingent.legs().any(|leg| is_cash(&leg.terms));
        if any_cash && new.contingent != Contingent::None {
            return Err(Reason::BrokerUnsupported);
        }
        if let Contingent::Bracket { take_profit, stop_loss } = &new.contingent {
            let far = new.terms.side.opposite();
            let fits = take_profit.terms.side == far
                && stop_loss.terms.side == far
                && matches!(take_profit.terms.ord_type, OrdType::Limit { .. })
                && !matches!(stop_loss.terms.ord_type, OrdType::Market | OrdType::Limit { .. });
            if !fits {
                return Err(Reason::InvalidOrder);
            }
        }
        if self.rules.rejects(self.orders.len() as u64) {
            return Err(Reason::BrokerOther);
        }
        Ok(())
    }

    /// A replace: the order that it names, or the reason against it.
    pub(super) fn check_replace(&self, replace: &ReplaceOrder) -> Result<OrderIndex, Reason> {
        let &index = self.ids.get(&replace.orig_cl_ord_id).ok_or(Reason::UnknownOrder)?;
        let order = &self.orders[index as usize].order;
        if self.ids.contains_key(&replace.cl_ord_id) {
            return Err(Reason::BrokerDuplicate);
        }
        if !order.is_open() {
            return Err(Reason::BrokerTooLate);
        }
        if order.cl_ord_id != replace.orig_cl_ord_id {
            return Err(Reason::UnknownOrder);
        }
        let terms = &replace.terms;
        order::check(terms, self.instruments.get(order.instrument), self.now)?;
        // An order that rests may rest longer or shorter; what is immediate has had its turn.
        let rests = |tif| matches!(tif, TimeInForce::Day | TimeInForce::Gtc);
        let same_tif = terms.tif == order.terms.tif || (rests(terms.tif) && rests(order.terms.tif));
        if terms.side != order.terms.side || !same_tif {
            return Err(Reason::InvalidOrder);
        }
        match terms.qty {
            OrderQty::Units(qty) if qty <= order.cum => Err(Reason::BrokerTooLate),
            OrderQty::Cash(_) if order.open_cash().is_none() => Err(Reason::InvalidOrder),
            _ => Ok(index),
        }
    }
}
