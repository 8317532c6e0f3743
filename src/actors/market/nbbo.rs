//! National best bid and offer: the best of what each exchange shows, sizes at the best price summed.

use crate::msg::Quote;
use crate::types::{Price, Qty};
use serde::{Deserialize, Serialize};

/// Best bid and ask; a price of zero means that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Touch {
    /// Best bid.
    pub bid: Price,
    /// Displayed at the bid.
    pub bid_size: Qty,
    /// Best ask.
    pub ask: Price,
    /// Displayed at the ask.
    pub ask_size: Qty,
}

impl Touch {
    /// No bid and no ask.
    pub const EMPTY: Self =
        Self { bid: Price::ZERO, bid_size: Qty::ZERO, ask: Price::ZERO, ask_size: Qty::ZERO };

    /// Half-way between bid and ask, rounded down to 1e-9, if there are both.
    #[inline]
    pub fn mid(&self) -> Option<Price> {
        (self.bid.is_positive() && self.ask.is_positive()).then(|| self.bid.mid(self.ask))
    }

    /// A touch with this quote's changes.
    #[inline]
    fn with(mut self, quote: &Quote) -> Self {
        if !(quote.bid.is_zero() && quote.bid_size.is_zero()) {
            (self.bid, self.bid_size) = side(quote.bid, quote.bid_size);
        }
        if !(quote.ask.is_zero() && quote.ask_size.is_zero()) {
            (self.ask, self.ask_size) = side(quote.ask, quote.ask_size);
        }
        self
    }
}

/// A price without size, or a size without price, is no quote.
fn side(price: Price, size: Qty) -> (Price, Qty) {
    if price.is_positive() && size.is_positive() { (price, size) } else { (Price::ZERO, Qty::ZERO) }
}

/// The touch of every exchange and the best of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Nbbo {
    exchanges: Vec<Touch>,
    best: Touch,
}

impl Nbbo {
    /// Best bid and ask. It may be crossed: exchanges are not in step.
    #[inline]
    pub const fn best(&self) -> Touch {
        self.best
    }

    /// Takes in a quote of one exchange.
    #[inline(always)]
    pub fn apply(&mut self, quote: &Quote) {
        let exchange = quote.exchange.0;
        let before = self.exchanges.get(usize::from(exchange)).copied().unwrap_or_default();
        self.set(exchange, before.with(quote));
    }

    /// Sets the touch of one exchange.
    #[inline(always)]
    pub fn set(&mut self, exchange: u8, touch: Touch) {
        let at = usize::from(exchange);
        if at >= self.exchanges.len() {
            self.exchanges.resize(at + 1, Touch::EMPTY);
        }
        self.exchanges[at] = touch;
        if self.exchanges.len() == 1 {
            self.best = touch;
        } else {
            self.recompute();
        }
    }

    #[inline(never)]
    fn recompute(&mut self) {
        let mut best = Touch::EMPTY;
        for touch in self.exchanges.iter().take(planted!(FirstExchangeOnly, usize::MAX, 1)) {
            if touch.bid > best.bid {
                (best.bid, best.bid_size) = (touch.bid, touch.bid_size);
            } else if touch.bid == best.bid {
                best.bid_size = best.bid_size.saturating_add(touch.bid_size);
            }
            if touch.ask.is_positive() && (best.ask.is_zero() || touch.ask < best.ask) {
                (best.ask, best.ask_size) = (touch.ask, touch.ask_size);
            } else if touch.ask == best.ask {
                best.ask_size = best.ask_size.saturating_add(touch.ask_size);
            }
        }
        self.best = best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ExchangeId, InstrumentId, Timestamp};
    use proptest::prelude::*;

    fn quote(exchange: u8, bid: i64, bid_size: i64, ask: i64, ask_size: i64) -> Quote {
        Quote {
            ts: Timestamp::ZERO,
            instrument: InstrumentId(0),
            exchange: ExchangeId(exchange),
            suspicious: false,
            bid: Price::from_raw(bid),
            bid_size: Qty::from_raw(bid_size),
            ask: Price::from_raw(ask),
            ask_size: Qty::from_raw(ask_size),
        }
    }

    #[test]
    fn one_sided_quotes_leave_the_other_side_and_vanished_ones_go() {
        let mut nbbo = Nbbo::default();
        nbbo.apply(&quote(3, 100, 5, 0, 0));
        assert_eq!(nbbo.best().mid(), None);
        nbbo.apply(&quote(3, 0, 0, 104, 7));
        nbbo.apply(&quote(9, 100, 2, 105, 1));
        let best = nbbo.best();
        assert_eq!((best.bid.raw(), best.bid_size.raw()), (100, 7), "equal bids add up");
        assert_eq!((best.ask.raw(), best.ask_size.raw()), (104, 7));
        nbbo.apply(&quote(3, 0, 0, 104, 0));
        assert_eq!(nbbo.best().ask.raw(), 105, "size zero takes the ask away");
    }

    proptest! {
        #[test]
        fn best_is_the_best_of_the_last_touches(quotes in prop::collection::vec((0u8..5, 0i64..9, 0i64..3, 0i64..9, 0i64..3), 1..60)) {
            let mut nbbo = Nbbo::default();
            let mut bids = [(0i64, 0i64); 5];
            let mut asks = [(0i64, 0i64); 5];
            for (exchange, bid, bid_size, ask, ask_size) in quotes {
                nbbo.apply(&quote(exchange, bid, bid_size, ask, ask_size));
                let e = usize::from(exchange);
                if bid != 0 || bid_size != 0 {
                    bids[e] = if bid > 0 && bid_size > 0 { (bid, bid_size) } else { (0, 0) };
                }
                if ask != 0 || ask_size != 0 {
                    asks[e] = if ask > 0 && ask_size > 0 { (ask, ask_size) } else { (0, 0) };
                }
                let bid = bids.iter().map(|b| b.0).max().unwrap();
                let ask = asks.iter().map(|a| a.0).filter(|&a| a > 0).min().unwrap_or(0);
                let size = |side: &[(i64, i64)], price| side.iter().filter(|s| s.0 == price).map(|s| s.1).sum::<i64>();
                let best = nbbo.best();
                prop_assert_eq!((best.bid.raw(), best.ask.raw()), (bid, ask));
                prop_assert_eq!(best.bid_size.raw(), size(&bids, bid));
                prop_assert_eq!(best.ask_size.raw(), size(&asks, ask));
            }
        }
    }
}
