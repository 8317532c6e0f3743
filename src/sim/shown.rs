//! What the gateway was shown of the market, kept apart from it: the ground on which its decisions
//! are judged. After a restart it knows nothing until it has been shown again.

use crate::msg::MarketData;
use crate::types::{InstrumentId, Nanos, Price, Timestamp};
use std::collections::BTreeSet;

/// Quotes come from so many exchanges.
const EXCHANGES: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Bid and ask of each exchange, once it has quoted.
    touches: [Option<(Price, Price)>; EXCHANGES],
    updated: Option<Timestamp>,
    gap: bool,
    /// `None`: it was said in another process, and this one may not know.
    halted: Option<bool>,
    /// Something was said of halts, in whichever process.
    status: bool,
}

/// The market as it was delivered.
#[derive(Debug)]
pub struct Shown {
    seen: Vec<Seen>,
    stale_after: Nanos,
    /// Shares that were split: fills of before and prices of now are in different units.
    split: BTreeSet<InstrumentId>,
    /// When the last record was delivered.
    pub newest: Timestamp,
}

impl Shown {
    /// Nothing yet, of so many instruments, whose prices are good for `stale_after`.
    pub fn new(instruments: usize, stale_after: Nanos) -> Self {
        let seen = vec![Seen { halted: Some(false), ..Seen::default() }; instruments];
        Self { seen, stale_after, split: BTreeSet::new(), newest: Timestamp::ZERO }
    }

    /// A record is about to be delivered at `at`.
    pub fn hear(&mut self, at: Timestamp, record: &MarketData) {
        let Some(seen) = self.seen.get_mut(record.instrument().index()) else { return };
        seen.updated = Some(at);
        self.newest = at;
        match record {
            MarketData::Quote(quote) => {
                seen.gap = false;
                if let Some(touch) = seen.touches.get_mut(usize::from(quote.exchange.0)) {
                    *touch = Some((quote.bid, quote.ask));
                }
            }
            MarketData::Gap(_) => seen.gap = true,
            MarketData::Status(status) => (seen.halted, seen.status) = (Some(status.halted), true),
            _ => {}
        }
    }

    /// A new process may lack the last records.
    pub fn rebooted(&mut self) {
        for seen in &mut self.seen {
            let status = seen.status;
            *seen = Seen { halted: (!status).then_some(false), status, ..Seen::default() };
        }
    }

    /// A share is split: what was quoted before says nothing any more.
    pub fn split(&mut self, id: InstrumentId) {
        self.split.insert(id);
        if let Some(seen) = self.seen.get_mut(id.index()) {
            seen.touches = Default::default();
        }
    }

    /// Whether a share was split.
    pub fn is_split(&self, id: InstrumentId) -> bool {
        self.split.contains(&id)
    }

    /// The middle between the best bid and the best ask of all exchanges; `None` before all of them
    /// have quoted.
    pub fn mark(&self, id: InstrumentId) -> Option<Price> {
        let seen = self.seen.get(id.index())?;
        let mut best: Option<(i64, i64)> = None;
        for touch in seen.touches {
            let (bid, ask) = touch.map(|(bid, ask)| (bid.raw(), ask.raw()))?;
            best = Some(best.map_or((bid, ask), |(high, low)| (high.max(bid), low.min(ask))));
        }
        best.map(|(bid, ask)| Price::from_raw((bid + ask) / 2))
    }

    /// Why the price of an instrument is no ground for an order at `at`, if it is none.
    pub fn unfit(&self, id: InstrumentId, at: Timestamp) -> Option<&'static str> {
        let seen = self.seen.get(id.index())?;
        let old = seen.updated.is_some_and(|updated| updated + self.stale_after < at);
        // A halt may be opened by nothing; who says so is another question than the price.
        match (seen.halted, seen.gap, old) {
            (None | Some(true), ..) => None,
            (_, true, _) => Some("behind a gap"),
            (_, _, true) => Some("stale"),
            _ => None,
        }
    }

    /// Trading in an instrument is halted.
    pub fn halted(&self, id: InstrumentId) -> bool {
        self.seen.get(id.index()).is_some_and(|seen| seen.halted == Some(true))
    }
}
