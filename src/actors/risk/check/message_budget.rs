//! C10: at most so many messages to a broker in any window, cancels included, of which a part is kept
//! for cancels: they always pass and are counted. It is counted where bytes leave, on each broker
//! connection for itself. Value: a rate, with the part kept where it is not a fifth: `200/1m`,
//! `50/1s, 30% for cancels`. Scopes: global and broker.

use super::super::approved::{Quota, Terms};
use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Ppm, Rate, Value, one};
use super::{Case, Check, rows_in};
use crate::kill::Route;
use crate::types::{LimitRow, LimitValue, Reason, Scope, Timestamp};

const NAME: &str = "message_budget";
/// A fifth.
const LEAST_RESERVE: Ppm = Ppm(200_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    rate: Rate,
    reserve: Ppm,
}

impl Budget {
    /// Rounded up: a reserve of less than a message is one.
    fn quota(self) -> Quota {
        let reserve = u64::from(self.rate.count) * self.reserve.0.unsigned_abs();
        Quota { rate: self.rate, reserve: reserve.div_ceil(1_000_000) as u32 }
    }
}

impl Value for Budget {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let (rate, reserve) = match text.split_once(',') {
            Some((rate, part)) => {
                let part = part.trim().strip_suffix("for cancels");
                let part =
                    part.ok_or_else(|| format!("`{text}` is not such as 50/1s, 30% for cancels"))?;
                (rate, Ppm::read(part)?)
            }
            None => (text, LEAST_RESERVE),
        };
        if reserve < LEAST_RESERVE {
            return Err(format!("`{text}`: at least {LEAST_RESERVE} must be kept for cancels"));
        }
        Ok(Self { rate: Rate::read(rate)?, reserve })
    }
    fn text(&self) -> String {
        match self.reserve {
            LEAST_RESERVE => self.rate.text(),
            reserve => format!("{}, {reserve} for cancels", self.rate.text()),
        }
    }
    fn within(&self, old: &Self) -> bool {
        self.rate.within(&old.rate) && self.reserve >= old.reserve
    }
}

#[derive(Debug)]
struct MessageBudget(Limits<Budget>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let narrow = |row: &&LimitRow| {
        row.control == NAME && !matches!(row.scope, Scope::Global | Scope::Broker(_))
    };
    if let Some(row) = rows.iter().find(narrow) {
        return Err(LimitError::of(row, "only for everything or for a broker"));
    }
    Ok(Box::new(MessageBudget(Limits::new(NAME, rows, known)?)))
}

impl Check for MessageBudget {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, _: &Case<'_>) -> Result<(), Reason> {
        Ok(())
    }

    fn at_wire(&self, _: Timestamp, route: Route, terms: &mut Terms) {
        for (scope, budget) in self.0.on(route) {
            let place = usize::from(scope != Scope::Global);
            terms.quotas[place] = Some(budget.quota());
        }
    }

    rows_in!(0);
}
