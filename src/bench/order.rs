//! The way of an order: from the tick that makes it to the broker session, and the risk gate alone.

use super::latency::{Latencies, Schedule};
use super::replay::ticks;
use super::{BenchError, Rows, topology};
use crate::desk::{Cleared, Desk, Link, MarketEffect, NotSent};
use crate::journal::{Disk, Durability, Header, HeaderKind, Log, World};
use crate::msg::{Contingent, MarketData, NewOrder, OrderTerms, Report};
use crate::replay::ReplayError;
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, InstrumentId, Nanos, OrdType, OrderQty, Qty, Side,
    TimeInForce, Timestamp,
};
use crate::wiring::{Placement, Registry, closed_desk};
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Ticks offered, one each [`INTERVAL`]; about one in 200 makes an order.
const TICKS: u64 = 2_000_000;
const INTERVAL: Duration = Duration::from_nanos(1_000);
/// Orders judged by the risk gate alone.
const ORDERS: u32 = 500_000;

/// A disk that forgets: encoding and checksum are measured, `write()` is a row of its own.
struct Discard;

impl Write for Discard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Discard {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A link that notes when it was handed a request; nanoseconds since `base`, zero for none.
struct Stamped {
    link: Box<dyn Link>,
    base: Instant,
    handed: Arc<AtomicU64>,
}

impl Link for Stamped {
    fn start(&mut self, now: Timestamp) {
        self.link.start(now);
    }
    fn close(&mut self, now: Timestamp) {
        self.link.close(now);
    }
    fn on_market(&mut self, now: Timestamp, record: &MarketData) -> MarketEffect {
        self.link.on_market(now, record)
    }
    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        self.handed.store(self.base.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.link.send(now, cleared)
    }
    fn request_snapshot(&mut self, now: Timestamp) {
        self.link.request_snapshot(now);
    }
    fn poll(&mut self) -> Option<Report> {
        self.link.poll()
    }
    fn next_event(&self) -> Timestamp {
        self.link.next_event()
    }
    fn advance(&mut self, now: Timestamp) {
        self.link.advance(now);
    }
}

/// From a tick to the moment its order is handed to the broker session: market, agent, all checks,
/// order manager, journal record. `tick_to_order` counts from the moment the tick was due, of ticks at
/// equal distances, so that a slow one is not hidden by the wait before the next; `tick_to_order_service`
/// from the moment the lane took it, of ticks as fast as it takes them. Only ticks that make an order
/// count. The `write()` of the journal is in neither: its row is `journal_append`.
pub fn tick_to_order(registry: &Registry) -> Result<Rows, BenchError> {
    let mut schedule = Schedule::new(INTERVAL);
    let latency = orders(registry, || schedule.wait())?;
    let service = orders(registry, Instant::now)?;
    Ok(vec![("tick_to_order", latency.row()), ("tick_to_order_service", service.row())])
}

/// Latencies of the orders that a stream of ticks brings; `next` gives the moment from which the next
/// tick counts.
fn orders(registry: &Registry, mut next: impl FnMut() -> Instant) -> Result<Latencies, BenchError> {
    let topology = topology(registry)?;
    let kind = HeaderKind::Journal {
        build: String::new(),
        config: String::new(),
        feed: None,
        world: World::Open,
        follows: 0,
        anew: false,
    };
    let header = Header::new(kind, topology.names.instruments().clone());
    let log = Log::create(Box::new(Discard), &header, Durability::Process)?;
    let (base, handed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let board = topology.kill_board();
    let mut links: Vec<Box<dyn Link>> = Vec::new();
    for number in 0..topology.brokers.len() {
        if let Some(link) = topology.in_process(BrokerId(number as u8), &board, None)? {
            links.push(Box::new(Stamped { link, base, handed: Arc::clone(&handed) }));
        }
    }
    let mut lane = topology.lane(registry, Placement::All)?;
    if let Some(core) = &mut lane.core {
        core.oms.make_room();
    }
    let mut desk = Desk::new(lane, log, links, false);

    let mut latencies = Latencies::new()?;
    for (number, tick) in ticks(TICKS).enumerate() {
        if number == 0 {
            desk.boot(tick.ts(), 1, 1);
        }
        let from = next();
        desk.advance(tick.ts());
        desk.market(tick.ts(), &tick, true);
        let sent = handed.swap(0, Ordering::Relaxed);
        if sent > 0 {
            let sent = base + Duration::from_nanos(sent);
            latencies.add(sent.saturating_duration_since(from));
        }
    }
    Ok(latencies)
}

/// One verdict of the whole chain on a new order.
pub fn risk_chain(registry: &Registry) -> Result<Rows, BenchError> {
    let topology = topology(registry)?;
    let mut desk = closed_desk(&topology, registry, &topology.kill_board(), None)
        .map_err(ReplayError::from)?;
    let first = ticks(1).next().ok_or_else(|| BenchError::Wrong("no tick".into()))?;
    desk.boot(first.ts(), 1, 1);
    desk.market(first.ts(), &first, true);
    let lane = &mut desk.lane;
    let (Some(core), market) = (&mut lane.core, &mut lane.market) else {
        return Err(BenchError::Wrong("the lane has no core".into()));
    };
    let mut latency = Latencies::new()?;
    for number in 0..ORDERS {
        let at = first.ts() + Nanos::from_millis(u64::from(number));
        market.apply(at, &first);
        let new = order(number);
        let start = Instant::now();
        let verdict = core.risk.review_new(at, &new, &core.oms, market);
        let span = start.elapsed();
        if let Err(reason) = black_box(verdict) {
            return Err(BenchError::Wrong(format!("the gate denied order {number}: {reason}")));
        }
        latency.add(span);
    }
    Ok(vec![("risk_chain", latency.row())])
}

fn order(number: u32) -> NewOrder {
    let agent = AgentId(AgentId::FIRST);
    NewOrder {
        cl_ord_id: ClientOrderId { instance: 1, epoch: 1, agent, seq: number },
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: u64::from(number),
        terms: OrderTerms {
            side: if number.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            qty: OrderQty::Units(Qty::whole(100_000)),
            ord_type: OrdType::Market,
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        },
        contingent: Contingent::None,
        parent: None,
    }
}
