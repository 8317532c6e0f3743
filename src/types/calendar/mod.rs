//! When a market trades and which day it is there: our own rules, no time zone database.
//!
//! Two questions, two types. A [`Calendar`] belongs to an instrument and says when it trades. A
//! [`DayStart`] belongs to the gateway and says which day a profit counts to.

mod date;
mod day_start;
mod us_equity;
mod zone;

pub use date::Date;
pub use day_start::DayStart;
pub use zone::Zone;

use super::{Nanos, Timestamp};
use serde::{Deserialize, Serialize};

/// The trading hours of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// Day and night, every day: coins, and whatever has no rule here. Its sessions are UTC days.
    #[default]
    Always,
    /// US stock exchanges, 2010 to 2028: closed on every other day, since nobody wrote a rule for it.
    UsEquity,
}

/// Where in a trading day a moment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing trades.
    Closed,
    /// Before the opening auction.
    Pre,
    /// Regular hours.
    Regular,
    /// After the closing auction.
    Post,
}

impl Phase {
    /// Whether an order trades now: any in regular hours, before and after them those meant for it.
    #[inline]
    pub const fn takes(self, extended_hours: bool) -> bool {
        match self {
            Self::Regular => true,
            Self::Pre | Self::Post => extended_hours,
            Self::Closed => false,
        }
    }
}

/// The hours of one trading day; each begins with its moment and ends before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The day, in the market's own time zone.
    pub date: Date,
    /// The pre-market begins.
    pub pre: Timestamp,
    /// Regular hours begin.
    pub open: Timestamp,
    /// Regular hours end; at 13:00 New York time on a half day.
    pub close: Timestamp,
    /// The post-market ends.
    pub post: Timestamp,
}

impl Calendar {
    /// The hours of a day; `None` if it does not trade.
    #[inline]
    pub fn session_on(self, date: Date) -> Option<Session> {
        match self {
            Self::Always => {
                let open = Zone::Utc.utc(date, Nanos(0));
                let close = Zone::Utc.utc(date.next(), Nanos(0));
                Some(Session { date, pre: open, open, close, post: close })
            }
            Self::UsEquity => us_equity::session(date),
        }
    }

    /// The session under way, pre- and post-market included, or else the next one; `None` after the
    /// last day that there is a rule for.
    #[inline]
    pub fn session(self, at: Timestamp) -> Option<Session> {
        let mut date = self.zone().date(at);
        // Bounded: no market here has ever been closed for a fortnight.
        for _ in 0..14 {
            match self.session_on(date) {
                Some(session) if at < session.post => return Some(session),
                _ => date = date.next(),
            }
        }
        None
    }

    /// Where `at` lies.
    #[inline]
    pub fn phase(self, at: Timestamp) -> Phase {
        if self == Self::Always {
            return Phase::Regular;
        }
        match self.session_on(self.zone().date(at)) {
            Some(session) => session.phase(at),
            None => Phase::Closed,
        }
    }

    /// The first regular opening after `at`.
    pub fn next_open(self, at: Timestamp) -> Option<Timestamp> {
        let session = self.session(at)?;
        if at < session.open {
            return Some(session.open);
        }
        self.session(session.post).map(|next| next.open)
    }

    const fn zone(self) -> Zone {
        match self {
            Self::Always => Zone::Utc,
            Self::UsEquity => Zone::NewYork,
        }
    }

    /// The calendar's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::UsEquity => "us_equity",
        }
    }
}

impl Session {
    /// Where `at` lies in the hours of this day.
    #[inline]
    pub fn phase(&self, at: Timestamp) -> Phase {
        if at < self.pre || at >= self.post {
            Phase::Closed
        } else if at < self.open {
            Phase::Pre
        } else if at < self.close {
            Phase::Regular
        } else {
            Phase::Post
        }
    }
}

#[cfg(test)]
mod tests;
