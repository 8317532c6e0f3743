//! What of the core an operator is shown: state as border values.

use crate::actors::Core;
use crate::actors::market::Market;
use crate::actors::oms::{Fill, Order};
use crate::desk::Desk;
use crate::kill::Trip;
use crate::msg::{OrderTerms, Rule};
use crate::types::{AgentId, BrokerId, Notional, OrdType, OrderQty, Reason, Scope};
use crate::view::{
    AgentView, FillView, FlattenResult, KillView, OrderDenied, OrderView, PositionView, Readiness,
    ReplaceOrderRequest, TripView,
};
use crate::wiring::{Names, Topology};
use serde::Serialize;

/// What somebody asked for, as the audit file keeps it.
pub(super) fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Trips in force: those of the kill file, and what the core refuses by where the file lacks it.
pub(super) fn kill_view(trips: Vec<Trip>, core: &Core, names: &Names) -> KillView {
    let progress = |scope| core.enforcement.progress(scope).name().to_owned();
    let scopes = trips.into_iter().map(|trip| TripView {
        progress: progress(names.scope(&trip.scope).unwrap_or(Scope::Global)),
        scope: trip.scope,
        level: trip.level,
        reason: trip.reason,
        episode: trip.episode,
        since: trip.since,
    });
    let mut scopes: Vec<TripView> = scopes.collect();
    for (scope, own) in core.risk.halts.kills() {
        let name = names.scope_name(scope);
        match scopes.iter_mut().find(|trip| trip.scope == name) {
            Some(trip) => trip.level = trip.level.max(own.level),
            None => scopes.push(TripView {
                scope: name,
                level: own.level,
                reason: own.rule.map_or("not in the kill file", Rule::name).to_owned(),
                episode: own.episode,
                since: own.since,
                progress: progress(scope),
            }),
        }
    }
    KillView { level: scopes.iter().map(|trip| trip.level).max().unwrap_or_default(), scopes }
}

/// An order as it stands.
pub(super) fn order_view(order: &Order, names: &Names) -> OrderView {
    let (qty, cash) = match order.terms.qty {
        OrderQty::Units(qty) => (Some(qty), None),
        OrderQty::Cash(cash) => (None, Some(cash)),
    };
    OrderView {
        id: order.cl_ord_id.to_string(),
        venue_id: order.venue_order_id.map(|id| id.0.to_string()),
        account: names.account(order.route.account).to_owned(),
        agent: names.agent(order.route.agent).to_owned(),
        symbol: names.symbol(order.route.instrument).to_owned(),
        side: order.terms.side,
        ord_type: order.terms.ord_type.name().to_owned(),
        qty,
        cash,
        price: order.terms.ord_type.limit_price(),
        stop_px: order.terms.ord_type.stop_price(),
        tif: order.terms.tif,
        status: order.ord_status(),
        filled: order.filled(),
        avg_price: order.avg_px(),
        reason: order.reason.map(|reason| reason.name().to_owned()),
        created: order.sent_at,
    }
}

/// An execution.
pub(super) fn fill_view(core: &Core, fill: &Fill, names: &Names) -> FillView {
    let order = &core.oms.orders()[fill.order as usize];
    FillView {
        order: order.cl_ord_id.to_string(),
        account: names.account(order.route.account).to_owned(),
        agent: names.agent(order.route.agent).to_owned(),
        symbol: names.symbol(order.route.instrument).to_owned(),
        side: order.terms.side,
        qty: fill.qty,
        price: fill.price,
        fee: fill.fee,
        cum_qty: fill.cum_qty,
        time: fill.transact_time,
    }
}

/// Every position that ever was, flat ones included.
pub(super) fn positions(core: &Core, market: &Market, topology: &Topology) -> Vec<PositionView> {
    let (books, names) = (&core.oms.books, &topology.names);
    books
        .positions()
        .map(|((account, agent, instrument), position)| {
            let multiplier = names.instruments().get(instrument).multiplier;
            let convert =
                |amount: Notional| books.fx().convert(instrument, amount, market).unwrap_or(amount);
            let open = market
                .mark(instrument)
                .map_or(Notional::ZERO, |mark| position.unrealised(mark, multiplier));
            PositionView {
                account: names.account(account).to_owned(),
                agent: names.agent(agent).to_owned(),
                symbol: names.symbol(instrument).to_owned(),
                qty: position.qty,
                avg_price: position.avg_px(multiplier),
                realised: convert(position.realised),
                unrealised: convert(open),
                fees: convert(position.fees),
            }
        })
        .collect()
}

