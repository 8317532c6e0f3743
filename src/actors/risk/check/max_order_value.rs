//! C2: no order worth more than the limit at its worst price, a market order at the far touch.
//! Value: amount in the account's currency, above zero.

use super::super::limits::{LimitError, LimitRow, Limits, positive};
use super::{Case, Check};
use crate::types::{InstrumentTable, Notional, Reason, Scope};

const NAME: &str = "max_order_value";

#[derive(Debug)]
struct MaxOrderValue(Limits<Notional>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxOrderValue(Limits::parse(NAME, rows, positive)?)))
}

impl Check for MaxOrderValue {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        match self.0.covering(case.route).all(|(_, limit)| case.value <= *limit) {
            true => Ok(()),
            false => Err(Reason::MaxOrderValue),
        }
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        self.0.rows().iter().map(|(scope, limit)| (*scope, limit.to_string())).collect()
    }
}
