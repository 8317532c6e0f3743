//! What a config file means.

use super::alpaca_feed::AlpacaFeed;
use super::config::{Idle, Mode};
use super::names::Names;
use super::secret::SecretRef;
use super::source::{ConfigError, Params, Source};
use crate::actors::guardian;
use crate::agents::REMOTE;
use crate::journal::{Durability, Rotation};
use crate::net::Endpoint;
use crate::types::{
    AccountId, AgentId, BrokerId, Currency, DayStart, InstrumentId, LimitRow, Nanos, Notional,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The kinds and controls that a config file may name: those of this crate, and those that another
/// crate has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Kinds of agents.
    pub agent_kinds: Vec<String>,
    /// Controls of the risk gate, in the order of its chain, and whether each needs a global row in
    /// every configuration. In live mode each does, if only to say `off`.
    pub controls: Vec<(String, bool)>,
}

/// Everything a driver needs to build a gateway. Only [`Topology::parse`] makes one, so every id in
/// it is good and every control has its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    pub(super) source: Source,
    /// Whether orders may reach real money.
    pub mode: Mode,
    /// The account currency.
    pub currency: Currency,
    /// Journal files that stay when snapshots make older ones needless; `None`: all.
    pub keep: Option<u32>,
    /// What ends a journal file while the gateway runs.
    pub rotation: Rotation,
    /// The journal's promise.
    pub durability: Durability,
    /// Control API.
    pub control: ControlSpec,
    /// The order entry that speaks the Alpaca protocol, where there is one.
    pub entry: Option<AlpacaEntrySpec>,
    /// A price older than this is stale.
    pub stale_after: Nanos,
    /// When a trading day begins: daily limits and daily figures count from there.
    pub day_start: DayStart,
    /// When an actor that fails is started again.
    pub restarts: RestartPolicy,
    /// What the guardian watches, and what it does.
    pub guardian: guardian::Settings,
    /// All names and instruments.
    pub names: Names,
    /// FX marks, sorted by currency.
    pub fx: Vec<FxMark>,
    /// Feeds, sorted by name.
    pub feeds: Vec<FeedSpec>,
    /// Brokers: [`BrokerId`] is the index.
    pub brokers: Vec<BrokerSpec>,
    /// Accounts: [`AccountId`] is the index.
    pub accounts: Vec<AccountSpec>,
    /// Lanes: [`LaneId`] is the index, the core lane is first.
    pub lanes: Vec<LaneSpec>,
    /// Strategies, in the order of their ids from [`AgentId::FIRST`].
    pub agents: Vec<AgentSpec>,
    /// Limits, in the order of the controls, the global row first.
    pub limits: Vec<LimitRow>,
}

/// The control API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSpec {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A token to use instead of a new one at every boot.
    pub token: Option<SecretRef>,
}

/// The order entry that speaks the Alpaca protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlpacaEntrySpec {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Requests that each agent may send in a minute.
    pub rate: u32,
}

/// First and longest wait of a growing pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure; above zero.
    pub min: Nanos,
    /// Never longer than this; at least `min`.
    pub max: Nanos,
}

/// When an actor that fails is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// So many restarts in `window` are allowed; one more escalates.
    pub restarts: u32,
    /// A sliding window, above zero.
    pub window: Nanos,
    /// Pause before each restart.
    pub backoff: Backoff,
}

/// The instrument whose price is that of one unit of `currency` in the account currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FxMark {
    /// A currency other than the account's.
    pub currency: Currency,
    /// An instrument in the account currency.
    pub instrument: InstrumentId,
}

/// Where market data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSpec {
    /// Its name.
    pub name: String,
    /// Its kind with what the kind needs.
    pub source: FeedSource,
    /// The core lane reads its socket, instead of an actor.
    pub on_core: bool,
}

/// A kind of feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedSource {
    /// A recorded session.
    Recording(PathBuf),
    /// A seeded market; its own room reads the parameters.
    Generated(Params),
    /// The market data of a sandbox venue process.
    Sandbox(SocketAddr),
    /// A data stream of Alpaca.
    Alpaca(Box<AlpacaFeed>),
}

impl FeedSource {
    /// The same whenever it is opened: a journal can refer to it.
    pub const fn is_reference(&self) -> bool {
        matches!(self, Self::Recording(_) | Self::Generated(_))
    }
}

