//! The venue behind its seam: requests and time in, answers and frames out, restarts in between.

use super::*;
use crate::alpaca::{
    Backend, Credentials, Feed, Method, Output, Params, Reply, Request, SocketId, Stream,
};
use crate::feed::GeneratedInstrument;
use crate::msg::{MarketData, Quote};
use crate::types::{ExchangeId, InstrumentId, InstrumentTable, Nanos, Price, Qty, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

const UNIT: i64 = crate::types::fixed::UNIT;
/// A Thursday, half an hour before the opening.
const EARLY: &str = "2025-01-02T14:00:00Z";

fn quote(ts: Timestamp, instrument: u16, price: i64) -> MarketData {
    MarketData::Quote(Quote {
        ts,
        instrument: InstrumentId(instrument),
        exchange: ExchangeId(0),
        suspicious: false,
        bid: Price::from_raw(price * UNIT - 10_000_000),
        bid_size: Qty::whole(500),
        ask: Price::from_raw(price * UNIT),
        ask_size: Qty::whole(500),
    })
}

/// A venue, the clock before it, and what came out of it.
struct Bench {
    venue: AlpacaVenue,
    now: Timestamp,
    tickets: u64,
    frames: Vec<(SocketId, Value)>,
    hangups: u64,
}

impl Bench {
    /// AAPL at 100 and BTC/USD at 50,000, quoted once.
    fn open(dir: &Path, clock: MarketClock, rate: u32) -> Self {
        let start: Timestamp = EARLY.parse().unwrap();
        let stock = |symbol| GeneratedInstrument::stock(symbol, Price::from_raw(UNIT)).instrument;
        let table = InstrumentTable::new(vec![stock("AAPL"), stock("BTC/USD")]).unwrap();
        let records = vec![quote(start, 0, 100), quote(start, 1, 50_000)];
        let config = AlpacaConfig {
            logins: vec![login("K"), login("K2")],
            state_dir: Some(dir.to_owned()),
            clock,
            pace: Pace::Times(1.0),
            rate,
            seed: 7,
        };
        let source = Box::new(records.into_iter().map(Ok));
        let venue = AlpacaVenue::open(&config, &table, source, start).unwrap();
        let mut bench = Self { venue, now: start, tickets: 0, frames: Vec::new(), hangups: 0 };
        bench.pass(Nanos::from_secs(1));
        bench
    }

    fn pass(&mut self, span: Nanos) {
        self.now = self.now + span;
        self.venue.advance(self.now);
        self.take();
    }

    fn take(&mut self) -> Option<Reply> {
        let mut reply = None;
        for output in self.venue.take_output().unwrap() {
            match output {
                Output::Reply(_, answer) => reply = Some(answer),
                Output::Hangup(_) => self.hangups += 1,
                Output::Text(id, text) => {
                    self.frames.push((id, serde_json::from_str(&text).unwrap()));
                }
                Output::Binary(id, bytes) => {
                    self.frames.push((id, serde_json::from_slice(&bytes).unwrap()));
                }
                Output::Close(id) => self.frames.push((id, json!("closed"))),
                Output::Freeze(id) => self.frames.push((id, json!("frozen"))),
            }
        }
        reply
    }

    fn ask_as(&mut self, key: &str, method: Method, path: &str, body: Value) -> Option<Reply> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.tickets += 1;
        self.now = self.now + Nanos(1_000);
        let request = Request {
            method,
            path: path.to_owned(),
            query: Params::read(query),
            body: body.to_string().into_bytes(),
            credentials: Some(Credentials::Key(key.to_owned(), "secret".to_owned())),
        };
        self.venue.request(self.now, self.tickets, &request);
        self.take()
    }

    fn ask(&mut self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let reply = self.ask_as("K", method, path, body).unwrap();
        (reply.status, reply.body.unwrap_or(Value::Null))
    }

    fn post(&mut self, body: Value) -> Value {
        let (status, order) = self.ask(Method::Post, "/v2/orders", body);
        assert_eq!(status, 200, "{order}");
        order
    }

    fn order(&mut self, order: &Value) -> Value {
        self.ask(Method::Get, &format!("/v2/orders/{}", text(&order["id"])), json!(null)).1
    }

    /// A socket that listens to trade updates.
    fn listen(&mut self, id: SocketId) {
        self.venue.open(self.now, id, Stream::Trading, None);
        self.say(id, json!({"action": "auth", "key": "K", "secret": "secret"}));
        self.say(id, json!({"action": "listen", "data": {"streams": ["trade_updates"]}}));
        self.frames.clear();
    }

    fn say(&mut self, id: SocketId, message: Value) {
        self.venue.receive(self.now, id, message.to_string().as_bytes());
        self.take();
    }

    /// Events since the last call.
    fn events(&mut self) -> Vec<String> {
        let of = |(_, frame): (SocketId, Value)| text(&frame["data"]["event"]).to_owned();
        std::mem::take(&mut self.frames).into_iter().map(of).collect()
    }

    /// Everything that an account can ask about what it did.
    fn facts(&mut self) -> Vec<Value> {
        ["orders?status=all&limit=500&direction=asc", "positions", "account/activities"]
            .map(|path| self.ask(Method::Get, &format!("/v2/{path}"), json!(null)).1)
            .to_vec()
    }
}

