//! The facts that the checks judge, put together once for each order.

use super::{price_state, terms_fit, worst_price};
use crate::actors::market::Market;
use crate::actors::oms::{Exposure, Oms, Order};
use crate::kill::{Effect, Route};
use crate::msg::OrderTerms;
use crate::types::{AgentId, Instrument, Notional, OrderQty, Price, Qty, Reason, Timestamp};

/// One order, or one replace, before the gate.
#[derive(Debug, Clone, Copy)]
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
    /// Its worst price, in the instrument's currency.
    pub price: Price,
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
    pub fn new(
        at: Timestamp,
        route: Route,
        terms: &'a OrderTerms,
        replaces: Option<&Order>,
        intent: u64,
        oms: &'a Oms,
        market: &'a Market,
    ) -> Result<Self, Reason> {
        if !terms_fit(terms, at) {
            return Err(Reason::InvalidOrder);
        }
        price_state(market, at, route)?;
        let mark = market.mark(route.instrument).ok_or(Reason::NoPrice)?;
        let touch = market.far_touch(route.instrument, terms.side);
        let instrument = oms.books.instruments().get(route.instrument);
        let price = worst_price(terms, touch, mark);
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
        let account = oms.books.account(route.account, route.instrument);
        let agent = oms.books.agent(route.agent, route.instrument);
        let added = replaces.map_or(units, |order| {
            units.saturating_sub(order.filled()).saturating_sub(order.worst_leaves()).max(Qty::ZERO)
        });
        let reduces = match replaces {
            // Judged as if it were new: a better price fills what the old one did not.
            Some(order) => account
                .without(terms.side, order.reserved)
                .reduced_by(terms.side, units.saturating_sub(order.filled())),
            None => account.reduced_by(terms.side, units),
        };
        // A strategy's own position must shrink as well: another agent's is no cover for its own.
        let reduces = reduces
            && (route.agent.0 < AgentId::FIRST
                || match replaces {
                    Some(order) => agent
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
            price,
            value,
            mark: Some(mark),
            effect: if reduces { Effect::Reduces } else { Effect::Opens },
            account,
            agent,
            is_leg: false,
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
    pub fn leg(entry: &Self, terms: &'a OrderTerms, waits: bool) -> Result<Self, Reason> {
        let (oms, market) = (entry.oms, entry.market);
        let mut case = Self::new(entry.at, entry.route, terms, None, entry.intent, oms, market)?;
        case.is_leg = true;
        if waits {
            if case.units > entry.units {
                return Err(Reason::InvalidOrder);
            }
            case.added = Qty::ZERO;
            case.effect = Effect::Opens;
        }
        Ok(case)
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
