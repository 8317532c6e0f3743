//! C25: at most so many new orders and replaces on a day, each order of a list for itself. Value: a
//! number above zero.

use super::super::limits::{Known, LimitError};
use super::super::value::Count;
use super::Check;
use super::day_budget::{self, Booked};
use crate::types::{LimitRow, Reason};

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let control = ("day_orders", Reason::DayOrders);
    day_budget::build(control, |case| Count(case.opens.max(1)), Booked::Sent, (rows, known))
}
