//! The rows of one control, parsed. All rows that cover an order hold at once, so a narrower row can
//! only tighten (INV-10). The rows may change while the gateway runs; what a control has counted is
//! kept apart from them, in [`PerScope`].

use super::Case;
use super::value::Value;
use crate::kill::Route;
use crate::types::{InstrumentTable, LimitRow, Scope};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The names that a row may use.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Instruments, in the order of their ids.
    pub instruments: Arc<InstrumentTable>,
    /// Accounts, in the order of their ids.
    pub accounts: Vec<String>,
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

impl LimitError {
    /// What is wrong with a row.
    pub fn of(row: &LimitRow, message: impl std::fmt::Display) -> Self {
        let line = (row.line > 0).then_some(row.line);
        Self { line, message: format!("limit {}: {message}", row.control) }
    }
}

/// A control's rows, whatever their type: how they are listed and changed.
pub trait Table {
    /// Scope and value of every row, as people write it.
    fn list(&self) -> Vec<(Scope, String)>;

    /// Takes the place of all rows.
    ///
    /// # Errors
    /// The first row that cannot be used; then nothing has changed.
    fn set(&mut self, rows: &[LimitRow], known: &Known) -> Result<(), LimitError>;

    /// Whether `row`, in the place of the one with its scope, lets nothing through that is held back
    /// now. What cannot be compared does not.
    ///
    /// # Errors
    /// The row cannot be used.
    fn tightens(&self, row: &LimitRow, known: &Known) -> Result<bool, LimitError>;
}

#[derive(Debug, Clone)]
struct Row<T> {
    scope: Scope,
    value: T,
    half: T,
}

/// The rows of one control.
#[derive(Debug, Clone)]
pub struct Limits<T> {
    name: &'static str,
    rows: Vec<Row<T>>,
}

impl<T: Value> Limits<T> {
    /// Parses the rows of the control `name`; rows that say `off` are none.
    ///
    /// # Errors
    /// A value that the control refuses, with its line.
    pub fn new(name: &'static str, rows: &[LimitRow], known: &Known) -> Result<Self, LimitError> {
        let mut parsed = Vec::new();
        for row in rows.iter().filter(|row| row.control == name && !row.value.is_off()) {
            let value = T::parse(&row.value, known).map_err(|error| LimitError::of(row, error))?;
            parsed.push(Row { scope: row.scope, half: value.half(), value });
        }
        parsed.sort_by_key(|row| row.scope);
        Ok(Self { name, rows: parsed })
    }

    /// The rows that cover an order; their halves where the case asks for them.
    #[inline]
    pub fn covering(&self, case: &Case<'_>) -> impl Iterator<Item = (Scope, &T)> {
        let (route, half) = (case.route, case.half);
        self.rows
            .iter()
            .filter(move |row| route.covered_by(row.scope))
            .map(move |row| (row.scope, if half { &row.half } else { &row.value }))
    }

    /// The rows that cover what is on this route.
    #[inline]
    pub fn on(&self, route: Route) -> impl Iterator<Item = (Scope, &T)> {
        self.rows
            .iter()
            .filter(move |row| route.covered_by(row.scope))
            .map(|row| (row.scope, &row.value))
    }

    /// The row of exactly this scope.
    pub fn of(&self, scope: Scope) -> Option<&T> {
        self.rows.iter().find(|row| row.scope == scope).map(|row| &row.value)
    }
}

impl<T: Value> Table for Limits<T> {
    fn list(&self) -> Vec<(Scope, String)> {
        self.rows.iter().map(|row| (row.scope, row.value.text())).collect()
    }

    fn set(&mut self, rows: &[LimitRow], known: &Known) -> Result<(), LimitError> {
        *self = Self::new(self.name, rows, known)?;
        Ok(())
    }

    fn tightens(&self, row: &LimitRow, known: &Known) -> Result<bool, LimitError> {
        let old = self.of(row.scope);
        if row.value.is_off() {
            return Ok(old.is_none());
        }
        let new = T::parse(&row.value, known).map_err(|error| LimitError::of(row, error))?;
        Ok(old.map_or(new.only_denies(), |old| new.within(old)))
    }
}

/// What a control counts for each of its rows. It outlives the rows' values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PerScope<S>(Vec<(Scope, S)>);

impl<S> Default for PerScope<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Default> PerScope<S> {
    /// What was counted for a scope, if anything.
    #[inline]
    pub fn get(&self, scope: Scope) -> Option<&S> {
        self.0.iter().find(|(known, _)| *known == scope).map(|(_, state)| state)
    }

    /// The count of a scope, to change it.
    #[inline]
    pub fn entry(&mut self, scope: Scope) -> &mut S {
        let at = self.0.iter().position(|(known, _)| *known == scope).unwrap_or_else(|| {
            self.0.push((scope, S::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// All counts, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.0.iter_mut().map(|(_, state)| state)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(Scope, S)> {
        self.0.iter()
    }
}
