//! Panics on purpose, for tests of supervision; only in builds with the `inject` feature. It panics
//! by what it sees, so that a replay of its journal panics at the same place.

use super::AgentSpec;
use crate::actors::agent::{Agent, AgentCx, Ticket};
use crate::actors::market::Touch;
use crate::types::{InstrumentId, Price, Qty, Side};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Panics at the quote of this number, once.
    at: u64,
}

#[derive(Debug)]
struct Faulty {
    at: u64,
    quotes: u64,
}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let Params { at } = spec.params()?;
    Ok(Box::new(Faulty { at, quotes: 0 }))
}

impl Agent for Faulty {
    /// Keeps one order open, far enough from the market to stay so.
    fn on_quote(&mut self, cx: &mut AgentCx<'_>, instrument: InstrumentId, touch: &Touch) {
        if !touch.bid.is_positive() {
            return;
        }
        self.quotes += 1;
        if cx.open_orders().is_empty() {
            let price = touch.bid - Price::from_raw(touch.bid.raw() / 50 / 10_000_000 * 10_000_000);
            cx.submit(Ticket::limit(instrument, Side::Buy, Qty::whole(1), price));
        }
        assert!(self.quotes != self.at, "injected into an agent");
    }
}
