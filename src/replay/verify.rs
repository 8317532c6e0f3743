//! Runs a journal again and says whether every decision was the same.

use super::run::{ReplayError, closed_desk};
use crate::desk::segments::{self, JournalError, Segment};
use crate::desk::{Desk, Difference, Link, Remembered, Rerun, RerunError};
use crate::feed::{Feed, FeedError};
use crate::journal::{Derived, Entry, HeaderKind, Log};
use crate::msg::OrderRequest;
use crate::wiring::{ConfigError, LaneId, Placement, Registry, Topology};
use std::path::{Path, PathBuf};

/// What came of running a journal again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// New orders on record.
    pub orders: u64,
    /// Digest made anew, at the last checkpoint or else at the end.
    pub digest: [u8; 32],
    /// Digest on record at the last checkpoint.
    pub expected: Option<[u8; 32]>,
    /// The first difference.
    pub difference: Option<Difference>,
}

impl Verified {
    /// No decision and no digest differs.
    pub fn identical(&self) -> bool {
        self.difference.is_none() && self.expected.is_none_or(|expected| expected == self.digest)
    }
}

/// Why a journal could not be run again.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The journal itself.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its configuration.
    #[error("the journal's own configuration: {0}")]
    Config(#[from] ConfigError),
    /// Its replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Its feed.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// The feed that it refers to.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A file in it is no journal.
    #[error("{0} is not a journal of this program")]
    NotAJournal(PathBuf),
}

/// A desk to run a journal again with: brokers of the same world answer anew, others are remembered.
///
/// # Errors
/// The configuration.
pub fn rerun_desk(
    topology: &Topology,
    registry: &Registry,
    closed: bool,
) -> Result<Desk, VerifyError> {
    if closed {
        return Ok(closed_desk(topology, registry)?);
    }
    let lane = topology.lane(registry, Placement::Lane(LaneId::CORE))?;
    let links = topology.brokers.iter().map(|_| Box::new(Remembered) as Box<dyn Link>).collect();
    Ok(Desk::new(lane, Log::none(), links, false))
}

/// Runs the journal below `state` again. `watch` is told the entries done, now and then.
///
/// # Errors
/// [`VerifyError`]; a difference is a result, not an error.
pub fn verify(
    state: &Path,
    registry: &Registry,
    watch: &mut dyn FnMut(u64),
) -> Result<Verified, VerifyError> {
    let files = segments::list(state)?;
    let first = files
        .iter()
        .find_map(|path| Segment::open(path).transpose())
        .ok_or_else(|| JournalError::Empty(state.to_path_buf()))??;
    let HeaderKind::Journal { config, feed, world, .. } = first.header().kind.clone() else {
        return Err(VerifyError::NotAJournal(first.path));
    };
    let closed = world == crate::journal::World::Closed;
    let topology = Topology::parse("journal", &config, &registry.vocabulary())?;
    let mut feed =
        feed.map(|(name, digest)| topology.open_reference(&name, &digest)).transpose()?;
    let mut desk = rerun_desk(&topology, registry, closed)?;
    let mut orders = 0;
    let mut done = 0;
    let mut torn = false;
    let mut rerun =
        Rerun::new(&mut desk, feed.as_mut().map(|open| &mut open.feed as &mut dyn Feed), closed);
    for path in &files {
        let Some(mut segment) = Segment::open(path)? else { continue };
        while let Some(entry) = segment.next()? {
            if matches!(entry, Entry::Derived(Derived::Sent { request: OrderRequest::New(_), .. }))
            {
                orders += 1;
            }
            rerun.apply(done, &entry)?;
            done += 1;
            if done & 0xfff == 0 {
                watch(done);
            }
        }
        torn = segment.torn > 0 || !rerun.at_checkpoint();
    }
    let checkpoint = rerun.checkpoint;
    let difference = rerun.finish(done, torn);
    let (expected, digest) = match checkpoint {
        Some((expected, actual)) => (Some(expected), actual),
        None => (None, desk.digest()),
    };
    Ok(Verified { orders, digest, expected, difference })
}
