//! Bars made of trades.

use crate::msg::Ohlc;
use crate::types::calendar::Zone;
use crate::types::{Nanos, Notional, Price, Qty, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A bar, by the moment at which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BarRow {
    pub start: Timestamp,
    pub price: Ohlc,
    pub volume: Qty,
    pub trades: u64,
    pub value: Notional,
}

impl BarRow {
    pub fn of(start: Timestamp, price: Ohlc, volume: Qty) -> Self {
        let value = price.close.notional(volume, 1);
        Self { start, price, volume, trades: 1, value }
    }

    /// Takes a later bar in.
    pub fn add(&mut self, later: &Self) {
        self.price.high = self.price.high.max(later.price.high);
        self.price.low = self.price.low.min(later.price.low);
        self.price.close = later.price.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.trades += later.trades;
        self.value = self.value.saturating_add(later.value);
    }

    /// As the wire shows it.
    pub fn show(&self) -> Value {
        let average = self.value.per(self.volume, 1);
        let average = if average.is_zero() { self.price.close } else { average };
        json!({
            "t": self.start.to_string(),
            "o": number(self.price.open), "h": number(self.price.high),
            "l": number(self.price.low), "c": number(self.price.close),
            "v": size(self.volume), "n": self.trades, "vw": number(average),
        })
    }
}

/// A price as a JSON number, the shortest that reads back as the same.
pub(super) fn number(price: Price) -> Value {
    Value::from(price.to_f64())
}

/// A size as a JSON number; whole where it can be.
pub(super) fn size(qty: Qty) -> Value {
    let unit = Qty::whole(1).raw();
    if qty.raw() % unit == 0 {
        (qty.raw() / unit).into()
    } else {
        number(Price::from_raw(qty.raw()))
    }
}

/// Minute bars, oldest first, with the day's so far.
#[derive(Debug, Default)]
pub(super) struct Bars {
    pub minutes: VecDeque<BarRow>,
    pub day: Option<BarRow>,
    pub before: Option<BarRow>,
}

const MINUTE: u64 = 60_000_000_000;
/// Minutes that are remembered: a fortnight of sessions.
const KEPT: usize = 4_000;

impl Bars {
    /// Takes trades at these prices in. The minute that is over with it, if one is.
    pub fn add(&mut self, at: Timestamp, price: Ohlc, volume: Qty) -> Option<BarRow> {
        let start = Timestamp::from_nanos(at.nanos() - at.nanos() % MINUTE);
        let row = BarRow::of(start, price, volume);
        let date = Zone::NewYork.date(at);
        let midnight = Zone::NewYork.utc(date, Nanos(0));
        match &mut self.day {
            Some(day) if day.start == midnight => day.add(&row),
            _ => {
                self.before = self.day;
                self.day = Some(BarRow { start: midnight, ..row });
            }
        }
        match self.minutes.back_mut() {
            Some(last) if last.start == start => {
                last.add(&row);
                return None;
            }
            _ => {}
        }
        let over = self.minutes.back().copied();
        self.minutes.push_back(row);
        if self.minutes.len() > KEPT {
            self.minutes.pop_front();
        }
        over
    }

    /// Bars of another length, oldest first; lengths over a day begin at midnight in New York.
    pub fn folded(&self, length: Nanos) -> Vec<BarRow> {
        let mut folded: Vec<BarRow> = Vec::new();
        for minute in &self.minutes {
            let date = Zone::NewYork.date(minute.start);
            let midnight = Zone::NewYork.utc(date, Nanos(0));
            let start = if length.0 >= 24 * 60 * MINUTE {
                let days = length.0 / (24 * 60 * MINUTE);
                let first = u64::from(date.days()) / days * days;
                let first = u32::try_from(first).unwrap_or(0);
                Zone::NewYork.utc(crate::types::Date::from_days(first), Nanos(0))
            } else {
                let into = minute.start.since(midnight).0;
                midnight + Nanos(into / length.0 * length.0)
            };
            match folded.last_mut() {
                Some(last) if last.start == start => last.add(minute),
                _ => folded.push(BarRow { start, ..*minute }),
            }
        }
        folded
    }
}
