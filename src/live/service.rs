//! Puts a gateway together and runs it: state folder, recovery, journal, lanes, feeds, brokers,
//! keepers.

use super::audit::{Act, Audit};
use super::behind::{self, Behind};
use super::clock::Clock;
use super::edge::{RemoteEdge, RequestEdge, Waker};
use super::feed_io::FeedEnd;
use super::handle::{Handle, Shared};
use super::journal_file::{JournalFile, Turns};
use super::keeper::Keeper;
use super::lane::{Ask, Boot, CoreLane, Snapshots, Stop};
use super::launch::{Brokers, Plan, agent_lanes, escalation, feeds, launch_broker, start_core};
use super::recover::{RecoverError, Recovered, recover};
use super::state::{StateError, StateFolder};
use super::watch;
use crate::desk::Desk;
use crate::desk::{segments, snapshot};
use crate::feed::{FeedError, Speed};
use crate::journal::{Header, HeaderKind, Log, World};
use crate::kill::{ArmDesk, Latch, LatchError, Trip};
use crate::msg::KillOrder;
use crate::types::{KillLevel, Scope};
use crate::wiring::{AssemblyError, ConfigError, LaneId, ReferenceFeed, Registry, Topology};
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
use hdrhistogram::Histogram;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state folder.
    pub state: PathBuf,
    /// A recording in place of the configured feeds.
    pub file: Option<PathBuf>,
    /// How fast files and seeds pass.
    pub speed: Speed,
}

