//! C25: fills worth at most so much on a day, both sides added up: no order that could bring them
//! beyond. Value: amount in the account's currency, above zero. The day is the trading day (`[session] day_start`).

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::window::Daily;
use super::{Case, Check, Look, Traded, rows_in};
use crate::actors::saved::Saved;
use crate::types::{LimitRow, Notional, Reason, Scope};

const NAME: &str = "day_value_traded";

#[derive(Debug)]
struct DayValueTraded {
    limits: Limits<Notional>,
    days: PerScope<Daily<Notional>>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(DayValueTraded { limits, days: PerScope::default() }))
}

impl Check for DayValueTraded {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let fits = self.limits.on(case.route).all(|(scope, most)| {
            let sum =
                self.days.get(scope).map_or(Notional::ZERO, |day| day.at(case.oms.books.date()));
            sum.saturating_add(case.value) <= *most
        });
        if fits { Ok(()) } else { Err(Reason::DayValueTraded) }
    }

    fn traded(&mut self, fill: &Traded) {
        for (scope, _) in self.limits.on(fill.route) {
            let sum = self.days.entry(scope).on(fill.day);
            *sum = sum.saturating_add(fill.value);
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
