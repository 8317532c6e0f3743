//! CSV files of quotes or bars of one instrument.
//!
//! The first line is a header, in any case: `ts,bid,ask,bid_size,ask_size` for quotes, or
//! `ts,open,high,low,close,volume` or `date,open,high,low,close,volume` for bars.
//!
//! - `ts`: nanoseconds since 1970, or ISO time; without an offset it is UTC. `date`: a day
//!   (`2013-10-08` or `20131008`) in UTC.
//! - Times may repeat but not go back.
//! - A crossed quote is data. A size of zero says that the side is gone. Prices are above zero.
//! - The time of a bar in the file is where its interval begins. The interval is the shortest span
//!   between two bars of the file, a day for `date`; a single bar with `ts` has the interval zero.
//!   The record's time is the interval's end.
//!
//! The file is read twice: first to check all of it and to find the steps of its prices and sizes.

use super::lines::{Line, Lines, Meter, Metered};
use super::units::Survey;
use super::{Imported, OnProgress, Watched, symbol as checked};
use crate::feed::{FeedError, RecordingWriter};
use crate::msg::{Bar, MarketData, Ohlc, Quote};
use crate::types::{
    Currency, ExchangeId, InstrumentId, InstrumentTable, Nanos, Price, Qty, Timestamp,
};
use std::fs::File;
use std::path::Path;

const QUOTES: [&str; 5] = ["ts", "bid", "ask", "bid_size", "ask_size"];
const BARS: [&str; 6] = ["ts", "open", "high", "low", "close", "volume"];
const DAYS: [&str; 6] = ["date", "open", "high", "low", "close", "volume"];
const DAY: Nanos = Nanos::from_secs(86_400);

/// Imports `file`, whose rows are all of `symbol` in US dollars, as the recording `out`.
///
/// # Errors
/// The first line that cannot be read; the disk's. Then there is no new `out`.
pub fn import(
    file: &Path,
    symbol: &str,
    out: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Imported, FeedError> {
    let symbol = checked(symbol)?;
    let meter = Meter::default();
    let bytes = file.metadata().map_err(|error| FeedError::io(file, error))?.len();
    let mut watched = Watched { meter: meter.clone(), total: 2 * bytes, count: 0, on: on_progress };

    let mut rows = Rows::open(file, &meter, None)?;
    let (mut survey, mut last, mut shortest) = (Survey::default(), None, None);
    watched.each(&mut rows, |record| {
        survey.add(record);
        let step = last.map(|last| record.ts().since(last)).filter(|step| step.0 > 0);
        shortest = [shortest, step].into_iter().flatten().min();
        last = Some(record.ts());
        Ok(())
    })?;
    let interval = match rows.layout {
        Layout::Quotes => None,
        Layout::Days => Some(DAY),
        Layout::Bars => shortest,
    };

    let table = InstrumentTable::new(vec![survey.instrument(&symbol, Currency::USD)])
        .map_err(FeedError::Source)?;
    let to = RecordingWriter::create(out, table, vec![survey.units()])?;
    let mut rows = Rows::open(file, &meter, interval)?;
    Ok(Imported { written: watched.write(&mut rows, to)?, skipped: 0 })
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Quotes,
    Bars,
    Days,
}

struct Rows {
    lines: Lines,
    layout: Layout,
    interval: Nanos,
    last: Timestamp,
}

impl Rows {
    fn open(path: &Path, meter: &Meter, interval: Option<Nanos>) -> Result<Self, FeedError> {
        let file = File::open(path).map_err(|error| FeedError::io(path, error))?;
        let from = Metered { from: file, meter: meter.clone() };
        let mut lines = Lines::new(path.display().to_string(), Box::new(from));
        let layout = match lines.next()? {
            Some(header) => layout(header)?,
            None => return Err(FeedError::Source(format!("{}: it is empty", path.display()))),
        };
        Ok(Self { lines, layout, interval: interval.unwrap_or_default(), last: Timestamp::ZERO })
    }

    fn row(&mut self) -> Result<Option<MarketData>, FeedError> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        Ok(Some(match self.layout {
            Layout::Quotes => quote(line, &mut self.last)?,
            Layout::Bars => bar(line, &BARS, self.interval, &mut self.last)?,
            Layout::Days => bar(line, &DAYS, self.interval, &mut self.last)?,
        }))
    }
}

