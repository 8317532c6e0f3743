//! Settings of the venue, and the market that it makes up where it is given none.

use crate::feed::{GeneratedInstrument, GeneratedMarket};
use crate::types::{Nanos, Price, Qty, Timestamp};
use std::path::PathBuf;

/// A key and its secret: one account.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// `APCA-API-KEY-ID`.
    pub key: String,
    /// `APCA-API-SECRET-KEY`.
    pub secret: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(***)")
    }
}

/// When the market is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketClock {
    /// Always.
    Open,
    /// In the sessions of the US exchanges.
    Session,
}

/// How session time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// It is the machine's time; what lies before the start is history.
    Wall,
    /// Session seconds per second, from the data's first record on.
    Times(f64),
    /// The data as fast as it can be read.
    Max,
}

/// Settings of an Alpaca venue.
#[derive(Debug, Clone)]
pub struct AlpacaConfig {
    /// One account each.
    pub logins: Vec<Login>,
    /// Folder of the ledger; made if it is not there.
    pub state_dir: PathBuf,
    /// When the market is open.
    pub clock: MarketClock,
    /// How session time runs.
    pub pace: Pace,
    /// Requests in a minute for each account, from 1.
    pub rate: u32,
    /// Ids, news and the made-up market follow from it.
    pub seed: u64,
}

/// How far the made-up market reaches back before the venue's start.
const HISTORY: Nanos = Nanos::from_secs(2 * 3_600);
const PRICES: &[(&str, i64)] = &[
    ("AAPL", 190),
    ("AMZN", 185),
    ("BTC/USD", 64_000),
    ("GOOG", 172),
    ("IBM", 181),
    ("SPY", 545),
    ("TSLA", 240),
    ("XLK", 221),
];

/// The made-up market of a venue that starts at `now`: eight assets that tick a few times a second.
pub fn market(seed: u64, now: Timestamp) -> GeneratedMarket {
    let one = |&(symbol, price): &(&str, i64)| {
        let whole = Price::from_raw(price * crate::types::fixed::UNIT);
        let mut made = GeneratedInstrument::stock(symbol, whole);
        if symbol.contains('/') {
            made.instrument.lot = Qty::from_raw(Qty::whole(1).raw() / 1_000);
        }
        made
    };
    GeneratedMarket {
        start: now - HISTORY,
        interval: Nanos::from_millis(50),
        trade_every: 4,
        ..GeneratedMarket::new(seed, PRICES.iter().map(one).collect())
    }
}
