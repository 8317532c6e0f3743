//! The session against a scripted broker, byte by byte.

use super::lanes::STREAM;
use super::{AlpacaConfig, AlpacaSession, Credentials};
use crate::broker::session::Channel;
use crate::broker::{Backoff, BrokerSession, Frame, Output, Pace};
use crate::msg::{
    BrokerSnapshot, CancelOrder, Contingent, NewOrder, OrderRequest, OrderTerms, ReplaceOrder,
    Report, SessionStatus,
};
use crate::types::{
    AccountId, AgentId, ClientOrderId, ExecType, InstrumentId, Nanos, OrdStatus, OrdType, OrderQty,
    Price, Qty, Reason, Side, TimeInForce, Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use tungstenite::{Message, WebSocket};

/// The broker's end of the stream.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(self.incoming.len());
        into[..count].copy_from_slice(&self.incoming[..count]);
        self.incoming.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Rig {
    session: AlpacaSession,
    now: Timestamp,
    stream: Option<WebSocket<Pipe>>,
    /// Requests without an answer: channel, request line, body.
    asked: Vec<(Channel, String, String)>,
    reports: Vec<Report>,
    dialled: Vec<Channel>,
}

fn id(number: u128) -> String {
    crate::alpaca::Uuid(number).to_string()
}

fn order(number: u128, name: &str, status: &str, filled: &str) -> Value {
    json!({
        "id": id(number), "client_order_id": name, "created_at": "2026-01-05T14:30:00Z",
        "updated_at": "2026-01-05T14:30:00Z", "submitted_at": "2026-01-05T14:30:00Z",
        "filled_at": null, "expired_at": null, "expires_at": null, "canceled_at": null,
        "failed_at": null, "replaced_at": null, "replaced_by": null, "replaces": null,
        "asset_id": id(1), "symbol": "IBM", "asset_class": "us_equity", "notional": null,
        "qty": "10", "filled_qty": filled, "filled_avg_price": null, "order_class": "",
        "order_type": "limit", "type": "limit", "side": "buy", "position_intent": null,
        "time_in_force": "day", "limit_price": "100", "stop_price": null, "status": status,
        "extended_hours": false, "legs": null, "trail_percent": null, "trail_price": null,
        "hwm": null, "one_more_key": {"of": "later"},
    })
}

fn name(seq: u32) -> ClientOrderId {
    ClientOrderId { instance: 7, epoch: 1, agent: AgentId(2), seq }
}

fn terms(units: i64, price: i64) -> OrderTerms {
    OrderTerms {
        side: Side::Buy,
        qty: OrderQty::Units(Qty::whole(units)),
        ord_type: OrdType::Limit { price: Price::from_raw(price * 1_000_000_000) },
        tif: TimeInForce::Day,
        expire_at: None,
        extended_hours: false,
    }
}

fn new(seq: u32) -> OrderRequest {
    OrderRequest::New(NewOrder {
        cl_ord_id: name(seq),
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: 1,
        terms: terms(10, 100),
        contingent: Contingent::None,
        parent: None,
    })
}

fn cancel(seq: u32) -> OrderRequest {
    OrderRequest::Cancel(CancelOrder::of(name(seq)))
}

fn replace(from: u32, to: u32) -> OrderRequest {
    OrderRequest::Replace(ReplaceOrder {
        orig_cl_ord_id: name(from),
        cl_ord_id: name(to),
        intent: 2,
        terms: terms(20, 99),
    })
}

impl Rig {
    fn cold(number: Option<&str>) -> Self {
        let now = Timestamp::from_nanos(1_767_623_400_000_000_000);
        let session = AlpacaSession::new(AlpacaConfig {
            endpoint: "http://127.0.0.1:9100".parse().unwrap(),
            credentials: Credentials::Keys { key: "KEY".to_owned(), secret: "SECRET".to_owned() },
            account: AccountId(0),
            number: number.map(str::to_owned),
            rate: 200,
            symbols: vec!["IBM".to_owned()],
            known: Vec::new(),
            floor: now,
            told: now,
            backoff: Backoff::DEFAULT,
            figures: Arc::default(),
        });
        let mut rig = Self {
            session,
            now,
            stream: None,
            asked: Vec::new(),
            reports: Vec::new(),
            dialled: Vec::new(),
        };
        rig.session.start(now);
        rig.drain();
        rig
    }

    /// Logged on and reconciled, with nothing there.
    fn up() -> Self {
        let mut rig = Self::cold(None);
        rig.log_on();
        assert_eq!(rig.reconcile(json!([]), json!([]), json!([])), BrokerSnapshot::default());
        assert_eq!(rig.reports.remove(0), Report::Session(SessionStatus::Up));
        rig
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Dial(channel) => self.dialled.push(channel),
                Output::Hangup(channel) => self.asked.retain(|(of, ..)| *of != channel),
                Output::Send(STREAM, bytes) => match &mut self.stream {
                    Some(stream) => stream.get_mut().incoming.extend(bytes),
                    None => {
                        let pipe = Pipe { incoming: bytes, outgoing: Vec::new() };
                        self.stream = Some(tungstenite::accept(pipe).unwrap());
                    }
                },
                Output::Send(channel, bytes) => self.note(channel, &bytes),
                Output::Report(report) => self.reports.push(report),
            }
        }
    }

    fn note(&mut self, channel: Channel, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("APCA-API-KEY-ID: KEY\r\n"), "{head}");
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        self.asked.push((channel, line.to_owned(), body.to_owned()));
    }

    fn connect(&mut self) {
        for channel in std::mem::take(&mut self.dialled) {
            self.session.on_connected(self.now, channel);
            self.drain();
        }
    }

    fn pass(&mut self) {
        let out = std::mem::take(&mut self.stream.as_mut().unwrap().get_mut().outgoing);
        self.session.on_bytes(self.now, STREAM, &out);
        self.drain();
    }

    fn heard(&mut self) -> Value {
        loop {
            match self.stream.as_mut().unwrap().read().unwrap() {
                Message::Ping(_) => {}
                other => return serde_json::from_slice(&other.into_data()).unwrap(),
            }
        }
    }

    fn say(&mut self, message: &Value) {
        // Paper sends its JSON in binary frames.
        let bytes = message.to_string().into_bytes();
        self.stream.as_mut().unwrap().send(Message::binary(bytes)).unwrap();
        self.pass();
    }

    fn update(&mut self, event: &str, order: Value, more: Value) {
        let mut data = json!({"event": event, "execution_id": id(self.now.nanos().into()),
            "timestamp": "2026-01-05T14:30:01-05:00", "order": order});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.say(&json!({"stream": "trade_updates", "data": data}));
    }

    fn log_on(&mut self) {
        self.connect();
        self.pass();
        let auth = json!({"action": "authenticate",
            "data": {"key_id": "KEY", "secret_key": "SECRET"}});
        assert_eq!(self.heard(), auth);
        self.say(&json!({"stream": "authorization", "data": {"status": "authorized"}}));
        assert_eq!(self.heard()["action"], "listen");
        self.say(&json!({"stream": "listening", "data": {"streams": ["trade_updates"]}}));
    }

    /// Answers the oldest request whose line begins like this.
    fn answer(&mut self, line: &str, status: u16, body: &Value) {
        self.answer_with(line, status, "", body);
    }

    fn answer_with(&mut self, line: &str, status: u16, headers: &str, body: &Value) {
        let found = self.asked.iter().position(|(_, asked, _)| asked.starts_with(line));
        let at = found.unwrap_or_else(|| panic!("{line} was not asked: {:?}", self.asked));
        let (channel, ..) = self.asked.remove(at);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.session.on_bytes(self.now, channel, text.as_bytes());
        self.drain();
    }

    /// Answers a whole snapshot.
    fn reconcile(&mut self, positions: Value, open: Value, closed: Value) -> BrokerSnapshot {
        self.answer("GET /v2/positions", 200, &positions);
        self.answer("GET /v2/orders?status=open", 200, &open);
        self.answer("GET /v2/orders?status=closed", 200, &closed);
        while let Some((_, line, _)) =
            self.asked.iter().find(|(_, line, _)| line.starts_with("GET /v2/orders"))
        {
            let line = line.clone();
            self.answer(&line, 404, &json!({"code": 40_410_000, "message": "order not found"}));
        }
        self.answer("GET /v2/positions", 200, &positions);
        match self.reports.pop() {
            Some(Report::Snapshot(snapshot)) => *snapshot,
            other => panic!("no snapshot: {other:?}, {:?}", self.asked),
        }
    }

    /// Writes a request as the driver does.
    fn write(&mut self, request: &OrderRequest) -> Result<(), Reason> {
        assert_eq!(self.session.pace(self.now, request), Pace::Now);
        let mut frame = Frame::default();
        self.session.encode(self.now, request, &mut frame)?;
        self.session.written(self.now, request);
        self.note(frame.channel, &frame.bytes);
        Ok(())
    }

    fn wait(&mut self, nanos: Nanos) {
        let until = self.now + nanos;
        while let Some(due) = self.session.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.session.on_deadline(self.now);
            self.drain();
            // The peer is there.
            let awake = self.stream.as_mut().map(|stream| {
                while stream.read().is_ok() {}
                let _ = stream.flush();
            });
            if awake.is_some() {
                self.pass();
            }
        }
        self.now = until;
    }

    fn executions(&mut self) -> Vec<(ClientOrderId, ExecType, OrdStatus, i64, i64)> {
        let reports = std::mem::take(&mut self.reports);
        let told = |report: &Report| match report {
            Report::Execution(r) => Some((
                r.cl_ord_id,
                r.exec_type,
                r.ord_status,
                r.cum_qty.raw() / 1_000_000_000,
                r.leaves_qty.raw() / 1_000_000_000,
            )),
            _ => None,
        };
        reports.iter().filter_map(told).collect()
    }
}