impl Iterator for Rows {
    type Item = Result<MarketData, FeedError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

fn layout(header: Line<'_>) -> Result<Layout, FeedError> {
    let text = header.text.trim_start_matches('\u{feff}').to_ascii_lowercase();
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if names == QUOTES {
        Ok(Layout::Quotes)
    } else if names == BARS {
        Ok(Layout::Bars)
    } else if names == DAYS {
        Ok(Layout::Days)
    } else {
        let what = "a header must say ts,bid,ask,bid_size,ask_size or \
                    ts,open,high,low,close,volume or date,open,high,low,close,volume";
        Err(header.error("", what))
    }
}

fn quote(line: Line<'_>, last: &mut Timestamp) -> Result<MarketData, FeedError> {
    let [ts, bid, ask, bid_size, ask_size] = line.fields(&QUOTES)?;
    Ok(MarketData::Quote(Quote {
        ts: line.in_order("ts", time(line, ts)?, last)?,
        instrument: InstrumentId(0),
        exchange: ExchangeId(0),
        suspicious: false,
        bid: price(line, "bid", bid)?,
        bid_size: size(line, "bid_size", bid_size)?,
        ask: price(line, "ask", ask)?,
        ask_size: size(line, "ask_size", ask_size)?,
    }))
}

fn bar(
    line: Line<'_>,
    names: &[&'static str; 6],
    interval: Nanos,
    last: &mut Timestamp,
) -> Result<MarketData, FeedError> {
    let [ts, open, high, low, close, volume] = line.fields(names)?;
    let at = if names[0] == "date" { day(line, ts)? } else { time(line, ts)? };
    let price = Ohlc {
        open: price(line, "open", open)?,
        high: price(line, "high", high)?,
        low: price(line, "low", low)?,
        close: price(line, "close", close)?,
    };
    let inside = price.low..=price.high;
    for (name, value) in [("open", price.open), ("close", price.close)] {
        if !inside.contains(&value) {
            let what = format!("`{value}` is outside of low {} to high {}", price.low, price.high);
            return Err(line.error(name, what));
        }
    }
    Ok(MarketData::Bar(Bar {
        ts: line.in_order(names[0], at, last)? + interval,
        instrument: InstrumentId(0),
        interval,
        price,
        volume: size(line, "volume", volume)?,
    }))
}

fn price(line: Line<'_>, field: &'static str, text: &str) -> Result<Price, FeedError> {
    let price: Price = line.parse(field, text)?;
    if price.is_positive() {
        Ok(price)
    } else {
        Err(line.error(field, format!("`{text}`: a price is above zero")))
    }
}

fn size(line: Line<'_>, field: &'static str, text: &str) -> Result<Qty, FeedError> {
    let size: Qty = line.parse(field, text)?;
    if size.is_negative() {
        Err(line.error(field, format!("`{text}`: a size is never below zero")))
    } else {
        Ok(size)
    }
}

/// Nanoseconds, or ISO time with an offset, or without one in UTC.
fn time(line: Line<'_>, text: &str) -> Result<Timestamp, FeedError> {
    match text.parse() {
        Ok(at) => Ok(at),
        Err(error) => text
            .parse::<jiff::civil::DateTime>()
            .ok()
            .and_then(utc)
            .ok_or_else(|| line.error("ts", error)),
    }
}

fn day(line: Line<'_>, text: &str) -> Result<Timestamp, FeedError> {
    text.parse::<jiff::civil::Date>()
        .ok()
        .and_then(|date| utc(date.into()))
        .ok_or_else(|| line.error("date", format!("`{text}` is no day like 2013-10-08")))
}

fn utc(at: jiff::civil::DateTime) -> Option<Timestamp> {
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    u64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos)
}
