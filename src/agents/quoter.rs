//! Quotes both sides around the middle price.
//!
//! A bid at `mid - half_spread` and an ask at `mid + half_spread`, on the instrument's tick and away
//! from the middle. A quote that is `half_spread / 2` or more from where it should be is replaced. At
//! `max_position` the side that would add to it is left out.

use super::AgentSpec;
use crate::actors::agent::{Agent, AgentCx, OpenOrder, Ticket};
use crate::actors::market::{MarketState, Touch};
use crate::actors::saved::Saved;
use crate::msg::OrderTerms;
use crate::types::{InstrumentId, OrdStatus, OrdType, OrderQty, Price, Qty, Side, TimeInForce};
use rust_decimal::Decimal;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Size of each quote, in units.
    qty: Decimal,
    /// Distance to the middle, in price.
    half_spread: Decimal,
    /// Largest position on either side, in units.
    max_position: Decimal,
}

#[derive(Debug)]
struct Quoter {
    qty: Qty,
    half_spread: Price,
    max_position: Qty,
    /// Instrument and its tick.
    symbols: Vec<(InstrumentId, Price)>,
}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let params: Params = spec.params()?;
    let positive = |name: &str, value: Decimal| match value > Decimal::ZERO {
        true => Ok(value),
        false => Err(format!("{name} must be above zero")),
    };
    let error = |name: &'static str| move |error| format!("{name}: {error}");
    Ok(Box::new(Quoter {
        qty: Qty::from_decimal(positive("qty", params.qty)?).map_err(error("qty"))?,
        half_spread: Price::from_decimal(positive("half_spread", params.half_spread)?)
            .map_err(error("half_spread"))?,
        max_position: Qty::from_decimal(positive("max_position", params.max_position)?)
            .map_err(error("max_position"))?,
        symbols: spec.symbols.iter().map(|&id| (id, spec.instruments.get(id).tick)).collect(),
    }))
}

impl Quoter {
    fn wanted(&self, side: Side, mid: Price, tick: Price) -> Price {
        let step = tick.raw();
        let raw = match side {
            Side::Buy => (mid - self.half_spread).raw().div_euclid(step),
            Side::Sell => {
                let above = (mid + self.half_spread).raw();
                above.div_euclid(step) + i64::from(above.rem_euclid(step) != 0)
            }
        };
        Price::from_raw(raw.saturating_mul(step))
    }

    fn quote(
        &self,
        cx: &mut AgentCx<'_>,
        instrument: InstrumentId,
        side: Side,
        mid: Price,
        tick: Price,
    ) {
        let price = self.wanted(side, mid, tick);
        let own = |order: &&OpenOrder| order.instrument == instrument && order.terms.side == side;
        let current = cx.open_orders().iter().find(own).copied();
        let position = side.signed(cx.position(instrument));
        let Some(order) = current else {
            if position + self.qty <= self.max_position && price.is_positive() {
                cx.submit(Ticket::limit(instrument, side, self.qty, price));
            }
            return;
        };
        let settled = matches!(order.ord_status, OrdStatus::New | OrdStatus::PartiallyFilled);
        let OrdType::Limit { price: resting } = order.terms.ord_type else { return };
        let off = (resting - price).abs().raw().saturating_mul(2) >= self.half_spread.raw();
        if settled && off && price.is_positive() {
            let terms = OrderTerms {
                side,
                qty: OrderQty::Units(self.qty),
                ord_type: OrdType::Limit { price },
                tif: TimeInForce::Day,
                expire_at: None,
                extended_hours: false,
            };
            cx.replace(order.cl_ord_id, terms);
        }
    }
}

impl Agent for Quoter {
    // It has learnt nothing but what it was built from.
    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.symbols)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.symbols)
    }

    fn on_quote(&mut self, cx: &mut AgentCx<'_>, instrument: InstrumentId, touch: &Touch) {
        let Some(&(_, tick)) = self.symbols.iter().find(|(id, _)| *id == instrument) else {
            return;
        };
        let Some(mid) = touch.mid() else { return };
        if touch.bid >= touch.ask || cx.market_state(instrument) != MarketState::Live {
            return;
        }
        self.quote(cx, instrument, Side::Buy, mid, tick);
        self.quote(cx, instrument, Side::Sell, mid, tick);
    }
}
