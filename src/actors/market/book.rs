//! A price-level book of one exchange.

use super::nbbo::Touch;
use crate::types::{Price, Qty, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sizes by price.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Book {
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
}

impl Book {
    /// Forgets all levels.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// The level shows `size` now; nothing removes it.
    pub fn set(&mut self, side: Side, price: Price, size: Qty) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if size.is_positive() {
            levels.insert(price, size);
        } else {
            levels.remove(&price);
        }
    }

    /// Levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Qty)> {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.iter())),
        };
        let bids = bids.into_iter().flatten();
        bids.chain(asks.into_iter().flatten()).map(|(&price, &size)| (price, size))
    }

    /// Best bid and ask.
    pub fn touch(&self) -> Touch {
        let (bid, bid_size) = self.levels(Side::Buy).next().unwrap_or_default();
        let (ask, ask_size) = self.levels(Side::Sell).next().unwrap_or_default();
        Touch { bid, bid_size, ask, ask_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_and_go() {
        let (price, qty) = (Price::from_raw, Qty::from_raw);
        let mut book = Book::default();
        for (side, at, size) in [
            (Side::Buy, 99, 3),
            (Side::Buy, 100, 1),
            (Side::Sell, 102, 4),
            (Side::Sell, 101, 2),
            (Side::Buy, 100, 0),
            (Side::Sell, 103, 0),
        ] {
            book.set(side, price(at), qty(size));
        }
        assert_eq!(
            book.touch(),
            Touch { bid: price(99), bid_size: qty(3), ask: price(101), ask_size: qty(2) }
        );
        assert_eq!(book.levels(Side::Sell).count(), 2);
        book.clear();
        assert_eq!(book.touch(), Touch::EMPTY);
    }
}
