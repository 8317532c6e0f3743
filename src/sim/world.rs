//! One session: the process, the brokers, the market and the operator on one virtual clock. Whatever
//! is due first happens next, so a seed is a session.

use super::broker::SimBroker;
use super::dice::Dice;
use super::fault::Fault;
use super::market::SimMarket;
use super::oracle;
use super::plan::{Injection, Plan, Trip};
use super::port::{DiskFault, Outbound};
use super::process::{Process, registry};
use super::watch::{Sent, Violation, Watch};
use crate::actors::Notice;
use crate::desk::Desk;
use crate::disk::{Folder, MemoryFolder};
use crate::kill::{ArmDesk, Latch, Trip as LatchTrip};
use crate::msg::{
    Act, AgentState, CancelOrder, Contingent, Control, Gap, Input, Intervention, KillOrder,
    MarketData, NewOrder, OrderRequest,
};
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, InstrumentId, KillLevel, Nanos, Price, Qty, Scope,
    Timestamp,
};
use crate::wiring::{ConfigError, Topology};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// When sessions begin.
pub const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);
/// How long everything is well before the books are compared.
const QUIET: Nanos = Nanos::from_secs(120);

/// What came of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What did not hold, first things first.
    pub violations: Vec<Violation>,
    /// Faults that had an effect.
    pub faults: BTreeMap<Fault, u64>,
    /// Messages that the core consumed.
    pub inputs: u64,
    /// New orders, replaces and cancels on the wire.
    pub requests: u64,
    /// New orders approved.
    pub orders: u64,
    /// Fills booked.
    pub fills: u64,
    /// Kills raised.
    pub trips: u64,
    /// Writes begun although a kill forbade them.
    pub after_kill: u64,
    /// Boots.
    pub boots: u32,
    /// Digest of the state at the end.
    pub digest: [u8; 32],
}

/// An agent on a lane of its own: the core knows it by its requests only.
struct Remote {
    dice: Dice,
    id: AgentId,
    account: AccountId,
    seq: u32,
    open: Vec<ClientOrderId>,
    quiet: bool,
}

/// The session.
pub struct World {
    plan: Plan,
    /// The gateway.
    pub process: Process,
    /// The brokers.
    pub brokers: Vec<SimBroker>,
    market: SimMarket,
    watch: Watch,
    remote: Remote,
    dice: Dice,
    now: Timestamp,
    /// How far the gateway's clock is ahead.
    skew: Nanos,
    /// The process is stopped until then.
    stopped: Option<Timestamp>,
    /// A dead process comes back then.
    restart: Option<Timestamp>,
    faults: usize,
    trips: usize,
    latch: Latch,
    arms: ArmDesk,
    batch: Vec<MarketData>,
    records: u64,
    outcome: Outcome,
}

impl World {
    /// A session that has not begun.
    ///
    /// # Errors
    /// The configuration of the plan.
    pub fn new(plan: Plan) -> Result<Self, ConfigError> {
        let topology = Topology::parse("sim", &plan.config(), &registry().vocabulary())?;
        let instruments = topology.names.instruments().clone();
        let process = Process::new(topology.clone());
        let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
        let latch = Latch::open(&folder, true).map_err(|error| ConfigError {
            file: "sim".to_owned(),
            line: 1,
            column: 1,
            message: error.to_string(),
        })?;
        let remote = topology.agents.iter().find(|agent| agent.name == "remote");
        let remote = Remote {
            dice: Dice::new(plan.seed, 5),
            id: remote.map_or(AgentId(u16::MAX), |agent| agent.id),
            account: remote.map_or(AccountId(0), |agent| agent.account),
            seq: 0,
            open: Vec::new(),
            quiet: false,
        };
        Ok(Self {
            brokers: Vec::new(),
            market: SimMarket::new(plan.seed, instruments, plan.records, START),
            watch: Watch::new(&topology),
            process,
            remote,
            dice: Dice::new(plan.seed, 4),
            now: START,
            skew: Nanos(0),
            stopped: None,
            restart: Some(START),
            faults: 0,
            trips: 0,
            latch,
            arms: ArmDesk::default(),
            batch: Vec::new(),
            records: 0,
            outcome: Outcome::default(),
            plan,
        })
    }

