//! Market data: what exchanges publish. All are `Copy`; a record's `ts` is the venue's time.

use crate::types::{ExchangeId, InstrumentId, Nanos, Price, Qty, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// One market record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketData {
    /// Best bid and ask of one exchange.
    Quote(Quote),
    /// A trade.
    Trade(Trade),
    /// Open, high, low, close of the trades of an interval.
    Bar(Bar),
    /// Open, high, low, close of bid and ask over an interval.
    QuoteBar(QuoteBar),
    /// One price level of a book.
    Level(BookLevel),
    /// Trading halted or resumed.
    Status(SecurityStatus),
    /// Records are missing here.
    Gap(Gap),
}

/// Best bid and ask of one exchange. A side whose price is zero did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Quote {
    /// Venue time.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Of which exchange.
    pub exchange: ExchangeId,
    /// The source marked it as doubtful: counted, kept out of the book.
    pub suspicious: bool,
    /// Best bid, or zero: unchanged.
    pub bid: Price,
    /// Displayed size at the bid; zero with a price: the bid is gone.
    pub bid_size: Qty,
    /// Best ask, or zero: unchanged.
    pub ask: Price,
    /// Displayed size at the ask; zero with a price: the ask is gone.
    pub ask_size: Qty,
}

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Trade {
    /// Venue time.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// On which exchange.
    pub exchange: ExchangeId,
    /// The source marked it as doubtful: counted, moves no price.
    pub suspicious: bool,
    /// Which side took liquidity, where the venue says.
    pub aggressor: Option<Side>,
    /// Price.
    pub price: Price,
    /// Size.
    pub size: Qty,
    /// The venue's sale condition as bits, kept for the record; 0 where it has none.
    pub condition: u32,
}

/// Open, high, low and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ohlc {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
}

/// A bar of trades. `ts` is the end of its interval: the moment it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Bar {
    /// End of the interval.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Length of the interval.
    pub interval: Nanos,
    /// Prices.
    pub price: Ohlc,
    /// Units traded.
    pub volume: Qty,
}

/// A bar of quotes. `ts` is the end of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct QuoteBar {
    /// End of the interval.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Length of the interval.
    pub interval: Nanos,
    /// Bid prices; all zero where there was no bid.
    pub bid: Ohlc,
    /// Size at the last bid.
    pub bid_size: Qty,
    /// Ask prices; all zero where there was no ask.
    pub ask: Ohlc,
    /// Size at the last ask.
    pub ask_size: Qty,
}

/// What a book record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookAction {
    /// The whole book of this exchange is empty; levels of a snapshot follow.
    Clear,
    /// The level now shows this size; zero removes it.
    Set,
}

/// One price level of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct BookLevel {
    /// Venue time.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Of which exchange.
    pub exchange: ExchangeId,
    /// What it does.
    pub action: BookAction,
    /// More records of the same update follow; the book is whole again with the last.
    pub more: bool,
    /// Bid or ask side.
    pub side: Side,
    /// The level.
    pub price: Price,
    /// Its new total size.
    pub size: Qty,
}

/// Trading halted or resumed (FIX f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct SecurityStatus {
    /// Venue time.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Halted now.
    pub halted: bool,
}

/// The feed knows that records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Gap {
    /// When it was noticed.
    pub ts: Timestamp,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// How many are missing, 0 where that is not known.
    pub missing: u64,
}

impl MarketData {
    /// A record that says nothing: what a reader holds before its first one.
    pub const BLANK: Self =
        Self::Gap(Gap { ts: Timestamp::ZERO, instrument: InstrumentId(0), missing: 0 });

    // `repr(C)` puts time and instrument of every kind at the same place: reading them needs no
    // branch on the kind.

    /// The venue's time.
    #[inline]
    pub const fn ts(&self) -> Timestamp {
        match self {
            Self::Quote(m) => m.ts,
            Self::Trade(m) => m.ts,
            Self::Bar(m) => m.ts,
            Self::QuoteBar(m) => m.ts,
            Self::Level(m) => m.ts,
            Self::Status(m) => m.ts,
            Self::Gap(m) => m.ts,
        }
    }

    /// The instrument it is about.
    #[inline]
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Quote(m) => m.instrument,
            Self::Trade(m) => m.instrument,
            Self::Bar(m) => m.instrument,
            Self::QuoteBar(m) => m.instrument,
            Self::Level(m) => m.instrument,
            Self::Status(m) => m.instrument,
            Self::Gap(m) => m.instrument,
        }
    }

    /// A record that says nothing: what a place for records holds before the first.
    pub const NOTHING: Self =
        Self::Gap(Gap { ts: Timestamp::ZERO, instrument: InstrumentId(0), missing: 0 });

    /// The same record at another time.
    #[must_use]
    pub const fn with_ts(mut self, ts: Timestamp) -> Self {
        match &mut self {
            Self::Quote(m) => m.ts = ts,
            Self::Trade(m) => m.ts = ts,
            Self::Bar(m) => m.ts = ts,
            Self::QuoteBar(m) => m.ts = ts,
            Self::Level(m) => m.ts = ts,
            Self::Status(m) => m.ts = ts,
            Self::Gap(m) => m.ts = ts,
        }
        self
    }

    /// The same record of another instrument.
    #[must_use]
    pub const fn with_instrument(mut self, id: InstrumentId) -> Self {
        self.set_instrument(id);
        self
    }

    /// Makes it a record of another instrument: feeds number instruments on their own.
    #[inline]
    pub const fn set_instrument(&mut self, id: InstrumentId) {
        match self {
            Self::Quote(m) => m.instrument = id,
            Self::Trade(m) => m.instrument = id,
            Self::Bar(m) => m.instrument = id,
            Self::QuoteBar(m) => m.instrument = id,
            Self::Level(m) => m.instrument = id,
            Self::Status(m) => m.instrument = id,
            Self::Gap(m) => m.instrument = id,
        }
    }
}
