//! Settings of the venue.

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
    /// Folder of the ledger; made if it is not there. Without one all is gone with the venue.
    pub state_dir: Option<PathBuf>,
    /// When the market is open.
    pub clock: MarketClock,
    /// How session time runs.
    pub pace: Pace,
    /// Requests in a minute for each account, from 1.
    pub rate: u32,
    /// Ids, news and the made-up market follow from it.
    pub seed: u64,
}
