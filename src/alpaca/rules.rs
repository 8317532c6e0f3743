//! Which orders this protocol takes, before anything is asked of account or market: field by field,
//! then type against class, time in force and kind of asset.

use super::{
    ApiError, Asset, AssetClass, Number, Opt, OrderClass, OrderType, PatchOrder, PostOrder,
    SideWord, Tif,
};
use crate::msg::OrderTerms;
use crate::types::{OrdType, OrderQty, Price, Qty, Side, TimeInForce, TrailingOffset};
use rust_decimal::Decimal;

/// An order that follows the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How its orders hang together.
    pub class: OrderClass,
    /// The order itself.
    pub terms: OrderTerms,
    /// The exits of a bracket (take-profit first), the stop of an OCO, the exit of an OTO.
    pub legs: Vec<OrderTerms>,
}

/// Longest client order id.
pub const MAX_CLIENT_ID: usize = 128;

/// The order that a request asks for.
///
/// # Errors
/// The first rule that it breaks.
pub fn read(post: &PostOrder, asset: &Asset) -> Result<Asked, ApiError> {
    if post.client_order_id.as_ref().is_some_and(|id| id.len() > MAX_CLIENT_ID) {
        return Err(ApiError::invalid("client_order_id must be no more than 128 characters"));
    }
    let crypto = asset.class == AssetClass::Crypto;
    let side = match &post.side {
        Some(SideWord::Buy) => Side::Buy,
        Some(SideWord::Sell) => Side::Sell,
        Some(SideWord::Unknown(word)) => {
            return Err(ApiError::invalid(format!("invalid side: {word}")));
        }
        None => return Err(ApiError::invalid("side is required")),
    };
    let class = match post.order_class.clone().unwrap_or(OrderClass::Plain) {
        OrderClass::Simple | OrderClass::Plain => OrderClass::Plain,
        OrderClass::Unknown(word) => {
            return Err(ApiError::invalid(format!("invalid order_class: {word}")));
        }
        OrderClass::Mleg => {
            return Err(ApiError::unprocessable("multi-leg orders are not supported"));
        }
        class => class,
    };
    let kind = match (&post.kind, &class) {
        // The type of an OCO order may be left out: it is a limit order.
        (None, OrderClass::Oco) => OrderType::Limit,
        (None, _) => return Err(ApiError::invalid("type is required")),
        (Some(OrderType::Unknown(word)), _) => {
            return Err(ApiError::invalid(format!("invalid order type: {word}")));
        }
        (Some(kind), _) => kind.clone(),
    };
    let tif = time_in_force(post.time_in_force.as_ref())?;
    let qty = quantity(post, crypto)?;
    let extended_hours = post.extended_hours.unwrap_or(false);
    let ord_type = if class == OrderClass::Oco {
        let limit = post.take_profit.and_then(|exit| exit.limit_price).or(post.limit_price);
        if kind != OrderType::Limit {
            return Err(ApiError::invalid("oco orders must be limit orders"));
        }
        let missing = "oco orders require take_profit.limit_price";
        OrdType::Limit { price: price("limit_price", limit, missing, crypto)? }
    } else {
        order_type(post, &kind, crypto)?
    };
    let terms = OrderTerms { side, qty, ord_type, tif, expire_at: None, extended_hours };
    check_combination(&terms, &kind, &class, crypto)?;
    let legs = legs(post, &class, &terms)?;
    Ok(Asked { class, terms, legs })
}

/// The time in force.
///
/// # Errors
/// None given, or no such word.
pub fn time_in_force(tif: Option<&Tif>) -> Result<TimeInForce, ApiError> {
    Ok(match tif {
        None => return Err(ApiError::invalid("time_in_force is required")),
        Some(Tif::Day) => TimeInForce::Day,
        Some(Tif::Gtc) => TimeInForce::Gtc,
        Some(Tif::Opg) => TimeInForce::Opg,
        Some(Tif::Cls) => TimeInForce::Cls,
        Some(Tif::Ioc) => TimeInForce::Ioc,
        Some(Tif::Fok) => TimeInForce::Fok,
        Some(Tif::Unknown(word)) => {
            return Err(ApiError::invalid(format!("invalid time_in_force: {word}")));
        }
    })
}

