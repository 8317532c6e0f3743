//! The best prices of a book that an exchange publishes level by level.

use crate::msg::{BookAction, BookLevel};
use crate::types::{Price, Qty, Side};
use std::collections::BTreeMap;

/// Both sides of one exchange's book.
#[derive(Debug, Default)]
pub(super) struct Levels {
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
}

impl Levels {
    pub fn apply(&mut self, level: &BookLevel) {
        if level.action == BookAction::Clear {
            self.bids.clear();
            self.asks.clear();
            return;
        }
        let side = match level.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if level.size.is_positive() {
            side.insert(level.price, level.size);
        } else {
            side.remove(&level.price);
        }
    }

    /// Best bid and its size; size zero where there is none.
    pub fn bid(&self) -> (Price, Qty) {
        self.bids.last_key_value().map(|(&price, &size)| (price, size)).unwrap_or_default()
    }

    /// Best ask and its size; size zero where there is none.
    pub fn ask(&self) -> (Price, Qty) {
        self.asks.first_key_value().map(|(&price, &size)| (price, size)).unwrap_or_default()
    }
}
