//! The order manager: every order's life, every fill exactly once, and what follows from both.
//!
//! `transition.rs` is the lifecycle table, `books.rs` the accounting, `executions.rs` what a broker's
//! reports change and `reconcile.rs` what its snapshots do.

mod accept;
pub mod actions;
mod amounts;
pub mod books;
mod corrections;
mod day;
mod executions;
pub mod exposure;
mod id_hasher;
mod links;
pub mod order;
pub mod position;
mod reconcile;
mod refusals;
mod room;
pub mod transition;
mod whole;
mod worth;

pub use actions::{ActionError, Actions};
pub use books::{Books, Fx};
pub use exposure::Exposure;
pub use links::{Link, Patience};
pub use order::{Order, OrderIndex, Role};
pub use position::Position;
pub use transition::{Event, Oddity, Pending, Stage, State};
pub use worth::Worth;

use crate::kill::Route;
use crate::msg::ReplaceOrder;
use crate::types::{
    AgentId, BrokerId, ClientOrderId, ExecId, ExecType, Nanos, Notional, OrdStatus, Price, Qty,
    Reason, Side, Timestamp, VenueOrderId,
};
use corrections::Dispute;
use id_hasher::IdHasher;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use worth::{Family, Working};

/// What an agent, the API and the metrics are told about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrderUpdate {
    /// FIX 60 on our side: when we learned it.
    pub at: Timestamp,
    /// FIX 11 as it stands.
    pub cl_ord_id: ClientOrderId,
    /// Whose order.
    pub route: Route,
    /// FIX 54.
    pub side: Side,
    /// What happened; `None` for news that are no execution report (sent, in doubt, a refused change).
    pub exec_type: Option<ExecType>,
    /// FIX 39 after it.
    pub ord_status: OrdStatus,
    /// FIX 32.
    pub last_qty: Qty,
    /// FIX 31.
    pub last_px: Price,
    /// FIX 14.
    pub cum_qty: Qty,
    /// FIX 151.
    pub leaves_qty: Qty,
    /// FIX 103.
    pub reason: Option<Reason>,
}

/// A booked fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// When it was booked.
    pub at: Timestamp,
    /// The broker's time.
    pub transact_time: Timestamp,
    /// Of which order.
    pub order: OrderIndex,
    /// The broker's name for it: an alias.
    pub exec_id: ExecId,
    /// FIX 32; negative where it takes back a fill that the broker cancelled or corrected.
    pub qty: Qty,
    /// FIX 31.
    pub price: Price,
    /// FIX 12; of the other sign where it is taken back.
    pub fee: Notional,
    /// The order's cumulative quantity after it: with the order, the identity of the fill.
    pub cum_qty: Qty,
    /// The middle of bid and ask when the order was sent: what slippage is measured from.
    pub arrival: Option<Price>,
    /// Came after the order's end.
    pub late: bool,
    /// The broker took it back since: a fill of negative quantity follows.
    pub taken_back: bool,
}

/// Counters of what should not happen but does.
pub type Oddities = BTreeMap<Oddity, u64>;

/// What the order manager wants the driver and the agents to know after an input.
#[derive(Debug, Default)]
pub struct News {
    /// About orders, in order.
    pub updates: Vec<OrderUpdate>,
    /// Names that a replace changed: old, new.
    pub renamed: Vec<(ClientOrderId, ClientOrderId)>,
    /// Brokers to ask for a snapshot.
    pub snapshots: Vec<BrokerId>,
}

/// The order manager.
#[derive(Debug, Serialize, Deserialize)]
pub struct Oms {
    /// Positions, cash, exposure.
    pub books: Books,
    orders: Vec<Order>,
    /// Only looked up, never walked: its order cannot matter.
    #[serde(with = "id_hasher::sorted")]
    by_id: HashMap<ClientOrderId, OrderIndex, BuildHasherDefault<IdHasher>>,
    open: Vec<OrderIndex>,
    /// By order: its place in `open`.
    open_at: Vec<u32>,
    arrivals: Vec<Option<Price>>,
    /// By order: what is reserved of the account's cash, in the instrument's currency.
    costs: Vec<Notional>,
    working: Working,
    families: BTreeMap<(AgentId, u64), Family>,
    fills: Vec<Fill>,
    oddities: Oddities,
    links: Vec<Link>,
    waiting: VecDeque<(Timestamp, OrderIndex)>,
    #[serde(skip)]
    patience: Vec<Patience>,
    /// By account: the broker that carries it.
    #[serde(skip)]
    brokers: Vec<BrokerId>,
    external_seq: u32,
    /// Orders that a snapshot brought, by the broker's number.
    adopted: BTreeMap<(BrokerId, VenueOrderId), OrderIndex>,
    /// Orders of which a snapshot lists other fills than are booked.
    disputes: BTreeMap<OrderIndex, Dispute>,
    /// Splits and dividends.
    pub actions: Actions,
}

