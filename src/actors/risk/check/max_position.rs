//! C5: the worst-case position in the order's instrument stays within the limit: what is held plus
//! all that is open, on its way or in doubt, opposite orders not netted. An agent's row looks at the
//! agent's own position, every other row at the account's. Value: units, above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, Qty, Reason};

const NAME: &str = "max_position";

#[derive(Debug)]
struct MaxPosition(Limits<Qty>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxPosition(Limits::new(NAME, rows, known)?)))
}

impl Check for MaxPosition {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let added = case.added.is_positive();
        let over = planted!(PositionOneLotOver, Qty::ZERO, case.instrument.lot);
        let fits = |(scope, most): (_, &Qty)| case.worst(scope) <= *most + over;
        match !added || self.0.covering(case).all(fits) {
            true => Ok(()),
            false => Err(Reason::MaxPosition),
        }
    }

    rows_in!(0);
}
