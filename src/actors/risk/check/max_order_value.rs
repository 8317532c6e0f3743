//! C2: no order worth more than the limit at its worst price, a market order at the far touch and the
//! price collar on top. Value: amount in the account's currency, above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, Notional, Reason};

const NAME: &str = "max_order_value";

#[derive(Debug)]
struct MaxOrderValue(Limits<Notional>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxOrderValue(Limits::new(NAME, rows, known)?)))
}

impl Check for MaxOrderValue {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let value = planted!(
            ValueOfNew,
            case.value,
            if case.opens == 0 { Notional::ZERO } else { case.value },
        );
        match self.0.covering(case).all(|(_, limit)| value <= *limit) {
            true => Ok(()),
            false => Err(Reason::MaxOrderValue),
        }
    }

    rows_in!(0);
}
