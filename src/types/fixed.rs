//! Fixed-point money: `Price` and `Qty` in units of 1e-9, `Notional` in units of 1e-18.
//!
//! `price * quantity` is therefore exact. `rust_decimal` is the only way in and out at a border
//! (config, JSON, broker payloads); a value that does not fit is a named error, never a rounding.

use super::text::text_for_people;
use rust_decimal::Decimal;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

/// Units of `Price` and `Qty` in one whole.
pub const UNIT: i64 = 1_000_000_000;
/// Units of `Notional` in one whole.
const NOTIONAL_UNIT: i128 = 1_000_000_000_000_000_000;

/// Why a decimal number could not become a fixed-point value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// More digits after the point than the type holds.
    #[error("more than {0} digits after the decimal point")]
    TooPrecise(u32),
    /// Outside the range of the type.
    #[error("out of range")]
    OutOfRange,
    /// Not a decimal number at all.
    #[error("not a decimal number")]
    NotANumber,
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident($raw:ty), scale $scale:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($raw);

        text_for_people! { $name as $raw, |value: &$name| value.0, Self; }

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(<$raw>::MAX);

            /// From units of the type's scale.
            pub const fn from_raw(raw: $raw) -> Self {
                Self(raw)
            }
            /// In units of the type's scale.
            pub const fn raw(self) -> $raw {
                self.0
            }
            /// Sum, or `None` on overflow.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }
            /// Sum, held at the end of the range: for worst-case sums that must never wrap to small.
            pub fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
            /// Difference, held at the end of the range.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
            /// Size without the sign.
            pub fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }
            /// Greater than zero.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }
            /// Less than zero.
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }
            /// Zero.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
            /// Exact conversion from a border value.
            ///
            /// # Errors
            /// [`NumberError`] where the value has more digits or more size than the type.
            pub fn from_decimal(value: Decimal) -> Result<Self, NumberError> {
                let value = value.normalize();
                if value.scale() > $scale {
                    return Err(NumberError::TooPrecise($scale));
                }
                10i128
                    .checked_pow($scale - value.scale())
                    .and_then(|up| value.mantissa().checked_mul(up))
                    .and_then(|raw| <$raw>::try_from(raw).ok())
                    .map(Self)
                    .ok_or(NumberError::OutOfRange)
            }
        }
        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                Decimal::from_str_exact(text.trim())
                    .map_err(|_| NumberError::NotANumber)
                    .and_then(Self::from_decimal)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_fixed(f, i128::from(self.0), $scale)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
    };
}

fixed! {
    /// A price in units of 1e-9 of the quote currency; range about ±9.2 billion.
    Price(i64), scale 9
}
fixed! {
    /// A quantity in units of 1e-9 (shares, contracts, coins); signed where it is a position.
    Qty(i64), scale 9
}
fixed! {
    /// An amount of money in units of 1e-18, so that a price times a quantity is exact.
    Notional(i128), scale 18
}

impl Price {
    /// The point half-way between two prices, rounded down to 1e-9.
    pub const fn mid(self, other: Self) -> Self {
        Self((self.0 & other.0) + ((self.0 ^ other.0) >> 1))
    }
    /// Exact value of `qty` at this price with a contract `multiplier`, or `None` on overflow.
    pub fn checked_notional(self, qty: Qty, multiplier: u32) -> Option<Notional> {
        match multiplier {
            1 => Some(Notional(self.times(qty))),
            _ => self.times(qty).checked_mul(i128::from(multiplier)).map(Notional),
        }
    }
    /// Exact value of `qty` at this price, held at the end of the range.
    pub fn notional(self, qty: Qty, multiplier: u32) -> Notional {
        match multiplier {
            1 => Notional(self.times(qty)),
            _ => Notional(self.times(qty).saturating_mul(i128::from(multiplier))),
        }
    }
    /// A product of two 64-bit numbers always fits 128 bits: the check for overflow, several times as
    /// long as the product, is left out.
    const fn times(self, qty: Qty) -> i128 {
        (self.0 as i128).wrapping_mul(qty.0 as i128)
    }
    /// Exact as a border value.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), 9).normalize()
    }
    /// As a float, for indicators inside an agent; never for money.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }
}

impl Qty {
    /// A whole number of shares or contracts.
    pub const fn whole(units: i64) -> Self {
        Self(units * UNIT)
    }
    /// Exact as a border value.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), 9).normalize()
    }
    /// The smaller of two.
    pub fn min(self, other: Self) -> Self {
        Ord::min(self, other)
    }
    /// The larger of two.
    pub fn max(self, other: Self) -> Self {
        Ord::max(self, other)
    }
}

