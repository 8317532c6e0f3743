//! LEAN data folders: `DIR/symbol/YYYYMMDD_quote.zip` and `_trade.zip`, each with one CSV whose name
//! says what its rows are: ticks, or bars of a second or a minute.
//!
//! | rows | fields |
//! |---|---|
//! | equity trade tick | ms, price, size, exchange, condition (hex), suspicious |
//! | equity quote tick | ms, bid, bid size, ask, ask size, exchange, condition (hex), suspicious |
//! | forex quote tick | ms, bid, ask |
//! | equity trade bar | ms, open, high, low, close, volume |
//! | equity quote bar | ms, bid open, high, low, close, size, ask open, high, low, close, size |
//!
//! - Equity prices are in 1/10,000 dollar; a quote side of 0, 0 did not change. Forex prices are
//!   decimals; forex ticks have no sizes and get [`FOREX_SIZE`] on both sides.
//! - Times are milliseconds since midnight: New York for equities, UTC for forex. A bar's time is
//!   where its interval begins; the record's is where it ends.
//! - Exchanges are letters; `A` is [`ExchangeId`] 1 and so on to `Z`, 26:
//!   A NYSE American, B NASDAQ BX, C National, D FINRA, I ISE, J Direct Edge A, K Direct Edge X,
//!   M Chicago, N New York, P Arca, Q and T NASDAQ, S consolidated tape, W CBOE, X NASDAQ PSX,
//!   Y BATS Y, Z BATS. No letter is 0.
//! - The condition of a quote is checked and not kept; a trade's is.
//! - Files are merged as [`super::merge`] says, in the order quotes, trades of each symbol.

use super::lines::{Line, Lines, Meter};
use super::merge::Merge;
use super::zip_csv::ZipCsv;
use super::{Imported, OnProgress, Watched, symbol};
use crate::feed::{FeedError, RecordingWriter};
use crate::journal::Units;
use crate::msg::{Bar, MarketData, Ohlc, Quote, QuoteBar, Trade};
use crate::types::{
    Calendar, Currency, ExchangeId, Instrument, InstrumentId, InstrumentTable, Nanos, Price, Qty,
    Timestamp,
};
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::path::{Path, PathBuf};

/// The size shown on both sides of a forex quote, whose source has none.
pub const FOREX_SIZE: Qty = Qty::whole(1_000_000);
/// Deci-cents: prices are written in 1e-4.
const DECI_CENT: i64 = 100_000;

