//! Walks over the whole journal of a state folder, boot by boot: what recovery and verification
//! share.
//!
//! A boot under another configuration takes the books over; the names (instruments, brokers,
//! accounts, agents) must be the same, as ids in the journal are their places.

use super::assemble::{AssemblyError, Placement, Registry, closed_desk, remembered_desk};
use super::feeds::ReferenceFeed;
use super::source::ConfigError;
use super::topology::{LaneId, Topology};
use crate::desk::mark::Mark;
use crate::desk::segments::{self, JournalError, Segment};
use crate::desk::snapshot;
use crate::desk::{Desk, Difference, Refused, Rerun, RerunError};
use crate::disk::Folder;
use crate::feed::{Feed, FeedError};
use crate::journal::{Derived, Entry, Header, HeaderKind, Record, World};
use crate::kill::KillBoard;
use crate::msg::{Input, OrderRequest, Report};
use std::sync::Arc;

/// Where a walk has come to.
pub struct Walk<'a> {
    state: &'a dyn Folder,
    registry: &'a Registry,
    board: Option<Arc<KillBoard>>,
    stage: Option<Stage>,
    result: Walked,
    /// Whole entries of the last file, the header among them; `None` where a snapshot stands for it.
    ended: Option<u64>,
}

struct Stage {
    topology: Topology,
    world: World,
    desk: Desk,
    feed: Option<ReferenceFeed>,
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// Entries.
    pub entries: u64,
    /// New orders on record.
    pub orders: u64,
    /// Torn tails that were cut off: file and bytes.
    pub cut: Vec<(String, u64)>,
    /// The first difference between record and rerun.
    pub difference: Option<Difference>,
    /// The last checkpoint: on record, made anew.
    pub checkpoint: Option<([u8; 32], [u8; 32])>,
    /// The snapshot that it began from, by the journal file before it.
    pub from: Option<u32>,
    /// Number of the last file that was walked, 0 for none.
    pub last: u32,
    /// What was passed over, and why.
    pub notes: Vec<String>,
}

/// Where a walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the newest snapshot that can be used, or at the beginning.
    Newest,
    /// At the beginning, or at the oldest snapshot that can be used if the beginning is gone.
    Oldest,
}

/// Why a journal could not be walked.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The journal itself.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The configuration it ran under.
    #[error("the journal's own configuration: {0}")]
    Config(#[from] ConfigError),
    /// The same, when put together.
    #[error("the journal's own configuration: {0}")]
    Assembly(#[from] AssemblyError),
    /// Its feed.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// The feed that it refers to.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A file in it is something else.
    #[error("{0} is not a journal")]
    NotAJournal(String),
    /// Files are gone that no snapshot replaces.
    #[error(
        "journal files between {after} and {next} are missing, and no snapshot replaces them; see runbooks/crash.md"
    )]
    Missing {
        /// The last file before the gap; 0 for the beginning.
        after: u32,
        /// The first file after it.
        next: u32,
    },
    /// The head mark says that there was more.
    #[error(
        "the journal has lost records: file {0} was {1} bytes long on stable storage, {2} of them are whole; see runbooks/crash.md"
    )]
    Lost(u32, u64, u64),
    /// The head mark cannot be read.
    #[error("journal.head: {0}; see runbooks/crash.md")]
    Mark(String),
    /// Ids would change their meaning.
    #[error(
        "instruments, brokers, accounts or agents differ from those of the state folder: keep their names, or use a new --state-dir"
    )]
    OtherNames,
}

/// Walks over the journal in `state`; `None` if there is none.
///
/// # Errors
/// [`WalkError`]; a difference is a result.
pub fn walk<'a>(
    state: &'a dyn Folder,
    registry: &'a Registry,
    start: Start,
    watch: &mut dyn FnMut(u64),
) -> Result<Option<Walk<'a>>, WalkError> {
    let mark = Mark::read(state).map_err(WalkError::Mark)?;
    let names = segments::list(state)?;
    walk_over(state, registry, (start, mark), names, watch)
}

/// As [`walk`], from the newest snapshot to the end of file `last` while another one is written.
///
/// # Errors
/// [`WalkError`].
pub fn walk_to<'a>(
    state: &'a dyn Folder,
    registry: &'a Registry,
    last: u32,
) -> Result<Option<Walk<'a>>, WalkError> {
    let mut names = segments::list(state)?;
    names.retain(|name| segments::number(name).is_some_and(|number| number <= last));
    walk_over(state, registry, (Start::Newest, None), names, &mut |_| {})
}

