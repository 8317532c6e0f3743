//! What an order asks for, in our words and in the broker's.

use crate::alpaca::{
    Number, Order, OrderClass, OrderStatus, OrderType, PatchOrder, PostOrder, SideWord, StopLoss,
    TakeProfit, Tif,
};
use crate::msg::{Contingent, Leg, NewOrder, OrderTerms};
use crate::types::{
    Notional, OrdStatus, OrdType, OrderQty, Price, Qty, Reason, Side, TimeInForce, TrailingOffset,
    fixed,
};
use rust_decimal::Decimal;

const fn side(side: Side) -> SideWord {
    match side {
        Side::Buy => SideWord::Buy,
        Side::Sell => SideWord::Sell,
    }
}

fn tif(tif: TimeInForce) -> Result<Tif, Reason> {
    Ok(match tif {
        TimeInForce::Day => Tif::Day,
        TimeInForce::Gtc => Tif::Gtc,
        TimeInForce::Ioc => Tif::Ioc,
        TimeInForce::Fok => Tif::Fok,
        TimeInForce::Opg => Tif::Opg,
        TimeInForce::Cls => Tif::Cls,
        // There is no date to give an order here.
        TimeInForce::Gtd => return Err(Reason::BrokerUnsupported),
    })
}

/// A part of a percentage has two digits.
fn percent(basis_points: u32) -> Number {
    Number(Decimal::new(i64::from(basis_points), 2).normalize())
}

/// The body of a `POST`. `symbol` is the broker's name.
///
/// # Errors
/// What the broker has no words for.
pub(super) fn post(new: &NewOrder, symbol: &str) -> Result<PostOrder, Reason> {
    let terms = &new.terms;
    let mut order = PostOrder {
        symbol: Some(symbol.to_owned()),
        side: Some(side(terms.side)),
        time_in_force: Some(tif(terms.tif)?),
        client_order_id: Some(new.cl_ord_id.to_string()),
        extended_hours: terms.extended_hours.then_some(true),
        limit_price: terms.ord_type.limit_price().map(Number::from),
        stop_price: terms.ord_type.stop_price().map(Number::from),
        ..PostOrder::default()
    };
    match terms.qty {
        OrderQty::Units(units) => order.qty = Some(units.into()),
        OrderQty::Cash(cash) => order.notional = Some(cash.into()),
    }
    order.kind = Some(match terms.ord_type {
        OrdType::Market => OrderType::Market,
        OrdType::Limit { .. } => OrderType::Limit,
        OrdType::Stop { .. } => OrderType::Stop,
        OrdType::StopLimit { .. } => OrderType::StopLimit,
        OrdType::TrailingStop { offset: TrailingOffset::Price(distance) } => {
            order.trail_price = Some(distance.into());
            OrderType::TrailingStop
        }
        OrdType::TrailingStop { offset: TrailingOffset::BasisPoints(points) } => {
            order.trail_percent = Some(percent(points));
            OrderType::TrailingStop
        }
    });
    let profit = |leg: &Leg| match leg.terms.ord_type {
        OrdType::Limit { price } => Ok(TakeProfit { limit_price: Some(price.into()) }),
        _ => Err(Reason::BrokerUnsupported),
    };
    let loss = |leg: &Leg| match leg.terms.ord_type {
        OrdType::Stop { stop_px } => {
            Ok(StopLoss { stop_price: Some(stop_px.into()), limit_price: None })
        }
        OrdType::StopLimit { stop_px, price } => {
            Ok(StopLoss { stop_price: Some(stop_px.into()), limit_price: Some(price.into()) })
        }
        _ => Err(Reason::BrokerUnsupported),
    };
    match &new.contingent {
        Contingent::None => {}
        // The order itself is the limit that takes the profit, and is named again as such.
        Contingent::OneCancelsOther(leg) => {
            let OrdType::Limit { price } = terms.ord_type else {
                return Err(Reason::BrokerUnsupported);
            };
            order.order_class = Some(OrderClass::Oco);
            order.take_profit = Some(TakeProfit { limit_price: Some(price.into()) });
            order.stop_loss = Some(loss(leg)?);
        }
        Contingent::OneTriggersOther(leg) => {
            order.order_class = Some(OrderClass::Oto);
            match profit(leg) {
                Ok(profit) => order.take_profit = Some(profit),
                Err(_) => order.stop_loss = Some(loss(leg)?),
            }
        }
        Contingent::Bracket { take_profit, stop_loss } => {
            order.order_class = Some(OrderClass::Bracket);
            order.take_profit = Some(profit(take_profit)?);
            order.stop_loss = Some(loss(stop_loss)?);
        }
    }
    // Legs live as long as their order, and are as large: the broker has no word for other legs.
    for leg in new.contingent.legs() {
        if leg.terms.tif != terms.tif || leg.terms.qty != terms.qty {
            return Err(Reason::BrokerUnsupported);
        }
    }
    Ok(order)
}

