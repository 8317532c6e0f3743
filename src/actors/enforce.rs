//! What follows from a kill: open orders go, the broker confirms it twice, positions are closed once,
//! sessions are closed at last.
//!
//! Nothing is called cancelled or flat on our own word: it takes two snapshots in a row, taken since
//! the kill, that show no covered order, or no position. A kill narrower than a broker has no session
//! of its own: there, isolate is cancel.

mod exits;

pub use exits::ExitTried;

use super::core::{Core, CoreOut};
use super::guardian::View;
use super::market::Market;
use super::notice::Notice;
use super::oms::{Pending, Stage};
use super::risk::halts::Kill;
use crate::journal::Derived;
use crate::kill::Effect;
use crate::msg::{Act, AgentState, CancelOrder, Control, HoldKind, Intervention};
use crate::types::{
    AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Nanos, Scope, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// First and longest pause between two questions to a broker.
const PAUSE: [Nanos; 2] = [Nanos::from_millis(100), Nanos::from_secs(5)];
/// Snapshots in a row that are evidence.
const EVIDENCE: u8 = 2;

/// How far the carrying out of a kill has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Progress {
    /// Nothing has to be done but refuse.
    InForce,
    /// Cancels were asked for, the broker has not confirmed twice that nothing is open.
    Requested,
    /// The broker has confirmed it.
    Cancelled,
    /// The broker has also confirmed that no position is left.
    Flat,
}

impl Progress {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Requested => "requested",
            Self::Cancelled => "cancelled",
            Self::Flat => "flat",
        }
    }
}

/// Snapshots in a row of one broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Without a covered order.
    clean: u8,
    /// And without a covered position.
    flat: u8,
}

/// One kill being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Task {
    episode: u64,
    level: KillLevel,
    since: Timestamp,
    seen: BTreeMap<BrokerId, Seen>,
    progress: Progress,
    /// A person was told that it takes too long.
    overdue: bool,
    next_ask: Timestamp,
    pause: Nanos,
}

/// All kills being carried out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Enforcement {
    tasks: BTreeMap<Scope, Task>,
    /// Brokers whose sessions are closed.
    isolated: BTreeSet<BrokerId>,
    /// Exits of flattens: each is sent once in its episode, whatever becomes of it.
    exited: BTreeSet<(u64, AccountId, InstrumentId)>,
    /// Tag and number of this boot, exits minted in it.
    run: (u32, u32, u32),
    /// When orders whose cancel was refused are due again.
    sweep_at: Timestamp,
    /// Flattens that an operator asked for, not carried out yet.
    asked: Vec<Scope>,
    /// What became of the last one.
    #[serde(skip)]
    tried: Vec<ExitTried>,
    #[serde(skip)]
    confirm_within: Nanos,
    #[serde(skip)]
    exit_collar: i64,
}

impl Enforcement {
    /// Nothing to carry out. `confirm_within` is how long a broker may take before a person hears of
    /// it, `exit_collar` how far from the market an exit may trade, in parts in a million.
    pub const fn new(confirm_within: Nanos, exit_collar: i64) -> Self {
        Self {
            tasks: BTreeMap::new(),
            isolated: BTreeSet::new(),
            exited: BTreeSet::new(),
            run: (0, 0, 0),
            sweep_at: Timestamp::MAX,
            asked: Vec::new(),
            tried: Vec::new(),
            confirm_within,
            exit_collar,
        }
    }

    /// How far a kill has come.
    pub fn progress(&self, scope: Scope) -> Progress {
        self.tasks.get(&scope).map_or(Progress::InForce, |task| task.progress)
    }

    /// Kills that the broker has not confirmed in time.
    pub fn overdue(&self) -> usize {
        self.tasks.values().filter(|task| task.overdue && !task.is_done()).count()
    }

    /// Whether a broker's session is closed by a kill.
    pub fn is_isolated(&self, broker: BrokerId) -> bool {
        self.isolated.contains(&broker)
    }

    /// The exits that an operator's last flatten tried.
    pub fn tried(&self) -> &[ExitTried] {
        &self.tried
    }

