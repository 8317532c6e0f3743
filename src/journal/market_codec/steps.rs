//! Exact division by a unit that is known beforehand. A division takes the processor tens of cycles,
//! and a quote needs four; the product with the inverse modulo 2^64 takes three.

use super::{FAR, Units};
use crate::types::{Price, Qty};

/// A unit with what it takes to count in it.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The unit, above zero.
    pub unit: i64,
    /// Inverse of the unit's odd part modulo 2^64.
    inverse: u64,
    /// How often two divides the unit.
    twos: u32,
    /// The largest number of units below 2^64.
    most: u64,
}

impl Step {
    const FINEST: Self = Self::new(1);

    const fn new(unit: i64) -> Self {
        let twos = unit.trailing_zeros();
        let odd = unit as u64 >> twos;
        // Newton: an odd number is its own inverse in the lowest three bits, each turn doubles them.
        let (mut inverse, mut bits) = (odd, 3);
        while bits < 64 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
            bits *= 2;
        }
        Self { unit, inverse, twos, most: u64::MAX / unit as u64 }
    }

    /// How many units make `value`; `None` if it is no multiple. Multiples of the unit, and only
    /// they, come out as numbers up to `most`, each once.
    #[inline]
    fn count(&self, value: u64) -> Option<u64> {
        let count = value.wrapping_mul(self.inverse).rotate_right(self.twos);
        (count <= self.most).then_some(count)
    }
}

/// Steps of an instrument's prices and sizes.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    pub price: Step,
    pub size: Step,
}

impl Steps {
    /// Every value is a multiple.
    pub const FINEST: Self = Self { price: Step::FINEST, size: Step::FINEST };

    pub const fn new(units: Units) -> Self {
        Self { price: Step::new(units.price), size: Step::new(units.size) }
    }

    /// The way from `from`, a multiple that is not far, to `price`.
    #[inline]
    pub fn price(&self, price: Price, from: i64) -> Option<i64> {
        if price.raw().unsigned_abs() >= FAR {
            return None;
        }
        let way = price.raw() - from;
        let count = self.price.count(way.unsigned_abs())? as i64;
        Some(if way < 0 { -count } else { count })
    }

    /// A size that is not negative.
    #[inline]
    pub fn size(&self, size: Qty) -> Option<u64> {
        self.size.count(size.raw() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_as_a_division_does(
            unit in prop_oneof![1i64..100, 1i64.., (0u32..63).prop_map(|twos| 1 << twos)],
            value in prop_oneof![0u64..1_000, any::<u64>()],
            many: u64,
        ) {
            let (step, units) = (Step::new(unit), unit as u64);
            let multiple = many % (u64::MAX / units).max(1) * units;
            for value in [value, multiple, multiple.wrapping_add(1), u64::MAX - value] {
                let divided = value.is_multiple_of(units).then_some(value / units);
                prop_assert_eq!(step.count(value), divided);
            }
        }
    }
}