fn login(key: &str) -> Login {
    Login { key: key.to_owned(), secret: "secret".to_owned() }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn market(side: &str, qty: u32) -> Value {
    json!({"symbol": "AAPL", "qty": qty, "side": side, "type": "market", "time_in_force": "day"})
}

fn limit(side: &str, qty: u32, price: &str) -> Value {
    json!({
        "symbol": "AAPL", "qty": qty, "side": side, "type": "limit", "time_in_force": "gtc",
        "limit_price": price,
    })
}

#[test]
fn a_restart_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    bench.post(market("buy", 3));
    let mut named = limit("buy", 1, "80");
    named["client_order_id"] = "mine".into();
    let resting = bench.post(named.clone());
    let patch = format!("/v2/orders/{}", text(&resting["id"]));
    assert_eq!(bench.ask(Method::Patch, &patch, json!({"limit_price": "81"})).0, 200);
    bench.ask(Method::Post, "/v2/watchlists", json!({"name": "w", "symbols": ["AAPL"]}));
    let facts = bench.facts();
    drop(bench);
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    assert_eq!(bench.facts(), facts);
    assert_eq!(bench.ask(Method::Get, "/v2/watchlists", json!(null)).1[0]["name"], "w");
    // The name is spent: its order was replaced.
    let (status, body) = bench.ask(Method::Post, "/v2/orders", named);
    assert_eq!((status, &body["code"]), (422, &json!(40_010_001)));
    let fresh = bench.post(limit("buy", 1, "82"));
    assert!(facts[0].as_array().unwrap().iter().all(|old| old["id"] != fresh["id"]));
    bench.ask(Method::Delete, "/v2/orders", json!(null));
    assert_eq!(bench.order(&fresh)["status"], "canceled");
}

#[test]
fn a_lost_response_leaves_the_order_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    let fault =
        json!({"kind": "lost_response", "method": "POST", "path": "/v2/orders", "times": 1});
    assert_eq!(bench.ask(Method::Post, "/__sim/faults", fault).0, 200);
    let mut order = limit("buy", 1, "80");
    order["client_order_id"] = "lost".into();
    assert_eq!(bench.ask_as("K", Method::Post, "/v2/orders", order.clone()), None);
    assert_eq!(bench.hangups, 1);
    let path = "/v2/orders:by_client_order_id?client_order_id=lost";
    assert_eq!(bench.ask(Method::Get, path, json!(null)).0, 200);
    let drop = json!({"kind": "drop", "method": "POST", "times": 1});
    bench.ask(Method::Post, "/__sim/faults", drop);
    order["client_order_id"] = "dropped".into();
    assert_eq!(bench.ask_as("K", Method::Post, "/v2/orders", order), None);
    let path = "/v2/orders:by_client_order_id?client_order_id=dropped";
    assert_eq!(bench.ask(Method::Get, path, json!(null)).0, 404);
    let fault = json!({"kind": "status", "status": 429, "retry_after": 2, "times": 1});
    bench.ask(Method::Post, "/__sim/faults", fault);
    let refused = bench.ask_as("K", Method::Get, "/v2/clock", json!(null)).unwrap();
    assert_eq!((refused.status, refused.headers[0].1.as_str()), (429, "2"));
    let late = json!({"kind": "delay", "ms": 500, "times": 1});
    bench.ask(Method::Post, "/__sim/faults", late);
    assert_eq!(bench.ask_as("K", Method::Get, "/v2/clock", json!(null)), None);
    bench.now = bench.now + Nanos::from_millis(501);
    bench.venue.advance(bench.now);
    assert_eq!(bench.take().unwrap().status, 200);
}

