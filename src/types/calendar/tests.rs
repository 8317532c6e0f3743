//! Calendars at their edges, and against a library that others wrote.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn before(at: Timestamp) -> Timestamp {
    at - Nanos(1)
}

proptest! {
    /// Against a calendar that others wrote.
    #[test]
    fn dates_agree_with_a_library(days in 0u32..100_000) {
        let date = Date::from_days(days);
        let (year, month, day) = date.ymd();
        let theirs = jiff::civil::date(1970, 1, 1)
            .checked_add(jiff::Span::new().days(i64::from(days)))
            .unwrap();
        prop_assert_eq!(date.to_string(), theirs.to_string());
        prop_assert_eq!(date.weekday(), theirs.weekday().to_monday_zero_offset() as u32);
        prop_assert_eq!(Date::new(year, month, day), date);
    }

    #[test]
    fn new_york_agrees_with_a_library(nanos in 1_200_000_000_000_000_000u64..1_900_000_000_000_000_000) {
        let at = Timestamp::from_nanos(nanos);
        let (date, time) = Zone::NewYork.local(at);
        let zoned = jiff::Timestamp::from_nanosecond(i128::from(nanos))
            .unwrap()
            .in_tz("America/New_York")
            .unwrap();
        prop_assert_eq!(date.to_string(), zoned.date().to_string());
        let clock = zoned.time();
        let seconds = i64::from(clock.hour()) * 3600
            + i64::from(clock.minute()) * 60
            + i64::from(clock.second());
        prop_assert_eq!(time.0 / 1_000_000_000, seconds as u64);
        // The first of two hours that look alike, so never later.
        let back = Zone::NewYork.utc(date, time);
        prop_assert!(back == at || back + Nanos(zone::HOUR) == at);
    }

    /// Phases, sessions and openings tell one story.
    #[test]
    fn every_moment_has_its_place(seconds in 1_262_304_000u64..1_861_000_000) {
        let at = Timestamp::from_nanos(seconds * 1_000_000_000);
        for calendar in [Calendar::Always, Calendar::UsEquity] {
            let session = calendar.session(at).unwrap();
            prop_assert!(session.pre <= session.open && session.open < session.close);
            prop_assert!(session.close <= session.post && at < session.post);
            prop_assert_eq!(calendar.phase(at), session.phase(at));
            prop_assert_eq!(calendar.session_on(session.date), Some(session));
            let open = calendar.next_open(at).unwrap();
            prop_assert!(open > at && open <= at + Nanos(5 * zone::DAY));
            prop_assert_eq!(calendar.phase(open), Phase::Regular);
        }
    }

    #[test]
    fn a_trading_day_begins_once(days in 14_000u32..21_000, hours in 0u64..24, minutes in 0u64..60, part: u64, new_york: bool) {
        let zone = if new_york { "America/New_York" } else { "UTC" };
        let rule: DayStart = format!("{hours:02}:{minutes:02} {zone}").parse().unwrap();
        prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        let date = Date::from_days(days);
        let begin = rule.begin(date);
        prop_assert_eq!(rule.date(begin), date, "{}", rule);
        prop_assert_eq!(rule.date(before(begin)), date.prev(), "{}", rule);
        let length = rule.begin(date.next()).since(begin).0;
        prop_assert_eq!(rule.date(begin + Nanos(part % length)), date, "{}", rule);
    }
}

#[test]
fn phases_change_at_the_nanosecond() {
    let us = Calendar::UsEquity;
    for (moment, phase, earlier) in [
        ("2013-10-08T08:00:00Z", Phase::Pre, Phase::Closed),
        ("2013-10-08T13:30:00Z", Phase::Regular, Phase::Pre),
        ("2013-10-08T20:00:00Z", Phase::Post, Phase::Regular),
        ("2013-10-09T00:00:00Z", Phase::Closed, Phase::Post),
    ] {
        assert_eq!((us.phase(at(moment)), us.phase(before(at(moment)))), (phase, earlier));
    }
}

