//! Runs a journal again and says whether every decision was the same.

use crate::desk::Difference;
use crate::disk::Folder;
use crate::wiring::{Registry, Start, WalkError, walk};

/// What came of running a journal again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// New orders on record.
    pub orders: u64,
    /// Digest made anew: at the last checkpoint, or at the end if there is none.
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

/// Runs the journal below `state` again. `watch` is told the entries done, now and then.
///
/// # Errors
/// [`WalkError`]; a difference is a result, not an error. `None` if there is no journal.
pub fn verify(
    state: &dyn Folder,
    registry: &Registry,
    watch: &mut dyn FnMut(u64),
) -> Result<Option<Verified>, WalkError> {
    let Some(walk) = walk(state, registry, Start::Oldest, watch)? else { return Ok(None) };
    let found = walk.found();
    let (expected, digest) = match found.checkpoint {
        Some((expected, actual)) => (Some(expected), actual),
        None => (None, walk.digest()),
    };
    Ok(Some(Verified {
        orders: found.orders,
        digest,
        expected,
        difference: found.difference.clone(),
    }))
}
