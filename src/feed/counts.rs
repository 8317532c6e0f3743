//! How many records of which kind.

use crate::msg::MarketData;
use serde::Serialize;

/// Records by kind. One source row is one record, so these are counts of source rows as well;
/// a book update is a row of many levels and counts each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Quotes.
    pub quotes: u64,
    /// Trades.
    pub trades: u64,
    /// Bars of trades and bars of quotes.
    pub bars: u64,
    /// Book levels, set or cleared.
    pub levels: u64,
    /// Places where the feed knows that records are missing.
    pub gaps: u64,
    /// Halts and resumptions.
    pub halts: u64,
}

impl Counts {
    /// Counts one record.
    #[inline]
    pub const fn add(&mut self, record: &MarketData) {
        *match record {
            MarketData::Quote(_) => &mut self.quotes,
            MarketData::Trade(_) => &mut self.trades,
            MarketData::Bar(_) | MarketData::QuoteBar(_) => &mut self.bars,
            MarketData::Level(_) => &mut self.levels,
            MarketData::Gap(_) => &mut self.gaps,
            MarketData::Status(_) => &mut self.halts,
        } += 1;
    }

    /// Adds what another count has.
    pub const fn merge(&mut self, other: &Self) {
        self.quotes += other.quotes;
        self.trades += other.trades;
        self.bars += other.bars;
        self.levels += other.levels;
        self.gaps += other.gaps;
        self.halts += other.halts;
    }

    /// All together.
    pub const fn records(&self) -> u64 {
        self.quotes + self.trades + self.bars + self.levels + self.gaps + self.halts
    }
}
