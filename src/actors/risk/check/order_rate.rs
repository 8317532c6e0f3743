//! C9: at most so many new orders and replaces in any window of a length, exactly: the window slides
//! with each order and remembers the time of each. Value: `100/1s`, `20/500ms`.
//!
//! A row counts all orders that its scope covers: the global row counts everything.

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::value::Rate;
use super::super::window::Window;
use super::{Case, Check, Look, rows_in};
use crate::actors::saved::Saved;
use crate::types::{LimitRow, Reason, Scope};

const NAME: &str = "order_rate";

#[derive(Debug)]
struct OrderRate {
    limits: Limits<Rate>,
    windows: PerScope<Window>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(OrderRate { limits, windows: PerScope::default() }))
}

impl Check for OrderRate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let full = self.limits.covering(case).any(|(scope, rate)| {
            self.windows.get(scope).is_some_and(|window| window.is_full(*rate, case.at))
        });
        if full { Err(Reason::OrderRate) } else { Ok(()) }
    }

    fn commit(&mut self, case: &Case<'_>) {
        let counts = planted!(RateSkipsReplaces, true, case.opens > 0);
        for (scope, rate) in self.limits.covering(case).filter(|_| counts) {
            self.windows.entry(scope).push(*rate, case.at);
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.windows)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.windows)
    }

    rows_in!(limits);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let rate = *self.limits.of(scope)?;
        let used = self.windows.get(scope).map_or(0, |window| window.used(rate, look.at));
        Some(used.to_string())
    }
}
