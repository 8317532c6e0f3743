//! Messages of a data stream and rows of history to market records.

use super::cursor::{Cursor, Fault, Kind};
use super::fields::{Fields, Slot};
use super::json::Json;
use super::pack::Pack;
use super::symbols::Symbols;
use super::tape::{self, CONSOLIDATED};
use crate::msg::{BookAction, BookLevel, MarketData, SecurityStatus};
use crate::types::{InstrumentId, Nanos, Price, Qty, Side};
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
    pub(super) levels: Vec<(Side, i64, i64)>,
}

const MINUTE: Nanos = Nanos::from_secs(60);

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