#[test]
fn nothing_is_sent_before_updates_are_listened_to() {
    let mut rig = Rig::cold(None);
    assert_eq!(rig.dialled.len(), super::lanes::CHANNELS);
    let mut frame = Frame::default();
    rig.connect();
    assert_eq!(rig.session.encode(rig.now, &new(1), &mut frame), Err(Reason::BrokerNotReady));
    rig.log_on();
    assert_eq!(rig.reports, [Report::Session(SessionStatus::Up)]);
    assert_eq!(rig.asked.len(), 1, "a snapshot has begun: {:?}", rig.asked);
    assert_eq!(rig.asked[0].1, "GET /v2/positions");
}

#[test]
fn an_order_from_its_write_to_its_fill() {
    let mut rig = Rig::up();
    rig.write(&new(1)).unwrap();
    let body: Value = serde_json::from_str(&rig.asked[0].2).unwrap();
    let expected = json!({"symbol": "IBM", "qty": "10", "side": "buy", "type": "limit",
        "time_in_force": "day", "limit_price": "100", "client_order_id": name(1).to_string()});
    assert_eq!(body, expected);
    // The fill comes before the answer, and a duplicate of it after.
    let text = name(1).to_string();
    let execution = json!({"qty": "4", "price": "99.5", "position_qty": "4"});
    rig.update("partial_fill", order(5, &text, "partially_filled", "4"), execution.clone());
    rig.answer("POST", 200, &order(5, &text, "accepted", "0"));
    rig.update("partial_fill", order(5, &text, "partially_filled", "4"), execution);
    rig.update("fill", order(5, &text, "filled", "10"), json!({"qty": "6", "price": "100"}));
    use ExecType::{New, Trade};
    let one = name(1);
    assert_eq!(
        rig.executions(),
        [
            (one, Trade, OrdStatus::PartiallyFilled, 4, 6),
            (one, New, OrdStatus::New, 0, 10),
            (one, Trade, OrdStatus::PartiallyFilled, 4, 6),
            (one, Trade, OrdStatus::Filled, 10, 0),
        ]
    );
}

