//! The seam between a session and whatever its market records come from.

use super::FeedError;
use crate::msg::MarketData;
use crate::types::{InstrumentId, InstrumentTable};

/// A stream of market records in time order.
pub trait Feed: Send {
    /// The instruments that this feed's records number.
    fn instruments(&self) -> &InstrumentTable;

    /// The next record, `None` at the end.
    ///
    /// # Errors
    /// The source is unreadable from here on; what was given before is good.
    fn next(&mut self) -> Result<Option<MarketData>, FeedError>;

    /// As [`Self::next`], into a record of the caller; `false` at the end. Records are large, and a
    /// replay reads millions a second: this way they are not copied on their way up.
    ///
    /// # Errors
    /// As [`Self::next`].
    #[inline]
    fn next_into(&mut self, into: &mut MarketData) -> Result<bool, FeedError> {
        let record = self.next()?;
        let more = record.is_some();
        if let Some(record) = record {
            *into = record;
        }
        Ok(more)
    }

    /// Passes over `count` records and says how many there were: fewer only at the end.
    ///
    /// # Errors
    /// As [`Self::next`].
    fn skip(&mut self, count: u64) -> Result<u64, FeedError> {
        for done in 0..count {
            if self.next()?.is_none() {
                return Ok(done);
            }
        }
        Ok(count)
    }
}

impl<F: Feed + ?Sized> Feed for Box<F> {
    fn instruments(&self) -> &InstrumentTable {
        (**self).instruments()
    }
    #[inline]
    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        (**self).next()
    }
    #[inline]
    fn next_into(&mut self, into: &mut MarketData) -> Result<bool, FeedError> {
        (**self).next_into(into)
    }
    fn skip(&mut self, count: u64) -> Result<u64, FeedError> {
        (**self).skip(count)
    }
}

/// A feed whose records carry the instrument numbers of a session. Symbols that the session does not
/// list are passed over and counted.
#[derive(Debug)]
pub struct Mapped<F> {
    feed: F,
    instruments: InstrumentTable,
    /// The session's id for each id of the feed.
    map: Vec<Option<InstrumentId>>,
    /// Every id is its own: nothing to rewrite.
    same: bool,
    unlisted: u64,
}

impl<F: Feed> Mapped<F> {
    /// Maps `feed` by symbol onto the instruments of a session.
    pub fn new(feed: F, instruments: InstrumentTable) -> Self {
        let map: Vec<_> =
            feed.instruments().iter().map(|(_, own)| instruments.find(&own.symbol)).collect();
        let same = feed.instruments().iter().zip(&map).all(|((own, _), id)| *id == Some(own));
        Self { feed, instruments, map, same, unlisted: 0 }
    }

    /// Records passed over because the session does not list their symbol.
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Symbols of the feed that the session does not list.
    pub fn unlisted_symbols(&self) -> impl Iterator<Item = &str> {
        let own = self.feed.instruments().iter().zip(&self.map);
        own.filter(|(_, id)| id.is_none()).map(|((_, own), _)| own.symbol.as_str())
    }

    /// The feed itself.
    pub const fn feed(&self) -> &F {
        &self.feed
    }
}

impl<F: Feed> Feed for Mapped<F> {
    fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        let mut record = MarketData::NOTHING;
        Ok(self.next_into(&mut record)?.then_some(record))
    }

    #[inline]
    fn next_into(&mut self, into: &mut MarketData) -> Result<bool, FeedError> {
        loop {
            if !self.feed.next_into(into)? {
                return Ok(false);
            }
            if self.same {
                return Ok(true);
            }
            match self.map.get(into.instrument().index()) {
                Some(&Some(id)) => {
                    into.set_instrument(id);
                    return Ok(true);
                }
                _ => self.unlisted += 1,
            }
        }
    }

    /// Passes over records of the session's symbols only, so that a position counted in mapped
    /// records is found again.
    fn skip(&mut self, count: u64) -> Result<u64, FeedError> {
        if self.same {
            return self.feed.skip(count);
        }
        for done in 0..count {
            if self.next()?.is_none() {
                return Ok(done);
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Generated, GeneratedInstrument, GeneratedMarket};

    fn market() -> GeneratedMarket {
        let of = |symbol, price: &str| GeneratedInstrument::stock(symbol, price.parse().unwrap());
        GeneratedMarket {
            records: Some(1_000),
            ..GeneratedMarket::new(7, vec![of("AAA", "10"), of("BBB", "20"), of("CCC", "30")])
        }
    }

    fn all(mut feed: impl Feed) -> Vec<MarketData> {
        std::iter::from_fn(|| feed.next().unwrap()).collect()
    }

    /// INV-5: what a session passes over is counted.
    #[test]
    fn ids_become_the_sessions_and_unlisted_symbols_are_counted() {
        let own = Generated::new(market()).unwrap();
        let session = own.instruments().iter().filter(|(_, i)| i.symbol != "BBB");
        let mut session: Vec<_> = session.map(|(_, i)| i.clone()).collect();
        let extra = crate::types::Instrument { symbol: "ABC".into(), ..session[0].clone() };
        session.push(extra);
        let session = InstrumentTable::new(session).unwrap();
        let mut mapped = Mapped::new(own, session.clone());
        let records: Vec<_> = std::iter::from_fn(|| mapped.next().unwrap()).collect();
        assert_eq!(mapped.unlisted_symbols().collect::<Vec<_>>(), ["BBB"]);
        assert_eq!(records.len() as u64 + mapped.unlisted(), 1_000);
        assert!(mapped.unlisted() > 0);
        let expected: Vec<_> = all(Generated::new(market()).unwrap())
            .into_iter()
            .filter(|record| record.instrument().0 != 1)
            .map(|record| {
                record.with_instrument(InstrumentId(if record.instrument().0 == 0 { 0 } else { 2 }))
            })
            .collect();
        assert_eq!(session.find("CCC"), Some(InstrumentId(2)));
        assert_eq!(records, expected);
    }

    #[test]
    fn skip_gives_the_same_rest_as_reading() {
        let whole = all(Generated::new(market()).unwrap());
        let mut feed = Generated::new(market()).unwrap();
        assert_eq!(feed.skip(400).unwrap(), 400);
        assert_eq!(all(feed), whole[400..]);
        assert_eq!(Generated::new(market()).unwrap().skip(2_000).unwrap(), 1_000);
    }
}
