//! C20: no order while clocks disagree: the time in the last record of the instrument and our own when
//! it came, either way, or a report of the broker that was made later than we received it. Value: a
//! span such as `500ms`. It has no use for recorded data that is played in real time: `off`.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Nanos, Reason, Scope};

const NAME: &str = "clock_skew";

#[derive(Debug)]
struct ClockSkew(Limits<Nanos>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(ClockSkew(Limits::new(NAME, rows, known)?)))
}

impl Check for ClockSkew {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let market = case.market.skew(case.route.instrument);
        let broker = case.oms.links().get(case.route.broker.index()).map(|link| link.ahead);
        let skew = market.max(broker.unwrap_or_default());
        match self.0.covering(case).all(|(_, most)| skew <= *most) {
            true => Ok(()),
            false => Err(Reason::ClockSkew),
        }
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        match scope {
            Scope::Symbol(id) => Some(look.market.skew(id).to_string()),
            Scope::Broker(id) => {
                look.oms.links().get(id.index()).map(|link| link.ahead.to_string())
            }
            _ => None,
        }
    }
}
