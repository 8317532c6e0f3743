//! What the market showed: last quote and trade of each asset, and a stretch of what came before.

use super::bars::{BarRow, Bars, number, size};
use crate::msg::{MarketData, Ohlc};
use crate::types::{InstrumentId, Price, Qty, Side, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A quote with both its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuoteRow {
    pub at: Timestamp,
    pub bid: Price,
    pub bid_size: Qty,
    pub ask: Price,
    pub ask_size: Qty,
}

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TradeRow {
    pub at: Timestamp,
    pub id: u64,
    pub price: Price,
    pub size: Qty,
    pub taker: Option<Side>,
}

impl QuoteRow {
    pub fn show(&self, crypto: bool) -> Value {
        let (t, bp, ap) = (self.at.to_string(), number(self.bid), number(self.ask));
        let (bs, as_) = (size(self.bid_size), size(self.ask_size));
        if crypto {
            return json!({"t": t, "bp": bp, "bs": bs, "ap": ap, "as": as_});
        }
        json!({
            "t": t, "ax": "V", "ap": ap, "as": as_, "bx": "V", "bp": bp, "bs": bs,
            "c": ["R"], "z": "C",
        })
    }
}

impl TradeRow {
    pub fn show(&self, crypto: bool) -> Value {
        let (t, p, s) = (self.at.to_string(), number(self.price), size(self.size));
        if crypto {
            let taker = if self.taker == Some(Side::Sell) { "S" } else { "B" };
            return json!({"t": t, "p": p, "s": s, "i": self.id, "tks": taker});
        }
        json!({"t": t, "x": "V", "p": p, "s": s, "c": ["@"], "i": self.id, "z": "C"})
    }
}

/// What is remembered of one asset.
#[derive(Debug, Default)]
pub(super) struct Strip {
    pub quotes: VecDeque<QuoteRow>,
    pub trades: VecDeque<TradeRow>,
    pub bars: Bars,
    last: Option<Price>,
    count: u64,
}

/// What a record shows to those who listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Quote(QuoteRow),
    /// With the minute that is over by it.
    Trade(TradeRow, Option<BarRow>),
    /// A bar of the data itself.
    Bar(Option<BarRow>),
    Halted(bool),
}

/// Rows that are remembered of each asset.
const KEPT: usize = 10_000;

/// All assets' strips.
#[derive(Debug)]
pub(super) struct Tape {
    strips: Vec<Strip>,
}

impl Tape {
    pub fn new(assets: usize) -> Self {
        Self { strips: (0..assets).map(|_| Strip::default()).collect() }
    }

    pub fn strip(&self, asset: InstrumentId) -> &Strip {
        &self.strips[asset.index()]
    }

    /// Price of the last trade.
    pub fn last(&self, asset: InstrumentId) -> Option<Price> {
        self.strip(asset).last
    }

    /// The day's first price.
    pub fn day_open(&self, asset: InstrumentId) -> Option<Price> {
        self.strip(asset).bars.day.map(|day| day.price.open)
    }

    /// Takes a record in. `touch` is the exchange's best bid and ask after it.
    pub fn apply(
        &mut self,
        record: &MarketData,
        touch: (Option<Price>, Option<Price>),
    ) -> Option<Shown> {
        let strip = self.strips.get_mut(record.instrument().index())?;
        match record {
            MarketData::Quote(quote) if !quote.suspicious => {
                let before = strip.quotes.back();
                let kept = |price: Price, own: Qty, other: Option<Qty>| {
                    if price.is_zero() { other.unwrap_or(Qty::ZERO) } else { own }
                };
                let row = QuoteRow {
                    at: quote.ts,
                    bid: touch.0?,
                    bid_size: kept(quote.bid, quote.bid_size, before.map(|row| row.bid_size)),
                    ask: touch.1?,
                    ask_size: kept(quote.ask, quote.ask_size, before.map(|row| row.ask_size)),
                };
                push(&mut strip.quotes, row);
                Some(Shown::Quote(row))
            }
            MarketData::Trade(trade) if !trade.suspicious && !trade.price.is_zero() => {
                strip.count += 1;
                strip.last = Some(trade.price);
                let row = TradeRow {
                    at: trade.ts,
                    id: strip.count,
                    price: trade.price,
                    size: trade.size,
                    taker: trade.aggressor,
                };
                push(&mut strip.trades, row);
                let p = trade.price;
                let flat = Ohlc { open: p, high: p, low: p, close: p };
                Some(Shown::Trade(row, strip.bars.add(trade.ts, flat, trade.size)))
            }
            MarketData::Bar(bar) if !bar.price.close.is_zero() => {
                strip.last = Some(bar.price.close);
                Some(Shown::Bar(strip.bars.add(bar.ts - bar.interval, bar.price, bar.volume)))
            }
            MarketData::Status(status) => Some(Shown::Halted(status.halted)),
            _ => None,
        }
    }
}

fn push<T>(rows: &mut VecDeque<T>, row: T) {
    if rows.len() == KEPT {
        rows.pop_front();
    }
    rows.push_back(row);
}
