//! `[session]` and the hours of instruments.

use super::*;
use crate::types::{Calendar, DayStart};

fn parse(text: &str) -> Result<Topology, ConfigError> {
    let mut words = words();
    words.controls.push(("session".to_owned(), true));
    Topology::parse("t.toml", text, &words)
}

/// The good config with IBM as a stock and a `[session]`.
fn with(session: &str) -> String {
    let stock = "symbol = \"IBM\"\ncalendar = \"us_equity\"\noutside_hours = true\n";
    let end = "[session]\n";
    format!("{}{end}{session}\n", GOOD.replacen("symbol = \"IBM\"\n", stock, 1))
}

#[test]
fn what_is_said_of_a_symbol_becomes_its_row() {
    let text = with(
        "restricted = [\"sap\"]\nshort_restricted = [\"IBM\"]\nshort_locate = { IBM = 500, EURUSD = \"any\" }",
    );
    let topology = parse(&text).unwrap();
    let rows: Vec<String> = topology
        .limits
        .iter()
        .filter(|row| row.control == "session")
        .map(|row| format!("{} {}", topology.names.scope_name(row.scope), row.value))
        .collect();
    let said = [
        "global calendar",
        "symbol:EURUSD locate any",
        "symbol:IBM outside_hours, short_restricted, locate 500",
        "symbol:SAP restricted",
    ];
    assert_eq!(rows, said);
    let calendars: Vec<_> = topology.names.instruments().iter().map(|(_, i)| i.calendar).collect();
    assert_eq!(calendars, [Calendar::Always, Calendar::UsEquity, Calendar::Always]);
}

#[test]
fn days_begin_where_the_config_or_the_exchange_says() {
    assert_eq!(parse(GOOD).unwrap().day_start, DayStart::UTC);
    assert_eq!(parse(&with("")).unwrap().day_start, DayStart::NEW_YORK);
    let evening = parse(&with("day_start = \"17:00 America/New_York\"")).unwrap();
    assert_eq!(evening.day_start.to_string(), "17:00 America/New_York");
}

#[test]
fn each_mistake_is_named() {
    for (text, part) in [
        (with("restricted = [\"XXX\"]"), "`XXX`"),
        (with("short_locate = { XXX = 5 }"), "`XXX`"),
        (with("day_start = \"17:00 Mars\""), "17:00 Mars"),
        (with("halted = []"), "halted"),
        (GOOD.replacen("\"EURUSD\"\n", "\"EURUSD\"\noutside_hours = true\n", 1), "calendar"),
        (GOOD.replacen("\"EURUSD\"\n", "\"EURUSD\"\ncalendar = \"mars\"\n", 1), "mars"),
        (
            format!(
                "{GOOD}[[limit]]\ncontrol = \"session\"\nscope = \"global\"\nvalue = \"calendar\"\n"
            ),
            "[session]",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.message.contains(part), "{part}: {error}");
        assert!(error.line > 1, "{part}: {error}");
    }
}
