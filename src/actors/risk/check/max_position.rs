//! C5: the worst-case position in the order's instrument stays within the limit: what is held plus
//! all that is open, on its way or in doubt, opposite orders not netted. An agent's row looks at the
//! agent's own position, every other row at the account's. Value: units, above zero.

use super::super::limits::{LimitError, LimitRow, Limits, positive};
use super::{Case, Check};
use crate::types::{InstrumentTable, Qty, Reason, Scope, Side};

const NAME: &str = "max_position";

#[derive(Debug)]
struct MaxPosition(Limits<Qty>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxPosition(Limits::parse(NAME, rows, positive)?)))
}

impl Check for MaxPosition {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.added.is_zero() {
            return Ok(());
        }
        for (scope, limit) in self.0.covering(case.route) {
            let before = match scope {
                Scope::Agent(_) => case.agent,
                _ => case.account,
            };
            let after = before.with(case.terms.side, case.added);
            // Only the side that the order adds to: a position over a lowered limit may be reduced.
            let worst = match case.terms.side {
                Side::Buy => after.longest(),
                Side::Sell => -after.shortest(),
            };
            if worst > *limit {
                return Err(Reason::MaxPosition);
            }
        }
        Ok(())
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        self.0.rows().iter().map(|(scope, limit)| (*scope, limit.to_string())).collect()
    }
}
