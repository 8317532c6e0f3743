//! Runs a journal again and says whether every decision was the same.

use crate::desk::Difference;
use crate::desk::segments::JournalError;
use crate::wiring::{Registry, Walk, walk};

pub use crate::wiring::WalkError as VerifyError;
use std::path::Path;

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
/// [`VerifyError`]; a difference is a result, not an error.
pub fn verify(
    state: &Path,
    registry: &Registry,
    watch: &mut dyn FnMut(u64),
) -> Result<Verified, VerifyError> {
    let walked = walk(state, registry, &mut |seq, _| {
        if seq & 0xfff == 0 {
            watch(seq);
        }
    })?;
    let walked = walked.ok_or_else(|| JournalError::Empty(state.to_path_buf()))?;
    Ok(Verified::of(&walked))
}

impl Verified {
    /// What a walk found.
    pub fn of(walked: &Walk<'_>) -> Self {
        let found = walked.found();
        let (expected, digest) = match found.checkpoint {
            Some((expected, actual)) => (Some(expected), actual),
            None => (None, walked.digest()),
        };
        Self { orders: found.orders, digest, expected, difference: found.difference.clone() }
    }
}
