//! Keeps a book of differences in step with the snapshot it starts from.
//!
//! Differences arrive before the snapshot they belong to, so they are held until it comes. Then, as
//! the venue demands: those that end before the snapshot are dropped; the first that is applied must
//! reach over the snapshot's id (`first <= id <= last`); each one after it must name its
//! predecessor's last id. Where that fails, records are missing: a gap is told and all waits for a
//! new snapshot. In between the book of the last snapshot must not be trusted.

use crate::msg::{BookAction, BookLevel, Gap, MarketData};
use crate::types::{ExchangeId, InstrumentId, Price, Qty, Side, Timestamp};
use std::collections::VecDeque;

/// Differences held at most; of a longer wait the oldest are dropped, which the rule above notices.
const HELD: usize = 1 << 12;

/// A price level: its side, price and new size.
pub(super) type Level = (Side, Price, Qty);

/// A difference.
#[derive(Debug, Clone)]
pub(super) struct Update {
    /// Number of its first change.
    pub first: u64,
    /// Number of its last change.
    pub last: u64,
    /// `last` of the update before it.
    pub previous: u64,
    pub levels: Vec<Level>,
}

/// A whole book.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// The last change it contains.
    pub id: u64,
    pub levels: Vec<Level>,
}

#[derive(Debug)]
enum State {
    /// No snapshot yet, or a gap.
    Waiting(VecDeque<Update>),
    /// A snapshot stands; the first difference after it has not come.
    Placed(u64),
    /// In step up to this change.
    Following(u64),
}

/// One instrument's book.
#[derive(Debug)]
pub(super) struct BookSync {
    instrument: InstrumentId,
    state: State,
}

impl BookSync {
    pub fn new(instrument: InstrumentId) -> Self {
        Self { instrument, state: State::Waiting(VecDeque::new()) }
    }

