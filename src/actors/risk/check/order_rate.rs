//! C9: at most so many new orders and replaces in any window of a length, exactly: the window slides
//! with each order and remembers the time of each. Value: `100/1s`, `20/500ms`.
//!
//! A row counts all orders that its scope covers: the global row counts everything.

use super::super::limits::{LimitError, LimitRow, Limits};
use super::{Case, Check};
use crate::actors::saved::Saved;
use crate::types::{InstrumentTable, Nanos, Reason, Scope, Timestamp};
use serde::{Deserialize, Serialize};

const NAME: &str = "order_rate";
const MOST: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    length: Nanos,
    /// Times of the last orders, a ring as long as the limit.
    times: Vec<Timestamp>,
    /// The oldest of them.
    oldest: usize,
}

#[derive(Debug)]
struct OrderRate(Limits<Window>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(OrderRate(Limits::parse(NAME, rows, parse)?)))
}

fn parse(text: &str) -> Result<Window, String> {
    let bad = || format!("`{text}` is not a rate such as 100/1s or 20/500ms");
    let (count, length) = text.split_once('/').ok_or_else(bad)?;
    let count: usize = count.trim().parse().map_err(|_| bad())?;
    let length: Nanos = length.parse().map_err(|_| bad())?;
    if count == 0 || count > MOST || length.0 == 0 {
        return Err(format!("`{text}`: 1 to {MOST} orders in a window above zero"));
    }
    Ok(Window { length, times: vec![Timestamp::ZERO; count], oldest: 0 })
}

impl Check for OrderRate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let full = self.0.covering(case.route).any(|(_, window)| {
            // The order `count` orders ago must have left the window: (now - length, now].
            let first = window.times[window.oldest];
            first > Timestamp::ZERO && first + window.length > case.at
        });
        if full { Err(Reason::OrderRate) } else { Ok(()) }
    }

    fn commit(&mut self, case: &Case<'_>) {
        for (scope, window) in self.0.rows_mut() {
            if case.route.covered_by(*scope) {
                window.times[window.oldest] = case.at;
                window.oldest = (window.oldest + 1) % window.times.len();
            }
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.0)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.0)
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        let text = |w: &Window| match w.length.0 {
            nanos if nanos % 1_000_000_000 == 0 => {
                format!("{}/{}s", w.times.len(), nanos / 1_000_000_000)
            }
            nanos if nanos % 1_000_000 == 0 => format!("{}/{}ms", w.times.len(), nanos / 1_000_000),
            nanos => format!("{}/{nanos}ns", w.times.len()),
        };
        self.0.rows().iter().map(|(scope, window)| (*scope, text(window))).collect()
    }
}
