//! The gateway's words for an order in the words of this wire.

use super::{Number, Opt, OrderType, PositionIntent, SideWord, Tif};
use crate::types::{OrdType, Side, TimeInForce, TrailingOffset};
use rust_decimal::Decimal;

/// The word for a side.
pub const fn side_word(side: Side) -> SideWord {
    match side {
        Side::Buy => SideWord::Buy,
        Side::Sell => SideWord::Sell,
    }
}

/// The word for a side that opens or closes.
pub const fn intent(side: Side, closes: bool) -> PositionIntent {
    match (side, closes) {
        (Side::Buy, true) => PositionIntent::BuyToClose,
        (Side::Buy, false) => PositionIntent::BuyToOpen,
        (Side::Sell, true) => PositionIntent::SellToClose,
        (Side::Sell, false) => PositionIntent::SellToOpen,
    }
}

/// The word for a type.
pub const fn kind(ord_type: &OrdType) -> OrderType {
    match ord_type {
        OrdType::Market => OrderType::Market,
        OrdType::Limit { .. } => OrderType::Limit,
        OrdType::Stop { .. } => OrderType::Stop,
        OrdType::StopLimit { .. } => OrderType::StopLimit,
        OrdType::TrailingStop { .. } => OrderType::TrailingStop,
    }
}

/// The distance of a trailing stop: as a price, or in per cent.
pub fn trail(ord_type: &OrdType) -> (Opt, Opt) {
    match ord_type {
        OrdType::TrailingStop { offset: TrailingOffset::Price(price) } => {
            (Some((*price).into()), None)
        }
        OrdType::TrailingStop { offset: TrailingOffset::BasisPoints(points) } => {
            (None, Some(Number(Decimal::new(i64::from(*points), 2))))
        }
        _ => (None, None),
    }
}

/// The word for a time in force.
pub const fn tif_word(tif: TimeInForce) -> Tif {
    match tif {
        TimeInForce::Day => Tif::Day,
        // No request of this wire makes an order with a date; it stands until then or a cancel.
        TimeInForce::Gtc | TimeInForce::Gtd => Tif::Gtc,
        TimeInForce::Opg => Tif::Opg,
        TimeInForce::Cls => Tif::Cls,
        TimeInForce::Ioc => Tif::Ioc,
        TimeInForce::Fok => Tif::Fok,
    }
}
