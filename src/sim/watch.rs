//! What must hold after every event, computed from what crossed the wire and from first principles,
//! not by asking the code that is being watched.

use super::port::OrderWrite;
use super::worst::worst_of;
use crate::actors::Core;
use crate::actors::oms::Oddity;
use crate::desk::Desk;
use crate::kill::{Effect, KillBoard, Route};
use crate::msg::OrderRequest;
use crate::types::{
    AccountId, AgentId, ClientOrderId, InstrumentId, KillLevel, Nanos, OrderQty, Qty, Scope, Side,
    Timestamp,
};
use crate::venue::wire::{ClientMessage, Decoder};
use crate::wiring::Topology;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the list of invariants (docs/faults.md), or where it was found.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
    /// When, after the start.
    pub at: Nanos,
}

impl Violation {
    /// One without a time yet.
    pub const fn new(invariant: &'static str, what: String) -> Self {
        Self { invariant, what, at: Nanos(0) }
    }
}

/// Limits of a session that are checked at the wire.
#[derive(Debug, Clone, Default)]
struct Bounds {
    order_qty: Option<Qty>,
    position: Option<Qty>,
    rate: Option<usize>,
}

/// A request that went out, with what held for it then.
#[derive(Debug)]
pub struct Sent {
    route: Route,
    effect: Effect,
    /// The kill level that held for everybody in this account and instrument.
    shared: KillLevel,
    request: OrderRequest,
}

/// The watch.
#[derive(Debug)]
pub struct Watch {
    bounds: Bounds,
    /// Kills in force, as they were raised.
    pub levels: BTreeMap<Scope, KillLevel>,
    names: BTreeSet<ClientOrderId>,
    /// For each name on the wire: journal bytes written before the write, by boot.
    pub writes: Vec<(u32, ClientOrderId, u64)>,
    recent: VecDeque<Timestamp>,
    /// Fills seen of the running books.
    seen: usize,
    fold: BTreeMap<(AccountId, AgentId, InstrumentId), Qty>,
    cums: Vec<(Qty, bool)>,
    odd: u64,
    /// Kills of level flatten so far, and exits by whom they close a position of.
    flattens: u64,
    exits: BTreeMap<(AccountId, AgentId, InstrumentId), u64>,
    /// Writes begun although a kill forbade them.
    pub after_kill: u64,
    /// Orders, replaces and cancels on the wire.
    pub requests: u64,
}

/// A kind of request may have one order name on the wire.
fn named(request: &OrderRequest) -> Vec<ClientOrderId> {
    match request {
        OrderRequest::New(new) => std::iter::once(new.cl_ord_id)
            .chain(new.contingent.legs().map(|leg| leg.cl_ord_id))
            .collect(),
        OrderRequest::Replace(replace) => vec![replace.cl_ord_id],
        OrderRequest::Cancel(_) => Vec::new(),
    }
}

const fn passes(effect: Effect, level: KillLevel) -> bool {
    match effect {
        Effect::Cancels => true,
        Effect::Reduces => level as u8 <= KillLevel::ReduceOnly as u8,
        Effect::Opens => matches!(level, KillLevel::Normal),
        Effect::Exits => level as u8 <= KillLevel::Flatten as u8,
    }
}

impl Watch {
    /// A watch over a gateway with these limits.
    pub fn new(topology: &Topology) -> Self {
        let global = |control: &str| {
            topology
                .limits
                .iter()
                .find(|row| row.control == control && row.scope == Scope::Global)
                .map(|row| row.value.to_string())
        };
        let bounds = Bounds {
            order_qty: global("max_order_qty").and_then(|text| text.parse().ok()),
            position: global("max_position").and_then(|text| text.parse().ok()),
            rate: global("order_rate")
                .and_then(|text| text.strip_suffix("/1s").and_then(|n| n.parse().ok())),
        };
        Self {
            bounds,
            levels: BTreeMap::new(),
            names: BTreeSet::new(),
            writes: Vec::new(),
            recent: VecDeque::new(),
            seen: 0,
            fold: BTreeMap::new(),
            cums: Vec::new(),
            odd: 0,
            flattens: 0,
            exits: BTreeMap::new(),
            after_kill: 0,
            requests: 0,
        }
    }

    /// A kill was decided, by whomever.
    pub fn decided(&mut self, level: KillLevel) {
        self.flattens += u64::from(level >= KillLevel::Flatten);
    }

    /// A kill was raised: nothing that it covers may begin from here on.
    pub fn tripped(&mut self, scope: Scope, level: KillLevel) {
        let before = self.levels.entry(scope).or_default();
        *before = (*before).max(level);
    }

    /// A kill was lowered by the two-step arm.
    pub fn armed(&mut self, scope: Scope) {
        self.levels.remove(&scope);
    }

    /// The books are those of a new process: they are compared from the start.
    pub fn rebooted(&mut self, lost_power: bool) {
        if lost_power {
            // With its records, the memory of the last requests is gone.
            self.recent.clear();
        }
        self.seen = 0;
        self.fold.clear();
        self.cums.clear();
        self.odd = 0;
    }

