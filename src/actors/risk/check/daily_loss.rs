//! C15 before the trade: once an account has lost the limit since the start of the UTC day (open
//! positions at the mark, fees included), only orders that reduce pass. Value: amount in the
//! account's currency, above zero. A held instrument without a mark denies.

use super::super::limits::{Known, LimitError, Limits};
use super::{Case, Check, rows_in};
use crate::kill::Effect;
use crate::types::{AccountId, LimitRow, Notional, Reason};
use std::collections::BTreeMap;

const NAME: &str = "daily_loss";

#[derive(Debug)]
struct DailyLoss {
    limits: Limits<Notional>,
    /// By account: the day and the profit that it began with.
    days: BTreeMap<AccountId, (u64, Notional)>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(DailyLoss { limits: Limits::new(NAME, rows, known)?, days: BTreeMap::new() }))
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
        match self.limits.covering(case).all(|(_, limit)| loss < *limit) {
            true => Ok(()),
            false => Err(Reason::DailyLoss),
        }
    }

    fn hash(&self, into: &mut dyn FnMut(&[u8])) {
        for (account, (day, base)) in &self.days {
            into(&account.0.to_le_bytes());
            into(&day.to_le_bytes());
            into(&base.raw().to_le_bytes());
        }
    }

    rows_in!(limits);
}
