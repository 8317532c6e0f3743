//! Ids from the seed and a count, so that a run can be repeated and a restart goes on.

use crate::alpaca::Uuid;
use sha2::{Digest, Sha256};

/// The id of the `count`th thing of a kind.
pub(super) fn of_count(seed: u64, kind: &str, count: u64) -> Uuid {
    of_text(kind, &format!("{seed}/{count}"))
}

/// The id of what has a name.
pub(super) fn of_text(kind: &str, name: &str) -> Uuid {
    let digest = Sha256::digest(format!("{kind}/{name}").as_bytes());
    Uuid::from_random(digest.iter().take(16).fold(0, |sum, &byte| (sum << 8) | u128::from(byte)))
}
