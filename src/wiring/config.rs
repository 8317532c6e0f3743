//! What a config file says: the shape of its sections. [`super::Topology`] is what it means.

use super::secret::SecretRef;
use crate::journal::{Durability, Rotation};
use crate::types::text::{OneOrMany, Text};
use crate::types::{Calendar, Currency, DayStart, LimitValue, Nanos, Notional, Price, Qty};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use toml::Spanned;

/// Whether orders may reach real money (Decision 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Sandbox brokers only.
    #[default]
    Sandbox,
    /// Real brokers, if the environment agrees.
    Live,
}

/// What a lane's thread does when it has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Keeps a processor busy: the shortest way from tick to order.
    Spin,
    /// Spins, then yields, then sleeps for ever longer, at most a millisecond.
    #[default]
    Backoff,
    /// Sleeps until it is woken.
    Park,
}

/// A name of a feed, broker, account, agent or lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Name(pub String);

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=32).contains(&name.len()) && name.bytes().all(letter) {
            Ok(Self(name))
        } else {
            Err(format!("`{name}` is not a name: 1 to 32 letters, digits, `-`, `_` or `.`"))
        }
    }
}

/// A currency code as text.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Code(pub Currency);

impl TryFrom<String> for Code {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        Currency::new(&code)
            .map(Self)
            .ok_or_else(|| format!("`{code}` is not a currency: 1 to 8 letters or digits"))
    }
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    #[serde(default)]
    pub mode: Mode,
    pub currency: Option<Code>,
    #[serde(default)]
    pub journal: JournalSection,
    #[serde(default)]
    pub control: ControlSection,
    #[serde(default)]
    pub entry: EntrySection,
    #[serde(default)]
    pub market: MarketSection,
    #[serde(default)]
    pub session: SessionSection,
    #[serde(default)]
    pub supervise: SuperviseSection,
    #[serde(default)]
    pub guardian: GuardianSection,
    #[serde(default)]
    pub instrument: Vec<InstrumentSection>,
    #[serde(default)]
    pub fx: Vec<FxSection>,
    #[serde(default)]
    pub feed: Vec<FeedSection>,
    #[serde(default)]
    pub broker: Vec<BrokerSection>,
    #[serde(default)]
    pub account: Vec<AccountSection>,
    #[serde(default)]
    pub lane: Vec<LaneSection>,
    #[serde(default)]
    pub agent: Vec<AgentSection>,
    #[serde(default)]
    pub limit: Vec<LimitSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalSection {
    #[serde(default)]
    pub durability: Durability,
    /// Journal files to keep; all without it.
    pub keep: Option<std::num::NonZeroU32>,
    /// What ends a journal file while the gateway runs.
    pub rotate: Option<Text<Rotation>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlSection {
    pub listen: Option<Spanned<Text<SocketAddr>>>,
    pub token: Option<Text<SecretRef>>,
}

/// Where orders of programs outside come in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntrySection {
    pub alpaca: Option<Spanned<AlpacaEntrySection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlpacaEntrySection {
    pub listen: Spanned<Text<SocketAddr>>,
    /// Requests in a minute for each agent.
    pub rate: Option<std::num::NonZeroU32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarketSection {
    pub stale_after: Option<Spanned<Text<Nanos>>>,
}

/// The trading day, and what the control `session` forbids or allows by symbol.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionSection {
    pub day_start: Option<Text<DayStart>>,
    #[serde(default)]
    pub restricted: Vec<Spanned<String>>,
    #[serde(default)]
    pub short_restricted: Vec<Spanned<String>>,
    #[serde(default)]
    pub short_locate: BTreeMap<String, Spanned<OneOrMany>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuperviseSection {
    pub restarts: Option<u32>,
    pub window: Option<Spanned<Text<Nanos>>>,
    pub backoff_min: Option<Spanned<Text<Nanos>>>,
    pub backoff_max: Option<Spanned<Text<Nanos>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardianSection {
    pub every: Option<Spanned<Text<Nanos>>>,
    pub cool_off: Option<Spanned<Text<Nanos>>>,
    pub confirm_within: Option<Spanned<Text<Nanos>>>,
    pub exit_collar: Option<Spanned<String>>,
    #[serde(default)]
    pub rules: BTreeMap<Spanned<String>, BTreeMap<String, Text<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstrumentSection {
    pub symbol: Spanned<Name>,
    pub tick: Option<Spanned<Text<Price>>>,
    pub lot: Option<Spanned<Text<Qty>>>,
    pub multiplier: Option<Spanned<u32>>,
    pub currency: Option<Code>,
    #[serde(default)]
    pub calendar: Calendar,
    pub outside_hours: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FxSection {
    pub currency: Spanned<Code>,
    pub symbol: Spanned<String>,
}

/// Kinds of feeds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FeedKind {
    Recording,
    Generated,
    Sandbox,
    Alpaca,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedSection {
    pub name: Spanned<Name>,
    pub kind: FeedKind,
    pub lane: Option<Spanned<String>>,
    #[serde(rename = "params")]
    _params: Option<IgnoredAny>,
}

/// Kinds of brokers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BrokerKind {
    Sandbox,
    Alpaca,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BrokerSection {
    pub name: Spanned<Name>,
    pub kind: BrokerKind,
    pub lane: Option<Spanned<String>>,
    pub addr: Option<Text<SocketAddr>>,
    pub exchange: Option<Spanned<IgnoredAny>>,
    pub params: Option<Spanned<IgnoredAny>>,
    pub ack_timeout: Option<Spanned<Text<Nanos>>>,
    pub absence_after: Option<Spanned<Text<Nanos>>>,
    pub reconcile_every: Option<Spanned<Text<Nanos>>>,
    pub reconnect_min: Option<Spanned<Text<Nanos>>>,
    pub reconnect_max: Option<Spanned<Text<Nanos>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountSection {
    pub name: Spanned<Name>,
    pub broker: Spanned<String>,
    pub capital: Option<Text<Notional>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaneSection {
    pub name: Spanned<Name>,
    #[serde(default)]
    pub idle: Idle,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentSection {
    pub name: Spanned<Name>,
    pub kind: Spanned<String>,
    pub account: Spanned<String>,
    pub symbols: Spanned<Vec<Spanned<String>>>,
    pub lane: Option<Spanned<String>>,
    #[serde(rename = "params")]
    _params: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitSection {
    pub control: Spanned<String>,
    pub scope: Spanned<String>,
    #[serde(deserialize_with = "LimitValue::written")]
    pub value: LimitValue,
}
