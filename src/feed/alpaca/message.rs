//! Messages of a data stream and rows of history to market records.

use super::cursor::{Cursor, Fault, Kind};
use super::json::Json;
use super::pack::Pack;
use super::symbols::Symbols;
use super::tape::{self, CONSOLIDATED};
use crate::msg::{Bar, BookAction, BookLevel, MarketData, Ohlc, Quote, SecurityStatus, Trade};
use crate::types::{InstrumentId, Nanos, NumberError, Price, Qty, Side, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Text.
    #[default]
    Json,
    /// MessagePack.
    Msgpack,
}

/// What a data stream says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// `connected`, `authenticated`.
    Success(String),
    /// A code and its text.
    Error(u16, String),
    /// All that is subscribed to now: channel and symbol.
    Subscription(BTreeSet<(String, String)>),
}

/// Kinds of messages that become no record: told by count, and whole in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each says its own name")]
pub enum Other {
    UpdatedBar,
    DailyBar,
    Luld,
    Correction,
    CancelError,
    Imbalance,
    News,
    Status,
    Unlisted,
    Unknown,
}

impl Other {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::UpdatedBar,
        Self::DailyBar,
        Self::Luld,
        Self::Correction,
        Self::CancelError,
        Self::Imbalance,
        Self::News,
        Self::Status,
        Self::Unlisted,
        Self::Unknown,
    ];

    /// Its word in counts and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpdatedBar => "updated_bar",
            Self::DailyBar => "daily_bar",
            Self::Luld => "luld",
            Self::Correction => "correction",
            Self::CancelError => "cancel_error",
            Self::Imbalance => "imbalance",
            Self::News => "news",
            Self::Status => "status",
            Self::Unlisted => "unlisted",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that a frame said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A record.
    Record(MarketData),
    /// A message without a place among the records; of the instrument, where it is one of ours.
    Other(Other, Option<InstrumentId>),
    /// A message that lacks something or holds a number that does not fit: which field, and why.
    Unusable(Option<InstrumentId>, String),
    /// Of the stream itself.
    Control(Control),
}

/// A row of history: a message without kind and symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// A trade.
    Trade,
    /// A quote.
    Quote,
    /// A bar of this length.
    Bar(Nanos),
}

/// Reads frames. It keeps room for book levels, so that a frame costs no allocation.
#[derive(Debug, Default)]
pub struct Decoder {
    levels: Vec<(Side, i64, i64)>,
}

const MINUTE: Nanos = Nanos::from_secs(60);

