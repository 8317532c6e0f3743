//! Alpaca's history by request: trades, quotes and bars of some symbols become a recording, news a file
//! of lines beside it.
//!
//! Each kind of each symbol is a source of pages; they are merged by time, and a page is asked for when
//! the one before it is used up. So the memory it takes is a page for each source. Who asks, and how
//! often, is the caller's affair: pages come from a function.

use super::merge::Merge;
use super::{Imported, symbol};
use crate::alpaca::Time;
use crate::feed::alpaca::{Decoder, Row};
use crate::feed::{FeedError, RecordingWriter};
use crate::journal::Units;
use crate::msg::MarketData;
use crate::types::{
    Calendar, Currency, Instrument, InstrumentId, InstrumentTable, Nanos, Price, Qty,
};
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Rows in a page, the most that the venue gives.
const PAGE: usize = 10_000;
/// Articles in a page.
const NEWS_PAGE: usize = 50;
const MINUTE: Nanos = Nanos::from_secs(60);
const DAY: Nanos = Nanos::from_secs(86_400);

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Trades.
    Trades,
    /// Quotes.
    Quotes,
    /// Bars of the timeframe.
    Bars,
    /// Articles, into a file of their own.
    News,
    /// The newest trade, quote and finished bars.
    Snapshots,
}

impl std::str::FromStr for What {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "trades" => Self::Trades,
            "quotes" => Self::Quotes,
            "bars" => Self::Bars,
            "news" => Self::News,
            "snapshots" => Self::Snapshots,
            _ => return Err(format!("`{word}`: trades, quotes, bars, news or snapshots")),
        })
    }
}

/// The length of a bar as the venue writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeframe {
    text: String,
    length: Nanos,
}

impl std::str::FromStr for Timeframe {
    type Err = String;
    /// `1Min` to `59Min`, `1Hour` to `23Hour`, `1Day`, `1Week`. Months have no one length.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a timeframe like 1Min, 15Min, 1Hour, 1Day or 1Week");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = text[..split].parse().map_err(|_| wrong())?;
        let (unit, most) = match &text[split..] {
            "Min" | "T" => (MINUTE.0, 59),
            "Hour" | "H" => (60 * MINUTE.0, 23),
            "Day" | "D" => (DAY.0, 1),
            "Week" | "W" => (7 * DAY.0, 1),
            _ => return Err(wrong()),
        };
        let length = Nanos(count.saturating_mul(unit));
        if (1..=most).contains(&count) {
            Ok(Self { text: text.to_owned(), length })
        } else {
            Err(wrong())
        }
    }
}

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Request {
    /// The recording's name of each symbol, and the venue's.
    pub symbols: Vec<(String, String)>,
    /// Which kinds.
    pub what: Vec<What>,
    /// From this moment.
    pub start: Time,
    /// To this one.
    pub end: Time,
    /// The feed of stocks: `sip`, `iex`; the venue's own choice without it.
    pub feed: Option<String>,
    /// The length of bars.
    pub timeframe: Timeframe,
    /// The recording to write.
    pub out: PathBuf,
}

/// How far an import is, in seconds of its sources' time.
pub type OnSeconds<'a> = &'a mut dyn FnMut(u64, u64);

/// Gives the body of the answer to a request for this path and query.
pub type Fetch<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, FeedError>;

