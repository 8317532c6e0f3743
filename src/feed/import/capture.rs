//! Raw captures of a Binance futures stream: each line is the local time of receipt in nanoseconds,
//! a space, and the venue's JSON frame, alone or inside `{"stream": .., "data": ..}`. Plain or gzip.
//!
//! | frame | becomes |
//! |---|---|
//! | `bookTicker` | a quote |
//! | `trade` | a trade; `m` (the buyer is the maker) makes the seller the aggressor |
//! | `depthUpdate` | book levels, once a snapshot has come: see [`super::book_sync`] |
//! | with `lastUpdateId` | the snapshot: the book is cleared, its levels follow |
//!
//! Frames of other kinds, and trades that are not of the open market (`X` is not `MARKET`), are
//! passed over and counted. A record's time is the local time: the venue's clock may run ahead, and
//! what had not arrived could not be known. A snapshot names no symbol; it is of the one book that
//! waits for one, or of the next whose first update comes. Prices and sizes are read exactly.
//!
//! The file is read twice: first to check it and to find its symbols and their steps.

use super::book_sync::{BookSync, Level, Snapshot, Update};
use super::lines::{Line, Lines, Meter, Metered};
use super::units::Survey;
use super::{Imported, OnProgress, Watched, symbol};
use crate::feed::{FeedError, RecordingWriter};
use crate::msg::{MarketData, Quote, Trade};
use crate::types::{
    Currency, ExchangeId, InstrumentId, InstrumentTable, Price, Qty, Side, Timestamp,
};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// Imports `file` as the recording `out`.
///
/// # Errors
/// The first line that cannot be read; no frame of a known kind; the disk's. Then there is no new
/// `out`.
pub fn import(file: &Path, out: &Path, on_progress: OnProgress<'_>) -> Result<Imported, FeedError> {
    let meter = Meter::default();
    let bytes = file.metadata().map_err(|error| FeedError::io(file, error))?.len();
    let mut watched = Watched { meter: meter.clone(), total: 2 * bytes, count: 0, on: on_progress };

    let mut frames = Frames::open(file, &meter, Vec::new())?;
    let mut surveys: Vec<Survey> = Vec::new();
    watched.each(&mut frames, |record| {
        let at = record.instrument().index();
        if at >= surveys.len() {
            surveys.resize(at + 1, Survey::default());
        }
        surveys[at].add(record);
        Ok(())
    })?;
    surveys.resize(frames.symbols.len(), Survey::default());
    if surveys.is_empty() {
        let text = format!("{}: no bookTicker, trade or depthUpdate frame in it", file.display());
        return Err(FeedError::Source(text));
    }

    let mut found: Vec<_> = frames.symbols.into_iter().zip(surveys).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let instruments = found.iter().map(|(name, survey)| survey.instrument(name, quoted(name)));
    let table = InstrumentTable::new(instruments.collect()).map_err(FeedError::Source)?;
    let units = found.iter().map(|(_, survey)| survey.units()).collect();
    let to = RecordingWriter::create(out, table, units)?;
    let names = found.into_iter().map(|(name, _)| name).collect();
    let mut frames = Frames::open(file, &meter, names)?;
    let written = watched.write(&mut frames, to)?;
    Ok(Imported { written, skipped: frames.skipped })
}

/// The currency a pair is quoted in, by the end of its name; US dollar where that says nothing.
fn quoted(symbol: &str) -> Currency {
    ["USDT", "USDC", "FDUSD", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR"]
        .into_iter()
        .find(|code| symbol.len() > code.len() && symbol.ends_with(code))
        .and_then(Currency::new)
        .unwrap_or(Currency::USD)
}

struct Frames {
    lines: Lines,
    last: Timestamp,
    state: State,
    /// In the order of their ids.
    symbols: Vec<String>,
    skipped: u64,
}

/// What is known after the lines so far.
struct State {
    books: Vec<BookSync>,
    /// A snapshot that came before any book waited for one.
    early: Option<Snapshot>,
    ready: VecDeque<MarketData>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    e: Option<&'a str>,
    #[serde(rename = "lastUpdateId")]
    snapshot: Option<u64>,
}

#[derive(Deserialize)]
struct BookTicker<'a> {
    s: &'a str,
    b: &'a str,
    #[serde(rename = "B")]
    bid_size: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_size: &'a str,
}

#[derive(Deserialize)]
struct TradeFrame<'a> {
    s: &'a str,
    p: &'a str,
    q: &'a str,
    m: bool,
    #[serde(rename = "X")]
    market: Option<&'a str>,
}

#[derive(Deserialize)]
struct DepthUpdate<'a> {
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    pu: u64,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "lastUpdateId")]
    id: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