fn quantity(post: &PostOrder, crypto: bool) -> Result<OrderQty, ApiError> {
    match (post.qty, post.notional) {
        (Some(_), Some(_)) => {
            Err(ApiError::unprocessable("only one of qty or notional is accepted"))
        }
        (None, None) => Err(ApiError::unprocessable("qty or notional is required")),
        (Some(Number(units)), None) => {
            // Digits behind the ninth are cut off, as the real venue does with coins.
            let units = if crypto { units.trunc_with_scale(9) } else { units };
            match Number(units).qty() {
                Some(qty) if qty.is_positive() => Ok(OrderQty::Units(qty)),
                Some(_) => Err(ApiError::invalid("qty must be > 0")),
                None => Err(ApiError::invalid(format!("invalid qty: {units}"))),
            }
        }
        (None, Some(Number(cash))) => {
            if cash < Decimal::ONE {
                return Err(ApiError::invalid("notional must be >= 1.00"));
            }
            if cash.normalize().scale() > 2 {
                return Err(ApiError::unprocessable(
                    "notional value must be limited to 2 decimal places",
                ));
            }
            let cash = Number(cash).notional();
            cash.map(OrderQty::Cash).ok_or_else(|| ApiError::invalid("invalid notional"))
        }
    }
}

/// A price on the steps of a stock: cents from one dollar up, hundredths of a cent below.
///
/// # Errors
/// `missing` without one; the rule that it breaks.
pub fn price(field: &str, given: Opt, missing: &str, crypto: bool) -> Result<Price, ApiError> {
    let Some(number) = given else { return Err(ApiError::invalid(missing)) };
    let Some(price) = number.price().filter(|price| price.is_positive()) else {
        return Err(ApiError::invalid(format!("{field} must be > 0")));
    };
    let digits = if number.0 >= Decimal::ONE { 2 } else { 4 };
    if !crypto && number.0.normalize().scale() > digits {
        return Err(ApiError::unprocessable(format!(
            "invalid {field} {number}. sub-penny increment does not fulfill minimum pricing criteria"
        )));
    }
    Ok(price)
}

fn order_type(post: &PostOrder, kind: &OrderType, crypto: bool) -> Result<OrdType, ApiError> {
    let limit = |missing| price("limit_price", post.limit_price, missing, crypto);
    let stop = |missing| price("stop_price", post.stop_price, missing, crypto);
    let none = |given: Opt, what: &str| match given {
        Some(_) => Err(ApiError::invalid(format!("{} orders must not have {what}", kind.as_str()))),
        None => Ok(()),
    };
    Ok(match kind {
        OrderType::Market => {
            none(post.limit_price, "limit price")?;
            none(post.stop_price, "stop price")?;
            OrdType::Market
        }
        OrderType::Limit => {
            none(post.stop_price, "stop price")?;
            OrdType::Limit { price: limit("limit orders require limit price")? }
        }
        OrderType::Stop => {
            none(post.limit_price, "limit price")?;
            OrdType::Stop { stop_px: stop("stop orders require stop price")? }
        }
        OrderType::StopLimit => OrdType::StopLimit {
            stop_px: stop("stop limit orders require both stop and limit price")?,
            price: limit("stop limit orders require both stop and limit price")?,
        },
        OrderType::TrailingStop => {
            OrdType::TrailingStop { offset: trail(post.trail_price, post.trail_percent)? }
        }
        OrderType::Unknown(word) => {
            return Err(ApiError::invalid(format!("invalid order type: {word}")));
        }
    })
}

/// The distance of a trailing stop. Per cents go down to a hundredth.
///
/// # Errors
/// Neither or both, or out of range.
pub fn trail(by_price: Opt, by_percent: Opt) -> Result<TrailingOffset, ApiError> {
    let one = "trailing stop orders must specify one of trail_price or trail_percent";
    match (by_price, by_percent) {
        (Some(distance), None) => match distance.price() {
            Some(price) if price.is_positive() => Ok(TrailingOffset::Price(price)),
            _ => Err(ApiError::invalid("trail_price must be > 0")),
        },
        (None, Some(Number(percent))) => {
            let points = percent.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(Decimal::MAX);
            match u32::try_from(points.normalize()) {
                Ok(points @ 1..10_000) if points_are_whole(percent) => {
                    Ok(TrailingOffset::BasisPoints(points))
                }
                _ => Err(ApiError::invalid("trail_percent must be from 0.01 to 99.99")),
            }
        }
        _ => Err(ApiError::unprocessable(one)),
    }
}

