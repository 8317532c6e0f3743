//! The session with Alpaca: trade updates over a WebSocket, requests over HTTP connections of its own.
//!
//! It is up once trade updates are authorised and listened to, and asks for a snapshot then
//! (`resync`). An order request is written at most once: what is not answered, or answered by somebody
//! else than the broker, is looked up by its name and otherwise left to the snapshots. What the wire
//! says where it is silent here: `docs/alpaca-broker.md`.

mod answers;
mod book;
mod budget;
mod lanes;
mod refusal;
mod resync;
mod session;
mod stream;
mod terms;
mod updates;

#[cfg(test)]
mod tests;

pub use book::Known;

use super::session::Output;
use crate::broker::SessionFigures;
use crate::net::Backoff;
use crate::net::Endpoint;
use crate::types::{AccountId, InstrumentId, Timestamp};
use book::Book;
use budget::Budget;
use lanes::Lanes;
use resync::Resync;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use stream::Stream;

/// How the gateway says who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A key and its secret.
    Keys {
        /// `APCA-API-KEY-ID`.
        key: String,
        /// `APCA-API-SECRET-KEY`.
        secret: String,
    },
    /// An OAuth2 access token.
    Token(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Credentials {
    /// Header lines of every request, which are secret.
    pub fn headers(&self) -> String {
        match self {
            Self::Keys { key, secret } => {
                format!("APCA-API-KEY-ID: {key}\r\nAPCA-API-SECRET-KEY: {secret}\r\n")
            }
            Self::Token(token) => format!("Authorization: Bearer {token}\r\n"),
        }
    }

    /// The first message on the stream of trade updates: the form that has room for both.
    fn stream_auth(&self) -> String {
        let data = match self {
            Self::Keys { key, secret } => serde_json::json!({"key_id": key, "secret_key": secret}),
            Self::Token(token) => serde_json::json!({"oauth_token": token}),
        };
        serde_json::json!({"action": "authenticate", "data": data}).to_string()
    }

    /// Whether they can stand in a header line.
    pub fn is_wellformed(&self) -> bool {
        let good = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        match self {
            Self::Keys { key, secret } => good(key) && good(secret),
            Self::Token(token) => good(token),
        }
    }
}

/// Settings of a session.
#[derive(Debug, Clone)]
pub struct AlpacaConfig {
    /// The trading API: its host, and the path that `/v2/...` comes behind.
    pub endpoint: Endpoint,
    /// Who we are.
    pub credentials: Credentials,
    /// The one account behind these credentials.
    pub account: AccountId,
    /// The account number that the broker must show before anything is sent, where one was given.
    pub number: Option<String>,
    /// Requests that the account may make a minute.
    pub rate: u32,
    /// The broker's name of each instrument, by its id.
    pub symbols: Vec<String>,
    /// What the gateway holds for live.
    pub known: Vec<Known>,
    /// What was submitted before this, and ended, is in the positions that the gateway began with: it
    /// is never told.
    pub floor: Timestamp,
    /// When the last complete snapshot of an earlier session was asked for.
    pub told: Timestamp,
    /// Waits between tries to connect.
    pub backoff: Backoff,
    /// What the session counts.
    pub figures: Arc<SessionFigures>,
}

impl AlpacaConfig {
    /// What ended, and was submitted since then, is part of the first snapshot.
    fn since(&self) -> Timestamp {
        self.floor.max(self.told - resync::MARGIN)
    }

    /// Where each channel of a session connects to.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut all = vec![self.endpoint.clone(); lanes::CHANNELS];
        all[usize::from(lanes::STREAM)] = self.endpoint.at("/stream");
        all
    }
}

/// A replace on its way: the old number is the key.
#[derive(Debug, Clone, Copy)]
struct Replacing {
    orig: crate::types::ClientOrderId,
    name: crate::types::ClientOrderId,
    terms: crate::msg::OrderTerms,
}

/// A mass cancel.
#[derive(Debug, Default)]
struct Sweep {
    /// Sent and not answered.
    asked: bool,
    /// It is to be sent as soon as a connection is free.
    wanted: bool,
    /// Orders that it covers.
    covers: BTreeSet<crate::alpaca::Uuid>,
}

/// The session.
#[derive(Debug)]
pub struct AlpacaSession {
    config: AlpacaConfig,
    /// Header lines of every request.
    headers: String,
    instruments: BTreeMap<String, InstrumentId>,
    outputs: VecDeque<Output>,
    stream: Stream,
    lanes: Lanes,
    budget: Budget,
    book: Book,
    replacing: BTreeMap<crate::alpaca::Uuid, Replacing>,
    sweep: Sweep,
    /// The snapshot that is being put together.
    resync: Option<Resync>,
    /// Its next question, or a new one, is due.
    resync_at: Timestamp,
    /// When the core is to hear that something was missed.
    missed_at: Timestamp,
    /// What the last complete snapshot covered.
    covered: Timestamp,
    /// Orders whose answers were lost: when to look them up.
    lookups: BTreeMap<crate::types::ClientOrderId, (Timestamp, u32)>,
    /// A request that [`super::BrokerSession::pace`] has taken out of the budget.
    granted: bool,
    /// When the budget has room again for what asked last.
    refill: Timestamp,
    /// What [`super::BrokerSession::encode`] made last: it is sent once it was written.
    staged: Option<(u8, lanes::Asked)>,
    /// The broker has shown the account that was asked for; the session is up.
    up: bool,
    /// Credentials were refused: nothing is tried before.
    refused_until: Timestamp,
}