/// Imports the quotes and trades of `symbols` on `date` from the folder `dir`. Of each symbol at
/// least one file must be there.
///
/// # Errors
/// No files of a symbol; the first line that cannot be read; a damaged zip; the disk's. Then there
/// is no new `out`.
pub fn import(
    dir: &Path,
    symbols: &[String],
    date: Date,
    out: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Imported, FeedError> {
    let meter = Meter::default();
    let mut names = symbols.iter().map(|name| symbol(name)).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    let mut found = Vec::new();
    for name in &names {
        let paths = files(dir, name, date)?;
        let files = paths.iter().map(|path| RowFile::open(path, date, &meter));
        found.push((name, files.collect::<Result<Vec<_>, _>>()?));
    }
    let (instruments, units) = found.iter().map(|(name, files)| describe(name, files)).unzip();
    let table = InstrumentTable::new(instruments).map_err(FeedError::Source)?;
    let (mut total, mut sources) = (0, Vec::new());
    for (id, (_, files)) in found.into_iter().enumerate() {
        for file in files {
            total += file.packed;
            sources.push(Rows { instrument: InstrumentId(id as u16), file, last: Timestamp::ZERO });
        }
    }
    let to = RecordingWriter::create(out, table, units)?;
    let mut watched = Watched { meter, total, count: 0, on: on_progress };
    Ok(Imported { written: watched.write(&mut Merge::new(sources), to)?, skipped: 0 })
}

fn files(dir: &Path, symbol: &str, date: Date) -> Result<Vec<PathBuf>, FeedError> {
    let name = symbol.to_lowercase();
    if name.contains('/') {
        return Err(FeedError::Source(format!("`{symbol}`: a folder's name has no `/`")));
    }
    let day = date.strftime("%Y%m%d");
    let paths = ["quote", "trade"].map(|kind| dir.join(&name).join(format!("{day}_{kind}.zip")));
    let there: Vec<_> = paths.into_iter().filter(|path| path.is_file()).collect();
    if there.is_empty() {
        let place = dir.join(&name);
        let text = format!("{}: no {day}_quote.zip and no {day}_trade.zip", place.display());
        return Err(FeedError::Source(text));
    }
    Ok(there)
}

fn describe(symbol: &str, files: &[RowFile]) -> (Instrument, Units) {
    let forex = files.iter().any(|file| matches!(file.kind, Kind::ForexTick));
    // A pair is named by its two currencies.
    let quoted = if forex { symbol.get(symbol.len().saturating_sub(3)..) } else { None };
    let (tick, step) = if forex { (10_000, 10_000) } else { (10_000_000, DECI_CENT) };
    let instrument = Instrument {
        symbol: symbol.into(),
        tick: Price::from_raw(tick),
        lot: Qty::whole(1),
        multiplier: 1,
        currency: quoted.and_then(Currency::new).unwrap_or(Currency::USD),
        calendar: Calendar::Always,
    };
    (instrument, Units { price: step, size: Qty::whole(1).raw() })
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    QuoteTick,
    TradeTick,
    ForexTick,
    QuoteBar(Nanos),
    TradeBar(Nanos),
}

/// One zip, opened.
struct RowFile {
    lines: Lines,
    kind: Kind,
    clock: DayClock,
    packed: u64,
}

impl RowFile {
    fn open(path: &Path, date: Date, meter: &Meter) -> Result<Self, FeedError> {
        let file = path.display().to_string();
        let ZipCsv { name, packed, bytes } = ZipCsv::open(path, meter)?;
        let words: Vec<&str> = name.trim_end_matches(".csv").split('_').collect();
        let is = |word| words.contains(&word);
        let quotes = is("quote");
        let kind = match (is("tick"), is("second"), is("minute")) {
            _ if quotes == is("trade") => None,
            (true, false, false) if !quotes => Some(Kind::TradeTick),
            (true, false, false) if fields_of_first(path)? == FOREX_TICK.len() => {
                Some(Kind::ForexTick)
            }
            (true, false, false) => Some(Kind::QuoteTick),
            (false, true, false) => Some(bars(quotes, Nanos::from_secs(1))),
            (false, false, true) => Some(bars(quotes, Nanos::from_secs(60))),
            _ => None,
        };
        let Some(kind) = kind else {
            let what = "is neither ticks nor bars of a second or minute, of trades or quotes";
            return Err(FeedError::Source(format!("{file}: `{name}` {what}")));
        };
        let zone = if matches!(kind, Kind::ForexTick) { "UTC" } else { "America/New_York" };
        let clock = DayClock::new(date, zone)
            .map_err(|error| FeedError::Source(format!("{file}: {date} in {zone}: {error}")))?;
        Ok(Self { lines: Lines::new(file, bytes), kind, clock, packed })
    }
}

const fn bars(quotes: bool, interval: Nanos) -> Kind {
    if quotes { Kind::QuoteBar(interval) } else { Kind::TradeBar(interval) }
}

/// Equity and forex quote ticks share their file name; only the number of fields tells them apart.
fn fields_of_first(path: &Path) -> Result<usize, FeedError> {
    let zip = ZipCsv::open(path, &Meter::default())?;
    let mut lines = Lines::new(path.display().to_string(), zip.bytes);
    Ok(lines.next()?.map_or(0, |line| line.text.split(',').count()))
}

/// Wall clock of one day in one zone. The zone rules are built into the program, so that an import
/// does not depend on the machine.
struct DayClock {
    date: Date,
    zone: TimeZone,
    /// Midnight, where the day has one offset from UTC throughout.
    midnight: Option<u64>,
}

const DAY_NANOS: u64 = 86_400_000_000_000;

impl DayClock {
    fn new(date: Date, zone: &str) -> Result<Self, jiff::Error> {
        let zone = TimeZoneDatabase::bundled().get(zone)?;
        let mut clock = Self { date, zone, midnight: None };
        let (from, to) = (clock.find(0)?, clock.find(DAY_NANOS)?);
        clock.midnight =
            (to - from == i128::from(DAY_NANOS)).then(|| u64::try_from(from).ok()).flatten();
        Ok(clock)
    }

    fn find(&self, since_midnight: u64) -> Result<i128, jiff::Error> {
        let span = jiff::SignedDuration::from_nanos(since_midnight as i64);
        let wall = self.date.at(0, 0, 0, 0).checked_add(span)?;
        Ok(self.zone.to_timestamp(wall)?.as_nanosecond())
    }

    /// The moment when the wall clock shows this many milliseconds after midnight.
    fn at(&self, line: Line<'_>, text: &str) -> Result<Timestamp, FeedError> {
        // Milliseconds with up to six digits after the point, read as a number of 1e-9 of them.
        let whole = text.parse::<u64>().ok().and_then(|millis| millis.checked_mul(1_000_000));
        let nanos = match whole {
            Some(nanos) => Some(nanos),
            None => u64::try_from(line.parse::<Qty>("ms", text)?.raw()).ok().map(|raw| raw / 1_000),
        };
        let bad = || line.error("ms", format!("`{text}`: not within the day"));
        let nanos = nanos.filter(|nanos| *nanos < DAY_NANOS).ok_or_else(bad)?;
        let at = match self.midnight {
            Some(midnight) => midnight.checked_add(nanos),
            None => self.find(nanos).ok().and_then(|at| u64::try_from(at).ok()),
        };
        at.map(Timestamp::from_nanos).ok_or_else(bad)
    }
}

struct Rows {
    file: RowFile,
    instrument: InstrumentId,
    last: Timestamp,
}

const TRADE_TICK: [&str; 6] = ["ms", "price", "size", "exchange", "condition", "suspicious"];
const QUOTE_TICK: [&str; 8] =
    ["ms", "bid", "bid size", "ask", "ask size", "exchange", "condition", "suspicious"];
const FOREX_TICK: [&str; 3] = ["ms", "bid", "ask"];
const TRADE_BAR: [&str; 6] = ["ms", "open", "high", "low", "close", "volume"];
const QUOTE_BAR: [&str; 11] = [
    "ms",
    "bid open",
    "bid high",
    "bid low",
    "bid close",
    "bid size",
    "ask open",
    "ask high",
    "ask low",
    "ask close",
    "ask size",
];

impl Rows {
    fn row(&mut self) -> Result<Option<MarketData>, FeedError> {
        let (instrument, clock) = (self.instrument, &self.file.clock);
        let kind = self.file.kind;
        let Some(line) = self.file.lines.next()? else { return Ok(None) };
        let mut at = |ms| line.in_order("ms", clock.at(line, ms)?, &mut self.last);
        Ok(Some(match kind {
            Kind::TradeTick => {
                let [ms, price, size, exchange, condition, suspicious] =
                    line.fields(&TRADE_TICK)?;
                MarketData::Trade(Trade {
                    ts: at(ms)?,
                    instrument,
                    exchange: letter(line, exchange)?,
                    suspicious: mark(line, suspicious)?,
                    aggressor: None,
                    price: deci_cents(line, "price", price)?,
                    size: shares(line, "size", size)?,
                    condition: hex(line, condition)?,
                })
            }
            Kind::QuoteTick => {
                let [ms, bid, bid_size, ask, ask_size, exchange, condition, suspicious] =
                    line.fields(&QUOTE_TICK)?;
                hex(line, condition)?;
                MarketData::Quote(Quote {
                    ts: at(ms)?,
                    instrument,
                    exchange: letter(line, exchange)?,
                    suspicious: mark(line, suspicious)?,
                    bid: deci_cents(line, "bid", bid)?,
                    bid_size: shares(line, "bid size", bid_size)?,
                    ask: deci_cents(line, "ask", ask)?,
                    ask_size: shares(line, "ask size", ask_size)?,
                })
            }
            Kind::ForexTick => {
                let [ms, bid, ask] = line.fields(&FOREX_TICK)?;
                MarketData::Quote(Quote {
                    ts: at(ms)?,
                    instrument,
                    exchange: ExchangeId(0),
                    suspicious: false,
                    bid: line.parse("bid", bid)?,
                    bid_size: FOREX_SIZE,
                    ask: line.parse("ask", ask)?,
                    ask_size: FOREX_SIZE,
                })
            }
            Kind::TradeBar(interval) => {
                let [ms, open, high, low, close, volume] = line.fields(&TRADE_BAR)?;
                let names = [TRADE_BAR[1], TRADE_BAR[2], TRADE_BAR[3], TRADE_BAR[4]];
                MarketData::Bar(Bar {
                    ts: at(ms)? + interval,
                    instrument,
                    interval,
                    price: ohlc(line, names, [open, high, low, close])?,
                    volume: shares(line, "volume", volume)?,
                })
            }
            Kind::QuoteBar(interval) => {
                let n = QUOTE_BAR;
                let f = line.fields(&n)?;
                MarketData::QuoteBar(QuoteBar {
                    ts: at(f[0])? + interval,
                    instrument,
                    interval,
                    bid: ohlc(line, [n[1], n[2], n[3], n[4]], [f[1], f[2], f[3], f[4]])?,
                    bid_size: shares(line, n[5], f[5])?,
                    ask: ohlc(line, [n[6], n[7], n[8], n[9]], [f[6], f[7], f[8], f[9]])?,
                    ask_size: shares(line, n[10], f[10])?,
                })
            }
        }))
    }
}

impl Iterator for Rows {
    type Item = Result<MarketData, FeedError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

/// A whole number from 0, times `unit`; nothing at all is 0 (a side that a bar does not have).
fn whole(line: Line<'_>, field: &'static str, text: &str, unit: i64) -> Result<i64, FeedError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: u32 = line.parse(field, text)?;
    Ok(i64::from(number) * unit)
}

fn deci_cents(line: Line<'_>, field: &'static str, text: &str) -> Result<Price, FeedError> {
    whole(line, field, text, DECI_CENT).map(Price::from_raw)
}

fn shares(line: Line<'_>, field: &'static str, text: &str) -> Result<Qty, FeedError> {
    whole(line, field, text, Qty::whole(1).raw()).map(Qty::from_raw)
}

fn ohlc(line: Line<'_>, names: [&'static str; 4], text: [&str; 4]) -> Result<Ohlc, FeedError> {
    Ok(Ohlc {
        open: deci_cents(line, names[0], text[0])?,
        high: deci_cents(line, names[1], text[1])?,
        low: deci_cents(line, names[2], text[2])?,
        close: deci_cents(line, names[3], text[3])?,
    })
}

