//! C24: an approval is void so long after it was given: what stood between the gates for longer does
//! not leave. The gate at the wire holds it to that; it also refuses an approval under older limits,
//! or from before a kill. Value: a span such as `250ms`.

use super::super::approved::Terms;
use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::kill::Route;
use crate::types::{LimitRow, Nanos, Reason, Timestamp};

const NAME: &str = "approval_age";

#[derive(Debug)]
struct ApprovalAge(Limits<Nanos>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(ApprovalAge(Limits::new(NAME, rows, known)?)))
}

impl Check for ApprovalAge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, _: &Case<'_>) -> Result<(), Reason> {
        Ok(())
    }

    fn at_wire(&self, at: Timestamp, route: Route, terms: &mut Terms) {
        if let Some(most) = self.0.on(route).map(|(_, most)| *most).min() {
            terms.expires = terms.expires.min(at + most);
        }
    }

    rows_in!(0);
}