    fn level(&self, route: Route) -> KillLevel {
        let scopes = [
            Scope::Global,
            Scope::Broker(route.broker),
            Scope::Account(route.account),
            Scope::Agent(route.agent),
            Scope::Symbol(route.instrument),
        ];
        let of = |scope: Scope| self.levels.get(&scope).copied().unwrap_or_default();
        scopes.into_iter().map(of).max().unwrap_or_default()
    }

    /// An order's bytes began their way at `at`, in boot `epoch`.
    pub fn wrote(
        &mut self,
        at: Timestamp,
        epoch: u32,
        write: &OrderWrite,
        out: &mut Vec<Violation>,
    ) -> Option<Sent> {
        let mut bad = |invariant, what: String| out.push(Violation::new(invariant, what));
        self.requests += 1;
        let mut decoder = Decoder::default();
        decoder.push(&write.bytes);
        let Ok(Some((ClientMessage::Request(request), _))) = decoder.next_message() else {
            bad("I03", "bytes on the wire that are no request".to_owned());
            return None;
        };
        let level = self.level(write.route);
        if !passes(write.effect, level) {
            self.after_kill += 1;
            bad("I01", format!("{request:?} began at kill level {level}"));
        }
        if matches!(request, OrderRequest::Cancel(_)) != (write.effect == Effect::Cancels) {
            bad("I14", format!("{request:?} went as {:?}", write.effect));
        }
        for name in named(&request) {
            if !self.names.insert(name) {
                bad("I05", format!("{name} was used before"));
            }
            if name.epoch != epoch && matches!(request, OrderRequest::New(_)) {
                bad("I05", format!("{name} in boot {epoch}"));
            }
            self.writes.push((epoch, name, write.journaled));
        }
        if write.effect == Effect::Exits {
            let Route { account, agent, instrument, .. } = write.route;
            let count = self.exits.entry((account, agent, instrument)).or_default();
            *count += 1;
            if *count > self.flattens {
                bad("I15", format!("{count} exits of one position in {} flattens", self.flattens));
            }
        }
        if !matches!(request, OrderRequest::Cancel(_)) {
            self.recent.push_back(at);
            while self.recent.front().is_some_and(|first| *first + Nanos::from_secs(1) <= at) {
                self.recent.pop_front();
            }
            if self.bounds.rate.is_some_and(|most| self.recent.len() > most) {
                bad("I19", format!("{} requests within a second", self.recent.len()));
            }
        }
        let sizes = match &request {
            OrderRequest::New(new) => std::iter::once(new.terms.qty)
                .chain(new.contingent.legs().map(|leg| leg.terms.qty))
                .collect(),
            OrderRequest::Replace(replace) => vec![replace.terms.qty],
            OrderRequest::Cancel(_) => Vec::new(),
        };
        for size in sizes {
            if let (OrderQty::Units(units), Some(most)) = (size, self.bounds.order_qty)
                && units > most
            {
                bad("I04", format!("{units} units, {most} are allowed"));
            }
        }
        let (route, effect) = (write.route, write.effect);
        let shared = self.level(Route { agent: AgentId(u16::MAX), ..route });
        Some(Sent { route, effect, shared, request })
    }

    /// After a call in which these requests went out.
    pub fn inspect(
        &mut self,
        desk: &Desk,
        board: &KillBoard,
        sent: &[Sent],
        out: &mut Vec<Violation>,
    ) {
        for (&scope, &level) in &self.levels {
            if board.level(scope) < level {
                out.push(Violation::new("I13", format!("{scope:?} fell below {level}")));
            }
        }
        let Some(core) = &desk.lane.core else { return };
        let before = self.odd;
        self.fills(core, out);
        self.lives(core, out);
        self.exposure(core, out);
        for sent in sent {
            // A fill that nobody could foresee came in the same call: nothing can be said.
            if self.odd == before {
                self.at_approval(core, sent, out);
            }
        }
    }

    /// I06 and I07: fills are booked once, and positions are their sum.
    fn fills(&mut self, core: &Core, out: &mut Vec<Violation>) {
        let oms = &core.oms;
        self.odd = oms.oddities().values().sum();
        let fresh = oms.fills().get(self.seen..).unwrap_or_default();
        let mut touched = BTreeSet::new();
        for fill in fresh {
            let order = &oms.orders()[fill.order as usize];
            let key = (order.route.account, order.route.agent, order.route.instrument);
            let sum = self.fold.entry(key).or_default();
            *sum += order.terms.side.signed(fill.qty);
            touched.insert(key);
            if !fill.qty.is_positive() || !fill.price.is_positive() {
                out.push(Violation::new(
                    "I07",
                    format!("a fill of {} at {}", fill.qty, fill.price),
                ));
            }
        }
        self.seen = oms.fills().len();
        if oms.oddities().get(&Oddity::Adopted).is_some_and(|count| *count > 0) {
            return;
        }
        // A split has made them more than the fills; the ledgers say at the end whether that is right.
        touched.retain(|(.., instrument)| !oms.actions.was_split(*instrument));
        for key in touched {
            let expected = self.fold.get(&key).copied().unwrap_or_default();
            let booked = oms
                .books
                .positions()
                .find(|(at, _)| *at == key)
                .map(|(_, position)| position.qty)
                .unwrap_or_default();
            if expected != booked {
                out.push(Violation::new(
                    "I06",
                    format!("{key:?}: fills say {expected}, books {booked}"),
                ));
            }
        }
    }

