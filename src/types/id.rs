//! Names of things as small numbers. Text names live in the tables of `wiring`; here are the indices.

use super::text::text_for_people;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $raw);
        impl $name {
            /// As an index into a table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// An instrument: its place in the sorted [`super::InstrumentTable`].
    InstrumentId(u16)
}
index! {
    /// An agent: its place in the sorted agent table. [`AgentId::OPERATOR`] and
    /// [`AgentId::EXTERNAL`] stand for orders that no strategy sent.
    AgentId(u16)
}
index! {
    /// A broker connection: its place in the sorted broker table.
    BrokerId(u8)
}
index! {
    /// An account: its place in the sorted account table.
    AccountId(u16)
}
index! {
    /// The exchange a market record comes from, as the feed numbers it; 0 where there is one only.
    ExchangeId(u8)
}

impl AgentId {
    /// Orders typed by a person (`qtos order`, control API).
    pub const OPERATOR: Self = Self(0);
    /// Orders and positions found at the broker that this gateway did not send.
    pub const EXTERNAL: Self = Self(1);
    /// The first strategy.
    pub const FIRST: u16 = 2;
}

/// Numbers that brokers give.
macro_rules! theirs {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        text_for_people! { $name as u128, |id: &Self| id.0, Self; }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

theirs! {
    /// The broker's own number of an order (FIX 37). Wide enough for a UUID.
    VenueOrderId
    /// The broker's number of an execution (FIX 17): an alias only, see
    /// [`crate::msg::ExecutionReport`].
    ExecId
}

impl VenueOrderId {
    /// No number: the broker refused the order before it gave it one.
    pub const NONE: Self = Self(0);
}

/// FIX 11: who an order is, for ever. Never reused, also when the state folder was lost (INV-9).
///
/// `instance` is drawn at random when a state folder is made, `epoch` counts the boots of that
/// folder, and each agent counts its own orders in `seq`, so that agents on other lanes need no
/// common counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    /// Random tag of the state folder.
    pub instance: u32,
    /// Boot number within that folder.
    pub epoch: u32,
    /// The agent that the order belongs to.
    pub agent: AgentId,
    /// The agent's own count within the epoch, from 1.
    pub seq: u32,
}

text_for_people! {
    ClientOrderId as (u32, u32, AgentId, u32),
    |id: &Self| (id.instance, id.epoch, id.agent, id.seq),
    |(instance, epoch, agent, seq)| Self { instance, epoch, agent, seq };
}

impl ClientOrderId {
    /// Numbers from here on are those of exits, which the core counts in their agent's name.
    pub const EXITS: u32 = 1 << 31;

    /// Whether the order is an exit of a flatten.
    pub const fn is_exit(self) -> bool {
        self.seq >= Self::EXITS && self.agent.0 != AgentId::EXTERNAL.0
    }

    /// The name made up here for an order that a broker showed without one.
    pub const fn made_up(seq: u32) -> Self {
        Self { instance: 0, epoch: 0, agent: AgentId::EXTERNAL, seq }
    }

    /// Whether it was made up, see [`Self::made_up`]: the broker does not know it.
    pub const fn is_made_up(self) -> bool {
        self.agent.0 == AgentId::EXTERNAL.0 && self.instance == 0
    }

    /// Whether the same agent gave `other` after this one. Names of two agents have no order.
    pub fn is_older_than(self, other: Self) -> bool {
        self.agent == other.agent && (self.epoch, self.seq) < (other.epoch, other.seq)
    }
}

const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_base32(f: &mut fmt::Formatter<'_>, mut value: u32) -> fmt::Result {
    let mut digits = [0u8; 7];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = BASE32[(value & 31) as usize];
        value >>= 5;
        if value == 0 {
            break;
        }
    }
    f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or("?"))
}

fn read_base32(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 7 || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    let mut value = 0u64;
    for digit in text.bytes() {
        value = value * 32 + BASE32.iter().position(|&b| b == digit)? as u64;
    }
    u32::try_from(value).ok()
}

/// `q<instance>-<epoch>-<agent>-<seq>` in base 32: at most 29 characters, inside every broker's limit.
impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("q")?;
        write_base32(f, self.instance)?;
        for part in [self.epoch, u32::from(self.agent.0), self.seq] {
            f.write_str("-")?;
            write_base32(f, part)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientOrderId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let mut parts = text.strip_prefix('q')?.split('-').map(read_base32);
            let id = Self {
                instance: parts.next()??,
                epoch: parts.next()??,
                agent: AgentId(u16::try_from(parts.next()??).ok()?),
                seq: parts.next()??,
            };
            parts.next().is_none().then_some(id)
        };
        parse().ok_or_else(|| format!("`{text}` is not a client order id of this gateway"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn client_order_id_round_trips(instance: u32, epoch: u32, agent: u16, seq: u32) {
            let id = ClientOrderId { instance, epoch, agent: AgentId(agent), seq };
            let text = id.to_string();
            prop_assert!(text.len() <= 29);
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn no_two_texts_for_one_id(text in "q[0-9a-z]{1,3}(-[0-9a-z]{1,3}){3}") {
            if let Ok(id) = text.parse::<ClientOrderId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
