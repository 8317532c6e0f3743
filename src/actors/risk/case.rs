//! The facts that the checks judge, put together once for each order.

use super::check::Check;
use super::form::{price_state, terms_fit, worst_price};
use crate::actors::market::Market;
use crate::actors::oms::{Exposure, Oms, Order, OrderIndex, Worth};
use crate::kill::{Effect, Route};
use crate::msg::OrderTerms;
use crate::types::{
    AgentId, Instrument, Notional, OrdType, OrderQty, Price, Qty, Reason, Scope, Side, Timestamp,
};
use std::cell::OnceCell;

/// Scopes whose worth is kept: that of all, and one more.
const SCOPES: usize = 2;

/// What is the same for all orders of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a, 'c> {
    pub at: Timestamp,
    pub route: Route,
    pub intent: u64,
    pub oms: &'a Oms,
    pub market: &'a Market,
    /// The control that says how far a market order may be filled from the touch.
    pub collar: Option<&'c dyn Check>,
    /// Half of the limits, instead of the limits.
    pub half: bool,
}

/// One order, or one replace, before the gate.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Now.
    pub at: Timestamp,
    /// Whose it is.
    pub route: Route,
    /// What is asked for.
    pub terms: &'a OrderTerms,
    /// In what.
    pub instrument: &'a Instrument,
    /// The agent's own number.
    pub intent: u64,
    /// Size in units, for a replace the new total; an upper bound for an order that names money.
    pub units: Qty,
    /// Units that it adds to what is open; for a replace the growth, nothing for a leg that waits.
    pub added: Qty,
    /// Orders that it adds to those that are open: none for a replace.
    pub opens: u32,
    /// Its worst price, in the instrument's currency: for a market order the far touch and the price
    /// collar on top.
    pub price: Price,
    /// The best price of the other side; the mark where there is none.
    pub touch: Price,
    /// Its value at that price, in the account's currency.
    pub value: Notional,
    /// Middle of bid and ask, or the last trade.
    pub mark: Option<Price>,
    /// What it does to the worst case.
    pub effect: Effect,
    /// The account's exposure in the instrument before it.
    pub account: Exposure,
    /// The agent's exposure in the instrument before it.
    pub agent: Exposure,
    /// It is a leg of a list.
    pub is_leg: bool,
    /// It begins with fills of another order of its list.
    pub waits: bool,
    /// It is to be held against half of each limit.
    pub half: bool,
    /// Filled of the order that it replaces.
    filled: Qty,
    /// What is reserved for the order that it replaces, in the instrument's currency.
    released: Notional,
    /// What [`Self::worth`] has found: several checks ask for the same scopes.
    worths: [OnceCell<(Scope, Worth, Worth)>; SCOPES],
    /// For checks that need more.
    pub oms: &'a Oms,
    /// For checks that need more.
    pub market: &'a Market,
}

