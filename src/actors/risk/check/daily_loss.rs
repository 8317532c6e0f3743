//! C15 before the trade: once an account has lost the limit since the trading day began
//! (`[session] day_start`; open positions at the mark, fees included), only orders that reduce pass. Value: amount in the
//! account's currency, above zero. A held instrument without a mark denies.

use super::super::limits::{LimitError, LimitRow, Limits, positive};
use super::{Case, Check};
use crate::kill::Effect;
use crate::types::{InstrumentTable, Notional, Reason, Scope};

const NAME: &str = "daily_loss";

#[derive(Debug)]
struct DailyLoss(Limits<Notional>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(DailyLoss(Limits::parse(NAME, rows, positive)?)))
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
        let loss = Notional::ZERO.saturating_sub(pnl);
        match self.0.covering(case.route).all(|(_, limit)| loss < *limit) {
            true => Ok(()),
            false => Err(Reason::DailyLoss),
        }
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        self.0.rows().iter().map(|(scope, limit)| (*scope, limit.to_string())).collect()
    }
}