/// Fetches all of it.
///
/// # Errors
/// The page and row that cannot be used, the venue's refusal, the disk's. Then there is no new file.
pub fn import(
    request: &Request,
    fetch: Fetch<'_>,
    on: OnSeconds<'_>,
) -> Result<Imported, FeedError> {
    let mut instruments = Vec::new();
    for (ours, theirs) in &request.symbols {
        instruments.push(instrument(&symbol(ours)?, theirs));
    }
    let units = |instrument: &Instrument| match instrument.calendar {
        // Stocks trade in steps of a hundredth of a cent and less; shares are whole for the most part.
        Calendar::UsEquity => Units { price: 100_000, size: Qty::whole(1).raw() },
        Calendar::Always => Units::FINEST,
    };
    let table = InstrumentTable::new(instruments).map_err(FeedError::Source)?;
    let units = table.iter().map(|(_, own)| units(own)).collect();
    let news = if request.what.contains(&What::News) {
        Some(fetch_news(request, &mut *fetch)?)
    } else {
        None
    };

    let fetch = RefCell::new(fetch);
    let mut sources: Vec<Source<'_, '_>> = Vec::new();
    for (ours, theirs) in &request.symbols {
        let Some(id) = table.find(&symbol(ours)?) else { continue };
        for &what in &request.what {
            if what != What::News {
                sources.push(Source::new(request, what, theirs, id, &fetch));
            }
        }
    }
    let span = request.end.0.since(request.start.0).0 / 1_000_000_000;
    let mut to = RecordingWriter::create(&request.out, table, units)?;
    let mut count = 0u64;
    for record in Merge::new(sources) {
        let record = record?;
        to.push(&record)?;
        count += 1;
        if count.is_multiple_of(1 << 12) {
            on(record.ts().since(request.start.0).0 / 1_000_000_000, span);
        }
    }
    let written = to.finish()?;
    on(span, span);
    let articles = news.map_or(Ok(0), |news| news.finish())?;
    Ok(Imported { written, skipped: articles })
}

fn instrument(ours: &str, theirs: &str) -> Instrument {
    let coin = theirs.contains('/');
    let quoted = theirs.rsplit('/').next().filter(|_| coin).and_then(Currency::new);
    Instrument {
        symbol: ours.to_owned(),
        tick: Price::from_raw(if coin { 1 } else { 10_000_000 }),
        lot: if coin { Qty::from_raw(1) } else { Qty::whole(1) },
        multiplier: 1,
        currency: quoted.unwrap_or(Currency::USD),
        calendar: if coin { Calendar::Always } else { Calendar::UsEquity },
    }
}

/// One kind of one symbol.
struct Source<'a, 'f> {
    request: &'a Request,
    what: What,
    symbol: &'a str,
    id: InstrumentId,
    fetch: &'a RefCell<Fetch<'f>>,
    rows: VecDeque<MarketData>,
    next: Next,
    page: u64,
    decoder: Decoder,
}

enum Next {
    First,
    Token(String),
    Done,
}

type Page<'a> = BTreeMap<String, &'a RawValue>;

impl<'a, 'f> Source<'a, 'f> {
    fn new(
        request: &'a Request,
        what: What,
        symbol: &'a str,
        id: InstrumentId,
        fetch: &'a RefCell<Fetch<'f>>,
    ) -> Self {
        let (rows, next, decoder) = (VecDeque::new(), Next::First, Decoder::default());
        Self { request, what, symbol, id, fetch, rows, next, page: 0, decoder }
    }

