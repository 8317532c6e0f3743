//! The market of a session: prices that walk, jump, stall and come twice.

use super::agent::POISON;
use super::dice::Dice;
use super::fault::Fault;
use super::plan::INTERVAL;
use crate::msg::{Gap, MarketData, Quote, SecurityStatus, Trade};
use crate::types::{ExchangeId, InstrumentId, InstrumentTable, Nanos, Price, Qty, Timestamp};

/// The market.
#[derive(Debug)]
pub struct SimMarket {
    instruments: InstrumentTable,
    /// Middle of each instrument.
    pub prices: Vec<Price>,
    dice: Dice,
    /// What goes wrong has chances of its own: the market itself stays the same.
    trouble: Dice,
    /// When the next record comes.
    pub next: Timestamp,
    left: u64,
    silent: Timestamp,
    /// Instruments that are halted and until when.
    halts: Vec<Timestamp>,
    /// What comes before the next regular record.
    odd: Vec<MarketData>,
    last: Option<MarketData>,
}

impl SimMarket {
    /// A market of so many records.
    pub fn new(seed: u64, instruments: InstrumentTable, records: u64, start: Timestamp) -> Self {
        let mut dice = Dice::new(seed, 3);
        let prices = instruments
            .iter()
            .map(|(_, instrument)| {
                let tick = instrument.tick.raw();
                Price::from_raw(dice.between(2_000, 20_000) as i64 * tick)
            })
            .collect();
        let halts = vec![Timestamp::ZERO; instruments.len()];
        Self {
            instruments,
            prices,
            dice,
            trouble: Dice::new(seed, 8),
            next: start,
            left: records,
            silent: Timestamp::ZERO,
            halts,
            odd: Vec::new(),
            last: None,
        }
    }

    /// The market alone, as nothing that goes wrong on the way here changes it.
    pub fn records(mut self) -> impl Iterator<Item = MarketData> + Send {
        let mut batch = Vec::new();
        std::iter::from_fn(move || {
            while batch.is_empty() && self.next < Timestamp::MAX {
                self.take(self.next, &mut batch);
            }
            batch.pop()
        })
    }

    /// Begins a fault.
    pub fn inject(&mut self, now: Timestamp, fault: Fault) {
        let id = InstrumentId(self.trouble.below(self.instruments.len() as u64) as u16);
        match fault {
            Fault::MarketGap => {
                self.odd.push(MarketData::Gap(Gap { ts: now, instrument: id, missing: 3 }));
            }
            Fault::MarketSilent => {
                self.silent = now + Nanos::from_millis(self.trouble.between(1_000, 12_000));
            }
            Fault::MarketDuplicate => self.odd.extend(self.last),
            Fault::MarketOld => {
                let mut quote = self.odd_quote(now, id);
                let past = now.nanos().saturating_sub(self.trouble.between(1, 3_600_000_000_000));
                quote.ts = Timestamp::from_nanos(past);
                self.odd.push(MarketData::Quote(quote));
            }
            Fault::MarketCrossed => {
                let quote = self.odd_quote(now, id);
                self.odd.push(MarketData::Quote(Quote { bid: quote.ask, ask: quote.bid, ..quote }));
            }
            Fault::MarketJump => {
                let tick = self.instruments.get(id).tick.raw();
                let factor = self.trouble.between(70, 140) as i64;
                let price = self.prices[id.index()].raw() / 100 * factor / tick * tick;
                self.prices[id.index()] = Price::from_raw(price.max(100 * tick));
            }
            Fault::MarketHalt => {
                self.halts[id.index()] = now + Nanos::from_millis(self.trouble.between(500, 9_000));
                let status = SecurityStatus { ts: now, instrument: id, halted: true };
                self.odd.push(MarketData::Status(status));
            }
            Fault::AgentPanic => {
                let (price, size) = (self.prices[id.index()], self.instruments.get(id).lot);
                self.odd.push(MarketData::Trade(Trade {
                    ts: now,
                    instrument: id,
                    exchange: ExchangeId(0),
                    suspicious: false,
                    aggressor: None,
                    price,
                    size,
                    condition: POISON,
                }));
            }
            _ => {}
        }
    }

    /// A share became `factor`.
    pub fn split(&mut self, id: InstrumentId, factor: i64) {
        let tick = self.instruments.get(id).tick.raw();
        let price = self.prices[id.index()].raw() / factor / tick * tick;
        self.prices[id.index()] = Price::from_raw(price.max(100 * tick));
    }

    /// A quote that the market itself does not make.
    fn odd_quote(&mut self, now: Timestamp, id: InstrumentId) -> Quote {
        std::mem::swap(&mut self.dice, &mut self.trouble);
        let quote = self.quote(now, id);
        std::mem::swap(&mut self.dice, &mut self.trouble);
        quote
    }

    fn quote(&mut self, now: Timestamp, id: InstrumentId) -> Quote {
        let instrument = self.instruments.get(id);
        let (tick, lot) = (instrument.tick.raw(), instrument.lot.raw());
        let mid = self.prices[id.index()].raw();
        let half = self.dice.between(1, 4) as i64 * tick;
        Quote {
            ts: now,
            instrument: id,
            exchange: ExchangeId(self.dice.below(2) as u8),
            suspicious: false,
            bid: Price::from_raw(mid - half),
            bid_size: Qty::from_raw(self.dice.between(1, 500) as i64 * lot),
            ask: Price::from_raw(mid + half),
            ask_size: Qty::from_raw(self.dice.between(1, 500) as i64 * lot),
        }
    }

    /// The records due now.
    pub fn take(&mut self, now: Timestamp, into: &mut Vec<MarketData>) {
        if self.left == 0 {
            self.next = Timestamp::MAX;
            return;
        }
        self.left -= 1;
        self.next = now + Nanos(self.dice.between(1, 2 * INTERVAL.0));
        let id = InstrumentId(self.dice.below(self.instruments.len() as u64) as u16);
        let record = self.walk(now, id);
        if now < self.silent {
            return;
        }
        into.append(&mut self.odd);
        for number in 0..self.halts.len() {
            if self.halts[number] > Timestamp::ZERO && self.halts[number] <= now {
                self.halts[number] = Timestamp::ZERO;
                let instrument = InstrumentId(number as u16);
                into.push(MarketData::Status(SecurityStatus {
                    ts: now,
                    instrument,
                    halted: false,
                }));
            }
        }
        self.last = Some(record);
        into.push(record);
    }

    /// The market's next move.
    fn walk(&mut self, now: Timestamp, id: InstrumentId) -> MarketData {
        let tick = self.instruments.get(id).tick.raw();
        let step = self.dice.between(0, 6) as i64 - 3;
        let price = &mut self.prices[id.index()];
        *price = Price::from_raw((price.raw() + step * tick).max(100 * tick));
        if self.dice.chance(150) {
            MarketData::Trade(Trade {
                ts: now,
                instrument: id,
                exchange: ExchangeId(0),
                suspicious: false,
                aggressor: None,
                price: self.prices[id.index()],
                size: self.instruments.get(id).lot,
                condition: 0,
            })
        } else {
            MarketData::Quote(self.quote(now, id))
        }
    }
}
