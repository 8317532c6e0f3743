//! What a session knows of the account's orders: their numbers at the broker, their names here, and
//! every fill that it was told of.
//!
//! A replace makes another order at the broker, which here is the same one under a later name: such
//! orders form a chain, and what is reported counts over all of it. Whether the broker counts the fills
//! of the older orders into `filled_qty` of the newer one is nowhere written; the fills decide.

use crate::alpaca::{Order, Uuid};
use crate::msg::{FillSnapshot, OrderTerms};
use crate::types::{ClientOrderId, ExecId, Nanos, OrdType, Qty, Timestamp, VenueOrderId};
use std::collections::{BTreeMap, BTreeSet};

/// An order that the gateway held for live when the session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub cl_ord_id: ClientOrderId,
    /// Its number at the broker, where that was told.
    pub venue_order_id: Option<VenueOrderId>,
    /// The name of the replace that is under way.
    pub replacement: Option<ClientOrderId>,
    /// What it asks for.
    pub terms: OrderTerms,
    /// The order that it is a leg of: the broker gives legs names of its own.
    pub leg_of: Option<ClientOrderId>,
}

/// One order at the broker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Its name here; none for a stranger's.
    pub name: Option<ClientOrderId>,
    /// The order whose place it took.
    pub replaces: Option<Uuid>,
    /// Its terms as we last knew them.
    pub terms: Option<OrderTerms>,
    /// Its own fills by their end: cumulative quantity of this order alone.
    fills: BTreeMap<Qty, FillSnapshot>,
    /// Nothing can happen to it any more but a bust.
    pub ended: bool,
    /// The core was told that the broker has it.
    acknowledged: bool,
    /// When it was last heard of.
    pub heard: Timestamp,
}

impl Node {
    /// What its own fills come to.
    pub fn filled(&self) -> Qty {
        self.fills.values().fold(Qty::ZERO, |sum, fill| sum.saturating_add(fill.qty))
    }
}

/// The request of a leg whose number is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AwaitedLeg {
    pub name: ClientOrderId,
    pub terms: OrderTerms,
}

/// All that a session knows.
#[derive(Debug, Default)]
pub(super) struct Book {
    nodes: BTreeMap<Uuid, Node>,
    names: BTreeMap<ClientOrderId, Uuid>,
    /// Names that were sent or were live, without a number yet.
    unnumbered: BTreeMap<ClientOrderId, OrderTerms>,
    /// Whether `filled_qty` of an order counts the fills of those whose place it took.
    carries: bool,
    /// Orders with a fill that was taken back or corrected: the next snapshot shows them, ended or not.
    corrected: BTreeSet<Uuid>,
    /// How often the broker did not have a name.
    absences: BTreeMap<ClientOrderId, u32>,
    /// Legs by the name of their order.
    legs: BTreeMap<ClientOrderId, Vec<AwaitedLeg>>,
}

/// How long an order that ended is remembered: late fills and busts still find its name.
const MEMORY: Nanos = Nanos::from_secs(24 * 3_600);

/// Snapshots that lacked a name before it is given up; the core has proof from two.
const ABSENCES: u32 = 6;

impl Book {
    /// Begins with what the gateway knows.
    pub fn new(known: &[Known], now: Timestamp) -> Self {
        let mut book = Self { carries: true, ..Self::default() };
        for order in known {
            match order.venue_order_id {
                Some(id) => {
                    let node = book.node(Uuid(id.0), now);
                    node.terms = Some(order.terms);
                    // A name that was made up here is not the broker's.
                    if !order.cl_ord_id.is_made_up() {
                        node.name = Some(order.cl_ord_id);
                        book.names.insert(order.cl_ord_id, Uuid(id.0));
                    }
                }
                None => match order.leg_of {
                    Some(parent) => {
                        let leg = AwaitedLeg { name: order.cl_ord_id, terms: order.terms };
                        book.legs.entry(parent).or_default().push(leg);
                    }
                    None => drop(book.unnumbered.insert(order.cl_ord_id, order.terms)),
                },
            }
            if let Some(name) = order.replacement {
                book.unnumbered.insert(name, order.terms);
            }
        }
        book
    }

    fn node(&mut self, id: Uuid, now: Timestamp) -> &mut Node {
        let node = self.nodes.entry(id).or_insert_with(|| Node {
            name: None,
            replaces: None,
            terms: None,
            fills: BTreeMap::new(),
            ended: false,
            acknowledged: false,
            heard: now,
        });
        node.heard = node.heard.max(now);
        node
    }

    /// A request was written: its name may come to stand at the broker.
    pub fn sent(
        &mut self,
        name: ClientOrderId,
        terms: OrderTerms,
        legs: impl Iterator<Item = AwaitedLeg>,
    ) {
        self.unnumbered.insert(name, terms);
        let legs: Vec<_> = legs.collect();
        if !legs.is_empty() {
            self.legs.insert(name, legs);
        }
    }

