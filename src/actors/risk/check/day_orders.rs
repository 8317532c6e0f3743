//! C25: at most so many new orders and replaces on a day, each order of a list for itself. What
//! happens to them afterwards gives nothing back. Value: a number above zero. The day is the trading day (`[session] day_start`).

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::value::Count;
use super::super::window::Daily;
use super::{Case, Check, Look, rows_in};
use crate::actors::saved::Saved;
use crate::types::{LimitRow, Reason, Scope};

const NAME: &str = "day_orders";

#[derive(Debug)]
struct DayOrders {
    limits: Limits<Count>,
    days: PerScope<Daily<u32>>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(DayOrders { limits, days: PerScope::default() }))
}

impl Check for DayOrders {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let more = case.opens.max(1);
        let fits = self.limits.on(case.route).all(|(scope, most)| {
            let sum = self.days.get(scope).map_or(0, |day| day.at(case.oms.books.date()));
            case.is_leg || sum.saturating_add(more) <= most.0
        });
        if fits { Ok(()) } else { Err(Reason::DayOrders) }
    }

    fn commit(&mut self, case: &Case<'_>) {
        for (scope, _) in self.limits.on(case.route) {
            let sum = self.days.entry(scope).on(case.oms.books.date());
            *sum = sum.saturating_add(case.opens.max(1));
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.days)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.days)
    }

    rows_in!(limits);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        Some(
            self.days
                .get(scope)
                .map(|day| day.at(look.oms.books.date()))
                .unwrap_or_default()
                .to_string(),
        )
    }
}