    pub(super) fn carry_over(&mut self, old: Self) {
        let (confirm_within, exit_collar) = (self.confirm_within, self.exit_collar);
        *self = Self { confirm_within, exit_collar, ..old };
    }

    /// When the brokers are to be asked again, or a person is to be told.
    fn next_deadline(&self) -> Timestamp {
        let due = |task: &Task| match (task.is_done(), task.overdue) {
            (true, _) => Timestamp::MAX,
            (false, true) => task.next_ask,
            (false, false) => task.next_ask.min(task.since + self.confirm_within),
        };
        self.tasks.values().map(due).fold(self.sweep_at, Ord::min)
    }

    /// Exits wait for an order to end, a hold to go or a price to come.
    fn wants_exits(&self) -> bool {
        !self.asked.is_empty() || self.tasks.values().any(Task::wants_exits)
    }
}

impl Task {
    fn new(kill: Kill, at: Timestamp) -> Self {
        Self {
            episode: kill.episode,
            level: kill.level,
            since: at,
            seen: BTreeMap::new(),
            progress: Progress::Requested,
            overdue: false,
            next_ask: at + PAUSE[0],
            pause: PAUSE[0],
        }
    }

    fn is_done(&self) -> bool {
        match self.level {
            KillLevel::Flatten => self.progress == Progress::Flat,
            _ => self.progress >= Progress::Cancelled,
        }
    }

    fn wants_exits(&self) -> bool {
        self.level == KillLevel::Flatten && self.progress != Progress::Flat
    }
}

impl Core {
    /// Has the guardian look and flattens exit, if it is time.
    #[inline]
    pub fn guard(&mut self, at: Timestamp, market: &Market, out: &mut CoreOut) {
        if self.look_at() <= at {
            self.look(at, market, out);
        }
    }

    /// With the first input from here on [`Self::guard`] has something to do.
    #[inline]
    pub fn look_at(&self) -> Timestamp {
        if self.enforcement.wants_exits() { Timestamp::ZERO } else { self.guardian.look_at() }
    }

    #[cold]
    fn look(&mut self, at: Timestamp, market: &Market, out: &mut CoreOut) {
        if self.guardian.look_at() <= at {
            let mut decided = std::mem::take(&mut self.decided);
            let view = View { at, oms: &self.oms, risk: &self.risk, market };
            self.guardian.look(&view, &mut decided);
            for done in decided.drain(..) {
                self.intervene(at, done, out);
            }
            self.decided = decided;
        }
        self.exit(at, market, out);
    }

    /// Does what the guardian decided, in this very step: what is judged after it is refused by it.
    pub(super) fn intervene(&mut self, at: Timestamp, done: Intervention, out: &mut CoreOut) {
        let Intervention { rule, scope, act } = done;
        match act {
            Act::Hold(on) => self.risk.halts.hold(at, scope, HoldKind::Guardian(rule), on),
            Act::Kill { level, episode, cool_off } => {
                let kill = Kill { level, episode, since: at, rule: Some(rule), cool_off };
                self.risk.halts.kill(scope, kill);
            }
        }
        self.derive(at, Derived::Intervened(done), out);
        out.notices.push(Notice::Intervened(done));
        self.enforce(at, out);
    }

    /// Takes in what a control message means for the carrying out.
    pub(super) fn enforce_control(&mut self, control: &Control) {
        match control {
            Control::Boot { instance, epoch } => {
                self.enforcement.run = (*instance, *epoch, 0);
                // Sessions begin anew, and so does the evidence.
                self.enforcement.isolated.clear();
                self.enforcement.tasks.clear();
            }
            Control::Flatten { scope, .. } => self.enforcement.asked.push(*scope),
            _ => {}
        }
    }

