//! At the end: the gateway's books against what the venue shows.

use super::server::AlpacaServer;
use crate::actors::Core;
use crate::alpaca::{Activity, Method, Order, Uuid};
use crate::desk::Desk;
use crate::msg::HoldKind;
use crate::sim::watch::{Violation, adopted};
use crate::types::{AccountId, ClientOrderId, InstrumentTable, Notional, Qty, Timestamp};
use crate::wiring::Topology;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Most rows of a list of orders.
const ORDERS: usize = 500;
/// A cent.
const CENT: i128 = 10_000_000_000_000_000;
/// Most rows of a list of executions.
const FILLS: usize = 100;

/// Compares everything; an empty answer means that nothing is lost, invented or doubled.
pub fn judge(
    desk: &Desk,
    topology: &Topology,
    server: &mut AlpacaServer,
    now: Timestamp,
) -> Vec<Violation> {
    let mut out = Vec::new();
    let Some(core) = &desk.lane.core else { return out };
    match Shown::read(server, now) {
        Ok(shown) => {
            // What the venue did to an order that had ended is told once, on the stream: a process that
            // died before it wrote it down can only see that positions differ, and must hold.
            let mut holds = core.risk.halts.holds();
            let held = holds.any(|(_, kind, _)| kind == HoldKind::PositionMismatch);
            let excused = if held { server.meddled.clone() } else { BTreeSet::new() };
            let lost = orders(core, &shown, &excused, &mut out);
            positions(core, topology.names.instruments(), &shown, &lost, &mut out);
            if !adopted(core) && lost.is_empty() {
                cash(core, desk, topology, &shown, &mut out);
            }
        }
        Err(why) => out.push(Violation::new("oracle", why)),
    }
    out
}

/// What the venue shows.
struct Shown {
    orders: Vec<Order>,
    /// Filled and paid, by order.
    fills: BTreeMap<String, (Qty, Notional)>,
    positions: BTreeMap<String, Qty>,
    cash: Notional,
}

impl Shown {
    fn read(server: &mut AlpacaServer, now: Timestamp) -> Result<Self, String> {
        let mut orders: Vec<Order> = Vec::new();
        loop {
            let after = orders.last().map(|order| format!("&after_order_id={}", order.id));
            let target = format!(
                "/v2/orders?status=all&direction=asc&limit={ORDERS}{}",
                after.unwrap_or_default()
            );
            let page: Vec<Order> = server.read_out(now, &target)?;
            let last = page.len() < ORDERS;
            orders.extend(page);
            if last {
                break;
            }
        }
        let (mut fills, mut token) = (BTreeMap::new(), String::new());
        loop {
            let target =
                format!("/v2/account/activities/FILL?direction=asc&page_size={FILLS}{token}");
            let page: Vec<Activity> = server.read_out(now, &target)?;
            for fill in &page {
                let (qty, price) = fill.qty.qty().zip(fill.price.price()).ok_or("a fill")?;
                let sum: &mut (Qty, Notional) = fills.entry(fill.order_id.to_string()).or_default();
                sum.0 += qty;
                sum.1 += price.notional(qty, 1);
            }
            let Some(last) = page.last().filter(|_| page.len() == FILLS) else { break };
            token = format!("&page_token={}", last.id);
        }
        let rows: Vec<crate::alpaca::Position> = server.read_out(now, "/v2/positions")?;
        let positions =
            rows.into_iter().filter_map(|row| Some((row.symbol.clone(), row.qty.qty()?))).collect();
        let account: crate::alpaca::Account = server.read_out(now, "/v2/account")?;
        let cash = account.cash.notional().ok_or("cash")?;
        Ok(Self { orders, fills, positions, cash })
    }
}

impl AlpacaServer {
    fn read_out<T: DeserializeOwned>(&mut self, now: Timestamp, target: &str) -> Result<T, String> {
        let reply = self.ask(now, Method::Get, target)?;
        let body = reply.body.unwrap_or_default();
        serde_json::from_value(body).map_err(|error| format!("{target}: {}: {error}", reply.status))
    }
}

