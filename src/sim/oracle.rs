//! At the end, when everything is well and quiet: the gateway's books against the brokers' ledgers,
//! and its journal against itself.

use super::broker::SimBroker;
use super::process::Process;
use super::watch::{Violation, Watch, adopted};
use super::worst::in_doubt;
use crate::actors::Core;
use crate::desk::Desk;
use crate::journal::{Derived, Entry, EntryReader};
use crate::msg::OrderRequest;
use crate::types::{
    AccountId, BrokerId, ClientOrderId, Notional, OrdStatus, OrderQty, Qty, Reason,
};
use std::collections::BTreeMap;

/// Compares everything; an empty answer means that nothing is lost, invented or doubled.
/// With it, how many inputs the journal holds.
pub fn judge(process: &Process, brokers: &[SimBroker], watch: &Watch) -> (Vec<Violation>, u64) {
    let mut out = Vec::new();
    let Some(desk) = &process.desk else {
        out.push(Violation::new("I21", "the gateway is not up at the end".to_owned()));
        return (out, 0);
    };
    let Some(core) = &desk.lane.core else { return (out, 0) };
    for name in in_doubt(core) {
        out.push(Violation::new("I10", format!("{name} is still in doubt")));
    }
    for (number, broker) in brokers.iter().enumerate() {
        let id = BrokerId(number as u8);
        orders(core, id, broker, &mut out);
        positions(core, process, id, broker, &mut out);
        if !adopted(core) {
            money(core, desk, process, (id, broker), &mut out);
        }
    }
    if !adopted(core) {
        profits(core, &mut out);
    }
    strays(core, brokers, &mut out);
    replays(process, desk.digest(), &mut out);
    let inputs = recorded(process, watch, &mut out);
    (out, inputs)
}

/// I12: every order of a ledger is known, with the same fills and the same end.
fn orders(core: &Core, id: BrokerId, broker: &SimBroker, out: &mut Vec<Violation>) {
    let mut strangers = 0;
    for booked in &broker.ledger.orders {
        let Some(name) = booked.id() else {
            strangers += 1;
            continue;
        };
        let Some((_, order)) = core.oms.find(name) else {
            out.push(Violation::new(
                "I12",
                format!("{name} is at broker {id:?}, not in the books"),
            ));
            continue;
        };
        if order.filled() != booked.cum {
            out.push(Violation::new(
                "I12",
                format!(
                    "{name}: filled {} here, {} there; {:?} {:?} here, {:?} as {:?} there",
                    order.filled(),
                    booked.cum,
                    order.state,
                    order.reason,
                    booked.status,
                    booked.ids
                ),
            ));
        }
        if order.state.is_done() == booked.is_open() {
            out.push(Violation::new(
                "I12",
                format!("{name}: {:?} here, {:?} there", order.ord_status(), booked.status),
            ));
        }
        // What a filled order is called once its fill was taken back is anybody's guess.
        let filled = order.ord_status() == OrdStatus::Filled;
        if (booked.status == OrdStatus::Filled) != filled && !booked.corrected {
            out.push(Violation::new(
                "I12",
                format!("{name}: {:?} here, {:?} there", order.ord_status(), booked.status),
            ));
        }
        // What snapshots proved absent was refused as far as anybody could know, and so was what the
        // broker itself called refused.
        let absent = order.reason == Some(Reason::Absent) || booked.belied;
        if booked.status == OrdStatus::Canceled
            && order.ord_status() == OrdStatus::Rejected
            && !absent
        {
            out.push(Violation::new("I12", format!("{name}: rejected here, cancelled there")));
        }
        // An order that names money is reserved with room for its price to move.
        let cash = matches!(order.terms.qty, OrderQty::Cash(_)) && order.leaves() > booked.leaves();
        if booked.is_open() && order.leaves() != booked.leaves() && !cash {
            out.push(Violation::new(
                "I12",
                format!(
                    "{name}: open {} of {} here, {} of {} there; {:?} {:?}",
                    order.leaves(),
                    order.units,
                    booked.leaves(),
                    booked.units,
                    order.role,
                    order.state
                ),
            ));
        }
        if booked.is_open() && !order.state.is_done() {
            let same = order.terms.ord_type == booked.terms.ord_type;
            if order.cl_ord_id != name || !same || order.replacement.is_some() {
                out.push(Violation::new(
                    "I12",
                    format!(
                        "{name} as {:?} there; {} as {:?} here, asked for {:?}",
                        booked.terms, order.cl_ord_id, order.terms, order.replacement
                    ),
                ));
            }
        }
        let value: Notional =
            booked.fills.iter().map(|fill| fill.price.notional(fill.qty, 1)).sum();
        if order.value != value {
            out.push(Violation::new(
                "I08",
                format!("{name}: traded for {} here, {value} there", order.value),
            ));
        }
    }
    let adopted = core
        .oms
        .orders()
        .iter()
        .filter(|order| {
            order.route.broker == id && order.cl_ord_id.agent == crate::types::AgentId::EXTERNAL
        })
        .count();
    if adopted != strangers {
        out.push(Violation::new("I12", format!("{strangers} orders by hand, {adopted} adopted")));
    }
}

