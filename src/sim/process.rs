//! The gateway's process in a session: a desk, its journal, its links; killed and started again.

use super::agent;
use super::alpaca::{self, QueueLink};
use super::port::{Crash, DiskState, Fuse, Outbox, Port, SimDisk, SimLink};
use super::watch::Violation;
use crate::actors::risk::halts::Kill;
use crate::broker::{Credentials, SandboxConfig, SandboxSession};
use crate::desk::{Desk, Link, Rerun};
use crate::journal::{Durability, EntryReader, Header, HeaderKind, Log, World};
use crate::kill::{KillBoard, Latch, Trip};
use crate::msg::{Control, Input, KillOrder};
use crate::types::{BrokerId, Scope, Timestamp};
use crate::wiring::{Registry, Topology, Venue, remembered_desk};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Tag of the simulated state folder.
const INSTANCE: u32 = 1;

/// The kinds of agents that a session uses.
pub fn registry() -> Registry {
    Registry::standard().agent(agent::KIND, agent::build)
}

/// The process.
pub struct Process {
    topology: Topology,
    registry: Registry,
    /// What it runs; `None` while it is dead.
    pub desk: Option<Desk>,
    /// The kill board of this boot.
    pub board: Arc<KillBoard>,
    /// The journal's disk of this boot.
    pub disk: Arc<DiskState>,
    /// What ends the process.
    pub fuse: Arc<Fuse>,
    /// To the brokers.
    pub ports: Vec<Arc<Port>>,
    /// What the links said.
    pub outbox: Arc<Outbox>,
    /// The journal's files, the last one of this boot.
    pub segments: Vec<Vec<u8>>,
    lost: bool,
    /// Boots so far.
    pub epoch: u32,
}

impl Process {
    /// A process that has not started.
    pub fn new(topology: Topology) -> Self {
        let board = topology.kill_board();
        Self {
            topology,
            registry: registry(),
            desk: None,
            board,
            disk: Arc::default(),
            fuse: Arc::default(),
            ports: Vec::new(),
            outbox: Arc::new(Outbox::new(1 << 14)),
            segments: Vec::new(),
            lost: false,
            epoch: 0,
        }
    }

    /// The configuration.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Runs the whole journal again on a new desk.
    ///
    /// # Errors
    /// The journal cannot be read, or says other than the rerun.
    pub fn rerun(&self) -> Result<Desk, Violation> {
        let broken = |what: String| Violation::new("I17", what);
        let mut desk = remembered_desk(&self.topology, &self.registry)
            .map_err(|error| broken(error.to_string()))?;
        let mut difference = None;
        for bytes in &self.segments {
            // A boot that was killed before its header was whole left nothing.
            let Ok(mut reader) = EntryReader::open(bytes.as_slice()) else { continue };
            let mut rerun = Rerun::new(&mut desk, None, false);
            let mut seq = 0;
            // A torn tail is what a kill leaves behind.
            while let Ok(Some(entry)) = reader.next_record() {
                rerun.apply(seq, &entry).map_err(|error| broken(error.to_string()))?;
                seq += 1;
            }
            difference = difference.or(rerun.difference);
        }
        match difference {
            None => Ok(desk),
            Some(found) => Err(broken(format!(
                "entry {}: the journal says {}, the rerun {}",
                found.seq, found.expected, found.actual
            ))),
        }
    }

