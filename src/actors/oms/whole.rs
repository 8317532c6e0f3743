//! Whether books that came from a file hang together.

use super::Oms;
use super::order::{OrderIndex, Role};

impl Oms {
    /// Every place that these books name is there, in them or in `own`, which are of this configuration.
    /// A checksum says who wrote a file, not that it fits: a place that is not there would end the boot in
    /// a panic where it should go further back.
    pub(in crate::actors) fn is_whole(&self, own: &Self) -> bool {
        let count = self.orders.len();
        let is_order = |index: OrderIndex| (index as usize) < count;
        let parallel = [self.open_at.len(), self.arrivals.len(), self.costs.len()];
        let open = self.open.iter().enumerate();
        parallel == [count; 3]
            && self.links.len() == own.links.len()
            && self.books.fits(&own.books)
            && self.by_id.values().chain(self.adopted.values()).copied().all(is_order)
            && self.fills.iter().all(|fill| is_order(fill.order))
            && self.waiting.iter().all(|&(_, index)| is_order(index))
            && open
                .clone()
                .all(|(at, &index)| self.open_at.get(index as usize) == Some(&(at as u32)))
            && open.count() == self.orders.iter().filter(|order| !order.state.is_done()).count()
            && self.orders.iter().enumerate().all(|(at, order)| {
                let route = order.route;
                route.broker.index() < own.links.len()
                    && route.account.index() < own.brokers.len()
                    && route.instrument.index() < own.books.instruments().len()
                    && match order.role {
                        Role::Single => true,
                        Role::First(other) | Role::Second(other) => is_order(other),
                        Role::Parent { legs } => at + usize::from(legs) < count,
                        Role::Child { parent, other } => {
                            is_order(parent) && other.is_none_or(is_order)
                        }
                    }
            })
    }
}