    /// Runs the session to its end.
    pub fn run(mut self) -> Outcome {
        let end = START + Nanos(self.plan.records * super::plan::INTERVAL.0);
        while self.outcome.violations.is_empty() && self.market.next < Timestamp::MAX {
            self.step(Timestamp::MAX);
        }
        debug_assert!(self.now <= end + end.since(START));
        self.settle();
        self.finish()
    }

    /// Everything is well from now on, and time passes until it must show.
    fn settle(&mut self) {
        let now = self.now;
        for broker in &mut self.brokers {
            broker.heal(now);
        }
        (self.faults, self.trips) = (self.plan.faults.len(), self.plan.trips.len());
        self.process.disk.fail(DiskFault::None);
        if self.process.disk.failed.load(Ordering::SeqCst) {
            self.process.kill(None);
        }
        if !self.process.is_up() {
            self.restart = Some(now);
        }
        self.stopped = None;
        self.arm();
        let agents = self.process.topology().names.agents().len() as u16;
        for number in AgentId::FIRST..agents {
            let (agent, state) = (AgentId(number), AgentState::Paused);
            self.control(Control::Agent { agent, state });
        }
        let end = now + QUIET;
        while self.outcome.violations.is_empty() && self.step(end) {}
        self.now = end;
        let wall = self.wall();
        self.call(|desk| desk.due_at(wall));
    }

