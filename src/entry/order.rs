//! From the body of a new order to its terms: a type has exactly its prices.

use super::gateway::OrderEntry;
use crate::msg::OrderTerms;
use crate::types::{Notional, OrdType, OrderQty, TimeInForce, TrailingOffset};
use crate::view::NewOrderRequest;
use crate::wiring::Names;

/// Checks the form of an order and finds its names.
///
/// # Errors
/// What is missing, too much or unknown.
pub fn entry(request: &NewOrderRequest, names: &Names) -> Result<OrderEntry, String> {
    let account = match (&request.account, names.accounts()) {
        (Some(name), _) => names.find_account(name)?,
        (None, [only]) => names.find_account(only)?,
        (None, _) => return Err("`account` is needed: there are several".to_owned()),
    };
    let qty = match (request.qty, request.cash) {
        (Some(qty), None) if qty.is_positive() => OrderQty::Units(qty),
        (None, Some(cash)) if cash.is_positive() => OrderQty::Cash(cash),
        (Some(_), None) => return Err("`qty` must be above zero".to_owned()),
        (None, Some(_)) => return Err("`cash` must be above zero".to_owned()),
        _ => return Err("exactly one of `qty` and `cash` is needed".to_owned()),
    };
    let confirmed = confirmed(qty, request.confirm)?;
    if (request.tif == TimeInForce::Gtd) != request.expire_at.is_some() {
        return Err("`expire_at` goes with time in force gtd, and only with it".to_owned());
    }
    Ok(OrderEntry {
        account,
        instrument: names.find_symbol(&request.symbol)?,
        terms: OrderTerms {
            side: request.side,
            qty,
            ord_type: ord_type(request)?,
            tif: request.tif,
            expire_at: request.expire_at,
            extended_hours: request.extended_hours,
        },
        intent: request.intent,
        confirmed,
    })
}

/// Whether the size was said twice.
///
/// # Errors
/// It was, and not the same.
pub(super) fn confirmed(qty: OrderQty, confirm: Option<Notional>) -> Result<bool, String> {
    let size = match qty {
        OrderQty::Units(qty) => qty.to_decimal(),
        OrderQty::Cash(cash) => cash.to_decimal(),
    };
    match confirm {
        Some(again) if again.to_decimal() != size => {
            Err(format!("`confirm` says {again}, the order {size}"))
        }
        again => Ok(again.is_some()),
    }
}

fn ord_type(request: &NewOrderRequest) -> Result<OrdType, String> {
    let kind = request.ord_type.as_str();
    let (needs_price, needs_stop, needs_trail) = match kind {
        "market" => (false, false, false),
        "limit" => (true, false, false),
        "stop" => (false, true, false),
        "stop_limit" => (true, true, false),
        "trailing_stop" => (false, false, true),
        _ => {
            return Err(format!(
                "`{kind}` is not an order type: market, limit, stop, stop_limit or trailing_stop"
            ));
        }
    };
    let price = exactly("price", kind, request.price, needs_price)?;
    let stop_px = exactly("stop_px", kind, request.stop_px, needs_stop)?;
    let trail = match (request.trail, request.trail_bps) {
        (Some(_), Some(_)) => return Err("`trail` and `trail_bps` exclude each other".to_owned()),
        (Some(distance), None) if !distance.is_positive() => {
            return Err("`trail` must be above zero".to_owned());
        }
        (None, Some(bps)) if !(1..10_000).contains(&bps) => {
            return Err("`trail_bps` must be 1 to 9999".to_owned());
        }
        (distance, bps) => {
            distance.map(TrailingOffset::Price).or(bps.map(TrailingOffset::BasisPoints))
        }
    };
    Ok(match (price, stop_px, exactly("trail", kind, trail, needs_trail)?) {
        (Some(price), Some(stop_px), _) => OrdType::StopLimit { stop_px, price },
        (Some(price), None, _) => OrdType::Limit { price },
        (None, Some(stop_px), _) => OrdType::Stop { stop_px },
        (None, None, Some(offset)) => OrdType::TrailingStop { offset },
        (None, None, None) => OrdType::Market,
    })
}

fn exactly<T>(key: &str, kind: &str, value: Option<T>, needed: bool) -> Result<Option<T>, String> {
    match (&value, needed) {
        (None, true) => Err(format!("a {kind} order needs `{key}`")),
        (Some(_), false) => Err(format!("a {kind} order has no `{key}`")),
        _ => Ok(value),
    }
}
