//! What may still happen at worst, from first principles.

use crate::actors::Core;
use crate::actors::oms::{Oms, Order, Role, Stage};
use crate::types::{ClientOrderId, Qty};

/// The most that an order can still trade that no other order of its list counts already.
pub fn worst_of(oms: &Oms, order: &Order) -> Qty {
    let filled = |at: u32| oms.orders().get(at as usize).map_or(Qty::ZERO, Order::filled);
    let rest = |order: &Order| {
        let units = order.replacement.map_or(order.units, |(_, units)| units.max(order.units));
        if order.state.is_done() { Qty::ZERO } else { (units - order.filled()).max(Qty::ZERO) }
    };
    let own = rest(order);
    match order.role {
        Role::Single | Role::Parent { .. } | Role::First(_) => own,
        Role::Second(first) => match oms.orders().get(first as usize) {
            Some(first) if first.terms.side == order.terms.side => {
                (own - rest(first)).max(Qty::ZERO)
            }
            _ => own,
        },
        Role::Child { parent, other } => {
            let place = oms.find(order.cl_ord_id).map_or(0, |(at, _)| at);
            let other_filled = other.map_or(Qty::ZERO, filled);
            let live = (filled(parent) - order.filled() - other_filled).max(Qty::ZERO);
            let active = own.min(live);
            match other.and_then(|at| oms.orders().get(at as usize).map(|order| (at, order))) {
                Some((at, other)) if at < place => {
                    let counted = rest(other)
                        .min((filled(parent) - other.filled() - order.filled()).max(Qty::ZERO));
                    (active - counted).max(Qty::ZERO)
                }
                _ => active,
            }
        }
    }
}

/// Orders in doubt.
pub fn in_doubt(core: &Core) -> Vec<ClientOrderId> {
    core.oms
        .open()
        .filter(|(_, order)| order.state.stage == Stage::InDoubt)
        .map(|(_, order)| order.cl_ord_id)
        .collect()
}
