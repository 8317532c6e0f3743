//! The best bid and ask over all exchanges of one instrument, and its last trade.
//!
//! Rules: a side with price zero is unchanged; a price with size zero takes the quote away;
//! suspicious quotes and trades are ignored; book levels make the touch of an instrument without
//! quotes, once an update of the book is whole. The touch may be crossed, as
//! in real consolidated data: each side stands on its own, a buy takes the lowest ask and a sell the
//! highest bid, and a crossed touch by itself fills nobody.

use super::FillModel;
use super::levels::Levels;
use crate::msg::{BookLevel, MarketData, Quote};
use crate::types::{ExchangeId, Price, Qty, Side};
use std::collections::BTreeMap;

const NO_BID: Price = Price::from_raw(i64::MIN);
const NO_ASK: Price = Price::MAX;

/// One exchange's quote on one side, and how much of it our orders took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    price: Price,
    size: Qty,
    taken: Qty,
}

impl Shown {
    const fn none(price: Price) -> Self {
        Self { price, size: Qty::ZERO, taken: Qty::ZERO }
    }
    fn left(&self) -> Qty {
        self.size.saturating_sub(self.taken).max(Qty::ZERO)
    }
    fn take(&mut self, wanted: Qty) -> Qty {
        let taken = wanted.min(self.left());
        self.taken += taken;
        taken
    }
}

/// What a record did to the market of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// A quote came.
    Touch,
    /// Trades happened between these prices.
    Print { low: Price, high: Price },
}

/// Where the price of a fill comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Touch,
    Last,
}

/// Touch of one instrument.
#[derive(Debug)]
pub(super) struct Touch {
    bid: Price,
    ask: Price,
    /// Indexed by exchange: bid and ask.
    quotes: Vec<[Shown; 2]>,
    last: Shown,
    /// A quote came: levels are not looked at any more.
    quoted: bool,
    levels: BTreeMap<ExchangeId, Levels>,
    pub halted: bool,
}

impl Default for Touch {
    fn default() -> Self {
        Self {
            bid: NO_BID,
            ask: NO_ASK,
            quotes: Vec::new(),
            last: Shown::none(NO_BID),
            quoted: false,
            levels: BTreeMap::new(),
            halted: false,
        }
    }
}

impl Touch {
    /// Takes a record in; `None` where it moved nothing.
    #[inline(always)]
    pub fn apply(&mut self, record: &MarketData, model: FillModel) -> Option<Move> {
        let by_bar = model == FillModel::SameBarClose;
        match record {
            MarketData::Quote(quote) => (!by_bar && !quote.suspicious).then(|| self.quote(quote)),
            MarketData::Trade(trade) => (!by_bar && !trade.suspicious && !trade.price.is_zero())
                .then(|| self.print(trade.price, trade.price, trade.price, trade.size)),
            MarketData::Bar(bar) => {
                let price = bar.price;
                let (low, high) =
                    if by_bar { (price.close, price.close) } else { (price.low, price.high) };
                (!price.close.is_zero()).then(|| self.print(low, high, price.close, bar.volume))
            }
            MarketData::QuoteBar(bar) => {
                let sides = [(0, bar.bid.close, bar.bid_size), (1, bar.ask.close, bar.ask_size)];
                for (side, price, size) in sides {
                    if !price.is_zero() {
                        // A bar's size may be left out; the price still stood there.
                        self.set(ExchangeId(0), side, price, size.max(Qty::from_raw(1)));
                    }
                }
                Some(Move::Touch)
            }
            MarketData::Status(status) => {
                self.halted = status.halted;
                Some(Move::Touch)
            }
            MarketData::Level(level) if !by_bar && !self.quoted => self.level(level),
            MarketData::Level(_) | MarketData::Gap(_) => None,
        }
    }

    #[inline(always)]
    fn quote(&mut self, quote: &Quote) -> Move {
        self.quoted = true;
        if !quote.bid.is_zero() {
            self.set(quote.exchange, 0, quote.bid, quote.bid_size);
        }
        if !quote.ask.is_zero() {
            self.set(quote.exchange, 1, quote.ask, quote.ask_size);
        }
        Move::Touch
    }

