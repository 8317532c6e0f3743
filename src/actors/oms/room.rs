//! Memory for orders to come.

use super::{Oms, Order};
use crate::types::Notional;

/// Orders that [`Oms::make_room`] makes room for.
const ROOM: usize = 1 << 14;

fn touch<T: Clone>(list: &mut Vec<T>, blank: &T) {
    let length = list.len();
    list.resize(length + ROOM, blank.clone());
    list.truncate(length);
}

impl Oms {
    /// Makes room for more orders and touches it, so that none of them waits for the system to find
    /// memory.
    pub fn make_room(&mut self) {
        touch(&mut self.orders, &Order::BLANK);
        touch(&mut self.open, &0);
        touch(&mut self.open_at, &0);
        touch(&mut self.arrivals, &None);
        touch(&mut self.costs, &Notional::ZERO);
        self.by_id.reserve(ROOM);
        self.waiting.reserve(ROOM);
    }
}
