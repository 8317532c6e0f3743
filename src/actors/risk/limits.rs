//! Limits as data: rows of control, scope and value. Each control parses its own values. All rows
//! that cover an order hold at once, so a narrower row can only tighten (INV-10).

use crate::kill::Route;
use crate::types::Scope;
use crate::types::text::Text;

/// A value as written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitValue {
    /// One value: `"1000"`, `"5%"`, `"100/1s"`.
    Text(String),
    /// A list of names.
    List(Vec<String>),
}

impl<'de> serde::Deserialize<'de> for LimitValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
                crate::types::text::exact_digits(number).map(LimitValue::Text).map_err(E::custom)
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// The control's name.
    pub control: String,
    /// What it covers.
    pub scope: Scope,
    /// How much.
    pub value: LimitValue,
    /// Line in the configuration.
    pub line: usize,
}

/// A limit that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LimitError {
    /// Line in the configuration; `None` where a row is missing.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// The parsed limits of one control, strictest scope not preferred: every matching row must hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits<T> {
    rows: Vec<(Scope, T)>,
}

impl<T> Limits<T> {
    /// Parses the rows of `control`. There is no default: a control without a global row is an error.
    ///
    /// # Errors
    /// A missing global row, or a value that `parse` refuses, with its line.
    pub fn parse(
        control: &str,
        rows: &[LimitRow],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Self, LimitError> {
        let mut parsed = Vec::new();
        for row in rows.iter().filter(|row| row.control == control) {
            let value = match &row.value {
                LimitValue::Text(text) => parse(text),
                LimitValue::List(_) => Err("takes one value, not a list".to_owned()),
            };
            let value = value.map_err(|message| LimitError {
                line: Some(row.line),
                message: format!("limit {control}: {message}"),
            })?;
            parsed.push((row.scope, value));
        }
        if !parsed.iter().any(|(scope, _)| *scope == Scope::Global) {
            return Err(missing(control));
        }
        parsed.sort_by_key(|(scope, _)| *scope);
        Ok(Self { rows: parsed })
    }

    /// The rows that cover an order.
    #[inline]
    pub fn covering(&self, route: Route) -> impl Iterator<Item = (Scope, &T)> {
        self.rows
            .iter()
            .filter(move |(scope, _)| route.covered_by(*scope))
            .map(|(scope, value)| (*scope, value))
    }

    /// All rows.
    pub fn rows(&self) -> &[(Scope, T)] {
        &self.rows
    }

    /// All rows, to change state kept in them.
    pub fn rows_mut(&mut self) -> &mut [(Scope, T)] {
        &mut self.rows
    }
}

/// The error of a control without a global row.
pub fn missing(control: &str) -> LimitError {
    LimitError {
        line: None,
        message: format!(
            "limit {control} is missing: add a [[limit]] with control = \"{control}\" and scope = \"global\""
        ),
    }
}

/// A quantity or amount above zero, or an error that says so.
///
/// # Errors
/// What is wrong with the text.
pub fn positive<T>(text: &str) -> Result<T, String>
where
    T: std::str::FromStr<Err = crate::types::NumberError> + Default + PartialOrd,
{
    let value: T = text.parse().map_err(|error| format!("`{text}`: {error}"))?;
    if value > T::default() { Ok(value) } else { Err(format!("`{text}` must be above zero")) }
}
