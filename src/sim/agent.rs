//! A strategy without sense: it does everything an agent may do, and some that it may not, at random
//! but by its seed.

use super::dice::Dice;
use crate::actors::agent::{Agent, AgentCx, Ticket};
use crate::actors::market::Touch;
use crate::actors::oms::OrderUpdate;
use crate::agents::AgentSpec;
use crate::msg::{OrderTerms, Trade};
use crate::types::{
    InstrumentId, InstrumentTable, Notional, OrdType, OrderQty, Price, Qty, Side, TimeInForce,
    TrailingOffset,
};
use serde::Deserialize;

/// The kind's name in a configuration.
pub const KIND: &str = "swarm";

/// A trade with this condition makes an agent panic that is fragile.
pub const POISON: u32 = 0x0dea_dbee;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    seed: u64,
    /// How often it acts, in a thousand quotes.
    activity: u64,
}

struct Swarm {
    dice: Dice,
    activity: u64,
    instruments: InstrumentTable,
    intent: u64,
}

/// Builds one.
///
/// # Errors
/// Parameters that cannot be used.
pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let Params { seed, activity } = spec.params()?;
    let instruments = spec.instruments.clone();
    Ok(Box::new(Swarm { dice: Dice::new(seed, 7), activity, instruments, intent: 1 << 40 }))
}

/// A single order at random around a price, most of them sensible.
pub fn random_terms(
    dice: &mut Dice,
    table: &InstrumentTable,
    id: InstrumentId,
    mark: Price,
) -> OrderTerms {
    let instrument = table.get(id);
    let (tick, lot) = (instrument.tick.raw(), instrument.lot.raw());
    let side = if dice.chance(500) { Side::Buy } else { Side::Sell };
    let lots = match dice.below(20) {
        0 => dice.between(100, 5_000),
        1..=3 => dice.between(20, 100),
        _ => dice.between(1, 20),
    };
    let near = |dice: &mut Dice, ticks: u64| {
        let off = dice.between(0, 2 * ticks) as i64 - ticks as i64;
        Price::from_raw(mark.raw() / tick * tick + off * tick)
    };
    let ord_type = match dice.below(20) {
        0..=3 => OrdType::Market,
        4 => OrdType::Stop { stop_px: near(dice, 40) },
        5 => OrdType::StopLimit { stop_px: near(dice, 40), price: near(dice, 40) },
        6 => OrdType::TrailingStop {
            offset: TrailingOffset::BasisPoints(dice.between(1, 500) as u32),
        },
        7 => OrdType::Limit { price: near(dice, 3_000) },
        _ => OrdType::Limit { price: near(dice, 12) },
    };
    let tif = match dice.below(12) {
        0 => TimeInForce::Ioc,
        1 => TimeInForce::Fok,
        2 => TimeInForce::Gtc,
        3 if dice.chance(100) => TimeInForce::Opg,
        _ => TimeInForce::Day,
    };
    let cash = matches!(ord_type, OrdType::Market) && dice.chance(150);
    let qty = if cash {
        OrderQty::Cash(Notional::from_raw(i128::from(mark.raw()) * i128::from(lot) * lots as i128))
    } else {
        OrderQty::Units(Qty::from_raw(lot * lots as i64))
    };
    OrderTerms { side, qty, ord_type, tif, expire_at: None, extended_hours: false }
}

impl Swarm {
    fn act(&mut self, cx: &mut AgentCx<'_>, id: InstrumentId) {
        let Some(mark) = cx.mark(id) else { return };
        let open: Vec<_> =
            cx.open_orders().iter().map(|o| (o.cl_ord_id, o.terms, o.instrument)).collect();
        match self.dice.below(100) {
            0..=13 => {
                if let Some(&(order, ..)) = self.dice.pick(&open) {
                    cx.cancel(order);
                }
            }
            14..=25 => {
                if let Some(&(order, terms, instrument)) = self.dice.pick(&open) {
                    self.replace(cx, order, terms, instrument);
                }
            }
            26..=33 => self.list(cx, id, mark),
            34 => {
                for _ in 0..self.dice.between(5, 20) {
                    self.single(cx, id, mark);
                }
            }
            35 => {
                // The same wish twice.
                self.intent += 1;
                let terms = random_terms(&mut self.dice, &self.instruments, id, mark);
                for _ in 0..2 {
                    cx.submit(Ticket::new(id, terms).intent(self.intent));
                }
            }
            36..=37 => {
                // Nonsense.
                let mut terms = random_terms(&mut self.dice, &self.instruments, id, mark);
                match self.dice.below(3) {
                    0 => terms.qty = OrderQty::Units(Qty::ZERO),
                    1 => terms.ord_type = OrdType::Limit { price: Price::from_raw(mark.raw() + 1) },
                    _ => terms.ord_type = OrdType::Limit { price: Price::from_raw(-5) },
                }
                cx.submit(Ticket::new(id, terms));
            }
            38..=45 => self.close(cx, id),
            _ => self.single(cx, id, mark),
        }
    }

