//! Market data by request: history, the latest, snapshots, names of exchanges and conditions.

use super::floor::AlpacaVenue;
use super::tape::Strip;
use crate::alpaca::{ApiError, Params, Reply, Time};
use crate::types::{InstrumentId, Nanos, Timestamp};
use serde_json::{Map, Value, json};

const MINUTE: u64 = 60_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;

impl AlpacaVenue {
    /// `/v2/stocks/...` and `/v1beta3/crypto/{loc}/...`.
    pub(super) fn market_data(
        &self,
        crypto: bool,
        path: &[String],
        query: &Params,
    ) -> Result<Reply, ApiError> {
        // Data says no with 400 and without a code.
        self.find_data(crypto, path, query).map_err(|error| match error.status {
            422 => ApiError::bare(400, &error.message),
            _ => error,
        })
    }

    fn find_data(&self, crypto: bool, path: &[String], query: &Params) -> Result<Reply, ApiError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let many = || self.data_symbols(crypto, &query.list("symbols"));
        let one = |symbol: &str| self.data_symbols(crypto, &[symbol.to_owned()]);
        match (crypto, path.as_slice()) {
            (false, ["meta", "exchanges"]) => Ok(Reply::ok(json!({"V": "the local venue"}))),
            (false, ["meta", "conditions", "trade"]) => Ok(Reply::ok(json!({"@": "Regular Sale"}))),
            (false, ["meta", "conditions", "quote"]) => Ok(Reply::ok(json!({"R": "Regular"}))),
            (false, ["auctions"]) => {
                Ok(Reply::ok(json!({"auctions": {}, "next_page_token": null})))
            }
            (_, ["snapshots"]) => {
                let rows = many()?
                    .into_iter()
                    .map(|asset| (self.assets.get(asset).symbol.clone(), self.snapshot(asset)));
                let rows = Value::Object(rows.collect());
                Ok(Reply::ok(if crypto { json!({"snapshots": rows}) } else { rows }))
            }
            (_, [kind, "latest"]) | (true, ["latest", kind]) => {
                let key = single(kind)?;
                let key = format!("{key}s");
                Ok(Reply::ok(json!({key: self.latest(kind, &many()?)})))
            }
            (_, [kind @ ("bars" | "trades" | "quotes")]) => {
                let (rows, token) = self.pages(kind, &many()?, query)?;
                Ok(Reply::ok(json!({*kind: rows, "next_page_token": token})))
            }
            (false, [symbol, "snapshot"]) => {
                let mut row = self.snapshot(one(symbol)?[0]);
                row["symbol"] = (*symbol).into();
                Ok(Reply::ok(row))
            }
            (false, [symbol, kind, "latest"]) => {
                let key = single(kind)?;
                let row = self.latest(kind, &one(symbol)?);
                Ok(Reply::ok(json!({"symbol": symbol, key: row.get(*symbol)})))
            }
            (false, [symbol, kind @ ("bars" | "trades" | "quotes")]) => {
                let (rows, token) = self.pages(kind, &one(symbol)?, query)?;
                let rows = rows.into_iter().next().map_or_else(|| json!([]), |(_, rows)| rows);
                Ok(Reply::ok(json!({*kind: rows, "symbol": symbol, "next_page_token": token})))
            }
            _ => Err(ApiError::no_endpoint()),
        }
    }

    fn data_symbols(&self, crypto: bool, names: &[String]) -> Result<Vec<InstrumentId>, ApiError> {
        if names.is_empty() {
            return Err(ApiError::bare(400, "symbols is required"));
        }
        let mut found = Vec::new();
        for name in names {
            let exact = self.assets.find(name).filter(|&id| self.assets.get(id).symbol == *name);
            match exact.filter(|&id| self.assets.is_crypto(id) == crypto) {
                Some(id) => found.push(id),
                None if crypto && !name.contains('/') => {
                    return Err(ApiError::bare(
                        400,
                        &format!("Invalid symbol(s): {name} does not match ^[A-Z]+/[A-Z]+$"),
                    ));
                }
                None if !crypto && !name.chars().all(|c| c.is_ascii_uppercase() || c == '.') => {
                    return Err(ApiError::bare(400, &format!("invalid symbol: {name}")));
                }
                // A symbol without data gives no rows.
                None => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn latest(&self, kind: &str, assets: &[InstrumentId]) -> Map<String, Value> {
        let show = |&asset: &InstrumentId| {
            let strip = self.tape.strip(asset);
            let crypto = self.assets.is_crypto(asset);
            let row = match kind {
                "trades" => strip.trades.back().map(|row| row.show(crypto)),
                "quotes" => strip.quotes.back().map(|row| row.show(crypto)),
                "orderbooks" => strip.quotes.back().map(|row| {
                    let side = |price, size| {
                        json!([{"p": super::bars::number(price), "s": super::bars::size(size)}])
                    };
                    json!({
                        "t": row.at.to_string(),
                        "b": side(row.bid, row.bid_size), "a": side(row.ask, row.ask_size),
                    })
                }),
                _ => strip.bars.minutes.back().map(|row| row.show()),
            };
            row.map(|row| (self.assets.get(asset).symbol.clone(), row))
        };
        assets.iter().filter_map(show).collect()
    }

    fn snapshot(&self, asset: InstrumentId) -> Value {
        let strip = self.tape.strip(asset);
        let crypto = self.assets.is_crypto(asset);
        json!({
            "latestTrade": strip.trades.back().map(|row| row.show(crypto)),
            "latestQuote": strip.quotes.back().map(|row| row.show(crypto)),
            "minuteBar": strip.bars.minutes.back().map(|row| row.show()),
            "dailyBar": strip.bars.day.map(|row| row.show()),
            "prevDailyBar": strip.bars.before.or(strip.bars.day).map(|row| row.show()),
        })
    }

    /// Rows of history by symbol, a page of them, and where the next page begins.
    fn pages(
        &self,
        kind: &str,
        assets: &[InstrumentId],
        query: &Params,
    ) -> Result<(Map<String, Value>, Option<String>), ApiError> {
        let limit = query.parse::<usize>("limit")?.unwrap_or(1_000);
        if limit == 0 || limit > 10_000 {
            return Err(ApiError::bare(400, "invalid limit, limit must be between 1 and 10000"));
        }
        let (start, end) = (query.parse::<Time>("start")?, query.parse::<Time>("end")?);
        let skip = query.parse::<usize>("page_token")?.unwrap_or(0);
        let descending = query.get("sort").is_some_and(|word| word.eq_ignore_ascii_case("desc"));
        let length = match kind {
            "bars" => Some(timeframe(query.get("timeframe").unwrap_or("1Min"))?),
            _ => None,
        };
        let inside = |at: Timestamp| {
            start.is_none_or(|start| at >= start.0) && end.is_none_or(|end| at <= end.0)
        };
        let mut rows = Map::new();
        let (mut passed, mut taken, mut more) = (0, 0, false);
        for &asset in assets {
            let crypto = self.assets.is_crypto(asset);
            let mut of = history(self.tape.strip(asset), kind, length, crypto, &inside);
            if descending {
                of.reverse();
            }
            let left = skip.saturating_sub(passed).min(of.len());
            passed += of.len();
            let mut page: Vec<Value> = of.split_off(left);
            more |= page.len() > limit - taken;
            page.truncate(limit - taken);
            taken += page.len();
            if !page.is_empty() {
                rows.insert(self.assets.get(asset).symbol.clone(), page.into());
            }
        }
        Ok((rows, more.then(|| (skip + taken).to_string())))
    }
}

fn history(
    strip: &Strip,
    kind: &str,
    length: Option<Nanos>,
    crypto: bool,
    inside: &impl Fn(Timestamp) -> bool,
) -> Vec<Value> {
    match (kind, length) {
        (_, Some(length)) => {
            let bars = strip.bars.folded(length).into_iter();
            bars.filter(|bar| inside(bar.start)).map(|bar| bar.show()).collect()
        }
        ("trades", None) => {
            let trades = strip.trades.iter().filter(|row| inside(row.at));
            trades.map(|row| row.show(crypto)).collect()
        }
        _ => {
            let quotes = strip.quotes.iter().filter(|row| inside(row.at));
            quotes.map(|row| row.show(crypto)).collect()
        }
    }
}

/// The key of one row of a kind.
fn single(kind: &str) -> Result<&'static str, ApiError> {
    Ok(match kind {
        "trades" => "trade",
        "quotes" => "quote",
        "bars" => "bar",
        "orderbooks" => "orderbook",
        _ => return Err(ApiError::no_endpoint()),
    })
}

/// The length of a bar: `1Min` to `59Min`, `1Hour` to `23Hour`, `1Day`, `1Week`, months of 30 days.
fn timeframe(text: &str) -> Result<Nanos, ApiError> {
    let bad = || ApiError::bare(400, &format!("invalid timeframe: {text}"));
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let count: u64 = text[..split].parse().map_err(|_| bad())?;
    let (unit, most) = match &text[split..] {
        "Min" | "T" => (MINUTE, 59),
        "Hour" | "H" => (60 * MINUTE, 23),
        "Day" | "D" => (DAY, 1),
        "Week" | "W" => (7 * DAY, 1),
        "Month" | "M" => (30 * DAY, 12),
        _ => return Err(bad()),
    };
    if count == 0 || count > most { Err(bad()) } else { Ok(Nanos(unit * count)) }
}