#[test]
fn an_unknown_outcome_is_looked_up_and_never_sent_again() {
    for status in [0, 429, 500, 502, 504] {
        let mut rig = Rig::up();
        rig.write(&new(1)).unwrap();
        match status {
            0 => rig.wait(Nanos::from_millis(5_001)),
            _ => rig.answer("POST", status, &json!({"message": "too bad"})),
        }
        rig.wait(Nanos::from_secs(3));
        let look = format!("GET /v2/orders:by_client_order_id?client_order_id={}", name(1));
        assert!(rig.asked.iter().any(|(_, line, _)| line.starts_with(&look)), "{status}");
        assert!(rig.executions().is_empty(), "{status}: nothing is said of its fate");
        rig.answer(&look, 200, &order(5, &name(1).to_string(), "new", "0"));
        assert_eq!(rig.reports, [Report::Session(SessionStatus::Missed)], "{status}");
        assert!(!rig.asked.iter().any(|(_, line, _)| line.starts_with("POST")));
    }
}

#[test]
fn an_order_that_is_not_there_is_left_to_the_snapshots() {
    let mut rig = Rig::up();
    rig.write(&new(1)).unwrap();
    rig.answer("POST", 500, &Value::Null);
    let missing = json!({"code": 40_410_000, "message": "order not found"});
    for _ in 0..6 {
        rig.answer("GET /v2/orders:by", 404, &missing);
        // Until the next look; the last one is followed by none.
        let begin = rig.now;
        while rig.asked.is_empty() && rig.now < begin + Nanos::from_secs(9) {
            rig.wait(Nanos::from_millis(100));
        }
    }
    rig.wait(Nanos::from_secs(1));
    assert_eq!(rig.reports, [Report::Session(SessionStatus::Missed)]);
    rig.session.request_snapshot(rig.now);
    rig.drain();
    let snapshot = rig.reconcile(json!([]), json!([]), json!([]));
    assert!(snapshot.orders.is_empty());
}

