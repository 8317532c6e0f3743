//! A journal as a source: the configuration it ran under, and its market records as a feed.

use crate::desk::segments::{self, JournalError, Segment};
use crate::disk::{Folder, OsFolder};
use crate::feed::{Feed, FeedError};
use crate::journal::{Entry, HeaderKind};
use crate::msg::{Input, MarketData};
use crate::types::InstrumentTable;
use crate::wiring::{ReferenceFeed, Registry, Topology, Vocabulary, WalkError};
use std::path::Path;
use std::sync::Arc;

/// A journal, opened.
#[derive(Debug)]
pub struct JournalSource {
    /// The configuration of its first boot; later ones have the same names.
    pub topology: Topology,
    state: Arc<dyn Folder>,
    files: Vec<String>,
    vocabulary: Vocabulary,
}

impl JournalSource {
    /// Opens the journal below a state folder.
    ///
    /// # Errors
    /// There is none, it is damaged at its beginning, or its configuration needs agents that
    /// `registry` lacks.
    pub fn open(state: &Path, registry: &Registry) -> Result<Self, WalkError> {
        let path = state;
        let state: Arc<dyn Folder> = Arc::new(OsFolder::new(path));
        let files = segments::list(state.as_ref())?;
        let first = files
            .iter()
            .find_map(|name| Segment::open(state.as_ref(), name).transpose())
            .ok_or_else(|| JournalError::Empty(path.display().to_string()))??;
        let HeaderKind::Journal { config, .. } = &first.header().kind else {
            return Err(WalkError::NotAJournal(first.name));
        };
        let vocabulary = registry.vocabulary();
        let topology = Topology::parse("journal", config, &vocabulary)?;
        Ok(Self { topology, state, files, vocabulary })
    }

    /// Shows `each` entry with its number, over all files.
    ///
    /// # Errors
    /// Damage.
    pub fn entries(&self, mut each: impl FnMut(u64, &Entry)) -> Result<(), JournalError> {
        let mut seq = 0;
        for name in &self.files {
            let Some(mut segment) = Segment::open(self.state.as_ref(), name)? else { continue };
            while let Some(entry) = segment.next()? {
                each(seq, &entry);
                seq += 1;
            }
        }
        Ok(())
    }

    /// Every market record that the session consumed, in its order.
    pub fn records(&self) -> JournalFeed {
        JournalFeed {
            instruments: self.topology.names.instruments().clone(),
            vocabulary: self.vocabulary.clone(),
            state: Arc::clone(&self.state),
            files: self.files.clone().into_iter(),
            segment: None,
            reference: None,
            consumed: 0,
        }
    }
}

/// The market records of a journal.
#[derive(Debug)]
pub struct JournalFeed {
    instruments: InstrumentTable,
    vocabulary: Vocabulary,
    state: Arc<dyn Folder>,
    files: std::vec::IntoIter<String>,
    segment: Option<Segment>,
    reference: Option<Reference>,
    /// Records of the reference feed that the journal says were consumed.
    consumed: u64,
}

/// The feed that stands for market records, and how many of it were given.
#[derive(Debug)]
struct Reference {
    open: ReferenceFeed,
    given: u64,
}

impl JournalFeed {
    /// The next entry of any file.
    fn entry(&mut self) -> Result<Option<Entry>, WalkError> {
        loop {
            if let Some(segment) = &mut self.segment
                && let Some(entry) = segment.next()?
            {
                return Ok(Some(entry));
            }
            let Some(name) = self.files.next() else { return Ok(None) };
            self.segment = Segment::open(self.state.as_ref(), &name)?;
            self.enter()?;
        }
    }

    /// A boot goes on in the feed of the one before it, or begins another from its first record.
    fn enter(&mut self) -> Result<(), WalkError> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let HeaderKind::Journal { config, feed, .. } = &segment.header().kind else {
            return Err(WalkError::NotAJournal(segment.name.clone()));
        };
        let Some((name, digest)) = feed else {
            self.reference = None;
            return Ok(());
        };
        if self.reference.as_ref().is_none_or(|reference| reference.open.digest != *digest) {
            let topology = Topology::parse("journal", config, &self.vocabulary)?;
            let open = topology.open_reference(name, digest)?;
            self.reference = Some(Reference { open, given: 0 });
            self.consumed = 0;
        }
        Ok(())
    }
}

impl Feed for JournalFeed {
    fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        let gone = || FeedError::Source("the journal refers to more records than there are".into());
        loop {
            if let Some(reference) = &mut self.reference
                && reference.given < self.consumed
            {
                reference.given += 1;
                return reference.open.feed.next()?.map(Some).ok_or_else(gone);
            }
            let entry = self.entry().map_err(|error| FeedError::Source(error.to_string()))?;
            match entry {
                None => return Ok(None),
                Some(Entry::Feed { .. }) if self.reference.is_none() => return Err(gone()),
                Some(Entry::Feed { position, .. }) => self.consumed = position,
                Some(Entry::Input { input: Input::Market(record), .. }) => return Ok(Some(record)),
                Some(_) => {}
            }
        }
    }
}
