//! US stock exchanges: regular hours 09:30 to 16:00 in New York, early and late trading from 04:00 to
//! 20:00. The days stand in a table that the compiler fills from the exchanges' rules.

use super::zone::{HOUR, nth};
use super::{Date, Session, Zone};
use crate::types::Nanos;

const FIRST_YEAR: u32 = 2010;
const LAST_YEAR: u32 = 2028;
const FIRST: u32 = Date::new(FIRST_YEAR, 1, 1).days();
const DAYS: usize = (Date::new(LAST_YEAR + 1, 1, 1).days() - FIRST) as usize;
const MONDAY: u32 = 0;
const THURSDAY: u32 = 3;
const SATURDAY: u32 = 5;
const SUNDAY: u32 = 6;

/// Closed by decision, not by rule: two days of hurricane Sandy, and days of mourning for the
/// presidents George H. W. Bush and Jimmy Carter.
const SPECIAL: [Date; 4] = [
    Date::new(2012, 10, 29),
    Date::new(2012, 10, 30),
    Date::new(2018, 12, 5),
    Date::new(2025, 1, 9),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Closed,
    Full,
    /// Regular hours end at 13:00, late trading at 17:00.
    Half,
}

static TABLE: [Kind; DAYS] = table();

/// The hours of a day.
#[inline]
pub(super) fn session(date: Date) -> Option<Session> {
    let kind = TABLE.get(date.days().checked_sub(FIRST)? as usize)?;
    let (close, post) = match kind {
        Kind::Closed => return None,
        Kind::Full => (16 * HOUR, 20 * HOUR),
        Kind::Half => (13 * HOUR, 17 * HOUR),
    };
    // Clocks change on Sundays, when nothing trades: one look at the zone serves all four.
    let pre = Zone::NewYork.utc(date, Nanos(4 * HOUR));
    let after = |time: u64| pre + Nanos(time - 4 * HOUR);
    Some(Session {
        date,
        pre,
        open: after(9 * HOUR + HOUR / 2),
        close: after(close),
        post: after(post),
    })
}

const fn table() -> [Kind; DAYS] {
    let mut days = [Kind::Full; DAYS];
    let mut at = 0;
    while at < DAYS {
        if Date::from_days(FIRST + at as u32).weekday() >= SATURDAY {
            days[at] = Kind::Closed;
        }
        at += 1;
    }
    let mut year = FIRST_YEAR;
    while year <= LAST_YEAR {
        holidays(&mut days, year);
        half_days(&mut days, year);
        year += 1;
    }
    let mut at = 0;
    while at < SPECIAL.len() {
        set(&mut days, SPECIAL[at], Kind::Closed);
        at += 1;
    }
    days
}

const fn holidays(days: &mut [Kind; DAYS], year: u32) {
    let new_year = Date::new(year, 1, 1);
    // On a Saturday it is not made up for: the Friday before closes the books of the old year.
    if new_year.weekday() != SATURDAY {
        close(days, new_year);
    }
    close(days, nth(MONDAY, 3, year, 1)); // Martin Luther King
    close(days, nth(MONDAY, 3, year, 2)); // Washington's birthday
    close(days, good_friday(year));
    close(days, last_monday_of_may(year)); // Memorial Day
    if year >= 2022 {
        close(days, Date::new(year, 6, 19)); // Juneteenth
    }
    close(days, Date::new(year, 7, 4)); // Independence Day
    close(days, nth(MONDAY, 1, year, 9)); // Labor Day
    close(days, nth(THURSDAY, 4, year, 11)); // Thanksgiving
    close(days, Date::new(year, 12, 25)); // Christmas
}

/// The eves of Independence Day and Christmas where they trade at all, and the day after
/// Thanksgiving. Where the holiday is made up for on a Friday or Monday, its eve is no half day.
const fn half_days(days: &mut [Kind; DAYS], year: u32) {
    let eves = [
        Date::new(year, 7, 3),
        Date::new(year, 12, 24),
        nth(THURSDAY, 4, year, 11).next(), // by rule a Friday after a holiday
    ];
    let mut at = 0;
    while at < eves.len() {
        if matches!(days[(eves[at].days() - FIRST) as usize], Kind::Full) {
            set(days, eves[at], Kind::Half);
        }
        at += 1;
    }
}

/// A holiday: on a Saturday the Friday before is closed, on a Sunday the Monday after.
const fn close(days: &mut [Kind; DAYS], date: Date) {
    let observed = match date.weekday() {
        SATURDAY => date.prev(),
        SUNDAY => date.next(),
        _ => date,
    };
    set(days, observed, Kind::Closed);
}

const fn set(days: &mut [Kind; DAYS], date: Date, kind: Kind) {
    days[(date.days() - FIRST) as usize] = kind;
}

const fn last_monday_of_may(year: u32) -> Date {
    let last = Date::new(year, 5, 31);
    Date::from_days(last.days() - last.weekday())
}

/// Two days before Easter, which is the Sunday after the first full moon of spring as the church
/// reckons it.
const fn good_friday(year: u32) -> Date {
    let (golden, century) = (year % 19, year / 100);
    let moon = (century - century / 4 - (8 * century + 13) / 25 + 19 * golden + 15) % 30;
    let late = moon == 29 || moon == 28 && golden > 10;
    // The full moon, in days from 21 March, and the weekday it falls on (Sunday is 0).
    let moon = if late { moon - 1 } else { moon };
    let weekday = (year + year / 4 + moon + 2 + century / 4 - century) % 7;
    let sunday = moon + 28 - weekday; // as a day of March
    Date::from_days(Date::new(year, 3, 1).days() + sunday - 3)
}
