//! What must hold after every event, computed from what crossed the wire and from first principles,
//! not by asking the code that is being watched.

use super::bounds::Bounds;
use super::duty::Duty;
use super::losses::Losses;
use super::port::OrderWrite;
use super::shown::Shown;
use super::world::START;
use super::worst::worst_of;
use crate::actors::Core;
use crate::actors::oms::{Exposure, Fill, Oddity};
use crate::desk::Desk;
use crate::kill::{Effect, KillBoard, Route};
use crate::msg::OrderRequest;
use crate::types::{
    AccountId, AgentId, ClientOrderId, InstrumentId, KillLevel, Nanos, Qty, Scope, Side, Timestamp,
};
use crate::venue::wire::{ClientMessage, Decoder};
use crate::wiring::Topology;
use std::collections::{BTreeMap, BTreeSet};

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

/// A request that went out, with what held for it then.
#[derive(Debug)]
pub struct Sent {
    pub(super) route: Route,
    pub(super) effect: Effect,
    /// The kill level that held for everybody in this account and instrument.
    pub(super) shared: KillLevel,
    pub(super) request: OrderRequest,
}

/// An order as of the last call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    filled: Qty,
    done: bool,
    units: Qty,
    /// Its size as of the call before: what a broker takes off an order of a list may be told in the
    /// call in which it is replaced, after the decision.
    pub(super) before: Qty,
}

/// Held, and open on both sides, of an account in an instrument.
pub type Held = BTreeMap<(AccountId, InstrumentId), (Qty, Qty, Qty)>;

/// The watch.
#[derive(Debug)]
pub struct Watch {
    pub(super) bounds: Bounds,
    /// What the gateway was shown.
    pub shown: Shown,
    /// What it owes by itself.
    pub duty: Duty,
    pub(super) losses: Losses,
    /// As of the last call.
    pub(super) held: Held,
    /// Kills in force, as they were raised.
    pub levels: BTreeMap<Scope, KillLevel>,
    names: BTreeSet<ClientOrderId>,
    /// For each name on the wire: journal bytes written before the write, by boot.
    pub writes: Vec<(u32, ClientOrderId, u64)>,
    /// Fills seen of the running books.
    seen: usize,
    /// Orders seen of them.
    known: usize,
    fold: BTreeMap<(AccountId, AgentId, InstrumentId), Qty>,
    pub(super) orders: Vec<Known>,
    odd: u64,
    /// Episodes of kills of level flatten so far, and exits by whom they close a position of.
    flattens: BTreeSet<u64>,
    exits: BTreeMap<(AccountId, AgentId, InstrumentId), u64>,
    /// Writes begun although a kill forbade them.
    pub after_kill: u64,
    /// Orders, replaces and cancels on the wire.
    pub requests: u64,
    /// Requests may wait for their turn behind their approval.
    waits: bool,
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
    /// A watch over a gateway with these limits; whether its requests may wait behind their approval.
    pub fn new(topology: &Topology, waits: bool) -> Self {
        let bounds = Bounds::new(topology);
        let instruments = topology.names.instruments().len();
        Self {
            shown: Shown::new(instruments, topology.stale_after),
            duty: Duty::new(topology, bounds.daily_loss),
            bounds,
            losses: Losses::default(),
            held: Held::new(),
            levels: BTreeMap::new(),
            names: BTreeSet::new(),
            writes: Vec::new(),
            seen: 0,
            known: 0,
            fold: BTreeMap::new(),
            orders: Vec::new(),
            odd: 0,
            flattens: BTreeSet::new(),
            exits: BTreeMap::new(),
            after_kill: 0,
            requests: 0,
            waits,
        }
    }

    /// A kill was decided, by whomever.
    pub fn decided(&mut self, level: KillLevel, episode: u64) {
        if level >= KillLevel::Flatten {
            self.flattens.insert(episode);
        }
    }

    /// I15: a position is closed once in a flatten. Asked where all flattens are known: a process
    /// that died between a flatten and its exit has told of neither.
    pub fn exited(&self, out: &mut Vec<Violation>) {
        for ((_, _, instrument), count) in &self.exits {
            let flattens = self.flattens.len() as u64;
            if *count > flattens {
                let what = format!("{count} exits of {instrument:?} in {flattens} flattens");
                out.push(Violation::new("I15", what));
            }
        }
    }