    /// Starts, or starts again by the boot path.
    ///
    /// # Errors
    /// The journal cannot be run again.
    pub fn start(&mut self, at: Timestamp, latch: &mut Latch) -> Result<(), Violation> {
        let mut desk = self.rerun()?;
        // As the live boot: a kill that only the journal knows stands as well.
        let names = &self.topology.names;
        let journaled: Vec<_> =
            desk.lane.core.iter().flat_map(|core| core.risk.halts.kills()).collect();
        for (scope, kill) in journaled {
            let Kill { level, episode, since, rule, cool_off } = kill;
            let (scope, reason) = (names.scope_name(scope), "known from the journal".to_owned());
            latch
                .record(Trip { scope, level, reason, episode, since, rule, cool_off })
                .map_err(|error| Violation::new("I13", error.to_string()))?;
        }
        let mut kills = Vec::new();
        for trip in latch.trips() {
            let scope = names.scope(&trip.scope).unwrap_or(Scope::Global);
            let (level, reason) = (trip.level, trip.reason.clone());
            kills.push(KillOrder { scope, level, reason, episode: trip.episode, rule: trip.rule });
        }
        self.epoch += 1;
        self.board = self.topology.kill_board();
        (self.disk, self.fuse) = (Arc::default(), Arc::default());
        self.segments.push(Vec::new());
        for kill in kills.iter() {
            self.board.raise(kill.scope, kill.level);
        }
        let header = Header::new(
            HeaderKind::Journal {
                build: "sim".to_owned(),
                config: self.topology.source().text().to_owned(),
                feed: None,
                world: World::Open,
                follows: 0,
                anew: false,
            },
            self.topology.names.instruments().clone(),
        );
        let disk = SimDisk::new(Arc::clone(&self.disk), Arc::clone(&self.fuse));
        let log = Log::create(Box::new(disk), &header, Durability::Process)
            .map_err(|error| Violation::new("boot", error.to_string()))?;
        let mut links: Vec<Box<dyn Link>> = Vec::new();
        self.ports = (0..self.topology.brokers.len())
            .map(|number| Arc::new(Port::new(BrokerId(number as u8), Arc::clone(&self.outbox))))
            .collect();
        for (number, port) in self.ports.iter().enumerate() {
            let broker = BrokerId(number as u8);
            let writer = self
                .board
                .writer(broker)
                .ok_or_else(|| Violation::new("boot", "two writers".to_owned()))?;
            if matches!(self.topology.brokers[number].venue, Venue::Alpaca(_)) {
                let (key, secret) = (alpaca::KEY.to_owned(), alpaca::SECRET.to_owned());
                let credentials = Credentials::Keys { key, secret };
                let oms = desk.lane.core.as_ref().map(|core| &core.oms);
                let session = self
                    .topology
                    .alpaca_session(broker, credentials, oms, at)
                    .map_err(|why| Violation::new("boot", why))?;
                links.push(Box::new(QueueLink::new(
                    session.make(),
                    writer,
                    Arc::clone(&self.board),
                    Arc::clone(port),
                    Arc::clone(&self.disk),
                    Arc::clone(&self.fuse),
                )));
                continue;
            }
            let config = SandboxConfig::tcp("sim", self.topology.accounts_of(broker));
            let session = SandboxSession::new(config, self.topology.names.instruments().clone());
            links.push(Box::new(SimLink::new(
                session,
                writer,
                Arc::clone(&self.board),
                Arc::clone(port),
                Arc::clone(&self.disk),
                Arc::clone(&self.fuse),
            )));
        }
        desk.go_live(log, Some(links), true);
        desk.guard(Arc::clone(&self.board));
        self.desk = Some(desk);
        let epoch = self.epoch;
        self.call(|desk| {
            desk.boot(at, INSTANCE, epoch);
            for kill in kills {
                desk.deliver(at, &Input::Control(Control::Kill(kill)));
            }
        })
        .map(|_| ())
    }

    /// Lets the process do something; `Ok(None)` if it is dead, before or after.
    ///
    /// # Errors
    /// It panicked.
    pub fn call<R>(&mut self, act: impl FnOnce(&mut Desk) -> R) -> Result<Option<R>, Violation> {
        let Some(desk) = &mut self.desk else { return Ok(None) };
        let done = catch_unwind(AssertUnwindSafe(|| act(desk)));
        self.keep();
        match done {
            Ok(done) => Ok(Some(done)),
            Err(payload) => {
                self.desk = None;
                if payload.is::<Crash>() {
                    return Ok(None);
                }
                let what = payload
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default();
                Err(Violation::new("I21", format!("the core panicked: {what}")))
            }
        }
    }

    /// Moves what was written to the journal's file.
    fn keep(&mut self) {
        if let Some(segment) = self.segments.last_mut() {
            while let Some(chunk) = self.disk.chunks.pop() {
                segment.extend_from_slice(&chunk);
            }
        }
    }

    /// Kills it between two calls. With the power, everything goes that was not synced; `keep` of
    /// those bytes reached the disk all the same.
    pub fn kill(&mut self, power: Option<u64>) {
        self.desk = None;
        self.keep();
        if let (Some(keep), Some(segment)) = (power, self.segments.last_mut()) {
            self.lost = true;
            let synced = self.disk.synced.load(Ordering::SeqCst);
            let lost = (segment.len() as u64).saturating_sub(synced);
            let left = synced + keep.checked_rem(lost + 1).unwrap_or(0);
            segment.truncate(left as usize);
        }
    }

    /// A power loss took records.
    pub const fn lost_power(&self) -> bool {
        self.lost
    }

    /// Runs.
    pub const fn is_up(&self) -> bool {
        self.desk.is_some()
    }
}
