//! Whether an order makes sense at all, before any limit: its form, and a price to judge it by.

use crate::actors::market::{Market, MarketState};
use crate::kill::Route;
use crate::msg::{Contingent, NewOrder, OrderTerms};
use crate::types::{
    Notional, OrdType, OrderQty, Price, Reason, Side, TimeInForce, Timestamp, TrailingOffset,
};

/// Whether the orders of a list make sense together.
pub(super) fn list_fits(new: &NewOrder) -> Result<(), Reason> {
    if new.parent.is_some_and(|parent| !parent.qty.is_positive())
        || new.parent.is_some() && new.contingent != Contingent::None
    {
        return Err(Reason::InvalidOrder);
    }
    let entry = &new.terms;
    let exits = |leg: &OrderTerms| leg.side == entry.side.opposite();
    let fits = match &new.contingent {
        Contingent::None => true,
        Contingent::OneCancelsOther(_) => matches!(entry.qty, OrderQty::Units(_)),
        Contingent::OneTriggersOther(leg) => exits(&leg.terms),
        Contingent::Bracket { take_profit, stop_loss } => {
            exits(&take_profit.terms)
                && exits(&stop_loss.terms)
                && matches!(take_profit.terms.ord_type, OrdType::Limit { .. })
                && !matches!(stop_loss.terms.ord_type, OrdType::Market | OrdType::Limit { .. })
        }
    };
    if fits { Ok(()) } else { Err(Reason::InvalidOrder) }
}

/// Whether the price data of an instrument can carry a decision.
pub(super) fn price_state(market: &Market, case_at: Timestamp, route: Route) -> Result<(), Reason> {
    match market.state(route.instrument, case_at) {
        // A halt stops what opens, which the control `session` says; the way out stays open.
        MarketState::Live | MarketState::Halted => Ok(()),
        MarketState::Empty => Err(Reason::NoPrice),
        MarketState::Stale => planted!(StalePasses, Err(Reason::StalePrice), Ok(())),
        MarketState::Gap => planted!(GapPasses, Err(Reason::StalePrice), Ok(())),
    }
}

/// The price that a unit of this order costs at worst, before slippage of a market order.
pub(super) fn worst_price(terms: &OrderTerms, touch: Option<Price>, mark: Price) -> Price {
    match terms.ord_type {
        OrdType::Limit { price } | OrdType::StopLimit { price, .. } => match terms.side {
            Side::Buy => price,
            // A sell may bring more than its limit; the market is what it is worth.
            Side::Sell => price.max(mark),
        },
        OrdType::Stop { stop_px } => stop_px.max(touch.unwrap_or(mark)),
        OrdType::Market | OrdType::TrailingStop { .. } => touch.unwrap_or(mark).max(mark),
    }
}

/// Whether a time in force comes with what it needs.
pub(super) fn terms_fit(terms: &OrderTerms, at: Timestamp) -> bool {
    let prices = [terms.ord_type.limit_price(), terms.ord_type.stop_price()];
    let trailing = match terms.ord_type {
        OrdType::TrailingStop { offset: TrailingOffset::Price(distance) } => distance.is_positive(),
        OrdType::TrailingStop { offset: TrailingOffset::BasisPoints(points) } => {
            (1..10_000).contains(&points)
        }
        _ => true,
    };
    let expiry = match terms.tif {
        TimeInForce::Gtd => terms.expire_at.is_some_and(|end| end > at),
        _ => terms.expire_at.is_none(),
    };
    let size = match terms.qty {
        OrderQty::Units(qty) => qty.is_positive(),
        OrderQty::Cash(amount) => {
            amount > Notional::ZERO
                && matches!(terms.ord_type, OrdType::Market | OrdType::Limit { .. })
        }
    };
    size && expiry && trailing && prices.into_iter().flatten().all(Price::is_positive)
}