#[test]
fn updates_are_lost_doubled_and_swapped_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    bench.listen(1);
    bench.post(market("buy", 1));
    assert_eq!(bench.events(), ["new", "fill"]);
    for (kind, expected) in [
        ("update_lost", vec!["fill"]),
        ("update_duplicated", vec!["new", "new", "fill"]),
        ("update_reordered", vec!["fill", "new"]),
        ("mute", vec![]),
    ] {
        bench.ask(Method::Post, "/__sim/faults", json!({"kind": kind, "times": 1}));
        bench.post(market("buy", 1));
        assert_eq!(bench.events(), expected, "{kind}");
        bench.ask(Method::Delete, "/__sim/faults", json!(null));
    }
    bench.ask(
        Method::Post,
        "/__sim/faults",
        json!({"kind": "update_delayed", "ms": 50, "times": 1}),
    );
    bench.post(market("buy", 1));
    assert_eq!(bench.events(), Vec::<String>::new());
    bench.pass(Nanos::from_millis(60));
    assert_eq!(bench.events(), ["new", "fill"]);
    bench.ask(Method::Post, "/__sim/disconnect", json!(null));
    assert_eq!(bench.frames, [(1, json!("closed"))]);
}

#[test]
fn executions_that_the_market_did_not_make_move_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    bench.listen(1);
    let cash = |bench: &mut Bench| {
        let account = bench.ask(Method::Get, "/v2/account", json!(null)).1;
        text(&account["cash"]).to_owned()
    };
    let bought = bench.post(market("buy", 2));
    assert_eq!(cash(&mut bench), "99800");
    let path = format!("/__sim/bust?order={}", text(&bought["id"]));
    assert_eq!(bench.ask(Method::Post, &path, json!(null)).0, 200);
    assert_eq!(cash(&mut bench), "100000");
    assert_eq!(bench.ask(Method::Get, "/v2/positions", json!(null)).1, json!([]));
    let last = bench.frames.last().unwrap().1["data"].clone();
    assert_eq!(last["event"], "trade_bust");
    assert_eq!(last["previous_execution_id"], bench.frames[1].1["data"]["execution_id"]);
    let resting = bench.post(limit("buy", 2, "90"));
    let path = format!("/v2/orders/{}", text(&resting["id"]));
    assert_eq!(bench.ask(Method::Delete, &path, json!(null)).0, 204);
    bench.events();
    let late = format!("/__sim/fill?order={}&qty=1&price=90", text(&resting["id"]));
    assert_eq!(bench.ask(Method::Post, &late, json!(null)).0, 200);
    assert_eq!(bench.events(), ["partial_fill"]);
    let after = bench.order(&resting);
    assert_eq!((&after["status"], &after["filled_qty"]), (&json!("canceled"), &json!("1")));
    assert_eq!(cash(&mut bench), "99910");
    let facts = bench.facts();
    drop(bench);
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    assert_eq!(bench.facts(), facts);
    assert_eq!(cash(&mut bench), "99910");
}

#[test]
fn a_closed_market_keeps_orders_until_it_opens() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Session, 1_000);
    bench.listen(1);
    let clock = bench.ask(Method::Get, "/v2/clock", json!(null)).1;
    assert_eq!(
        (&clock["is_open"], text(&clock["next_open"])),
        (&json!(false), "2025-01-02T09:30:00.000000000-05:00")
    );
    let order = bench.post(market("buy", 1));
    assert_eq!(order["status"], "accepted");
    let path = format!("/v2/orders/{}", text(&order["id"]));
    let (status, body) = bench.ask(Method::Patch, &path, json!({"qty": "2"}));
    assert_eq!((status, &body["code"]), (422, &json!(42_210_000)));
    let auction = bench.post(json!({
        "symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "opg",
    }));
    assert_eq!(bench.events(), Vec::<String>::new());
    bench.pass(Nanos::from_secs(1_801));
    assert_eq!(bench.order(&auction)["status"], "filled");
    assert!(bench.events().contains(&"new".to_owned()));
    let coin = bench.post(json!({
        "symbol": "BTC/USD", "qty": "0.01", "side": "buy", "type": "market",
        "time_in_force": "gtc",
    }));
    assert_eq!(bench.order(&coin)["status"], "filled");
    let day = bench.post(json!({
        "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day",
        "limit_price": "50",
    }));
    assert_eq!(text(&day["expires_at"]), "2025-01-02T21:00:00.000000000Z");
    bench.pass(Nanos::from_secs(7 * 3_600));
    assert_eq!(bench.order(&day)["status"], "expired");
}

