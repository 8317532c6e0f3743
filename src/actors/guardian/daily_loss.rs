//! C15 after the trade: an account, or an agent with a row of its own, has lost a part of its
//! `daily_loss` limit since the trading day began, open positions at the mark, fees included. The
//! limits are those in force at the risk gate. Values: `warn_at`, a share of the limit.
//!
//! A look counts once every held instrument was priced anew since the one before, so that one bad
//! price is one finding, however often it is looked at. What cannot be valued is not judged: the gate
//! refuses to open on it anyway.

use super::{Event, Next, Setup, Severity, Values, View, Watcher, accounts, kept_in};
use crate::types::{AccountId, AgentId, BrokerId, Date, Nanos, Notional, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The control whose rows are the limits.
const CONTROL: &str = "daily_loss";

/// What is known of the accounts and agents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// When each was last judged.
    judged: BTreeMap<Scope, Timestamp>,
    /// The day and the profit that it began with, of agents with a limit of their own.
    agents: BTreeMap<AgentId, (Date, Notional)>,
}

#[derive(Debug)]
struct DailyLoss {
    every: Nanos,
    warn_at: i64,
    accounts: Vec<(AccountId, BrokerId, Notional)>,
    kept: Kept,
    /// The limits in force; nothing where they may have changed since.
    rows: Option<Vec<(Scope, Notional)>>,
}

pub fn build(values: &mut Values, setup: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    Ok(Some(Box::new(DailyLoss {
        every: setup.every,
        warn_at: values.share("warn_at", 800_000)?,
        accounts: accounts(setup),
        kept: Kept::default(),
        rows: None,
    })))
}

/// How a loss stands to its limit, with a warning from a share of it on.
pub(super) fn against(loss: Notional, limit: Notional, warn_at: i64) -> Severity {
    let loss = planted!(LossRuleSilent, loss, Notional::ZERO);
    if loss >= limit {
        Severity::Act
    } else if loss.raw().saturating_mul(1_000_000) >= limit.raw().saturating_mul(warn_at.into()) {
        Severity::Warn
    } else {
        Severity::Clear
    }
}

impl DailyLoss {
    /// Judges what was won since the day began; nothing where the same prices were judged before.
    fn judge(
        &mut self,
        view: &View<'_>,
        scope: Scope,
        pnl: Notional,
        limit: Notional,
    ) -> Option<(Scope, Severity)> {
        let severity = against(Notional::ZERO.saturating_sub(pnl), limit, self.warn_at);
        let patience = Nanos(self.every.0.saturating_mul(5));
        let judged = self.kept.judged.entry(scope).or_default();
        if severity > Severity::Clear && !view.priced_anew(scope, *judged, patience) {
            return None;
        }
        *judged = view.at;
        Some((scope, severity))
    }

    /// Profit of an agent since the day began, or since it was first seen in it.
    fn agent_day(&mut self, view: &View<'_>, agent: AgentId) -> Notional {
        let (books, pnl) = (&view.oms.books, view.oms.books.agent_pnl(agent, view.market));
        let today = books.date();
        let day = self.kept.agents.entry(agent).or_insert((today, pnl));
        if day.0 != today {
            *day = (today, pnl);
        }
        pnl.saturating_sub(day.1)
    }
}

impl Watcher for DailyLoss {
    fn hear(&mut self, _: Timestamp, event: &Event<'_>) -> bool {
        if matches!(event, Event::Changed) {
            self.rows = None;
        }
        false
    }

    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let rows = self.rows.take().unwrap_or_else(|| view.risk.amounts(CONTROL));
        let least = |covers: &dyn Fn(Scope) -> bool| {
            let mut own = rows.iter().filter(|(scope, _)| covers(*scope)).map(|(_, limit)| *limit);
            let first = own.next()?;
            Some(own.fold(first, |least, limit| if limit < least { limit } else { least }))
        };
        for number in 0..self.accounts.len() {
            let (account, broker, _) = self.accounts[number];
            let scope = Scope::Account(account);
            let covering = [Scope::Global, Scope::Broker(broker), scope];
            let limit = least(&|row| covering.contains(&row));
            let pnl = view.oms.books.day_pnl(account, view.market);
            let (Some(pnl), Some(limit)) = (pnl, limit) else { continue };
            found.extend(self.judge(view, scope, pnl, limit));
        }
        let agents: Vec<AgentId> = rows
            .iter()
            .filter_map(|(scope, _)| if let Scope::Agent(id) = scope { Some(*id) } else { None })
            .collect();
        for agent in agents {
            let scope = Scope::Agent(agent);
            let pnl = self.agent_day(view, agent);
            let Some(limit) = least(&|row| row == scope) else { continue };
            found.extend(self.judge(view, scope, pnl, limit));
        }
        self.rows = Some(rows);
        Next::after(view.at, self.every)
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let used = self.accounts.iter().filter_map(|&(account, ..)| {
            let pnl = view.oms.books.day_pnl(account, view.market)?;
            Some((Scope::Account(account), Notional::ZERO.saturating_sub(pnl).to_string()))
        });
        used.collect()
    }

    kept_in!(kept);
}