#[test]
fn a_refusal_has_its_reason_and_frees_the_connection() {
    let mut rig = Rig::up();
    for seq in 1..=4 {
        rig.write(&new(seq)).unwrap();
    }
    assert_eq!(rig.session.pace(rig.now, &new(5)), Pace::Later, "four at once");
    rig.answer("POST", 403, &json!({"code": 40_310_000, "message": "insufficient buying power"}));
    let Some(Report::Execution(report)) = rig.reports.pop() else { panic!() };
    assert_eq!((report.exec_type, report.reason), (ExecType::Rejected, Some(Reason::BrokerFunds)));
    assert_eq!(rig.session.pace(rig.now, &new(5)), Pace::Now);
}

#[test]
fn a_replace_is_the_same_order_under_another_name_however_the_broker_counts() {
    for carried in [true, false] {
        let mut rig = Rig::up();
        let (one, two) = (name(1).to_string(), name(2).to_string());
        rig.write(&new(1)).unwrap();
        assert_eq!(rig.session.pace(rig.now, &replace(1, 2)), Pace::Later, "no number yet");
        rig.answer("POST", 200, &order(5, &one, "new", "0"));
        rig.update(
            "partial_fill",
            order(5, &one, "partially_filled", "3"),
            json!({"qty": "3", "price": "100"}),
        );
        rig.write(&replace(1, 2)).unwrap();
        let body: Value = serde_json::from_str(&rig.asked[0].2).unwrap();
        assert_eq!(body, json!({"qty": "20", "limit_price": "99", "client_order_id": two}));
        let mut newer = order(6, &two, "new", if carried { "3" } else { "0" });
        newer["replaces"] = json!(id(5));
        newer["qty"] = json!(if carried { "20" } else { "17" });
        rig.answer("PATCH", 200, &newer);
        let mut older = order(5, &one, "replaced", "3");
        older["replaced_by"] = json!(id(6));
        rig.update("replaced", older, json!({}));
        rig.update("new", newer.clone(), json!({}));
        newer["filled_qty"] = json!(if carried { "8" } else { "5" });
        newer["status"] = json!("partially_filled");
        rig.now = rig.now + Nanos::from_millis(1);
        rig.update("partial_fill", newer, json!({"qty": "5", "price": "99"}));
        let told = rig.executions();
        assert_eq!(
            told[2..],
            [
                (name(2), ExecType::Replaced, OrdStatus::PartiallyFilled, 3, 17),
                (name(2), ExecType::Trade, OrdStatus::PartiallyFilled, 8, 12),
            ],
            "carried: {carried}"
        );
    }
}

