//! What a limit or a kill covers, and how hard a kill bites.

use super::{AccountId, AgentId, BrokerId, InstrumentId};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The part of the gateway that a limit, a hold or a kill covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    Global,
    /// One broker connection.
    Broker(BrokerId),
    /// One account.
    Account(AccountId),
    /// One agent.
    Agent(AgentId),
    /// One instrument.
    Symbol(InstrumentId),
}

/// How hard a kill bites (Decision 8). Each level includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum KillLevel {
    /// Orders pass.
    #[default]
    Normal = 0,
    /// Only orders that make the worst-case position strictly smaller, never across zero.
    ReduceOnly = 1,
    /// No new order and no replace; cancels flow.
    Block = 2,
    /// Block, and every open order in scope is cancelled.
    Cancel = 3,
    /// Cancel, then one guarded exit per position.
    Flatten = 4,
    /// Cancel, then the broker sessions close.
    Isolate = 5,
}

impl KillLevel {
    /// All levels, weakest first.
    pub const ALL: [Self; 6] =
        [Self::Normal, Self::ReduceOnly, Self::Block, Self::Cancel, Self::Flatten, Self::Isolate];

    /// The level's word in config, CLI and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ReduceOnly => "reduce_only",
            Self::Block => "block",
            Self::Cancel => "cancel",
            Self::Flatten => "flatten",
            Self::Isolate => "isolate",
        }
    }

    /// The level with this number; anything unknown is the strictest.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Normal,
            1 => Self::ReduceOnly,
            2 => Self::Block,
            3 => Self::Cancel,
            4 => Self::Flatten,
            _ => Self::Isolate,
        }
    }
}

impl std::fmt::Display for KillLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KillLevel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| {
            format!("`{text}` is not a kill level: normal, reduce_only, block, cancel, flatten or isolate")
        })
    }
}