    fn kind(&self) -> &'static str {
        match self.what {
            What::Trades => "trades",
            What::Quotes => "quotes",
            What::Bars => "bars",
            What::News => "news",
            What::Snapshots => "snapshots",
        }
    }

    fn target(&self, token: Option<&str>) -> String {
        let (symbol, kind, request) = (escape(self.symbol), self.kind(), self.request);
        let coin = self.symbol.contains('/');
        let root = if coin { "/v1beta3/crypto/us" } else { "/v2/stocks" };
        let mut target = format!("{root}/{kind}?symbols={symbol}");
        if let Some(feed) = request.feed.as_ref().filter(|_| !coin) {
            target += &format!("&feed={}", escape(feed));
        }
        if self.what == What::Snapshots {
            return target;
        }
        let (start, end) = (escape(&request.start.to_string()), escape(&request.end.to_string()));
        target += &format!("&start={start}&end={end}&limit={PAGE}&sort=asc");
        if self.what == What::Bars {
            target += &format!("&timeframe={}", escape(&request.timeframe.text));
        }
        if let Some(token) = token {
            target += &format!("&page_token={}", escape(token));
        }
        target
    }

    fn wrong(&self, what: impl std::fmt::Display) -> FeedError {
        let (kind, symbol, page) = (self.kind(), self.symbol, self.page);
        FeedError::Source(format!("{kind} of {symbol}, page {page}: {what}"))
    }

    fn turn(&mut self) -> Result<(), FeedError> {
        let token = match std::mem::replace(&mut self.next, Next::Done) {
            Next::Done => return Ok(()),
            Next::First => None,
            Next::Token(token) => Some(token),
        };
        self.page += 1;
        let target = self.target(token.as_deref());
        let body = (self.fetch.borrow_mut())(&target)?;
        let page: Page<'_> = serde_json::from_slice(&body).map_err(|error| self.wrong(error))?;
        if self.what == What::Snapshots {
            return self.snapshot(&page);
        }
        let rows: Option<BTreeMap<String, Vec<&RawValue>>> = match page.get(self.kind()) {
            Some(rows) => serde_json::from_str(rows.get()).map_err(|error| self.wrong(error))?,
            None => return Err(self.wrong(format!("no `{}` in it", self.kind()))),
        };
        let row = match self.what {
            What::Trades => Row::Trade,
            What::Quotes => Row::Quote,
            _ => Row::Bar(self.request.timeframe.length),
        };
        let rows = rows.unwrap_or_default().remove(self.symbol).unwrap_or_default();
        for (number, text) in (1u64..).zip(rows) {
            let record = self.decoder.row(text.get().as_bytes(), row, self.id);
            let record = record.map_err(|why| self.wrong(format!("row {number}: {why}")))?;
            self.rows.push_back(record);
        }
        self.next = match next_token(&page).map_err(|error| self.wrong(error))? {
            None => Next::Done,
            Some(next) if token.as_deref() == Some(next.as_str()) => {
                return Err(self.wrong("the token of the next page is that of this one"));
            }
            Some(next) => Next::Token(next),
        };
        Ok(())
    }

    /// The newest trade and quote, the last whole minute and the day before this one. The day that
    /// runs is left out: it is not over.
    fn snapshot(&mut self, page: &Page<'_>) -> Result<(), FeedError> {
        let wrapped: Option<Page<'_>> = page
            .get("snapshots")
            .map(|inner| serde_json::from_str(inner.get()))
            .transpose()
            .map_err(|error| self.wrong(error))?;
        let Some(one) = wrapped.as_ref().unwrap_or(page).get(self.symbol) else { return Ok(()) };
        let parts: Option<BTreeMap<String, &RawValue>> =
            serde_json::from_str(one.get()).map_err(|error| self.wrong(error))?;
        let parts = parts.unwrap_or_default();
        let rows = [
            ("latestQuote", Row::Quote),
            ("latestTrade", Row::Trade),
            ("minuteBar", Row::Bar(MINUTE)),
            ("prevDailyBar", Row::Bar(DAY)),
        ];
        let mut records = Vec::new();
        for (key, row) in rows {
            if let Some(text) = parts.get(key).filter(|text| text.get() != "null") {
                let record = self.decoder.row(text.get().as_bytes(), row, self.id);
                records.push(record.map_err(|why| self.wrong(format!("`{key}`: {why}")))?);
            }
        }
        records.sort_by_key(MarketData::ts);
        self.rows.extend(records);
        Ok(())
    }
}

impl Iterator for Source<'_, '_> {
    type Item = Result<MarketData, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A page may be empty though others follow.
        while self.rows.is_empty() && !matches!(self.next, Next::Done) {
            if let Err(error) = self.turn() {
                return Some(Err(error));
            }
        }
        self.rows.pop_front().map(Ok)
    }
}