/// A broker connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerSpec {
    /// Its name.
    pub name: String,
    /// What is at the other end.
    pub venue: Venue,
    /// The core lane drives its sockets, instead of an actor.
    pub on_core: bool,
    /// A request without an answer for this long is in doubt.
    pub ack_timeout: Nanos,
    /// A snapshot taken this long after a request was sent, and without it, proves that it never
    /// arrived.
    pub absence_after: Nanos,
    /// A complete snapshot is taken at least this often.
    pub reconcile_every: Nanos,
    /// Pause before a new connection.
    pub reconnect: Backoff,
}

/// What a broker connection reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Venue {
    /// A sandbox exchange in this process; the venue's room reads the parameters.
    InProcess(Params),
    /// A sandbox venue process.
    Remote(SocketAddr),
    /// Alpaca.
    Alpaca(AlpacaSpec),
}

impl Venue {
    /// Whether it lives in another process, behind sockets.
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Self::InProcess(_))
    }
}

/// An account at Alpaca, or at a server of its protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlpacaSpec {
    /// The trading API.
    pub endpoint: Endpoint,
    /// Where the credentials are.
    pub login: AlpacaLogin,
    /// The account number that the broker must give.
    pub account: Option<String>,
    /// Requests a minute that the account may make.
    pub rate: u32,
    /// The broker's name of each instrument, by its id.
    pub symbols: Vec<String>,
}

/// How to log in at Alpaca.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlpacaLogin {
    /// A key and its secret.
    Keys {
        /// `APCA-API-KEY-ID`.
        key: SecretRef,
        /// `APCA-API-SECRET-KEY`.
        secret: SecretRef,
    },
    /// An OAuth2 access token, such as `qtos login alpaca` keeps.
    Token(SecretRef),
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSpec {
    /// Its name.
    pub name: String,
    /// Where its orders go.
    pub broker: BrokerId,
    /// What reports count returns from, in the account currency.
    pub capital: Notional,
}

/// A lane: its place in the lane table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u8);

impl LaneId {
    /// The lane of market, risk and order manager; it always exists.
    pub const CORE: Self = Self(0);
    /// As an index into the lane table.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSpec {
    /// Its name; `core` is the first one's.
    pub name: String,
    /// What its thread does when there is nothing to do.
    pub idle: Idle,
}

/// A strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSpec {
    /// Its number.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// One of the vocabulary's kinds.
    pub kind: String,
    /// The kind reads them.
    pub params: Params,
    /// Whose money.
    pub account: AccountId,
    /// What it sees and may trade; sorted, at least one.
    pub symbols: Vec<InstrumentId>,
    /// Where it runs.
    pub lane: LaneId,
}

/// Why a config file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// It says something that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Topology {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// The file cannot be read, or is wrong somewhere.
    pub fn load(path: &Path, vocabulary: &Vocabulary) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| LoadError::File(path.to_owned(), error))?;
        Ok(Self::parse(&path.display().to_string(), &text, vocabulary)?)
    }

    /// Parses a text; `file` is the name to blame in errors.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(file: &str, text: &str, vocabulary: &Vocabulary) -> Result<Self, ConfigError> {
        super::build::build(Source::new(file, text), vocabulary)
    }

    /// The text it was parsed from: the journal keeps it, recovery parses it again.
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The broker that an account's orders go to.
    pub fn broker_of(&self, account: AccountId) -> BrokerId {
        self.accounts[account.index()].broker
    }

    /// Agents whose programs are outside: their orders come through the order entry.
    pub fn remote_agents(&self) -> impl Iterator<Item = &AgentSpec> {
        self.agents.iter().filter(|agent| agent.kind == REMOTE)
    }

    /// The strategy with this id; `None` for the operator and external orders.
    pub fn agent(&self, id: AgentId) -> Option<&AgentSpec> {
        self.agents.get(id.index().checked_sub(usize::from(AgentId::FIRST))?)
    }
}

impl Mode {
    /// Whether the environment agrees with the mode. `opt_in` is the value of
    /// `QTOS_LIVE_TRADING_ENABLED` (Decision 14).
    ///
    /// # Errors
    /// Live without the opt-in.
    pub fn check(self, opt_in: Option<&str>) -> Result<(), &'static str> {
        match self {
            Self::Live if opt_in != Some("true") => Err(
                "mode = \"live\" needs the environment variable QTOS_LIVE_TRADING_ENABLED to be exactly `true`",
            ),
            Self::Live | Self::Sandbox => Ok(()),
        }
    }
    /// The mode's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }
}