fn points_are_whole(percent: Decimal) -> bool {
    percent.normalize().scale() <= 2
}

/// Whether a quantity is a whole number of shares.
pub const fn is_whole(qty: Qty) -> bool {
    qty.raw() % Qty::whole(1).raw() == 0
}

fn check_combination(
    terms: &OrderTerms,
    kind: &OrderType,
    class: &OrderClass,
    crypto: bool,
) -> Result<(), ApiError> {
    let no = |text: &str| Err(ApiError::unprocessable(text));
    let tif = terms.tif;
    let plain = *class == OrderClass::Plain;
    let immediate = !matches!(tif, TimeInForce::Day | TimeInForce::Gtc);
    if crypto {
        if matches!(kind, OrderType::Stop | OrderType::TrailingStop) {
            return Err(ApiError::invalid("invalid order type for crypto order"));
        }
        if !matches!(tif, TimeInForce::Gtc | TimeInForce::Ioc) {
            return no("invalid crypto time_in_force");
        }
        if !plain {
            let word = if *class == OrderClass::Bracket { "otoco" } else { class.as_str() };
            return no(&format!("crypto orders not allowed for advanced order_class: {word}"));
        }
        if terms.extended_hours {
            return no("extended hours orders are not allowed for crypto");
        }
        return Ok(());
    }
    let fractional = match terms.qty {
        OrderQty::Cash(_) => true,
        OrderQty::Units(qty) => !is_whole(qty),
    };
    if fractional && tif != TimeInForce::Day {
        return no("fractional orders must be DAY orders");
    }
    if fractional && *kind == OrderType::TrailingStop {
        return no("fractional orders cannot be trailing stop orders");
    }
    let limit = *kind == OrderType::Limit;
    if terms.extended_hours && (!limit || immediate || !plain) {
        return no("extended hours order must be DAY or GTC limit orders");
    }
    if immediate && !(limit || *kind == OrderType::Market) {
        return no(&format!("{} orders cannot be {:?}", kind.as_str(), tif));
    }
    if !plain {
        if immediate {
            return no(&format!("{} orders must be DAY or GTC orders", class.as_str()));
        }
        if fractional {
            return no("fractional orders must be simple orders");
        }
        if *kind == OrderType::TrailingStop {
            return no("trailing stop orders must be simple orders");
        }
    }
    Ok(())
}

fn legs(
    post: &PostOrder,
    class: &OrderClass,
    parent: &OrderTerms,
) -> Result<Vec<OrderTerms>, ApiError> {
    let name = class.as_str();
    let profit = post.take_profit.and_then(|exit| exit.limit_price);
    let need = |what: &str| ApiError::unprocessable(format!("{name} orders require {what}"));
    if *class == OrderClass::Plain {
        return match (post.take_profit, post.stop_loss) {
            (None, None) => Ok(Vec::new()),
            _ => Err(ApiError::unprocessable("take_profit and stop_loss need an order_class")),
        };
    }
    let side = if *class == OrderClass::Oco { parent.side } else { parent.side.opposite() };
    let exit = |ord_type| OrderTerms { side, ord_type, ..*parent };
    let take_profit = profit
        .map(|limit| price("take_profit.limit_price", Some(limit), "", false))
        .transpose()?
        .map(|price| exit(OrdType::Limit { price }));
    let stop = post.stop_loss.and_then(|exit| exit.stop_price);
    let stop_px =
        stop.map(|stop| price("stop_loss.stop_price", Some(stop), "", false)).transpose()?;
    let limit = post.stop_loss.and_then(|exit| exit.limit_price);
    let limit =
        limit.map(|limit| price("stop_loss.limit_price", Some(limit), "", false)).transpose()?;
    let stop_loss = stop_px.map(|stop_px| {
        exit(limit.map_or(OrdType::Stop { stop_px }, |price| OrdType::StopLimit { stop_px, price }))
    });
    let profit_price = match class {
        OrderClass::Oco => parent.ord_type.limit_price(),
        _ => take_profit.and_then(|leg| leg.ord_type.limit_price()),
    };
    if let (Some(profit), Some(stop)) = (profit_price, stop_px)
        && !(side.opposite().within(stop, profit) && stop != profit)
    {
        let sign = if side == Side::Sell { '>' } else { '<' };
        return Err(ApiError::unprocessable(format!(
            "take_profit.limit_price must be {sign} stop_loss.stop_price"
        )));
    }
    match class {
        OrderClass::Bracket => {
            let take_profit = take_profit.ok_or_else(|| need("take_profit.limit_price"))?;
            let stop_loss = stop_loss.ok_or_else(|| need("stop_loss.stop_price"))?;
            Ok(vec![take_profit, stop_loss])
        }
        OrderClass::Oco => Ok(vec![stop_loss.ok_or_else(|| need("stop_loss.stop_price"))?]),
        _ => match (take_profit, stop_loss) {
            (Some(leg), None) | (None, Some(leg)) => Ok(vec![leg]),
            _ => Err(need("either take_profit or stop_loss")),
        },
    }
}

