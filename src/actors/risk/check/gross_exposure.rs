//! C6: the worth of all positions at their worst case, long and short added up, at market prices and
//! the order's own at its worst: positions, all that is open, in flight or in doubt. Each row adds up
//! what its scope covers. Value: amount in the account's currency, above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Notional, Reason, Scope};

const NAME: &str = "gross_exposure";

#[derive(Debug)]
struct GrossExposure(Limits<Notional>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(GrossExposure(Limits::new(NAME, rows, known)?)))
}

impl Check for GrossExposure {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if !case.added.is_positive() {
            return Ok(());
        }
        for (scope, most) in self.0.covering(case) {
            let (before, after) = case.worth(scope)?;
            if after.gross > *most && after.gross > before.gross {
                return Err(Reason::GrossExposure);
            }
        }
        Ok(())
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        look.oms.worth(scope, look.market).ok().map(|worth| worth.gross.to_string())
    }
}
