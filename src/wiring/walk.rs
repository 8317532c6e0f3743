//! Walks over the whole journal of a state folder, boot by boot: what recovery and verification
//! share.
//!
//! A boot under another configuration takes the books over; the names (instruments, brokers,
//! accounts, agents) must be the same, as ids in the journal are their places.

use super::assemble::{AssemblyError, Registry, closed_desk, remembered_desk};
use super::feeds::ReferenceFeed;
use super::source::ConfigError;
use super::topology::Topology;
use crate::desk::segments::{self, JournalError, Segment};
use crate::desk::{Desk, Difference, Rerun, RerunError};
use crate::disk::Folder;
use crate::feed::{Feed, FeedError};
use crate::journal::{Derived, Entry, Header, HeaderKind, Record, World};
use crate::kill::KillBoard;
use crate::msg::report::RequestKind;
use crate::msg::{Input, OrderRequest, Report};
use crate::types::{ClientOrderId, Reason};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a walk has come to.
pub struct Walk<'a> {
    state: &'a dyn Folder,
    registry: &'a Registry,
    board: Option<Arc<KillBoard>>,
    stage: Option<Stage>,
    result: Walked,
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
    /// Ids would change their meaning.
    #[error(
        "instruments, brokers, accounts or agents differ from those of the state folder: keep their names, or use a new --state-dir"
    )]
    OtherNames,
}

/// Walks over all of the journal in `state`; `None` if there is none.
///
/// # Errors
/// [`WalkError`]; a difference is a result.
pub fn walk<'a>(
    state: &'a dyn Folder,
    registry: &'a Registry,
    watch: &mut dyn FnMut(u64),
) -> Result<Option<Walk<'a>>, WalkError> {
    let mut walk = Walk { state, registry, board: None, stage: None, result: Walked::default() };
    for name in segments::list(state)? {
        let Some(segment) = Segment::open(state, &name)? else {
            let torn = state.read(&name).map_err(|error| JournalError::Io(name.clone(), error))?;
            walk.result.cut.push((name, torn.len() as u64));
            continue;
        };
        walk.segment(segment, watch)?;
    }
    Ok(walk.stage.is_some().then_some(walk))
}

impl Walk<'_> {
    fn segment(
        &mut self,
        mut segment: Segment,
        watch: &mut dyn FnMut(u64),
    ) -> Result<(), WalkError> {
        let Header { kind: HeaderKind::Journal { config, feed, world, .. }, .. } = segment.header()
        else {
            return Err(WalkError::NotAJournal(segment.name));
        };
        let topology = Topology::parse("journal", config, &self.registry.vocabulary())?;
        let (feed, world) = (feed.clone(), *world);
        self.enter(topology, world, feed)?;
        let Some(stage) = &mut self.stage else { return Ok(()) };
        if world == World::Closed {
            stage.desk.refuse(refusals(self.state, &segment.name)?);
        }
        let feed = stage.feed.as_mut().map(|open| &mut open.feed as &mut dyn Feed);
        let mut rerun = Rerun::new(&mut stage.desk, feed, world == World::Closed);
        rerun.difference = self.result.difference.take();
        while let Some(record) = segment.next_record()? {
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
        if segment.torn > 0 {
            self.result.cut.push((segment.name, segment.torn));
        }
        Ok(())
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
        if old.as_ref().is_some_and(|old| old.topology.names != topology.names) {
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
        self.enter(topology, world, feed)?;
        match (self.stage, self.board) {
            (Some(stage), Some(board)) => Ok(Resumed { desk: stage.desk, feed: stage.feed, board }),
            _ => Err(WalkError::OtherNames),
        }
    }
}

/// What the gate refused in one boot.
fn refusals(
    state: &dyn Folder,
    name: &str,
) -> Result<BTreeMap<(ClientOrderId, RequestKind), Reason>, JournalError> {
    let mut refused = BTreeMap::new();
    let Some(mut segment) = Segment::open(state, name)? else { return Ok(refused) };
    while let Some(record) = segment.next_record()? {
        if let Record::Other(Entry::Input {
            input: Input::Report(_, Report::NotSent { cl_ord_id, request, reason }),
            ..
        }) = record
        {
            refused.insert((*cl_ord_id, *request), *reason);
        }
    }
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