fn next_token(page: &Page<'_>) -> serde_json::Result<Option<String>> {
    let token: Option<String> =
        page.get("next_page_token").map_or(Ok(None), |text| serde_json::from_str(text.get()))?;
    Ok(token.filter(|token| !token.is_empty()))
}

/// Articles as they came, one a line, beside the recording; renamed when all are there.
struct News {
    file: BufWriter<File>,
    path: PathBuf,
    partial: PathBuf,
    articles: u64,
    finished: bool,
}

impl News {
    fn finish(mut self) -> Result<u64, FeedError> {
        let error = |error| FeedError::io(&self.path, error);
        self.file.flush().map_err(error)?;
        self.file.get_ref().sync_all().map_err(error)?;
        fs::rename(&self.partial, &self.path).map_err(error)?;
        self.finished = true;
        Ok(self.articles)
    }
}

impl Drop for News {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The file of articles that belongs to a recording.
pub fn news_file(out: &Path) -> PathBuf {
    out.with_extension("news.jsonl")
}

fn fetch_news(request: &Request, fetch: Fetch<'_>) -> Result<News, FeedError> {
    let path = news_file(&request.out);
    let partial = path.with_extension("jsonl.partial");
    let io = |error| FeedError::io(&partial, error);
    let file = BufWriter::new(File::create(&partial).map_err(io)?);
    let mut news = News { file, path, partial: partial.clone(), articles: 0, finished: false };
    let symbols: Vec<&str> = request.symbols.iter().map(|(_, theirs)| theirs.as_str()).collect();
    let symbols = escape(&symbols.join(","));
    let (start, end) = (escape(&request.start.to_string()), escape(&request.end.to_string()));
    let first = format!(
        "/v1beta1/news?symbols={symbols}&start={start}&end={end}&limit={NEWS_PAGE}&sort=asc"
    );
    let (mut token, mut page) = (None::<String>, 0u64);
    loop {
        page += 1;
        let wrong =
            |what: &dyn std::fmt::Display| FeedError::Source(format!("news, page {page}: {what}"));
        let target = token
            .as_ref()
            .map_or_else(|| first.clone(), |token| format!("{first}&page_token={}", escape(token)));
        let body = fetch(&target)?;
        let read: Page<'_> = serde_json::from_slice(&body).map_err(|error| wrong(&error))?;
        let rows: Option<Vec<&RawValue>> = read
            .get("news")
            .map_or(Ok(None), |rows| serde_json::from_str(rows.get()))
            .map_err(|error| wrong(&error))?;
        for row in rows.unwrap_or_default() {
            // White space of the venue's must not break a line in two.
            let value: serde_json::Value =
                serde_json::from_str(row.get()).map_err(|error| wrong(&error))?;
            writeln!(news.file, "{value}").map_err(io)?;
            news.articles += 1;
        }
        let next = next_token(&read).map_err(|error| wrong(&error))?;
        match next {
            None => return Ok(news),
            next if next == token => {
                return Err(wrong(&"the token of the next page is that of this one"));
            }
            next => token = next,
        }
    }
}

/// Percent-encodes all but letters, digits and `-._~`.
fn escape(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Feed, Recording};

    fn request(out: &Path, what: &[What]) -> Request {
        Request {
            symbols: vec![("AAPL".into(), "AAPL".into()), ("BTCUSD".into(), "BTC/USD".into())],
            what: what.to_vec(),
            start: "2026-01-05T14:30:00Z".parse().unwrap(),
            end: "2026-01-05T14:31:00Z".parse().unwrap(),
            feed: Some("iex".into()),
            timeframe: "1Min".parse().unwrap(),
            out: out.to_owned(),
        }
    }

