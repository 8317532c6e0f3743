//! Bars: rarer than quotes, so out of the way of their code.
//!
//! ```text
//! bar       = head | [interval] | four prices | volume
//! quote bar = head | [interval] | [four prices | size] of the bid | [the same] of the ask
//! ```
//! The interval is there where it differs from the instrument's last (`EXTRA`). The open is a
//! difference to the last close, the other prices to the open.

use super::{
    EXTRA, FAR, Head, KIND_BAR, KIND_QUOTE_BAR, MarketCodec, NO_ASK, NO_BID, RAW, Units, flag,
    price, size,
};
use crate::journal::varint::{get, get_signed, put, put_signed};
use crate::msg::{Bar, MarketData, Ohlc, QuoteBar};
use crate::types::{InstrumentId, Nanos, Price, Qty, Timestamp};

impl MarketCodec {
    pub(super) fn encode_bar(
        &mut self,
        at: Timestamp,
        bar: &Bar,
        units: Units,
        same: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        if bar.volume.is_negative() {
            return false;
        }
        let fits = fits(&bar.price, bar.volume, units);
        let (raw, unit) = if fits { (0, units) } else { (RAW, Units::FINEST) };
        let extra = flag(self.last(bar.instrument).interval != bar.interval.0, EXTRA);
        out.push(KIND_BAR | raw | extra | same);
        self.put_head(at, bar.ts, bar.instrument, same != 0, out);
        self.put_interval(extra, bar.instrument, bar.interval, out);
        let last = self.last(bar.instrument);
        put_side(out, &bar.price, bar.volume, &mut last.price, raw != 0, unit);
        true
    }

    pub(super) fn encode_quote_bar(
        &mut self,
        at: Timestamp,
        bar: &QuoteBar,
        units: Units,
        same: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        if bar.bid_size.is_negative() || bar.ask_size.is_negative() {
            return false;
        }
        let fits = fits(&bar.bid, bar.bid_size, units) && fits(&bar.ask, bar.ask_size, units);
        let (raw, unit) = if fits { (0, units) } else { (RAW, Units::FINEST) };
        let none =
            |side: &Ohlc, size: Qty, bit| flag(*side == Ohlc::default() && size.is_zero(), bit);
        let no_bid = none(&bar.bid, bar.bid_size, NO_BID);
        let no_ask = none(&bar.ask, bar.ask_size, NO_ASK);
        let extra = flag(self.last(bar.instrument).interval != bar.interval.0, EXTRA);
        out.push(KIND_QUOTE_BAR | raw | extra | same | no_bid | no_ask);
        self.put_head(at, bar.ts, bar.instrument, same != 0, out);
        self.put_interval(extra, bar.instrument, bar.interval, out);
        let last = self.last(bar.instrument);
        if no_bid == 0 {
            put_side(out, &bar.bid, bar.bid_size, &mut last.bid, raw != 0, unit);
        }
        if no_ask == 0 {
            put_side(out, &bar.ask, bar.ask_size, &mut last.ask, raw != 0, unit);
        }
        true
    }

    fn put_interval(&mut self, extra: u8, id: InstrumentId, interval: Nanos, out: &mut Vec<u8>) {
        if extra != 0 {
            put(out, interval.0);
            self.last(id).interval = interval.0;
        }
    }

    pub(super) fn decode_bar(
        &mut self,
        tag: u8,
        bytes: &mut &[u8],
    ) -> Option<(Timestamp, MarketData)> {
        let Head { ts, at, instrument, raw, unit, extra } = self.head(tag, bytes)?;
        let last = self.last(instrument);
        if tag & EXTRA != 0 {
            last.interval = extra;
        }
        let interval = Nanos(last.interval);
        let (price, volume) = get_side(bytes, &mut last.price, raw, unit)?;
        Some((at, MarketData::Bar(Bar { ts, instrument, interval, price, volume })))
    }

    pub(super) fn decode_quote_bar(
        &mut self,
        tag: u8,
        bytes: &mut &[u8],
    ) -> Option<(Timestamp, MarketData)> {
        let Head { ts, at, instrument, raw, unit, extra } = self.head(tag, bytes)?;
        let last = self.last(instrument);
        if tag & EXTRA != 0 {
            last.interval = extra;
        }
        let interval = Nanos(last.interval);
        let mut side = |none, from| match tag & none {
            0 => get_side(bytes, from, raw, unit),
            _ => Some((Ohlc::default(), Qty::ZERO)),
        };
        let (bid, bid_size) = side(NO_BID, &mut last.bid)?;
        let (ask, ask_size) = side(NO_ASK, &mut last.ask)?;
        let bar = QuoteBar { ts, instrument, interval, bid, bid_size, ask, ask_size };
        Some((at, MarketData::QuoteBar(bar)))
    }
}

const fn prices(bar: &Ohlc) -> [Price; 4] {
    [bar.open, bar.high, bar.low, bar.close]
}

fn fits(bar: &Ohlc, size: Qty, unit: Units) -> bool {
    let fits = |p: &Price| p.raw() % unit.price == 0 && p.raw().unsigned_abs() < FAR;
    prices(bar).iter().all(fits) && size.raw() % unit.size == 0
}

fn put_side(out: &mut Vec<u8>, bar: &Ohlc, size: Qty, last: &mut i64, raw: bool, unit: Units) {
    let mut from = if raw { 0 } else { *last };
    for (at, price) in prices(bar).into_iter().enumerate() {
        put_signed(out, price.raw().wrapping_sub(from) / unit.price);
        if at == 0 {
            from = price.raw();
        }
    }
    put(out, (size.raw() / unit.size) as u64);
    if !raw {
        *last = bar.close.raw();
    }
}

fn get_side(bytes: &mut &[u8], last: &mut i64, raw: bool, unit: Units) -> Option<(Ohlc, Qty)> {
    let open = price(if raw { 0 } else { *last }, get_signed(bytes)?, unit)?;
    let mut next = || Some(Price::from_raw(price(open, get_signed(bytes)?, unit)?));
    let bar = Ohlc { open: Price::from_raw(open), high: next()?, low: next()?, close: next()? };
    if !raw {
        *last = bar.close.raw();
    }
    Some((bar, Qty::from_raw(size(get(bytes)?, unit)?)))
}