impl<'a> Case<'a> {
    /// Puts the facts together. Whatever is missing denies.
    ///
    /// # Errors
    /// No or stale price, halted, no FX mark, terms that no broker accepts.
    pub(super) fn new(
        ground: &Ground<'a, '_>,
        terms: &'a OrderTerms,
        replaces: Option<(OrderIndex, &Order)>,
    ) -> Result<Self, Reason> {
        let Ground { at, route, intent, oms, market, .. } = *ground;
        if !terms_fit(terms, at) {
            return Err(Reason::InvalidOrder);
        }
        price_state(market, at, route)?;
        let mark = market.mark(route.instrument).ok_or(Reason::NoPrice)?;
        let touch = market.far_touch(route.instrument, terms.side);
        let instrument = oms.books.instruments().get(route.instrument);
        let mut price = worst_price(terms, touch, mark);
        let units = match terms.qty {
            OrderQty::Units(units) => units,
            OrderQty::Cash(amount) => cash_units(amount, price.min(mark), instrument)?,
        };
        let steps = [terms.ord_type.limit_price(), terms.ord_type.stop_price()]
            .into_iter()
            .flatten()
            .all(|p| p.raw() % instrument.tick.raw() == 0);
        if !steps || matches!(terms.qty, OrderQty::Units(q) if q.raw() % instrument.lot.raw() != 0)
        {
            return Err(Reason::InvalidOrder);
        }
        let open_ended = matches!(
            terms.ord_type,
            OrdType::Market | OrdType::Stop { .. } | OrdType::TrailingStop { .. }
        );
        if let (true, OrderQty::Units(_), Some(collar)) = (open_ended, terms.qty, ground.collar) {
            price = price.saturating_add(collar.margin(route, price, instrument.tick));
        }
        let account = oms.books.account(route.account, route.instrument);
        let agent = oms.books.agent(route.agent, route.instrument);
        let added = replaces.map_or(units, |(_, order)| {
            units.saturating_sub(order.filled()).saturating_sub(order.worst_leaves()).max(Qty::ZERO)
        });
        let reduces = match replaces {
            // Judged as if it were new: a better price fills what the old one did not.
            Some((_, order)) => account
                .without(terms.side, order.reserved)
                .reduced_by(terms.side, units.saturating_sub(order.filled())),
            None => account.reduced_by(terms.side, units),
        };
        // A strategy's own position must shrink as well: another agent's is no cover for its own.
        let reduces = reduces
            && (route.agent.0 < AgentId::FIRST
                || match replaces {
                    Some((_, order)) => agent
                        .without(terms.side, order.reserved)
                        .reduced_by(terms.side, units.saturating_sub(order.filled())),
                    None => agent.reduced_by(terms.side, units),
                });
        let value = value(units, price, route, instrument, oms, market)?;
        Ok(Self {
            at,
            route,
            terms,
            instrument,
            intent,
            units,
            added,
            opens: u32::from(replaces.is_none()),
            price,
            touch: touch.unwrap_or(mark),
            value,
            mark: Some(mark),
            effect: if reduces { Effect::Reduces } else { Effect::Opens },
            account,
            agent,
            is_leg: false,
            waits: false,
            half: ground.half,
            filled: replaces.map_or(Qty::ZERO, |(_, order)| order.filled()),
            released: replaces.map_or(Notional::ZERO, |(index, _)| oms.cost(index)),
            worths: [const { OnceCell::new() }; SCOPES],
            oms,
            market,
        })
    }

    /// The case of a further order of the same list. One that excludes `entry` is judged as if it
    /// were alone. `waits` says that it begins with fills of `entry`: it then gives back what they
    /// bring and adds nothing, but what it gives back may be the way out of a position, so the list
    /// as a whole opens.
    ///
    /// # Errors
    /// As [`Self::new`]; a leg that waits for less than it trades.
    pub(super) fn leg(
        ground: &Ground<'a, '_>,
        entry: &Self,
        terms: &'a OrderTerms,
        waits: bool,
    ) -> Result<Self, Reason> {
        let mut case = Self::new(ground, terms, None)?;
        case.is_leg = true;
        case.waits = waits;
        if waits {
            if case.units > entry.units {
                return Err(Reason::InvalidOrder);
            }
            case.added = Qty::ZERO;
            case.effect = Effect::Opens;
        }
        Ok(case)
    }

    /// Size of the worst position in the instrument on the order's side with it: an agent's own, or
    /// the account's. The other side is left out: a position over a lowered limit may be reduced.
    #[inline]
    pub fn worst(&self, scope: Scope) -> Qty {
        let cell = planted!(
            PositionForgetsOpen,
            self.cell(scope),
            Exposure { position: self.cell(scope).position, ..Exposure::default() },
        );
        let after = cell.with(self.terms.side, self.added);
        match self.terms.side {
            Side::Buy => after.longest(),
            Side::Sell => -after.shortest(),
        }
    }

