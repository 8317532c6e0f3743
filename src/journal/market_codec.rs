//! Compact form of quotes, trades, bars and book levels: differences to the record before, in steps of the
//! instrument's unit. Each frame stands alone: the first record of a frame refers to nothing.
//!
//! ```text
//! record = tag u8 | ts delta | [at delta] | [instrument] | [extra] | fields
//! tag    = kind (3 bits) | RAW | EXTRA | SAME instrument | two bits of the kind
//! ```
//! `RAW` says that some price or size is no multiple of its unit and all are in 1e-9.

mod bars;

use super::varint::{get, get_signed, put, put_signed};
use crate::msg::{BookAction, BookLevel, MarketData, Quote, Trade};
use crate::types::{ExchangeId, InstrumentId, Price, Qty, Side, Timestamp};

/// Kind of a record that this codec does not know: an entry in its long form.
pub const KIND_OTHER: u8 = 7;
const KIND_QUOTE: u8 = 0;
const KIND_TRADE: u8 = 1;
const KIND_LEVEL: u8 = 2;
const KIND_BAR: u8 = 3;
const KIND_QUOTE_BAR: u8 = 4;
const RAW: u8 = 1 << 3;
const EXTRA: u8 = 1 << 4;
const SAME: u8 = 1 << 5;
const NO_BID: u8 = 1 << 6;
const NO_ASK: u8 = 1 << 7;
const SELL: u8 = 1 << 6;
const CLEAR: u8 = 1 << 7;

/// Prices beyond this are written raw, so that a difference of two others never overflows.
const FAR: u64 = 1 << 62;

/// Steps in which an instrument's prices and sizes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Units {
    /// Price step in 1e-9, above zero.
    pub price: i64,
    /// Size step in 1e-9, above zero.
    pub size: i64,
}

impl Units {
    /// The finest: every value is a multiple.
    pub const FINEST: Self = Self { price: 1, size: 1 };
}

#[derive(Debug, Clone, Copy, Default)]
struct Last {
    frame: u64,
    bid: i64,
    ask: i64,
    price: i64,
    interval: u64,
}

struct Head {
    ts: Timestamp,
    at: Timestamp,
    instrument: InstrumentId,
    raw: bool,
    unit: Units,
    extra: u64,
}

/// A record with this tag is a quote, a trade or a book level.
#[inline]
pub const fn is_tick(tag: u8) -> bool {
    tag & 7 <= KIND_LEVEL
}

/// Both directions of the codec: what the record before was.
#[derive(Debug, Clone)]
pub struct MarketCodec {
    units: Vec<Units>,
    last: Vec<Last>,
    /// Journals keep the delivery time of each record beside the venue's; recordings do not.
    stamped: bool,
    frame: u64,
    ts: u64,
    at: u64,
    instrument: u16,
}

impl MarketCodec {
    /// A codec for instruments with these units, in the order of their ids.
    pub fn new(units: Vec<Units>, stamped: bool) -> Self {
        let last = vec![Last::default(); units.len()];
        Self { units, last, stamped, frame: 1, ts: 0, at: 0, instrument: 0 }
    }

    /// Forgets the record before: call it at the start of each frame.
    pub fn start_frame(&mut self) {
        self.frame += 1;
        self.ts = 0;
        self.at = 0;
        self.instrument = 0;
    }

    #[inline]
    fn last(&mut self, id: InstrumentId) -> &mut Last {
        let last = &mut self.last[id.index()];
        if last.frame != self.frame {
            *last = Last { frame: self.frame, ..Last::default() };
        }
        last
    }

