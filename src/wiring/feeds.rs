//! Feeds that a journal can refer to: a recording or a seed stands for every record in it.

use super::topology::{FeedSource, FeedSpec, Topology};
use crate::feed::{
    Feed, FeedError, Generated, GeneratedInstrument, GeneratedMarket, Mapped, Recording, digest,
};
use crate::types::text::Text;
use crate::types::{Nanos, Price, Timestamp, fixed::UNIT};
use serde::Deserialize;
use std::path::Path;

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

/// `[feed.params]` of a generated market.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GeneratedParams {
    #[serde(default)]
    seed: u64,
    /// Mean span between records.
    interval: Option<Text<Nanos>>,
    /// How many; without a number it never ends.
    records: Option<u64>,
    /// One record in so many is a trade.
    trade_every: Option<u64>,
    /// Time of the first record.
    start: Option<Text<Timestamp>>,
    /// Where the first instrument's price begins, the second's at twice that, and so on.
    price: Option<Text<Price>>,
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
            FeedSource::Sandbox(_) => Ok(None),
            FeedSource::Recording(path) => self.open_recording(path).map(Some),
            FeedSource::Generated(params) => {
                let params: GeneratedParams =
                    params.read().map_err(|error| FeedError::Source(error.to_string()))?;
                let first = params.price.map_or(100 * UNIT, |price| price.0.raw());
                let instruments = self
                    .names
                    .instruments()
                    .iter()
                    .map(|(id, instrument)| {
                        let step = instrument.tick.raw();
                        let price = first.saturating_mul(i64::from(id.0) + 1);
                        let price = Price::from_raw(price / step * step);
                        GeneratedInstrument { instrument: instrument.clone(), price }
                    })
                    .collect();
                let mut market = GeneratedMarket::new(params.seed, instruments);
                market.interval = params.interval.map_or(market.interval, |span| span.0);
                market.start = params.start.map_or(market.start, |at| at.0);
                market.trade_every = params.trade_every.unwrap_or(market.trade_every);
                market.records = params.records;
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