/// Whether a walk by this program can begin at the snapshot after journal file `after`.
pub fn can_begin(state: &dyn Folder, registry: &Registry, after: u32) -> bool {
    let result = Walked::default();
    let mut walk = Walk { state, registry, board: None, stage: None, result, ended: None };
    segments::list(state).is_ok_and(|names| matches!(walk.load(&names, after), Ok(Ok(()))))
}

fn walk_over<'a>(
    state: &'a dyn Folder,
    registry: &'a Registry,
    (start, mark): (Start, Option<Mark>),
    names: Vec<String>,
    watch: &mut dyn FnMut(u64),
) -> Result<Option<Walk<'a>>, WalkError> {
    let result = Walked::default();
    let mut walk = Walk { state, registry, board: None, stage: None, result, ended: None };
    walk.begin(&names, start)?;
    let present: Vec<u32> = names.iter().filter_map(|name| segments::number(name)).collect();
    for name in names {
        let number = segments::number(&name).unwrap_or(0);
        if number <= walk.result.last && number > 0 {
            // A snapshot stands for it: nothing in it is read, but it must not have grown shorter.
            if let Some(mark) = mark.filter(|mark| mark.number == number) {
                let length = segments::length(state, &name)?;
                if length < mark.length {
                    return Err(WalkError::Lost(number, mark.length, length));
                }
            }
            continue;
        }
        let Some(segment) = Segment::open(state, &name)? else {
            let torn = state.read(&name).map_err(|error| JournalError::Io(name.clone(), error))?;
            walk.result.cut.push((name, torn.len() as u64));
            continue;
        };
        let whole = walk.segment(segment, number, watch)?;
        if let Some(mark) = mark.filter(|mark| mark.number == number && mark.length > whole) {
            return Err(WalkError::Lost(number, mark.length, whole));
        }
    }
    if let Some(mark) =
        mark.filter(|mark| mark.number > walk.result.last || !present.contains(&mark.number))
    {
        return Err(WalkError::Lost(mark.number, mark.length, 0));
    }
    Ok(walk.stage.is_some().then_some(walk))
}

impl Walk<'_> {
    /// Loads the snapshot to begin from, if there is one to be used.
    fn begin(&mut self, names: &[String], start: Start) -> Result<(), WalkError> {
        let mut snapshots = snapshot::list(self.state)
            .map_err(|error| JournalError::Io("snapshot".into(), error))?;
        match start {
            Start::Newest => snapshots.reverse(),
            Start::Oldest => {
                if let Some((HeaderKind::Journal { follows: 0, .. }, _)) =
                    first(self.state, names, 0)?
                {
                    return Ok(());
                }
            }
        }
        for after in snapshots {
            match self.load(names, after)? {
                Ok(()) => return Ok(()),
                Err(why) => {
                    let name = snapshot::name(after);
                    self.result.notes.push(format!("{name} is passed over: {why}"));
                }
            }
        }
        Ok(())
    }

    /// Begins at a snapshot, or says why not.
    fn load(&mut self, names: &[String], after: u32) -> Result<Result<(), String>, WalkError> {
        let (head, state) = match snapshot::read(self.state, after) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        };
        // The file behind it was written by agents that went on; only those of the snapshot can.
        let next = first(self.state, names, after)?;
        if !head.whole && matches!(next, Some((HeaderKind::Journal { anew: false, .. }, _))) {
            return Ok(Err("agents went on after it whose state is not in it".into()));
        }
        let loaded = Topology::parse("snapshot", &head.setting.config, &self.registry.vocabulary())
            .map_err(|error| error.to_string())
            .and_then(|topology| {
                let mut desk =
                    remembered_desk(&topology, self.registry).map_err(|error| error.to_string())?;
                desk.load(&state)?;
                if desk.digest() != head.digest {
                    return Err("this program makes another state of it".to_owned());
                }
                let feed = head.setting.feed.as_ref();
                let feed = feed.map(|(name, digest)| {
                    let mut open = topology.open_reference(name, digest)?;
                    open.feed.skip(desk.position())?;
                    Ok::<_, FeedError>(open)
                });
                let feed = feed.transpose().map_err(|error| error.to_string())?;
                let mut stage = Stage { topology, world: World::Open, desk, feed };
                stage.renew(self.registry).map_err(|error| error.to_string())?;
                Ok(stage)
            });
        Ok(loaded.map(|stage| {
            self.board = Some(stage.topology.kill_board());
            self.stage = Some(stage);
            (self.result.from, self.result.last) = (Some(after), after);
        }))
    }
}

