//! One order of the exchange: its durable image, and the questions matching asks of it.

use crate::msg::{FillSnapshot, OrderSnapshot, OrderTerms};
use crate::types::{
    AccountId, ClientOrderId, Instrument, InstrumentId, Notional, OrdStatus, OrdType, OrderQty,
    Price, Qty, Reason, Side, TimeInForce, Timestamp, TrailingOffset, VenueOrderId,
};
use serde::{Deserialize, Serialize};

/// An order's place in the exchange's list, from 0.
pub type OrderIndex = u32;

/// All of an order but its fills: what the ledger stores each time it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Place in the exchange's list.
    pub index: OrderIndex,
    /// The id it goes by now.
    pub cl_ord_id: ClientOrderId,
    /// The ids it had before replaces.
    pub earlier_ids: Vec<ClientOrderId>,
    /// Of which account.
    pub account: AccountId,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// What it asks for.
    pub terms: OrderTerms,
    /// Total units; zero while the units of a cash order are not known.
    pub qty: Qty,
    /// Units filled.
    pub cum: Qty,
    /// FIX 39: new, partially_filled, filled, canceled, expired or rejected.
    pub status: OrdStatus,
    /// Why it was rejected or cancelled, where nobody asked for it.
    pub reason: Option<Reason>,
    /// Its stop was reached.
    pub triggered: bool,
    /// It had its turn to take what the touch shows; a limit order rests from then on.
    pub arrived: bool,
    /// The best price since entry, of a trailing stop.
    pub best: Option<Price>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// Units that its parent's fills let it trade in total; `None` without a parent.
    pub released: Option<Qty>,
    /// The order it excludes.
    pub excludes: Option<OrderIndex>,
    /// The orders that wait for it.
    pub legs: [Option<OrderIndex>; 2],
    /// Number of the last execution report about it.
    pub changed: u64,
}

impl Order {
    /// Neither filled, cancelled, expired nor rejected.
    pub const fn is_open(&self) -> bool {
        matches!(self.status, OrdStatus::New | OrdStatus::PartiallyFilled)
    }

    /// FIX 151: what is still open.
    pub fn leaves(&self) -> Qty {
        if self.is_open() { self.qty - self.cum } else { Qty::ZERO }
    }

    /// FIX 37.
    pub const fn venue_order_id(&self) -> VenueOrderId {
        VenueOrderId(self.index as u128 + 1)
    }

    /// The money of a cash order whose units are not known yet.
    pub(super) const fn open_cash(&self) -> Option<Notional> {
        match self.terms.qty {
            OrderQty::Cash(cash) if self.qty.is_zero() => Some(cash),
            _ => None,
        }
    }

    /// What may trade now.
    pub(super) fn workable(&self) -> Qty {
        self.released.map_or(self.qty, |released| released.min(self.qty)) - self.cum
    }

    /// Waits for a trigger.
    pub(super) const fn is_stop(&self) -> bool {
        !self.triggered && !matches!(self.terms.ord_type, OrdType::Market | OrdType::Limit { .. })
    }

    /// Shows a waiting stop the prices of one market event. Prices at or through the stop trigger
    /// it; the best price of a trailing stop moves after it was asked. Whether anything changed.
    pub(super) fn observe(&mut self, low: Price, high: Price) -> bool {
        let side = self.terms.side;
        let (best, worst) = match side {
            Side::Buy => (low, high),
            Side::Sell => (high, low),
        };
        let stop = match self.terms.ord_type {
            OrdType::Stop { stop_px } | OrdType::StopLimit { stop_px, .. } => Some(stop_px),
            OrdType::TrailingStop { offset } => self.best.map(|best| trail(side, best, offset)),
            OrdType::Market | OrdType::Limit { .. } => None,
        };
        if stop.is_some_and(|stop| side.opposite().within(worst, stop)) {
            self.triggered = true;
            return true;
        }
        if matches!(self.terms.ord_type, OrdType::TrailingStop { .. })
            && self.best.is_none_or(|before| best != before && side.within(best, before))
        {
            self.best = Some(best);
            return true;
        }
        false
    }

    /// As a snapshot tells it.
    pub fn snapshot(&self, fills: &[FillSnapshot]) -> OrderSnapshot {
        let mut terms = self.terms;
        if self.open_cash().is_none() {
            terms.qty = OrderQty::Units(self.qty);
        }
        OrderSnapshot {
            cl_ord_id: Some(self.cl_ord_id),
            venue_order_id: self.venue_order_id(),
            account: self.account,
            instrument: self.instrument,
            terms,
            ord_status: self.status,
            cum_qty: self.cum,
            leaves_qty: self.leaves(),
            fills: fills.to_vec(),
        }
    }
}

/// The stop of a trailing stop whose best price since entry is `best`: a buy stop above it, a sell
/// stop below it. Basis points are cut to 1e-9.
fn trail(side: Side, best: Price, offset: TrailingOffset) -> Price {
    let distance = match offset {
        TrailingOffset::Price(distance) => distance,
        TrailingOffset::BasisPoints(points) => {
            let raw = i128::from(best.abs().raw()) * i128::from(points) / 10_000;
            Price::from_raw(i64::try_from(raw).unwrap_or(i64::MAX))
        }
    };
    match side {
        Side::Buy => best.saturating_add(distance),
        Side::Sell => best.saturating_sub(distance),
    }
}

/// Whether this exchange takes an order of these terms.
pub(super) fn check(
    terms: &OrderTerms,
    instrument: &Instrument,
    now: Timestamp,
) -> Result<(), Reason> {
    let on_step = |value: i64, step: i64| value > 0 && value % step.max(1) == 0;
    let price = |price: Price| on_step(price.raw(), instrument.tick.raw());
    let prices = match terms.ord_type {
        OrdType::Market => true,
        OrdType::Limit { price: limit } => price(limit),
        OrdType::Stop { stop_px } => price(stop_px),
        OrdType::StopLimit { stop_px, price: limit } => price(stop_px) && price(limit),
        OrdType::TrailingStop { offset: TrailingOffset::Price(distance) } => distance.is_positive(),
        OrdType::TrailingStop { offset: TrailingOffset::BasisPoints(points) } => {
            (1..10_000).contains(&points)
        }
    };
    let qty = match terms.qty {
        OrderQty::Units(qty) => on_step(qty.raw(), instrument.lot.raw()),
        OrderQty::Cash(cash) => cash.is_positive(),
    };
    let expiry = match (terms.tif, terms.expire_at) {
        (TimeInForce::Gtd, Some(at)) => at > now,
        (TimeInForce::Gtd, None) => false,
        _ => true,
    };
    if !(prices && qty && expiry) {
        return Err(Reason::InvalidOrder);
    }
    // Recorded data marks no auction that an order could take part in.
    match terms.tif {
        TimeInForce::Opg | TimeInForce::Cls => Err(Reason::BrokerUnsupported),
        _ => Ok(()),
    }
}

/// The units that `cash` buys at `price`, cut to whole lots.
pub(super) fn units_for(cash: Notional, price: Price, instrument: &Instrument) -> Qty {
    let one = i128::from(price.raw()) * i128::from(instrument.multiplier.max(1));
    let lot = i128::from(instrument.lot.raw().max(1));
    let units = if one > 0 { cash.raw() / one } else { 0 };
    Qty::from_raw(i64::try_from(units - units % lot).unwrap_or(0))
}
