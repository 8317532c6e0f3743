//! `cargo bench --bench data`: how fast frames of a data stream are read. The parser against sonic-rs
//! with borrowed fields, in turns in one run; and quotes through a whole session (WebSocket, message,
//! record, queue to a lane) on one core.
//!
//! sonic-rs has the lighter task: it leaves prices as floats and times as text.

use qtos_gateway::alpaca::Channel;
use qtos_gateway::alpaca::encode_msgpack;
use qtos_gateway::feed::alpaca::{
    Decoder, Encoding, FeedEvent, FeedSession, FeedSettings, FeedSink, Said, Symbols, Want,
};
use qtos_gateway::msg::MarketData;
use qtos_gateway::types::{Calendar, InstrumentId, Nanos, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// Messages measured in one turn, and turns.
const MESSAGES: usize = 20_000;
const TURNS: usize = 40;

#[allow(dead_code, non_snake_case, reason = "the words of the wire; some are only read past")]
#[derive(Deserialize)]
struct Quote<'a> {
    T: &'a str,
    S: &'a str,
    bx: &'a str,
    bp: f64,
    bs: f64,
    ax: &'a str,
    ap: f64,
    #[serde(rename = "as")]
    size: f64,
    t: &'a str,
}

const SYMBOLS: [&str; 8] = ["AAPL", "AMZN", "GOOG", "IBM", "MSFT", "SPY", "TSLA", "XLK"];

fn symbols() -> Symbols {
    let names = SYMBOLS.iter().zip(0u16..);
    let names = names.map(|(name, id)| ((*name).to_owned(), InstrumentId(id)));
    Symbols::new(names.collect()).unwrap_or_default()
}

/// Frames of `of` quotes each, as the venue writes them.
fn frames(of: usize) -> Vec<String> {
    let quote = |n: usize| {
        let (symbol, cents, second) = (SYMBOLS[n % 8], 18_500 + n % 97, n % 60);
        format!(
            r#"{{"T":"q","S":"{symbol}","bx":"V","bp":{}.{:02},"bs":{},"ax":"Q","ap":{}.{:02},"as":{},"c":["R"],"z":"C","t":"2026-01-05T14:30:{second:02}.{:09}Z"}}"#,
            cents / 100,
            cents % 100,
            100 + n % 9 * 100,
            cents / 100 + 1,
            cents % 100,
            200 + n % 7 * 100,
            n * 7_919 % 1_000_000_000,
        )
    };
    (0..MESSAGES / of)
        .map(|frame| {
            let all: Vec<String> = (0..of).map(|n| quote(frame * of + n)).collect();
            format!("[{}]", all.join(","))
        })
        .collect()
}

struct Median(Vec<Duration>);

impl Median {
    fn nanos(&mut self) -> f64 {
        self.0.sort();
        self.0[self.0.len() / 2].as_nanos() as f64 / MESSAGES as f64
    }
}

fn parse(of: usize) -> Result<(), String> {
    let (frames, symbols) = (frames(of), symbols());
    let packed: Vec<Vec<u8>> = frames
        .iter()
        .map(|frame| {
            let value = serde_json::from_str(frame).unwrap_or_default();
            let mut bytes = Vec::new();
            encode_msgpack(&value, &mut bytes);
            bytes
        })
        .collect();
    let mut decoder = Decoder::default();
    let (mut ours, mut theirs, mut msgpack) =
        (Median(Vec::new()), Median(Vec::new()), Median(Vec::new()));
    for _ in 0..TURNS {
        let mut records = 0;
        let begin = Instant::now();
        for frame in &frames {
            decoder.frame(frame.as_bytes(), Encoding::Json, &symbols, |said| {
                records += usize::from(matches!(black_box(said), Said::Record(_)));
            })?;
        }
        ours.0.push(begin.elapsed());
        let begin = Instant::now();
        for frame in &frames {
            let read: Vec<Quote<'_>> =
                sonic_rs::from_slice(frame.as_bytes()).map_err(|error| error.to_string())?;
            records += black_box(read).len();
        }
        theirs.0.push(begin.elapsed());
        let begin = Instant::now();
        for frame in &packed {
            decoder.frame(frame, Encoding::Msgpack, &symbols, |said| {
                records += usize::from(matches!(black_box(said), Said::Record(_)));
            })?;
        }
        msgpack.0.push(begin.elapsed());
        if records != 3 * MESSAGES {
            return Err(format!("{records} records"));
        }
    }
    println!(
        "parse, {of:>2} quotes a frame: ours {:.0} ns, sonic-rs {:.0} ns, ours of MessagePack {:.0} ns a quote",
        ours.nanos(),
        theirs.nanos(),
        msgpack.nanos()
    );
    Ok(())
}

