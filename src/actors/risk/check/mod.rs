//! The controls: one file each, one row each in [`CHECKS`]. To add one, write its file and its row.

mod daily_loss;
mod duplicate_intent;
mod max_order_qty;
mod max_order_value;
mod max_position;
mod order_rate;
mod price_collar;
mod session;
mod symbol_list;

pub use session::NAME as SESSION;

use super::case::Case;
use super::limits::{LimitError, LimitRow};
use crate::actors::oms::Oms;
use crate::actors::saved::Saved;
use crate::types::{InstrumentTable, Reason, Scope};

/// A pre-trade control. It judges new orders and replaces alike.
pub trait Check: Send + std::fmt::Debug {
    /// The control's name in config, metrics and docs.
    fn name(&self) -> &'static str;

    /// Says yes, or why not. May roll its own windows forward to `case.at`, but must not count the
    /// order: another control may still refuse it.
    ///
    /// # Errors
    /// The control's reason.
    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason>;

    /// Counts an order that every control has approved.
    fn commit(&mut self, _case: &Case<'_>) {}

    /// Orders of an earlier configuration are on the books: learn from them what must not be
    /// forgotten.
    fn adopt(&mut self, _oms: &Oms) {}

    /// State that decides later verdicts: for the digest, and for snapshots.
    fn state(&self) -> Option<&dyn Saved> {
        None
    }

    /// The same, to load it.
    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        None
    }

    /// Its limits, for listing: scope and value as people write it.
    fn limits(&self) -> Vec<(Scope, String)>;
}

/// Builds a control from its limit rows.
pub type Build = fn(&[LimitRow], &InstrumentTable) -> Result<Box<dyn Check>, LimitError>;

/// Every control, in the order they are asked: cheap and common refusals first.
pub const CHECKS: &[(&str, Build)] = &[
    ("symbol_list", symbol_list::build),
    (SESSION, session::build),
    ("duplicate_intent", duplicate_intent::build),
    ("max_order_qty", max_order_qty::build),
    ("max_order_value", max_order_value::build),
    ("price_collar", price_collar::build),
    ("max_position", max_position::build),
    ("order_rate", order_rate::build),
    ("daily_loss", daily_loss::build),
];

/// Builds all controls.
///
/// # Errors
/// The first limit that is missing or cannot be used.
pub fn build_all(
    rows: &[LimitRow],
    instruments: &InstrumentTable,
) -> Result<Vec<Box<dyn Check>>, LimitError> {
    if let Some(row) = rows.iter().find(|row| !CHECKS.iter().any(|(name, _)| *name == row.control))
    {
        let known: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
        return Err(LimitError {
            line: Some(row.line),
            message: format!("`{}` is not a control: {}", row.control, known.join(", ")),
        });
    }
    CHECKS.iter().map(|(_, build)| build(rows, instruments)).collect()
}