fn letter(line: Line<'_>, text: &str) -> Result<ExchangeId, FeedError> {
    match text.as_bytes() {
        [] => Ok(ExchangeId(0)),
        [letter @ b'A'..=b'Z'] => Ok(ExchangeId(letter - b'A' + 1)),
        _ => Err(line.error("exchange", format!("`{text}`: not one letter from A to Z"))),
    }
}

fn hex(line: Line<'_>, text: &str) -> Result<u32, FeedError> {
    u32::from_str_radix(text, 16).map_err(|_| {
        line.error("condition", format!("`{text}`: not up to eight hexadecimal digits"))
    })
}

fn mark(line: Line<'_>, text: &str) -> Result<bool, FeedError> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(line.error("suspicious", format!("`{text}`: neither 0 nor 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_23_and_25_hours_follow_the_wall_clock() {
        let moment = |date: &str, ms: &str| {
            let clock = DayClock::new(date.parse().unwrap(), "America/New_York").unwrap();
            let mut lines = Lines::new("F".into(), Box::new(&b"x"[..]));
            let line = lines.next().unwrap().unwrap();
            (clock.midnight.is_some(), clock.at(line, ms).unwrap().to_string()[..16].to_string())
        };
        let half_past_nine = "34200000";
        for (date, one_offset, expected) in [
            ("2013-10-08", true, "2013-10-08T13:30"),
            ("2013-12-02", true, "2013-12-02T14:30"),
            ("2013-03-10", false, "2013-03-10T13:30"),
            ("2013-11-03", false, "2013-11-03T14:30"),
        ] {
            assert_eq!(moment(date, half_past_nine), (one_offset, expected.into()));
        }
    }
}
