//! C6: the worth of all positions with long and short set off against each other, at the worst case
//! on the order's side: every open order of that side fills and none of the other. Each row adds up
//! what its scope covers. Value: amount in the account's currency, above zero.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Notional, Reason, Scope, Side};

const NAME: &str = "net_exposure";

#[derive(Debug)]
struct NetExposure(Limits<Notional>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(NetExposure(Limits::new(NAME, rows, known)?)))
}

impl Check for NetExposure {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if !case.added.is_positive() {
            return Ok(());
        }
        for (scope, most) in self.0.covering(case) {
            let (_, after) = case.worth(scope)?;
            let worst = match case.terms.side {
                Side::Buy => after.longest,
                Side::Sell => planted!(NetSignOfSells, -after.shortest, after.shortest),
            };
            if worst > *most {
                return Err(Reason::NetExposure);
            }
        }
        Ok(())
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let worth = look.oms.worth(scope, look.market).ok()?;
        Some(worth.longest.max(-worth.shortest).to_string())
    }
}
