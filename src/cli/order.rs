//! `qtos order`.

use super::args::{Global, OrderCommand, PlaceArgs};
use super::client::Client;
use super::{CliError, Exit};
use crate::types::Side;
use crate::view::{NewOrderRequest, OrderView, ReplaceOrderRequest};

/// Places, cancels or replaces an order.
pub(super) fn run(command: &OrderCommand, global: &Global) -> Result<Exit, CliError> {
    let order: OrderView = match command {
        OrderCommand::Buy(args) => place(args, Side::Buy, global)?,
        OrderCommand::Sell(args) => place(args, Side::Sell, global)?,
        OrderCommand::Cancel(args) => {
            Client::find(&args.control, global)?.delete(&format!("/v1/orders/{}", args.id))?
        }
        OrderCommand::Replace(args) => {
            let body = ReplaceOrderRequest {
                qty: args.qty,
                price: args.limit,
                stop_px: args.stop,
                confirm: args.confirm,
            };
            let path = format!("/v1/orders/{}/replace", args.id);
            Client::find(&args.control, global)?.post(&path, Some(&body))?
        }
    };
    global.print(&order);
    Ok(Exit::Done)
}

fn place(args: &PlaceArgs, side: Side, global: &Global) -> Result<OrderView, CliError> {
    let trailing = args.trail.is_some() || args.trail_bps.is_some();
    let ord_type = match (args.limit, args.stop) {
        (Some(_), Some(_)) => "stop_limit",
        (Some(_), None) => "limit",
        (None, Some(_)) => "stop",
        (None, None) if trailing => "trailing_stop",
        (None, None) => "market",
    };
    let body = NewOrderRequest {
        account: args.account.clone(),
        symbol: args.symbol.clone(),
        side,
        ord_type: ord_type.to_owned(),
        qty: args.qty,
        cash: args.cash,
        price: args.limit,
        stop_px: args.stop,
        trail: args.trail,
        trail_bps: args.trail_bps,
        tif: args.tif,
        expire_at: args.until,
        extended_hours: args.extended_hours,
        intent: args.intent,
        confirm: args.confirm,
    };
    Client::find(&args.control, global)?.post("/v1/orders", Some(&body))
}
