//! C1: no order of more units than the limit. Value: units, above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, Qty, Reason};

const NAME: &str = "max_order_qty";

#[derive(Debug)]
struct MaxOrderQty(Limits<Qty>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxOrderQty(Limits::new(NAME, rows, known)?)))
}

impl Check for MaxOrderQty {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let units = planted!(QtyOfGrowth, case.units, case.added);
        match self.0.covering(case).all(|(_, limit)| units <= *limit) {
            true => Ok(()),
            false => Err(Reason::MaxOrderQty),
        }
    }

    rows_in!(0);
}
