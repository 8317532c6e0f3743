//! Decimal numbers as this wire writes them.

use crate::types::text::Text;
use crate::types::{Notional, Price, Qty};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A decimal number: read from text or a number, written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Number(pub Decimal);

/// A number that may be `null`.
pub type Opt = Option<Number>;

impl Number {
    /// As a price; `None` where it has more than nine digits after the point.
    pub fn price(self) -> Option<Price> {
        Price::from_decimal(self.0).ok()
    }
    /// As a quantity; `None` where it has more than nine digits after the point.
    pub fn qty(self) -> Option<Qty> {
        Qty::from_decimal(self.0).ok()
    }
    /// As money.
    pub fn notional(self) -> Option<Notional> {
        Notional::from_decimal(self.0).ok()
    }
}

impl From<Price> for Number {
    fn from(price: Price) -> Self {
        Self(price.to_decimal())
    }
}
impl From<Qty> for Number {
    fn from(qty: Qty) -> Self {
        Self(qty.to_decimal())
    }
}
impl From<Notional> for Number {
    fn from(amount: Notional) -> Self {
        Self(amount.to_decimal())
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::<Decimal>::deserialize(deserializer).map(|text| Self(text.0))
    }
}
