//! Compact form of quotes, trades, bars and book levels: differences to the record before, in steps of the
//! instrument's unit. Each frame stands alone: the first record of a frame refers to nothing.
//!
//! ```text
//! record = tag u8 | ts delta | [at delta] | [instrument] | [extra] | fields
//! tag    = kind (3 bits) | RAW | EXTRA | SAME instrument | two bits of the kind
//! ```
//! `RAW` says that some price or size is no multiple of its unit and all are in 1e-9.

mod bars;
mod steps;

use super::varint::{Piece, get, get_signed};
use crate::msg::{BookAction, BookLevel, MarketData, Quote, Trade};
use crate::types::{ExchangeId, InstrumentId, Price, Qty, Side, Timestamp};
use steps::Steps;

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
    unit: Steps,
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
    steps: Vec<Steps>,
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
        let steps = units.into_iter().map(Steps::new).collect();
        Self { steps, last, stamped, frame: 1, ts: 0, at: 0, instrument: 0 }
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
        let Some(&steps) = self.steps.get(id.index()) else {
            return false;
        };
        let same = flag(id.0 == self.instrument, SAME);
        match record {
            MarketData::Quote(q) => {
                if q.bid_size.is_negative() || q.ask_size.is_negative() {
                    return false;
                }
                let last = *self.last(id);
                let bid = in_steps(&steps, q.bid, q.bid_size, last.bid);
                let ask = in_steps(&steps, q.ask, q.ask_size, last.ask);
                let is_raw = bid.is_none() || ask.is_none();
                let (bid, ask) = bid.zip(ask).unwrap_or_else(|| {
                    (in_finest(q.bid, q.bid_size, last.bid), in_finest(q.ask, q.ask_size, last.ask))
                });
                let no_bid = q.bid.is_zero() && q.bid_size.is_zero();
                let no_ask = q.ask.is_zero() && q.ask_size.is_zero();
                let extra = q.exchange.0 != 0 || q.suspicious;
                let sides = flag(no_bid, NO_BID) | flag(no_ask, NO_ASK);
                let tag = KIND_QUOTE | flag(is_raw, RAW) | flag(extra, EXTRA) | same | sides;
                let mut piece = self.begin(tag, at, q.ts, id);
                if extra {
                    piece.put(u64::from(q.exchange.0) << 1 | u64::from(q.suspicious));
                }
                let last = self.last(id);
                if !no_bid {
                    put_level(&mut piece, bid);
                    last.bid = q.bid.raw();
                }
                if !no_ask {
                    put_level(&mut piece, ask);
                    last.ask = q.ask.raw();
                }
                if is_raw {
                    // A later record in units must start from a multiple: forget what is none.
                    *last = Last { frame: last.frame, ..Last::default() };
                }
                out.extend_from_slice(piece.bytes());
            }
            MarketData::Trade(t) => {
                if t.size.is_negative() {
                    return false;
                }
                let level = in_steps(&steps, t.price, t.size, self.last(id).price);
                let extra =
                    t.exchange.0 != 0 || t.suspicious || t.aggressor.is_some() || t.condition != 0;
                let raw = flag(level.is_none(), RAW);
                let mut piece =
                    self.begin(KIND_TRADE | raw | flag(extra, EXTRA) | same, at, t.ts, id);
                if extra {
                    let aggressor = match t.aggressor {
                        None => 0,
                        Some(Side::Buy) => 1,
                        Some(Side::Sell) => 2,
                    };
                    piece.put(
                        u64::from(t.condition) << 11
                            | u64::from(t.exchange.0) << 3
                            | aggressor << 1
                            | u64::from(t.suspicious),
                    );
                }
                self.put_price(&mut piece, id, level, t.price, t.size);
                out.extend_from_slice(piece.bytes());
            }
            MarketData::Level(l) => {
                if l.size.is_negative() {
                    return false;
                }
                let level = in_steps(&steps, l.price, l.size, self.last(id).price);
                let extra = l.exchange.0 != 0 || l.more;
                let side = flag(l.side == Side::Sell, SELL);
                let action = flag(l.action == BookAction::Clear, CLEAR);
                let raw = flag(level.is_none(), RAW);
                let tag = KIND_LEVEL | raw | flag(extra, EXTRA) | same | side | action;
                let mut piece = self.begin(tag, at, l.ts, id);
                if extra {
                    piece.put(u64::from(l.exchange.0) << 1 | u64::from(l.more));
                }
                self.put_price(&mut piece, id, level, l.price, l.size);
                out.extend_from_slice(piece.bytes());
            }
            MarketData::Bar(b) => return self.encode_bar(at, b, steps, same, out),
            MarketData::QuoteBar(b) => return self.encode_quote_bar(at, b, steps, same, out),
            MarketData::Status(_) | MarketData::Gap(_) => return false,
        }
        true
    }

    /// What all records begin with.
    #[inline]
    fn begin(&mut self, tag: u8, at: Timestamp, ts: Timestamp, id: InstrumentId) -> Piece {
        let mut piece = Piece::new(tag);
        piece.put_signed(ts.nanos().wrapping_sub(self.ts) as i64);
        self.ts = ts.nanos();
        if self.stamped {
            piece.put_signed(at.nanos().wrapping_sub(self.at) as i64);
            self.at = at.nanos();
        }
        if tag & SAME == 0 {
            piece.put(u64::from(id.0));
            self.instrument = id.0;
        }
        piece
    }

    /// Price and size of a trade or book level; `level` is both in steps, where they are multiples.
    fn put_price(
        &mut self,
        piece: &mut Piece,
        id: InstrumentId,
        level: Option<(i64, u64)>,
        price: Price,
        size: Qty,
    ) {
        put_level(piece, level.unwrap_or_else(|| in_finest(price, size, 0)));
        if level.is_some() {
            self.last(id).price = price.raw();
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
        let unit = *self.steps.get(instrument.index())?;
        let raw = tag & RAW != 0;
        let extra = if tag & EXTRA != 0 { get(bytes)? } else { 0 };
        Some(Head { ts, at, instrument, raw, unit: if raw { Steps::FINEST } else { unit }, extra })
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

/// A price, as the way from `from`, and a size, both in steps; `None` if one is no multiple.
#[inline]
fn in_steps(steps: &Steps, price: Price, size: Qty, from: i64) -> Option<(i64, u64)> {
    Some((steps.price(price, from)?, steps.size(size)?))
}

/// The same in 1e-9. The way may wrap; so does the way back.
const fn in_finest(price: Price, size: Qty, from: i64) -> (i64, u64) {
    (price.raw().wrapping_sub(from), size.raw() as u64)
}

#[inline]
fn put_level(piece: &mut Piece, (price, size): (i64, u64)) {
    piece.put_signed(price);
    piece.put(size);
}

#[inline]
fn price(from: i64, count: i64, steps: Steps) -> Option<i64> {
    if steps.price.unit == 1 {
        // Raw differences may wrap; so does the way back.
        return Some(from.wrapping_add(count));
    }
    count.checked_mul(steps.price.unit)?.checked_add(from)
}

#[inline]
fn size(count: u64, steps: Steps) -> Option<i64> {
    i64::try_from(count).ok()?.checked_mul(steps.size.unit)
}

#[cfg(test)]
mod tests;
