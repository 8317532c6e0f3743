//! What of the kill switch survives a restart: a small file, apart from the journal.
//!
//! The file is replaced as a whole (write, fsync, rename, fsync of the folder) and carries its own
//! checksum. Scopes are kept by name, as ids may change with the configuration. A file that is
//! missing after the first run, or that cannot be read, means a global block at boot.

use crate::disk::Folder;
use crate::msg::Rule;
use crate::types::{KillLevel, Nanos, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;

const FILE: &str = "kill.json";

/// A scope that stands above normal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// `global`, `broker:NAME`, `agent:NAME`...
    pub scope: String,
    /// How hard.
    pub level: KillLevel,
    /// Who and why.
    pub reason: String,
    /// Number of the trip, counted over the life of the state folder.
    pub episode: u64,
    /// Since when.
    pub since: Timestamp,
    /// The automatic trigger behind it; none for what a person did.
    pub rule: Option<Rule>,
    /// How long after `since` it cannot be armed; nothing for what a person did.
    pub cool_off: Nanos,
}

/// Why the file cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    /// It was there before and is gone.
    #[error("{0} is missing though this state folder has been used")]
    Missing(&'static str),
    /// It is damaged.
    #[error("{0} is damaged: {1}")]
    Damaged(&'static str, String),
    /// It cannot be read or written.
    #[error("{0}: {1}")]
    Io(&'static str, io::Error),
}

impl Trip {
    /// This trip with what another one, no higher, adds to it.
    fn with(mut self, other: Self) -> Self {
        // The arm names the trip that the core knows.
        self.episode = if other.level == self.level { other.episode } else { self.episode };
        self.cool_off = self.cool_off.max((other.since + other.cool_off).since(self.since));
        if other.rule.is_some() && other.rule != self.rule {
            self.rule = other.rule;
            if !self.reason.contains(&other.reason) {
                self.reason = format!("{}; {}", self.reason, other.reason);
            }
        }
        self
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    next_episode: u64,
    trips: Vec<Trip>,
}

/// All trips in force, and the file that remembers them.
#[derive(Debug)]
pub struct Latch {
    folder: Arc<dyn Folder>,
    content: Content,
}

fn seal(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Latch {
    /// Reads the file of a state folder. `first_run` says that the folder is new, so that a missing
    /// file is no loss.
    ///
    /// # Errors
    /// [`LatchError`]; the caller then blocks globally, see [`Self::distrusted`].
    pub fn open(folder: &Arc<dyn Folder>, first_run: bool) -> Result<Self, LatchError> {
        let damaged = |what: &str| LatchError::Damaged(FILE, what.to_owned());
        let text = match folder.read(FILE) {
            Ok(text) => String::from_utf8(text).map_err(|_| damaged("it is no text"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && first_run => {
                let latch = Self {
                    folder: Arc::clone(folder),
                    content: Content { next_episode: 1, trips: Vec::new() },
                };
                latch.save()?;
                return Ok(latch);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LatchError::Missing(FILE));
            }
            Err(error) => return Err(LatchError::Io(FILE, error)),
        };
        let (sum, body) = text.split_once('\n').ok_or_else(|| damaged("no checksum line"))?;
        if seal(body) != sum {
            return Err(damaged("the checksum does not fit"));
        }
        let content = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
        Ok(Self { folder: Arc::clone(folder), content })
    }

    /// The latch to go on with when the file cannot be trusted: globally blocked, and saved so.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn distrusted(
        folder: &Arc<dyn Folder>,
        why: &LatchError,
        now: Timestamp,
    ) -> Result<Self, LatchError> {
        // Episodes count on from the clock, so that numbers of the lost file do not come again.
        let content = Content { next_episode: now.nanos() / 1_000_000_000, trips: Vec::new() };
        let mut latch = Self { folder: Arc::clone(folder), content };
        latch.raise("global", KillLevel::Block, &format!("kill state not trusted: {why}"), now)?;
        Ok(latch)
    }

    /// Trips in force, in the order they were raised.
    pub fn trips(&self) -> &[Trip] {
        &self.content.trips
    }

    /// The trip in force for a scope.
    pub fn get(&self, scope: &str) -> Option<&Trip> {
        self.content.trips.iter().find(|trip| trip.scope == scope)
    }

    /// Records a trip and writes the file. A scope that stands higher keeps its level and episode.
    ///
    /// # Errors
    /// The file could not be written: the trip holds in memory, the caller must say so.
    pub fn raise(
        &mut self,
        scope: &str,
        level: KillLevel,
        reason: &str,
        now: Timestamp,
    ) -> Result<Trip, LatchError> {
        self.raise_by(None, (scope, level, reason), now, |_| ())
    }

    /// [`Self::raise`] by an automatic trigger, if there is one: its trip cools off before it can be
    /// armed. `tell` hears of the trip before the file is written: no cancel waits for a disk.
    ///
    /// # Errors
    /// As [`Self::raise`].
    pub fn raise_by(
        &mut self,
        by: Option<(Rule, Nanos)>,
        (scope, level, reason): (&str, KillLevel, &str),
        now: Timestamp,
        tell: impl FnOnce(&Trip),
    ) -> Result<Trip, LatchError> {
        if let Some(trip) = self.get(scope)
            && planted!(FirstTripStays, trip.level >= level, true)
        {
            tell(trip);
            return Ok(trip.clone());
        }
        let trip = Trip {
            scope: scope.to_owned(),
            level,
            reason: reason.to_owned(),
            episode: self.content.next_episode,
            since: now,
            rule: by.map(|(rule, _)| rule),
            cool_off: by.map_or(Nanos(0), |(_, cool_off)| cool_off),
        };
        self.content.next_episode += 1;
        tell(&trip);
        self.put(trip.clone())?;
        Ok(trip)
    }

    /// Takes over a trip that the core decided, with the number that the core gave it, and writes the
    /// file. A scope that stands as high keeps its own, with this one's rule, reason and cool-off added:
    /// whoever arms it has to know of both.
    ///
    /// # Errors
    /// As [`Self::raise`].
    pub fn record(&mut self, trip: Trip) -> Result<(), LatchError> {
        match self.get(&trip.scope).cloned() {
            Some(stands) if stands.level >= trip.level => {
                let both = stands.clone().with(trip);
                if both == stands { Ok(()) } else { self.put(both) }
            }
            _ => self.put(trip),
        }
    }

    fn put(&mut self, trip: Trip) -> Result<(), LatchError> {
        self.content.trips.retain(|old| old.scope != trip.scope);
        self.content.trips.push(trip);
        planted!(LatchUnsaved, self.save(), Ok(()))
    }

    /// Ends the trip of a scope and writes the file.
    ///
    /// # Errors
    /// The file could not be written: the trip stays.
    pub(super) fn clear(&mut self, scope: &str) -> Result<(), LatchError> {
        let before = self.content.trips.clone();
        self.content.trips.retain(|trip| trip.scope != scope);
        self.save().inspect_err(|_| self.content.trips = before)
    }

    fn save(&self) -> Result<(), LatchError> {
        let write = || -> io::Result<()> {
            let body = serde_json::to_string_pretty(&self.content)?;
            self.folder.replace(FILE, format!("{}\n{body}", seal(&body)).as_bytes())
        };
        write().map_err(|error| LatchError::Io(FILE, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryFolder;

    /// INV-4: a restart and a lower trip leave the level where it is.
    #[test]
    fn survives_and_only_rises() {
        let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
        let now = Timestamp::from_nanos(1);
        let mut latch = Latch::open(&folder, true).unwrap();
        let first = latch.raise("agent:ema", KillLevel::Cancel, "drill", now).unwrap();
        assert_eq!(latch.raise("agent:ema", KillLevel::Block, "less", now).unwrap(), first);
        drop(latch);
        let mut latch = Latch::open(&folder, false).unwrap();
        assert_eq!(latch.trips(), std::slice::from_ref(&first));
        latch.clear("agent:ema").unwrap();
        let again = latch.raise("agent:ema", KillLevel::Block, "again", now).unwrap();
        assert!(again.episode > first.episode, "episodes are never used twice");
    }

    #[test]
    fn what_was_found_under_a_trip_is_armed_with_it() {
        let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
        let mut latch = Latch::open(&folder, true).unwrap();
        let at = |secs| Timestamp::ZERO + Nanos::from_secs(secs);
        let drill = latch.raise("account:a", KillLevel::Flatten, "drill", at(10)).unwrap();
        let found = Trip {
            reason: "guardian: drawdown".to_owned(),
            since: at(40),
            rule: Some(Rule::Drawdown),
            cool_off: Nanos::from_secs(30),
            ..drill.clone()
        };
        // A boot tells it again, in its own words; the last is lower, decided before the other was known.
        let again = Trip { reason: "from the journal".to_owned(), ..found.clone() };
        let person = Trip { rule: None, cool_off: Nanos(0), ..again.clone() };
        let lower = Trip { level: KillLevel::Cancel, episode: 99, ..found.clone() };
        for trip in [found.clone(), again, person, lower] {
            latch.record(trip).unwrap();
            let stands = Latch::open(&folder, false).unwrap().get("account:a").unwrap().clone();
            assert_eq!(stands.reason, "drill; guardian: drawdown");
            assert_eq!((stands.level, stands.episode), (drill.level, drill.episode));
            assert_eq!((stands.rule, stands.since), (found.rule, drill.since));
            assert_eq!(stands.since + stands.cool_off, at(70));
        }
    }

    #[test]
    fn every_flip_and_cut_is_noticed_and_a_lost_file_too() {
        let memory = MemoryFolder::new();
        let folder: Arc<dyn Folder> = Arc::new(memory.clone());
        let mut latch = Latch::open(&folder, true).unwrap();
        latch.raise("global", KillLevel::Cancel, "drill", Timestamp::from_nanos(1)).unwrap();
        let good = folder.read(FILE).unwrap();
        let write = |content: &[u8]| memory.tamper(FILE, |bytes| *bytes = content.to_vec());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(write(&bad));
            assert!(Latch::open(&folder, false).is_err(), "flip at {at}");
            assert!(write(&good[..at]));
            assert!(Latch::open(&folder, false).is_err(), "cut at {at}");
        }
        folder.remove(FILE).unwrap();
        let why = Latch::open(&folder, false).unwrap_err();
        assert!(matches!(why, LatchError::Missing(_)));
        let latch = Latch::distrusted(&folder, &why, Timestamp::from_nanos(5)).unwrap();
        assert_eq!(latch.get("global").unwrap().level, KillLevel::Block);
    }
}