    /// Appends a record; `false` if it is of a kind, or of an instrument, that has no compact form.
    #[inline]
    pub fn encode(&mut self, at: Timestamp, record: &MarketData, out: &mut Vec<u8>) -> bool {
        let id = record.instrument();
        let Some(&units) = self.units.get(id.index()) else {
            return false;
        };
        let same = if id.0 == self.instrument { SAME } else { 0 };
        let fits = |prices: [Price; 2], sizes: [Qty; 2]| {
            prices.iter().all(|p| p.raw() % units.price == 0 && p.raw().unsigned_abs() < FAR)
                && sizes.iter().all(|s| s.raw() >= 0 && s.raw() % units.size == 0)
        };
        match record {
            MarketData::Quote(q) => {
                if q.bid_size.is_negative() || q.ask_size.is_negative() {
                    return false;
                }
                let (raw, unit) = if fits([q.bid, q.ask], [q.bid_size, q.ask_size]) {
                    (0, units)
                } else {
                    (RAW, Units::FINEST)
                };
                let no_bid = if q.bid.is_zero() && q.bid_size.is_zero() { NO_BID } else { 0 };
                let no_ask = if q.ask.is_zero() && q.ask_size.is_zero() { NO_ASK } else { 0 };
                let extra = q.exchange.0 != 0 || q.suspicious;
                out.push(KIND_QUOTE | raw | flag(extra, EXTRA) | same | no_bid | no_ask);
                self.put_head(at, q.ts, id, same != 0, out);
                if extra {
                    put(out, u64::from(q.exchange.0) << 1 | u64::from(q.suspicious));
                }
                let last = self.last(id);
                if no_bid == 0 {
                    put_signed(out, q.bid.raw().wrapping_sub(last.bid) / divisor(raw, unit.price));
                    put(out, (q.bid_size.raw() / unit.size) as u64);
                    last.bid = q.bid.raw();
                }
                if no_ask == 0 {
                    put_signed(out, q.ask.raw().wrapping_sub(last.ask) / divisor(raw, unit.price));
                    put(out, (q.ask_size.raw() / unit.size) as u64);
                    last.ask = q.ask.raw();
                }
                if raw != 0 {
                    // A later record in units must start from a multiple: forget what is none.
                    *last = Last { frame: last.frame, ..Last::default() };
                }
            }
            MarketData::Trade(t) => {
                if t.size.is_negative() {
                    return false;
                }
                let (raw, unit) =
                    if fits([t.price; 2], [t.size; 2]) { (0, units) } else { (RAW, Units::FINEST) };
                let extra =
                    t.exchange.0 != 0 || t.suspicious || t.aggressor.is_some() || t.condition != 0;
                out.push(KIND_TRADE | raw | flag(extra, EXTRA) | same);
                self.put_head(at, t.ts, id, same != 0, out);
                if extra {
                    let aggressor = match t.aggressor {
                        None => 0,
                        Some(Side::Buy) => 1,
                        Some(Side::Sell) => 2,
                    };
                    put(
                        out,
                        u64::from(t.condition) << 11
                            | u64::from(t.exchange.0) << 3
                            | aggressor << 1
                            | u64::from(t.suspicious),
                    );
                }
                let last = self.last(id);
                let from = if raw != 0 { 0 } else { last.price };
                put_signed(out, t.price.raw().wrapping_sub(from) / divisor(raw, unit.price));
                put(out, (t.size.raw() / unit.size) as u64);
                if raw == 0 {
                    last.price = t.price.raw();
                }
            }
            MarketData::Level(l) => {
                if l.size.is_negative() {
                    return false;
                }
                let (raw, unit) =
                    if fits([l.price; 2], [l.size; 2]) { (0, units) } else { (RAW, Units::FINEST) };
                let extra = l.exchange.0 != 0 || l.more;
                let side = flag(l.side == Side::Sell, SELL);
                let action = flag(l.action == BookAction::Clear, CLEAR);
                out.push(KIND_LEVEL | raw | flag(extra, EXTRA) | same | side | action);
                self.put_head(at, l.ts, id, same != 0, out);
                if extra {
                    put(out, u64::from(l.exchange.0) << 1 | u64::from(l.more));
                }
                let last = self.last(id);
                let from = if raw != 0 { 0 } else { last.price };
                put_signed(out, l.price.raw().wrapping_sub(from) / divisor(raw, unit.price));
                put(out, (l.size.raw() / unit.size) as u64);
                if raw == 0 {
                    last.price = l.price.raw();
                }
            }
            MarketData::Bar(b) => return self.encode_bar(at, b, units, same, out),
            MarketData::QuoteBar(b) => return self.encode_quote_bar(at, b, units, same, out),
            MarketData::Status(_) | MarketData::Gap(_) => return false,
        }
        true
    }

    fn put_head(
        &mut self,
        at: Timestamp,
        ts: Timestamp,
        id: InstrumentId,
        same: bool,
        out: &mut Vec<u8>,
    ) {
        put_signed(out, ts.nanos().wrapping_sub(self.ts) as i64);
        self.ts = ts.nanos();
        if self.stamped {
            put_signed(out, at.nanos().wrapping_sub(self.at) as i64);
            self.at = at.nanos();
        }
        if !same {
            put(out, u64::from(id.0));
            self.instrument = id.0;
        }
    }

    /// Reads the record whose `tag` was taken from the front of `bytes`; `None` if it is not whole
    /// or names an instrument that the header lacks.
    pub fn decode(&mut self, tag: u8, bytes: &mut &[u8]) -> Option<(Timestamp, MarketData)> {
        match tag & 7 {
            KIND_BAR => self.decode_bar(tag, bytes),
            KIND_QUOTE_BAR => self.decode_quote_bar(tag, bytes),
            _ => {
                let mut record = MarketData::NOTHING;
                self.decode_tick(tag, bytes, &mut record).map(|at| (at, record))
            }
        }
    }

