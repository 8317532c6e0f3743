//! A feed of Alpaca's market data, as a config file says it.

use super::secret::{Secret, SecretRef};
use super::source::{ConfigError, Params};
use crate::alpaca::{Channel, Feed};
use crate::feed::alpaca::{Encoding, FeedSettings, Symbols};
use crate::net::Endpoint;
use crate::types::text::Text;
use crate::types::{InstrumentTable, Nanos};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The venue's own host. Its data is the same for live and paper accounts, so no mode forbids it.
const HOST: &str = "wss://stream.data.alpaca.markets";

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Sip,
    Iex,
    DelayedSip,
    Test,
    Crypto,
    News,
}

impl Word {
    fn feed(self) -> Feed {
        let stocks = |name: &str| Feed::Stocks(name.to_owned());
        match self {
            Self::Sip => stocks("sip"),
            Self::Iex => stocks("iex"),
            Self::DelayedSip => stocks("delayed_sip"),
            Self::Test => stocks("test"),
            Self::Crypto => Feed::Crypto,
            Self::News => Feed::News,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncodingWord {
    Json,
    Msgpack,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    feed: Word,
    url: Option<Text<Endpoint>>,
    encoding: Option<EncodingWord>,
    channels: Option<Vec<String>>,
    symbols: Option<BTreeMap<String, String>>,
    key: Option<Text<SecretRef>>,
    secret: Option<Text<SecretRef>>,
    silence: Option<Text<Nanos>>,
}

/// A data stream before its key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlpacaFeed {
    feed: Feed,
    endpoint: Endpoint,
    encoding: Encoding,
    channels: Vec<Channel>,
    /// Ours and theirs.
    symbols: Vec<(String, String)>,
    key: SecretRef,
    secret: SecretRef,
    silence: Nanos,
}

impl AlpacaFeed {
    pub(super) fn read(params: &Params, table: &InstrumentTable) -> Result<Self, ConfigError> {
        let section: Section = params.read()?;
        let feed = section.feed.feed();
        let host = match section.url {
            Some(url) => url.0,
            None => HOST.parse().map_err(|error: String| params.error(error))?,
        };
        if !host.tls && !host.is_loopback() {
            return Err(params.error(
                "`url` must begin with wss: key and secret go to another machine only encrypted",
            ));
        }
        let path = match &feed {
            Feed::Stocks(name) => format!("/v2/{name}"),
            Feed::Crypto => "/v1beta3/crypto/us".to_owned(),
            Feed::News => "/v1beta1/news".to_owned(),
        };
        let silence = section.silence.map_or(Nanos::from_secs(60), |text| text.0);
        if silence < Nanos::from_secs(1) {
            return Err(params.error("`silence` must be a second or more"));
        }
        let names = match section.symbols {
            Some(map) => map.into_iter().collect(),
            None => table.iter().map(|(_, own)| (own.symbol.clone(), own.symbol.clone())).collect(),
        };
        let of = |name: &str| SecretRef::Env(name.to_owned());
        let read = Self {
            channels: channels(params, &feed, section.channels)?,
            feed,
            endpoint: host.at(&path),
            encoding: match section.encoding {
                Some(EncodingWord::Msgpack) => Encoding::Msgpack,
                Some(EncodingWord::Json) | None => Encoding::Json,
            },
            symbols: names,
            key: section.key.map_or_else(|| of("APCA_API_KEY_ID"), |text| text.0),
            secret: section.secret.map_or_else(|| of("APCA_API_SECRET_KEY"), |text| text.0),
            silence,
        };
        read.names(table).map_err(|why| params.error(format!("`symbols`: {why}")))?;
        Ok(read)
    }

    fn names(&self, table: &InstrumentTable) -> Result<Symbols, String> {
        let mut names = Vec::with_capacity(self.symbols.len());
        for (ours, theirs) in &self.symbols {
            let id = table.find(ours).ok_or_else(|| format!("no instrument is named `{ours}`"))?;
            names.push((theirs.clone(), id));
        }
        if names.is_empty() {
            return Err("at least one symbol is needed".to_owned());
        }
        Symbols::new(names)
    }

    /// Everything that the session needs, the key among it.
    ///
    /// # Errors
    /// Key or secret cannot be found.
    pub fn settings(&self, table: &InstrumentTable) -> Result<FeedSettings, String> {
        let symbols = self.names(table)?;
        let mut calendars = Vec::new();
        for &(_, id) in symbols.names() {
            let calendar = table.get(id).calendar;
            // News come when they come.
            if self.feed != Feed::News && !calendars.contains(&calendar) {
                calendars.push(calendar);
            }
        }
        let text = |secret: Secret| secret.expose().to_owned();
        Ok(FeedSettings {
            endpoint: self.endpoint.clone(),
            encoding: self.encoding,
            channels: self.channels.clone(),
            symbols,
            calendars,
            key: self.key.resolve().map(text)?,
            secret: self.secret.resolve().map(text)?,
            silence: self.silence,
        })
    }
}

impl std::fmt::Display for AlpacaFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channels: Vec<&str> = self.channels.iter().map(|channel| channel.key()).collect();
        let symbols: Vec<&str> = self.symbols.iter().map(|(_, theirs)| theirs.as_str()).collect();
        let (endpoint, channels, symbols) =
            (&self.endpoint, channels.join(", "), symbols.join(", "));
        write!(f, "Alpaca at {endpoint}: {channels} of {symbols}")
    }
}

fn channels(
    params: &Params,
    feed: &Feed,
    words: Option<Vec<String>>,
) -> Result<Vec<Channel>, ConfigError> {
    use Channel::{Bars, News, Quotes, Statuses, Trades};
    let Some(words) = words else {
        return Ok(match feed {
            Feed::Stocks(_) => vec![Trades, Quotes, Bars, Statuses],
            Feed::Crypto => vec![Trades, Quotes, Bars],
            Feed::News => vec![News],
        });
    };
    let mut found = Vec::new();
    for word in &words {
        let known = feed.channels().iter().find(|channel| channel.key() == word);
        match known {
            Some(&channel) if !found.contains(&channel) => found.push(channel),
            Some(_) => {}
            None => {
                let all: Vec<&str> = feed.channels().iter().map(|channel| channel.key()).collect();
                let message =
                    format!("`channels`: `{word}` is none of this feed: {}", all.join(", "));
                return Err(params.error(message));
            }
        }
    }
    if found.is_empty() {
        return Err(params.error("`channels` needs at least one"));
    }
    Ok(found)
}
