//! C8: at most so many orders at once that may still trade: open, on their way and in doubt, each
//! order of a list for itself. Value: a number above zero. Replaces add none.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::Count;
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Reason, Scope};

const NAME: &str = "open_orders";

#[derive(Debug)]
struct OpenOrders(Limits<Count>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(OpenOrders(Limits::new(NAME, rows, known)?)))
}

impl Check for OpenOrders {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.opens == 0 {
            return Ok(());
        }
        let opens = planted!(ListIsOneOrder, case.opens, 1);
        let fits = self
            .0
            .covering(case)
            .all(|(scope, most)| case.oms.working(scope).saturating_add(opens) <= most.0);
        if fits { Ok(()) } else { Err(Reason::OpenOrders) }
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        Some(look.oms.working(scope).to_string())
    }
}
