//! The books against the brokers' ledgers while a session runs: nothing that lives is called dead, and
//! what may still trade is counted.

use super::broker::SimBroker;
use super::watch::Violation;
use crate::actors::Core;
use crate::types::{OrderQty, Qty, Reason};

/// Snapshots that must lack an order before it may be called absent.
const PROOF: u32 = 2;

/// Looks at every order that is open at a broker and known here.
pub fn compare(core: &Core, brokers: &[SimBroker], out: &mut Vec<Violation>) {
    // What a corrected order may still trade is news that the gateway has yet to hear.
    let open = brokers
        .iter()
        .flat_map(|broker| &broker.ledger.orders)
        .filter(|order| order.is_open() && !order.corrected);
    for booked in open {
        let Some((name, order)) =
            booked.id().and_then(|name| core.oms.find(name).map(|(_, order)| (name, order)))
        else {
            continue;
        };
        if order.state.is_done() {
            let absent = order.reason == Some(Reason::Absent);
            if !(booked.belied || absent && booked.unlisted >= PROOF) {
                out.push(Violation::new(
                    "I10",
                    format!(
                        "{name} is {:?} ({:?}) here and open there, missing in {} snapshots",
                        order.state.stage, order.reason, booked.unlisted
                    ),
                ));
            }
            continue;
        }
        let units = order.replacement.map_or(order.units, |(_, units)| units.max(order.units));
        let rest = units - order.filled();
        let late = booked.cum - order.filled();
        if matches!(order.terms.qty, OrderQty::Units(_))
            && late >= Qty::ZERO
            && booked.leaves() > rest
        {
            out.push(Violation::new(
                "I04",
                format!("{name}: {} may trade there, {rest} is counted here", booked.leaves()),
            ));
        }
    }
}
