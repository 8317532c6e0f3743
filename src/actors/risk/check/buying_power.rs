//! C7: the cash of the order's account never falls below a floor at the worst case: capital, all that
//! trading brought in and took, less every open buy order, in flight and in doubt included, at its
//! worst price and with fees. Sales bring nothing before they are filled. Value: the floor in the
//! account's currency, with the fees to expect: `0`, `-50000`, `1000, 0.1% fees`.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Ppm, Value, one};
use super::{Case, Check, Look, rows_in};
use crate::kill::Effect;
use crate::types::{LimitRow, LimitValue, Notional, Reason, Scope, Side};

const NAME: &str = "buying_power";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floor {
    least: Notional,
    fees: Option<Ppm>,
}

impl Floor {
    fn with_fees(self, cost: Notional) -> Option<Notional> {
        match self.fees {
            Some(fees) => cost.checked_ratio(1_000_000 + fees.0, 1_000_000),
            None => Some(cost),
        }
    }
}

impl Value for Floor {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let (least, fees) = match text.split_once(',') {
            Some((least, fees)) => {
                let fees = fees.trim().strip_suffix("fees");
                let fees =
                    fees.ok_or_else(|| format!("`{text}` is not such as 1000, 0.1% fees"))?;
                (least, Some(Ppm::read(fees)?))
            }
            None => (text, None),
        };
        let least = least.trim().parse().map_err(|error| format!("`{least}`: {error}"))?;
        Ok(Self { least, fees })
    }
    fn text(&self) -> String {
        match self.fees {
            Some(fees) => format!("{}, {fees} fees", self.least),
            None => self.least.to_string(),
        }
    }
    fn within(&self, old: &Self) -> bool {
        self.least >= old.least && self.fees >= old.fees
    }
}

#[derive(Debug)]
struct BuyingPower(Limits<Floor>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(BuyingPower(Limits::new(NAME, rows, known)?)))
}

impl Check for BuyingPower {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.terms.side == Side::Sell || case.effect == Effect::Reduces {
            return Ok(());
        }
        let mut rows = self.0.covering(case).peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let account = case.route.account;
        if case.oms.is_unpriced(account) {
            return Err(Reason::NoPrice);
        }
        let cash = case.oms.books.cash(account, case.market).ok_or(Reason::NoFxMark)?;
        let open = case.oms.books.open_cost(account, case.market).ok_or(Reason::NoFxMark)?;
        let cost = open.saturating_add(case.cost()?);
        for (_, floor) in rows {
            let cost = floor.with_fees(cost).ok_or(Reason::BuyingPower)?;
            if cash.saturating_sub(cost) < floor.least {
                return Err(Reason::BuyingPower);
            }
        }
        Ok(())
    }

    rows_in!(0);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let Scope::Account(account) = scope else { return None };
        let cash = look.oms.books.cash(account, look.market)?;
        let open = look.oms.books.open_cost(account, look.market)?;
        Some(cash.saturating_sub(open).to_string())
    }
}
