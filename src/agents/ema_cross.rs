//! Follows the trend: a fast and a slow exponential moving average of the middle price.
//!
//! `ema += alpha * (mid - ema)`, `alpha = 2 / (n + 1)`, both from the first mid on; no signal before
//! `slow` quotes. When fast and slow change order, a market order takes the position to `qty` long or
//! short (or to none, see `short`). What is still open counts as done, so that a slow fill is not ordered twice.

use super::AgentSpec;
use crate::actors::agent::{Agent, AgentCx, Ticket};
use crate::actors::market::Touch;
use crate::actors::saved::Saved;
use crate::types::{InstrumentId, Qty, Side};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Length of the fast average in quotes.
    fast: u32,
    /// Length of the slow average in quotes, above `fast`.
    slow: u32,
    /// Size of the position, in units.
    qty: rust_decimal::Decimal,
    /// Whether it goes short in a falling market, or flat: some brokers do not turn a position over in
    /// one order.
    #[serde(default = "yes")]
    short: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
struct Trend {
    instrument: InstrumentId,
    fast: f64,
    slow: f64,
    quotes: u64,
    side: Option<Side>,
}

#[derive(Debug)]
struct EmaCross {
    alpha_fast: f64,
    alpha_slow: f64,
    warm_up: u64,
    /// The position that a side means: long, and short or flat.
    long: Qty,
    short: Qty,
    trends: Vec<Trend>,
}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let params: Params = spec.params()?;
    if params.fast == 0 || params.slow <= params.fast {
        return Err("fast must be at least 1 and slow above fast".to_owned());
    }
    let qty = Qty::from_decimal(params.qty).map_err(|error| format!("qty: {error}"))?;
    if !qty.is_positive() {
        return Err("qty must be above zero".to_owned());
    }
    let alpha = |length: u32| 2.0 / (f64::from(length) + 1.0);
    let trend = |&instrument: &InstrumentId| Trend {
        instrument,
        fast: 0.0,
        slow: 0.0,
        quotes: 0,
        side: None,
    };
    Ok(Box::new(EmaCross {
        alpha_fast: alpha(params.fast),
        alpha_slow: alpha(params.slow),
        warm_up: u64::from(params.slow),
        long: qty,
        short: if params.short { -qty } else { Qty::ZERO },
        trends: spec.symbols.iter().map(trend).collect(),
    }))
}

impl Agent for EmaCross {
    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.trends)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.trends)
    }

    #[inline]
    fn on_quote(&mut self, cx: &mut AgentCx<'_>, instrument: InstrumentId, touch: &Touch) {
        let Some(trend) = self.trends.iter_mut().find(|trend| trend.instrument == instrument)
        else {
            return;
        };
        if !(touch.bid.is_positive() && touch.ask.is_positive()) {
            return;
        }
        let mid = (touch.bid.raw() as f64 + touch.ask.raw() as f64) * 0.5;
        if trend.quotes == 0 {
            (trend.fast, trend.slow) = (mid, mid);
        } else {
            trend.fast += self.alpha_fast * (mid - trend.fast);
            trend.slow += self.alpha_slow * (mid - trend.slow);
        }
        trend.quotes += 1;
        if trend.quotes < self.warm_up {
            return;
        }
        let side = if trend.fast > trend.slow {
            Side::Buy
        } else if trend.fast < trend.slow {
            Side::Sell
        } else {
            return;
        };
        if trend.side == Some(side) {
            return;
        }
        trend.side = Some(side);
        let coming = cx
            .open_orders()
            .iter()
            .filter(|order| order.instrument == instrument)
            .fold(Qty::ZERO, |sum, order| sum + order.terms.side.signed(order.leaves_qty));
        let target = if side == Side::Buy { self.long } else { self.short };
        let wanted = target - cx.position(instrument) - coming;
        if side.signed(wanted).is_positive() {
            cx.submit(Ticket::market(instrument, side, wanted.abs()));
        }
    }
}
