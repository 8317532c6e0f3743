//! What the core knows of orders, copied out of it between two deliveries.

use crate::actors::Core;
use crate::actors::oms::{Fill, Order, OrderIndex, Role, Stage};
use crate::desk::Desk;
use crate::types::{AgentId, ClientOrderId, Notional, OrdStatus, Qty};
use std::collections::BTreeMap;

/// Fills of one order that are looked for: those behind are shown without their time.
const FILLS: usize = 4_096;

/// An order as the core has it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub order: Order,
    /// It waits for another order of its list.
    pub held: bool,
    /// Its fills with their places in the books, the oldest first.
    pub fills: Vec<(usize, Fill)>,
}

/// By every name that was asked for.
pub(super) type Sight = BTreeMap<ClientOrderId, Seen>;

impl Seen {
    fn of(core: &Core, index: OrderIndex, order: &Order) -> Self {
        let fills = core.oms.fills();
        let from = fills.partition_point(|fill| fill.at < order.sent_at);
        let mut own = Vec::new();
        if order.filled().is_positive() || order.corrected {
            let window = fills.iter().enumerate().skip(from).take(FILLS);
            own.extend(window.filter(|(_, fill)| fill.order == index).map(|(at, f)| (at, *f)));
        }
        Self { held: is_held(core, index, order), order: order.clone(), fills: own }
    }

    /// Quantity and worth of those fills that `which` says.
    pub fn traded(&self, which: impl Fn(&Fill) -> bool) -> (Qty, Notional) {
        let own = self.fills.iter().map(|(_, fill)| fill).filter(|fill| which(fill));
        own.fold((Qty::ZERO, Notional::ZERO), |(cum, value), fill| {
            let worth = fill.price.notional(fill.qty, 1);
            (cum.saturating_add(fill.qty), value.saturating_add(worth))
        })
    }

    /// FIX 39.
    pub fn status(&self) -> OrdStatus {
        self.order.ord_status()
    }
}

/// Legs wait for their entry; the stop of two exits stays behind the take-profit.
fn is_held(core: &Core, index: OrderIndex, order: &Order) -> bool {
    let done = |at: OrderIndex| {
        core.oms.orders().get(at as usize).is_none_or(|order| order.state.is_done())
    };
    if order.state.is_done() || !matches!(order.state.stage, Stage::Sent | Stage::Working) {
        return false;
    }
    match order.role {
        Role::Single | Role::First(_) | Role::Parent { .. } => false,
        Role::Second(first) => !done(first),
        Role::Child { parent, other } => {
            !done(parent) || other.is_some_and(|other| other < index && !done(other))
        }
    }
}

/// What the core knows of these orders.
pub(super) fn orders(desk: &Desk, ids: &[ClientOrderId]) -> Sight {
    let Some(core) = &desk.lane.core else { return Sight::new() };
    let seen = |id: &ClientOrderId| {
        core.oms.find(*id).map(|(index, order)| (*id, Seen::of(core, index, order)))
    };
    ids.iter().filter_map(seen).collect()
}

/// The names under which an agent has open orders: those that stand, and those that are on their way.
pub(super) fn open(desk: &Desk, agent: AgentId) -> Vec<ClientOrderId> {
    let Some(core) = &desk.lane.core else { return Vec::new() };
    let own = core.oms.open().filter(|(_, order)| order.route.agent == agent);
    own.flat_map(|(_, order)| {
        let next = order.replacement.map(|(replace, _)| replace.cl_ord_id);
        std::iter::once(order.cl_ord_id).chain(next)
    })
    .collect()
}