/// Header and number of the first file after `after` that has one.
fn first(
    state: &dyn Folder,
    names: &[String],
    after: u32,
) -> Result<Option<(HeaderKind, u32)>, WalkError> {
    for name in names {
        let number = segments::number(name).unwrap_or(0);
        if number > after
            && let Some(segment) = Segment::open(state, name)?
        {
            return Ok(Some((segment.header().kind.clone(), number)));
        }
    }
    Ok(None)
}

impl Walk<'_> {
    /// Walks over one file; gives how many bytes of it are whole. A file that goes on where the one
    /// before it had come to is cut off as a whole if that one lost its end with the power.
    fn segment(
        &mut self,
        mut segment: Segment,
        number: u32,
        watch: &mut dyn FnMut(u64),
    ) -> Result<u64, WalkError> {
        let Header { kind: HeaderKind::Journal { config, feed, world, follows, anew, .. }, .. } =
            segment.header()
        else {
            return Err(WalkError::NotAJournal(segment.name));
        };
        if *follows != self.result.last {
            return Err(WalkError::Missing { after: self.result.last, next: number });
        }
        let anew = *anew;
        let ended = self.ended;
        let topology = Topology::parse("journal", config, &self.registry.vocabulary())?;
        let (feed, world) = (feed.clone(), *world);
        self.enter(topology, world, feed)?;
        let Some(stage) = &mut self.stage else { return Ok(0) };
        if anew {
            stage.renew(self.registry)?;
        }
        if world == World::Closed {
            stage.desk.refuse(refusals(self.state, &segment.name)?);
        }
        let feed = stage.feed.as_mut().map(|open| &mut open.feed as &mut dyn Feed);
        let mut rerun = Rerun::new(&mut stage.desk, feed, world == World::Closed);
        rerun.difference = self.result.difference.take();
        let mut lost = false;
        while let Some(record) = segment.next_record()? {
            if let Record::Other(Entry::Continues { entries }) = record {
                lost = ended.is_some_and(|ended| ended < *entries);
                if lost {
                    break;
                }
            }
            if let Record::Other(Entry::Derived(Derived::Sent {
                request: OrderRequest::New(_),
                ..
            })) = record
            {
                self.result.orders += 1;
            }
            rerun.apply(self.result.entries, &record)?;
            self.result.entries += 1;
            if self.result.entries & 0xfff == 0 {
                watch(self.result.entries);
            }
        }
        self.result.checkpoint = rerun.checkpoint.or(self.result.checkpoint);
        self.result.difference = rerun.difference;
        if lost {
            let file = self.state.read(&segment.name);
            let bytes = file.map_err(|error| JournalError::Io(segment.name.clone(), error))?.len();
            self.result.cut.push((segment.name, bytes as u64));
            return Ok(0);
        }
        (self.result.last, self.ended) = (number, Some(segment.next_seq()));
        if segment.torn > 0 {
            self.result.cut.push((segment.name.clone(), segment.torn));
        }
        Ok(segment.offset())
    }

    /// Prepares the desk for a boot under `topology`.
    fn enter(
        &mut self,
        topology: Topology,
        world: World,
        feed: Option<(String, [u8; 32])>,
    ) -> Result<(), WalkError> {
        let old = match self.stage.take() {
            Some(stage) if stage.fits(&topology, world, feed.as_ref()) => {
                self.stage = Some(stage);
                return Ok(());
            }
            old => old,
        };
        let board = topology.kill_board();
        let books = old.as_ref().and_then(|old| old.desk.lane.core.as_ref());
        let books = books.map(|core| &core.oms.books);
        if old.as_ref().is_some_and(|old| !old.topology.names.fits(&topology.names)) {
            return Err(WalkError::OtherNames);
        }
        let mut desk = match world {
            World::Closed => closed_desk(&topology, self.registry, &board, books)?,
            World::Open => remembered_desk(&topology, self.registry)?,
        };
        let mut feed =
            feed.map(|(name, digest)| topology.open_reference(&name, &digest)).transpose()?;
        if let Some(old) = old {
            let same_feed = match (&feed, &old.feed) {
                (Some(new), Some(old)) => new.digest == old.digest,
                _ => false,
            };
            desk.carry_over(old.desk, same_feed);
            if let Some(open) = &mut feed {
                open.feed.skip(desk.position())?;
            }
        }
        self.board = Some(board);
        self.stage = Some(Stage { topology, world, desk, feed });
        Ok(())
    }

    /// What was found.
    pub const fn found(&self) -> &Walked {
        &self.result
    }

    /// The desk as the entries so far left it.
    pub fn desk(&self) -> Option<&Desk> {
        self.stage.as_ref().map(|stage| &stage.desk)
    }

    /// What it ran under at last.
    pub fn setting(&self) -> Option<snapshot::Setting> {
        self.stage.as_ref().map(|stage| {
            let config = stage.topology.source().text().to_owned();
            let feed = stage.feed.as_ref().map(|open| (open.name.clone(), open.digest));
            snapshot::Setting { config, feed }
        })
    }

    /// Compares what the last entries brought about: decisions that no entry tells of are those a
    /// cut-off journal lost, and the digest at the end.
    pub fn digest(&self) -> [u8; 32] {
        self.stage.as_ref().map_or([0; 32], |stage| stage.desk.digest())
    }

    /// Goes on where the journal ends: the desk under `topology`, with the feed at its place.
    ///
    /// # Errors
    /// The names differ, or the configuration cannot be put together.
    pub fn resume(
        mut self,
        topology: Topology,
        world: World,
        feed: Option<(String, [u8; 32])>,
    ) -> Result<Resumed, WalkError> {
        let anew = self.result.from.is_some();
        self.enter(topology, world, feed)?;
        if let (true, Some(stage)) = (anew, &mut self.stage) {
            stage.renew(self.registry)?;
        }
        match (self.stage, self.board) {
            (Some(stage), Some(board)) => Ok(Resumed { desk: stage.desk, feed: stage.feed, board }),
            _ => Err(WalkError::OtherNames),
        }
    }
}