/// I12: every order that the venue took is known, with the same fills and the same end. The symbols of
/// those that differ and are excused.
fn orders(
    core: &Core,
    shown: &Shown,
    excused: &BTreeSet<Uuid>,
    out: &mut Vec<Violation>,
) -> BTreeSet<String> {
    // An order that was replaced goes on under another number.
    let mut sums: BTreeMap<ClientOrderId, (Qty, bool, String)> = BTreeMap::new();
    let mut pardoned: BTreeMap<ClientOrderId, String> = BTreeMap::new();
    let mut lost = BTreeSet::new();
    for theirs in &shown.orders {
        let name = theirs.client_order_id.parse::<ClientOrderId>().ok();
        let id = crate::types::VenueOrderId(theirs.id.0);
        let found = name
            .and_then(|name| core.oms.find(name))
            .map(|(_, order)| order)
            .or_else(|| core.oms.orders().iter().find(|order| order.venue_order_id == Some(id)));
        let Some(order) = found else {
            // What was replaced is known by the name it had last.
            if name.is_some() && theirs.replaced_by.is_none() {
                let what = format!("{} is at the broker, not in the books", theirs.client_order_id);
                out.push(Violation::new("I12", what));
            }
            continue;
        };
        if excused.contains(&theirs.id) {
            pardoned.insert(order.cl_ord_id, theirs.symbol.clone());
        }
        let sum = sums.entry(order.cl_ord_id).or_default();
        sum.0 += theirs.filled_qty.qty().unwrap_or_default();
        sum.1 |= !theirs.status.is_terminal() && theirs.replaced_by.is_none();
        sum.2 += &format!(" {}:{}:{}", theirs.id, theirs.status.as_str(), theirs.filled_qty.0);
    }
    for (name, (filled, open, text)) in &sums {
        let Some((_, order)) = core.oms.find(*name) else { continue };
        if let Some(symbol) = pardoned.get(name).filter(|_| order.filled() != *filled) {
            lost.insert(symbol.clone());
            continue;
        }
        if order.filled() != *filled {
            let here = (order.filled(), order.ord_status(), order.reason);
            out.push(Violation::new("I12", format!("{name}: {here:?} here, there{text}")));
        }
        if order.state.is_done() == *open {
            let here = (order.ord_status(), order.reason);
            out.push(Violation::new("I12", format!("{name}: {here:?} here, there{text}")));
        }
    }
    for (_, order) in core.oms.open() {
        if !sums.get(&order.cl_ord_id).is_some_and(|(_, open, _)| *open) {
            let what = format!("{} is {:?} here", order.cl_ord_id, order.ord_status());
            out.push(Violation::new("I09", format!("{what} and not open there")));
        }
    }
    lost
}

/// I12: positions, but in the symbols of what is excused.
fn positions(
    core: &Core,
    table: &InstrumentTable,
    shown: &Shown,
    excused: &BTreeSet<String>,
    out: &mut Vec<Violation>,
) {
    for (id, instrument) in table.iter().filter(|(_, one)| !excused.contains(&one.symbol)) {
        let here = core.oms.books.account(AccountId(0), id).position;
        let there = shown.positions.get(&instrument.symbol).copied().unwrap_or_default();
        if here != there {
            let what = format!("{}: {here} here, {there} there", instrument.symbol);
            out.push(Violation::new("I12", what));
        }
    }
}

/// I08: cash, to the cent.
fn cash(core: &Core, desk: &Desk, topology: &Topology, shown: &Shown, out: &mut Vec<Violation>) {
    let here = core.oms.books.cash(AccountId(0), &desk.lane.market).unwrap_or_default();
    let began = topology.accounts.first().map_or(Notional::ZERO, |account| account.capital);
    let (here, there) = (here - began, shown.cash - Notional::whole(100_000));
    // A price that a snapshot gives as an average is rounded; a cent is not.
    let off = here - there;
    if off.max(Notional::ZERO - off) >= Notional::from_raw(CENT) {
        let paid: Notional = shown.fills.values().map(|(_, value)| *value).sum();
        let what = format!("cash {here} here, {there} there; {paid} was traded there");
        out.push(Violation::new("I08", what));
    }
}
