//! Snapshots of a desk in an open world: what a boot begins from instead of the whole journal.
//!
//! ```text
//! file = "QTOSSNP1" | SHA-256 of the rest | head | state
//! ```
//! `snapshot/NNNNNNNN.snap` is the desk after `journal/NNNNNNNN.qlog`. A snapshot is only ever a
//! shortcut: one that is damaged, or whose state has another digest once loaded, is passed over and
//! the walk begins further back. A closed world has none: its brokers live in the journal alone.

use super::Desk;
use super::segments::number;
use crate::actors::saved::{put, take};
use crate::disk::Folder;
use crate::types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;

/// Version of head and state.
pub const FORMAT: u32 = 3;
const MAGIC: &[u8; 8] = b"QTOSSNP1";
/// Where snapshots are in a state folder.
pub const FOLDER: &str = "snapshot";

/// What a desk ran under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The configuration.
    pub config: String,
    /// Name and digest of the recording or seeded market whose place the desk keeps.
    pub feed: Option<(String, [u8; 32])>,
}

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program.
    pub build: String,
    /// What the desk ran under.
    pub setting: Setting,
    /// The journal file that it follows.
    pub after: u32,
    /// Every agent of the core's lane is in it; otherwise some begin anew.
    pub whole: bool,
    /// Digest of the desk.
    pub digest: [u8; 32],
}

/// Name of the snapshot after a journal file, in the state folder.
pub fn name(after: u32) -> String {
    format!("{FOLDER}/{after:08}.snap")
}

/// The snapshots of a state folder, by the journal file that they follow, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(state: &dyn Folder) -> io::Result<Vec<u32>> {
    let names = state.list(FOLDER)?;
    Ok(names
        .iter()
        .filter(|name| name.ends_with(".snap"))
        .filter_map(|name| number(name))
        .collect())
}

/// Writes a snapshot of `desk`, which has journaled all that it decided.
///
/// # Errors
/// The disk's; an older snapshot of the same name stays then.
pub fn write(state: &dyn Folder, desk: &Desk, setting: &Setting, after: u32) -> io::Result<()> {
    let head = Head {
        format: FORMAT,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        setting: setting.clone(),
        after,
        whole: desk.lane.is_saved(),
        digest: desk.digest(),
    };
    let mut body = Vec::new();
    put(&head, &mut body);
    desk.save(&mut body);
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&Sha256::digest(&body));
    file.extend_from_slice(&body);
    state.replace(&name(after), &file)
}

/// Reads a snapshot: its head, and the state for [`Desk::load`].
///
/// # Errors
/// What is wrong with it.
pub fn read(state: &dyn Folder, after: u32) -> Result<(Head, Vec<u8>), String> {
    let file = state.read(&name(after)).map_err(|error| error.to_string())?;
    let damaged = || "it is damaged".to_owned();
    let (sum, body) =
        file.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(32)).ok_or_else(damaged)?;
    if *Sha256::digest(body) != *sum {
        return Err(damaged());
    }
    let mut rest = body;
    if take::<u32>(&mut rest) != Ok(FORMAT) {
        return Err("it has another format than this program".to_owned());
    }
    let mut rest = body;
    let head: Head = take(&mut rest).map_err(|_| damaged())?;
    if head.after != after {
        return Err(format!("it follows journal file {}", head.after));
    }
    Ok((head, rest.to_vec()))
}

impl Desk {
    /// Appends the state of the decision actors and the place in the feed.
    pub fn save(&self, into: &mut Vec<u8>) {
        put(&(self.now, self.events, self.position), into);
        self.lane.save(into);
    }

    /// Takes what [`Self::save`] made of a desk with the same configuration.
    ///
    /// # Errors
    /// The bytes are no state of this desk, which is then of no use.
    pub fn load(&mut self, mut from: &[u8]) -> Result<(), String> {
        let place: Result<(Timestamp, u64, u64), _> = take(&mut from);
        (self.now, self.events, self.position) = place.map_err(|error| error.to_string())?;
        self.lane.load(from).map_err(|error| error.to_string())
    }
}
