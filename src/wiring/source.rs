//! The text of a config file and the places in it, so that every error says where.

use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// What is wrong in a config file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong; names the key and what is allowed.
    pub message: String,
}

/// A config file's name and text. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    file: Arc<str>,
    text: Arc<str>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.file)
    }
}

impl Source {
    /// A text and the name to blame in errors.
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into() }
    }
    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }
    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column, from 1, of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// An error at a byte offset.
    pub fn error(&self, offset: usize, message: impl Into<String>) -> ConfigError {
        let (line, column) = self.position(offset);
        ConfigError { file: self.file.to_string(), line, column, message: message.into() }
    }

    /// An error about something that is nowhere in the file: it points at the end.
    pub fn missing(&self, message: impl Into<String>) -> ConfigError {
        self.error(self.text.trim_end().len(), message)
    }

    /// The TOML library's error, with the key it is about.
    fn toml_error(&self, error: &toml::de::Error, fallback: usize) -> ConfigError {
        let offset = error.span().map_or(fallback, |span| span.start);
        let message = error.message().trim_end().replace('\n', "; ");
        let named = |key: &&str| {
            message.starts_with("missing field") || message.contains(&format!("`{key}`"))
        };
        let key = self.key_before(offset).filter(|key| !named(key));
        self.error(offset, key.map_or(message.clone(), |key| format!("`{key}`: {message}")))
    }

    /// The key on the line of a value at `offset`.
    fn key_before(&self, offset: usize) -> Option<&str> {
        let line = self.text.get(..offset)?.rsplit('\n').next()?;
        let key = line.split_once('=')?.0.trim();
        (!key.is_empty() && !key.starts_with('#')).then_some(key)
    }

    fn parse(&self) -> Result<Spanned<DeTable<'_>>, ConfigError> {
        DeTable::parse(&self.text).map_err(|error| self.toml_error(&error, 0))
    }

    /// The whole file in the shape of `T`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let table = self.parse()?;
        self.shape(Spanned::new(table.span(), DeValue::Table(table.into_inner())))
    }

    fn shape<T: DeserializeOwned>(&self, value: Spanned<DeValue<'_>>) -> Result<T, ConfigError> {
        let start = value.span().start;
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| self.toml_error(&error, start))
    }
}

/// A table whose keys belong to a kind of feed, agent or exchange: `[agent.params]`.
///
/// The kind's own room gives it a shape with [`Params::read`], and errors still point into the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    source: Source,
    /// Where it stands: section, number of the section, key in it.
    place: (&'static str, usize, &'static str),
    /// What to blame if the table is absent.
    owner: usize,
}

impl Params {
    pub(super) fn new(
        source: &Source,
        place: (&'static str, usize, &'static str),
        owner: usize,
    ) -> Self {
        Self { source: source.clone(), place, owner }
    }

    /// The parameters in the shape of `T`; an absent table is an empty one. Give `T`
    /// `deny_unknown_fields`.
    ///
    /// # Errors
    /// An unknown, missing or malformed key, with its place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut root = self.source.parse()?.into_inner();
        let (section, index, key) = self.place;
        let found = root.get_mut(section).and_then(|sections| match sections.get_mut() {
            DeValue::Array(sections) => match sections.get_mut(index)?.get_mut() {
                DeValue::Table(section) => section.remove(key),
                _ => None,
            },
            _ => None,
        });
        let span = self.owner..self.owner;
        self.source
            .shape(found.unwrap_or_else(|| Spanned::new(span, DeValue::Table(DeTable::new()))))
    }

    /// An error about these parameters as a whole, for what no shape can say.
    pub fn error(&self, message: impl Into<String>) -> ConfigError {
        let at = self.read::<SpanOnly>().map_or(self.owner, |at| at.0);
        self.source.error(at, message)
    }
}

/// Where a table begins.
struct SpanOnly(usize);

impl<'de> serde::Deserialize<'de> for SpanOnly {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<serde::de::IgnoredAny>::deserialize(deserializer).map(|at| Self(at.span().start))
    }
}
