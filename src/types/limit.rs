//! Limits as data: rows of control, scope and value, as written in a config file, sent by an operator
//! and kept in the journal. What a value means is its control's affair.

use super::Scope;
use super::text::{Text, exact_digits};
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
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = LimitValue;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text, a number or a list of them")
            }
            fn visit_str<E>(self, text: &str) -> Result<LimitValue, E> {
                Ok(LimitValue::Text(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<LimitValue, E> {
                Ok(LimitValue::Text(number.to_string()))
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<LimitValue, E> {
                exact_digits(number).map(LimitValue::Text).map_err(E::custom)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<LimitValue, A::Error> {
                let mut list = Vec::new();
                while let Some(Text(item)) = seq.next_element::<Text<String>>()? {
                    list.push(item);
                }
                Ok(LimitValue::List(list))
            }
        }
        deserializer.deserialize_any(Visitor)
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
