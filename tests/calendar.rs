//! The calendar of US stock exchanges against records of real days. Without the shared data these
//! tests say so and pass.

use qtos_gateway::types::{Calendar, Date, Timestamp};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

/// A folder of the shared data, or a loud word about its absence.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// The lines of the first file in a zip.
fn lines(path: &PathBuf) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn zips(folder: &PathBuf) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(zips(&path));
        } else if path.extension().is_some_and(|ending| ending == "zip") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// A date written as 20131008.
fn compact(text: &str) -> Option<Date> {
    let digits: u32 = text.get(..8)?.parse().ok()?;
    Some(Date::new(digits / 10_000, digits / 100 % 100, digits % 100))
}

const US: Calendar = Calendar::UsEquity;

fn open(date: Date) -> bool {
    US.session_on(date).is_some()
}

#[test]
fn every_day_with_a_bar_is_open_and_every_gap_is_closed() {
    let Some(folder) = shared("lean-us-equity-daily/daily") else { return };
    let first = Date::new(2010, 1, 1);
    let mut checked = 0;
    for path in zips(&folder) {
        let days: Vec<Date> = lines(&path).iter().filter_map(|line| compact(line)).collect();
        for day in days.iter().filter(|day| **day >= first) {
            assert!(open(*day), "{}: traded on {day}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 20_000, "{checked} bars");
    // The gaps of one long series without holes of its own.
    let days: BTreeSet<Date> = lines(&folder.join("spy.zip"))
        .iter()
        .filter_map(|line| compact(line))
        .filter(|day| *day >= first)
        .collect();
    let (mut day, last) = (*days.first().unwrap(), *days.last().unwrap());
    while day < last {
        assert_eq!(open(day), days.contains(&day), "{day}");
        day = day.next();
    }
}

#[test]
fn holidays_and_early_closes_agree_with_a_table_of_others() {
    let Some(folder) = shared("lean-reference") else { return };
    let text = std::fs::read_to_string(folder.join("market-hours-database.json")).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entry = &all["entries"]["Equity-usa-[*]"];
    let date = |text: &str| {
        let mut parts = text.split('/').map(|part| part.parse::<u32>().unwrap());
        let (month, day) = (parts.next().unwrap(), parts.next().unwrap());
        Date::new(parts.next().unwrap(), month, day)
    };
    let holidays: BTreeSet<Date> = entry["holidays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| date(text.as_str().unwrap()))
        .collect();
    let early: BTreeSet<Date> =
        entry["earlyCloses"].as_object().unwrap().keys().map(|text| date(text)).collect();
    let mut day = Date::new(2010, 1, 1);
    while day < Date::new(2029, 1, 1) {
        let working_day = day.weekday() < 5;
        assert_eq!(open(day), working_day && !holidays.contains(&day), "{day}");
        if let Some(session) = US.session_on(day) {
            let hours = session.close.since(session.open).0 / 1_800_000_000_000;
            assert_eq!(hours == 7, early.contains(&day), "{day}");
        }
        day = day.next();
    }
}

#[test]
fn intraday_records_lie_within_the_hours() {
    for (set, scale) in [
        ("lean-us-equity-minute", 60_000),
        ("lean-us-equity-second", 1_000),
        ("lean-us-equity-ticks", 1),
    ] {
        let Some(folder) = shared(set) else { return };
        let mut days = 0;
        for path in zips(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some(session) = compact(name).and_then(|date| US.session_on(date)) else {
                panic!("{}: not an open day", path.display());
            };
            let rows = lines(&path);
            let time = |line: &String| -> u64 {
                line.split(',').next().unwrap().parse::<f64>().unwrap() as u64
            };
            let (first, last) = (time(&rows[0]), time(rows.last().unwrap()));
            // Milliseconds since midnight in New York; all days here are full ones.
            let at = |ms: u64| {
                Timestamp::from_nanos(session.pre.nanos() - 14_400_000_000_000 + ms * 1_000_000)
            };
            assert!(at(first) >= session.pre, "{}", path.display());
            assert!(
                at(last) < session.post + qtos_gateway::types::Nanos(scale),
                "{}",
                path.display()
            );
            assert!(
                rows.iter()
                    .any(|row| at(time(row)) >= session.open && at(time(row)) < session.close)
            );
            days += 1;
        }
        assert!(days > 0, "{set}: nothing there");
    }
}
