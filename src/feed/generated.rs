//! A made-up market: the same seed is the same stream, on every machine and in every build.

use super::{Feed, FeedError};
use crate::msg::{MarketData, Quote, Trade};
use crate::types::{
    Calendar, Currency, ExchangeId, Instrument, InstrumentId, InstrumentTable, Nanos, Price, Qty,
    Side, Timestamp,
};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// An instrument of a generated market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GeneratedInstrument {
    /// Its name and steps.
    pub instrument: Instrument,
    /// Where its walk begins; it stays between half and twice of this.
    pub price: Price,
}

impl GeneratedInstrument {
    /// A stock in US dollars, in steps of a cent and one share.
    pub fn stock(symbol: &str, price: Price) -> Self {
        let instrument = Instrument {
            symbol: symbol.to_ascii_uppercase(),
            tick: Price::from_raw(10_000_000),
            lot: Qty::whole(1),
            multiplier: 1,
            currency: Currency::USD,
            calendar: Calendar::Always,
        };
        Self { instrument, price }
    }
}

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GeneratedMarket {
    /// Everything follows from it.
    pub seed: u64,
    /// Which instruments.
    pub instruments: Vec<GeneratedInstrument>,
    /// Time of the first record.
    pub start: Timestamp,
    /// Mean span between records; each is between nothing and twice this.
    pub interval: Nanos,
    /// How many records; without a number it never ends.
    pub records: Option<u64>,
    /// One record in so many is a trade; 0 for none.
    pub trade_every: u64,
}

impl GeneratedMarket {
    /// An endless market of these instruments: from 2025-01-02T14:30Z, ten milliseconds between
    /// records, every eighth of them a trade.
    pub fn new(seed: u64, instruments: Vec<GeneratedInstrument>) -> Self {
        Self {
            seed,
            instruments,
            start: Timestamp::from_nanos(1_735_828_200_000_000_000),
            interval: Nanos::from_millis(10),
            records: None,
            trade_every: 8,
        }
    }

    /// SHA-256 of all of it: what stands for the stream where a recording has its file's digest.
    ///
    /// # Errors
    /// None in practice: encoding into memory cannot fail.
    pub fn digest(&self) -> Result<[u8; 32], FeedError> {
        let bytes =
            postcard::to_stdvec(self).map_err(|error| FeedError::Source(error.to_string()))?;
        Ok(Sha256::digest(&bytes).into())
    }
}

/// One instrument's walk, in ticks and lots.
#[derive(Debug)]
struct Walk {
    tick: i64,
    lot: i64,
    low: i64,
    high: i64,
    mid: i64,
    /// The quote that a trade can take from.
    quote: Option<Quote>,
}

/// The stream of a [`GeneratedMarket`]: each mid price walks at random by up to two ticks, with a
/// spread of two to four, displayed sizes of 1 to 50 hundred lots, and trades at the touch.
#[derive(Debug)]
pub struct Generated {
    random: Pcg64Mcg,
    instruments: InstrumentTable,
    walks: Vec<Walk>,
    ts: Timestamp,
    interval: u64,
    trade_every: u64,
    left: Option<u64>,
}

impl Generated {
    /// Begins the market.
    ///
    /// # Errors
    /// No instrument, one twice, or one whose price is less than 16 ticks or too large to double.
    pub fn new(market: GeneratedMarket) -> Result<Self, FeedError> {
        let bad = FeedError::Source;
        if market.instruments.is_empty() {
            return Err(bad("a generated market needs an instrument".into()));
        }
        let mut sorted = market.instruments;
        sorted.sort_by(|a, b| a.instrument.symbol.cmp(&b.instrument.symbol));
        let walks = sorted.iter().map(Walk::new).collect::<Result<_, _>>()?;
        let instruments = sorted.into_iter().map(|one| one.instrument).collect();
        Ok(Self {
            random: Pcg64Mcg::seed_from_u64(market.seed),
            instruments: InstrumentTable::new(instruments).map_err(bad)?,
            walks,
            ts: market.start,
            interval: market.interval.0,
            trade_every: market.trade_every,
            left: market.records,
        })
    }

