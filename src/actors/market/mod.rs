//! The market actor: what the feeds say, as the best bid and ask over all exchanges, with its state.

pub mod book;
pub mod nbbo;

pub use book::Book;
pub use nbbo::{Nbbo, Touch};

use super::saved::{BadState, put, take};
use crate::msg::{BookAction, MarketData};
use crate::types::{InstrumentId, Nanos, Price, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether an instrument's price can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketState {
    /// Fresh.
    Live,
    /// No price came yet.
    Empty,
    /// No data for longer than allowed.
    Stale,
    /// Records are missing and no quote has come since.
    Gap,
    /// Trading is halted.
    Halted,
}

/// What is known of one instrument.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Symbol {
    nbbo: Nbbo,
    books: Vec<(u8, Book)>,
    last_trade: Price,
    /// Length of the last bar: prices by bars are fresh for longer.
    interval: Nanos,
    updated: Timestamp,
    /// Between the time of the last record and ours when it came.
    skew: Nanos,
    halted: bool,
    gap: bool,
    gaps: u64,
    stales: u64,
}

/// Market data of one lane.
#[derive(Debug)]
pub struct Market {
    symbols: Vec<Symbol>,
    stale_after: Nanos,
}

impl Market {
    /// A market of so many instruments whose prices are stale after `stale_after` without data.
    pub fn new(instruments: usize, stale_after: Nanos) -> Self {
        Self { symbols: vec![Symbol::default(); instruments], stale_after }
    }

    /// Appends everything that was learnt.
    pub(in crate::actors) fn save(&self, into: &mut Vec<u8>) {
        put(&self.symbols, into);
    }

    /// Takes what [`Self::save`] made of a market with the same instruments.
    pub(in crate::actors) fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState> {
        let symbols: Vec<Symbol> = take(from)?;
        if symbols.len() != self.symbols.len() {
            return Err(BadState("the market"));
        }
        self.symbols = symbols;
        Ok(())
    }

    /// Takes in a record delivered at `at`. Returns whether agents should see it: suspicious
    /// records are kept out.
    #[inline]
    pub fn apply(&mut self, at: Timestamp, record: &MarketData) -> bool {
        let stale_after = self.stale_after;
        let Some(symbol) = self.symbols.get_mut(record.instrument().index()) else {
            return false;
        };
        if at.since(symbol.updated) > stale_after && symbol.updated > Timestamp::ZERO {
            symbol.stales += 1;
        }
        symbol.updated = at;
        symbol.skew = Nanos(at.nanos().abs_diff(record.ts().nanos()));
        match record {
            MarketData::Quote(quote) => {
                if quote.suspicious {
                    return false;
                }
                symbol.gap = false;
                symbol.nbbo.apply(quote);
            }
            MarketData::Trade(trade) => {
                if trade.suspicious {
                    return false;
                }
                symbol.last_trade = trade.price;
            }
            MarketData::Bar(bar) => {
                symbol.last_trade = bar.price.close;
                symbol.interval = bar.interval;
            }
            MarketData::QuoteBar(bar) => {
                symbol.interval = bar.interval;
                symbol.nbbo.set(
                    0,
                    Touch {
                        bid: bar.bid.close,
                        bid_size: bar.bid_size,
                        ask: bar.ask.close,
                        ask_size: bar.ask_size,
                    },
                );
            }
            MarketData::Level(level) => {
                let at = match symbol.books.iter().position(|(id, _)| *id == level.exchange.0) {
                    Some(at) => at,
                    None => {
                        symbol.books.push((level.exchange.0, Book::default()));
                        symbol.books.len() - 1
                    }
                };
                let book = &mut symbol.books[at].1;
                match level.action {
                    BookAction::Clear => book.clear(),
                    BookAction::Set => book.set(level.side, level.price, level.size),
                }
                if level.more {
                    return false;
                }
                symbol.gap = false;
                symbol.nbbo.set(level.exchange.0, book.touch());
            }
            MarketData::Status(status) => symbol.halted = status.halted,
            MarketData::Gap(_) => {
                symbol.gap = true;
                symbol.gaps += 1;
            }
        }
        true
    }