    /// The book needs a snapshot.
    pub fn waits(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Differences have come that a snapshot is missing for.
    pub fn has_held(&self) -> bool {
        matches!(&self.state, State::Waiting(held) if !held.is_empty())
    }

    pub fn update(&mut self, ts: Timestamp, update: Update, out: &mut VecDeque<MarketData>) {
        let fits = match &mut self.state {
            State::Waiting(held) => {
                if held.len() == HELD {
                    held.pop_front();
                }
                held.push_back(update);
                return;
            }
            State::Placed(id) if update.last < *id => return,
            State::Placed(id) => update.first <= *id,
            State::Following(last) => update.previous == *last,
        };
        if fits {
            self.state = State::Following(update.last);
            self.levels(ts, false, &update.levels, out);
        } else {
            self.gap(ts, out);
            self.state = State::Waiting(VecDeque::from([update]));
        }
    }

    /// `false` if the snapshot is of no use: older than what is known, or than what is held.
    pub fn snapshot(
        &mut self,
        ts: Timestamp,
        snapshot: &Snapshot,
        out: &mut VecDeque<MarketData>,
    ) -> bool {
        match &self.state {
            State::Placed(id) | State::Following(id) if snapshot.id <= *id => return false,
            State::Waiting(held) => {
                let next = held.iter().find(|update| update.last >= snapshot.id);
                if next.is_some_and(|update| update.first > snapshot.id) {
                    self.gap(ts, out);
                    return false;
                }
            }
            State::Placed(_) | State::Following(_) => {}
        }
        self.levels(ts, true, &snapshot.levels, out);
        let before = std::mem::replace(&mut self.state, State::Placed(snapshot.id));
        if let State::Waiting(held) = before {
            for update in held {
                self.update(ts, update, out);
            }
        }
        true
    }

    fn gap(&self, ts: Timestamp, out: &mut VecDeque<MarketData>) {
        out.push_back(MarketData::Gap(Gap { ts, instrument: self.instrument, missing: 0 }));
    }

    /// One update: all its records but the last say that more follow.
    fn levels(&self, ts: Timestamp, clear: bool, levels: &[Level], out: &mut VecDeque<MarketData>) {
        let level = |action, more, (side, price, size): Level| {
            let (instrument, exchange) = (self.instrument, ExchangeId(0));
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
        if clear {
            let nothing = (Side::Buy, Price::ZERO, Qty::ZERO);
            out.push_back(level(BookAction::Clear, !levels.is_empty(), nothing));
        }
        for (at, one) in levels.iter().enumerate() {
            out.push_back(level(BookAction::Set, at + 1 < levels.len(), *one));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(first: u64, last: u64, previous: u64) -> Update {
        let level = (Side::Buy, Price::from_raw(last as i64), Qty::from_raw(1));
        Update { first, last, previous, levels: vec![level, level] }
    }

    fn snapshot(id: u64) -> Snapshot {
        Snapshot { id, levels: vec![(Side::Sell, Price::from_raw(-(id as i64)), Qty::from_raw(2))] }
    }

    /// The records in short: C clear, G gap, else the price; `+` where more follow.
    fn short(out: &mut VecDeque<MarketData>) -> String {
        let words = out.drain(..).map(|record| match record {
            MarketData::Level(l) => {
                let more = if l.more { "+" } else { "" };
                let clear = l.action == BookAction::Clear;
                if clear { format!("C{more}") } else { format!("{}{more}", l.price.raw()) }
            }
            _ => "G".into(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_snapshot_amid_the_stream_joins_held_and_coming_updates() {
        let (mut book, mut out) = (BookSync::new(InstrumentId(0)), VecDeque::new());
        book.update(Timestamp::ZERO, update(1, 5, 0), &mut out);
        book.update(Timestamp::ZERO, update(6, 9, 5), &mut out);
        book.update(Timestamp::ZERO, update(11, 12, 9), &mut out);
        assert!(out.is_empty() && book.waits());
        assert!(book.snapshot(Timestamp::ZERO, &snapshot(7), &mut out));
        assert_eq!(short(&mut out), "C+ -7 9+ 9 12+ 12");
        book.update(Timestamp::ZERO, update(14, 15, 12), &mut out);
        assert_eq!(short(&mut out), "15+ 15");
        assert!(!book.snapshot(Timestamp::ZERO, &snapshot(15), &mut out), "older is of no use");
        assert!(book.snapshot(Timestamp::ZERO, &snapshot(20), &mut out));
        book.update(Timestamp::ZERO, update(16, 18, 15), &mut out);
        book.update(Timestamp::ZERO, update(19, 22, 18), &mut out);
        assert_eq!(short(&mut out), "C+ -20 22+ 22");
    }

    #[test]
    fn a_missing_update_is_a_gap_until_the_next_snapshot() {
        let (mut book, mut out) = (BookSync::new(InstrumentId(0)), VecDeque::new());
        assert!(book.snapshot(Timestamp::ZERO, &snapshot(5), &mut out));
        book.update(Timestamp::ZERO, update(3, 5, 2), &mut out);
        assert_eq!(short(&mut out), "C+ -5 5+ 5");
        book.update(Timestamp::ZERO, update(8, 9, 7), &mut out);
        book.update(Timestamp::ZERO, update(10, 11, 9), &mut out);
        assert_eq!(short(&mut out), "G");
        assert!(book.waits());
        assert!(
            !book.snapshot(Timestamp::ZERO, &snapshot(7), &mut out),
            "too old for what is held"
        );
        assert_eq!(short(&mut out), "G");
        assert!(book.snapshot(Timestamp::ZERO, &snapshot(10), &mut out));
        assert_eq!(short(&mut out), "C+ -10 11+ 11");
    }

    #[test]
    fn a_snapshot_that_the_first_update_does_not_reach_is_a_gap() {
        let (mut book, mut out) = (BookSync::new(InstrumentId(0)), VecDeque::new());
        book.snapshot(Timestamp::ZERO, &Snapshot { id: 5, levels: vec![] }, &mut out);
        assert_eq!(short(&mut out), "C");
        book.update(Timestamp::ZERO, update(7, 8, 6), &mut out);
        assert_eq!(short(&mut out), "G");
    }
}
