//! The trading day of the books: what every account had won or lost when it began.

use super::Books;
use crate::actors::market::Market;
use crate::types::{AccountId, Date, DayStart, Notional, Timestamp};
use serde::{Deserialize, Serialize};

/// The day under way. It is part of the books, so recovery rebuilds it and a new configuration keeps
/// it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Day {
    pub start: DayStart,
    date: Date,
    /// The first moment of the next one.
    ends: Timestamp,
    /// By account: profit when the day began; `None` until every position has a mark.
    opening: Vec<Option<Notional>>,
    /// Some of them still `None`.
    unvalued: bool,
}

impl Day {
    pub fn new(accounts: usize, start: DayStart) -> Self {
        Self {
            start,
            date: Date::default(),
            ends: Timestamp::ZERO,
            opening: vec![None; accounts],
            unvalued: true,
        }
    }

    /// Another rule from now on. The next input says which day it is; the same day stays as it is.
    pub fn redefine(&mut self, start: DayStart) {
        if self.start != start {
            self.start = start;
            self.ends = Timestamp::ZERO;
        }
    }

    /// The account got what it had elsewhere: its day begins with it.
    pub fn reopen(&mut self, account: AccountId) {
        if let Some(opening) = self.opening.get_mut(account.index()) {
            *opening = None;
            self.unvalued = true;
        }
    }
}

impl Books {
    /// Call it with every input, before the input changes anything: the first one of a day closes
    /// the day before at the marks it left.
    #[inline]
    pub fn begin_day(&mut self, at: Timestamp, market: &Market) {
        if at >= self.day.ends {
            let date = self.day.start.date(at);
            self.day.ends = self.day.start.begin(date.next());
            if date != self.day.date {
                self.day.date = date;
                self.day.opening.fill(None);
                self.day.unvalued = true;
            }
        }
        if self.day.unvalued {
            self.value_opening(market);
        }
    }

    #[cold]
    fn value_opening(&mut self, market: &Market) {
        for index in 0..self.day.opening.len() {
            if self.day.opening[index].is_none() {
                self.day.opening[index] = self.pnl(AccountId(index as u16), market);
            }
        }
        self.day.unvalued = self.day.opening.contains(&None);
    }

    /// The trading day under way.
    pub const fn date(&self) -> Date {
        self.day.date
    }

    /// Profit of an account since the trading day began, in its currency, fees taken off; `None` if
    /// a held instrument has no mark or no way to the account currency.
    pub fn day_pnl(&self, account: AccountId, market: &Market) -> Option<Notional> {
        let opening = (*self.day.opening.get(account.index())?)?;
        Some(self.pnl(account, market)?.saturating_sub(opening))
    }
}