    /// `denominator` units became `numerator`: quotes and books from before are void, the mark stays in
    /// the new units for what is held, and is no ground for an order until a quote has come.
    pub(in crate::actors) fn split(&mut self, id: InstrumentId, numerator: u32, denominator: u32) {
        let mark = self.mark(id);
        let Some(symbol) = self.symbols.get_mut(id.index()) else { return };
        let scaled = mark.map_or(0, |mark| {
            let (n, d) = (i128::from(numerator.max(1)), i128::from(denominator));
            (i128::from(mark.raw()) * d + n / 2) / n
        });
        symbol.nbbo = Nbbo::default();
        symbol.books.clear();
        symbol.last_trade = Price::from_raw(i64::try_from(scaled).unwrap_or(i64::MAX));
        symbol.gap = true;
    }

    /// Best bid and ask over all exchanges.
    #[inline]
    pub fn touch(&self, id: InstrumentId) -> Touch {
        self.symbols.get(id.index()).map_or(Touch::EMPTY, |symbol| symbol.nbbo.best())
    }

    /// The price a position is valued at: the middle of bid and ask, else the last trade.
    #[inline]
    pub fn mark(&self, id: InstrumentId) -> Option<Price> {
        let symbol = self.symbols.get(id.index())?;
        symbol
            .nbbo
            .best()
            .mid()
            .or_else(|| symbol.last_trade.is_positive().then_some(symbol.last_trade))
    }

    /// Price of the last trade or bar.
    pub fn last_trade(&self, id: InstrumentId) -> Option<Price> {
        let last = self.symbols.get(id.index())?.last_trade;
        last.is_positive().then_some(last)
    }

    /// The book of an exchange, where the feed sends levels.
    pub fn book(&self, id: InstrumentId, exchange: u8) -> Option<&Book> {
        let symbol = self.symbols.get(id.index())?;
        symbol.books.iter().find(|(at, _)| *at == exchange).map(|(_, book)| book)
    }

    /// Whether the price can be relied on at `at`.
    #[inline]
    pub fn state(&self, id: InstrumentId, at: Timestamp) -> MarketState {
        let Some(symbol) = self.symbols.get(id.index()) else {
            return MarketState::Empty;
        };
        let allowed = Nanos(self.stale_after.0.max(symbol.interval.0.saturating_mul(2)));
        if symbol.halted {
            MarketState::Halted
        } else if symbol.gap {
            MarketState::Gap
        } else if self.mark(id).is_none() {
            MarketState::Empty
        } else if at.since(symbol.updated) > allowed {
            MarketState::Stale
        } else {
            MarketState::Live
        }
    }

    /// How long ago the last data came, as far as that is longer than data of its kind may take: bars
    /// are fresh for twice their length.
    pub fn age(&self, id: InstrumentId, at: Timestamp) -> Nanos {
        let Some(symbol) = self.symbols.get(id.index()) else { return Nanos(u64::MAX) };
        let age = at.since(symbol.updated);
        if age.0 <= symbol.interval.0.saturating_mul(2) { Nanos(0) } else { age }
    }

    /// By how much the time in the last record differed from ours when it came.
    pub fn skew(&self, id: InstrumentId) -> Nanos {
        self.symbols.get(id.index()).map_or(Nanos(0), |symbol| symbol.skew)
    }

    /// When the last record of an instrument came.
    #[inline]
    pub fn updated(&self, id: InstrumentId) -> Timestamp {
        self.symbols.get(id.index()).map_or(Timestamp::ZERO, |symbol| symbol.updated)
    }

    /// How often data was missing, and how often it came back after having been stale.
    pub fn troubles(&self, id: InstrumentId) -> (u64, u64) {
        self.symbols.get(id.index()).map_or((0, 0), |symbol| (symbol.gaps, symbol.stales))
    }

    /// The far side's best price: where a market order of `side` would trade.
    pub fn far_touch(&self, id: InstrumentId, side: Side) -> Option<Price> {
        let touch = self.touch(id);
        let price = match side {
            Side::Buy => touch.ask,
            Side::Sell => touch.bid,
        };
        price.is_positive().then_some(price)
    }
}
