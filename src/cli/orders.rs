//! `qtos orders`.

use super::args::{Global, OrdersArgs};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::Orders;

/// Lists orders.
pub(super) fn run(args: &OrdersArgs, global: &Global) -> Result<Exit, CliError> {
    let path = format!("/v1/orders?open={}&limit={}", args.open, args.limit);
    let orders: Orders = Client::find(&args.control, global)?.get(&path)?;
    global.print(&orders);
    Ok(Exit::Done)
}