impl Oms {
    /// An order manager without orders; `patience` has one entry per broker, `brokers` one per account.
    pub fn new(books: Books, patience: Vec<Patience>, brokers: Vec<BrokerId>) -> Self {
        Self {
            books,
            orders: Vec::new(),
            by_id: HashMap::default(),
            open: Vec::new(),
            open_at: Vec::new(),
            arrivals: Vec::new(),
            costs: Vec::new(),
            working: Working::default(),
            families: BTreeMap::new(),
            fills: Vec::new(),
            oddities: BTreeMap::new(),
            links: vec![Link::default(); patience.len()],
            waiting: VecDeque::new(),
            patience,
            brokers,
            external_seq: 0,
            adopted: BTreeMap::new(),
            disputes: BTreeMap::new(),
            actions: Actions::default(),
        }
    }

    /// How long after a request a snapshot that lacks it is proof that the broker does not have it.
    pub(in crate::actors) fn absence(&self, broker: BrokerId) -> Nanos {
        self.patience.get(broker.index()).map_or(Nanos(0), |patience| patience.absence)
    }

    /// Takes over all that `old` knows; instruments, rates and patience stay this one's.
    pub(in crate::actors) fn carry_over(&mut self, old: Self) {
        let patience = std::mem::take(&mut self.patience);
        let brokers = std::mem::take(&mut self.brokers);
        let Self { books, .. } = std::mem::replace(self, old);
        self.patience = patience;
        self.brokers = brokers;
        self.books.redefine(books);
    }

    /// All orders of these books, oldest first.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Open orders.
    pub fn open(&self) -> impl Iterator<Item = (OrderIndex, &Order)> {
        self.open.iter().map(|&index| (index, &self.orders[index as usize]))
    }

    /// All fills of these books, in the order they were booked.
    pub fn fills(&self) -> &[Fill] {
        &self.fills
    }

    /// What should not happen but did.
    pub const fn oddities(&self) -> &Oddities {
        &self.oddities
    }

    /// The broker connections.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// An order by any id it has had.
    pub fn find(&self, id: ClientOrderId) -> Option<(OrderIndex, &Order)> {
        self.by_id.get(&id).map(|&index| (index, &self.orders[index as usize]))
    }

    /// How many open orders are in doubt.
    pub fn in_doubt(&self) -> usize {
        self.open().filter(|(_, order)| order.state.stage == Stage::InDoubt).count()
    }

    /// Notes that a replace is on its way: both sizes are reserved until the broker decides.
    pub(super) fn begin_replace(
        &mut self,
        at: Timestamp,
        index: OrderIndex,
        replace: &ReplaceOrder,
        (units, worst_px): (Qty, Price),
    ) {
        let order = &mut self.orders[index as usize];
        order.worst_px = order.worst_px.max(worst_px);
        order.replacement = Some((*replace, units));
        order.asked_at = at;
        let noted = planted!(NewNameUnknown, replace.cl_ord_id, replace.orig_cl_ord_id);
        self.by_id.insert(noted, index);
        self.waiting.push_back((at, index));
        self.apply(index, Event::ReplaceSent);
    }

    /// Notes that a cancel is on its way.
    pub(super) fn begin_cancel(&mut self, at: Timestamp, index: OrderIndex) {
        self.orders[index as usize].asked_at = at;
        self.waiting.push_back((at, index));
        self.apply(index, Event::CancelSent);
    }

    /// Runs the lifecycle table and all that follows from the new state.
    fn apply(&mut self, index: OrderIndex, event: Event) {
        let order = &mut self.orders[index as usize];
        let (next, odd) = transition::transition(order.state, event);
        let (was_done, done) = (order.state.is_done(), next.is_done());
        order.state = next;
        match event {
            Event::Replaced => {
                if let Some((replace, units)) = order.replacement.take() {
                    order.cl_ord_id = replace.cl_ord_id;
                    order.intent = replace.intent;
                    order.terms = planted!(ReplaceKeepsTerms, replace.terms, order.terms);
                    order.units = planted!(ReplaceKeepsSize, units, order.units);
                }
            }
            Event::ReplaceRejected => {
                order.replacement = planted!(RefusedReplaceStays, None, order.replacement);
            }
            _ if done => order.replacement = None,
            // The replace that was under way before the cancel still is.
            Event::CancelRejected if order.replacement.is_some() => {
                order.state.pending = Pending::Replace;
            }
            _ => {}
        }
        if !matches!(event, Event::Lost | Event::CancelSent | Event::ReplaceSent) {
            order.absent_since = None;
        }
        if order.replacement.is_none() || event == Event::ReplaceSent {
            order.unchanged_since = None;
        }
        if done != was_done {
            self.working.count(order.route, !done);
        }
        if done && !was_done {
            let place = self.open_at[index as usize];
            self.open.swap_remove(place as usize);
            if let Some(&moved) = self.open.get(place as usize) {
                self.open_at[moved as usize] = place;
            }
        } else if was_done && !done {
            self.open_at[index as usize] = self.open.len() as u32;
            self.open.push(index);
        }
        if let Some(odd) = odd {
            self.note(odd);
        }
        self.refresh(index);
    }

