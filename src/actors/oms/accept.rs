//! How orders come into the books.

use super::{Oms, Order, OrderIndex, Role};
use crate::kill::Route;
use crate::msg::{Contingent, NewOrder, OrderTerms};
use crate::types::{ClientOrderId, Notional, OrderQty, Price, Qty, Timestamp};

impl Oms {
    /// Takes an approved new order or list into the books: from here on it counts.
    pub(in crate::actors) fn accept(
        &mut self,
        at: Timestamp,
        new: &NewOrder,
        route: Route,
        units: Qty,
        (arrival, worst_px): (Option<Price>, Price),
    ) {
        let index = self.orders.len() as OrderIndex;
        let legs = new.contingent.legs().count() as u8;
        let role = match new.contingent {
            Contingent::None => Role::Single,
            Contingent::OneCancelsOther(_) => Role::First(index + 1),
            _ => Role::Parent { legs },
        };
        self.insert(at, new.cl_ord_id, route, new.intent, new.terms, units, role, arrival);
        self.orders[index as usize].worst_px = worst_px;
        if let Some(parent) = new.parent {
            self.orders[index as usize].parent = Some(parent.id);
            let family = self.families.entry((route.agent, parent.id)).or_default();
            family.most = family.cap(parent.qty);
        }
        for (number, leg) in new.contingent.legs().enumerate() {
            let place = index + 1 + number as OrderIndex;
            let role = match new.contingent {
                Contingent::OneCancelsOther(_) => Role::Second(index),
                Contingent::Bracket { .. } => Role::Child {
                    parent: index,
                    other: Some(if number == 0 { place + 1 } else { place - 1 }),
                },
                _ => Role::Child { parent: index, other: None },
            };
            let leg_units = match leg.terms.qty {
                OrderQty::Units(qty) => qty,
                OrderQty::Cash(_) => units,
            };
            self.insert(at, leg.cl_ord_id, route, new.intent, leg.terms, leg_units, role, arrival);
        }
        self.refresh(index);
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn insert(
        &mut self,
        at: Timestamp,
        cl_ord_id: ClientOrderId,
        route: Route,
        intent: u64,
        terms: OrderTerms,
        units: Qty,
        role: Role,
        arrival: Option<Price>,
    ) -> OrderIndex {
        let index = self.orders.len() as OrderIndex;
        self.orders.push(Order {
            cl_ord_id,
            route,
            intent,
            terms,
            units,
            role,
            sent_at: at,
            asked_at: at,
            ..Order::BLANK
        });
        self.by_id.insert(cl_ord_id, index);
        self.open_at.push(self.open.len() as u32);
        self.open.push(index);
        self.arrivals.push(arrival);
        self.costs.push(Notional::ZERO);
        self.working.count(route, true);
        self.waiting.push_back((at, index));
        index
    }
}