/// The body of a `PATCH`: what changes from `old` to `new`.
///
/// # Errors
/// What the broker cannot change.
pub(super) fn patch(
    old: &OrderTerms,
    new: &OrderTerms,
    name: String,
) -> Result<PatchOrder, Reason> {
    let mut patch = PatchOrder { client_order_id: Some(name), ..PatchOrder::default() };
    match (old.qty, new.qty) {
        (before, after) if before == after => {}
        (OrderQty::Units(before), OrderQty::Units(after)) => {
            let whole = |qty: Qty| qty.raw() % fixed::UNIT == 0;
            if !whole(before) || !whole(after) {
                return Err(Reason::BrokerUnsupported);
            }
            patch.qty = Some(after.into());
        }
        _ => return Err(Reason::BrokerUnsupported),
    }
    if old.tif != new.tif {
        patch.time_in_force = Some(tif(new.tif)?);
    }
    if old.extended_hours != new.extended_hours {
        return Err(Reason::BrokerUnsupported);
    }
    match (old.ord_type, new.ord_type) {
        (before, after) if before == after => {}
        (OrdType::Limit { .. }, OrdType::Limit { price }) => patch.limit_price = Some(price.into()),
        (OrdType::Stop { .. }, OrdType::Stop { stop_px }) => {
            patch.stop_price = Some(stop_px.into());
        }
        (OrdType::StopLimit { .. }, OrdType::StopLimit { stop_px, price }) => {
            patch.stop_price = Some(stop_px.into());
            patch.limit_price = Some(price.into());
        }
        (OrdType::TrailingStop { offset: was }, OrdType::TrailingStop { offset }) => {
            patch.trail = Some(match (was, offset) {
                (TrailingOffset::Price(_), TrailingOffset::Price(distance)) => distance.into(),
                (TrailingOffset::BasisPoints(_), TrailingOffset::BasisPoints(points)) => {
                    percent(points)
                }
                _ => return Err(Reason::BrokerUnsupported),
            });
        }
        _ => return Err(Reason::BrokerUnsupported),
    }
    Ok(patch)
}

/// What an order of the broker asks for. Words that this build does not know are taken for what keeps
/// most of it open: an order of an unknown kind may trade at any price until it is taken back.
///
/// # Errors
/// The field that cannot be read.
pub(super) fn read(order: &Order) -> Result<OrderTerms, &'static str> {
    let price = |given: Option<Number>, field| given.and_then(Number::price).ok_or(field);
    let (limit, stop) =
        (|| price(order.limit_price, "limit_price"), || price(order.stop_price, "stop_price"));
    let ord_type = match order.kind {
        OrderType::Market | OrderType::Unknown(_) => OrdType::Market,
        OrderType::Limit => OrdType::Limit { price: limit()? },
        OrderType::Stop => OrdType::Stop { stop_px: stop()? },
        OrderType::StopLimit => OrdType::StopLimit { stop_px: stop()?, price: limit()? },
        OrderType::TrailingStop => OrdType::TrailingStop { offset: trail(order)? },
    };
    Ok(OrderTerms {
        side: match order.side {
            SideWord::Buy => Side::Buy,
            SideWord::Sell => Side::Sell,
            SideWord::Unknown(_) => return Err("side"),
        },
        qty: match (order.qty, order.notional) {
            (Some(units), _) => OrderQty::Units(units.qty().ok_or("qty")?),
            (None, Some(cash)) => OrderQty::Cash(cash.notional().ok_or("notional")?),
            (None, None) => return Err("qty"),
        },
        ord_type,
        tif: match order.time_in_force {
            Tif::Day => TimeInForce::Day,
            Tif::Gtc | Tif::Unknown(_) => TimeInForce::Gtc,
            Tif::Opg => TimeInForce::Opg,
            Tif::Cls => TimeInForce::Cls,
            Tif::Ioc => TimeInForce::Ioc,
            Tif::Fok => TimeInForce::Fok,
        },
        expire_at: None,
        extended_hours: order.extended_hours,
    })
}

fn trail(order: &Order) -> Result<TrailingOffset, &'static str> {
    if let Some(distance) = order.trail_price {
        return distance.price().map(TrailingOffset::Price).ok_or("trail_price");
    }
    let Some(Number(percent)) = order.trail_percent else { return Err("trail_price") };
    // Finer than a basis point: the next coarser one follows no closer.
    let points = (percent * Decimal::ONE_HUNDRED).ceil();
    u32::try_from(points).map(TrailingOffset::BasisPoints).map_err(|_| "trail_percent")
}

/// The state of an order. One that this build does not know is live: it counts until the broker says
/// a word that is known.
pub(super) fn status(status: &OrderStatus, filled: Qty) -> OrdStatus {
    match status {
        OrderStatus::Filled => OrdStatus::Filled,
        OrderStatus::Canceled => OrdStatus::Canceled,
        OrderStatus::Expired => OrdStatus::Expired,
        OrderStatus::Rejected => OrdStatus::Rejected,
        OrderStatus::Replaced => OrdStatus::Replaced,
        OrderStatus::PendingCancel => OrdStatus::PendingCancel,
        OrderStatus::PendingReplace => OrdStatus::PendingReplace,
        _ if filled.is_positive() => OrdStatus::PartiallyFilled,
        _ => OrdStatus::New,
    }
}

/// What an order may still fill.
pub(super) fn leaves(order: &Order, filled: Qty) -> Qty {
    if order.status.is_terminal() {
        return Qty::ZERO;
    }
    match (order.qty, order.notional) {
        (Some(units), _) => units.qty().map_or(Qty::ZERO, |units| units.saturating_sub(filled)),
        (None, cash) => {
            // Nobody knows how many units an amount of money will buy; at the last price known it
            // is so many. The amount itself stands in the order's terms.
            let price = order.filled_avg_price.or(order.limit_price).and_then(Number::price);
            let cash = cash.and_then(Number::notional);
            units_of(cash, price).saturating_sub(filled).max(Qty::from_raw(1))
        }
    }
}

fn units_of(cash: Option<Notional>, price: Option<Price>) -> Qty {
    match (cash, price) {
        (Some(cash), Some(price)) if price.is_positive() => {
            let units = cash.to_decimal() / price.to_decimal();
            Qty::from_decimal(units.round_dp(9)).unwrap_or(Qty::ZERO)
        }
        _ => Qty::ZERO,
    }
}