    /// Brings the reservation of an order and of its list up to date. Counted once: of two orders
    /// that exclude each other the larger, of a waiting leg what its parent has filled.
    fn refresh(&mut self, index: OrderIndex) {
        self.count_child(index);
        let order = &self.orders[index as usize];
        let group = match order.role {
            Role::Single => [Some(index), None, None],
            Role::First(other) => [Some(index), Some(other), None],
            Role::Second(other) => [Some(other), Some(index), None],
            Role::Parent { legs } => {
                [Some(index), Some(index + 1), (legs > 1).then_some(index + 2)]
            }
            Role::Child { parent, other } => [
                Some(parent),
                Some(other.map_or(index, |other| other.min(index))),
                other.map(|other| other.max(index)),
            ],
        };
        let mut carried = (Side::Buy, Qty::ZERO);
        let mut carried_cost = Notional::ZERO;
        for member in group.into_iter().flatten() {
            let Some(order) = self.orders.get(member as usize) else { continue };
            let side = order.terms.side;
            let worst = order.worst_leaves();
            let target = match order.role {
                Role::Single | Role::First(_) | Role::Parent { .. } => worst,
                Role::Second(_) if planted!(PairCountedTwice, carried.0 == side, false) => {
                    worst.saturating_sub(carried.1).max(Qty::ZERO)
                }
                Role::Second(_) => worst,
                Role::Child { parent, other } => {
                    let filled = |at: OrderIndex| {
                        self.orders.get(at as usize).map_or(Qty::ZERO, Order::filled)
                    };
                    let live = filled(parent) - filled(member) - other.map_or(Qty::ZERO, filled);
                    let active = planted!(LegCountedEarly, worst.min(live.max(Qty::ZERO)), worst);
                    let second = other.is_some_and(|other| other < member);
                    if planted!(ExitsCountedTwice, second, false) {
                        active.saturating_sub(carried.1).max(Qty::ZERO)
                    } else {
                        active
                    }
                }
            };
            // Of two that exclude each other the dearer one counts, whichever is the larger.
            let excludes = matches!(order.role, Role::Second(_))
                || matches!(order.role, Role::Child { other: Some(other), .. } if other < member);
            let alone = if excludes && carried.0 == side {
                let most = target.saturating_add(carried.1).min(worst);
                self.worst_cost(member, most).saturating_sub(carried_cost)
            } else {
                Notional::ZERO
            };
            let cost = self.worst_cost(member, target).max(alone);
            (carried, carried_cost) = ((side, target), cost);
            let reserved = std::mem::replace(&mut self.costs[member as usize], cost);
            if reserved != cost {
                self.books.reserve_cost(order.route, reserved, cost);
            }
            let order = &mut self.orders[member as usize];
            if order.reserved != target {
                let (route, from) = (order.route, order.reserved);
                order.reserved = target;
                self.books.reserve(route, side, from, target);
            }
        }
    }

    fn update(&self, at: Timestamp, index: OrderIndex, exec_type: Option<ExecType>) -> OrderUpdate {
        let order = &self.orders[index as usize];
        OrderUpdate {
            at,
            cl_ord_id: order.cl_ord_id,
            route: order.route,
            side: order.terms.side,
            exec_type,
            ord_status: order.ord_status(),
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty: order.filled(),
            leaves_qty: order.leaves(),
            reason: order.reason,
        }
    }

    fn tell(
        &self,
        at: Timestamp,
        index: OrderIndex,
        exec_type: Option<ExecType>,
        last_qty: Qty,
        last_px: Price,
        news: &mut News,
    ) {
        news.updates.push(OrderUpdate { last_qty, last_px, ..self.update(at, index, exec_type) });
    }

    fn note(&mut self, odd: Oddity) {
        *self.oddities.entry(odd).or_default() += 1;
    }

    /// A name for an order that is not ours.
    fn external_id(&mut self) -> ClientOrderId {
        self.external_seq += 1;
        ClientOrderId::made_up(self.external_seq)
    }
}
