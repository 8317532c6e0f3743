//! Clock and calendar of the US exchanges, as this wire shows them.

use super::{ApiError, CalendarDay, Clock, Eastern, Params, read_date};
use crate::types::calendar::{Session, Zone};
use crate::types::{Calendar, Date, Timestamp};

const CALENDAR: Calendar = Calendar::UsEquity;

impl Clock {
    /// `GET /v2/clock` of a market that keeps the hours of the US exchanges, or of one that never
    /// closes (`open`), which shows their coming moments.
    ///
    /// # Errors
    /// 500: there is no calendar for this year.
    pub fn at(now: Timestamp, open: bool) -> Result<Self, ApiError> {
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
        // One that is always open closes before it opens again.
        let (is_open, next_open) = if open && !is_open {
            let closing = CALENDAR.session(next_open).ok_or_else(unknown)?;
            (true, after(&closing).ok_or_else(unknown)?.open)
        } else {
            (is_open, next_open)
        };
        Ok(Self {
            timestamp: Eastern(now),
            is_open,
            next_open: Eastern(next_open),
            next_close: Eastern(next_close),
        })
    }
}

impl CalendarDay {
    /// `GET /v2/calendar`: trading days from `start` to `end`, both included.
    ///
    /// # Errors
    /// A date that is none.
    pub fn list(query: &Params) -> Result<Vec<Self>, ApiError> {
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