/// I12 and I08: positions and cash by account.
fn positions(
    core: &Core,
    process: &Process,
    id: BrokerId,
    broker: &SimBroker,
    out: &mut Vec<Violation>,
) {
    let accounts = process.topology().accounts_of(id);
    let mut fees: BTreeMap<_, Notional> = BTreeMap::new();
    for fill in core.oms.fills() {
        let order = &core.oms.orders()[fill.order as usize];
        let flow = fill.price.notional(order.terms.side.signed(fill.qty), 1);
        let sum = fees.entry((order.route.account, order.route.instrument)).or_default();
        *sum = *sum - flow - fill.fee;
    }
    for (place, (account, _)) in accounts.iter().enumerate() {
        let theirs = AccountId(place as u16);
        for (instrument, _) in process.topology().names.instruments().iter() {
            let here = core.oms.books.account(*account, instrument).position;
            let there =
                broker.ledger.positions.get(&(theirs, instrument)).copied().unwrap_or(Qty::ZERO);
            if here != there {
                out.push(Violation::new(
                    "I12",
                    format!("{account:?} {instrument:?}: {here} here, {there} there"),
                ));
            }
            let cash_here = fees.get(&(*account, instrument)).copied().unwrap_or_default();
            let cash_there =
                broker.ledger.cash.get(&(theirs, instrument)).copied().unwrap_or_default();
            if cash_here != cash_there {
                out.push(Violation::new(
                    "I08",
                    format!(
                        "{account:?} {instrument:?}: cash {cash_here} here, {cash_there} there"
                    ),
                ));
            }
        }
    }
}

/// I08: the cash of the books, fees taken off.
fn money(
    core: &Core,
    desk: &Desk,
    process: &Process,
    (id, broker): (BrokerId, &SimBroker),
    out: &mut Vec<Violation>,
) {
    for (place, (account, _)) in process.topology().accounts_of(id).iter().enumerate() {
        let theirs = AccountId(place as u16);
        let cash = broker.ledger.cash.iter().filter(|((account, _), _)| *account == theirs);
        let there: Notional = cash.map(|(_, amount)| *amount).sum();
        let here = core.oms.books.cash(*account, &desk.lane.market).unwrap_or_default();
        let began = process.topology().accounts.get(account.index());
        let here = here - began.map_or(Notional::ZERO, |account| account.capital);
        if here != there {
            out.push(Violation::new(
                "I08",
                format!("{account:?}: {here} in the books, {there} there"),
            ));
        }
    }
}