#[test]
fn the_clock_change_moves_the_opening() {
    let open = |date: Date| Calendar::UsEquity.session_on(date).unwrap().open.to_string();
    assert_eq!(open(Date::new(2024, 3, 8)), "2024-03-08T14:30:00.000000000Z");
    assert_eq!(open(Date::new(2024, 3, 11)), "2024-03-11T13:30:00.000000000Z");
    assert_eq!(open(Date::new(2024, 11, 1)), "2024-11-01T13:30:00.000000000Z");
    assert_eq!(open(Date::new(2024, 11, 4)), "2024-11-04T14:30:00.000000000Z");
}

#[test]
fn half_days_end_early() {
    let day = Calendar::UsEquity.session_on(Date::new(2024, 11, 29)).unwrap();
    assert_eq!(day.phase(before(at("2024-11-29T18:00:00Z"))), Phase::Regular);
    assert_eq!(day.phase(at("2024-11-29T18:00:00Z")), Phase::Post);
    assert_eq!(day.phase(at("2024-11-29T22:00:00Z")), Phase::Closed);
    let half = |year, month, day| {
        let session = Calendar::UsEquity.session_on(Date::new(year, month, day)).unwrap();
        session.close.since(session.open) == Nanos(zone::HOUR * 7 / 2)
    };
    // Friday before a Monday holiday, and the Thursday before a Friday that makes up for a Saturday.
    assert!(!half(2021, 7, 2) && !half(2026, 7, 2) && !half(2021, 12, 23));
    assert!(half(2013, 7, 3) && half(2025, 7, 3) && half(2018, 12, 24) && half(2028, 7, 3));
}

#[test]
fn closed_days() {
    let open = |year, month, day| Calendar::UsEquity.session_on(Date::new(year, month, day));
    for (year, month, day) in [
        (2012, 10, 29),
        (2012, 10, 30),
        (2018, 12, 5),
        (2025, 1, 9),
        (2022, 6, 20),
        (2027, 6, 18),
        (2024, 3, 29),
        (2020, 7, 3),
        (2021, 12, 24),
        (2023, 1, 2),
        (2009, 12, 31),
        (2029, 1, 2),
    ] {
        assert_eq!(open(year, month, day), None, "{year}-{month}-{day}");
    }
    for (year, month, day) in [(2021, 6, 18), (2010, 12, 31), (2021, 12, 31), (2027, 12, 31)] {
        assert!(open(year, month, day).is_some(), "{year}-{month}-{day}");
    }
}

#[test]
fn after_the_last_day_nothing_is_known() {
    let end = at("2028-12-30T12:00:00Z");
    assert_eq!(Calendar::UsEquity.session(end), None);
    assert_eq!(Calendar::UsEquity.next_open(end), None);
    assert_eq!(Calendar::UsEquity.phase(end), Phase::Closed);
}

/// Starts within the hour that clocks leave out and the one that they repeat.
#[test]
fn a_day_begins_once_where_clocks_change() {
    let rule: DayStart = "02:01 America/New_York".parse().unwrap();
    assert_eq!(rule.begin(Date::new(2024, 3, 10)), at("2024-03-10T07:00:00Z"));
    assert_eq!(rule.date(before(at("2024-03-10T07:00:00Z"))), Date::new(2024, 3, 9));
    let rule: DayStart = "01:30 America/New_York".parse().unwrap();
    assert_eq!(rule.begin(Date::new(2024, 11, 3)), at("2024-11-03T05:30:00Z"));
    assert_eq!(rule.date(at("2024-11-03T06:10:00Z")), Date::new(2024, 11, 3), "01:10 once more");
}

#[test]
fn an_evening_start_names_the_next_day() {
    let rule: DayStart = "17:00 America/New_York".parse().unwrap();
    assert_eq!(rule.date(at("2024-07-07T21:00:00Z")), Date::new(2024, 7, 8));
    assert_eq!(rule.date(before(at("2024-07-07T21:00:00Z"))), Date::new(2024, 7, 7));
    assert_eq!(rule.date(at("2024-12-01T22:00:00Z")), Date::new(2024, 12, 2));
    for wrong in
        ["17:00", "24:00 UTC", "7:00 UTC", "17:60 UTC", "17:00 Mars", "+1:00 UTC", "01:00UTC"]
    {
        let error = wrong.parse::<DayStart>().unwrap_err();
        assert!(error.contains(wrong), "{error}");
    }
}
