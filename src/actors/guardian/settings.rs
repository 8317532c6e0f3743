//! What a configuration says about the guardian: common settings, and text values rule by rule.

use crate::types::{KillLevel, Nanos};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The guardian's part of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Between two looks of a rule, above zero.
    pub every: Nanos,
    /// How long a kill of the guardian cannot be armed; four times as long after each escalation.
    pub cool_off: Nanos,
    /// Cancels and exits that the broker has not confirmed after so long are reported to a person.
    pub confirm_within: Nanos,
    /// How far from the market an exit may trade, parts in a million.
    pub exit_collar: i64,
    /// Values of rules that differ from their defaults.
    pub rules: Vec<RuleSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            every: Nanos::from_secs(1),
            cool_off: Nanos::from_secs(30),
            confirm_within: Nanos::from_secs(10),
            exit_collar: 10_000,
            rules: Vec::new(),
        }
    }
}

/// The values of one rule, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// The rule's word.
    pub rule: String,
    /// Key and value.
    pub values: BTreeMap<String, String>,
    /// Line in the configuration.
    pub line: usize,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// Line in the configuration.
    pub line: usize,
    /// What is wrong; names rule and key.
    pub message: String,
}

/// What a rule does when it finds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Off,
    /// Hold, until the finding is gone.
    Hold,
    /// Raise a kill to this level.
    Kill(KillLevel),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Hold => f.write_str("hold"),
            Self::Kill(level) => level.fmt(f),
        }
    }
}

impl FromStr for Action {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "hold" => Ok(Self::Hold),
            word => match word.parse() {
                Ok(level) if level > KillLevel::Normal => Ok(Self::Kill(level)),
                _ => Err(format!(
                    "`{word}` is not an action: off, hold, reduce_only, block, cancel, flatten or isolate"
                )),
            },
        }
    }
}

/// Takes the values of one rule; what is left over at the end is a key that the rule does not have.
#[derive(Debug, Default)]
pub struct Values {
    left: BTreeMap<String, String>,
    /// Key and value of what was taken, defaults too.
    taken: Vec<String>,
}

impl Values {
    /// These values.
    pub const fn new(values: BTreeMap<String, String>) -> Self {
        Self { left: values, taken: Vec::new() }
    }

    /// The value of `key` if it is there.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn find<T>(&mut self, key: &str) -> Result<Option<T>, String>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.left.remove(key) else { return Ok(None) };
        self.taken.push(format!("{key} {text}"));
        text.parse().map(Some).map_err(|error| format!("`{key}`: {error}"))
    }

    /// The value of `key`, or the default.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn take<T>(&mut self, key: &str, default: T) -> Result<T, String>
    where
        T: FromStr + fmt::Display,
        T::Err: fmt::Display,
    {
        Ok(match self.find(key)? {
            Some(value) => value,
            None => {
                self.taken.push(format!("{key} {default}"));
                default
            }
        })
    }

    /// A span above zero.
    ///
    /// # Errors
    /// Zero, or a value that cannot be read.
    pub fn span(&mut self, key: &str, default: Nanos) -> Result<Nanos, String> {
        match self.take(key, default)? {
            Nanos(0) => Err(format!("`{key}` must be above zero")),
            span => Ok(span),
        }
    }

    /// A count above zero.
    ///
    /// # Errors
    /// Zero, or a value that cannot be read.
    pub fn count(&mut self, key: &str, default: u32) -> Result<u32, String> {
        match self.take(key, default)? {
            0 => Err(format!("`{key}` must be above zero")),
            count => Ok(count),
        }
    }

    /// A percentage above 0% and up to 100%, in parts in a million.
    ///
    /// # Errors
    /// A value that is none.
    pub fn share(&mut self, key: &str, default: i64) -> Result<i64, String> {
        Ok(self.take(key, Share(default))?.0)
    }

    /// Nothing is left: every key and value that holds.
    ///
    /// # Errors
    /// The first key that no one took.
    pub fn end(self) -> Result<String, String> {
        match self.left.keys().next() {
            Some(key) => Err(format!("has no key `{key}`")),
            None => Ok(self.taken.join(", ")),
        }
    }
}

/// A percentage in parts in a million.
struct Share(i64);

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        ppm(text).map(Self)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", rust_decimal::Decimal::new(self.0, 4).normalize())
    }
}

/// Reads a percentage such as `80%`, to parts in a million.
///
/// # Errors
/// A text that is none, or not above 0% and up to 100%.
pub fn ppm(text: &str) -> Result<i64, String> {
    let bad =
        || format!("`{text}` is not a percentage above 0% and up to 100%, such as 80% or 0.5%");
    let percent = text.trim().strip_suffix('%').ok_or_else(bad)?;
    let percent = rust_decimal::Decimal::from_str_exact(percent.trim()).map_err(|_| bad())?;
    let ppm = percent.checked_mul(rust_decimal::Decimal::from(10_000)).ok_or_else(bad)?.normalize();
    let ppm = i64::try_from(ppm).ok().filter(|_| ppm.scale() == 0).ok_or_else(bad)?;
    if (1..=1_000_000).contains(&ppm) { Ok(ppm) } else { Err(bad()) }
}
