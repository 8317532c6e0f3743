//! C1: no order of more units than the limit. Value: units, above zero.

use super::super::limits::{LimitError, LimitRow, Limits, positive};
use super::{Case, Check};
use crate::types::{InstrumentTable, Qty, Reason, Scope};

const NAME: &str = "max_order_qty";

#[derive(Debug)]
struct MaxOrderQty(Limits<Qty>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxOrderQty(Limits::parse(NAME, rows, positive)?)))
}

impl Check for MaxOrderQty {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        match self.0.covering(case.route).all(|(_, limit)| case.units <= *limit) {
            true => Ok(()),
            false => Err(Reason::MaxOrderQty),
        }
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        self.0.rows().iter().map(|(scope, limit)| (*scope, limit.to_string())).collect()
    }
}
