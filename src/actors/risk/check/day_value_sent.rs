//! C25: orders worth at most so much on a day: every new order and every replace, in full, at its worst
//! price; of a list the first. What is cancelled gives nothing back. Value: amount in the account's
//! currency, above zero. The day is the trading day (`[session] day_start`).

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::window::Daily;
use super::{Case, Check, Look, rows_in};
use crate::actors::saved::Saved;
use crate::types::{LimitRow, Notional, Reason, Scope};

const NAME: &str = "day_value_sent";

#[derive(Debug)]
struct DayValueSent {
    limits: Limits<Notional>,
    days: PerScope<Daily<Notional>>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(DayValueSent { limits, days: PerScope::default() }))
}

impl Check for DayValueSent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let fits = self.limits.on(case.route).all(|(scope, most)| {
            let sum =
                self.days.get(scope).map_or(Notional::ZERO, |day| day.at(case.oms.books.date()));
            case.is_leg || sum.saturating_add(case.value) <= *most
        });
        if fits { Ok(()) } else { Err(Reason::DayValueSent) }
    }

    fn commit(&mut self, case: &Case<'_>) {
        for (scope, _) in self.limits.on(case.route) {
            let sum = self.days.entry(scope).on(case.oms.books.date());
            *sum = sum.saturating_add(case.value);
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