impl Frames {
    fn open(path: &Path, meter: &Meter, symbols: Vec<String>) -> Result<Self, FeedError> {
        let io = |error| FeedError::io(path, error);
        let mut file = File::open(path).map_err(io)?;
        let mut magic = Vec::new();
        (&mut file).take(2).read_to_end(&mut magic).map_err(io)?;
        file.rewind().map_err(io)?;
        let file = Metered { from: file, meter: meter.clone() };
        let from: Box<dyn Read> = if magic == [0x1f, 0x8b] {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)))
        } else {
            Box::new(file)
        };
        let books = (0..symbols.len()).map(|id| BookSync::new(InstrumentId(id as u16))).collect();
        Ok(Self {
            lines: Lines::new(path.display().to_string(), from),
            last: Timestamp::ZERO,
            state: State { books, early: None, ready: VecDeque::new() },
            symbols,
            skipped: 0,
        })
    }

    /// Reads one line; `false` at the end.
    fn line(&mut self) -> Result<bool, FeedError> {
        let Some(line) = self.lines.next()? else { return Ok(false) };
        let Some((time, text)) = line.text.split_once(' ') else {
            return Err(line.error("", "not a local time in ns, a space and JSON"));
        };
        let ns = line.parse("local time", time)?;
        let ts = line.in_order("local time", Timestamp::from_nanos(ns), &mut self.last)?;
        let body = json::<Envelope>(line, text)?.data.map_or(text, RawValue::get);
        let head: Head = json(line, body)?;
        let state = &mut self.state;
        let mut known = |name: &str| state.find(line, &mut self.symbols, name);
        match head.e {
            Some("bookTicker") => {
                let frame: BookTicker = json(line, body)?;
                let quote = Quote {
                    ts,
                    instrument: known(frame.s)?,
                    exchange: ExchangeId(0),
                    suspicious: false,
                    bid: line.parse("b", frame.b)?,
                    bid_size: size(line, "B", frame.bid_size)?,
                    ask: line.parse("a", frame.a)?,
                    ask_size: size(line, "A", frame.ask_size)?,
                };
                state.ready.push_back(MarketData::Quote(quote));
            }
            Some("trade") => {
                let frame: TradeFrame = json(line, body)?;
                if frame.market.is_some_and(|market| market != "MARKET") {
                    self.skipped += 1;
                    return Ok(true);
                }
                let trade = Trade {
                    ts,
                    instrument: known(frame.s)?,
                    exchange: ExchangeId(0),
                    suspicious: false,
                    aggressor: Some(if frame.m { Side::Sell } else { Side::Buy }),
                    price: line.parse("p", frame.p)?,
                    size: size(line, "q", frame.q)?,
                    condition: 0,
                };
                state.ready.push_back(MarketData::Trade(trade));
            }
            Some("depthUpdate") => {
                let frame: DepthUpdate = json(line, body)?;
                let levels = levels(line, ["b", "a"], &frame.b, &frame.a)?;
                let update =
                    Update { first: frame.first, last: frame.u, previous: frame.pu, levels };
                let id = known(frame.s)?;
                state.update(ts, id, update);
            }
            None if head.snapshot.is_some() => {
                let frame: Depth = json(line, body)?;
                let levels = levels(line, ["bids", "asks"], &frame.bids, &frame.asks)?;
                self.skipped +=
                    u64::from(!state.snapshot(line, ts, Snapshot { id: frame.id, levels })?);
            }
            _ => self.skipped += 1,
        }
        Ok(true)
    }
}

impl Iterator for Frames {
    type Item = Result<MarketData, FeedError>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.state.ready.pop_front() {
                return Some(Ok(record));
            }
            match self.line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl State {
    /// The id of a symbol, a new one if it was never seen.
    fn find(
        &mut self,
        line: Line<'_>,
        symbols: &mut Vec<String>,
        name: &str,
    ) -> Result<InstrumentId, FeedError> {
        // Captures hold a handful of symbols.
        let place = |symbols: &[String], name: &str| symbols.iter().position(|known| known == name);
        if let Some(at) = place(symbols, name) {
            return Ok(InstrumentId(at as u16));
        }
        let name = symbol(name).map_err(|error| line.error("s", error.to_string()))?;
        if let Some(at) = place(symbols, &name) {
            return Ok(InstrumentId(at as u16));
        }
        let id = u16::try_from(symbols.len())
            .map_err(|_| line.error("s", "more than 65535 symbols"))
            .map(InstrumentId)?;
        symbols.push(name);
        self.books.push(BookSync::new(id));
        Ok(id)
    }

    fn update(&mut self, ts: Timestamp, id: InstrumentId, update: Update) {
        let book = &mut self.books[id.index()];
        if book.waits()
            && let Some(snapshot) = self.early.take()
        {
            book.snapshot(ts, &snapshot, &mut self.ready);
        }
        book.update(ts, update, &mut self.ready);
    }

    fn snapshot(
        &mut self,
        line: Line<'_>,
        ts: Timestamp,
        snapshot: Snapshot,
    ) -> Result<bool, FeedError> {
        let books = &mut self.books;
        let only = books.len() == 1;
        let mut waiting = books.iter_mut().filter(|book| only || book.has_held());
        match (waiting.next(), waiting.next()) {
            (Some(book), None) => Ok(book.snapshot(ts, &snapshot, &mut self.ready)),
            (Some(_), Some(_)) => {
                Err(line.error("lastUpdateId", "two books wait for a snapshot; it names no symbol"))
            }
            _ => {
                self.early = Some(snapshot);
                Ok(true)
            }
        }
    }
}

fn json<'a, T: Deserialize<'a>>(line: Line<'_>, text: &'a str) -> Result<T, FeedError> {
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        // The parser counts lines within its own text: always the first.
        let what = what.split(" at line ").next().unwrap_or_default();
        line.error("", format!("JSON: {what}"))
    })
}

fn levels(
    line: Line<'_>,
    names: [&'static str; 2],
    bids: &[[&str; 2]],
    asks: &[[&str; 2]],
) -> Result<Vec<Level>, FeedError> {
    let side = |side, name, rows: &[[&str; 2]], all: &mut Vec<Level>| {
        for [price, shown] in rows {
            all.push((side, line.parse::<Price>(name, price)?, size(line, name, shown)?));
        }
        Ok(())
    };
    let mut all = Vec::with_capacity(bids.len() + asks.len());
    side(Side::Buy, names[0], bids, &mut all)?;
    side(Side::Sell, names[1], asks, &mut all)?;
    Ok(all)
}

fn size(line: Line<'_>, field: &'static str, text: &str) -> Result<Qty, FeedError> {
    let size: Qty = line.parse(field, text)?;
    if size.is_negative() {
        return Err(line.error(field, format!("`{text}`: a size is never below zero")));
    }
    Ok(size)
}