/// The other end, in memory.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl std::io::Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.incoming.len().min(into.len());
        if count == 0 {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
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

/// A lane's queue, emptied as soon as it is full.
struct Queue(crossbeam_queue::ArrayQueue<MarketData>, u64);

impl FeedSink for Queue {
    fn record(&mut self, record: &MarketData) {
        if self.0.push(*record).is_err() {
            while let Some(record) = self.0.pop() {
                black_box(record);
            }
        }
        self.1 += 1;
    }
    fn event(&mut self, event: FeedEvent) {
        black_box(event);
    }
}

fn ingest(of: usize) -> Result<(), String> {
    let now: Timestamp = "2026-01-05T14:45:00Z".parse()?;
    let settings = FeedSettings {
        endpoint: "ws://127.0.0.1:1/v2/sip".parse()?,
        encoding: Encoding::Json,
        channels: vec![Channel::Quotes],
        symbols: symbols(),
        calendars: vec![Calendar::UsEquity],
        key: "K".into(),
        secret: "S".into(),
        silence: Nanos::from_secs(60),
    };
    let mut session = FeedSession::new(settings, now);
    let mut sink = Queue(crossbeam_queue::ArrayQueue::new(1_024), 0);
    session.on_deadline(now, &mut sink);
    session.on_connected(now, &mut sink);
    let mut pipe = Pipe::default();
    while let Some(want) = session.poll() {
        if let Want::Send(bytes) = want {
            pipe.incoming.extend(bytes);
        }
    }
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let mut server: WebSocket<Pipe> = tungstenite::accept(pipe).map_err(|error| say(&error))?;
    for message in [
        json!([{"T": "success", "msg": "connected"}]),
        json!([{"T": "success", "msg": "authenticated"}]),
        json!([{"T": "subscription", "quotes": ["*"]}]),
    ] {
        server.send(Message::text(message.to_string())).map_err(|error| say(&error))?;
        session.on_bytes(now, &std::mem::take(&mut server.get_mut().outgoing), &mut sink);
    }
    if !session.is_live() {
        return Err("the session is not live".to_owned());
    }
    for frame in frames(of) {
        server.send(Message::text(frame)).map_err(|error| say(&error))?;
    }
    let bytes = std::mem::take(&mut server.get_mut().outgoing);
    let mut spans = Median(Vec::new());
    for _ in 0..TURNS {
        let begin = Instant::now();
        // As a socket gives them.
        for part in bytes.chunks(1 << 16) {
            session.on_bytes(now, part, &mut sink);
        }
        spans.0.push(begin.elapsed());
    }
    if sink.1 != (TURNS * MESSAGES) as u64 {
        return Err(format!("{} records", sink.1));
    }
    let rate = 1e3 / spans.nanos();
    println!("ingest, {of:>2} quotes a frame: {rate:.2} million quotes a second on one core");
    Ok(())
}

fn main() -> ExitCode {
    // Without this word it is a test run that only wants to see the program start.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    for of in [1, 20] {
        if let Err(error) = parse(of).and_then(|()| ingest(of)) {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
