//! Several sources become one stream.
//!
//! Order: time; at the same time what describes the book (quotes, levels, halts, gaps) before trades
//! before bars; then symbol; then the order in which the sources were given. Records of one source
//! never change places among themselves: its own order at equal times says what happened first. So
//! a trade that its source holds ahead of a quote of the same time stays ahead of it.

use crate::feed::FeedError;
use crate::msg::MarketData;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

type Key = (u64, u8, u16, usize);

/// Merges sources that are each in time order. It holds one record of each source. Ends at the first
/// error of any of them.
pub struct Merge<I> {
    sources: Vec<I>,
    heads: Vec<Option<MarketData>>,
    order: BinaryHeap<Reverse<Key>>,
    /// The source whose record was given last, to be advanced before the next one is chosen.
    given: Vec<usize>,
}

impl<I: Iterator<Item = Result<MarketData, FeedError>>> Merge<I> {
    /// Merges `sources`, whose records carry ids of one table sorted by symbol.
    pub fn new(sources: Vec<I>) -> Self {
        let heads = sources.iter().map(|_| None).collect();
        let given = (0..sources.len()).collect();
        Self { sources, heads, order: BinaryHeap::new(), given }
    }

    fn advance(&mut self, source: usize) -> Result<(), FeedError> {
        if let Some(record) = self.sources[source].next().transpose()? {
            let key = (record.ts().nanos(), rank(&record), record.instrument().0, source);
            self.order.push(Reverse(key));
            self.heads[source] = Some(record);
        }
        Ok(())
    }
}

impl<I: Iterator<Item = Result<MarketData, FeedError>>> Iterator for Merge<I> {
    type Item = Result<MarketData, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(source) = self.given.pop() {
            if let Err(error) = self.advance(source) {
                self.order.clear();
                self.given.clear();
                return Some(Err(error));
            }
        }
        let Reverse((.., source)) = self.order.pop()?;
        self.given.push(source);
        self.heads[source].take().map(Ok)
    }
}

const fn rank(record: &MarketData) -> u8 {
    match record {
        MarketData::Quote(_)
        | MarketData::Level(_)
        | MarketData::Status(_)
        | MarketData::Gap(_) => 0,
        MarketData::Trade(_) => 1,
        MarketData::Bar(_) | MarketData::QuoteBar(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msg::{Bar, Ohlc, Quote, Trade};
    use crate::types::{ExchangeId, InstrumentId, Nanos, Price, Qty, Timestamp};
    use proptest::prelude::*;

    /// A record of `kind` (0 quote, 1 trade, 2 bar) whose size tells where it came from.
    fn record(ts: u64, kind: u8, instrument: u16, mark: i64) -> MarketData {
        let (ts, instrument) = (Timestamp::from_nanos(ts), InstrumentId(instrument));
        let (exchange, size, price) = (ExchangeId(0), Qty::from_raw(mark), Price::from_raw(1));
        let ohlc = Ohlc { open: price, high: price, low: price, close: price };
        match kind {
            0 => MarketData::Quote(Quote {
                ts,
                instrument,
                exchange,
                suspicious: false,
                bid: price,
                bid_size: size,
                ask: price,
                ask_size: size,
            }),
            1 => MarketData::Trade(Trade {
                ts,
                instrument,
                exchange,
                suspicious: false,
                aggressor: None,
                price,
                size,
                condition: 0,
            }),
            _ => MarketData::Bar(Bar {
                ts,
                instrument,
                interval: Nanos(1),
                price: ohlc,
                volume: size,
            }),
        }
    }

    fn merged(sources: &[Vec<MarketData>]) -> Vec<MarketData> {
        let sources = sources.iter().map(|records| records.iter().copied().map(Ok)).collect();
        Merge::new(sources).map(Result::unwrap).collect()
    }

    #[test]
    fn ties_go_by_time_kind_symbol_and_file() {
        let sorted = [
            record(1, 2, 0, 0),
            record(2, 0, 0, 1),
            record(2, 0, 1, 2),
            record(2, 0, 1, 3),
            record(2, 1, 0, 4),
            record(2, 1, 1, 5),
            record(2, 2, 0, 6),
        ];
        // One source a record: the order of the files decides between the two equal quotes only.
        let alone: Vec<_> = sorted.iter().map(|r| vec![*r]).collect();
        assert_eq!(merged(&alone), sorted);
        let turned: Vec<_> = alone.iter().rev().cloned().collect();
        let expected = [0, 1, 3, 2, 4, 5, 6].map(|at| sorted[at]);
        assert_eq!(merged(&turned), expected);
    }

    #[test]
    fn a_file_keeps_its_own_order() {
        let file = vec![record(5, 1, 0, 1), record(5, 0, 0, 2), record(5, 1, 0, 3)];
        assert_eq!(merged(std::slice::from_ref(&file)), file);
    }

    #[test]
    fn the_first_error_ends_it() {
        let bad = || FeedError::Source("bad".into());
        let sources = vec![vec![Ok(record(1, 0, 0, 1)), Err(bad())], vec![Ok(record(9, 0, 0, 2))]];
        let sources = sources.into_iter().map(Vec::into_iter).collect();
        let given: Vec<_> = Merge::new(sources).map(|r: Result<_, FeedError>| r.is_ok()).collect();
        assert_eq!(given, [true, false]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_time_never_goes_back(sources in prop::collection::vec(
            prop::collection::vec((0u64..20, 0u8..3, 0u16..3), 0..30), 0..5)) {
            let mut mark = 0;
            let sources: Vec<Vec<_>> = sources.into_iter().map(|mut rows| {
                rows.sort_by_key(|row| row.0);
                rows.into_iter().map(|(ts, kind, id)| { mark += 1; record(ts, kind, id, mark) }).collect()
            }).collect();
            let out = merged(&sources);
            prop_assert_eq!(out.len(), sources.iter().map(Vec::len).sum::<usize>());
            prop_assert!(out.windows(2).all(|pair| pair[0].ts() <= pair[1].ts()));
            for source in &sources {
                let own: Vec<_> = out.iter().filter(|record| source.contains(record)).collect();
                prop_assert!(own.iter().copied().eq(source.iter()));
            }
        }
    }
}