impl Notional {
    /// A whole amount of the account currency.
    pub const fn whole(units: i64) -> Self {
        Self(units as i128 * NOTIONAL_UNIT)
    }
    /// `self * numerator / denominator`, rounded toward zero; `None` on overflow or a zero denominator.
    ///
    /// Exact while the quotient and the remainder are scaled apart, so that a large cost times a
    /// large quantity does not need more than 128 bits.
    pub fn checked_ratio(self, numerator: i64, denominator: i64) -> Option<Self> {
        let (n, d) = (i128::from(numerator), i128::from(denominator));
        let quotient = self.0.checked_div(d)?;
        let rest = self.0.wrapping_sub(quotient.wrapping_mul(d));
        let whole = quotient.checked_mul(n)?;
        let rest = rest.checked_mul(n)?.checked_div(d)?;
        whole.checked_add(rest).map(Self)
    }
    /// The price per unit of `qty` (average price), rounded toward zero to 1e-9; zero for no quantity.
    pub fn per(self, qty: Qty, multiplier: u32) -> Price {
        let d = i128::from(qty.0) * i128::from(multiplier.max(1));
        Price(self.0.checked_div(d).and_then(|p| i64::try_from(p).ok()).unwrap_or(0))
    }
    /// As a border value: exact where it has up to 28 digits, else cut to the digits that fit
    /// (never fewer than nine after the point for any amount below ten quintillion).
    pub fn to_decimal(self) -> Decimal {
        let (mut raw, mut scale) = (self.0, 18u32);
        loop {
            if let Ok(value) = Decimal::try_from_i128_with_scale(raw, scale) {
                return value.normalize();
            }
            if scale == 0 {
                return if raw > 0 { Decimal::MAX } else { Decimal::MIN };
            }
            raw /= 10;
            scale -= 1;
        }
    }
    /// As a float, for ratios in reports.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / NOTIONAL_UNIT as f64
    }
}

impl std::iter::Sum for Qty {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::saturating_add)
    }
}

impl std::iter::Sum for Notional {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::saturating_add)
    }
}

/// Plain decimal without trailing zeros: `-12.5`, `0`, `0.000000001`.
fn write_fixed(f: &mut fmt::Formatter<'_>, raw: i128, scale: u32) -> fmt::Result {
    let unit = 10u128.pow(scale);
    let size = raw.unsigned_abs();
    let (whole, mut rest) = (size / unit, size % unit);
    let mut width = scale as usize;
    while rest != 0 && rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    let text = if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:0width$}") };
    f.pad_integral(raw >= 0, "", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimal_round_trips(raw: i64) {
            let price = Price::from_raw(raw);
            prop_assert_eq!(Price::from_decimal(price.to_decimal()), Ok(price));
            prop_assert_eq!(price.to_string().parse::<Price>(), Ok(price));
        }

        #[test]
        fn ratio_splits_a_cost_without_loss(cost in -1_000_000_000_000_000_000_000_000_000_000i128..1_000_000_000_000_000_000_000_000_000_000,
                                            part in 1i64..i64::MAX / 2, more in 0i64..i64::MAX / 2) {
            let (cost, whole) = (Notional::from_raw(cost), part + more);
            let closed = cost.checked_ratio(part, whole).unwrap();
            // Rounded toward zero: never takes more than there is, off by less than two units of 1e-18.
            prop_assert!(closed.abs() <= cost.abs());
            prop_assert_eq!(cost.checked_ratio(whole, whole), Some(cost));
            prop_assert_eq!(closed + (cost - closed), cost);
        }

        #[test]
        fn mid_never_overflows(a: i64, b: i64) {
            let mid = Price::from_raw(a).mid(Price::from_raw(b));
            prop_assert_eq!(i128::from(mid.raw()), (i128::from(a) + i128::from(b)).div_euclid(2));
        }
    }

    #[test]
    fn too_precise_and_too_large_are_named() {
        assert_eq!("0.0000000001".parse::<Price>(), Err(NumberError::TooPrecise(9)));
        assert_eq!("9223372036.9".parse::<Qty>(), Err(NumberError::OutOfRange));
        assert_eq!("1,5".parse::<Qty>(), Err(NumberError::NotANumber));
        assert_eq!("1.500".parse::<Qty>().unwrap().to_string(), "1.5");
        assert_eq!(Price::from_raw(-1).to_string(), "-0.000000001");
    }
}