    fn level(&mut self, level: &BookLevel) -> Option<Move> {
        let levels = self.levels.entry(level.exchange).or_default();
        levels.apply(level);
        if level.more {
            return None;
        }
        let (bid, ask) = (levels.bid(), levels.ask());
        self.set(level.exchange, 0, bid.0, bid.1);
        self.set(level.exchange, 1, ask.0, ask.1);
        Some(Move::Touch)
    }

    fn print(&mut self, low: Price, high: Price, close: Price, size: Qty) -> Move {
        self.last = Shown { price: close, size, taken: Qty::ZERO };
        Move::Print { low, high }
    }

    #[inline(always)]
    fn set(&mut self, exchange: ExchangeId, side: usize, price: Price, size: Qty) {
        let none = if side == 0 { NO_BID } else { NO_ASK };
        let price = if size.is_positive() { price } else { none };
        if exchange.index() >= self.quotes.len() {
            let empty = [Shown::none(NO_BID), Shown::none(NO_ASK)];
            self.quotes.resize(exchange.index() + 1, empty);
        }
        let shown = &mut self.quotes[exchange.index()][side];
        let before = shown.price;
        let same = before == price && shown.size == size;
        let taken = if same { shown.taken } else { Qty::ZERO };
        *shown = Shown { price, size, taken };
        if self.quotes.len() == 1 {
            // One exchange, the usual case of a replay, needs no comparison.
            *(if side == 0 { &mut self.bid } else { &mut self.ask }) = price;
        } else if side == 0 {
            if price >= self.bid {
                self.bid = price;
            } else if before == self.bid {
                self.bid = self.quotes.iter().map(|q| q[0].price).max().unwrap_or(NO_BID);
            }
        } else if price <= self.ask {
            self.ask = price;
        } else if before == self.ask {
            self.ask = self.quotes.iter().map(|q| q[1].price).min().unwrap_or(NO_ASK);
        }
    }

    /// Best bid, if there is one.
    pub fn bid(&self) -> Option<Price> {
        (self.bid != NO_BID).then_some(self.bid)
    }

    /// Best ask, if there is one.
    pub fn ask(&self) -> Option<Price> {
        (self.ask != NO_ASK).then_some(self.ask)
    }

    /// What an order of this side would take now: the other side of the touch, or the last trade of
    /// an instrument that has no quotes at all.
    pub fn taking(&self, side: Side) -> Option<(Price, Source)> {
        let price = match side {
            Side::Buy => self.ask(),
            Side::Sell => self.bid(),
        };
        match price {
            Some(price) => Some((price, Source::Touch)),
            None if self.quotes.is_empty() && self.last.price != NO_BID => {
                Some((self.last.price, Source::Last))
            }
            None => None,
        }
    }

    fn shown(&mut self, side: Side, source: Source) -> impl Iterator<Item = &mut Shown> {
        let (column, best) = match side {
            Side::Buy => (1, self.ask),
            Side::Sell => (0, self.bid),
        };
        let from_touch = source == Source::Touch;
        self.quotes
            .iter_mut()
            .map(move |quote| &mut quote[column])
            .filter(move |shown| from_touch && shown.price == best)
            .chain((!from_touch).then_some(&mut self.last))
    }

    /// The size left there for an order of this side.
    pub fn left(&mut self, side: Side, source: Source) -> Qty {
        self.shown(side, source).fold(Qty::ZERO, |sum, shown| sum.saturating_add(shown.left()))
    }

