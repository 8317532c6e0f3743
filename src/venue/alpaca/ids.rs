//! Ids from the seed and a count, so that a run can be repeated and a restart goes on.

use crate::alpaca::Uuid;

/// The id of the `count`th thing of a kind.
pub(super) fn of_count(seed: u64, kind: &str, count: u64) -> Uuid {
    Uuid::of_text(kind, &format!("{seed}/{count}"))
}
