//! Assets, clock and calendar.

use super::config::MarketClock;
use super::floor::AlpacaVenue;
use crate::alpaca::{ApiError, Asset, CalendarDay, Clock, Eastern, Params, read_date};
use crate::types::calendar::{Session, Zone};
use crate::types::{Calendar, Date, Timestamp};

const CALENDAR: Calendar = Calendar::UsEquity;

impl AlpacaVenue {
    /// `GET /v2/assets`.
    pub(super) fn list_assets(&self, query: &Params) -> Vec<&Asset> {
        let fits = |key: &str, own: &str| query.get(key).is_none_or(|wanted| wanted == own);
        let all = self.assets.all().iter();
        all.filter(|asset| {
            fits("status", &asset.status)
                && fits("asset_class", asset.class.as_str())
                && fits("exchange", &asset.exchange)
        })
        .collect()
    }

    /// `GET /v2/clock`. A market that is always open shows the real sessions' coming moments.
    pub(super) fn show_clock(&self) -> Result<Clock, ApiError> {
        let now = self.now;
        let unknown = || ApiError::new(500, 50_010_000, "no calendar for this year");
        let session = CALENDAR.session(now).ok_or_else(unknown)?;
        let after = |session: &Session| CALENDAR.session(session.post);
        let (is_open, next_open, next_close) = if now < session.open {
            (false, session.open, session.close)
        } else if now < session.close {
            (true, after(&session).ok_or_else(unknown)?.open, session.close)
        } else {
            let next = after(&session).ok_or_else(unknown)?;
            (false, next.open, next.close)
        };
        let (is_open, next_open) = match self.clock {
            // Open: it closes before it opens again.
            MarketClock::Open if !is_open => {
                let closing = CALENDAR.session(next_open).ok_or_else(unknown)?;
                (true, after(&closing).ok_or_else(unknown)?.open)
            }
            _ => (is_open, next_open),
        };
        Ok(Clock {
            timestamp: Eastern(now),
            is_open,
            next_open: Eastern(next_open),
            next_close: Eastern(next_close),
        })
    }

    /// `GET /v2/calendar`: trading days from `start` to `end`, both included.
    pub(super) fn list_calendar(&self, query: &Params) -> Result<Vec<CalendarDay>, ApiError> {
        let date = |key: &str, otherwise: Date| match query.get(key) {
            None => Ok(otherwise),
            Some(text) => text
                .get(..10)
                .and_then(read_date)
                .ok_or_else(|| ApiError::invalid(format!("invalid {key}: {text}"))),
        };
        let first = date("start", Date::new(2010, 1, 1))?.max(Date::new(2010, 1, 1));
        let last = date("end", Date::new(2028, 12, 31))?.min(Date::new(2028, 12, 31));
        let days = (first.days()..=last.days()).map(Date::from_days);
        Ok(days
            .filter_map(|day| CALENDAR.session_on(day))
            .map(|session| show_day(&session))
            .collect())
    }
}

fn show_day(session: &Session) -> CalendarDay {
    let time = |at: Timestamp, gap: &str| {
        let minutes = Zone::NewYork.local(at).1.0 / 60_000_000_000;
        format!("{:02}{gap}{:02}", minutes / 60, minutes % 60)
    };
    let settles = CALENDAR.session(session.post).map_or(session.date, |next| next.date);
    CalendarDay {
        date: session.date.to_string(),
        open: time(session.open, ":"),
        close: time(session.close, ":"),
        session_open: time(session.pre, ""),
        session_close: time(session.post, ""),
        settlement_date: settles.to_string(),
    }
}
