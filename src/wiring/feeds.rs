//! Feeds as a config file says them, and those that a journal can refer to: a recording or a seed stands
//! for every record in it.

use super::alpaca_feed::AlpacaFeed;
use super::build::{Reader, text};
use super::config::{FeedKind, FeedSection};
use super::source::{ConfigError, Params};
use super::topology::{FeedSource, FeedSpec, Topology};
use crate::feed::{Feed, FeedError, Generated, Mapped, Recording, digest};
use crate::types::InstrumentTable;
use crate::types::text::Text;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// How a journal names a feed of its configuration.
const FROM_CONFIG: &str = "config:";

/// A feed that is the same whenever it is opened.
pub struct ReferenceFeed {
    /// Its records, in the ids of the topology.
    pub feed: Box<dyn Feed>,
    /// Its name in a journal: a path, or a feed of the configuration.
    pub name: String,
    /// What its content is.
    pub digest: [u8; 32],
}

impl std::fmt::Debug for ReferenceFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReferenceFeed").field("name", &self.name).finish()
    }
}

impl Reader<'_> {
    pub(super) fn feeds(
        &self,
        sections: Vec<(usize, FeedSection)>,
        instruments: &InstrumentTable,
    ) -> Result<Vec<FeedSpec>, ConfigError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Recording {
            file: PathBuf,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Sandbox {
            addr: Text<SocketAddr>,
        }
        let feed = |(index, section): (usize, FeedSection)| {
            let name = &section.name;
            let params = Params::new(self.source, ("feed", index, "params"), name.span().start);
            let source = match section.kind {
                FeedKind::Recording => FeedSource::Recording(params.read::<Recording>()?.file),
                FeedKind::Sandbox => FeedSource::Sandbox(params.read::<Sandbox>()?.addr.0),
                FeedKind::Generated => FeedSource::Generated(params),
                FeedKind::Alpaca => {
                    FeedSource::Alpaca(Box::new(AlpacaFeed::read(&params, instruments)?))
                }
            };
            let on_core = self.on_core(section.lane.as_ref())?;
            if let (Some(lane), false) = (&section.lane, matches!(source, FeedSource::Alpaca(_))) {
                return Err(self.at(lane, "only a feed of kind `alpaca` can be on a lane"));
            }
            Ok(FeedSpec { name: text(name).to_owned(), source, on_core })
        };
        sections.into_iter().map(feed).collect()
    }
}

impl Topology {
    /// Opens a recording by its path.
    ///
    /// # Errors
    /// It is not there or no recording.
    pub fn open_recording(&self, path: &Path) -> Result<ReferenceFeed, FeedError> {
        let recording = Recording::open(path)?;
        let digest = digest(path)?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let feed = Mapped::new(recording, self.names.instruments().clone());
        Ok(ReferenceFeed { feed: Box::new(feed), name: path.display().to_string(), digest })
    }

    /// Opens a feed of the configuration; `None` for one that comes from another process.
    ///
    /// # Errors
    /// It is not there, or its parameters cannot be used.
    pub fn open_feed(&self, spec: &FeedSpec) -> Result<Option<ReferenceFeed>, FeedError> {
        match &spec.source {
            FeedSource::Sandbox(_) | FeedSource::Alpaca(_) => Ok(None),
            FeedSource::Recording(path) => self.open_recording(path).map(Some),
            FeedSource::Generated(params) => {
                let market = self
                    .generated_market(Some(params))
                    .map_err(|error| FeedError::Source(error.to_string()))?;
                let digest = market.digest()?;
                let feed = Mapped::new(Generated::new(market)?, self.names.instruments().clone());
                let name = format!("{FROM_CONFIG}{}", spec.name);
                Ok(Some(ReferenceFeed { feed: Box::new(feed), name, digest }))
            }
        }
    }

    /// Opens the feed that a journal refers to.
    ///
    /// # Errors
    /// It is gone, or its content is another.
    pub fn open_reference(
        &self,
        name: &str,
        digest: &[u8; 32],
    ) -> Result<ReferenceFeed, FeedError> {
        let gone =
            || FeedError::Source(format!("the journal refers to {name}, which is not there"));
        let feed = match name.strip_prefix(FROM_CONFIG) {
            Some(own) => {
                let spec = self.feeds.iter().find(|feed| feed.name == own).ok_or_else(gone)?;
                self.open_feed(spec)?.ok_or_else(gone)?
            }
            None => self.open_recording(Path::new(name))?,
        };
        if feed.digest == *digest {
            Ok(feed)
        } else {
            Err(FeedError::Source(format!(
                "the journal refers to {name}, whose content has changed since"
            )))
        }
    }
}