    fn single(&mut self, cx: &mut AgentCx<'_>, id: InstrumentId, mark: Price) {
        let terms = random_terms(&mut self.dice, &self.instruments, id, mark);
        cx.submit(Ticket::new(id, terms));
    }

    /// Back to flat: the order that passes a reduce-only kill.
    fn close(&mut self, cx: &mut AgentCx<'_>, id: InstrumentId) {
        let held = cx.position(id);
        if held.is_zero() {
            return;
        }
        let side = if held.is_positive() { Side::Sell } else { Side::Buy };
        let lot = self.instruments.get(id).lot.raw();
        let lots = (held.abs().raw() / lot).max(1) as u64;
        // Sometimes more than there is.
        let most = if self.dice.chance(100) { lots * 2 } else { lots };
        let qty = Qty::from_raw(self.dice.between(1, most) as i64 * lot);
        cx.submit(Ticket::market(id, side, qty));
    }

    fn list(&mut self, cx: &mut AgentCx<'_>, id: InstrumentId, mark: Price) {
        let tick = self.instruments.get(id).tick.raw();
        let lot = self.instruments.get(id).lot.raw();
        let base = mark.raw() / tick * tick;
        let at = |ticks: i64| Price::from_raw(base + ticks * tick);
        let side = if self.dice.chance(500) { Side::Buy } else { Side::Sell };
        let sign = if side == Side::Buy { 1 } else { -1 };
        let qty = OrderQty::Units(Qty::from_raw(self.dice.between(1, 10) as i64 * lot));
        let terms = |side, ord_type| OrderTerms {
            side,
            qty,
            ord_type,
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        };
        let entry = terms(side, OrdType::Limit { price: at(self.dice.between(0, 6) as i64 - 3) });
        let profit = terms(side.opposite(), OrdType::Limit { price: at(sign * 15) });
        let loss = terms(side.opposite(), OrdType::Stop { stop_px: at(sign * -15) });
        let ticket = Ticket::new(id, entry);
        cx.submit(match self.dice.below(3) {
            0 => ticket.then(profit),
            1 => ticket.bracket(profit, loss),
            _ => ticket.or_else(terms(side, OrdType::Limit { price: at(sign * -8) })),
        });
    }

    fn replace(
        &mut self,
        cx: &mut AgentCx<'_>,
        order: crate::types::ClientOrderId,
        mut terms: OrderTerms,
        id: InstrumentId,
    ) {
        let tick = self.instruments.get(id).tick.raw();
        let lot = self.instruments.get(id).lot.raw();
        let ticks = self.dice.between(0, 10) as i64 - 5;
        let moved = |price: Price| Price::from_raw(price.raw() + ticks * tick);
        terms.ord_type = match terms.ord_type {
            OrdType::Limit { price } => OrdType::Limit { price: moved(price) },
            OrdType::StopLimit { stop_px, price } => {
                OrdType::StopLimit { stop_px: moved(stop_px), price }
            }
            other => other,
        };
        if self.dice.chance(600) {
            let lots = self.dice.between(1, 30) as i64;
            terms.qty = OrderQty::Units(Qty::from_raw(lots * lot));
        }
        cx.replace(order, terms);
    }
}

impl Agent for Swarm {
    fn on_quote(&mut self, cx: &mut AgentCx<'_>, instrument: InstrumentId, _touch: &Touch) {
        if self.dice.chance(self.activity) {
            self.act(cx, instrument);
        }
    }

    fn on_trade(&mut self, _cx: &mut AgentCx<'_>, trade: &Trade) {
        if trade.condition == POISON && self.dice.chance(700) {
            // As a panic, but without a word on standard error.
            std::panic::resume_unwind(Box::new("poison"));
        }
    }

    fn on_order(&mut self, cx: &mut AgentCx<'_>, update: &OrderUpdate) {
        if self.dice.chance(20) {
            self.act(cx, update.route.instrument);
        }
    }
}
