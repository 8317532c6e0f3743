//! The fields of one message, whatever the order of its keys.

use super::cursor::{Cursor, Fault, Kind};
use super::message::Decoder;
use super::tape::{self, CONSOLIDATED};
use crate::msg::{Bar, MarketData, Ohlc, Quote, Trade};
use crate::types::{InstrumentId, Nanos, NumberError, Price, Qty, Side, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Numbers of a message, by their place.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Price,
    Size,
    Bid,
    BidSize,
    Ask,
    AskSize,
    Open,
    High,
    Low,
    Close,
    Volume,
    Code,
}

impl Slot {
    const COUNT: usize = 12;

    const fn key(self) -> &'static str {
        match self {
            Self::Price => "p",
            Self::Size => "s",
            Self::Bid => "bp",
            Self::BidSize => "bs",
            Self::Ask => "ap",
            Self::AskSize => "as",
            Self::Open => "o",
            Self::High => "h",
            Self::Low => "l",
            Self::Close => "c",
            Self::Volume => "v",
            Self::Code => "code",
        }
    }
}

/// What a message held, whatever the order of its keys.
pub(super) struct Fields<'a> {
    pub kind: Cow<'a, [u8]>,
    pub symbol: Cow<'a, [u8]>,
    pub time: Option<Timestamp>,
    pub numbers: [i64; Slot::COUNT],
    pub present: u16,
    pub exchange: u8,
    pub taker: u8,
    pub status: u8,
    pub conditions: u32,
    pub whole_book: bool,
    pub text: Cow<'a, [u8]>,
    pub lists: BTreeSet<(String, String)>,
    /// The first value that does not fit.
    pub bad: Option<(&'static str, Fault)>,
}

impl Fields<'_> {
    pub fn number(&self, slot: Slot) -> Result<i64, String> {
        if self.present & (1 << slot as u16) == 0 {
            return Err(format!("field `{}` is missing", slot.key()));
        }
        Ok(self.numbers[slot as usize])
    }

    fn price(&self, slot: Slot) -> Result<Price, String> {
        self.number(slot).map(Price::from_raw)
    }

    fn size(&self, slot: Slot) -> Result<Qty, String> {
        match self.number(slot)? {
            size if size < 0 => Err(format!("field `{}` is below zero", slot.key())),
            size => Ok(Qty::from_raw(size)),
        }
    }

    pub fn time(&self) -> Result<Timestamp, String> {
        self.time.ok_or_else(|| "field `t` is missing".to_owned())
    }

    pub fn quote(&self, instrument: InstrumentId) -> Result<MarketData, String> {
        let (bid, bid_size) = side(self.price(Slot::Bid)?, self.size(Slot::BidSize)?);
        let (ask, ask_size) = side(self.price(Slot::Ask)?, self.size(Slot::AskSize)?);
        Ok(MarketData::Quote(Quote {
            ts: self.time()?,
            instrument,
            exchange: CONSOLIDATED,
            suspicious: false,
            bid,
            bid_size,
            ask,
            ask_size,
        }))
    }

    pub fn trade(&self, instrument: InstrumentId) -> Result<MarketData, String> {
        Ok(MarketData::Trade(Trade {
            ts: self.time()?,
            instrument,
            exchange: tape::exchange(self.exchange),
            suspicious: tape::is_doubtful(self.conditions),
            aggressor: match self.taker {
                b'B' => Some(Side::Buy),
                b'S' => Some(Side::Sell),
                _ => None,
            },
            price: self.price(Slot::Price)?,
            size: self.size(Slot::Size)?,
            condition: self.conditions,
        }))
    }

    /// The wire names the start of a bar, a record its end.
    pub fn bar(&self, instrument: InstrumentId, interval: Nanos) -> Result<MarketData, String> {
        Ok(MarketData::Bar(Bar {
            ts: self.time()? + interval,
            instrument,
            interval,
            price: Ohlc {
                open: self.price(Slot::Open)?,
                high: self.price(Slot::High)?,
                low: self.price(Slot::Low)?,
                close: self.price(Slot::Close)?,
            },
            volume: self.size(Slot::Volume)?,
        }))
    }
}

/// A side of a quote. A price of zero says that nobody is there; in a record it would say that nothing
/// changed, and a size of zero is what says so.
fn side(price: Price, size: Qty) -> (Price, Qty) {
    if price.is_zero() { (Price::from_raw(1), Qty::ZERO) } else { (price, size) }
}

