//! Instruments and their table: names are interned once, sorted, so that ids never depend on order
//! of mention.

use super::{Calendar, InstrumentId, Price, Qty};
use serde::{Deserialize, Serialize};

/// An ISO 4217 code or a coin's ticker, up to eight characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency([u8; 8]);

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(*b"USD\0\0\0\0\0");

    /// A code of 1 to 8 letters or digits; upper-cased.
    pub fn new(code: &str) -> Option<Self> {
        let code = code.to_ascii_uppercase();
        let valid =
            (1..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| {
            let mut bytes = [0; 8];
            bytes[..code.len()].copy_from_slice(code.as_bytes());
            Self(bytes)
        })
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can be traded and in which steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The gateway's name for it, upper case.
    pub symbol: String,
    /// Smallest price step, above zero.
    pub tick: Price,
    /// Smallest quantity step, above zero.
    pub lot: Qty,
    /// Value of one unit at price 1; 1 for stocks.
    pub multiplier: u32,
    /// Currency of price and profit.
    pub currency: Currency,
    /// When it trades.
    pub calendar: Calendar,
}

/// All instruments of a session, sorted by symbol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InstrumentTable(Vec<Instrument>);

impl InstrumentTable {
    /// Sorts and numbers them.
    ///
    /// # Errors
    /// The symbol that is there twice, or the reason why there are too many.
    pub fn new(mut instruments: Vec<Instrument>) -> Result<Self, String> {
        instruments.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        if let Some(pair) = instruments.windows(2).find(|pair| pair[0].symbol == pair[1].symbol) {
            return Err(format!("instrument `{}` is listed twice", pair[0].symbol));
        }
        if instruments.len() > usize::from(u16::MAX) {
            return Err(format!("{} instruments are more than 65535", instruments.len()));
        }
        Ok(Self(instruments))
    }

    /// The instrument with this id. Ids come from this table, so it is there.
    pub fn get(&self, id: InstrumentId) -> &Instrument {
        &self.0[id.index()]
    }

    /// The id of a symbol.
    pub fn find(&self, symbol: &str) -> Option<InstrumentId> {
        self.0
            .binary_search_by(|i| i.symbol.as_str().cmp(symbol))
            .ok()
            .and_then(|at| u16::try_from(at).ok())
            .map(InstrumentId)
    }

    /// Whether books of `other` go on under this table: the same instruments, whose hours may differ.
    pub fn fits(&self, other: &Self) -> bool {
        let same = |(a, b): (&Instrument, &Instrument)| {
            Instrument { calendar: b.calendar, ..a.clone() } == *b
        };
        self.len() == other.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentId, &Instrument)> {
        self.0.iter().enumerate().map(|(at, i)| (InstrumentId(at as u16), i))
    }
}