/// What the gate refused in one boot. A request of an order follows the answer to the one before it,
/// so a refusal is of the last one of its kind.
fn refusals(state: &dyn Folder, name: &str) -> Result<Refused, JournalError> {
    let mut refused = Refused::new();
    let Some(mut segment) = Segment::open(state, name)? else { return Ok(refused) };
    // Decisions before the first input are those that the file before has lost: they were made there.
    let mut begun = false;
    while let Some(record) = segment.next_record()? {
        match record {
            Record::Other(Entry::Derived(Derived::Sent { request, .. })) if begun => {
                refused.entry(request.own_name()).or_default().push_back(None);
            }
            Record::Other(Entry::Input {
                input: Input::Report(_, Report::NotSent { cl_ord_id, request, reason }),
                ..
            }) => {
                let answers = refused.entry((*cl_ord_id, *request)).or_default();
                answers.pop_back();
                answers.push_back(Some(*reason));
            }
            Record::Other(Entry::Derived(_)) => {}
            _ => begun = true,
        }
    }
    refused.retain(|_, answers| answers.iter().any(Option::is_some));
    Ok(refused)
}

/// A desk as its journal left it.
pub struct Resumed {
    /// The desk.
    pub desk: Desk,
    /// The reference feed, after the records consumed.
    pub feed: Option<ReferenceFeed>,
    /// The board that writers in this process are bound to.
    pub board: Arc<KillBoard>,
}

impl Stage {
    /// Agents whose state is in no snapshot begin anew.
    fn renew(&mut self, registry: &Registry) -> Result<(), ConfigError> {
        let fresh = self.topology.lane(registry, Placement::Lane(LaneId::CORE))?;
        self.desk.lane.renew(fresh);
        Ok(())
    }

    fn fits(&self, topology: &Topology, world: World, feed: Option<&(String, [u8; 32])>) -> bool {
        let same_feed = match (&self.feed, feed) {
            (None, None) => true,
            (Some(open), Some((_, digest))) => open.digest == *digest,
            _ => false,
        };
        same_feed
            && self.world == world
            && self.topology.source().text() == topology.source().text()
    }
}