    /// Brings tasks in line with the kills in force, and cancels what they cover.
    pub(super) fn enforce(&mut self, at: Timestamp, out: &mut CoreOut) {
        let halts = &self.risk.halts;
        let mut begun = Vec::new();
        self.enforcement.tasks.retain(|scope, _| halts.level_of(*scope) >= KillLevel::Cancel);
        for (scope, kill) in halts.kills().filter(|(_, kill)| kill.level >= KillLevel::Cancel) {
            let task = self.enforcement.tasks.get(&scope);
            if task.is_none_or(|task| (task.episode, task.level) != (kill.episode, kill.level)) {
                self.enforcement.tasks.insert(scope, Task::new(kill, at));
                begun.push(scope);
            }
        }
        for scope in begun {
            self.sweep_brokers(scope, out);
        }
        let halts = &self.risk.halts;
        let freed = |broker: &BrokerId| halts.level_of_broker(*broker) < KillLevel::Isolate;
        let free: Vec<BrokerId> = self.enforcement.isolated.iter().copied().filter(freed).collect();
        for broker in free {
            self.enforcement.isolated.remove(&broker);
            let order = planted!(NeverReopened, SessionOrder::Open, SessionOrder::Close);
            out.sessions.push((broker, order));
        }
        // Whoever kills, or kills again, waits for no pause.
        self.sweep(at, Timestamp::MAX, out);
    }

    /// A mass cancel may go ahead of the cancels by name where a kill covers all that a broker holds, and
    /// no way out of a flatten is open there.
    fn sweep_brokers(&self, scope: Scope, out: &mut CoreOut) {
        if !matches!(scope, Scope::Global | Scope::Broker(_)) {
            return;
        }
        let exits = |broker: &BrokerId| {
            let own = |order: &super::oms::Order| order.route.broker == *broker;
            self.oms.open().any(|(_, order)| own(order) && order.cl_ord_id.is_exit())
        };
        out.sweeps.extend(self.brokers_in(scope).into_iter().filter(|broker| !exits(broker)));
    }

    /// Cancels every open order that a kill of level cancel or above covers, or whose agent is out,
    /// unless a cancel is under way or was refused and is not to be sent again by `due`. Orders that are not ours only under a global
    /// or broker kill.
    pub(super) fn sweep(&mut self, at: Timestamp, due: Timestamp, out: &mut CoreOut) {
        let halts = &self.risk.halts;
        let mut sweep_at = Timestamp::MAX;
        let doomed: Vec<CancelOrder> = self
            .oms
            .open()
            .filter(|(_, order)| {
                let route = order.route;
                let external = route.agent == AgentId::EXTERNAL;
                let from = planted!(CancelKillSpares, KillLevel::Cancel, KillLevel::Flatten);
                let killed = if planted!(StrangersSwept, external, false) {
                    halts.level_of_broker(route.broker) >= from
                } else {
                    halts.level(route) >= from
                        || self.oms.actions.is_settling(route.instrument)
                        || halts.draining()
                        || halts.agent(route.agent) == AgentState::Quarantined
                };
                killed && order.state.pending != Pending::Cancel
            })
            // The way out of a flatten stays, unless another kill stands in its way.
            .filter(|(_, order)| {
                !order.cl_ord_id.is_exit() || !halts.kills_allow(order.route, Effect::Exits)
            })
            // An order that may never have arrived cannot be cancelled by its name everywhere; the
            // sweep comes back after the snapshot that settles it.
            .filter(|(_, order)| order.state.stage != Stage::InDoubt)
            .filter(|(_, order)| {
                let waits = order.cancel_again > due;
                if waits {
                    sweep_at = sweep_at.min(order.cancel_again);
                }
                !waits
            })
            .map(|(_, order)| CancelOrder::of(order.cl_ord_id))
            .collect();
        self.enforcement.sweep_at = sweep_at;
        for cancel in doomed {
            self.cancel(at, AgentId::OPERATOR, &cancel, out);
        }
    }

    /// A complete snapshot of `broker` was merged: what it says of every kill.
    pub(super) fn weigh(&mut self, broker: BrokerId, out: &mut CoreOut) {
        let agrees = self.oms.links().get(broker.index()).is_some_and(|link| link.reconciled);
        let scopes: Vec<Scope> = self.enforcement.tasks.keys().copied().collect();
        for scope in scopes {
            let brokers = self.brokers_in(scope);
            if !brokers.contains(&broker) {
                continue;
            }
            let clean = agrees && !self.covers_open(scope, broker);
            let flat = clean && !self.holds_any(scope, broker);
            let Some(task) = self.enforcement.tasks.get_mut(&scope) else { continue };
            let seen = task.seen.entry(broker).or_default();
            seen.clean = if clean { seen.clean.saturating_add(1) } else { 0 };
            seen.flat = if flat { seen.flat.saturating_add(1) } else { 0 };
            self.conclude(scope, &brokers, out);
        }
    }