/// I08: what a position has won and what it costs add up to what its fills paid and took.
fn profits(core: &Core, out: &mut Vec<Violation>) {
    let mut flows: BTreeMap<_, Notional> = BTreeMap::new();
    for fill in core.oms.fills() {
        let order = &core.oms.orders()[fill.order as usize];
        let key = (order.route.account, order.route.agent, order.route.instrument);
        let flow = fill.price.notional(order.terms.side.signed(fill.qty), 1);
        let sum = flows.entry(key).or_default();
        *sum = *sum - flow - fill.fee;
    }
    for (key, position) in core.oms.books.positions() {
        let flow = flows.get(&key).copied().unwrap_or_default();
        let booked = position.realised - position.cost - position.fees;
        if booked != flow {
            out.push(Violation::new("I08", format!("{key:?}: {booked} booked, fills say {flow}")));
        }
    }
}

/// I09: an order that is open here is open there.
fn strays(core: &Core, brokers: &[SimBroker], out: &mut Vec<Violation>) {
    for (_, order) in core.oms.open() {
        let Some(broker) = brokers.get(order.route.broker.index()) else { continue };
        let known = broker.ledger.orders.iter().any(|booked| {
            booked.is_open()
                && (booked.ids.contains(&order.cl_ord_id)
                    || booked.id().is_none() && Some(booked.venue) == order.venue_order_id)
        });
        if !known {
            out.push(Violation::new(
                "I09",
                format!("{} is {:?} here and not open there", order.cl_ord_id, order.ord_status()),
            ));
        }
    }
}

/// I17 and I18: the journal, run again, twice, is the state.
fn replays(process: &Process, digest: [u8; 32], out: &mut Vec<Violation>) {
    match process.rerun() {
        Err(violation) => out.push(violation),
        Ok(desk) if desk.digest() != digest => {
            let of = |desk: &Desk| {
                desk.lane.core.as_ref().map(|core| {
                    let halts = &core.risk.halts;
                    let (holds, kills) =
                        (halts.holds().collect::<Vec<_>>(), halts.kills().collect::<Vec<_>>());
                    (core.tally(), core.oms.fills().len(), core.oms.orders().len(), holds, kills)
                })
            };
            let there = of(&desk);
            let here = process.desk.as_ref().and_then(of);
            out.push(Violation::new(
                "I17",
                format!("the journal leads to another state: {there:?}, running {here:?}"),
            ));
        }
        Ok(_) => {}
    }
}

/// I02: what was on the wire was in the journal before. The number of inputs on record.
fn recorded(process: &Process, watch: &Watch, out: &mut Vec<Violation>) -> u64 {
    let mut inputs = 0;
    let mut ends: BTreeMap<ClientOrderId, u64> = BTreeMap::new();
    for bytes in &process.segments {
        let Ok(mut reader) = EntryReader::open(bytes.as_slice()) else { continue };
        // Decisions before the first input were made, and recorded, in the boot before; what a power
        // loss took of them is said again here.
        let first = inputs;
        while let Ok(Some(entry)) = reader.next() {
            inputs += u64::from(matches!(entry, Entry::Input { .. }));
            if let Entry::Derived(Derived::Sent { request, .. }) = &entry
                && inputs > first
            {
                let end = reader.offset();
                match request {
                    OrderRequest::New(new) => {
                        ends.insert(new.cl_ord_id, end);
                        ends.extend(new.contingent.legs().map(|leg| (leg.cl_ord_id, end)));
                    }
                    OrderRequest::Replace(replace) => {
                        ends.insert(replace.cl_ord_id, end);
                    }
                    OrderRequest::Cancel(_) => {}
                }
            }
        }
    }
    for (_, name, journaled) in &watch.writes {
        match ends.get(name) {
            Some(end) if end <= journaled => {}
            Some(end) => out.push(Violation::new(
                "I02",
                format!("{name} went out with {journaled} bytes on record, it ends at {end}"),
            )),
            // A power loss takes the last records; the broker's snapshot brought the order back.
            None if process.lost_power() => {}
            None => {
                out.push(Violation::new("I02", format!("{name} went out and is not on record")))
            }
        }
    }
    inputs
}
