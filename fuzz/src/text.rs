//! Text: values, limits, configuration, the control API's bodies, the command line.

use super::kit::{Bytes, text};
use super::samples;
use clap::Parser;
use qtos_gateway::actors::guardian::settings::{Action, ppm};
use qtos_gateway::actors::risk::{CHECKS, Known, Risk};
use qtos_gateway::chaos::{Amount, Direction, Dose, Framing, Partition};
use qtos_gateway::cli::args::Cli;
use qtos_gateway::entry::order_entry;
use qtos_gateway::feed::Speed;
use qtos_gateway::kill::TwoStep;
use qtos_gateway::types::{
    BrokerId, Calendar, ClientOrderId, Currency, Date, DayStart, KillLevel, LimitRow, LimitValue,
    Nanos, Notional, Price, Qty, Scope, TimeInForce, Timestamp,
};
use qtos_gateway::view;
use qtos_gateway::wiring::{Placement, Registry, SecretRef, Topology};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// What reads is written so that it reads the same; a refusal says something.
fn reads<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            assert_eq!(
                written.parse::<T>().ok(),
                Some(value),
                "`{text}` was written as `{written}`"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn refuses<T: FromStr<Err: Display>>(text: &str) {
    if let Err(error) = text.parse::<T>() {
        assert!(!error.to_string().is_empty());
    }
}

/// Every value that is read from text.
pub fn values(data: &[u8]) {
    let text = text(data);
    let text = text.as_str();
    reads::<Price>(text);
    reads::<Qty>(text);
    reads::<Notional>(text);
    reads::<Timestamp>(text);
    reads::<Nanos>(text);
    reads::<ClientOrderId>(text);
    refuses::<TimeInForce>(text);
    reads::<KillLevel>(text);
    reads::<DayStart>(text);
    refuses::<Speed>(text);
    refuses::<Framing>(text);
    refuses::<Dose>(text);
    refuses::<Partition>(text);
    refuses::<Direction>(text);
    refuses::<SecretRef>(text);
    refuses::<Action>(text);
    refuses::<qtos_gateway::sim::Fault>(text);
    for part in [Amount::delay(text), Amount::bytes(text)].into_iter().flatten() {
        assert!(part.low <= part.high);
    }
    let _ = (ppm(text), qtos_gateway::desk::segments::number(text));
    if let Some(currency) = Currency::new(text) {
        assert_eq!(Currency::new(currency.as_str()), Some(currency));
    }
}

pub fn value_seeds() -> Vec<Vec<u8>> {
    let id = samples::id(7).to_string();
    let words = [
        "1.5",
        "-0.000000001",
        "9223372036.854775807",
        "170141183460469231731.687303715884105727",
        "1e5",
        "2013-10-08T09:30:00.000000001Z",
        "2013-10-08T09:30:00-04:00",
        "1700000000000000000",
        "5ms",
        "1h",
        "18446744073s",
        "day",
        "gtc",
        "cancel",
        "reduce_only",
        "18:00 America/New_York",
        "00:00 UTC",
        "max",
        "2.5",
        "sandbox",
        "0.01",
        "5..9",
        "10s..20s",
        "every 10s for 1s",
        "up",
        "env:TOKEN",
        "file:token",
        "kill:cancel",
        "hold",
        "5%",
        "20ms..50ms",
        "500..5000",
        "USD",
        "journal/00000001.qlog",
        &id,
    ];
    words.into_iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn known() -> Known {
    Known { instruments: Arc::new(samples::table()), accounts: vec!["paper".to_owned()] }
}

/// `[[limit]]` rows: control, scope and value in one line each. What is refused is refused with the
/// line of its row.
pub fn limits(data: &[u8]) {
    let text = text(data);
    let mut rows = Vec::new();
    for (number, line) in text.lines().take(8).enumerate() {
        let mut words = line.splitn(3, ' ');
        let (control, scope) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let value = words.next().unwrap_or("");
        let scope = match scope {
            "broker" => Scope::Broker(BrokerId(0)),
            "agent" => Scope::Agent(samples::id(1).agent),
            _ => Scope::Global,
        };
        let value = match value.strip_prefix('[') {
            Some(list) => LimitValue::List(list.split(',').map(str::to_owned).collect()),
            None => LimitValue::Text(value.to_owned()),
        };
        rows.push(LimitRow { control: control.to_owned(), scope, value, line: number + 1 });
    }
    // Each alone among rows that are off, so that the first bad one does not hide the others.
    for row in &rows {
        let mut all: Vec<LimitRow> = CHECKS
            .iter()
            .filter(|check| check.name != row.control)
            .map(|check| LimitRow {
                control: check.name.to_owned(),
                scope: Scope::Global,
                value: LimitValue::Text("off".to_owned()),
                line: 99,
            })
            .collect();
        all.push(row.clone());
        if let Err(error) = Risk::new(all, known(), vec![BrokerId(0)]) {
            assert!(!error.to_string().is_empty());
        }
    }
}

pub fn limit_seeds() -> Vec<Vec<u8>> {
    let config = include_str!("../../config/sandbox.toml");
    let values: Vec<&str> = config
        .lines()
        .filter_map(|line| line.split_once("value = "))
        .map(|(_, value)| value.trim_matches(['"', '[', ']']))
        .collect();
    let mut seeds: Vec<Vec<u8>> = CHECKS
        .iter()
        .map(|check| {
            let line = |value: &&str| format!("{} global {value}", check.name);
            values.iter().map(line).collect::<Vec<_>>()
        })
        .flat_map(|lines| {
            lines.chunks(8).map(|some| some.join("\n").into_bytes()).collect::<Vec<_>>()
        })
        .collect();
    seeds.push(b"symbol_list global [IBM,MSFT]".to_vec());
    seeds
}

/// Calendars at any time: hours stand in order and hold the moment they are asked for.
pub fn calendar(data: &[u8]) {
    let mut bytes = [0; 8];
    let length = data.len().min(8);
    bytes[..length].copy_from_slice(&data[..length]);
    let at = Timestamp::from_nanos(u64::from_le_bytes(bytes));
    for calendar in [Calendar::Always, Calendar::UsEquity] {
        let phase = calendar.phase(at);
        if let Some(session) = calendar.session(at) {
            let hours = [session.pre, session.open, session.close, session.post];
            assert!(hours.is_sorted(), "{session:?}");
            assert!(at < session.post);
            assert!(calendar == Calendar::Always || session.phase(at) == phase);
        }
        if let Some(open) = calendar.next_open(at) {
            assert!(open > at);
        }
        let days = Date::from_days((at.nanos() / 86_400_000_000_000) as u32);
        let (year, month, day) = days.ymd();
        assert_eq!(Date::new(year, month, day), days);
    }
}

pub fn calendar_seeds() -> Vec<Vec<u8>> {
    ["2013-10-08T13:30:00Z", "2024-11-29T18:00:00Z", "2028-12-29T21:00:00Z", "2010-03-14T07:00:00Z"]
        .iter()
        .map(|text| text.parse::<Timestamp>().unwrap().nanos().to_le_bytes().to_vec())
        .collect()
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::standard);

/// A config file: a topology whose actors can be made, or an error with a line of the file.
pub fn config(data: &[u8]) {
    let text = text(data);
    let lines = text.lines().count() + 1;
    let named = |error: qtos_gateway::wiring::ConfigError| {
        assert_eq!(error.file, "fuzz.toml");
        assert!((1..=lines).contains(&error.line), "{error}: of {lines} lines");
    };
    match Topology::parse("fuzz.toml", &text, &REGISTRY.vocabulary()) {
        Ok(topology) => {
            let _ = topology.lane(&REGISTRY, Placement::All).map_err(named);
        }
        Err(error) => named(error),
    }
}

pub fn config_seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../config/sandbox.toml"),
        include_str!("../../config/replay.toml"),
        include_str!("../../config/venue-sandbox.toml"),
        include_str!("../../config/bench.toml"),
        include_str!("../../config/spread.toml"),
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// A body that reads is written so that it reads the same.
fn body<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&value).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), value);
    Some(value)
}

