//! The topology on one screen, for `qtos check`.

use super::config::Idle;
use super::topology::{FeedSource, LaneId, Topology, Venue};
use crate::types::LimitRow;
use std::fmt;

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spin => "spin",
            Self::Backoff => "backoff",
            Self::Park => "park",
        })
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, currency) = (self.mode.name(), self.currency.as_str());
        let (journal, rotation) = (self.durability, self.rotation);
        writeln!(f, "mode {mode}, account currency {currency}, journal {journal}")?;
        writeln!(f, "another journal file: {rotation}")?;
        writeln!(f, "a trading day begins at {}", self.day_start)?;
        if let Some(entry) = &self.entry {
            let (listen, rate) = (entry.listen, entry.rate);
            writeln!(f, "Alpaca order entry at {listen}, {rate} requests a minute for each agent")?;
        }
        self.write_instruments(f)?;
        self.write_feeds(f)?;
        for lane in 0..self.lanes.len() {
            self.write_lane(f, LaneId(lane as u8))?;
        }
        self.write_brokers(f)
    }
}

impl Topology {
    fn write_instruments(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ninstruments")?;
        for (id, i) in self.names.instruments().iter() {
            let mark = self.fx.iter().find(|mark| mark.instrument == id);
            let mark = mark.map_or(String::new(), |m| format!(", mark of {}", m.currency.as_str()));
            let currency = i.currency.as_str();
            let (symbol, tick, lot, multiplier) = (&i.symbol, i.tick, i.lot, i.multiplier);
            let trades = i.calendar.name();
            writeln!(
                f,
                "  {symbol:<12} tick {tick}, lot {lot}, x{multiplier}, {currency}{mark}, trades {trades}"
            )?;
        }
        Ok(())
    }

    fn write_feeds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nfeeds")?;
        if self.feeds.is_empty() {
            writeln!(f, "  none: the command line names a recording")?;
        }
        for feed in &self.feeds {
            let source = match &feed.source {
                FeedSource::Recording(file) => format!("recording {}", file.display()),
                FeedSource::Generated(_) => "generated".to_owned(),
                FeedSource::Sandbox(addr) => format!("sandbox venue at {addr}"),
                FeedSource::Alpaca(feed) => feed.to_string(),
            };
            writeln!(f, "  {:<12} {source}{}", feed.name, driven(feed.on_core))?;
        }
        writeln!(f, "    | market data: bounded queue, conflates when full")
    }

    fn write_lane(&self, f: &mut fmt::Formatter<'_>, id: LaneId) -> fmt::Result {
        let lane = &self.lanes[id.index()];
        writeln!(f, "    v\nlane {} ({})", lane.name, lane.idle)?;
        if id == LaneId::CORE {
            writeln!(f, "  market")?;
        }
        for agent in self.agents.iter().filter(|agent| agent.lane == id) {
            let symbols: Vec<&str> =
                agent.symbols.iter().map(|&symbol| self.names.symbol(symbol)).collect();
            let (name, kind, account) =
                (&agent.name, &agent.kind, self.names.account(agent.account));
            writeln!(f, "  agent {name} ({kind}) on {} for {account}", symbols.join(", "))?;
        }
        if id == LaneId::CORE {
            writeln!(f, "  risk")?;
            for row in &self.limits {
                self.write_limit(f, row)?;
            }
            writeln!(f, "  order manager")?;
        } else {
            writeln!(
                f,
                "    | requests: bounded queue to lane core, refuses new orders as busy when full"
            )?;
        }
        Ok(())
    }

    fn write_limit(&self, f: &mut fmt::Formatter<'_>, row: &LimitRow) -> fmt::Result {
        let scope = self.names.scope_name(row.scope);
        writeln!(f, "    {:<17} {scope:<16} {}", row.control, row.value)
    }

    fn write_brokers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    | orders: journal record, kill permit, then the write")?;
        writeln!(f, "    ^ reports: bounded queue, never dropped\n\nbrokers")?;
        for (broker, name) in self.brokers.iter().zip(self.names.brokers()) {
            let venue = match &broker.venue {
                Venue::InProcess(_) => "sandbox in this process".to_owned(),
                Venue::Remote(addr) => format!("sandbox venue at {addr}"),
                Venue::Alpaca(spec) => {
                    format!("Alpaca at {}, {} requests a minute", spec.endpoint, spec.rate)
                }
            };
            let accounts: Vec<&str> = self
                .accounts
                .iter()
                .filter(|account| self.names.broker(account.broker) == name)
                .map(|account| account.name.as_str())
                .collect();
            let accounts = accounts.join(", ");
            writeln!(
                f,
                "  {name:<12} {venue}{}, accounts {accounts}; in doubt after {}",
                driven(broker.on_core),
                broker.ack_timeout
            )?;
        }
        Ok(())
    }
}

/// Who drives a connection, where that is not an actor of its own.
const fn driven(on_core: bool) -> &'static str {
    if on_core { ", on lane core" } else { "" }
}
