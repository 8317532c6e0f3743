//! Runs a journal again and says whether every decision was the same.

use super::run::{ReplayError, closed_desk};
use super::source::JournalSource;
use crate::desk::segments::{JournalError, Segment};
use crate::desk::{Desk, Difference, Link, Remembered, Rerun, RerunError};
use crate::feed::{Feed, FeedError};
use crate::journal::{Derived, Entry, Log};
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
    let source = JournalSource::open(state, registry)?;
    let mut orders = 0;
    let (_, mut verified) = walk(&source, registry, &mut |seq, entry| {
        let new =
            matches!(entry, Entry::Derived(Derived::Sent { request: OrderRequest::New(_), .. }));
        orders += u64::from(new);
        if seq & 0xfff == 0 {
            watch(seq);
        }
    })?;
    verified.orders = orders;
    Ok(verified)
}

/// Runs a journal again, showing `each` entry with its number; gives the desk it ends with.
///
/// # Errors
/// [`VerifyError`].
pub fn walk(
    source: &JournalSource,
    registry: &Registry,
    each: &mut dyn FnMut(u64, &Entry),
) -> Result<(Desk, Verified), VerifyError> {
    let mut feed = source.reference()?;
    let mut desk = rerun_desk(&source.topology, registry, source.closed)?;
    let (mut done, mut torn) = (0, false);
    let feed = feed.as_mut().map(|open| &mut open.feed as &mut dyn Feed);
    let mut rerun = Rerun::new(&mut desk, feed, source.closed);
    for path in &source.files {
        let Some(mut segment) = Segment::open(path)? else { continue };
        while let Some(entry) = segment.next()? {
            each(done, &entry);
            rerun.apply(done, &entry)?;
            done += 1;
        }
        torn = segment.torn > 0 || !rerun.at_checkpoint();
    }
    let checkpoint = rerun.checkpoint;
    let difference = rerun.finish(done, torn);
    let (expected, digest) = match checkpoint {
        Some((expected, actual)) => (Some(expected), actual),
        None => (None, desk.digest()),
    };
    Ok((desk, Verified { orders: 0, digest, expected, difference }))
}