/// Why a gateway could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The boot path.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A broker's credentials.
    #[error("{0}")]
    Broker(String),
    /// The same, when put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// A feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The kill state cannot be kept.
    #[error(transparent)]
    Latch(#[from] LatchError),
    /// The operating system.
    #[error("{0}: {1}")]
    Io(&'static str, io::Error),
    /// The configuration has no feed and no recording was named.
    #[error("no feed: name a recording or add a [[feed]]")]
    NoFeed,
    /// Two feeds of files or seeds have no common clock.
    #[error("a recording or generated feed runs alone: `{0}` is one more feed")]
    MixedFeeds(String),
    /// A feed broke off; what it gave before was traded and journaled.
    #[error("{0}; all before it is in the journal")]
    FeedFailed(String),
    /// The journal could not be written; from there on nothing but cancels left.
    #[error("the journal could not be written, and trading was blocked: see runbooks/crash.md")]
    JournalFailed,
    /// The core panicked. All open orders were asked to be cancelled.
    #[error("the core panicked; open orders were cancelled at the brokers, see runbooks/crash.md")]
    CorePanicked,
}

/// A running gateway.
pub struct Service {
    handle: Handle,
    ended: Arc<AtomicBool>,
    end: Receiver<Option<Desk>>,
    feeds: Vec<Arc<FeedEnd>>,
    _keepers: Vec<Addr<Keeper>>,
    folder: StateFolder,
}

impl Service {
    /// Starts everything. Call it inside an actix system.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing is left running then but threads that end by themselves.
    pub fn start(
        topology: &Topology,
        registry: &Registry,
        options: &Options,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Self, ServiceError> {
        let folder = StateFolder::open(&options.state)?;
        let clock = Clock::new();
        let feed = reference(topology, options)?;
        let inline = topology.agents.iter().all(|agent| agent.lane == LaneId::CORE);
        let world = if feed.is_some() && inline && topology.is_closed() {
            World::Closed
        } else {
            World::Open
        };
        let recovered = recover(folder.disk.as_ref(), topology, registry, world, feed, watch)?;
        let header = header(topology, recovered.feed.as_ref(), world, &recovered);
        let reference = recovered.feed.as_ref().map(|open| (open.name.clone(), open.digest));
        let Recovered { mut desk, feed, board, cut, notes, .. } = recovered;
        for note in notes {
            tracing::warn!(note, "the boot begins further back");
        }
        for (file, bytes) in cut {
            // What a kill leaves behind: nothing in it had left, a record comes before its bytes.
            tracing::warn!(file, bytes, "the journal's torn tail was cut off");
        }

        if let Some(core) = &desk.lane.core {
            board.set_limits(core.risk.limits_version());
        }

        let mut latch = match Latch::open(&folder.disk, false) {
            Ok(latch) => latch,
            Err(why) => {
                tracing::error!(%why, "kill state not trusted: globally blocked");
                Latch::distrusted(&folder.disk, &why, clock.now())?
            }
        };
        // A kill that the journal knows and the file does not: the guardian decided it and the file was
        // not written in time, the file was lost, or its arm was cut off half-way. It stands until an
        // operator arms it.
        let journaled: Vec<_> = desk
            .lane
            .core
            .iter()
            .flat_map(|core| core.risk.halts.kills().collect::<Vec<_>>())
            .collect();
        for (scope, kill) in journaled {
            latch.record(Trip {
                scope: topology.names.scope_name(scope),
                level: kill.level,
                reason: "known from the journal, not from the file".to_owned(),
                episode: kill.episode,
                since: kill.since,
                rule: kill.rule,
                cool_off: kill.cool_off,
            })?;
        }
        let audit = Audit::of(folder.path());
        if let Err(why) = audit.verify(|_| ()) {
            tracing::error!(%why, "audit file not trusted: globally blocked");
            let reason = format!("audit file not trusted: {why}");
            latch.raise("global", KillLevel::Block, &reason, clock.now())?;
        }
        // Left by hand or by `qtos kill --direct`, before anything can be sent.
        if folder.path().join("KILL").exists() {
            latch.raise("global", KillLevel::Cancel, "KILL file", clock.now())?;
        }
        let standing = latch.trips().iter().map(|trip| trip.level).max().unwrap_or_default();
        let boot = Act::new("gateway", "boot", format!("boot {}", folder.identity.epoch), "");
        audit.note(clock.now(), boot.changed("", standing));
        let mut kills = Vec::new();
        for trip in latch.trips() {
            // A scope that the configuration does not name any more cannot be told from one that it
            // renamed: its kill covers everything until an operator looks.
            let scope = topology.names.scope(&trip.scope).unwrap_or(Scope::Global);
            board.raise(scope, trip.level);
            kills.push(KillOrder {
                scope,
                level: trip.level,
                reason: trip.reason.clone(),
                episode: trip.episode,
                rule: trip.rule,
            });
        }

        let io = |what| move |error| ServiceError::Io(what, error);
        behind::prune(folder.disk.as_ref(), registry, topology.keep);
        let number = segments::next_number(folder.disk.as_ref()).map_err(RecoverError::from)?;
        let turns = turns(topology, registry, &folder, world, &header);
        let (file, sync) = JournalFile::create(&folder.disk, folder.path(), number, turns)
            .map_err(io("journal"))?;
        let log =
            Log::create(Box::new(file), &header, topology.durability).map_err(io("journal"))?;

        let stop = Arc::new(Stop::default());
        let threads_stop = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(Waker::default());
        let requests = RequestEdge::new(Arc::clone(&waker));
        let asks: Arc<ArrayQueue<Ask>> = Arc::new(ArrayQueue::new(1024));
        let mut plan = Plan {
            statuses: Vec::new(),
            keepers: Vec::new(),
            merged: Vec::new(),
            feeds: Vec::new(),
        };

        let core = desk.lane.core.as_ref();
        let brokers = Brokers::plan(
            topology,
            (core.map(|core| &core.oms), folder.identity.instance),
            world,
            &board,
            (&waker, &threads_stop),
            &mut plan,
        )?;
        let Brokers { links, commands, figures, actors } = brokers;
        let lanes = agent_lanes(topology, registry, &desk, &mut plan)?;
        let programs = topology.entry.is_some().then(|| {
            Arc::new(RemoteEdge::new(topology.remote_agents().map(|agent| agent.id).collect()))
        });
        let hear = !lanes.is_empty() || programs.is_some();
        desk.go_live(log, (world == World::Open).then_some(links), hear);
        desk.guard(Arc::clone(&board));
        let notices = Arc::new(ArrayQueue::new(256));

        let core_status = plan.status("lane:core".to_owned());
        let feeds =
            feeds(topology, options, (feed, desk.position()), &waker, &threads_stop, &mut plan)?;
        let handle = Handle::new(Shared {
            topology: topology.clone(),
            board: Arc::clone(&board),
            asks: Arc::clone(&asks),
            waker: Arc::clone(&waker),
            stop: Arc::clone(&stop),
            brokers: commands,
            journal: Arc::clone(&sync),
            clock,
            operator: AtomicU32::new(1),
            instance: folder.identity.instance,
            epoch: folder.identity.epoch,
            latch: Mutex::new(latch),
            arm: Mutex::new(ArmDesk::default()),
            limits: Mutex::default(),
            audit,
            notices: Arc::clone(&notices),
            remote: programs.clone(),
            watched: AtomicU64::new(0),
            statuses: plan.statuses.clone(),
            merged: plan.merged.clone(),
            feeds: plan.feeds.clone(),
            sessions: figures,
        });

        for parts in actors {
            let escalate = escalation(handle.clone(), Scope::Broker(parts.broker));
            let status = Arc::clone(&parts.status);
            let start = Box::new(move |guard| launch_broker(parts.clone(), guard));
            plan.keep(topology, status, start, escalate);
        }

        let feed_ends = feeds.iter().map(|(_, feed)| Arc::clone(&feed.end)).collect();
        let mut inlets = Vec::new();
        let mut feeders = Vec::new();
        for (status, feed) in feeds {
            let (inlet, start) = feed.split();
            inlets.push(inlet);
            feeders.extend(start.map(|start| (status, start)));
        }
        let snapshots = (world == World::Open).then(|| Snapshots {
            state: Arc::clone(&folder.disk),
            setting: snapshot::Setting {
                config: topology.source().text().to_owned(),
                feed: reference,
            },
        });
        let core = CoreLane {
            desk,
            world,
            snapshots,
            feeds: inlets,
            requests: requests.clone(),
            lanes: lanes.iter().map(|lane| lane.out(topology)).collect(),
            remote: programs,
            notices,
            asks,
            waker,
            board: Arc::clone(&board),
            sync,
            status: Arc::clone(&core_status),
            idle: topology.lanes.first().map(|lane| lane.idle).unwrap_or_default(),
            stop,
            boot: Boot { instance: folder.identity.instance, epoch: folder.identity.epoch, kills },
            latency: Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(|error| {
                ServiceError::Io("histogram", io::Error::other(error.to_string()))
            })?,
        };
        let (report_end, end) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        start_core(core, report_end, &core_status, topology, &mut plan);
        for lane in lanes {
            lane.start(topology, registry, &requests, &threads_stop, &handle, &mut plan);
        }
        for (status, start) in feeders {
            let escalate = escalation(handle.clone(), Scope::Global);
            plan.keep(topology, status, start, escalate);
        }
        watch::start(handle.clone(), folder.path().to_path_buf(), Arc::clone(&ended))
            .map_err(io("signals"))?;
        let threads = Arc::clone(&threads_stop);
        let ending = Arc::clone(&ended);
        std::thread::spawn(move || {
            while !ending.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            threads.store(true, Ordering::SeqCst);
        });
        Ok(Self { handle, ended, end, feeds: feed_ends, _keepers: plan.keepers, folder })
    }

    /// The control plane's end.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The desk once the run has ended; `None` while it goes on.
    ///
    /// # Errors
    /// [`ServiceError::CorePanicked`], [`ServiceError::FeedFailed`].
    pub fn ended(&self, wait: Duration) -> Result<Option<Desk>, ServiceError> {
        let note = |after| {
            self.handle.note(Act::new("gateway", "stop", "global", "").changed("", after));
        };
        match self.end.recv_timeout(wait) {
            Ok(Some(desk)) => {
                note("ended");
                self.ended.store(true, Ordering::SeqCst);
                // A watchdog cancels for every end that does not say this.
                let core = desk.lane.core.as_ref();
                if core.is_none_or(|core| core.oms.open().next().is_none())
                    && let Err(error) = self.folder.note_clean_end()
                {
                    tracing::warn!(%error, "the end could not be noted: a watchdog will cancel");
                }
                match self.feeds.iter().find_map(|feed| feed.failed.get()) {
                    _ if desk.log.has_failed() => Err(ServiceError::JournalFailed),
                    Some(why) => Err(ServiceError::FeedFailed(why.clone())),
                    None => Ok(Some(desk)),
                }
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Ok(None) | Err(RecvTimeoutError::Disconnected) => {
                // Decision 9: cancel everything, then leave; the boot path takes it from there.
                let cancels = self.handle.cancel_without_core(KillLevel::Cancel);
                note("the core panicked");
                std::thread::sleep(Duration::from_millis(500));
                if let Some(cancels) = cancels {
                    // It has a bound of its own, and says in the log what came of it.
                    let _ = cancels.join();
                }
                self.ended.store(true, Ordering::SeqCst);
                Err(ServiceError::CorePanicked)
            }
        }
    }
}

/// How the journal goes on in further files. In an open world each that has ended gets a snapshot.
fn turns(
    topology: &Topology,
    registry: &Registry,
    folder: &StateFolder,
    world: World,
    header: &Header,
) -> Turns {
    let behind = Behind {
        state: Arc::clone(&folder.disk),
        registry: registry.clone(),
        keep: topology.keep,
        busy: Arc::default(),
    };
    let ended: Box<dyn FnMut(u32) + Send> = match world {
        World::Open => Box::new(move |number| behind.ended(number)),
        World::Closed => Box::new(|_| ()),
    };
    Turns { rotation: topology.rotation, header: header.clone(), ended }
}

fn header(
    topology: &Topology,
    feed: Option<&ReferenceFeed>,
    world: World,
    recovered: &Recovered,
) -> Header {
    let kind = HeaderKind::Journal {
        build: env!("CARGO_PKG_VERSION").to_owned(),
        config: topology.source().text().to_owned(),
        feed: feed.map(|open| (open.name.clone(), open.digest)),
        world,
        follows: recovered.last,
        anew: recovered.anew,
    };
    Header::new(kind, topology.names.instruments().clone())
}

/// The recording or seed of this run, if it has one.
fn reference(
    topology: &Topology,
    options: &Options,
) -> Result<Option<ReferenceFeed>, ServiceError> {
    if let Some(file) = &options.file {
        return Ok(Some(topology.open_recording(file)?));
    }
    match topology.feeds.as_slice() {
        [] => Err(ServiceError::NoFeed),
        [one] => Ok(topology.open_feed(one)?),
        many => match many.iter().find(|feed| feed.source.is_reference()) {
            None => Ok(None),
            Some(feed) => Err(ServiceError::MixedFeeds(feed.name.clone())),
        },
    }
}