#[test]
fn a_snapshot_has_what_the_stream_lost() {
    let mut rig = Rig::up();
    let text = name(1).to_string();
    rig.write(&new(1)).unwrap();
    rig.answer("POST", 200, &order(5, &text, "new", "0"));
    rig.reports.clear();
    rig.session.request_snapshot(rig.now);
    rig.drain();
    let held = json!([{"asset_id": id(1), "symbol": "IBM", "exchange": "NYSE",
        "asset_class": "us_equity", "asset_marginable": true, "qty": "10", "qty_available": "10",
        "avg_entry_price": "100", "side": "long", "market_value": null, "cost_basis": "1000",
        "unrealized_pl": null, "unrealized_plpc": null, "unrealized_intraday_pl": null,
        "unrealized_intraday_plpc": null, "current_price": null, "lastday_price": null,
        "change_today": null}]);
    rig.answer("GET /v2/positions", 200, &held);
    rig.answer("GET /v2/orders?status=open", 200, &json!([]));
    rig.answer("GET /v2/orders?status=closed", 200, &json!([]));
    // It was open here and stands in no list: it is asked for by its number.
    rig.answer(&format!("GET /v2/orders/{}", id(5)), 200, &order(5, &text, "filled", "10"));
    let fill = |number: u128, qty: &str, cum: &str| {
        json!({"activity_type": "FILL",
        "id": format!("20260105143001000::{}", id(number)), "transaction_time": "2026-01-05T14:30:01Z",
        "type": "fill", "price": "100", "qty": qty, "side": "buy", "symbol": "IBM",
        "leaves_qty": "0", "cum_qty": cum, "order_id": id(5), "order_status": "filled"})
    };
    let rows = json!([fill(9, "6", "10"), fill(8, "4", "4")]);
    rig.answer("GET /v2/account/activities/FILL", 200, &rows);
    rig.answer("GET /v2/positions", 200, &held);
    let Some(Report::Snapshot(snapshot)) = rig.reports.pop() else { panic!("{:?}", rig.asked) };
    let one = &snapshot.orders[0];
    assert_eq!((one.cl_ord_id, one.ord_status), (Some(name(1)), OrdStatus::Filled));
    let fills: Vec<_> = one.fills.iter().map(|fill| fill.qty).collect();
    assert_eq!((fills, one.cum_qty), (vec![Qty::whole(4), Qty::whole(6)], Qty::whole(10)));
    assert_eq!(snapshot.positions[0].qty, Qty::whole(10));
}

/// What was missed waits for the snapshot that is asked for already, without a deadline that is past.
#[test]
fn nothing_is_due_again_and_again() {
    let mut rig = Rig::up();
    for _ in 0..2 {
        // The second one while the first is not answered.
        rig.session.request_snapshot(rig.now);
        rig.drain();
    }
    rig.say(&json!({"stream": "trade_updates", "data": {"event": "no order"}}));
    for _ in 0..3 {
        let due = rig.session.deadline().unwrap();
        rig.now = rig.now.max(due);
        rig.session.on_deadline(rig.now);
        rig.drain();
        assert!(rig.session.deadline().unwrap() > rig.now, "due at once, for ever");
    }
}