impl Decoder {
    #[inline]
    pub(super) fn fields<'a, C: Cursor<'a>>(
        &mut self,
        cursor: &mut C,
    ) -> Result<Fields<'a>, Fault> {
        let mut fields = Fields {
            kind: Cow::Borrowed(b""),
            symbol: Cow::Borrowed(b""),
            time: None,
            numbers: [0; Slot::COUNT],
            present: 0,
            exchange: 0,
            taker: 0,
            status: 0,
            conditions: 0,
            whole_book: false,
            text: Cow::Borrowed(b""),
            lists: BTreeSet::new(),
            bad: None,
        };
        self.levels.clear();
        let mut left = cursor.open_map()?;
        while cursor.more(&mut left)? {
            let key = cursor.key()?;
            let kind = cursor.peek()?;
            match (&*key, kind) {
                (b"T", Kind::Text) => fields.kind = cursor.text()?,
                (b"S", Kind::Text) => fields.symbol = cursor.text()?,
                (b"t", Kind::Text | Kind::Time) => match keep("t", cursor.time(), &mut fields.bad)?
                {
                    Some(at) => fields.time = Some(at),
                    None => continue,
                },
                (b"x", Kind::Text) => fields.exchange = letter(&cursor.text()?),
                (b"tks", Kind::Text) => fields.taker = letter(&cursor.text()?),
                (b"sc", Kind::Text) => fields.status = letter(&cursor.text()?),
                (b"msg", Kind::Text) => fields.text = cursor.text()?,
                (b"c", Kind::List) => {
                    let mut codes = cursor.open_list()?;
                    while cursor.more(&mut codes)? {
                        let code = match cursor.peek()? {
                            Kind::Text => letter(&cursor.text()?),
                            _ => cursor.skip().map(|()| b'?')?,
                        };
                        fields.conditions |= tape::condition(code);
                    }
                }
                (b"b", Kind::List) => self.side(cursor, Side::Buy, &mut fields.bad)?,
                (b"a", Kind::List) => self.side(cursor, Side::Sell, &mut fields.bad)?,
                (b"r", Kind::Other) => fields.whole_book = cursor.truth()?,
                (_, Kind::Number) => match slot(&key) {
                    Some(slot) => {
                        if let Some(value) = keep(slot.key(), cursor.number(), &mut fields.bad)? {
                            fields.numbers[slot as usize] = value;
                            fields.present |= 1 << slot as u16;
                        }
                    }
                    None => cursor.skip()?,
                },
                // Channels of an acknowledgement; a market record has no key of that length.
                (name, Kind::List) if name.len() > 3 => {
                    let name = String::from_utf8_lossy(name).into_owned();
                    let mut items = cursor.open_list()?;
                    while cursor.more(&mut items)? {
                        if cursor.peek()? == Kind::Text {
                            let item = String::from_utf8_lossy(&cursor.text()?).into_owned();
                            fields.lists.insert((name.clone(), item));
                        } else {
                            cursor.skip()?;
                        }
                    }
                }
                _ => cursor.skip()?,
            }
        }
        Ok(fields)
    }

    fn side<'a, C: Cursor<'a>>(
        &mut self,
        cursor: &mut C,
        side: Side,
        bad: &mut Option<(&'static str, Fault)>,
    ) -> Result<(), Fault> {
        let mut levels = cursor.open_list()?;
        while cursor.more(&mut levels)? {
            let (mut price, mut size) = (None, None);
            let mut left = cursor.open_map()?;
            while cursor.more(&mut left)? {
                let key = cursor.key()?;
                match (&*key, cursor.peek()?) {
                    (b"p", Kind::Number) => price = keep("p", cursor.number(), bad)?,
                    (b"s", Kind::Number) => size = keep("s", cursor.number(), bad)?,
                    _ => cursor.skip()?,
                }
            }
            match (price, size) {
                (Some(price), Some(size)) if price > 0 && size >= 0 => {
                    self.levels.push((side, price, size));
                }
                _ => {
                    let fault = Fault::Number(NumberError::OutOfRange);
                    let _ = bad.get_or_insert(("b/a", fault));
                }
            }
        }
        Ok(())
    }
}

/// A value, or `None` for one that was passed over because it does not fit.
#[inline]
fn keep<T>(
    field: &'static str,
    value: Result<T, Fault>,
    bad: &mut Option<(&'static str, Fault)>,
) -> Result<Option<T>, Fault> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(fault @ Fault::Broken { .. }) => Err(fault),
        Err(fault) => {
            bad.get_or_insert((field, fault));
            Ok(None)
        }
    }
}

fn letter(text: &[u8]) -> u8 {
    text.first().copied().unwrap_or(0)
}

#[inline]
fn slot(key: &[u8]) -> Option<Slot> {
    Some(match key {
        b"p" => Slot::Price,
        b"s" => Slot::Size,
        b"bp" => Slot::Bid,
        b"bs" => Slot::BidSize,
        b"ap" => Slot::Ask,
        b"as" => Slot::AskSize,
        b"o" => Slot::Open,
        b"h" => Slot::High,
        b"l" => Slot::Low,
        b"c" => Slot::Close,
        b"v" => Slot::Volume,
        b"code" => Slot::Code,
        _ => return None,
    })
}
