//! C15 before the trade: once an account has lost the limit since the start of the UTC day (open
//! positions at the mark, fees included), only orders that reduce pass. Value: amount in the
//! account's currency, above zero. A held instrument without a mark denies.

use super::super::limits::{LimitError, LimitRow, Limits, positive};
use super::{Case, Check};
use crate::actors::saved::Saved;
use crate::kill::Effect;
use crate::types::{AccountId, InstrumentTable, Notional, Reason, Scope};
use std::collections::BTreeMap;

const NAME: &str = "daily_loss";

#[derive(Debug)]
struct DailyLoss {
    limits: Limits<Notional>,
    /// By account: the day and the profit that it began with.
    days: BTreeMap<AccountId, (u64, Notional)>,
}

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(DailyLoss { limits: Limits::parse(NAME, rows, positive)?, days: BTreeMap::new() }))
}

impl Check for DailyLoss {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let account = case.route.account;
        let Some(pnl) = case.oms.books.pnl(account, case.market) else {
            // What cannot be valued opens nothing; the way out stays free.
            return if case.effect == Effect::Opens { Err(Reason::NoPrice) } else { Ok(()) };
        };
        let today = case.at.utc_day();
        let day = self.days.entry(account).or_insert((today, pnl));
        if day.0 != today {
            *day = (today, pnl);
        }
        if case.effect != Effect::Opens {
            return Ok(());
        }
        let loss = day.1.saturating_sub(pnl);
        match self.limits.covering(case.route).all(|(_, limit)| loss < *limit) {
            true => Ok(()),
            false => Err(Reason::DailyLoss),
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.days)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.days)
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        self.limits.rows().iter().map(|(scope, limit)| (*scope, limit.to_string())).collect()
    }
}