    /// Whether the evidence of all brokers is in.
    fn conclude(&mut self, scope: Scope, brokers: &[BrokerId], out: &mut CoreOut) {
        let enforcement = &mut self.enforcement;
        let isolated = &enforcement.isolated;
        let Some(task) = enforcement.tasks.get_mut(&scope) else { return };
        let all = |enough: &dyn Fn(&Seen) -> bool| {
            // A broker is isolated only after it was confirmed.
            brokers.iter().all(|id| isolated.contains(id) || task.seen.get(id).is_some_and(enough))
        };
        let enough = planted!(EvidenceOfOne, EVIDENCE, 1);
        let progress = if all(&|seen| seen.flat >= enough) {
            Progress::Flat
        } else if all(&|seen| seen.clean >= enough) {
            Progress::Cancelled
        } else {
            Progress::Requested
        };
        if progress != task.progress {
            task.progress = progress;
            if progress > Progress::Requested {
                let flat = progress == Progress::Flat;
                out.notices.push(Notice::Confirmed { scope, flat });
            }
        }
        let whole_broker = matches!(scope, Scope::Global | Scope::Broker(_));
        if task.level == KillLevel::Isolate && task.is_done() && whole_broker {
            for &broker in brokers {
                if enforcement.isolated.insert(broker) {
                    out.sessions.push((broker, SessionOrder::Close));
                }
            }
        }
    }

    /// Asks brokers again, and tells a person when it takes too long.
    pub(super) fn press(&mut self, at: Timestamp, out: &mut CoreOut) {
        if at >= self.enforcement.sweep_at {
            self.sweep(at, at, out);
        }
        let scopes: Vec<Scope> = self.enforcement.tasks.keys().copied().collect();
        for scope in scopes {
            let within = self.enforcement.confirm_within;
            let Some(task) = self.enforcement.tasks.get_mut(&scope) else { continue };
            if task.is_done() {
                continue;
            }
            if !task.overdue && at >= task.since + within {
                task.overdue = true;
                out.notices.push(Notice::Unconfirmed { scope });
            }
            if at < task.next_ask {
                continue;
            }
            task.pause = Nanos((task.pause.0 * 2).min(PAUSE[1].0));
            task.next_ask = at + task.pause;
            for broker in self.brokers_in(scope) {
                self.oms.ask_snapshot(at, broker, &mut out.news);
            }
        }
    }

    /// When [`Self::press`] has something to do.
    pub(super) fn enforce_at(&self) -> Timestamp {
        self.enforcement.next_deadline()
    }

    /// Brokers that orders of a scope may be at.
    fn brokers_in(&self, scope: Scope) -> Vec<BrokerId> {
        match scope {
            Scope::Broker(id) => vec![id],
            Scope::Account(id) => self.risk.broker_of(id).into_iter().collect(),
            Scope::Global | Scope::Agent(_) | Scope::Symbol(_) => {
                (0..self.oms.links().len()).map(|at| BrokerId(at as u8)).collect()
            }
        }
    }

    /// An order at `broker` that the kill takes back is still open. Its own exits are not in its way.
    fn covers_open(&self, scope: Scope, broker: BrokerId) -> bool {
        let whole_broker = matches!(scope, Scope::Global | Scope::Broker(_));
        self.oms.open().any(|(_, order)| {
            let route = order.route;
            route.broker == broker
                && route.covered_by(scope)
                && (whole_broker || route.agent != AgentId::EXTERNAL)
        })
    }

    /// A position at `broker` that a scope covers is not flat.
    fn holds_any(&self, scope: Scope, broker: BrokerId) -> bool {
        self.held_in(scope).any(|(account, _)| self.risk.broker_of(account) == Some(broker))
    }
}

/// What is to become of a broker's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOrder {
    /// Hang up and stay down.
    Close,
    /// Dial again.
    Open,
}
