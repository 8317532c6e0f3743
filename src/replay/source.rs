//! A journal as a source: the configuration it ran under, and its market records as a feed.

use super::verify::VerifyError;
use crate::desk::segments::{self, JournalError, Segment};
use crate::feed::{Feed, FeedError};
use crate::journal::{Entry, HeaderKind, World};
use crate::msg::{Input, MarketData};
use crate::types::InstrumentTable;
use crate::wiring::{ReferenceFeed, Registry, Topology};
use std::path::{Path, PathBuf};

/// A journal, opened.
#[derive(Debug)]
pub struct JournalSource {
    /// Its files, oldest first.
    pub files: Vec<PathBuf>,
    /// The configuration it ran under.
    pub topology: Topology,
    /// Its world was closed: brokers and timers follow from the feed.
    pub closed: bool,
    reference: Option<(String, [u8; 32])>,
}

impl JournalSource {
    /// Opens the journal below a state folder.
    ///
    /// # Errors
    /// There is none, it is damaged at its beginning, or its configuration needs agents that
    /// `registry` lacks.
    pub fn open(state: &Path, registry: &Registry) -> Result<Self, VerifyError> {
        let files = segments::list(state)?;
        let first = files
            .iter()
            .find_map(|path| Segment::open(path).transpose())
            .ok_or_else(|| JournalError::Empty(state.to_path_buf()))??;
        let HeaderKind::Journal { config, feed, world, .. } = first.header().kind.clone() else {
            return Err(VerifyError::NotAJournal(first.path));
        };
        let topology = Topology::parse("journal", &config, &registry.vocabulary())?;
        Ok(Self { files, topology, closed: world == World::Closed, reference: feed })
    }

    /// The feed that stands for its market records, where one does.
    ///
    /// # Errors
    /// It is gone, or its content is another.
    pub fn reference(&self) -> Result<Option<ReferenceFeed>, FeedError> {
        let reference = self.reference.as_ref();
        reference.map(|(name, digest)| self.topology.open_reference(name, digest)).transpose()
    }

    /// Every market record that the session consumed, in its order.
    ///
    /// # Errors
    /// As [`Self::reference`].
    pub fn records(&self) -> Result<JournalFeed, FeedError> {
        Ok(JournalFeed {
            instruments: self.topology.names.instruments().clone(),
            files: self.files.clone().into_iter(),
            segment: None,
            reference: self.reference()?,
            given: 0,
            consumed: 0,
        })
    }
}

/// The market records of a journal.
#[derive(Debug)]
pub struct JournalFeed {
    instruments: InstrumentTable,
    files: std::vec::IntoIter<PathBuf>,
    segment: Option<Segment>,
    reference: Option<ReferenceFeed>,
    /// Records of the reference feed given so far.
    given: u64,
    /// Records of the reference feed that the journal says were consumed.
    consumed: u64,
}

impl JournalFeed {
    /// The next entry of any file.
    fn entry(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            if let Some(segment) = &mut self.segment
                && let Some(entry) = segment.next()?
            {
                return Ok(Some(entry));
            }
            let Some(path) = self.files.next() else { return Ok(None) };
            self.segment = Segment::open(&path)?;
        }
    }
}

impl Feed for JournalFeed {
    fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        let gone = || FeedError::Source("the journal refers to more records than there are".into());
        loop {
            if self.given < self.consumed {
                self.given += 1;
                let reference = self.reference.as_mut().ok_or_else(gone)?;
                return reference.feed.next()?.map(Some).ok_or_else(gone);
            }
            let entry = self.entry().map_err(|error| FeedError::Source(error.to_string()))?;
            match entry {
                None => return Ok(None),
                Some(Entry::Feed { position, .. }) => self.consumed = position,
                Some(Entry::Input { input: Input::Market(record), .. }) => return Ok(Some(record)),
                Some(_) => {}
            }
        }
    }
}