    /// The broker refused it: the name stands nowhere.
    pub fn refused(&mut self, name: ClientOrderId) {
        self.unnumbered.remove(&name);
        self.legs.remove(&name);
    }

    /// Takes in an order as the broker shows it, with its legs.
    pub fn learn(&mut self, now: Timestamp, order: &Order, terms: Option<OrderTerms>) {
        let name = self.own_name(order);
        let is_new = !self.nodes.contains_key(&order.id);
        let node = self.node(order.id, now);
        node.name = node.name.or(name);
        node.replaces = node.replaces.or(order.replaces);
        node.ended |= order.status.is_terminal();
        node.terms = terms.or(node.terms);
        let name = node.name;
        if is_new && self.base(order.id).is_positive() && order.filled_qty.0.is_zero() {
            self.carries = false;
        }
        if let Some(name) = name {
            self.names.insert(name, order.id);
            self.unnumbered.remove(&name);
            for leg in order.legs.iter().flatten() {
                self.learn_leg(now, name, leg);
            }
        }
    }

    /// A leg's name is found by what it asks for: a limit takes the profit, a stop limits the loss.
    fn learn_leg(&mut self, now: Timestamp, parent: ClientOrderId, leg: &Order) {
        if self.nodes.get(&leg.id).is_none_or(|node| node.name.is_none())
            && let Some(awaited) = self.legs.get_mut(&parent)
        {
            let profits = leg.stop_price.is_none();
            let fits =
                |one: &AwaitedLeg| matches!(one.terms.ord_type, OrdType::Limit { .. }) == profits;
            if let Some(at) = awaited.iter().position(fits) {
                let found = awaited.remove(at);
                let node = self.node(leg.id, now);
                node.name = Some(found.name);
                node.terms = Some(found.terms);
                self.names.insert(found.name, leg.id);
            }
        }
        self.node(leg.id, now).ended |= leg.status.is_terminal();
    }

    /// Orders whose legs have no number yet: only an answer that nests them says which they are.
    pub fn awaiting_legs(&self) -> impl Iterator<Item = Uuid> {
        let waiting = self.legs.iter().filter(|(_, legs)| !legs.is_empty());
        waiting.filter_map(|(name, _)| self.number(*name))
    }

    /// The name of an order that is one of a gateway's.
    pub fn own_name(&self, order: &Order) -> Option<ClientOrderId> {
        let known = self.nodes.get(&order.id).and_then(|node| node.name);
        known.or_else(|| order.client_order_id.parse().ok())
    }

    /// The node of an order.
    pub fn get(&self, id: Uuid) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// The number of a name, and its terms as last known.
    pub fn number(&self, name: ClientOrderId) -> Option<Uuid> {
        self.names.get(&name).copied()
    }

    /// Whether a name was sent and has no number yet.
    pub fn awaits_number(&self, name: ClientOrderId) -> bool {
        self.unnumbered.contains_key(&name)
            || self.legs.values().flatten().any(|leg| leg.name == name)
    }

    /// The broker does not have an order of this name, or not yet: after a few times it is not asked
    /// about any more.
    pub fn absent(&mut self, name: ClientOrderId) {
        let times = self.absences.entry(name).or_default();
        *times += 1;
        if *times >= ABSENCES {
            self.absences.remove(&name);
            self.refused(name);
        }
    }

    /// Orders that are open as far as is known.
    pub fn open(&self) -> impl Iterator<Item = Uuid> {
        self.nodes.iter().filter(|(_, node)| !node.ended).map(|(id, _)| *id)
    }

    /// Names that were sent and have no number yet.
    pub fn unnumbered(&self) -> impl Iterator<Item = ClientOrderId> {
        self.unnumbered.keys().copied()
    }

    /// The broker has it; `false`: that was told before.
    pub fn acknowledge(&mut self, id: Uuid) -> bool {
        self.nodes.get_mut(&id).is_some_and(|node| !std::mem::replace(&mut node.acknowledged, true))
    }

    /// `newer` stands in the place of `older`, under this name.
    pub fn succeed(
        &mut self,
        now: Timestamp,
        older: Uuid,
        newer: Uuid,
        name: ClientOrderId,
        terms: Option<OrderTerms>,
    ) {
        let node = self.node(newer, now);
        node.name = Some(name);
        node.replaces = Some(older);
        node.terms = node.terms.or(terms);
        node.acknowledged = true;
        self.names.insert(name, newer);
        self.unnumbered.remove(&name);
        self.set_ended(older, true);
    }

