//! Bars: rarer than quotes, so out of the way of their code.
//!
//! ```text
//! bar       = head | [interval] | four prices | volume
//! quote bar = head | [interval] | [four prices | size] of the bid | [the same] of the ask
//! ```
//! The interval is there where it differs from the instrument's last (`EXTRA`). The open is a
//! difference to the last close, the other prices to the open.

use super::{
    EXTRA, Head, KIND_BAR, KIND_QUOTE_BAR, MarketCodec, NO_ASK, NO_BID, RAW, Steps, flag, price,
    size,
};
use crate::journal::varint::{Piece, get, get_signed};
use crate::msg::{Bar, MarketData, Ohlc, QuoteBar};
use crate::types::{InstrumentId, Nanos, Price, Qty, Timestamp};

impl MarketCodec {
    pub(super) fn encode_bar(
        &mut self,
        at: Timestamp,
        bar: &Bar,
        steps: Steps,
        same: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        if bar.volume.is_negative() {
            return false;
        }
        let last = *self.last(bar.instrument);
        let side = in_steps(&steps, &bar.price, bar.volume, last.price);
        let raw = flag(side.is_none(), RAW);
        let extra = flag(last.interval != bar.interval.0, EXTRA);
        let mut piece = self.begin(KIND_BAR | raw | extra | same, at, bar.ts, bar.instrument);
        self.put_interval(&mut piece, extra, bar.instrument, bar.interval);
        put_side(&mut piece, side.unwrap_or_else(|| in_finest(&bar.price, bar.volume)));
        if raw == 0 {
            self.last(bar.instrument).price = bar.price.close.raw();
        }
        out.extend_from_slice(piece.bytes());
        true
    }

    pub(super) fn encode_quote_bar(
        &mut self,
        at: Timestamp,
        bar: &QuoteBar,
        steps: Steps,
        same: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        if bar.bid_size.is_negative() || bar.ask_size.is_negative() {
            return false;
        }
        let last = *self.last(bar.instrument);
        let bid = in_steps(&steps, &bar.bid, bar.bid_size, last.bid);
        let ask = in_steps(&steps, &bar.ask, bar.ask_size, last.ask);
        let raw = flag(bid.is_none() || ask.is_none(), RAW);
        let (bid, ask) = bid.zip(ask).unwrap_or_else(|| {
            (in_finest(&bar.bid, bar.bid_size), in_finest(&bar.ask, bar.ask_size))
        });
        let no_bid = bar.bid == Ohlc::default() && bar.bid_size.is_zero();
        let no_ask = bar.ask == Ohlc::default() && bar.ask_size.is_zero();
        let extra = flag(last.interval != bar.interval.0, EXTRA);
        let sides = flag(no_bid, NO_BID) | flag(no_ask, NO_ASK);
        let tag = KIND_QUOTE_BAR | raw | extra | same | sides;
        let mut piece = self.begin(tag, at, bar.ts, bar.instrument);
        self.put_interval(&mut piece, extra, bar.instrument, bar.interval);
        let last = self.last(bar.instrument);
        if !no_bid {
            put_side(&mut piece, bid);
            last.bid = if raw == 0 { bar.bid.close.raw() } else { last.bid };
        }
        if !no_ask {
            put_side(&mut piece, ask);
            last.ask = if raw == 0 { bar.ask.close.raw() } else { last.ask };
        }
        out.extend_from_slice(piece.bytes());
        true
    }

    fn put_interval(&mut self, piece: &mut Piece, extra: u8, id: InstrumentId, interval: Nanos) {
        if extra != 0 {
            piece.put(interval.0);
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

/// Open as the way from `from`, the other prices as the way from the open, and the size, all in
/// steps; `None` if one is no multiple.
fn in_steps(steps: &Steps, bar: &Ohlc, size: Qty, from: i64) -> Option<([i64; 4], u64)> {
    let open = steps.price(bar.open, from)?;
    let next = |price: Price| steps.price(price, bar.open.raw());
    Some(([open, next(bar.high)?, next(bar.low)?, next(bar.close)?], steps.size(size)?))
}

/// The same in 1e-9, from zero.
fn in_finest(bar: &Ohlc, size: Qty) -> ([i64; 4], u64) {
    let next = |price: Price| price.raw().wrapping_sub(bar.open.raw());
    ([bar.open.raw(), next(bar.high), next(bar.low), next(bar.close)], size.raw() as u64)
}

fn put_side(piece: &mut Piece, (prices, size): ([i64; 4], u64)) {
    prices.into_iter().for_each(|price| piece.put_signed(price));
    piece.put(size);
}

fn get_side(bytes: &mut &[u8], last: &mut i64, raw: bool, unit: Steps) -> Option<(Ohlc, Qty)> {
    let open = price(if raw { 0 } else { *last }, get_signed(bytes)?, unit)?;
    let mut next = || Some(Price::from_raw(price(open, get_signed(bytes)?, unit)?));
    let bar = Ohlc { open: Price::from_raw(open), high: next()?, low: next()?, close: next()? };
    if !raw {
        *last = bar.close.raw();
    }
    Some((bar, Qty::from_raw(size(get(bytes)?, unit)?)))
}