/// The terms of an order after a patch; `cum` of it is filled.
///
/// # Errors
/// The first rule that the patch breaks.
pub fn patched(
    before: &OrderTerms,
    cum: Qty,
    patch: &PatchOrder,
    crypto: bool,
) -> Result<OrderTerms, ApiError> {
    let mut terms = *before;
    if let Some(Number(units)) = patch.qty {
        let qty = Number(units).qty().filter(|qty| qty.is_positive());
        let qty = qty.ok_or_else(|| ApiError::invalid("qty must be > 0"))?;
        match before.qty {
            OrderQty::Cash(_) => {
                return Err(ApiError::unprocessable("qty cannot be changed for notional orders"));
            }
            OrderQty::Units(before)
                if before != qty && !crypto && !(is_whole(qty) && is_whole(before)) =>
            {
                return Err(ApiError::unprocessable("qty cannot be changed for fractional orders"));
            }
            OrderQty::Units(_) => {}
        }
        if qty <= cum {
            return Err(ApiError::unprocessable("qty must be > filled_qty"));
        }
        terms.qty = OrderQty::Units(qty);
    }
    if patch.time_in_force.is_some() {
        let tif = time_in_force(patch.time_in_force.as_ref())?;
        let rests = |tif| matches!(tif, TimeInForce::Day | TimeInForce::Gtc);
        if tif != terms.tif && !(rests(tif) && rests(terms.tif)) {
            return Err(ApiError::unprocessable("time_in_force cannot be changed to that"));
        }
        terms.tif = tif;
    }
    let limit = |given| price("limit_price", given, "", crypto);
    let stop = |given| price("stop_price", given, "", crypto);
    let no = |what: &str| {
        Err(ApiError::unprocessable(format!("{} orders have no {what}", terms.ord_type.name())))
    };
    terms.ord_type = match terms.ord_type {
        OrdType::Limit { price } => {
            if patch.stop_price.is_some() {
                return no("stop_price");
            }
            OrdType::Limit { price: patch.limit_price.map_or(Ok(price), |p| limit(Some(p)))? }
        }
        OrdType::Stop { stop_px } => {
            if patch.limit_price.is_some() {
                return no("limit_price");
            }
            OrdType::Stop { stop_px: patch.stop_price.map_or(Ok(stop_px), |p| stop(Some(p)))? }
        }
        OrdType::StopLimit { stop_px, price } => OrdType::StopLimit {
            stop_px: patch.stop_price.map_or(Ok(stop_px), |p| stop(Some(p)))?,
            price: patch.limit_price.map_or(Ok(price), |p| limit(Some(p)))?,
        },
        OrdType::TrailingStop { offset } => OrdType::TrailingStop {
            offset: match (patch.trail, offset) {
                (None, offset) => offset,
                (distance, TrailingOffset::Price(_)) => trail(distance, None)?,
                (distance, TrailingOffset::BasisPoints(_)) => trail(None, distance)?,
            },
        },
        OrdType::Market => OrdType::Market,
    };
    Ok(terms)
}