    fn page(kind: &str, symbol: &str, seconds: &[u32], next: &str) -> String {
        let rows: Vec<String> = seconds
            .iter()
            .map(|s| {
                let t = format!("\"t\":\"2026-01-05T14:30:{s:02}Z\"");
                if kind == "trades" {
                    format!("{{{t},\"x\":\"V\",\"p\":{s}.5,\"s\":1,\"c\":[\"@\"]}}")
                } else {
                    format!("{{{t},\"ap\":2,\"as\":1,\"bp\":1,\"bs\":1}}")
                }
            })
            .collect();
        let rows = rows.join(",");
        format!("{{\"{kind}\":{{\"{symbol}\":[{rows}]}},\"next_page_token\":{next}}}")
    }

    fn run(request: &Request, answers: &[(&str, String)]) -> Result<Vec<MarketData>, FeedError> {
        let mut asked = Vec::new();
        let mut fetch = |target: &str| {
            asked.push(target.to_owned());
            let found = answers.iter().rev().find(|(part, _)| target.contains(part));
            found
                .map(|(_, body)| body.clone().into_bytes())
                .ok_or_else(|| FeedError::Source(format!("nobody asked for {target}")))
        };
        import(request, &mut fetch, &mut |_, _| {})?;
        assert!(
            asked.iter().all(|target| target.contains("crypto") != target.contains("feed=iex"))
        );
        let mut feed = Recording::open(&request.out)?;
        Ok(std::iter::from_fn(|| feed.next().unwrap()).collect())
    }

    #[test]
    fn pages_short_empty_and_full_are_followed_and_merged() {
        let dir = tempfile::tempdir().unwrap();
        let request = request(&dir.path().join("a.qrec"), &[What::Trades, What::Quotes]);
        let none = |kind: &str| format!("{{\"{kind}\":null,\"next_page_token\":null}}");
        let records = run(
            &request,
            &[
                ("stocks/trades", page("trades", "AAPL", &[1, 5], "\"x/1\"")),
                ("page_token=x%2F1", page("trades", "AAPL", &[], "\"2\"")),
                ("stocks/trades?symbols=AAPL&feed=iex&start=2026-01-05T14%3A30%3A00.000000000Z&end=2026-01-05T14%3A31%3A00.000000000Z&limit=10000&sort=asc&page_token=2", page("trades", "AAPL", &[9], "null")),
                ("stocks/quotes", page("quotes", "AAPL", &[1, 9], "null")),
                ("us/trades?symbols=BTC%2FUSD", page("trades", "BTC/USD", &[4], "null")),
                ("us/quotes", none("quotes")),
            ],
        )
        .unwrap();
        let kinds: Vec<(u64, bool, u16)> = records
            .iter()
            .map(|one| {
                let second = one.ts().nanos() / 1_000_000_000 % 60;
                (second, matches!(one, MarketData::Quote(_)), one.instrument().0)
            })
            .collect();
        assert_eq!(
            kinds,
            [
                (1, true, 0),
                (1, false, 0),
                (4, false, 1),
                (5, false, 0),
                (9, true, 0),
                (9, false, 0)
            ],
            "quotes before trades of the same time"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let request = request(&dir.path().join("a.qrec"), &[What::Trades]);
        let good = page("trades", "BTC/USD", &[1], "null");
        for (bad, named) in [
            (
                page("trades", "AAPL", &[1, 2], "null").replace("2.5", "\"2\""),
                "trades of AAPL, page 1: row 2: field `p`",
            ),
            (page("trades", "AAPL", &[1], "\"t\""), "page 2: the token"),
            ("<html>".to_owned(), "page 1"),
            ("{}".to_owned(), "no `trades`"),
            (page("trades", "AAPL", &[3, 2], "null"), "before"),
        ] {
            let answers = [("stocks", bad), ("crypto", good.clone())];
            let error = run(&request, &answers).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{named}");
        }
    }

    #[test]
    fn timeframes_have_one_length() {
        assert_eq!("15Min".parse::<Timeframe>().unwrap().length, Nanos::from_secs(900));
        for text in ["", "Min", "0Min", "60Min", "1Month", "2Day", "99999999999999999999Min"] {
            assert!(text.parse::<Timeframe>().is_err(), "{text}");
        }
    }
}