/// Numbers of a message, by their place.
#[derive(Clone, Copy)]
enum Slot {
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
struct Fields<'a> {
    kind: Cow<'a, [u8]>,
    symbol: Cow<'a, [u8]>,
    time: Option<Timestamp>,
    numbers: [i64; Slot::COUNT],
    present: u16,
    exchange: u8,
    taker: u8,
    status: u8,
    conditions: u32,
    whole_book: bool,
    text: Cow<'a, [u8]>,
    lists: BTreeSet<(String, String)>,
    /// The first value that does not fit.
    bad: Option<(&'static str, Fault)>,
}

impl Fields<'_> {
    fn number(&self, slot: Slot) -> Result<i64, String> {
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

    fn time(&self) -> Result<Timestamp, String> {
        self.time.ok_or_else(|| "field `t` is missing".to_owned())
    }

    fn quote(&self, instrument: InstrumentId) -> Result<MarketData, String> {
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

    fn trade(&self, instrument: InstrumentId) -> Result<MarketData, String> {
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
    fn bar(&self, instrument: InstrumentId, interval: Nanos) -> Result<MarketData, String> {
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
    /// Reads a whole frame and hands out what it says, in order.
    ///
    /// # Errors
    /// The bytes are no frame of this encoding; what was handed out before is good.
    pub fn frame(
        &mut self,
        bytes: &[u8],
        encoding: Encoding,
        symbols: &Symbols,
        mut each: impl FnMut(Said),
    ) -> Result<(), String> {
        let read = match encoding {
            Encoding::Json => self.messages(&mut Json::new(bytes), symbols, &mut each),
            Encoding::Msgpack => self.messages(&mut Pack::new(bytes), symbols, &mut each),
        };
        read.map_err(|fault| format!("a frame cannot be read: {fault}"))
    }

    /// Reads one row of history, in JSON.
    ///
    /// # Errors
    /// The field, and why it does not fit.
    pub fn row(&mut self, bytes: &[u8], row: Row, id: InstrumentId) -> Result<MarketData, String> {
        let mut cursor = Json::new(bytes);
        let fields = self.fields(&mut cursor).map_err(|fault| fault.to_string())?;
        if let Some((field, fault)) = &fields.bad {
            return Err(format!("field `{field}`: {fault}"));
        }
        match row {
            Row::Trade => fields.trade(id),
            Row::Quote => fields.quote(id),
            Row::Bar(length) => fields.bar(id, length),
        }
    }

    fn messages<'a, C: Cursor<'a>>(
        &mut self,
        cursor: &mut C,
        symbols: &Symbols,
        each: &mut impl FnMut(Said),
    ) -> Result<(), Fault> {
        if cursor.peek()? == Kind::Map {
            self.message(cursor, symbols, each)?;
        } else {
            let mut left = cursor.open_list()?;
            while cursor.more(&mut left)? {
                self.message(cursor, symbols, each)?;
            }
        }
        cursor.end()
    }

    #[inline]
    fn message<'a, C: Cursor<'a>>(
        &mut self,
        cursor: &mut C,
        symbols: &Symbols,
        each: &mut impl FnMut(Said),
    ) -> Result<(), Fault> {
        let fields = self.fields(cursor)?;
        let id = symbols.find(&fields.symbol);
        let record = match (&*fields.kind, id) {
            (b"q" | b"t" | b"b" | b"o" | b"s", None) => {
                each(Said::Other(Other::Unlisted, None));
                return Ok(());
            }
            (b"q" | b"t" | b"b" | b"o" | b"s", _) if fields.bad.is_some() => {
                let why = fields.bad.as_ref().map(|(field, why)| format!("field `{field}`: {why}"));
                Err(why.unwrap_or_default())
            }
            (b"q", Some(id)) => fields.quote(id),
            (b"t", Some(id)) => fields.trade(id),
            (b"b", Some(id)) => fields.bar(id, MINUTE),
            (b"o", Some(id)) => self.book(&fields, id, each),
            (b"s", Some(instrument)) => match (tape::halts(fields.status), fields.time()) {
                (None, _) => {
                    each(Said::Other(Other::Status, id));
                    return Ok(());
                }
                (Some(halted), ts) => {
                    ts.map(|ts| MarketData::Status(SecurityStatus { ts, instrument, halted }))
                }
            },
            _ => {
                each(other(id, &fields));
                return Ok(());
            }
        };
        each(match record {
            Ok(record) => Said::Record(record),
            Err(why) => Said::Unusable(id, why),
        });
        Ok(())
    }

    /// Hands out all levels of an update but the last, which is given back. A snapshot clears first.
    fn book(
        &self,
        fields: &Fields<'_>,
        instrument: InstrumentId,
        each: &mut impl FnMut(Said),
    ) -> Result<MarketData, String> {
        let ts = fields.time()?;
        let level = |action, side, price, size, more| {
            let (price, size) = (Price::from_raw(price), Qty::from_raw(size));
            let exchange = CONSOLIDATED;
            MarketData::Level(BookLevel {
                ts,
                instrument,
                exchange,
                action,
                more,
                side,
                price,
                size,
            })
        };
        let clear = level(BookAction::Clear, Side::Buy, 0, 0, !self.levels.is_empty());
        let Some((&(side, price, size), rest)) = self.levels.split_last() else {
            return if fields.whole_book { Ok(clear) } else { Err("no level in it".to_owned()) };
        };
        if fields.whole_book {
            each(Said::Record(clear));
        }
        for &(side, price, size) in rest {
            each(Said::Record(level(BookAction::Set, side, price, size, true)));
        }
        Ok(level(BookAction::Set, side, price, size, false))
    }

    #[inline]
    fn fields<'a, C: Cursor<'a>>(&mut self, cursor: &mut C) -> Result<Fields<'a>, Fault> {
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

#[cold]
fn other(id: Option<InstrumentId>, fields: &Fields<'_>) -> Said {
    let text = String::from_utf8_lossy(&fields.text).into_owned();
    let kind = match &*fields.kind {
        b"success" => return Said::Control(Control::Success(text)),
        b"error" => {
            let code = fields.number(Slot::Code).unwrap_or(0) / Qty::whole(1).raw();
            return Said::Control(Control::Error(u16::try_from(code).unwrap_or(0), text));
        }
        b"subscription" => return Said::Control(Control::Subscription(fields.lists.clone())),
        b"u" => Other::UpdatedBar,
        b"d" => Other::DailyBar,
        b"l" => Other::Luld,
        b"c" => Other::Correction,
        b"x" => Other::CancelError,
        b"i" => Other::Imbalance,
        b"n" => Other::News,
        _ => Other::Unknown,
    };
    Said::Other(kind, id)
}
