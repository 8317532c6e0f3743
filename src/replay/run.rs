//! Replays a feed against brokers in this process.

use super::report::Report;
use crate::desk::Desk;
use crate::feed::{Feed, FeedError, Mapped};
use crate::msg::MarketData;
use crate::types::AgentId;
use crate::view::{AgentSummary, Summary};
use crate::wiring::{AssemblyError, Names, Registry, Topology, closed_desk};
use std::collections::BTreeMap;
use std::time::Duration;

/// Records between two looks at the progress.
const WATCH: u64 = 1 << 14;

/// What came of a replay.
#[derive(Debug)]
pub struct Outcome {
    /// The desk as the replay left it.
    pub desk: Desk,
    /// What happened, in figures.
    pub report: Report,
    /// Records passed over because the configuration does not list their symbol.
    pub unlisted: u64,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] AssemblyError),
    /// The feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Replays `feed` to its end. `watch` is shown the feed now and then.
///
/// # Errors
/// The configuration or the feed.
pub fn run<F: Feed>(
    topology: &Topology,
    registry: &Registry,
    feed: F,
    watch: &mut dyn FnMut(&F),
) -> Result<Outcome, ReplayError> {
    let desk = closed_desk(topology, registry, &topology.kill_board(), None)?;
    run_on(desk, topology, feed, watch)
}

/// As [`run`], on a desk that was made ready for it.
///
/// # Errors
/// The feed.
pub fn run_on<F: Feed>(
    mut desk: Desk,
    topology: &Topology,
    feed: F,
    watch: &mut dyn FnMut(&F),
) -> Result<Outcome, ReplayError> {
    let mut feed = Mapped::new(feed, topology.names.instruments().clone());
    let mut report = Report::new(topology.accounts.len(), topology.day_start);
    let mut booted = false;
    let mut record = MarketData::NOTHING;
    while feed.next_into(&mut record)? {
        let at = record.ts().max(desk.now());
        if !booted {
            booted = true;
            desk.boot(at, 0, 0);
        }
        desk.advance(at);
        report.before(at, &desk);
        desk.market(at, &record, true);
        if desk.events().is_multiple_of(WATCH) {
            watch(feed.feed());
        }
    }
    desk.advance(desk.now());
    report.end(&desk);
    Ok(Outcome { desk, report, unlisted: feed.unlisted() })
}

/// The summary of a run.
pub fn summary(desk: &Desk, names: &Names, elapsed: Duration) -> Summary {
    let seconds = elapsed.as_secs_f64();
    let events = desk.events();
    let mut agents = BTreeMap::new();
    let (mut orders, mut fills, mut denied) = (0, 0, 0);
    let mut pnl = crate::types::Notional::ZERO;
    if let Some(core) = &desk.lane.core {
        let tally = core.tally();
        (orders, denied) = (tally.orders, tally.denied);
        fills = core.oms.fills().len() as u64;
        for (number, name) in names.agents().iter().enumerate() {
            let id = AgentId(number as u16);
            let own_orders = core.oms.orders().iter().filter(|order| order.route.agent == id);
            let own_fills = core
                .oms
                .fills()
                .iter()
                .filter(|fill| core.oms.orders()[fill.order as usize].route.agent == id);
            let row = AgentSummary {
                orders: own_orders.count() as u64,
                fills: own_fills.count() as u64,
                pnl: core.oms.books.agent_pnl(id, &desk.lane.market),
            };
            pnl = pnl.saturating_add(row.pnl);
            if id.0 >= AgentId::FIRST || row.orders > 0 || row.fills > 0 || !row.pnl.is_zero() {
                agents.insert(name.clone(), row);
            }
        }
    }
    Summary {
        events,
        seconds,
        events_per_second: if seconds > 0.0 { (events as f64 / seconds).round() } else { 0.0 },
        orders,
        fills,
        denied,
        pnl,
        digest: crate::feed::hex(&desk.digest()),
        agents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(seconds: u64) -> Summary {
        let registry = Registry::standard();
        let text = include_str!("../../config/sandbox.toml");
        let topology = Topology::parse("sandbox.toml", text, &registry.vocabulary()).unwrap();
        let open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
        struct First(Box<dyn Feed>, u64);
        impl Feed for First {
            fn instruments(&self) -> &crate::types::InstrumentTable {
                self.0.instruments()
            }
            fn next(&mut self) -> Result<Option<crate::msg::MarketData>, FeedError> {
                self.1 = self.1.saturating_sub(1);
                if self.1 == 0 { Ok(None) } else { self.0.next() }
            }
        }
        let feed = First(open.feed, seconds * 100);
        let outcome = run(&topology, &registry, feed, &mut |_| {}).unwrap();
        summary(&outcome.desk, &topology.names, Duration::from_secs(1))
    }

    /// INV-7: the same feed and config give the same decisions and state.
    #[test]
    fn the_demo_trades_and_repeats() {
        let (first, second) = (demo(600), demo(600));
        println!("{first:#?}");
        assert!(first.orders > 10 && first.fills > 10);
        assert_eq!(first, second);
    }
}
