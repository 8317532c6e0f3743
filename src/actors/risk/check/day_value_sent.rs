//! C25: orders worth at most so much on a day: every new order and every replace, in full, at its worst
//! price; of a list the first. Value: amount in the account's currency, above zero.

use super::super::limits::{Known, LimitError};
use super::Check;
use super::day_budget::{self, Booked};
use crate::types::{LimitRow, Reason};

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let control = ("day_value_sent", Reason::DayValueSent);
    day_budget::build(control, |case| case.value, Booked::Sent, (rows, known))
}
