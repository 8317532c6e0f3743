//! Limits as data: rows of control, scope and value, as written in a config file, sent by an operator
//! and kept in the journal. What a value means is its control's affair.

use super::Scope;
use super::text::OneOrMany;
use serde::{Deserialize, Deserializer, Serialize};

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitValue {
    /// One value: `1000`, `5%`, `100/1s`, `off`.
    Text(String),
    /// A list of names.
    List(Vec<String>),
}

impl LimitValue {
    /// The row says that its control is not in force.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim() == "off")
    }

    /// Reads a value from a format that tells text from numbers and lists.
    ///
    /// # Errors
    /// The format's, or a number with more digits than survive.
    pub fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneOrMany::deserialize(deserializer).map(Self::from)
    }
}

impl From<OneOrMany> for LimitValue {
    fn from(written: OneOrMany) -> Self {
        match written {
            OneOrMany::One(text) => Self::Text(text),
            OneOrMany::Many(list) => Self::List(list),
        }
    }
}

impl std::fmt::Display for LimitValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(", ")),
        }
    }
}

/// One `[[limit]]` row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// The control's name.
    pub control: String,
    /// What it covers.
    pub scope: Scope,
    /// How much.
    pub value: LimitValue,
    /// Line in the configuration; zero for a row that was set while running.
    pub line: usize,
}