#[test]
fn a_position_that_moves_without_a_word_is_read_again() {
    let mut rig = Rig::up();
    rig.session.request_snapshot(rig.now);
    rig.drain();
    let none = json!([]);
    rig.answer("GET /v2/positions", 200, &none);
    rig.answer("GET /v2/orders?status=open", 200, &none);
    rig.answer("GET /v2/orders?status=closed", 200, &none);
    let one = json!([{"asset_id": id(1), "symbol": "IBM", "exchange": "NYSE",
        "asset_class": "us_equity", "asset_marginable": true, "qty": "-3", "qty_available": "-3",
        "avg_entry_price": "100", "side": "short", "cost_basis": "-300"}]);
    rig.answer("GET /v2/positions", 200, &one);
    assert!(rig.reports.is_empty(), "it changed meanwhile");
    rig.wait(Nanos::from_millis(150));
    rig.answer("GET /v2/positions", 200, &one);
    let Some(Report::Snapshot(snapshot)) = rig.reports.pop() else { panic!() };
    assert_eq!(snapshot.positions[0].qty, -Qty::whole(3));
}

#[test]
fn a_mass_cancel_covers_what_it_covered_and_no_more() {
    let mut rig = Rig::up();
    for seq in 1..=2 {
        rig.write(&new(seq)).unwrap();
        rig.answer("POST", 200, &order(seq.into(), &name(seq).to_string(), "new", "0"));
    }
    rig.session.sweep(rig.now);
    rig.drain();
    assert_eq!(rig.asked[0].1, "DELETE /v2/orders");
    for seq in 1..=2 {
        assert_eq!(rig.session.pace(rig.now, &cancel(seq)), Pace::Later);
    }
    let rows = json!([{"id": id(1), "status": 200}, {"id": id(2), "status": 500, "body": {}}]);
    rig.answer("DELETE /v2/orders", 207, &rows);
    assert_eq!(rig.session.pace(rig.now, &cancel(1)), Pace::Covered);
    rig.write(&cancel(2)).unwrap();
    assert_eq!(rig.asked[0].1, format!("DELETE /v2/orders/{}", id(2)));
    // One whose answer is lost covers nothing.
    rig.answer("DELETE", 204, &Value::Null);
    rig.session.sweep(rig.now);
    rig.drain();
    rig.wait(Nanos::from_secs(6));
    rig.connect();
    assert_eq!(rig.session.pace(rig.now, &cancel(1)), Pace::Now);
}

#[test]
fn refused_credentials_bring_it_down_and_are_not_tried_at_once() {
    let mut rig = Rig::up();
    rig.write(&new(1)).unwrap();
    rig.answer("POST", 401, &json!({"message": "unauthorized."}));
    let told: Vec<_> = rig.reports.drain(..).collect();
    let (down, refused) = (SessionStatus::Down, SessionStatus::Refused);
    assert_eq!(told, [Report::Session(down), Report::Session(refused)]);
    rig.dialled.clear();
    rig.stream = None;
    rig.wait(Nanos::from_secs(59));
    assert!(rig.dialled.is_empty());
    rig.wait(Nanos::from_secs(2));
    assert_eq!(rig.dialled.len(), super::lanes::CHANNELS);
    // On the stream as well.
    let mut rig = Rig::cold(None);
    rig.connect();
    rig.pass();
    rig.say(&json!({"stream": "authorization", "data": {"status": "unauthorized"}}));
    assert_eq!(rig.reports, [Report::Session(refused)]);
}

#[test]
fn another_account_than_the_config_names_gets_no_order() {
    for (shown, told) in [
        ("PA1", vec![Report::Session(SessionStatus::Up)]),
        ("PA2", vec![Report::Session(SessionStatus::Refused)]),
    ] {
        let mut rig = Rig::cold(Some("PA1"));
        rig.log_on();
        assert!(rig.reports.is_empty());
        rig.answer("GET /v2/account", 200, &json!({"account_number": shown}));
        assert_eq!(rig.reports, told);
    }
}

