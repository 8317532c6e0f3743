//! C4: an agent's own prices, of orders and of fills, stay together: the highest and the lowest of
//! the window may be no further apart than the limit. It catches the ladder of orders of which each
//! is within the collar of a market that they move. Value: `10%/60s`.
//!
//! The window moves in steps of a sixteenth, so that it needs no memory for each order: a step is
//! forgotten when its newest price has left the window.

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::value::Drift;
use super::{Case, Check, Traded, rows_in};
use crate::actors::saved::Saved;
use crate::types::{AgentId, InstrumentId, LimitRow, Price, Reason, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const NAME: &str = "price_drift";
const STEPS: u64 = 16;
/// Twice the steps of a window: a step's place is free again long before it is needed.
const PLACES: usize = 32;

/// Lowest and highest price of a step of time.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Step {
    newest: Timestamp,
    low: Price,
    high: Price,
}

impl Step {
    const fn is_live(&self, at: Timestamp, drift: &Drift) -> bool {
        self.high.is_positive() && at.since(self.newest).0 < drift.window.0
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Prices([Step; PLACES]);

impl Prices {
    /// Lowest and highest of the window, `price` included.
    fn span(&self, at: Timestamp, drift: &Drift, price: Price) -> (Price, Price) {
        let live = self.0.iter().filter(|step| step.is_live(at, drift));
        live.fold((price, price), |(low, high), step| (low.min(step.low), high.max(step.high)))
    }

    fn add(&mut self, at: Timestamp, drift: &Drift, price: Price) {
        let number = at.nanos() / (drift.window.0 / STEPS).max(1);
        let step = &mut self.0[(number % PLACES as u64) as usize];
        if step.is_live(at, drift) {
            // The same step, or one of a window that had another length: nothing live is lost.
            (step.low, step.high) = (step.low.min(price), step.high.max(price));
        } else {
            (step.low, step.high) = (price, price);
        }
        step.newest = at;
    }
}

#[derive(Debug)]
struct PriceDrift {
    limits: Limits<Drift>,
    prices: PerScope<BTreeMap<(AgentId, InstrumentId), Prices>>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(PriceDrift { limits, prices: PerScope::default() }))
}

/// The price that an order names, else what it would trade at now.
fn price(case: &Case<'_>) -> Price {
    let ord_type = case.terms.ord_type;
    ord_type.limit_price().or(ord_type.stop_price()).unwrap_or(case.touch)
}

impl Check for PriceDrift {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let key = (case.route.agent, case.route.instrument);
        for (scope, drift) in self.limits.covering(case) {
            let Some(past) = self.prices.get(scope).and_then(|all| all.get(&key)) else { continue };
            let (low, high) = past.span(case.at, drift, price(case));
            if !drift.most.holds(high.saturating_sub(low).raw(), low.raw()) {
                return Err(Reason::PriceDrift);
            }
        }
        Ok(())
    }

    fn commit(&mut self, case: &Case<'_>) {
        let key = (case.route.agent, case.route.instrument);
        for (scope, drift) in self.limits.covering(case) {
            let past = self.prices.entry(scope).entry(key).or_default();
            past.add(case.at, drift, price(case));
        }
    }

    fn forget_prices(&mut self, instrument: InstrumentId) {
        for prices in self.prices.values_mut() {
            prices.retain(|(_, of), _| *of != instrument);
        }
    }

    fn traded(&mut self, fill: &Traded) {
        let key = (fill.route.agent, fill.route.instrument);
        for (scope, drift) in self.limits.on(fill.route) {
            let past = self.prices.entry(scope).entry(key).or_default();
            past.add(fill.at, drift, fill.price);
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.prices)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.prices)
    }

    rows_in!(limits);
}
