//! The generated market of a topology: its instruments, walking from the prices in the config.

use super::names::unknown;
use super::source::{ConfigError, Params};
use super::topology::Topology;
use crate::feed::{GeneratedInstrument, GeneratedMarket};
use crate::types::text::Text;
use crate::types::{Instrument, Nanos, Price, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[feed.params]` of a generated feed.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Generated {
    seed: u64,
    /// Mean span between records.
    interval: Nanos,
    /// One record in so many is a trade.
    trade_every: u64,
    /// Time of the first record.
    start: Option<Text<Timestamp>>,
    /// How many; without a number it never ends.
    records: Option<u64>,
    /// Where each symbol's walk begins.
    price: BTreeMap<String, Text<Price>>,
}

impl Default for Generated {
    fn default() -> Self {
        Self {
            seed: 1,
            interval: Nanos::from_millis(10),
            trade_every: 8,
            start: None,
            records: None,
            price: BTreeMap::new(),
        }
    }
}

/// Where a walk begins if the config does not say.
const PRICE: Price = Price::from_raw(100_000_000_000);

impl Topology {
    /// All instruments of this topology, generated with a feed's parameters or the default ones.
    ///
    /// # Errors
    /// An unknown or malformed key, or a price of no instrument, with its place.
    pub fn generated_market(
        &self,
        params: Option<&Params>,
    ) -> Result<GeneratedMarket, ConfigError> {
        let generated: Generated = params.map(Params::read).transpose()?.unwrap_or_default();
        let instruments = self.names.instruments();
        let known = || instruments.iter().map(|(_, i)| i.symbol.as_str());
        if let Some(symbol) = generated.price.keys().find(|symbol| !known().any(|k| k == *symbol)) {
            let message = unknown("symbol", symbol, known());
            return Err(match params {
                Some(params) => params.error(message),
                None => self.source.missing(message),
            });
        }
        let start = |i: &Instrument| {
            let price = generated.price.get(&i.symbol).map_or(PRICE, |price| price.0).raw();
            Price::from_raw(price - price % i.tick.raw())
        };
        let instruments = instruments
            .iter()
            .map(|(_, i)| GeneratedInstrument { instrument: i.clone(), price: start(i) })
            .collect();
        let market = GeneratedMarket::new(generated.seed, instruments);
        Ok(GeneratedMarket {
            start: generated.start.map_or(market.start, |start| start.0),
            interval: generated.interval,
            trade_every: generated.trade_every,
            records: generated.records,
            ..market
        })
    }
}
