//! C6: gross exposure at the worst case, as `gross_exposure` counts it, in units of equity: the
//! capital of the accounts and their profit with open positions at the market. A row for an agent or
//! a symbol is held against the equity of the order's account. Value: a ratio such as `2` or `1.5`.
//! Without equity nothing opens.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::Ratio;
use super::{Case, Check, Look, rows_in};
use crate::types::{LimitRow, Notional, Reason, Scope};
use rust_decimal::Decimal;

const NAME: &str = "leverage";

#[derive(Debug)]
struct Leverage(Limits<Ratio>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(Leverage(Limits::new(NAME, rows, known)?)))
}

fn holds(gross: Notional, equity: Notional, most: Ratio) -> bool {
    // Products instead of a quotient: a division of 128 bits is as long as the rest of the check.
    match (gross.raw().checked_mul(1_000), equity.raw().checked_mul(most.0.into())) {
        (Some(gross), Some(allowed)) => gross <= allowed,
        _ => equity.checked_ratio(most.0, 1_000).is_some_and(|allowed| gross <= allowed),
    }
}

impl Check for Leverage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if !case.added.is_positive() {
            return Ok(());
        }
        for (scope, most) in self.0.covering(case) {
            let (before, after) = case.worth(scope)?;
            if after.gross <= before.gross {
                continue;
            }
            let owner = match scope {
                Scope::Agent(_) | Scope::Symbol(_) => Scope::Account(case.route.account),
                _ => scope,
            };
            let equity = case.oms.equity(owner, case.market)?;
            if !holds(after.gross, equity, *most) {
                return Err(Reason::Leverage);
            }
        }
        Ok(())
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let gross = look.oms.worth(scope, look.market).ok()?.gross.to_decimal();
        let equity = look.oms.equity(scope, look.market).ok()?.to_decimal();
        (equity > Decimal::ZERO)
            .then(|| gross.checked_div(equity))
            .flatten()
            .map(|ratio| ratio.round_dp(3).normalize().to_string())
    }
}