    /// What the broker said last of it.
    pub fn set_ended(&mut self, id: Uuid, ended: bool) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.ended = ended;
        }
    }

    /// What an order's own fills come to, by its `filled_qty`.
    pub fn own_filled(&self, id: Uuid, filled_qty: Qty) -> Qty {
        let base = self.base(id);
        let carried = self.carries && filled_qty >= base;
        if carried { filled_qty.saturating_sub(base) } else { filled_qty }
    }

    /// Whether its fills are all known; those that the broker lists decide how it counts.
    pub fn is_filled_to(&mut self, id: Uuid, filled_qty: Qty) -> bool {
        let known = self.nodes.get(&id).map_or(Qty::ZERO, Node::filled);
        if known == self.own_filled(id, filled_qty) {
            return true;
        }
        let base = self.base(id);
        let other = if self.carries { filled_qty } else { filled_qty.saturating_sub(base) };
        if base.is_positive() && known == other {
            self.carries = !self.carries;
            return true;
        }
        false
    }

    /// Notes a fill of one order, which has filled `filled_qty` after it. Says what the whole chain has
    /// filled after it.
    pub fn fill(&mut self, now: Timestamp, id: Uuid, filled_qty: Qty, fill: FillSnapshot) -> Qty {
        let (base, end) = (self.base(id), self.own_filled(id, filled_qty));
        let node = self.node(id, now);
        if !node.fills.values().any(|known| known.exec_id == fill.exec_id) {
            node.fills.entry(end).or_insert(fill);
        }
        base.saturating_add(end)
    }

    /// Whether an order at the broker is one of ours.
    pub fn is_own(&self, id: Option<Uuid>) -> bool {
        id.and_then(|id| self.nodes.get(&id)).is_some_and(|node| node.name.is_some())
    }

    /// What the older orders of its chain have filled.
    pub fn base(&self, id: Uuid) -> Qty {
        self.ancestors(id)
            .filter_map(|older| self.nodes.get(&older))
            .fold(Qty::ZERO, |sum, node| sum.saturating_add(node.filled()))
    }

    /// The older orders of its chain, the next older first.
    pub fn ancestors(&self, id: Uuid) -> impl Iterator<Item = Uuid> {
        let mut seen = BTreeSet::from([id]);
        let step = move |at: &Uuid| {
            let older = self.nodes.get(at)?.replaces?;
            seen.insert(older).then_some(older)
        };
        std::iter::successors(Some(id), step).skip(1)
    }

    /// Every fill of its chain, oldest first.
    pub fn fills(&self, id: Uuid) -> Vec<FillSnapshot> {
        let mut chain: Vec<Uuid> = self.ancestors(id).collect();
        chain.reverse();
        chain.push(id);
        chain
            .iter()
            .filter_map(|id| self.nodes.get(id))
            .flat_map(|n| n.fills.values().copied())
            .collect()
    }

    /// The fills of an order as the broker lists them: they take the place of what the stream said.
    pub fn set_fills(&mut self, now: Timestamp, id: Uuid, fills: Vec<FillSnapshot>) {
        let node = self.node(id, now);
        node.fills.clear();
        let mut end = Qty::ZERO;
        for fill in fills {
            end = end.saturating_add(fill.qty);
            node.fills.insert(end, fill);
        }
    }

    /// Orders that the next snapshot has to show.
    pub fn corrected(&self) -> impl Iterator<Item = Uuid> {
        self.corrected.iter().copied()
    }

    /// A snapshot has shown them.
    pub fn shown(&mut self) {
        self.corrected.clear();
    }

    /// Takes a fill of this order back, or puts another in its place.
    pub fn correct(&mut self, id: Uuid, exec_id: ExecId, corrected: Option<FillSnapshot>) {
        self.corrected.insert(id);
        for node in self.nodes.values_mut() {
            if !node.fills.values().any(|fill| fill.exec_id == exec_id) {
                continue;
            }
            let fills: Vec<FillSnapshot> = node
                .fills
                .values()
                .filter_map(|fill| if fill.exec_id == exec_id { corrected } else { Some(*fill) })
                .collect();
            node.fills.clear();
            let mut end = Qty::ZERO;
            for fill in fills {
                end = end.saturating_add(fill.qty);
                node.fills.insert(end, fill);
            }
            return;
        }
    }

    /// Forgets what ended long ago.
    pub fn prune(&mut self, now: Timestamp) {
        let replaced: BTreeSet<Uuid> = self
            .nodes
            .values()
            .filter(|node| !node.ended)
            .filter_map(|node| node.replaces)
            .collect();
        let keep: BTreeSet<Uuid> = replaced
            .iter()
            .flat_map(|id| std::iter::once(*id).chain(self.ancestors(*id)))
            .collect();
        self.nodes
            .retain(|id, node| !node.ended || keep.contains(id) || now.since(node.heard) < MEMORY);
        self.names.retain(|_, id| self.nodes.contains_key(id));
    }
}