static NAMES: LazyLock<qtos_gateway::wiring::Names> = LazyLock::new(|| {
    let text = include_str!("../../config/sandbox.toml");
    Topology::parse("sandbox.toml", text, &REGISTRY.vocabulary()).unwrap().names
});

/// Every body of the control API, and the files that its clients read.
pub fn control(data: &[u8]) {
    if let Some(order) = body::<view::NewOrderRequest>(data)
        && let Err(error) = order_entry(&order, &NAMES)
    {
        assert!(!error.is_empty());
    }
    body::<view::ReplaceOrderRequest>(data);
    body::<view::FlattenRequest>(data);
    body::<view::ArmRequest>(data);
    body::<view::ArmConfirm>(data);
    body::<view::LimitRequest>(data);
    body::<view::ControlFile>(data);
    body::<view::ErrorView>(data);
    if let Some(kill) = body::<view::KillRequest>(data)
        && let Ok(scope) = NAMES.scope(&kill.scope)
    {
        assert_eq!(NAMES.scope(&NAMES.scope_name(scope)), Ok(scope));
    }
}

pub fn control_seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"symbol":"IBM","side":"buy","ord_type":"limit","qty":"10","price":"99.5","tif":"day"}"#,
        r#"{"symbol":"IBM","side":"sell","ord_type":"trailing_stop","cash":"1000","trail_bps":50,"tif":"gtd","expire_at":"2030-01-01T00:00:00Z","account":"paper","confirm":"1000"}"#,
        r#"{"qty":"10","price":"99.5","stop_px":"98","confirm":"10"}"#,
        r#"{"scope":"symbol:IBM","reason":"drill"}"#,
        r#"{"scope":"global","level":"cancel","reason":"drill"}"#,
        r#"{"challenge":"0011223344556677"}"#,
        r#"{"control":"max_order_qty","scope":"global","value":"100","reason":"smaller"}"#,
        r#"{"url":"http://127.0.0.1:1","token_file":"token","pid":1}"#,
        r#"{"error":{"code":"invalid","message":"no"}}"#,
    ];
    bodies.into_iter().map(|body| body.as_bytes().to_vec()).collect()
}