    /// A kill was raised: nothing that it covers may begin from here on.
    pub fn tripped(&mut self, scope: Scope, level: KillLevel) {
        let before = self.levels.entry(scope).or_default();
        *before = (*before).max(level);
        self.duty.begins(scope, level);
    }

    /// A kill was lowered by the two-step arm.
    pub fn armed(&mut self, scope: Scope) {
        self.levels.remove(&scope);
        self.duty.armed(scope);
    }

    /// The books are those of a new process: they are compared from the start.
    pub fn rebooted(&mut self, lost_power: bool) {
        self.bounds.rebooted(lost_power);
        self.shown.rebooted();
        self.duty.rebooted();
        self.losses = Losses::default();
        self.held.clear();
        self.seen = 0;
        self.known = 0;
        self.fold.clear();
        self.orders.clear();
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
        let mut decoder = Decoder::default();
        decoder.push(&write.bytes);
        let Ok(Some((ClientMessage::Request(request), _))) = decoder.next_message() else {
            let what = "bytes on the wire that are no request".to_owned();
            out.push(Violation::new("I03", what));
            return None;
        };
        self.began(at, epoch, write, request, out)
    }

    /// The write of a request began at `at`, in boot `epoch`.
    pub fn began(
        &mut self,
        at: Timestamp,
        epoch: u32,
        write: &OrderWrite,
        request: OrderRequest,
        out: &mut Vec<Violation>,
    ) -> Option<Sent> {
        let mut bad = |invariant, what: String| out.push(Violation::new(invariant, what));
        self.requests += 1;
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
        }
        let (route, effect) = (write.route, write.effect);
        if effect == Effect::Opens && !write.synced {
            bad("I11", format!("{request:?} before a snapshot of this connection"));
        }
        let broad = [Scope::Global, Scope::Broker(route.broker)].into_iter();
        let broad = broad.filter_map(|scope| self.levels.get(&scope)).max().copied();
        // A stranger's order makes way for one of ours only where the controls say so.
        let makes_way = self.bounds.self_match == Some(true);
        if effect == Effect::Cancels
            && route.agent == AgentId::EXTERNAL
            && broad.unwrap_or_default() < KillLevel::Cancel
            && !makes_way
        {
            bad("I14", format!("{request:?}: a stranger's order, and no kill of its broker"));
        }
        // What waits for the broker's budget was judged on the prices and rates of before.
        if !self.waits {
            self.bounds.at_wire(at, (route, effect), &request, &self.shown, out);
        }
        let shared = self.level(Route { agent: AgentId(u16::MAX), ..route });
        Some(Sent { route, effect, shared, request })
    }

    /// I13, after every call: what was raised stands.
    pub fn ratchet(&self, board: &KillBoard, out: &mut Vec<Violation>) {
        for (&scope, &level) in &self.levels {
            if board.level(scope) < level {
                out.push(Violation::new("I13", format!("{scope:?} fell below {level}")));
            }
        }
    }

    /// After a call in which these requests went out.
    pub fn inspect(&mut self, at: Timestamp, desk: &Desk, sent: &[Sent], out: &mut Vec<Violation>) {
        let Some(core) = &desk.lane.core else { return };
        let (odd, seen) = (self.odd, self.seen);
        let orders = core.oms.orders();
        let fresh = orders.get(self.known..).unwrap_or_default();
        let stranger = fresh.iter().any(|order| order.route.agent == AgentId::EXTERNAL);
        self.known = orders.len();
        self.fills(core, out);
        self.lives(at, core, out);
        let held = self.exposure(core, out);
        let before = std::mem::replace(&mut self.held, held);
        // Where something that nobody could foresee came in the same call, nothing can be said.
        if self.odd == odd && !stranger {
            for sent in sent {
                self.at_approval(core, sent, out);
            }
            if self.seen == seen {
                self.worths(at, core, &before, sent, out);
            }
        }
    }

    /// What the gateway owes by itself. Losses come and go with a price, and the guardian may have
    /// looked at any of them.
    pub fn owed(
        &mut self,
        (at, now): (Timestamp, Timestamp),
        core: &Core,
        out: &mut Vec<Violation>,
    ) {
        let today = Losses::same_day(at, START) && !adopted(core);
        let lost = |account| self.losses.of(account, &self.shown).filter(|_| today);
        // The guardian looks when something comes in.
        let looks = at.since(self.shown.newest) < Nanos::from_secs(2);
        self.duty.after((at, now, looks), core, lost, out);
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
            self.losses.book(order, fill);
            if let Some(known) = self.orders.get_mut(fill.order as usize)
                && fill.qty.is_negative()
            {
                // The broker took it back, and may work the order on.
                (known.filled, known.done) = (known.filled + fill.qty, false);
            }
            // Only what was booked before can be taken back.
            let same = |other: &&Fill| {
                (other.order, other.qty.abs(), other.price)
                    == (fill.order, fill.qty.abs(), fill.price)
            };
            let booked = fill.qty.is_positive()
                || !oms
                    .fills()
                    .iter()
                    .filter(same)
                    .map(|other| other.qty)
                    .sum::<Qty>()
                    .is_negative();
            if !booked || fill.qty.is_zero() || !fill.price.is_positive() {
                out.push(Violation::new(
                    "I07",
                    format!("a fill of {} at {}", fill.qty, fill.price),
                ));
            }
        }
        self.seen = oms.fills().len();
        if adopted(core) {
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
    fn lives(&mut self, at: Timestamp, core: &Core, out: &mut Vec<Violation>) {
        let orders = core.oms.orders();
        let contradicted =
            core.oms.oddities().get(&Oddity::Contradiction).is_some_and(|count| *count > 0);
        for (place, order) in orders.iter().enumerate() {
            let (filled, done) = (order.filled(), order.state.is_done());
            match self.orders.get_mut(place) {
                Some(known) => {
                    if filled < known.filled {
                        out.push(Violation::new(
                            "I07",
                            format!("{}: filled {filled} after {}", order.cl_ord_id, known.filled),
                        ));
                    }
                    if known.done && !done && !contradicted {
                        out.push(Violation::new("I09", format!("{} came back", order.cl_ord_id)));
                    }
                    let ended = done && !known.done;
                    *known = Known { filled, done, units: order.units, before: known.units };
                    if ended {
                        self.duty.ended(at, core, order, out);
                    }
                }
                None => {
                    self.orders.push(Known { filled, done, units: order.units, before: Qty::ZERO })
                }
            }
        }
    }

    /// I04: what is reserved is what may still happen, order by order and in sum.
    fn exposure(&self, core: &Core, out: &mut Vec<Violation>) -> Held {
        let oms = &core.oms;
        let mut sums = Held::new();
        for (_, order) in oms.open() {
            let sum = sums.entry((order.route.account, order.route.instrument)).or_default();
            let worst = worst_of(oms, order);
            match order.terms.side {
                Side::Buy => sum.1 += worst,
                Side::Sell => sum.2 += worst,
            }
        }
        for (&(account, instrument), &(_, buys, sells)) in &sums {
            let booked = oms.books.account(account, instrument);
            differ((Scope::Account(account), instrument), booked, (buys, sells), out);
        }
        if self.bounds.gross.is_some() || self.bounds.net.is_some() {
            for (&(account, _, instrument), &qty) in &self.fold {
                sums.entry((account, instrument)).or_default().0 += qty;
            }
        }
        sums
    }

    /// I04 for agents over all their accounts. What is wrong here stays so: it need not be looked for
    /// every time.
    pub fn agents(&self, core: &Core, out: &mut Vec<Violation>) {
        let mut sums: BTreeMap<(AgentId, InstrumentId), (Qty, Qty)> = BTreeMap::new();
        for (_, order) in core.oms.open() {
            let sum = sums.entry((order.route.agent, order.route.instrument)).or_default();
            let worst = worst_of(&core.oms, order);
            match order.terms.side {
                Side::Buy => sum.0 += worst,
                Side::Sell => sum.1 += worst,
            }
        }
        for ((agent, instrument), open) in sums {
            let booked = core.oms.books.agent(agent, instrument);
            differ((Scope::Agent(agent), instrument), booked, open, out);
        }
    }
}

fn differ(
    of: (Scope, InstrumentId),
    booked: Exposure,
    (buys, sells): (Qty, Qty),
    out: &mut Vec<Violation>,
) {
    if (booked.open_buy, booked.open_sell) != (buys, sells) {
        let reserved = format!("reserved {}/{}", booked.open_buy, booked.open_sell);
        out.push(Violation::new("I04", format!("{of:?}: open {buys}/{sells}, {reserved}")));
    }
}

/// Something is held that no fill explains.
pub fn adopted(core: &Core) -> bool {
    core.oms.oddities().get(&Oddity::Adopted).is_some_and(|count| *count > 0)
}
