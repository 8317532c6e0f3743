//! Watches and trades nothing: counts what it sees and logs a line now and then.

use super::AgentSpec;
use crate::actors::agent::{Agent, AgentCx, TimerId};
use crate::actors::market::Touch;
use crate::actors::saved::Saved;
use crate::msg::{Bar, Trade};
use crate::types::{InstrumentId, Nanos};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Time between two lines in the log: `60s`. None without it.
    every: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Observer {
    every: Option<Nanos>,
    quotes: u64,
    trades: u64,
    bars: u64,
    timing: bool,
}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let params: Params = spec.params()?;
    let every = params.every.map(|text| text.parse()).transpose()?;
    Ok(Box::new(Observer { every, ..Observer::default() }))
}

impl Observer {
    /// The first record tells what time it is; from then on the timer runs.
    fn watch(&mut self, cx: &mut AgentCx<'_>) {
        if let Some(every) = self.every
            && !self.timing
        {
            self.timing = true;
            cx.set_timer(cx.now() + every, 0);
        }
    }
}

impl Agent for Observer {
    fn state(&self) -> Option<&dyn Saved> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(self)
    }

    fn on_quote(&mut self, cx: &mut AgentCx<'_>, _: InstrumentId, _: &Touch) {
        self.quotes += 1;
        self.watch(cx);
    }

    fn on_trade(&mut self, cx: &mut AgentCx<'_>, _: &Trade) {
        self.trades += 1;
        self.watch(cx);
    }

    fn on_bar(&mut self, cx: &mut AgentCx<'_>, _: &Bar) {
        self.bars += 1;
        self.watch(cx);
    }

    fn on_timer(&mut self, cx: &mut AgentCx<'_>, _: TimerId) {
        tracing::info!(quotes = self.quotes, trades = self.trades, bars = self.bars, "observed");
        self.timing = false;
        self.watch(cx);
    }
}
