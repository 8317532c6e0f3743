//! The calendar of US stock exchanges against records of real days. Without the shared data these
//! tests say so and pass.

use qtos_gateway::types::{Calendar, Date, Nanos, Timestamp};
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
    // With the column of the volume in files of trades.
    for (set, volume) in
        [("lean-us-equity-minute", 5), ("lean-us-equity-second", 5), ("lean-us-equity-ticks", 2)]
    {
        let Some(folder) = shared(set) else { return };
        let mut days = 0;
        for path in zips(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let session = compact(name).and_then(|date| US.session_on(date));
            let session = session.unwrap_or_else(|| panic!("{name}: not an open day"));
            let midnight = session.pre - Nanos::from_secs(4 * 3_600);
            let trades = name.contains("trade");
            let rows: Vec<(Timestamp, f64)> = lines(&path)
                .iter()
                .map(|row| {
                    let cells: Vec<&str> = row.split(',').collect();
                    let at = midnight + Nanos::from_millis(cells[0].parse().unwrap());
                    (at, if trades { cells[volume].parse().unwrap() } else { 0.0 })
                })
                .collect();
            // Exchanges take their quotes down in the second after the end.
            let late = Nanos::from_secs(u64::from(!trades));
            assert!(rows[0].0 >= session.pre, "{name}: {}", rows[0].0);
            assert!(rows[rows.len() - 1].0 < session.post + late, "{name}");
            days += 1;
            if !trades {
                continue;
            }
            // An hour off would put the busiest half hours elsewhere.
            let half_hour = Nanos::from_secs(1_800);
            let traded = |from: Timestamp| -> f64 {
                let within = rows.iter().filter(|(at, _)| (from..from + half_hour).contains(at));
                within.map(|(_, volume)| volume).sum()
            };
            assert!(traded(session.open) > 2.0 * traded(session.open - half_hour), "{name}");
            assert!(
                traded(session.close - half_hour) > 2.0 * traded(session.close + half_hour),
                "{name}"
            );
        }
        assert!(days > 0, "{set}: nothing there");
    }
}