/// A strategy and what it did.
pub(super) fn agent_view(
    core: &Core,
    desk: &Desk,
    topology: &Topology,
    id: AgentId,
) -> Option<AgentView> {
    let spec = topology.agent(id)?;
    let own = |order: &&Order| order.route.agent == id;
    let fills = core.oms.fills().iter();
    Some(AgentView {
        name: spec.name.clone(),
        kind: spec.kind.clone(),
        account: topology.names.account(spec.account).to_owned(),
        lane: topology.lanes[usize::from(spec.lane.0)].name.clone(),
        state: core.risk.halts.agent(id),
        orders: core.oms.orders().iter().filter(own).count() as u64,
        fills: fills.filter(|fill| core.oms.orders()[fill.order as usize].route.agent == id).count()
            as u64,
        denied: core.denied().filter(|(agent, ..)| *agent == id).map(|(.., count)| count).sum(),
        pnl: core.oms.books.agent_pnl(id, &desk.lane.market),
    })
}

/// Whether orders are taken, and why not.
pub(super) fn readiness(core: &Core, topology: &Topology) -> Readiness {
    let mut reasons: Vec<String> = core
        .risk
        .halts
        .holds()
        .map(|(scope, kind, _)| format!("{}: {}", topology.names.scope_name(scope), kind.name()))
        .collect();
    reasons.extend(core.risk.halts.kills().map(|(scope, kill)| {
        format!("{}: killed at {}", topology.names.scope_name(scope), kill.level)
    }));
    Readiness { ready: reasons.is_empty(), reasons }
}

/// What became of the flatten that was just asked for.
pub(super) fn flattened(desk: &Desk, names: &Names, scope: String) -> FlattenResult {
    let mut result = FlattenResult { scope, orders: Vec::new(), denied: Vec::new() };
    let Some(core) = &desk.lane.core else { return result };
    for exit in core.enforcement.tried() {
        match (exit.refused, core.oms.find(exit.order)) {
            (None, Some((_, order))) => result.orders.push(order_view(order, names)),
            (refused, _) => result.denied.push(OrderDenied {
                account: names.account(exit.route.account).to_owned(),
                agent: names.agent(exit.route.agent).to_owned(),
                symbol: names.symbol(exit.route.instrument).to_owned(),
                reason: refused.map_or("unknown_order", Reason::name).to_owned(),
            }),
        }
    }
    result
}

/// Brokers in a scope that have not confirmed what they hold, but for those that a kill closed.
pub(super) fn unconfirmed(core: &Core, topology: &Topology, scope: Scope) -> Vec<String> {
    let covers = |broker: BrokerId| match scope {
        Scope::Broker(id) => id == broker,
        Scope::Account(id) => topology.broker_of(id) == broker,
        Scope::Agent(id) => {
            let account = topology.agent(id).map(|agent| agent.account);
            account.is_none_or(|account| topology.broker_of(account) == broker)
        }
        Scope::Global | Scope::Symbol(_) => true,
    };
    let links = core.oms.links().iter().enumerate().map(|(at, link)| (BrokerId(at as u8), link));
    links
        .filter(|(id, link)| covers(*id) && !link.reconciled && !core.enforcement.is_isolated(*id))
        .map(|(id, _)| topology.names.broker(id).to_owned())
        .collect()
}

/// `terms` with an operator's changes.
pub(super) fn changed(
    terms: OrderTerms,
    change: &ReplaceOrderRequest,
) -> Result<OrderTerms, String> {
    let mut terms = terms;
    if let Some(qty) = change.qty {
        terms.qty = OrderQty::Units(qty);
    }
    let no = |what: &str| Err(format!("an order of this type has no {what}"));
    match &mut terms.ord_type {
        OrdType::Limit { price } => {
            *price = change.price.unwrap_or(*price);
            if change.stop_px.is_some() {
                return no("stop price");
            }
        }
        OrdType::Stop { stop_px } => {
            *stop_px = change.stop_px.unwrap_or(*stop_px);
            if change.price.is_some() {
                return no("limit price");
            }
        }
        OrdType::StopLimit { stop_px, price } => {
            *price = change.price.unwrap_or(*price);
            *stop_px = change.stop_px.unwrap_or(*stop_px);
        }
        OrdType::Market | OrdType::TrailingStop { .. } => {
            if change.price.is_some() || change.stop_px.is_some() {
                return no("price to change");
            }
        }
    }
    Ok(terms)
}
