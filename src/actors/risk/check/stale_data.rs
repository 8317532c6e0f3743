//! C19: no order in an instrument of which no data came for longer than the limit; bars are fresh for
//! twice their length. Data, not a sign of life of its connection. Value: a span such as `5s`. The
//! market's own `stale_after` holds as well.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Nanos, Reason, Scope};

const NAME: &str = "stale_data";

#[derive(Debug)]
struct StaleData(Limits<Nanos>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(StaleData(Limits::new(NAME, rows, known)?)))
}

impl Check for StaleData {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let age = case.market.age(case.route.instrument, case.at);
        match self.0.covering(case).all(|(_, most)| age <= *most) {
            true => Ok(()),
            false => Err(Reason::StaleData),
        }
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let Scope::Symbol(id) = scope else { return None };
        Some(Nanos(look.market.age(id, look.at).0 / 1_000_000 * 1_000_000).to_string())
    }
}
