//! Four prices of a bar: the open as a difference to the price before, the others to the open.

use super::{FAR, Units, price};
use crate::journal::varint::{get_signed, put_signed};
use crate::msg::Ohlc;
use crate::types::Price;

const fn prices(bar: &Ohlc) -> [Price; 4] {
    [bar.open, bar.high, bar.low, bar.close]
}

/// All are multiples of the unit, and near enough to each other for differences.
pub(super) fn fits(bar: &Ohlc, unit: Units) -> bool {
    let fits = |p: &Price| p.raw() % unit.price == 0 && p.raw().unsigned_abs() < FAR;
    prices(bar).iter().all(fits)
}

pub(super) fn is_zero(bar: &Ohlc) -> bool {
    *bar == Ohlc::default()
}

pub(super) fn put(out: &mut Vec<u8>, bar: &Ohlc, mut from: i64, unit: Units) {
    for (at, price) in prices(bar).into_iter().enumerate() {
        put_signed(out, price.raw().wrapping_sub(from) / unit.price);
        if at == 0 {
            from = price.raw();
        }
    }
}

pub(super) fn get(bytes: &mut &[u8], from: i64, unit: Units) -> Option<Ohlc> {
    let open = price(from, get_signed(bytes)?, unit)?;
    let mut next = || Some(Price::from_raw(price(open, get_signed(bytes)?, unit)?));
    Some(Ohlc { open: Price::from_raw(open), high: next()?, low: next()?, close: next()? })
}