    fn finish(mut self) -> Outcome {
        let commit = |desk: &mut Desk| desk.log.commit().is_ok();
        self.call(commit);
        if self.outcome.violations.is_empty() {
            let (found, inputs) = oracle::judge(&self.process, &self.brokers, &self.watch);
            self.outcome.violations.extend(found);
            self.outcome.inputs = inputs;
        }
        let at = self.now.since(START);
        for violation in &mut self.outcome.violations {
            if violation.at == Nanos(0) {
                violation.at = at;
            }
        }
        for broker in &mut self.brokers {
            for fault in broker.struck.drain(..) {
                *self.outcome.faults.entry(fault).or_default() += 1;
            }
        }
        if let Some(core) = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref()) {
            self.outcome.orders = core.tally().orders;
            self.outcome.fills = core.oms.fills().len() as u64;
        }
        if let Some(desk) = &self.process.desk {
            self.outcome.digest = desk.digest();
        }
        self.outcome.requests = self.watch.requests;
        self.outcome.after_kill = self.watch.after_kill;
        self.outcome.boots = self.process.epoch;
        self.outcome
    }

    /// The gateway's clock.
    fn wall(&self) -> Timestamp {
        self.now + self.skew
    }

    fn gateway_due(&self) -> Timestamp {
        match (&self.process.desk, self.stopped) {
            (_, Some(until)) => until,
            (Some(desk), None) => {
                let due = desk.next_due();
                if due == Timestamp::MAX {
                    due
                } else {
                    Timestamp::from_nanos(due.nanos().saturating_sub(self.skew.0)).max(self.now)
                }
            }
            (None, None) => self.restart.unwrap_or(Timestamp::MAX),
        }
    }

    /// Lets the next thing happen, if it comes before `end`; whether it did.
    pub fn step(&mut self, end: Timestamp) -> bool {
        let fault = self.plan.faults.get(self.faults).map_or(Timestamp::MAX, |f| START + f.at);
        let trip = self.plan.trips.get(self.trips).map_or(Timestamp::MAX, |t| START + t.at);
        let gateway = self.gateway_due();
        let broker = self.brokers.iter().map(SimBroker::next_event).min().unwrap_or(Timestamp::MAX);
        let next = self.market.next.min(fault).min(trip).min(gateway).min(broker);
        if next > end || next == Timestamp::MAX {
            return false;
        }
        self.now = self.now.max(next);
        if next == fault {
            let injection = self.plan.faults[self.faults];
            self.faults += 1;
            self.inject(injection);
        } else if next == trip {
            let trip = self.plan.trips[self.trips];
            self.trips += 1;
            self.trip(trip);
        } else if next == gateway {
            self.gateway();
        } else if next == broker {
            self.broker();
        } else {
            self.quotes();
        }
        true
    }

    fn gateway(&mut self) {
        if self.stopped.take().is_some() {
            // What the feed sent meanwhile is gone.
            let instruments = self.process.topology().names.instruments().len() as u16;
            for number in 0..instruments {
                let instrument = InstrumentId(number);
                let gap = MarketData::Gap(Gap { ts: self.now, instrument, missing: 0 });
                self.market_record(gap);
            }
        }
        if self.process.is_up() {
            let wall = self.wall();
            self.call(|desk| desk.due_at(wall));
        } else if self.restart.take().is_some() {
            self.boot();
        }
    }

    fn boot(&mut self) {
        let wall = self.wall();
        let started = self.process.start(wall, &mut self.latch);
        self.watch.rebooted(self.process.lost_power());
        let (topology, ports) = (self.process.topology(), &self.process.ports);
        if self.brokers.is_empty() {
            let instruments = topology.names.instruments();
            let seed = self.plan.seed;
            self.brokers = (0..ports.len())
                .map(|number| {
                    let accounts = topology.accounts_of(BrokerId(number as u8)).len();
                    let port = Arc::clone(&ports[number]);
                    SimBroker::new(instruments.clone(), accounts, port, seed, number as u64)
                })
                .collect();
        } else {
            for (broker, port) in self.brokers.iter_mut().zip(ports) {
                broker.rewire(Arc::clone(port));
            }
        }
        self.remote.seq = 0;
        self.remote.open.clear();
        if let Err(violation) = started {
            self.fail(violation);
        }
        self.after();
    }

    fn broker(&mut self) {
        let now = self.now;
        let mut any = false;
        for number in 0..self.brokers.len() {
            if self.brokers[number].next_event() <= now {
                self.brokers[number].prices.clone_from(&self.market.prices);
                any |= self.brokers[number].advance(now);
            }
        }
        if any && self.stopped.is_none() {
            let wall = self.wall();
            self.call(|desk| desk.due_at(wall));
        }
    }

    fn quotes(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        self.market.take(self.now, &mut batch);
        for record in batch.drain(..) {
            self.market_record(record);
        }
        self.batch = batch;
        self.records += 1;
        if self.records.is_multiple_of(8) {
            self.call(|desk| desk.log.commit().is_ok());
            if self.dice.chance(500) {
                let disk = &self.process.disk;
                disk.synced.store(disk.written.load(Ordering::SeqCst), Ordering::SeqCst);
            }
        }
        if self.records.is_multiple_of(150) {
            self.arm();
        }
        if self.records.is_multiple_of(400) {
            self.resume_agents();
            if self.process.is_up() && self.process.disk.failed.load(Ordering::SeqCst) {
                // Somebody makes room on the disk and starts the gateway again.
                self.process.kill(None);
                self.died();
            }
        }
        if !self.remote.quiet && self.remote.dice.chance(60) {
            self.remote_acts();
        }
    }

    fn market_record(&mut self, record: MarketData) {
        if self.stopped.is_some() {
            return;
        }
        let wall = self.wall();
        self.call(|desk| desk.market(wall, &record, false));
    }

    /// An operator lets quarantined agents run again.
    fn resume_agents(&mut self) {
        let agents = self.process.topology().names.agents().len() as u16;
        for number in AgentId::FIRST..agents {
            let agent = AgentId(number);
            let core = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref());
            if core.is_some_and(|core| core.risk.halts.agent(agent) == AgentState::Quarantined) {
                self.control(Control::Agent { agent, state: AgentState::Running });
            }
        }
    }

    fn remote_acts(&mut self) {
        let Some(core) = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref()) else {
            return;
        };
        let instruments = core.oms.books.instruments().clone();
        let Remote { dice, id, account, seq, open, .. } = &mut self.remote;
        let request = match open.last().copied() {
            Some(orig_cl_ord_id) if dice.chance(300) => {
                open.pop();
                OrderRequest::Cancel(CancelOrder { orig_cl_ord_id })
            }
            _ => {
                *seq += 1;
                let instrument = InstrumentId(dice.below(instruments.len() as u64) as u16);
                let mark = self.market.prices[instrument.index()];
                let terms = super::agent::random_terms(dice, &instruments, instrument, mark);
                let cl_ord_id =
                    ClientOrderId { instance: 1, epoch: self.process.epoch, agent: *id, seq: *seq };
                open.push(cl_ord_id);
                let intent = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
                let (account, contingent) = (*account, Contingent::None);
                OrderRequest::New(NewOrder {
                    cl_ord_id,
                    account,
                    instrument,
                    intent,
                    terms,
                    contingent,
                    parent: None,
                })
            }
        };
        let from = self.remote.id;
        let wall = self.wall();
        self.call(|desk| desk.deliver(wall, &Input::Request(from, request)));
    }

    fn control(&mut self, control: Control) {
        let wall = self.wall();
        self.call(|desk| desk.deliver(wall, &Input::Control(control)));
    }

    fn scope(&self, place: u64) -> Scope {
        let topology = self.process.topology();
        let at = |count: usize| (place >> 8) % count.max(1) as u64;
        match place % 16 {
            0 => Scope::Global,
            1 | 2 => Scope::Broker(BrokerId(at(topology.brokers.len()) as u8)),
            3..=6 => Scope::Account(AccountId(at(topology.accounts.len()) as u16)),
            7..=11 => Scope::Symbol(InstrumentId(at(topology.names.instruments().len()) as u16)),
            _ => Scope::Agent(AgentId(AgentId::FIRST + at(topology.agents.len()) as u16)),
        }
    }

    fn trip(&mut self, trip: Trip) {
        let scope = self.scope(trip.place);
        if trip.mid_send && self.process.is_up() {
            for port in &self.process.ports {
                let _ = port.trips.push((scope, trip.level));
            }
            return;
        }
        self.process.board.raise(scope, trip.level);
        self.killed(scope, trip.level);
    }

    /// A kill stands on the board: the latch file knows it, the core is told.
    fn killed(&mut self, scope: Scope, level: KillLevel) {
        self.outcome.trips += 1;
        self.watch.decided(level);
        let name = self.process.topology().names.scope_name(scope);
        match self.latch.raise(&name, level, "sim", self.wall()) {
            Ok(trip) => {
                self.watch.tripped(scope, level);
                let (reason, episode) = (trip.reason, trip.episode);
                let kill = KillOrder { scope, level, reason, episode, rule: None };
                self.control(Control::Kill(kill));
            }
            Err(error) => self.fail(Violation::new("I13", error.to_string())),
        }
    }

    /// Kills of the core since the last call: they stand on the board already.
    fn guardian_kills(&mut self) -> Vec<Intervention> {
        let mut kills = Vec::new();
        if let Some(desk) = &mut self.process.desk {
            while let Some(notice) = desk.next_notice() {
                if let Notice::Intervened(done) = notice
                    && let Act::Kill { level, .. } = done.act
                {
                    self.watch.decided(level);
                    kills.push(done);
                }
            }
        }
        kills
    }

    /// The latch file takes them.
    fn keep(&mut self, kills: Vec<Intervention>) {
        for Intervention { rule, scope, act } in kills {
            let Act::Kill { level, episode, cool_off } = act else { continue };
            self.outcome.trips += 1;
            self.watch.tripped(scope, level);
            let name = self.process.topology().names.scope_name(scope);
            let (reason, since, rule) = (rule.name().to_owned(), self.wall(), Some(rule));
            let trip = LatchTrip { scope: name, level, reason, episode, since, rule, cool_off };
            if let Err(error) = self.latch.record(trip) {
                self.fail(Violation::new("I13", error.to_string()));
            }
        }
    }

    /// An operator arms what may be armed, in two steps.
    fn arm(&mut self) {
        if !self.process.is_up() || self.remote.quiet {
            return;
        }
        let now = self.wall();
        for trip in self.latch.trips().to_vec() {
            let names = &self.process.topology().names;
            let Ok(scope) = names.scope(&trip.scope) else { continue };
            let named = (scope, trip.scope.as_str());
            let random = self.dice.below(u64::MAX).to_le_bytes();
            let Ok(code) = self.arms.request(&self.latch, named, "found", "", random, now) else {
                continue;
            };
            let board = &self.process.board;
            let done = self.arms.confirm(&mut self.latch, board, &code, "", now);
            if let Ok((scope, trip, reason)) = done {
                self.watch.armed(scope);
                let level = KillLevel::Normal;
                let arm =
                    KillOrder { scope, level, reason, episode: trip.episode, rule: trip.rule };
                self.control(Control::Arm(arm));
            }
        }
    }

    fn inject(&mut self, injection: Injection) {
        let Injection { fault, place, .. } = injection;
        let mut strike = || *self.outcome.faults.entry(fault).or_default() += 1;
        match fault {
            Fault::Kill9 => {
                if self.process.is_up() {
                    strike();
                    self.process.fuse.light((place % 60) as u32);
                }
            }
            Fault::PowerLoss => {
                if self.process.is_up() {
                    strike();
                    self.process.kill(Some(place));
                    self.died();
                }
            }
            Fault::Stopped => {
                strike();
                self.stopped = Some(self.now + Nanos::from_millis(1_000 + place % 29_000));
            }
            Fault::QueueFull => {
                strike();
                for port in &self.process.ports {
                    port.full.store(1 + (place % 3) as u32, Ordering::SeqCst);
                }
            }
            Fault::DiskFull | Fault::DiskError => {
                strike();
                let kind = match (fault, place % 2) {
                    (Fault::DiskFull, _) => DiskFault::Full,
                    (_, 0) => DiskFault::Short,
                    _ => DiskFault::Sync,
                };
                self.process.disk.fail(kind);
            }
            Fault::ClockStep => {
                strike();
                self.skew = Nanos(self.skew.0 + 1_000_000 * (1 + place % 3_600_000));
            }
            Fault::AgentPanic
            | Fault::MarketGap
            | Fault::MarketSilent
            | Fault::MarketDuplicate
            | Fault::MarketOld
            | Fault::MarketCrossed
            | Fault::MarketJump
            | Fault::MarketHalt => {
                strike();
                self.market.inject(self.now, fault);
            }
            _ => {
                let count = self.brokers.len().max(1) as u64;
                let now = self.now;
                if let Some(broker) = self.brokers.get_mut((place % count) as usize) {
                    broker.prices.clone_from(&self.market.prices);
                    broker.inject(now, fault);
                }
            }
        }
    }

    /// The process is gone: somebody starts it again.
    fn died(&mut self) {
        self.restart = Some(self.now + Nanos::from_millis(self.dice.between(100, 5_000)));
        self.after();
    }

    /// Lets the gateway do something, and looks at all that came of it.
    fn call<R>(&mut self, act: impl FnOnce(&mut Desk) -> R) {
        let up = self.process.is_up();
        match self.process.call(act) {
            Ok(Some(_)) => self.after(),
            Ok(None) if up => self.died(),
            Ok(None) => {}
            Err(violation) => {
                self.fail(violation);
                self.after();
            }
        }
    }

    fn after(&mut self) {
        let (now, wall, epoch) = (self.now, self.wall(), self.process.epoch);
        let mut sent: Vec<Sent> = Vec::new();
        let mut tripped = Vec::new();
        let mut found = Vec::new();
        // A flatten and its exits come in one step; what else went out in it came before.
        let kills = self.guardian_kills();
        while let Some((broker, outbound)) = self.process.outbox.pop() {
            match &outbound {
                Outbound::Order(write) => {
                    sent.extend(self.watch.wrote(wall, epoch, write, &mut found));
                }
                Outbound::Tripped(scope, level) => {
                    self.watch.tripped(*scope, *level);
                    tripped.push((*scope, *level));
                }
                _ => {}
            }
            if let Some(broker) = self.brokers.get_mut(broker.index()) {
                broker.on_outbound(now, outbound);
            }
        }
        if let Some(desk) = &self.process.desk {
            self.watch.inspect(desk, &self.process.board, &sent, &mut found);
        }
        for violation in found {
            self.fail(violation);
        }
        self.keep(kills);
        for (scope, level) in tripped {
            self.killed(scope, level);
        }
        self.disk();
    }

    /// As the live driver: who cannot journal cannot trade.
    fn disk(&mut self) {
        let failed = self.process.desk.as_ref().is_some_and(|desk| desk.log.has_failed());
        if failed && self.watch.levels.get(&Scope::Global) < Some(&KillLevel::Block) {
            self.process.board.raise(Scope::Global, KillLevel::Block);
            self.killed(Scope::Global, KillLevel::Block);
        }
    }

    /// The remote agent does nothing of its own.
    pub fn remote_is_quiet(&mut self) {
        self.remote.quiet = true;
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.outcome.violations.is_empty() && self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Nanos {
        self.now.since(START)
    }

    /// Ends the session.
    pub fn end(mut self) -> Outcome {
        self.settle();
        self.finish()
    }

    /// The middle of an instrument's market.
    pub fn mark(&self, instrument: InstrumentId) -> Price {
        self.market.prices[instrument.index()]
    }

    /// Its price step.
    pub fn tick(&self, instrument: InstrumentId) -> Price {
        self.process.topology().names.instruments().get(instrument).tick
    }

    /// Its size step.
    pub fn lot(&self, instrument: InstrumentId) -> Qty {
        self.process.topology().names.instruments().get(instrument).lot
    }

    /// The remote agent's next order name.
    pub const fn next_id(&mut self) -> ClientOrderId {
        self.remote.seq += 1;
        let (epoch, agent, seq) = (self.process.epoch, self.remote.id, self.remote.seq);
        ClientOrderId { instance: 1, epoch, agent, seq }
    }

    /// The remote agent asks for something.
    pub fn request(&mut self, request: OrderRequest) {
        let (from, wall) = (self.remote.id, self.wall());
        self.call(|desk| desk.deliver(wall, &Input::Request(from, request)));
    }

    /// The market fills an order at the first broker.
    pub fn fill(&mut self, id: ClientOrderId, qty: Qty) {
        let now = self.now;
        // What was sent is on its way: a moment later the broker has it.
        self.run_for(Nanos::from_millis(5));
        if let Some(broker) = self.brokers.first_mut() {
            broker.prices.clone_from(&self.market.prices);
            broker.fill_order(now, id, qty);
        }
    }

    /// The first broker holds more of the first instrument, and nobody knows since when.
    pub fn endow(&mut self, qty: Qty) {
        if let Some(broker) = self.brokers.first_mut() {
            *broker.ledger.positions.entry((AccountId(0), InstrumentId(0))).or_default() += qty;
        }
    }

    /// A fault at the first broker or in the process, now.
    pub fn strike(&mut self, fault: Fault) {
        self.inject(Injection { at: self.elapsed(), fault, place: 0 });
    }

    /// `kill -9`.
    pub fn crash(&mut self) {
        self.process.kill(None);
        self.died();
    }

    /// The power fails.
    pub fn crash_losing_power(&mut self) {
        self.process.kill(Some(0));
        self.died();
    }

    /// An operator raises a kill.
    pub fn kill(&mut self, scope: Scope, level: KillLevel) {
        self.process.board.raise(scope, level);
        self.killed(scope, level);
    }

    /// Requests on the wire so far.
    pub const fn requests(&self) -> u64 {
        self.watch.requests
    }

    fn fail(&mut self, mut violation: Violation) {
        violation.at = self.now.since(START);
        self.outcome.violations.push(violation);
    }
}

/// Runs a plan.
///
/// # Errors
/// The configuration of the plan.
pub fn run(plan: Plan) -> Result<Outcome, ConfigError> {
    Ok(World::new(plan)?.run())
}
