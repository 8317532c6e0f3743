//! Limits that change while the gateway runs. What the controls have counted stays; agents have no
//! way here (INV-10).

use super::limits::LimitError;
use super::{Risk, check};
use crate::msg::LimitsChange;
use crate::types::LimitRow;

/// Limits that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The version that they would be.
    pub version: u32,
    /// All of them.
    pub rows: Vec<LimitRow>,
    /// They let nothing through that is held back now.
    pub tightens: bool,
    /// The value that would go, where there is one.
    pub old: Option<String>,
}

impl Risk {
    /// Puts other limits in force; what was counted stays. A change that does not follow the version
    /// in force, or that cannot be used, changes nothing.
    pub(in crate::actors) fn set_limits(&mut self, change: &LimitsChange) {
        if change.version == self.version + 1 && self.install(&change.rows).is_ok() {
            self.version = change.version;
        }
    }

    pub(super) fn install(&mut self, rows: &[LimitRow]) -> Result<(), LimitError> {
        check::build_all(rows, &self.known)?;
        for check in &mut self.checks {
            check.table_mut().set(rows, &self.known)?;
        }
        self.rows = rows.to_vec();
        Ok(())
    }

    /// How often the limits were changed since the state folder began.
    pub const fn limits_version(&self) -> u32 {
        self.version
    }

    /// Whether the limits in force are those of this change.
    pub fn has_limits(&self, change: &LimitsChange) -> bool {
        self.version == change.version && self.rows == change.rows
    }

    /// What it would mean to put `row` in the place of the one with its control and scope.
    ///
    /// # Errors
    /// The row cannot be used.
    pub fn propose(&self, row: LimitRow) -> Result<Proposal, LimitError> {
        let unknown = || LimitError::of(&row, "is not a control of the risk gate");
        let check = self.checks.iter().find(|check| check.name() == row.control);
        let table = check.ok_or_else(unknown)?.table();
        let tightens = table.tightens(&row, &self.known)?;
        let old = table.list().into_iter().find(|(scope, _)| *scope == row.scope);
        let mut rows = self.rows.clone();
        match rows.iter_mut().find(|own| (&own.control, own.scope) == (&row.control, row.scope)) {
            Some(own) => *own = row,
            None => rows.push(row),
        }
        check::build_all(&rows, &self.known)?;
        let old = old.map(|(_, value)| value);
        Ok(Proposal { version: self.version + 1, rows, tightens, old })
    }

    /// Takes over what was set while `old` ran, unless the limits of the configuration have changed:
    /// then those hold.
    pub(super) fn inherit_limits(&mut self, old: &Self) {
        let same = |(a, b): (&LimitRow, &LimitRow)| {
            (&a.control, a.scope, &a.value) == (&b.control, b.scope, &b.value)
        };
        self.version = old.version;
        let unchanged = self.written.len() == old.written.len()
            && self.written.iter().zip(&old.written).all(same);
        if !unchanged || self.install(&old.rows).is_err() {
            self.version += 1;
        }
    }
}
