//! Byte transcripts, the session's states with virtual time, and the reader against the library.

use super::*;
use crate::alpaca::{Channel, encode_msgpack};
use crate::msg::{BookAction, MarketData};
use crate::types::{Calendar, InstrumentId, Nanos, Price, Side, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tungstenite::{Message, WebSocket};

fn symbols() -> Symbols {
    let names = [("AAPL", 0), ("BTC/USD", 1)];
    Symbols::new(names.map(|(name, id)| (name.to_owned(), InstrumentId(id))).into()).unwrap()
}

fn read(bytes: &[u8], encoding: Encoding) -> Result<Vec<Said>, String> {
    let mut said = Vec::new();
    Decoder::default().frame(bytes, encoding, &symbols(), |one| said.push(one))?;
    Ok(said)
}

/// One frame with every kind of message, as the documentation shows them.
fn every_kind() -> Value {
    let t = "2026-01-05T14:30:00.123456789Z";
    json!([
        {"T":"q","S":"AAPL","ax":"Q","ap":185.32,"as":300,"bx":"V","bp":185.31,"bs":200,"c":["R"],"t":t,"z":"C"},
        {"T":"t","S":"AAPL","i":52983525029461u64,"x":"V","p":185.315,"s":7,"c":["@","I"],"t":t,"z":"C"},
        {"T":"t","S":"BTC/USD","i":1,"p":64000.123456789,"s":0.000000001,"tks":"S","t":t},
        {"T":"b","S":"AAPL","o":1,"h":4.5,"l":0.5,"c":2,"v":100,"n":3,"vw":1.23456789012,"t":"2026-01-05T14:30:00Z"},
        {"T":"u","S":"AAPL","o":1,"h":4,"l":0.5,"c":2,"v":101,"n":4,"vw":2,"t":"2026-01-05T14:30:00Z"},
        {"T":"d","S":"AAPL","o":1,"h":4,"l":0.5,"c":2,"v":101,"n":4,"vw":2,"t":"2026-01-05T05:00:00Z"},
        {"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"News","t":t,"z":"C"},
        {"T":"s","S":"AAPL","sc":"T","sm":"Trading Resumption","rc":"","rm":"","t":t,"z":"C"},
        {"T":"s","S":"AAPL","sc":"5","sm":"Price Indication","rc":"","rm":"","t":t,"z":"A"},
        {"T":"l","S":"AAPL","u":190.1,"d":180.1,"i":"B","t":t,"z":"C"},
        {"T":"c","S":"AAPL","x":"V","oi":1,"op":1,"os":2,"oc":["@"],"ci":2,"cp":3,"cs":4,"cc":["@"],"t":t,"z":"C"},
        {"T":"x","S":"AAPL","i":1,"x":"V","p":1,"s":2,"a":"C","t":t,"z":"C"},
        {"T":"i","S":"AAPL","p":1.5,"z":"C","t":t},
        {"T":"o","S":"BTC/USD","t":t,"r":true,"b":[{"p":63999.5,"s":0.5}],"a":[{"p":64000.5,"s":1},{"p":64001,"s":0}]},
        {"T":"n","id":24,"headline":"He said \"so\"","summary":"","author":"a","created_at":t,"updated_at":t,"url":"","content":"<p>x</p>","symbols":["AAPL"],"source":"s"},
        {"T":"q","S":"MSFT","ax":"Q","ap":1,"as":1,"bx":"V","bp":1,"bs":1,"c":["R"],"t":t,"z":"C"},
        {"T":"q","S":"AAPL","ax":" ","ap":0,"as":0,"bx":"V","bp":185.31,"bs":200,"c":["R"],"t":t,"z":"C"},
        {"T":"future","S":"AAPL"},
    ])
}

fn both(value: &Value) -> [(Vec<u8>, Encoding); 2] {
    let mut packed = Vec::new();
    encode_msgpack(value, &mut packed);
    [(value.to_string().into_bytes(), Encoding::Json), (packed, Encoding::Msgpack)]
}

#[test]
fn every_message_is_read_in_both_encodings() {
    let [json, packed] =
        both(&every_kind()).map(|(bytes, encoding)| read(&bytes, encoding).unwrap());
    assert_eq!(json, packed);
    let records: Vec<MarketData> = json
        .iter()
        .filter_map(|said| if let Said::Record(record) = said { Some(*record) } else { None })
        .collect();
    let at: Timestamp = "2026-01-05T14:30:00.123456789Z".parse().unwrap();
    let MarketData::Quote(quote) = records[0] else { panic!("{records:?}") };
    assert_eq!(
        (quote.ts, quote.bid.to_string(), quote.ask.to_string()),
        (at, "185.31".into(), "185.32".into())
    );
    let MarketData::Trade(trade) = records[1] else { panic!("{records:?}") };
    assert_eq!(
        (trade.size.to_string(), trade.suspicious, trade.condition),
        ("7".into(), false, 1 << 8)
    );
    let MarketData::Trade(coin) = records[2] else { panic!("{records:?}") };
    assert_eq!((coin.price.to_string(), coin.size.raw()), ("64000.123456789".into(), 1));
    assert_eq!((coin.aggressor, coin.instrument), (Some(Side::Sell), InstrumentId(1)));
    let MarketData::Bar(bar) = records[3] else { panic!("{records:?}") };
    assert_eq!(
        (bar.ts.to_string().as_str(), bar.price.high.to_string().as_str()),
        ("2026-01-05T14:31:00.000000000Z", "4.5")
    );
    assert!(matches!(records[4], MarketData::Status(status) if status.halted));
    assert!(matches!(records[5], MarketData::Status(status) if !status.halted));
    let levels: Vec<_> = records[6..10]
        .iter()
        .map(|record| match record {
            MarketData::Level(level) => {
                (level.action, level.more, level.side, level.price.to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(levels[0], (BookAction::Clear, true, Side::Buy, "0".into()));
    // The library sorts keys: asks come first here.
    assert_eq!(levels[2], (BookAction::Set, true, Side::Sell, "64001".into()));
    assert_eq!(levels[3], (BookAction::Set, false, Side::Buy, "63999.5".into()));
    let MarketData::Quote(empty) = records[10] else { panic!("{records:?}") };
    assert!(!empty.ask.is_zero() && empty.ask_size.is_zero(), "nobody offers: {empty:?}");
    assert_eq!(records.len(), 11);
    let others: Vec<&str> = json
        .iter()
        .filter_map(|said| if let Said::Other(kind, _) = said { Some(kind.name()) } else { None })
        .collect();
    assert_eq!(
        others,
        [
            "updated_bar",
            "daily_bar",
            "status",
            "luld",
            "correction",
            "cancel_error",
            "imbalance",
            "news",
            "unlisted",
            "unknown"
        ]
    );
}

#[test]
fn what_does_not_fit_is_named_and_costs_one_message() {
    for (bad, named) in [
        (r#"{"T":"t","S":"AAPL","p":1.0000000001,"s":1,"t":"2026-01-05T14:30:00Z"}"#, "`p`"),
        (r#"{"T":"t","S":"AAPL","p":1,"s":99999999999,"t":"2026-01-05T14:30:00Z"}"#, "`s`"),
        (r#"{"T":"t","S":"AAPL","p":1,"t":"2026-01-05T14:30:00Z"}"#, "`s`"),
        (r#"{"T":"t","S":"AAPL","p":1,"s":-1,"t":"2026-01-05T14:30:00Z"}"#, "`s`"),
        (r#"{"T":"t","S":"AAPL","p":1,"s":1,"t":"2026-02-30T14:30:00Z"}"#, "`t`"),
        (
            r#"{"T":"b","S":"AAPL","o":1,"h":"2","l":1,"c":1,"v":1,"t":"2026-01-05T14:30:00Z"}"#,
            "`h`",
        ),
        (r#"{"T":"o","S":"BTC/USD","t":"2026-01-05T14:30:00Z","b":[{"p":-1,"s":1}]}"#, "`b/a`"),
    ] {
        let frame = format!(r#"[{bad},{{"T":"success","msg":"next"}}]"#);
        let said = read(frame.as_bytes(), Encoding::Json).unwrap();
        let [Said::Unusable(Some(_), why), Said::Control(_)] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert!(why.contains(named), "{why}");
    }
    for broken in
        ["", "[", "[{]", "[{\"T\":}]", "[{\"T\":\"q\",}]", "[1]", "{} {}", "[{\"a\":tru}]", "\"x"]
    {
        assert!(read(broken.as_bytes(), Encoding::Json).is_err(), "{broken}");
    }
    let deep = format!("[{{\"x\":{}", "[".repeat(100_000));
    assert!(read(deep.as_bytes(), Encoding::Json).is_err());
}

proptest! {
    /// Whatever the bytes are, reading ends with an answer.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, Encoding::Json);
        let _ = read(&bytes, Encoding::Msgpack);
    }

    /// The scanner and the library agree on every quote, in whatever order and dress its keys come.
    #[test]
    fn the_scanner_reads_what_the_library_reads(
        raw in prop::array::uniform4(0i64..9_000_000_000_000_000),
        nanos in 0u64..4_000_000_000_000_000_000,
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        blanks in prop::collection::vec(prop::sample::select(vec!["", " ", "\n\t"]), 8),
        escaped: bool,
    ) {
        let at = Timestamp::from_nanos(nanos);
        let price = |at: usize| Price::from_raw(raw[at]).to_string();
        let symbol = if escaped { "\"\\u0041APL\"" } else { "\"AAPL\"" };
        let fields = [
            "\"T\":\"q\"".to_owned(), format!("\"S\":{symbol}"), format!("\"bp\": {}", price(0)),
            format!("\"bs\":{}", price(1)), format!("\"ap\":{}", price(2)), format!("\"as\" :{}", price(3)),
            format!("\"t\":\"{at}\""), "\"z\":{\"deep\":[1,null,true,\"]}\"]}".to_owned(),
        ];
        let text: Vec<String> =
            order.iter().zip(&blanks).map(|(&at, blank)| format!("{blank}{}{blank}", fields[at])).collect();
        let frame = format!("[{{{}}}]", text.join(","));

        let library: Vec<BTreeMap<String, &serde_json::value::RawValue>> = serde_json::from_str(&frame).unwrap();
        let number = |key: &str| library[0][key].get().parse::<Price>().unwrap();
        let said = read(frame.as_bytes(), Encoding::Json).unwrap();
        let [Said::Record(MarketData::Quote(quote))] = said.as_slice() else { panic!("{said:?}") };
        prop_assert_eq!(quote.ts, at);
        for (key, price, size) in [("b", quote.bid, quote.bid_size), ("a", quote.ask, quote.ask_size)] {
            let (meant, units) = (number(&format!("{key}p")), number(&format!("{key}s")));
            if meant.is_zero() {
                prop_assert!(size.is_zero() && !price.is_zero());
            } else {
                prop_assert_eq!((price, size.raw()), (meant, units.raw()));
            }
        }
    }
}

/// The other end of a session: a real WebSocket server over memory.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl std::io::Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let count = self.incoming.len().min(into.len());
        into[..count].copy_from_slice(&self.incoming[..count]);
        self.incoming.drain(..count);
        Ok(count)
    }
}

impl std::io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Sink {
    records: Vec<MarketData>,
    events: Vec<FeedEvent>,
    frames: usize,
}

impl FeedSink for Sink {
    fn record(&mut self, record: &MarketData) {
        self.records.push(*record);
    }
    fn frame(&mut self, _: Timestamp, _: &[u8]) {
        self.frames += 1;
    }
    fn event(&mut self, event: FeedEvent) {
        self.events.push(event);
    }
}

struct Rig {
    session: FeedSession,
    sink: Sink,
    server: Option<WebSocket<Pipe>>,
    encoding: Encoding,
    now: Timestamp,
    /// How many bytes come at a time.
    step: usize,
}

const SILENCE: Nanos = Nanos::from_secs(60);

impl Rig {
    /// Monday 2026-01-05, a quarter to ten in New York unless said otherwise.
    fn new(encoding: Encoding, calendar: Calendar) -> Self {
        let now = "2026-01-05T14:45:00Z".parse().unwrap();
        let settings = FeedSettings {
            endpoint: "ws://127.0.0.1:1/v2/iex".parse().unwrap(),
            encoding,
            channels: vec![Channel::Trades, Channel::Quotes],
            symbols: symbols(),
            calendars: vec![calendar],
            key: "K".into(),
            secret: "S".into(),
            silence: SILENCE,
        };
        let session = FeedSession::new(settings, now);
        Self { session, sink: Sink::default(), server: None, encoding, now, step: 3 }
    }

    /// Does what the session wants; whether it dialled.
    fn pump(&mut self) -> bool {
        let mut dialled = false;
        while let Some(want) = self.session.poll() {
            match want {
                Want::Dial => dialled = true,
                Want::Hangup => self.server = None,
                Want::Send(bytes) => {
                    if let Some(server) = &mut self.server {
                        server.get_mut().incoming.extend(bytes);
                    }
                }
            }
        }
        dialled
    }

    /// Time passes up to the session's next deadline.
    fn wait(&mut self) -> bool {
        self.now = self.session.deadline().expect("a deadline").max(self.now);
        self.session.on_deadline(self.now, &mut self.sink);
        self.pump()
    }

    fn connect(&mut self) {
        assert!(self.wait(), "it dials");
        self.session.on_connected(self.now, &mut self.sink);
        let mut pipe = Pipe::default();
        while let Some(want) = self.session.poll() {
            let Want::Send(bytes) = want else { panic!("{want:?}") };
            pipe.incoming.extend(bytes);
        }
        let asked = String::from_utf8(pipe.incoming.clone()).unwrap();
        let packed = asked.to_lowercase().contains("content-type: application/msgpack");
        assert_eq!(packed, self.encoding == Encoding::Msgpack);
        self.server = Some(tungstenite::accept(pipe).unwrap());
        self.deliver();
    }

    fn deliver(&mut self) {
        let Some(server) = &mut self.server else { return };
        let bytes = std::mem::take(&mut server.get_mut().outgoing);
        for part in bytes.chunks(self.step) {
            self.session.on_bytes(self.now, part, &mut self.sink);
        }
        self.pump();
    }

    fn say(&mut self, value: &Value) {
        let [(text, _), (packed, _)] = both(value);
        let message = match self.encoding {
            Encoding::Json => Message::text(String::from_utf8(text).unwrap()),
            Encoding::Msgpack => Message::binary(packed),
        };
        self.server.as_mut().expect("connected").send(message).unwrap();
        self.deliver();
    }

    /// What the session said last.
    fn heard(&mut self) -> Value {
        match self.server.as_mut().expect("connected").read().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            Message::Binary(bytes) => crate::alpaca::decode_msgpack(&bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn subscribe(&mut self) {
        self.connect();
        self.say(&json!([{"T": "success", "msg": "connected"}]));
        assert_eq!(self.heard(), json!({"action": "auth", "key": "K", "secret": "S"}));
        self.say(&json!([{"T": "success", "msg": "authenticated"}]));
        let all = json!(["AAPL", "BTC/USD"]);
        assert_eq!(self.heard(), json!({"action": "subscribe", "trades": all, "quotes": all}));
    }

    fn live(&mut self) {
        self.subscribe();
        let all = json!(["AAPL", "BTC/USD"]);
        self.say(&json!([{"T": "subscription", "trades": all, "quotes": all, "bars": [], "corrections": all}]));
        assert!(self.session.is_live() && !self.session.is_verified());
    }

    fn data(&mut self) {
        self.say(&json!([every_kind()[1].clone()]));
    }

    fn lost(&self) -> (String, Nanos, bool) {
        match self.sink.events.last() {
            Some(FeedEvent::Lost { why, wait, helpless }) => (why.clone(), *wait, *helpless),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn from_dial_to_data_in_both_encodings_however_the_bytes_are_cut() {
    for encoding in [Encoding::Json, Encoding::Msgpack] {
        for step in [1, 7, 10_000] {
            let mut rig = Rig { step, ..Rig::new(encoding, Calendar::UsEquity) };
            rig.live();
            rig.say(&every_kind());
            assert!(rig.session.is_verified());
            assert_eq!(rig.sink.records.len(), 11);
            assert_eq!(rig.sink.events, [FeedEvent::Subscribed, FeedEvent::Verified]);
            let counters = rig.session.counters();
            assert_eq!((counters.frames, counters.records.quotes, counters.unverified), (4, 2, 0));
            assert_eq!(counters.others.iter().sum::<u64>(), 10);
            assert_eq!(rig.sink.frames, 4, "a capture sees each frame once");
        }
    }
}

/// Each error has its consequence: how long until the next try, and whether a person is needed.
#[test]
fn errors_of_the_venue() {
    let minutes = Nanos::from_secs(300);
    for (code, wait, helpless, says) in [
        (401, Nanos::from_secs(1), false, "not authenticated"),
        (402, minutes, true, "key and secret"),
        (404, Nanos::from_secs(1), false, "auth timeout"),
        (405, minutes, true, "fewer symbols"),
        (406, Nanos::from_secs(60), false, "another program holds the one connection"),
        (407, Nanos::from_secs(1), false, "read too slowly"),
        (409, minutes, true, "plan does not cover"),
        (410, minutes, true, "channel"),
        (411, minutes, true, "may not read"),
        (412, minutes, true, "does not fit"),
        (500, Nanos::from_secs(1), false, "try again"),
    ] {
        let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
        rig.connect();
        rig.say(&json!([{"T": "success", "msg": "connected"}]));
        let text = if code == 401 { "not authenticated" } else { "auth timeout" };
        rig.say(&json!([{"T": "error", "code": code, "msg": text}]));
        let (why, waited, needs) = rig.lost();
        assert_eq!((waited, needs), (wait, helpless), "{why}");
        assert!(why.contains(says), "{why}");
        assert_eq!(rig.session.counters().errors, BTreeMap::from([(code, 1)]));
        assert!(rig.server.is_none(), "it hangs up");
        assert!(rig.sink.records.is_empty(), "nothing was lost: nothing had come");
        let before = rig.now;
        assert!(rig.wait(), "and tries again");
        assert_eq!(rig.now.since(before), wait);
    }
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.live();
    rig.say(&json!([{"T": "error", "code": 403, "msg": "already authenticated"}]));
    assert!(rig.session.is_live(), "403 costs nothing");
}

#[test]
fn waits_double_until_data_proves_a_connection() {
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    let mut waits = Vec::new();
    for _ in 0..7 {
        rig.live();
        rig.session.on_closed(rig.now, "gone", &mut rig.sink);
        rig.pump();
        waits.push(rig.lost().1.0 / 1_000_000_000);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30], "a subscription alone proves nothing");
    rig.live();
    rig.data();
    rig.session.on_closed(rig.now, "gone", &mut rig.sink);
    assert_eq!(rig.lost().1, Nanos::from_secs(1));
}

#[test]
fn a_step_that_does_not_come_ends_the_connection() {
    for (says, steps) in [("greeting", 0), ("answer to the key", 1), ("confirmation", 2)] {
        let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
        rig.connect();
        for word in ["connected", "authenticated"].iter().take(steps) {
            rig.say(&json!([{"T": "success", "msg": word}]));
        }
        rig.wait();
        assert!(rig.lost().0.contains(says), "{:?}", rig.lost());
    }
}

#[test]
fn a_subscription_that_lacks_something_is_none() {
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.subscribe();
    rig.say(&json!([{"T": "subscription", "trades": ["AAPL", "BTC/USD"], "quotes": ["AAPL"]}]));
    assert!(rig.lost().0.contains("quotes of BTC/USD"), "{:?}", rig.lost());
    assert!(!rig.session.is_live());
}

#[test]
fn mute_is_for_open_markets_only_and_pongs_are_no_data() {
    // In the session: pings are answered, and the connection ends all the same.
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.live();
    rig.data();
    let begin = rig.now;
    let mut turns = 0;
    while rig.session.is_live() && turns < 100 {
        rig.wait();
        if let Some(server) = &mut rig.server {
            let _ = server.read();
            let _ = server.flush();
        }
        rig.deliver();
        turns += 1;
    }
    assert_eq!(rig.now.since(begin), SILENCE);
    assert!(rig.lost().0.contains("no data"), "{:?}", rig.lost());

    // Outside of it the same silence is normal until the next morning's opening.
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.now = "2026-01-05T22:00:00Z".parse().unwrap();
    rig.session = FeedSession::new(rig_settings(&rig), rig.now);
    rig.live();
    for _ in 0..100_000 {
        if !rig.session.is_live() {
            break;
        }
        rig.wait();
        if let Some(server) = &mut rig.server {
            let _ = server.read();
            let _ = server.flush();
        }
        rig.deliver();
    }
    assert_eq!(rig.now.to_string(), "2026-01-06T14:31:00.000000000Z", "a minute after the opening");
}

fn rig_settings(rig: &Rig) -> FeedSettings {
    FeedSettings {
        endpoint: "ws://127.0.0.1:1/v2/iex".parse().unwrap(),
        encoding: rig.encoding,
        channels: vec![Channel::Trades, Channel::Quotes],
        symbols: symbols(),
        calendars: vec![Calendar::UsEquity],
        key: "K".into(),
        secret: "S".into(),
        silence: SILENCE,
    }
}

#[test]
fn a_ping_without_an_answer_ends_the_connection_at_any_hour() {
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.now = "2026-01-03T12:00:00Z".parse().unwrap();
    rig.session = FeedSession::new(rig_settings(&rig), rig.now);
    rig.live();
    let begin = rig.now;
    rig.wait();
    assert!(rig.session.is_live(), "asked");
    rig.wait();
    assert_eq!(rig.now.since(begin), Nanos::from_secs(20));
    assert!(rig.lost().0.contains("no byte"), "{:?}", rig.lost());
}

/// INV-5: what is lost is told as a gap of each instrument, and what cannot be read as one of its own.
#[test]
fn a_loss_is_a_gap_of_every_instrument() {
    let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
    rig.live();
    rig.data();
    rig.say(&json!([{"T": "t", "S": "AAPL", "p": 1, "s": -1, "t": "2026-01-05T14:30:00Z"}]));
    let gap = rig.sink.records.last().copied();
    assert!(matches!(gap, Some(MarketData::Gap(gap)) if gap.missing == 1), "{gap:?}");
    rig.sink.records.clear();
    rig.server.as_mut().unwrap().send(Message::text("[{]")).unwrap();
    rig.deliver();
    let gaps: Vec<_> = rig.sink.records.iter().map(|gap| gap.instrument()).collect();
    assert_eq!(gaps, [InstrumentId(0), InstrumentId(1)]);
    assert_eq!(rig.session.counters().unverified, 2);
    // The next connection is worth something only with its first data.
    rig.live();
    assert_eq!(rig.session.counters().subscribed, 2);
    rig.data();
    assert_eq!(rig.sink.events.last(), Some(&FeedEvent::Verified));
    assert_eq!(rig.session.counters().unverified, 1);
}

#[test]
fn a_refused_handshake_says_who_can_help() {
    for (status, wait) in [(401, 300), (429, 1), (503, 1)] {
        let mut rig = Rig::new(Encoding::Json, Calendar::UsEquity);
        assert!(rig.wait());
        rig.session.on_connected(rig.now, &mut rig.sink);
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        rig.session.on_bytes(rig.now, answer.as_bytes(), &mut rig.sink);
        assert_eq!(rig.lost().1, Nanos::from_secs(wait), "{status}");
    }
}