#[test]
fn the_budget_is_per_account_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 3);
    let header = |reply: &Reply, name: &str| {
        reply.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
    };
    for left in ["2", "1", "0"] {
        let reply = bench.ask_as("K", Method::Get, "/v2/clock", json!(null)).unwrap();
        assert_eq!(
            (reply.status, header(&reply, "X-RateLimit-Remaining").unwrap()),
            (200, left.into())
        );
    }
    let reply = bench.ask_as("K", Method::Get, "/v2/clock", json!(null)).unwrap();
    assert_eq!((reply.status, &reply.body.unwrap()["code"]), (429, &json!(42_910_000)));
    assert_eq!(bench.ask_as("K2", Method::Get, "/v2/clock", json!(null)).unwrap().status, 200);
    bench.pass(Nanos::from_secs(60));
    assert_eq!(bench.ask(Method::Get, "/v2/clock", json!(null)).0, 200);
    assert_eq!(bench.ask_as("K3", Method::Get, "/v2/clock", json!(null)).unwrap().status, 401);
}

#[test]
fn accounts_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    let order = bench.post(limit("buy", 1, "80"));
    let path = format!("/v2/orders/{}", text(&order["id"]));
    for method in [Method::Get, Method::Delete] {
        let other = bench.ask_as("K2", method, &path, json!(null)).unwrap();
        assert_eq!(other.status, 404);
    }
    assert_eq!(bench.order(&order)["status"], "new");
}

#[test]
fn data_sockets_answer_in_order_and_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    let stream = || Stream::Data { feed: Feed::Stocks("iex".into()), msgpack: false };
    let auth = json!({"action": "auth", "key": "K", "secret": "secret"});
    bench.venue.open(bench.now, 1, stream(), None);
    bench.say(1, json!({"action": "subscribe", "quotes": ["AAPL"]}));
    bench.say(1, auth.clone());
    bench.say(1, auth.clone());
    bench.say(1, json!({"action": "subscribe", "quotes": ["AAPL"]}));
    bench.venue.open(bench.now, 2, stream(), None);
    bench.say(2, auth);
    bench.venue.open(bench.now, 3, stream(), None);
    bench.say(3, json!({"action": "auth", "key": "K", "secret": "wrong"}));
    bench.venue.open(bench.now, 4, stream(), None);
    bench.pass(Nanos::from_secs(11));
    let short: Vec<(SocketId, String)> = std::mem::take(&mut bench.frames)
        .into_iter()
        .map(|(id, frame)| {
            let first = &frame[0];
            let word = first["msg"].as_str().or(first["T"].as_str()).or(frame.as_str());
            (id, word.unwrap().to_owned())
        })
        .collect();
    let expected = [
        (1, "connected"),
        (1, "not authenticated"),
        (1, "authenticated"),
        (1, "already authenticated"),
        (1, "subscription"),
        (2, "connected"),
        (2, "connection limit exceeded"),
        (2, "closed"),
        (3, "connected"),
        (3, "auth failed"),
        (3, "closed"),
        (4, "connected"),
        (4, "auth timeout"),
        (4, "closed"),
    ];
    assert_eq!(short, expected.map(|(id, word)| (id, word.to_owned())));
}

#[test]
fn a_code_makes_one_token_that_stands_for_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), MarketClock::Open, 1_000);
    let path = "/oauth/authorize?response_type=code&client_id=C&redirect_uri=http://x/&state=a%20b";
    let reply = bench.ask_as("nobody", Method::Get, path, json!(null)).unwrap();
    let to = reply.headers[0].1.clone();
    assert!(reply.status == 302 && to.ends_with("&state=a%20b"), "{to}");
    let code = to.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let form = format!(
        "grant_type=authorization_code&code={code}&client_id=C&client_secret=s&redirect_uri=http%3A%2F%2Fx%2F"
    );
    let token = |bench: &mut Bench| {
        bench.tickets += 1;
        let request = Request {
            method: Method::Post,
            path: "/oauth/token".into(),
            query: Params::default(),
            body: form.clone().into_bytes(),
            credentials: None,
        };
        bench.venue.request(bench.now, bench.tickets, &request);
        bench.take().unwrap()
    };
    let given = token(&mut bench);
    assert_eq!(given.status, 200);
    assert_eq!(token(&mut bench).status, 400, "a code is good once");
    let bearer = Credentials::Bearer(text(&given.body.unwrap()["access_token"]).to_owned());
    let request = Request {
        method: Method::Get,
        path: "/v2/account".into(),
        query: Params::default(),
        body: Vec::new(),
        credentials: Some(bearer),
    };
    bench.venue.request(bench.now, 99, &request);
    assert_eq!(bench.take().unwrap().status, 200);
}

