//! C15 before the trade: once an account has lost the limit since the trading day began
//! (`[session] day_start`; open positions at the mark, fees included), only orders that reduce pass. Value: amount in the
//! account's currency, above zero. A held instrument without a mark denies.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::kill::Effect;
use crate::types::{LimitRow, Notional, Reason};

const NAME: &str = "daily_loss";

#[derive(Debug)]
struct DailyLoss(Limits<Notional>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(DailyLoss(Limits::new(NAME, rows, known)?)))
}

impl Check for DailyLoss {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.effect != Effect::Opens {
            return Ok(());
        }
        // What cannot be valued opens nothing; the way out stays free.
        let pnl = case.oms.books.day_pnl(case.route.account, case.market).ok_or(Reason::NoPrice)?;
        let loss = planted!(LossSign, Notional::ZERO.saturating_sub(pnl), pnl);
        match self.0.covering(case).all(|(_, limit)| loss < *limit) {
            true => Ok(()),
            false => Err(Reason::DailyLoss),
        }
    }

    rows_in!(0);
}
