//! C16: an account's equity, open positions at the mark, has fallen from its peak. Values: `limit`, a
//! share of the peak such as `10%` or an amount such as `5000` (the rule is off without one), and
//! `warn_at`, a share of the limit.
//!
//! The peak is a part of the core's state: a restart, which runs the journal again, does not reset it.
//! It rises only to what several looks in a row have seen, so that one bad price does not set it.

use super::daily_loss::against;
use super::{Next, Setup, Severity, Values, View, Watcher, accounts, kept_in};
use crate::types::{AccountId, BrokerId, Nanos, Notional, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Looks that a peak takes.
const PEAK: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Limit {
    Share(i64),
    Amount(Notional),
}

impl std::str::FromStr for Limit {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().ends_with('%') {
            return super::settings::ppm(text).map(Self::Share);
        }
        match text.parse::<Notional>() {
            Ok(amount) if amount > Notional::ZERO => Ok(Self::Amount(amount)),
            _ => Err(format!("`{text}` is neither a percentage nor an amount above zero")),
        }
    }
}

impl Limit {
    fn below(self, peak: Notional) -> Notional {
        match self {
            Self::Amount(amount) => amount,
            Self::Share(ppm) => peak.checked_ratio(ppm, 1_000_000).unwrap_or(peak),
        }
    }
}

/// An account's equity so far.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Equity {
    peak: Option<Notional>,
    /// The last looks.
    recent: [Option<Notional>; PEAK],
    judged: Timestamp,
}

#[derive(Debug)]
struct Drawdown {
    every: Nanos,
    limit: Limit,
    warn_at: i64,
    accounts: Vec<(AccountId, BrokerId, Notional)>,
    equity: BTreeMap<AccountId, Equity>,
}

pub fn build(values: &mut Values, setup: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    let warn_at = values.share("warn_at", 800_000)?;
    let Some(limit) = values.find("limit")? else { return Ok(None) };
    Ok(Some(Box::new(Drawdown {
        every: setup.every,
        limit,
        warn_at,
        accounts: accounts(setup),
        equity: BTreeMap::new(),
    })))
}

impl Equity {
    /// Takes in a look, and gives the peak.
    fn see(&mut self, now: Notional) -> Notional {
        self.recent.rotate_left(1);
        self.recent[PEAK - 1] = Some(now);
        let least =
            self.recent.iter().flatten().copied().fold(now, |a, b| if b < a { b } else { a });
        let full = self.recent.iter().all(Option::is_some);
        let peak = match self.peak {
            Some(peak) if full && least > peak => least,
            Some(peak) => peak,
            None => now,
        };
        self.peak = Some(peak);
        peak
    }
}

impl Watcher for Drawdown {
    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let patience = Nanos(self.every.0.saturating_mul(5));
        for &(account, _, capital) in &self.accounts {
            let scope = Scope::Account(account);
            let equity = self.equity.entry(account).or_default();
            let Some(pnl) = view.oms.books.pnl(account, view.market) else { continue };
            if !view.priced_anew(scope, equity.judged, patience) {
                continue;
            }
            equity.judged = view.at;
            let now = capital.saturating_add(pnl);
            let peak = equity.see(now);
            let limit = self.limit.below(peak);
            found.push((scope, against(peak.saturating_sub(now), limit, self.warn_at)));
        }
        Next::after(view.at, self.every)
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let used = self.accounts.iter().filter_map(|&(account, _, capital)| {
            let peak = self.equity.get(&account)?.peak?;
            let pnl = view.oms.books.pnl(account, view.market)?;
            let fallen = peak.saturating_sub(capital.saturating_add(pnl)).max(Notional::ZERO);
            Some((Scope::Account(account), format!("{fallen} of {}", self.limit.below(peak))))
        });
        used.collect()
    }

    /// What was lost is accepted: the next peak is counted from here.
    fn accept(&mut self, scope: Scope) {
        if let Scope::Account(account) = scope {
            self.equity.remove(&account);
        }
    }

    kept_in!(equity);
}