/// What a strategy may do, drawn at random.
fn any_step() -> impl Strategy<Value = (u8, u32, u32)> {
    (0u8..8, 1u32..20, 90u32..110)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever was done: cash and positions are the sum of the executions, no order fills more than
    /// it asked for, and a restart shows the same.
    #[test]
    fn books_add_up_and_survive(steps in prop::collection::vec(any_step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(dir.path(), MarketClock::Open, 100_000);
        let mut last = String::new();
        for (what, qty, price) in steps {
            let path = format!("/v2/orders/{last}");
            let body = match what {
                0 => market("buy", qty),
                1 => market("sell", qty),
                2 => limit("buy", qty, &price.to_string()),
                3 => limit("sell", qty, &price.to_string()),
                4 => {
                    let mut order = market("buy", qty);
                    order["order_class"] = "bracket".into();
                    order["take_profit"] = json!({"limit_price": price + 15});
                    order["stop_loss"] = json!({"stop_price": price - 15});
                    order
                }
                5 => {
                    let patch = json!({"qty": qty.to_string(), "limit_price": price.to_string()});
                    bench.ask_as("K", Method::Patch, &path, patch);
                    continue;
                }
                6 => {
                    bench.ask_as("K", Method::Delete, &path, json!(null));
                    continue;
                }
                _ => {
                    bench.ask(Method::Delete, "/v2/positions/AAPL", json!(null));
                    continue;
                }
            };
            let (_, order) = bench.ask(Method::Post, "/v2/orders", body);
            if let Some(id) = order["id"].as_str() {
                last = id.to_owned();
            }
        }
        let facts = bench.facts();
        let number = |value: &Value| text(value).parse::<f64>().unwrap_or(0.0);
        let (mut cash, mut held) = (100_000.0, 0.0);
        for fill in facts[2].as_array().unwrap() {
            let sign = if fill["side"] == "buy" { 1.0 } else { -1.0 };
            cash -= sign * number(&fill["qty"]) * number(&fill["price"]);
            held += sign * number(&fill["qty"]);
        }
        let all = facts[2].as_array().unwrap().len() < 100;
        let account = bench.ask(Method::Get, "/v2/account", json!(null)).1;
        prop_assert!(!all || (number(&account["cash"]) - cash).abs() < 1e-6);
        let position = facts[1].get(0).map_or(0.0, |row| number(&row["qty"]));
        prop_assert!(!all || (position - held).abs() < 1e-9);
        for order in facts[0].as_array().unwrap() {
            prop_assert!(number(&order["filled_qty"]) <= number(&order["qty"]));
        }
        drop(bench);
        prop_assert_eq!(Bench::open(dir.path(), MarketClock::Open, 100_000).facts(), facts);
    }

    /// No field of a request can stop the venue: it is taken or refused, and the venue goes on.
    #[test]
    fn no_field_stops_the_venue(
        fields in prop::collection::vec((0usize..FIELDS.len(), 0usize..VALUES.len()), 1..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(dir.path(), MarketClock::Open, 100_000);
        let (_, first) = bench.ask(Method::Post, "/v2/orders", limit("buy", 1, "80"));
        let mut body = limit("buy", 1, "80");
        for (field, value) in fields {
            body[FIELDS[field]] = serde_json::from_str(VALUES[value]).unwrap();
            let patch = format!("/v2/orders/{}", text(&first["id"]));
            for (method, path) in [(Method::Post, "/v2/orders"), (Method::Patch, patch.as_str())] {
                let (status, answer) = bench.ask(method, path, body.clone());
                prop_assert!([200, 403, 422].contains(&status), "{status} {answer} {body}");
            }
            prop_assert_eq!(bench.ask(Method::Get, "/v2/account", json!(null)).0, 200);
        }
    }
}

const FIELDS: &[&str] = &[
    "symbol",
    "qty",
    "notional",
    "side",
    "type",
    "time_in_force",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "trail",
    "extended_hours",
    "client_order_id",
    "order_class",
    "take_profit",
    "stop_loss",
];
const VALUES: &[&str] = &[
    "null",
    "\"\"",
    "0",
    "-1",
    "\"1e30\"",
    "\"79228162514264337593543950335\"",
    "9223372036",
    "\"0.0000000001\"",
    "\"0.000000001\"",
    "100",
    "\"150\"",
    "true",
    "\"market\"",
    "\"stop\"",
    "\"stop_limit\"",
    "\"trailing_stop\"",
    "\"sell\"",
    "\"day\"",
    "\"ioc\"",
    "\"opg\"",
    "\"bracket\"",
    "\"oco\"",
    "\"oto\"",
    "\"BTC/USD\"",
    "{}",
    "{\"limit_price\":\"120\"}",
    "{\"stop_price\":\"70\"}",
    "[]",
];