    /// Takes `qty` of it away, from the lowest exchange number up.
    pub fn take(&mut self, side: Side, source: Source, mut qty: Qty) {
        for shown in self.shown(side, source) {
            qty -= shown.take(qty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msg::BookAction;
    use crate::types::{InstrumentId, Timestamp};
    use proptest::prelude::*;

    fn quote(exchange: u8, bid: (i64, i64), ask: (i64, i64)) -> MarketData {
        MarketData::Quote(Quote {
            ts: Timestamp::ZERO,
            instrument: InstrumentId(0),
            exchange: ExchangeId(exchange),
            suspicious: false,
            bid: Price::from_raw(bid.0),
            bid_size: Qty::from_raw(bid.1),
            ask: Price::from_raw(ask.0),
            ask_size: Qty::from_raw(ask.1),
        })
    }

    proptest! {
        /// The incremental touch is the one that a scan of the last quotes gives.
        #[test]
        fn touch_is_best_of_all_exchanges(
            records in prop::collection::vec((0u8..4, 0i64..6, 0i64..3, 0i64..6, 0i64..3), 1..60),
        ) {
            let mut touch = Touch::default();
            let mut bids = [None; 4];
            let mut asks = [None; 4];
            for (exchange, bid, bid_size, ask, ask_size) in records {
                touch.apply(&quote(exchange, (bid, bid_size), (ask, ask_size)), FillModel::Touch);
                if bid != 0 {
                    bids[usize::from(exchange)] = (bid_size > 0).then_some(bid);
                }
                if ask != 0 {
                    asks[usize::from(exchange)] = (ask_size > 0).then_some(ask);
                }
                prop_assert_eq!(touch.bid().map(Price::raw), bids.iter().copied().flatten().max());
                prop_assert_eq!(touch.ask().map(Price::raw), asks.iter().copied().flatten().min());
            }
        }
    }

    #[test]
    fn size_is_summed_over_exchanges_and_comes_back_with_a_new_quote_only() {
        let mut touch = Touch::default();
        touch.apply(&quote(1, (9, 5), (10, 5)), FillModel::Displayed);
        touch.apply(&quote(2, (8, 5), (10, 7)), FillModel::Displayed);
        assert_eq!(touch.left(Side::Buy, Source::Touch), Qty::from_raw(12));
        touch.take(Side::Buy, Source::Touch, Qty::from_raw(6));
        assert_eq!(touch.left(Side::Buy, Source::Touch), Qty::from_raw(6));
        touch.apply(&quote(1, (0, 0), (10, 5)), FillModel::Displayed);
        assert_eq!(touch.left(Side::Buy, Source::Touch), Qty::from_raw(6));
        touch.apply(&quote(1, (0, 0), (10, 4)), FillModel::Displayed);
        assert_eq!(touch.left(Side::Buy, Source::Touch), Qty::from_raw(10));
        assert_eq!(touch.left(Side::Sell, Source::Touch), Qty::from_raw(5));
    }

    #[test]
    fn levels_make_the_touch_when_their_update_is_whole_until_a_quote_comes() {
        let mut touch = Touch::default();
        let mut level = |action, side, price: i64, size: i64, more| {
            let record = MarketData::Level(BookLevel {
                ts: Timestamp::ZERO,
                instrument: InstrumentId(0),
                exchange: ExchangeId(3),
                action,
                more,
                side,
                price: Price::from_raw(price),
                size: Qty::from_raw(size),
            });
            touch.apply(&record, FillModel::Touch);
            (touch.bid().map(Price::raw), touch.ask().map(Price::raw))
        };
        use BookAction::{Clear, Set};
        assert_eq!(level(Clear, Side::Buy, 0, 0, true), (None, None));
        assert_eq!(level(Set, Side::Buy, 9, 5, true), (None, None));
        assert_eq!(level(Set, Side::Sell, 11, 5, false), (Some(9), Some(11)));
        assert_eq!(level(Set, Side::Sell, 10, 5, false), (Some(9), Some(10)));
        assert_eq!(level(Set, Side::Sell, 10, 0, false), (Some(9), Some(11)));
        assert_eq!(level(Clear, Side::Sell, 0, 0, false), (None, None));
        touch.apply(&quote(3, (7, 1), (8, 1)), FillModel::Touch);
        assert_eq!(touch.taking(Side::Buy), Some((Price::from_raw(8), Source::Touch)));
    }
}
