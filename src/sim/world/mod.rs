//! One session: the process, the brokers, the market and the operator on one virtual clock. Whatever
//! is due first happens next, so a seed is a session.

mod corporate;
mod ending;
mod faults;
mod operator;
mod remote;
mod stage;

use super::alpaca::AlpacaServer;
use super::broker::SimBroker;
use super::dice::Dice;
use super::fault::Fault;
use super::market::SimMarket;
use super::plan::Plan;
use super::port::Outbound;
use super::process::{Process, registry};
use super::truth;
use super::watch::{Sent, Violation, Watch};
use crate::desk::Desk;
use crate::disk::{Folder, MemoryFolder};
use crate::kill::{ArmDesk, Latch};
use crate::msg::{Gap, MarketData};
use crate::types::{AccountId, AgentId, BrokerId, ClientOrderId, InstrumentId, Nanos, Timestamp};
use crate::wiring::{ConfigError, Topology};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// When sessions begin.
pub const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);
/// How long everything is well before the books are compared.
const QUIET: Nanos = Nanos::from_secs(120);
/// Far more than any session has: one that needs more runs in a circle.
const MOST_STEPS: u64 = 400_000;

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
    /// The broker of a session at an Alpaca account; [`Self::brokers`] is empty then.
    alpaca: Option<AlpacaServer>,
    market: SimMarket,
    watch: Watch,
    remote: Remote,
    splits: corporate::Splits,
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
    /// Where the latch file is.
    folder: Arc<dyn Folder>,
    arms: ArmDesk,
    batch: Vec<MarketData>,
    records: u64,
    /// The last call was a price and nothing else.
    priced: bool,
    /// Looks at what came of a call.
    looks: u64,
    steps: u64,
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
            alpaca: None,
            market: SimMarket::new(plan.seed, instruments, plan.records, START),
            watch: Watch::new(&topology, plan.alpaca.is_some()),
            process,
            remote,
            splits: corporate::Splits::default(),
            dice: Dice::new(plan.seed, 4),
            now: START,
            skew: Nanos(0),
            stopped: None,
            restart: Some(START),
            faults: 0,
            trips: 0,
            latch,
            folder,
            arms: ArmDesk::default(),
            batch: Vec::new(),
            records: 0,
            priced: false,
            looks: 0,
            steps: 0,
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
        let alpaca = self.alpaca.as_ref().map_or(Timestamp::MAX, AlpacaServer::next_event);
        let broker = broker.min(alpaca);
        let next = self.market.next.min(fault).min(trip).min(gateway).min(broker);
        if next > end || next == Timestamp::MAX {
            return false;
        }
        self.now = self.now.max(next);
        self.steps += 1;
        if self.steps > MOST_STEPS {
            self.fail(Violation::new("I22", format!("{MOST_STEPS} steps and no end")));
            return false;
        }
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
        // What of the kills survives is what the file says.
        match Latch::open(&self.folder, false) {
            Ok(latch) => self.latch = latch,
            Err(error) => self.fail(Violation::new("I13", error.to_string())),
        }
        let started = self.process.start(wall, &mut self.latch);
        self.watch.rebooted(self.process.lost_power());
        let (topology, ports) = (self.process.topology(), &self.process.ports);
        if let Some(rate) = self.plan.alpaca {
            let port = &ports[0];
            match &mut self.alpaca {
                Some(server) => server.rewire(port),
                None => {
                    let instruments = topology.names.instruments();
                    let (seed, records) = (self.plan.seed, self.plan.records);
                    let market = SimMarket::new(seed, instruments.clone(), records, START);
                    let login = (seed, rate);
                    match AlpacaServer::new(login, instruments, market, port, self.now) {
                        Ok(server) => self.alpaca = Some(server),
                        Err(why) => self.fail(Violation::new("boot", why)),
                    }
                }
            }
        } else if self.brokers.is_empty() {
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
        // A kill that only the journal knew stands again.
        for trip in self.latch.trips() {
            if let Ok(scope) = self.process.topology().names.scope(&trip.scope) {
                self.watch.tripped(scope, trip.level);
                self.watch.decided(trip.level, trip.episode);
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
        match self.alpaca.as_mut().map(|server| server.advance(now)).transpose() {
            Ok(heard) => any |= heard.unwrap_or_default(),
            Err(why) => self.fail(Violation::new("venue", why)),
        }
        if any && self.stopped.is_none() {
            let wall = self.wall();
            self.call(|desk| desk.due_at(wall));
        }
    }

    fn quotes(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        self.try_split();
        self.tell_splits();
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
        self.watch.shown.hear(wall, &record);
        self.priced = true;
        self.call(|desk| desk.market(wall, &record, false));
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
        let moved = !std::mem::take(&mut self.priced);
        let mut sent: Vec<Sent> = Vec::new();
        let mut tripped = Vec::new();
        let mut found = Vec::new();
        // A flatten and its exits come in one step; what else went out in it came before.
        let kills = self.guardian_kills(&mut found);
        while let Some((broker, outbound)) = self.process.outbox.pop() {
            match &outbound {
                Outbound::Order(write) if self.alpaca.is_some() => {
                    self.watch.began(wall, epoch, write, write.request, &mut found);
                }
                Outbound::Order(write) => {
                    sent.extend(self.watch.wrote(wall, epoch, write, &mut found));
                }
                Outbound::Tripped(scope, level) => {
                    self.watch.tripped(*scope, *level);
                    tripped.push((*scope, *level));
                }
                _ => {}
            }
            if let Some(server) = &mut self.alpaca {
                server.on_outbound(now, outbound, &mut found);
            } else if let Some(broker) = self.brokers.get_mut(broker.index()) {
                broker.on_outbound(now, outbound);
            }
        }
        if let Some(desk) = &self.process.desk {
            self.watch.exited(&mut found);
            self.watch.ratchet(&self.process.board, &mut found);
            // A price alone moves no order; what it might is seen a few records later.
            self.looks += 1;
            if moved || !sent.is_empty() || self.looks.is_multiple_of(8) {
                self.watch.inspect(wall, desk, &sent, &mut found);
                if let Some(core) = &desk.lane.core {
                    truth::compare(core, &self.brokers, &mut found);
                }
            }
            if let Some(core) = &desk.lane.core {
                self.watch.owed((wall, now), core, &mut found);
                if self.looks.is_multiple_of(4) {
                    self.watch.agents(core, &mut found);
                }
            }
        }
        let given = self.process.ports.iter().map(|port| port.snapshots.load(Ordering::SeqCst));
        self.watch.duty.given(given);
        for violation in found {
            self.fail(violation);
        }
        self.keep(kills);
        for (scope, level) in tripped {
            self.killed(scope, level);
        }
        self.disk();
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