/// Two steps against a model: only the last code, once, in time, under the same facts.
pub fn two_step(data: &[u8]) {
    let (mut bytes, mut steps) = (Bytes(data), TwoStep::default());
    let mut now = Timestamp::from_nanos(1);
    // Code, facts, wish, given at.
    let mut open: Option<(String, u8, u8, Timestamp)> = None;
    let mut codes = vec!["00".to_owned()];
    while !bytes.is_empty() {
        let (act, facts, wish) = (bytes.byte(), bytes.byte() % 3, bytes.byte());
        if act % 2 == 0 {
            let code = steps.request(wish, &facts.to_string(), [wish; 8], now);
            codes.push(code.clone());
            open = Some((code, facts, wish, now));
        } else {
            let code = &codes[usize::from(wish) % codes.len()];
            let right = open.take().filter(|(last, said, _, at)| {
                last == code && *said == facts && now.since(*at) <= Nanos::from_secs(60)
            });
            let got = steps.confirm(code, &facts.to_string(), now);
            assert_eq!(got.ok(), right.map(|(_, _, wish, _)| wish));
        }
        now = now + Nanos::from_secs(u64::from(act) / 4);
    }
}

pub fn two_step_seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0, 1, 7, 1, 1, 1],
        vec![0, 1, 7, 244, 1, 1, 1, 1, 2],
        vec![0, 0, 1, 1, 1, 1, 0, 2, 9, 1, 2, 2],
    ]
}

/// The command line, a word a line.
pub fn arguments(data: &[u8]) {
    let text = text(data);
    let words = std::iter::once("qtos").chain(text.lines());
    if let Err(error) = Cli::try_parse_from(words) {
        assert!(!error.to_string().is_empty());
    }
}

pub fn argument_seeds() -> Vec<Vec<u8>> {
    [
        "order\nbuy\nIBM\n10\n--limit\n99.50\n--tif\ngtd",
        "kill\n--scope\nglobal\n--level\ncancel\n--reason\ndrill",
        "chaos\nproxy\n--listen\n127.0.0.1:0\n--to\n127.0.0.1:1\n--framing\nsandbox\n--drop\n0.01",
        "sim\n--sessions\n10\n--seed\n1\n--json",
        "import\nlean\nDIR\n--symbol\nIBM\nBAC\n--date\n2013-10-08\n--out\nx.qrec",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect()
}