    /// I07 and I09: what is filled only grows, what is done stays done but for proof that it lives.
    fn lives(&mut self, core: &Core, out: &mut Vec<Violation>) {
        let orders = core.oms.orders();
        let contradicted =
            core.oms.oddities().get(&Oddity::Contradiction).is_some_and(|count| *count > 0);
        for (place, order) in orders.iter().enumerate() {
            let now = (order.filled(), order.state.is_done());
            match self.cums.get_mut(place) {
                Some(before) => {
                    if now.0 < before.0 {
                        out.push(Violation::new(
                            "I07",
                            format!("{}: filled {} after {}", order.cl_ord_id, now.0, before.0),
                        ));
                    }
                    if before.1 && !now.1 && !contradicted {
                        out.push(Violation::new("I09", format!("{} came back", order.cl_ord_id)));
                    }
                    *before = now;
                }
                None => self.cums.push(now),
            }
        }
    }

    /// I04: what is reserved is what may still happen, order by order and in sum.
    fn exposure(&self, core: &Core, out: &mut Vec<Violation>) {
        let oms = &core.oms;
        let mut sums: BTreeMap<(AccountId, InstrumentId), (Qty, Qty)> = BTreeMap::new();
        for (_, order) in oms.open() {
            let sum = sums.entry((order.route.account, order.route.instrument)).or_default();
            let worst = worst_of(oms, order);
            match order.terms.side {
                Side::Buy => sum.0 += worst,
                Side::Sell => sum.1 += worst,
            }
        }
        for ((account, instrument), (buys, sells)) in sums {
            let booked = oms.books.account(account, instrument);
            if (booked.open_buy, booked.open_sell) != (buys, sells) {
                out.push(Violation::new(
                    "I04",
                    format!(
                        "{account:?} {instrument:?}: open {buys}/{sells}, reserved {}/{}",
                        booked.open_buy, booked.open_sell
                    ),
                ));
            }
        }
    }

    /// I04 and I15 for a request that just went out.
    fn at_approval(&self, core: &Core, sent: &Sent, out: &mut Vec<Violation>) {
        let Sent { route, effect, shared, request } = sent;
        let side = match request {
            OrderRequest::New(new) => new.terms.side,
            OrderRequest::Replace(replace) => replace.terms.side,
            OrderRequest::Cancel(_) => return,
        };
        let oms = &core.oms;
        let exposure = oms.books.account(route.account, route.instrument);
        let position = exposure.position;
        // At the normal level orders that open may have followed in the same call.
        let reduces = matches!(effect, Effect::Reduces | Effect::Exits);
        if reduces && *shared >= KillLevel::ReduceOnly {
            let (held, mut open) = match side {
                Side::Buy => (-position, exposure.open_buy),
                Side::Sell => (position, exposure.open_sell),
            };
            if let OrderRequest::Replace(replace) = request
                && let Some((_, order)) = oms.find(replace.cl_ord_id)
                && let Some((_, units)) = order.replacement
            {
                // The old size counts until the broker answers; the new one is what is asked for.
                open = open - order.reserved + (units - order.filled());
            }
            if open > held.max(Qty::ZERO) {
                out.push(Violation::new(
                    "I15",
                    format!(
                        "{request:?} as reducing: held {position}, open on its side {open}: {:?}",
                        oms.open()
                            .filter(|(_, o)| o.terms.side == side
                                && o.route.instrument == route.instrument
                                && o.route.account == route.account)
                            .map(|(_, o)| (o.cl_ord_id, o.reserved, o.state, o.role))
                            .collect::<Vec<_>>()
                    ),
                ));
            }
        }
        let worst = match side {
            Side::Buy => position + exposure.open_buy,
            Side::Sell => exposure.open_sell - position,
        };
        // New terms that ask for no more than there is open already may stand above a lowered limit.
        let grows = match request {
            OrderRequest::Replace(replace) => {
                oms.find(replace.cl_ord_id).is_none_or(|(_, order)| {
                    order.replacement.is_none_or(|(_, units)| units > order.units)
                })
            }
            _ => true,
        };
        if let Some(most) = self.bounds.position
            && *effect == Effect::Opens
            && grows
            && worst > most
        {
            out.push(Violation::new(
                "I04",
                format!("worst case {worst}, limit {most}: {request:?}"),
            ));
        }
    }
}
