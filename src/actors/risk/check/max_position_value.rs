//! C5 in money: the worst-case position in the order's instrument, as `max_position` counts it, at
//! the higher of the market and the order's worst price. Value: amount in the account's currency,
//! above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, Notional, Reason};

const NAME: &str = "max_position_value";

#[derive(Debug)]
struct MaxPositionValue(Limits<Notional>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(MaxPositionValue(Limits::new(NAME, rows, known)?)))
}

impl Check for MaxPositionValue {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if !case.added.is_positive() {
            return Ok(());
        }
        let price = case.mark.map_or(case.price, |mark| mark.max(case.price));
        for (scope, most) in self.0.covering(case) {
            let own = price
                .checked_notional(case.worst(scope), case.instrument.multiplier)
                .ok_or(Reason::MaxPositionValue)?;
            let value = case.oms.books.fx().convert(case.route.instrument, own, case.market);
            if value.ok_or(Reason::NoFxMark)? > *most {
                return Err(Reason::MaxPositionValue);
            }
        }
        Ok(())
    }

    rows_in!(0);
}
