//! The market data of the venue: when each record is due, and what it sets off.

use super::config::Pace;
use super::floor::AlpacaVenue;
use super::tape::Shown;
use crate::alpaca::Channel;
use crate::msg::MarketData;
use crate::types::{InstrumentId, Nanos, Timestamp};
use serde_json::{Value, json};

/// Where market records come from, in the order of their time.
pub type Source = Box<dyn Iterator<Item = Result<MarketData, String>> + Send>;

/// Records played in one go; whoever waits gets a turn behind them.
const BATCH: usize = 4_096;

/// The data and the pace at which it is played.
pub(super) struct Market {
    source: Source,
    next: Option<MarketData>,
    pace: Pace,
    /// The machine's time and session time at the same moment.
    origin: (Timestamp, Timestamp),
    position: u64,
    /// Records that a former run has played.
    played: u64,
    moved: bool,
    /// Recorded data waits for the first client, so that nobody misses its beginning.
    held: bool,
}

impl Market {
    pub fn new(source: Source, pace: Pace, played: u64) -> Self {
        let origin = (Timestamp::ZERO, Timestamp::ZERO);
        let held = pace != Pace::Wall;
        Self { source, next: None, pace, origin, position: 0, played, moved: false, held }
    }

    /// A client is there: session time runs from now on.
    pub fn release(&mut self, wall: Timestamp) {
        if std::mem::take(&mut self.held) {
            self.origin.0 = wall;
        }
    }

    /// Records played over the life of the ledger.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Position and time, where they changed since the last call.
    pub fn take_cursor(&mut self, now: Timestamp) -> Option<(u64, Timestamp)> {
        let resumes = self.pace != Pace::Wall;
        (std::mem::take(&mut self.moved) && resumes).then_some((self.position, now))
    }

    fn fetch(&mut self) -> Result<(), String> {
        self.next = self.source.next().transpose()?;
        Ok(())
    }

    fn speed(&self) -> f64 {
        match self.pace {
            Pace::Times(speed) => speed,
            Pace::Wall | Pace::Max => 1.0,
        }
    }

    /// Session time by the machine's clock, never past a record that is not played yet.
    fn session(&self, wall: Timestamp) -> Timestamp {
        let by_clock = match self.pace {
            Pace::Wall => wall,
            Pace::Times(_) | Pace::Max => {
                let passed = wall.since(self.origin.0).0 as f64 * self.speed();
                self.origin.1 + Nanos(passed as u64)
            }
        };
        self.next.map_or(by_clock, |record| by_clock.min(record.ts()))
    }

    /// When a moment of the session is there by the machine's clock.
    fn due(&self, at: Timestamp) -> Timestamp {
        match self.pace {
            Pace::Wall => at,
            Pace::Max if self.next.is_some() => Timestamp::ZERO,
            Pace::Times(_) | Pace::Max => {
                let span = at.since(self.origin.1).0 as f64 / self.speed();
                self.origin.0 + Nanos(span as u64)
            }
        }
    }

    /// When the next record, or this moment of the exchange, is due.
    pub fn next_event(&self, exchange: Option<Timestamp>) -> Option<Timestamp> {
        if self.held {
            return None;
        }
        let record = self.next.map(|record| record.ts());
        record.into_iter().chain(exchange).min().map(|at| self.due(at))
    }
}

impl AlpacaVenue {
    /// Shows the exchange what lies before the start: history, or what a former run has played.
    pub(super) fn begin_market(&mut self, now: Timestamp) -> Result<(), String> {
        self.market.fetch()?;
        while let Some(record) = self.market.next {
            let past = match self.market.pace {
                Pace::Wall => record.ts() <= now,
                Pace::Times(_) | Pace::Max => self.market.position < self.market.played,
            };
            if !past {
                break;
            }
            self.exchange.rebuild(&record);
            self.tape.apply(&record, self.exchange.touch(record.instrument()));
            self.market.position += 1;
            self.market.fetch()?;
        }
        let first = self.market.next.map_or(self.now, |record| record.ts());
        self.now = match self.market.pace {
            Pace::Wall => now.max(self.now),
            Pace::Times(_) | Pace::Max if self.market.played == 0 => first,
            Pace::Times(_) | Pace::Max => self.now,
        };
        self.market.origin = (now, self.now);
        self.news.begin(now, self.now, self.assets.all());
        Ok(())
    }

    /// Plays what is due by the machine's clock.
    pub(super) fn play(&mut self) -> Result<(), String> {
        if self.market.held {
            return Ok(());
        }
        for _ in 0..BATCH {
            let Some(record) = self.market.next else { break };
            if self.market.due(record.ts()) > self.wall {
                break;
            }
            self.market.position += 1;
            self.market.moved = true;
            if self.market.pace == Pace::Max {
                self.market.origin = (self.wall, record.ts());
            }
            self.exchange.on_market(&record, &mut self.out);
            self.now = self.exchange.now();
            let asset = record.instrument();
            if let Some(shown) = self.tape.apply(&record, self.exchange.touch(asset)) {
                self.publish(asset, shown);
            }
            if !self.out.is_empty() {
                self.follow();
            }
            self.market.fetch()?;
        }
        let session = self.market.session(self.wall).max(self.now);
        self.exchange.advance(session, &mut self.out);
        self.now = self.exchange.now();
        if !self.out.is_empty() {
            self.follow();
        }
        Ok(())
    }

    /// Tells the data streams.
    fn publish(&mut self, asset: InstrumentId, shown: Shown) {
        let crypto = self.assets.is_crypto(asset);
        let symbol = self.assets.get(asset).symbol.clone();
        let mut send = |channel: Channel, kind: &str, mut message: Value| {
            if self.sockets.wants(crypto, channel, &symbol) {
                message["T"] = kind.into();
                message["S"] = symbol.as_str().into();
                self.sockets.publish(crypto, channel, &symbol, &message);
            }
        };
        let bar = match shown {
            Shown::Quote(quote) => {
                send(Channel::Quotes, "q", quote.show(crypto));
                let side = |price, size| json!([{"p": super::bars::number(price), "s": super::bars::size(size)}]);
                if crypto {
                    let book = json!({
                        "t": quote.at.to_string(), "r": true,
                        "b": side(quote.bid, quote.bid_size), "a": side(quote.ask, quote.ask_size),
                    });
                    send(Channel::Orderbooks, "o", book);
                }
                None
            }
            Shown::Trade(trade, bar) => {
                send(Channel::Trades, "t", trade.show(crypto));
                bar
            }
            Shown::Bar(bar) => bar,
            Shown::Halted(halted) => {
                let (code, text) =
                    if halted { ("H", "Trading Halt") } else { ("T", "Trading Resumption") };
                let status = json!({
                    "sc": code, "sm": text, "rc": "", "rm": "", "t": self.now.to_string(), "z": "C",
                });
                send(Channel::Statuses, "s", status);
                None
            }
        };
        if let Some(bar) = bar {
            send(Channel::Bars, "b", bar.show());
            if let Some(day) = self.tape.strip(asset).bars.day {
                send(Channel::DailyBars, "d", day.show());
            }
        }
    }
}