    fn cell(&self, scope: Scope) -> Exposure {
        match scope {
            Scope::Agent(_) => self.agent,
            _ => self.account,
        }
    }

    /// What all that a scope covers is worth at its worst case, without the order and with it.
    ///
    /// # Errors
    /// Something held or open has no price or no rate; an order that reduces passes without.
    pub fn worth(&self, scope: Scope) -> Result<(Worth, Worth), Reason> {
        for place in &self.worths {
            match place.get() {
                Some(&(known, before, after)) if known == scope => return Ok((before, after)),
                Some(_) => {}
                None => {
                    let (before, after) = self.find_worth(scope)?;
                    let _ = place.set((scope, before, after));
                    return Ok((before, after));
                }
            }
        }
        self.find_worth(scope)
    }

    fn find_worth(&self, scope: Scope) -> Result<(Worth, Worth), Reason> {
        let before = match self.oms.worth(scope, self.market) {
            Ok(worth) => worth,
            Err(_) if self.effect == Effect::Reduces => return Ok(Default::default()),
            Err(reason) => return Err(reason),
        };
        let high = self.mark.map_or(self.price, |mark| mark.max(self.price));
        let multiplier = self.instrument.multiplier;
        let money = |price: Price, units: Qty| {
            let own = price.checked_notional(units, multiplier).ok_or(Reason::InvalidOrder)?;
            let fx = self.oms.books.fx();
            fx.convert(self.route.instrument, own, self.market).ok_or(Reason::NoFxMark)
        };
        let (cell, mark) = (self.cell(scope), self.mark.unwrap_or(high));
        let (long, short) = (money(mark, cell.longest())?, money(mark, cell.shortest())?);
        let added = money(high, self.added)?;
        let mut after = before;
        let (long_after, short_after) = match self.terms.side {
            Side::Buy => {
                after.longest = after.longest.saturating_add(added);
                (long.saturating_add(added), short)
            }
            Side::Sell => {
                after.shortest = after.shortest.saturating_sub(added);
                (long, short.saturating_sub(added))
            }
        };
        let old = long.abs().max(short.abs());
        let new = planted!(
            GrossForgetsShorts,
            long_after.abs().max(short_after.abs()),
            long_after.abs(),
        );
        after.gross = after.gross.saturating_sub(old).saturating_add(new);
        Ok((before, after))
    }

    /// What the order may cost at most beyond what is reserved for it, in the account's currency.
    ///
    /// # Errors
    /// [`Reason::NoFxMark`].
    pub fn cost(&self) -> Result<Notional, Reason> {
        if self.waits {
            return Ok(Notional::ZERO);
        }
        let open = self.units.saturating_sub(self.filled);
        let own = self.price.notional(open, self.instrument.multiplier);
        let own = own.saturating_sub(self.released).max(Notional::ZERO);
        self.oms.books.fx().convert(self.route.instrument, own, self.market).ok_or(Reason::NoFxMark)
    }
}

/// Units that `amount` may buy: the price may fall before the broker turns money into units, so a
/// tenth is added, and one lot for rounding.
fn cash_units(amount: Notional, price: Price, instrument: &Instrument) -> Result<Qty, Reason> {
    if !price.is_positive() {
        return Err(Reason::NoPrice);
    }
    let per_unit = i128::from(price.raw()) * i128::from(instrument.multiplier);
    let units = amount.raw().saturating_mul(11) / 10 / per_unit;
    let units = i64::try_from(units).map_err(|_| Reason::InvalidOrder)?;
    Ok(Qty::from_raw(units).saturating_add(instrument.lot))
}

fn value(
    units: Qty,
    price: Price,
    route: Route,
    instrument: &Instrument,
    oms: &Oms,
    market: &Market,
) -> Result<Notional, Reason> {
    let own = price.checked_notional(units, instrument.multiplier).ok_or(Reason::InvalidOrder)?;
    oms.books.fx().convert(route.instrument, own, market).ok_or(Reason::NoFxMark)
}
