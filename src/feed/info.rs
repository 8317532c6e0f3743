//! What a recording holds.

use super::{Counts, Feed, FeedError, Recording, digest, hex};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Summary of a recording, as `qtos info --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Records of all symbols.
    #[serde(flatten)]
    pub counts: Counts,
    /// Records of each symbol, also of those that have none.
    pub symbols: BTreeMap<String, Counts>,
    /// Time of the first record, RFC 3339.
    pub first: Option<String>,
    /// Time of the last record.
    pub last: Option<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// Reads a whole recording and counts.
///
/// # Errors
/// A file that cannot be read, is torn or damaged.
pub fn info(path: &Path) -> Result<Info, FeedError> {
    let mut recording = Recording::open(path)?;
    let (mut counts, mut first, mut last) = (Counts::default(), None, None);
    let mut each = vec![Counts::default(); recording.instruments().len()];
    while let Some(record) = recording.next()? {
        counts.add(&record);
        // The reader gives no record whose instrument the header lacks.
        each[record.instrument().index()].add(&record);
        first.get_or_insert(record.ts());
        last = Some(record.ts());
    }
    let symbols = recording.instruments().iter();
    Ok(Info {
        counts,
        symbols: symbols.map(|(id, one)| (one.symbol.clone(), each[id.index()])).collect(),
        first: first.map(|at| at.to_string()),
        last: last.map(|at| at.to_string()),
        digest: hex(&digest(path)?),
    })
}
