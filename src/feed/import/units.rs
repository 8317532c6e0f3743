//! Steps of prices and sizes, found by looking at every value of a source.

use crate::journal::Units;
use crate::msg::MarketData;
use crate::types::{Calendar, Currency, Instrument, Price, Qty};

const ONE: i64 = 1_000_000_000;

/// The greatest common divisors of all prices and sizes seen of one instrument.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survey {
    price: u64,
    size: u64,
}

impl Survey {
    pub fn add(&mut self, record: &MarketData) {
        let mut price = |p: Price| self.price = gcd(p.raw().unsigned_abs(), self.price);
        let mut size = |s: Qty| self.size = gcd(s.raw().unsigned_abs(), self.size);
        match record {
            MarketData::Quote(q) => {
                price(q.bid);
                price(q.ask);
                size(q.bid_size);
                size(q.ask_size);
            }
            MarketData::Trade(t) => {
                price(t.price);
                size(t.size);
            }
            MarketData::Level(l) => {
                price(l.price);
                size(l.size);
            }
            MarketData::Bar(b) => {
                [b.price.open, b.price.high, b.price.low, b.price.close]
                    .into_iter()
                    .for_each(price);
                size(b.volume);
            }
            MarketData::QuoteBar(_) | MarketData::Status(_) | MarketData::Gap(_) => {}
        }
    }

    /// The largest steps of which every value is a multiple.
    pub fn units(&self) -> Units {
        let step = |gcd: u64| i64::try_from(gcd).unwrap_or(1).max(1);
        Units { price: step(self.price), size: step(self.size) }
    }

    /// An instrument whose tick and lot are the largest powers of ten, up to 1, that fit all values:
    /// a guess from the data, not the exchange's rule.
    pub fn instrument(&self, symbol: &str, currency: Currency) -> Instrument {
        let units = self.units();
        Instrument {
            symbol: symbol.into(),
            tick: Price::from_raw(power_of_ten(units.price)),
            lot: Qty::from_raw(power_of_ten(units.size)),
            multiplier: 1,
            currency,
            calendar: Calendar::Always,
        }
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The largest power of ten up to [`ONE`] that divides `unit`.
const fn power_of_ten(unit: i64) -> i64 {
    let mut power = ONE;
    while unit % power != 0 {
        power /= 10;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_divide_every_value() {
        assert_eq!(gcd(0, 12), 12);
        assert_eq!(gcd(18, 12), 6);
        assert_eq!(power_of_ten(250_000_000), 10_000_000);
        assert_eq!(power_of_ten(100_000 * ONE), ONE);
        assert_eq!(Survey::default().units(), Units::FINEST);
    }
}