    /// What all records begin with.
    #[inline(always)]
    fn head(&mut self, tag: u8, bytes: &mut &[u8]) -> Option<Head> {
        self.ts = self.ts.wrapping_add(get_signed(bytes)? as u64);
        if self.stamped {
            self.at = self.at.wrapping_add(get_signed(bytes)? as u64);
        }
        let ts = Timestamp::from_nanos(self.ts);
        let at = if self.stamped { Timestamp::from_nanos(self.at) } else { ts };
        if tag & SAME == 0 {
            self.instrument = u16::try_from(get(bytes)?).ok()?;
        }
        let instrument = InstrumentId(self.instrument);
        let unit = *self.units.get(instrument.index())?;
        let raw = tag & RAW != 0;
        let extra = if tag & EXTRA != 0 { get(bytes)? } else { 0 };
        Some(Head { ts, at, instrument, raw, unit: if raw { Units::FINEST } else { unit }, extra })
    }

    /// As [`Self::decode`] for the kinds that [`is_tick`] names, which are nearly all there are: kept
    /// apart so that the large bars do not cost them. Gives the time of delivery.
    #[inline]
    pub fn decode_tick(
        &mut self,
        tag: u8,
        bytes: &mut &[u8],
        into: &mut MarketData,
    ) -> Option<Timestamp> {
        let Head { ts, at, instrument, raw, unit, extra } = self.head(tag, bytes)?;
        let last = self.last(instrument);
        *into = match tag & 7 {
            KIND_QUOTE => {
                let (mut bid, mut bid_size, mut ask, mut ask_size) = (0, 0, 0, 0);
                if tag & NO_BID == 0 {
                    bid = price(last.bid, get_signed(bytes)?, unit)?;
                    bid_size = size(get(bytes)?, unit)?;
                    last.bid = bid;
                }
                if tag & NO_ASK == 0 {
                    ask = price(last.ask, get_signed(bytes)?, unit)?;
                    ask_size = size(get(bytes)?, unit)?;
                    last.ask = ask;
                }
                if raw {
                    *last = Last { frame: last.frame, ..Last::default() };
                }
                MarketData::Quote(Quote {
                    ts,
                    instrument,
                    exchange: ExchangeId(u8::try_from(extra >> 1).ok()?),
                    suspicious: extra & 1 != 0,
                    bid: Price::from_raw(bid),
                    bid_size: Qty::from_raw(bid_size),
                    ask: Price::from_raw(ask),
                    ask_size: Qty::from_raw(ask_size),
                })
            }
            KIND_TRADE => {
                let from = if raw { 0 } else { last.price };
                let paid = price(from, get_signed(bytes)?, unit)?;
                if !raw {
                    last.price = paid;
                }
                MarketData::Trade(Trade {
                    ts,
                    instrument,
                    exchange: ExchangeId((extra >> 3) as u8),
                    suspicious: extra & 1 != 0,
                    aggressor: match extra >> 1 & 3 {
                        0 => None,
                        1 => Some(Side::Buy),
                        2 => Some(Side::Sell),
                        _ => return None,
                    },
                    price: Price::from_raw(paid),
                    size: Qty::from_raw(size(get(bytes)?, unit)?),
                    condition: u32::try_from(extra >> 11).ok()?,
                })
            }
            KIND_LEVEL => {
                let from = if raw { 0 } else { last.price };
                let level = price(from, get_signed(bytes)?, unit)?;
                if !raw {
                    last.price = level;
                }
                MarketData::Level(BookLevel {
                    ts,
                    instrument,
                    exchange: ExchangeId(u8::try_from(extra >> 1).ok()?),
                    action: if tag & CLEAR != 0 { BookAction::Clear } else { BookAction::Set },
                    more: extra & 1 != 0,
                    side: if tag & SELL != 0 { Side::Sell } else { Side::Buy },
                    price: Price::from_raw(level),
                    size: Qty::from_raw(size(get(bytes)?, unit)?),
                })
            }
            _ => return None,
        };
        Some(at)
    }
}

const fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

const fn divisor(raw: u8, unit: i64) -> i64 {
    if raw != 0 { 1 } else { unit }
}

#[inline]
fn price(from: i64, steps: i64, unit: Units) -> Option<i64> {
    if unit.price == 1 {
        // Raw differences may wrap; so does the way back.
        return Some(from.wrapping_add(steps));
    }
    steps.checked_mul(unit.price)?.checked_add(from)
}

#[inline]
fn size(steps: u64, unit: Units) -> Option<i64> {
    i64::try_from(steps).ok()?.checked_mul(unit.size)
}

#[cfg(test)]
mod tests;