    /// A number from 0 up to, not including, `end`.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.random.next_u64()) * u128::from(end)) >> 64) as u64
    }

    fn trade(&mut self, quote: &Quote) -> MarketData {
        let (side, price, shown) = if self.below(2) == 0 {
            (Side::Buy, quote.ask, quote.ask_size)
        } else {
            (Side::Sell, quote.bid, quote.bid_size)
        };
        let lot = self.walks[quote.instrument.index()].lot;
        let lots = 1 + self.below((shown.raw() / lot).unsigned_abs());
        MarketData::Trade(Trade {
            ts: self.ts,
            instrument: quote.instrument,
            exchange: ExchangeId(0),
            suspicious: false,
            aggressor: Some(side),
            price,
            size: Qty::from_raw(lots as i64 * lot),
            condition: 0,
        })
    }

    fn quote(&mut self, instrument: InstrumentId) -> Quote {
        // Steps of -2..=2 ticks, small ones more often.
        let step = self.below(3) as i64 + self.below(3) as i64 - 2;
        let spread = 2 + self.below(3) as i64;
        let sizes = [1 + self.below(50) as i64, 1 + self.below(50) as i64];
        let ts = self.ts;
        let walk = &mut self.walks[instrument.index()];
        walk.mid = (walk.mid + step).clamp(walk.low, walk.high);
        let bid = walk.mid - spread / 2;
        let quote = Quote {
            ts,
            instrument,
            exchange: ExchangeId(0),
            suspicious: false,
            bid: Price::from_raw(bid * walk.tick),
            bid_size: Qty::from_raw(sizes[0] * 100 * walk.lot),
            ask: Price::from_raw((bid + spread) * walk.tick),
            ask_size: Qty::from_raw(sizes[1] * 100 * walk.lot),
        };
        walk.quote = Some(quote);
        quote
    }
}

impl Walk {
    fn new(one: &GeneratedInstrument) -> Result<Self, FeedError> {
        let (tick, lot) = (one.instrument.tick.raw(), one.instrument.lot.raw());
        let bad = |what: &str| {
            FeedError::Source(format!("generated instrument `{}`: {what}", one.instrument.symbol))
        };
        if tick < 1 || !(1..=i64::MAX / 10_000).contains(&lot) {
            return Err(bad("tick and lot must be above zero, and lot below 922337"));
        }
        let mid = one.price.raw() / tick;
        if mid < 16 || one.price.raw() > i64::MAX / 4 {
            return Err(bad("the price must be at least 16 ticks and below 2305843009"));
        }
        Ok(Self { tick, lot, low: mid / 2, high: mid * 2, mid, quote: None })
    }
}

impl Feed for Generated {
    fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        if let Some(left) = &mut self.left {
            let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
            *left = fewer;
        }
        let at = self.below(self.walks.len() as u64) as usize;
        let trades = self.trade_every > 0 && self.below(self.trade_every) == 0;
        let record = match self.walks[at].quote {
            Some(quote) if trades => self.trade(&quote),
            _ => MarketData::Quote(self.quote(InstrumentId(at as u16))),
        };
        let step = self.below(self.interval.saturating_mul(2).saturating_add(1));
        self.ts = self.ts + Nanos(step);
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(seed: u64, price: &str, count: usize) -> Vec<MarketData> {
        let stock = |symbol| GeneratedInstrument::stock(symbol, price.parse().unwrap());
        let market = GeneratedMarket::new(seed, vec![stock("B"), stock("A")]);
        let mut feed = Generated::new(market).unwrap();
        (0..count).map(|_| feed.next().unwrap().unwrap()).collect()
    }

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let records = take(1, "100", 1_000);
        assert_eq!(records, take(1, "100", 1_000));
        assert_ne!(records, take(2, "100", 1_000));
        let trades = records.iter().filter(|r| matches!(r, MarketData::Trade(_))).count();
        assert!((60..200).contains(&trades), "{trades} trades");
    }

    #[test]
    fn a_digest_stands_for_its_parameters() {
        let market = |seed, price: &str| {
            let stock = GeneratedInstrument::stock("A", price.parse().unwrap());
            GeneratedMarket::new(seed, vec![stock]).digest().unwrap()
        };
        assert_eq!(market(1, "5"), market(1, "5"));
        assert_ne!(market(1, "5"), market(2, "5"));
        assert_ne!(market(1, "5"), market(1, "6"));
    }

    #[test]
    fn bad_parameters_are_named() {
        let new = |list| Generated::new(GeneratedMarket::new(1, list)).map(|_| ());
        let stock = |price: &str| GeneratedInstrument::stock("A", price.parse().unwrap());
        let text = |list| new(list).unwrap_err().to_string();
        assert!(text(vec![]).contains("needs an instrument"));
        assert!(text(vec![stock("1"), stock("1")]).contains("listed twice"));
        assert!(text(vec![stock("0.15")]).contains("`A`: the price must be at least 16 ticks"));
    }

    proptest! {
        #[test]
        fn every_record_makes_sense(seed: u64, price in prop_oneof![Just("0.16"), Just("50"), Just("2305843009")]) {
            let mut last = Timestamp::ZERO;
            for record in take(seed, price, 300) {
                prop_assert!(record.ts() >= last);
                last = record.ts();
                match record {
                    MarketData::Quote(q) => {
                        prop_assert!(q.bid.is_positive() && q.bid < q.ask);
                        prop_assert!(q.bid_size.is_positive() && q.ask_size.is_positive());
                    }
                    MarketData::Trade(t) => prop_assert!(t.price.is_positive() && t.size.is_positive()),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }
}
