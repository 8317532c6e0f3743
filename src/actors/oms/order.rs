//! One order and what is known of it.

use super::transition::State;
#[cfg(feature = "mutants")]
use super::transition::{Pending, Stage};
use crate::kill::Route;
use crate::msg::{OrderTerms, ReplaceOrder};
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExecId, InstrumentId, Notional, OrdStatus,
    OrdType, OrderQty, Price, Qty, Reason, Side, TimeInForce, Timestamp, VenueOrderId,
};
use serde::{Deserialize, Serialize};

/// Place of an order in the blotter.
pub type OrderIndex = u32;

/// How an order hangs together with others of its list. The numbers are places in the blotter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Alone.
    Single,
    /// One of two that exclude each other, the one that carries the reservation first.
    First(OrderIndex),
    /// The other of the two.
    Second(OrderIndex),
    /// Waits for the parent's fills. `other` excludes it, the lower place carries the reservation.
    Child {
        /// The order that triggers it.
        parent: OrderIndex,
        /// The leg that excludes it.
        other: Option<OrderIndex>,
    },
    /// Triggers the orders in the two places after its own, as many as there are.
    Parent {
        /// One or two.
        legs: u8,
    },
}

/// One order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// FIX 11 as it stands.
    pub cl_ord_id: ClientOrderId,
    /// Where it goes and whose it is.
    pub route: Route,
    /// The agent's own number.
    pub intent: u64,
    /// Its terms now.
    pub terms: OrderTerms,
    /// Its size in units; an upper bound where the order names money.
    pub units: Qty,
    /// New terms that are on their way, with their size in units.
    pub replacement: Option<(ReplaceOrder, Qty)>,
    /// Stage and pending change.
    pub state: State,
    /// FIX 37 once known.
    pub venue_order_id: Option<VenueOrderId>,
    /// Every fill up to here is booked.
    pub cum_qty: Qty,
    /// Fills booked ahead of a gap: from, to.
    pub ahead: Vec<(Qty, Qty)>,
    /// Fills of it that the broker took back, by its names for them.
    pub void: Vec<ExecId>,
    /// A fill of it was taken back.
    pub corrected: bool,
    /// Sum of price times quantity of all fills.
    pub value: Notional,
    /// Sum of the fees of all fills.
    pub fees: Notional,
    /// The worst price that it, or a replace of it, was judged at; zero for one that a snapshot brought.
    pub worst_px: Price,
    /// Units counted as open in the exposure.
    pub reserved: Qty,
    /// Its list.
    pub role: Role,
    /// The larger order that it is a part of, by its agent's number.
    pub parent: Option<u64>,
    /// What it counts for in that: filled, and what may still fill.
    pub counted: Qty,
    /// When it was handed to the broker.
    pub sent_at: Timestamp,
    /// When the last request about it was handed to the broker.
    pub asked_at: Timestamp,
    /// The broker refused to take it back: a kill asks again from here on.
    pub cancel_again: Timestamp,
    /// When a complete snapshot first lacked it.
    pub absent_since: Option<Timestamp>,
    /// When a complete snapshot first showed it without the replace that is under way.
    pub unchanged_since: Option<Timestamp>,
    /// Why it was refused or ended.
    pub reason: Option<Reason>,
}

impl Order {
    /// A new order but for what it asks for and whose it is.
    pub(super) const BLANK: Self = Self {
        cl_ord_id: ClientOrderId { instance: 0, epoch: 0, agent: AgentId::EXTERNAL, seq: 0 },
        route: Route {
            broker: BrokerId(0),
            account: AccountId(0),
            agent: AgentId::EXTERNAL,
            instrument: InstrumentId(0),
        },
        intent: 0,
        terms: OrderTerms {
            side: Side::Buy,
            qty: OrderQty::Units(Qty::ZERO),
            ord_type: OrdType::Market,
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        },
        units: Qty::ZERO,
        replacement: None,
        state: State::NEW,
        venue_order_id: None,
        cum_qty: Qty::ZERO,
        ahead: Vec::new(),
        void: Vec::new(),
        corrected: false,
        value: Notional::ZERO,
        fees: Notional::ZERO,
        worst_px: Price::ZERO,
        reserved: Qty::ZERO,
        role: Role::Single,
        parent: None,
        counted: Qty::ZERO,
        sent_at: Timestamp::ZERO,
        asked_at: Timestamp::ZERO,
        cancel_again: Timestamp::ZERO,
        absent_since: None,
        unchanged_since: None,
        reason: None,
    };

    /// FIX 39.
    pub fn ord_status(&self) -> OrdStatus {
        self.state.ord_status(self.filled().is_positive())
    }

    /// It was refused, and no broker has a number for it.
    pub fn was_denied(&self) -> bool {
        self.ord_status() == OrdStatus::Rejected && self.venue_order_id.is_none()
    }

    /// Booked so far, gaps or not.
    pub fn filled(&self) -> Qty {
        self.ahead.iter().fold(self.cum_qty, |sum, (from, to)| sum + (*to - *from))
    }

    /// So much more, or less, is filled than was counted.
    pub(super) fn shift(&mut self, by: Qty) {
        self.cum_qty += by;
        for (from, to) in &mut self.ahead {
            *from += by;
            *to += by;
        }
    }

    /// FIX 151: open at the broker as far as we know.
    pub fn leaves(&self) -> Qty {
        if self.state.is_done() {
            return Qty::ZERO;
        }
        self.units.saturating_sub(self.filled()).max(Qty::ZERO)
    }

    /// The most that can still trade, a replace under way included.
    pub fn worst_leaves(&self) -> Qty {
        let done = self.state.is_done();
        let done = planted!(CancelFrees, done, done || self.state.pending == Pending::Cancel);
        if planted!(DoubtFrees, done, done || self.state.stage == Stage::InDoubt) {
            return Qty::ZERO;
        }
        self.largest().saturating_sub(self.filled()).max(Qty::ZERO)
    }

    /// Its size, or that of a replace under way if it is larger.
    fn largest(&self) -> Qty {
        let both = |units: Qty| planted!(ReplaceReservesNew, units.max(self.units), units);
        self.replacement.map_or(self.units, |(_, units)| both(units))
    }

    /// More traded than was asked for. An order that names money has no size to compare with.
    pub(super) fn is_overfilled(&self) -> bool {
        matches!(self.terms.qty, OrderQty::Units(_)) && self.filled() > self.largest()
    }

    /// FIX 6: average fill price, zero without fills.
    pub fn avg_px(&self) -> Price {
        self.value.per(self.filled(), 1)
    }
}
