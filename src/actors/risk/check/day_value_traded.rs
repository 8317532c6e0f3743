//! C25: fills worth at most so much on a day, both sides added up: no order that could bring them
//! beyond. Value: amount in the account's currency, above zero.

use super::super::limits::{Known, LimitError};
use super::Check;
use super::day_budget::{self, Booked};
use crate::types::{LimitRow, Reason};

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let control = ("day_value_traded", Reason::DayValueTraded);
    day_budget::build(control, |case| case.value, Booked::Traded(|fill| fill.value), (rows, known))
}
