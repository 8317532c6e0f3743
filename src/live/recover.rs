//! The boot path: crash or not, the journal is walked to its end and the desk goes on from there.

use crate::desk::Desk;
use crate::desk::segments::JournalError;
use crate::disk::Folder;
use crate::journal::World;
use crate::kill::KillBoard;
use crate::wiring::{
    AssemblyError, ReferenceFeed, Registry, Resumed, Start, Topology, WalkError, Walked,
    closed_desk, remembered_desk, walk,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A desk ready to go live.
pub struct Recovered {
    /// The desk.
    pub desk: Desk,
    /// The reference feed after what was consumed.
    pub feed: Option<ReferenceFeed>,
    /// The kill board that its links are bound to.
    pub board: Arc<KillBoard>,
    /// Entries read.
    pub entries: u64,
    /// Torn tails that were cut off: file and bytes.
    pub cut: Vec<(String, u64)>,
    /// Number of the last journal file, 0 for none: what the next one follows.
    pub last: u32,
    /// It began from a snapshot, so agents whose state is in none begin anew.
    pub anew: bool,
    /// Snapshots that were passed over, and why.
    pub notes: Vec<String>,
}

/// Why the boot path stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal cannot be walked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The configuration cannot be put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The journal says other than this program does: its state cannot be trusted to be the one that
    /// orders were sent from.
    #[error(
        "the journal cannot be run again by this program: entry {0} says `{1}`, the rerun `{2}`; see runbooks/crash.md"
    )]
    Diverged(u64, String, String),
    /// The journal's folder.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The core panics on its own journal.
    #[error("the core panicked while running its journal again; see runbooks/crash.md")]
    Poisoned,
}

/// Walks the journal of a state folder, or makes an empty desk if there is none.
///
/// # Errors
/// [`RecoverError`].
pub fn recover(
    state: &dyn Folder,
    topology: &Topology,
    registry: &Registry,
    world: World,
    feed: Option<ReferenceFeed>,
    watch: &mut dyn FnMut(u64),
) -> Result<Recovered, RecoverError> {
    let reference = feed.as_ref().map(|open| (open.name.clone(), open.digest));
    let walked = catch_unwind(AssertUnwindSafe(|| walk(state, registry, Start::Newest, watch)))
        .map_err(|_| RecoverError::Poisoned)??;
    let Some(walked) = walked else {
        let board = topology.kill_board();
        let desk = match world {
            World::Closed => closed_desk(topology, registry, &board, None)?,
            World::Open => remembered_desk(topology, registry)?,
        };
        return Ok(Recovered {
            desk,
            feed,
            board,
            entries: 0,
            cut: Vec::new(),
            last: 0,
            anew: false,
            notes: Vec::new(),
        });
    };
    if let Some(difference) = &walked.found().difference {
        let (expected, actual) = (difference.expected.clone(), difference.actual.clone());
        return Err(RecoverError::Diverged(difference.seq, expected, actual));
    }
    let Walked { entries, cut, last, from, notes, .. } = walked.found().clone();
    let Resumed { desk, feed, board } = walked.resume(topology.clone(), world, reference)?;
    Ok(Recovered { desk, feed, board, entries, cut, last, anew: from.is_some(), notes })
}