#[test]
fn a_broker_that_says_429_is_left_alone_for_as_long_as_it_says() {
    let mut rig = Rig::up();
    rig.write(&new(1)).unwrap();
    rig.answer_with("POST", 429, "Retry-After: 7\r\n", &json!({"message": "rate limit exceeded"}));
    assert_eq!(rig.session.pace(rig.now, &new(2)), Pace::Later);
    rig.wait(Nanos::from_millis(6_900));
    assert!(rig.asked.is_empty(), "{:?}", rig.asked);
    rig.wait(Nanos::from_millis(200));
    assert_eq!(rig.asked.len(), 1, "the look for the order");
}

#[test]
fn busts_and_corrections_name_the_fill() {
    let mut rig = Rig::up();
    let text = name(1).to_string();
    rig.write(&new(1)).unwrap();
    rig.answer("POST", 200, &order(5, &text, "new", "0"));
    rig.update("fill", order(5, &text, "filled", "10"), json!({"qty": "10", "price": "100"}));
    let first = id(rig.now.nanos().into());
    rig.reports.clear();
    rig.now = rig.now + Nanos(1);
    let corrected = json!({"previous_execution_id": first, "qty": "10", "price": "99"});
    rig.update("trade_correct", order(5, &text, "filled", "10"), corrected);
    let second = id(rig.now.nanos().into());
    rig.now = rig.now + Nanos(1);
    let busted = json!({"previous_execution_id": second});
    rig.update("trade_bust", order(5, &text, "new", "0"), busted);
    let told: Vec<_> = rig
        .reports
        .iter()
        .map(|report| match report {
            Report::Correction(one) => (one.corrected.map(|fill| fill.price), one.leaves_qty),
            other => panic!("{other:?}"),
        })
        .collect();
    let price = Some(Price::from_raw(99 * 1_000_000_000));
    assert_eq!(told, [(price, Qty::ZERO), (None, Qty::whole(10))]);
}

#[test]
fn what_cannot_be_read_or_is_new_loses_nothing() {
    for (event, spoiled) in [
        ("fill", json!({"qty": "ten", "price": "1"})),
        ("fill", json!({})),
        ("a_word_of_tomorrow", json!({})),
    ] {
        let mut rig = Rig::up();
        let text = name(1).to_string();
        rig.write(&new(1)).unwrap();
        rig.answer("POST", 200, &order(5, &text, "new", "0"));
        rig.reports.clear();
        rig.update(event, order(5, &text, "new", "0"), spoiled);
        rig.wait(Nanos::from_millis(10));
        assert_eq!(rig.reports, [Report::Session(SessionStatus::Missed)], "{event}");
    }
}

#[test]
fn a_silent_stream_is_given_up() {
    let mut rig = Rig::up();
    let (mut said, begin) = (Vec::new(), rig.now);
    while rig.now < begin + Nanos::from_secs(30) && said.is_empty() {
        rig.now = rig.session.deadline().unwrap();
        rig.session.on_deadline(rig.now);
        rig.drain();
        said = std::mem::take(&mut rig.reports);
    }
    assert_eq!(said, [Report::Session(SessionStatus::Down)]);
    assert!(rig.now <= begin + Nanos::from_secs(16));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(parts in prop::collection::vec((0u8..8, prop::collection::vec(any::<u8>(), 0..60)), 1..40)) {
        let mut rig = Rig::up();
        rig.write(&new(1)).unwrap();
        for (channel, bytes) in parts {
            rig.session.on_bytes(rig.now, channel, &bytes);
            rig.session.on_deadline(rig.now);
            rig.drain();
            rig.now = rig.now + Nanos::from_millis(200);
        }
        let open: BTreeMap<_, _> = rig.reports.iter().filter_map(|report| match report {
            Report::Execution(one) => Some((one.cl_ord_id, one.exec_type)),
            _ => None,
        }).collect();
        prop_assert!(open.is_empty(), "{open:?}");
    }
}
