//! Edges between threads: bounded lock-free queues, each with the overflow rule of its family, and
//! the way to wake a lane that sleeps.

use crate::actors::oms::OrderUpdate;
use crate::msg::{MarketData, OrderRequest, Report};
use crate::sync;
use crate::types::{AgentId, ClientOrderId, InstrumentId};
use crossbeam_queue::ArrayQueue;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::wiring::Idle;

/// Wakes a lane's thread if it sleeps.
#[derive(Debug, Default)]
pub struct Waker {
    thread: OnceLock<sync::Thread>,
    asleep: sync::AtomicBool,
}

impl Waker {
    /// The calling thread is the lane.
    pub fn adopt(&self) {
        let _ = self.thread.set(sync::current());
    }

    /// Wakes the lane if it sleeps; costs one load otherwise.
    #[inline]
    pub fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    fn sleep(&self, longest: Duration, still_idle: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::SeqCst);
        if still_idle() {
            sync::park_timeout(longest);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// What a lane does when a turn brought nothing.
#[derive(Debug)]
pub struct Rest {
    idle: Idle,
    quiet: u32,
}

impl Rest {
    /// By the configured rule.
    pub const fn new(idle: Idle) -> Self {
        Self { idle, quiet: 0 }
    }

    /// The turn brought something.
    #[inline]
    pub const fn worked(&mut self) {
        self.quiet = 0;
    }

    /// The turn brought nothing. `still_idle` looks once more before the thread sleeps.
    pub fn rest(&mut self, waker: &Waker, still_idle: impl Fn() -> bool) {
        self.quiet = self.quiet.saturating_add(1);
        match self.idle {
            Idle::Spin => std::hint::spin_loop(),
            Idle::Backoff if self.quiet < 200 => std::hint::spin_loop(),
            Idle::Backoff if self.quiet < 400 => std::thread::yield_now(),
            Idle::Backoff => waker.sleep(Duration::from_millis(1), still_idle),
            Idle::Park => waker.sleep(Duration::from_millis(5), still_idle),
        }
    }
}

/// Market data to a lane. When the queue is full the newest quote of each exchange is kept and the
/// ones it replaces are counted; a trade, bar or level that finds no room is counted and told as a
/// gap. A producer on a live socket never waits.
#[derive(Debug)]
pub struct MarketEdge {
    queue: Arc<ArrayQueue<MarketData>>,
    waker: Arc<Waker>,
    merged: Arc<AtomicU64>,
    waiting: BTreeMap<(InstrumentId, u8), MarketData>,
    missing: BTreeMap<InstrumentId, (u64, MarketData)>,
}

impl MarketEdge {
    /// The producer's end.
    pub fn new(
        queue: Arc<ArrayQueue<MarketData>>,
        waker: Arc<Waker>,
        merged: Arc<AtomicU64>,
    ) -> Self {
        Self { queue, waker, merged, waiting: BTreeMap::new(), missing: BTreeMap::new() }
    }

    /// Waits for room: for files and seeds, which can wait. `false` once `stop` is set.
    pub fn push_waiting(&self, record: MarketData, stop: &AtomicBool) -> bool {
        let mut record = record;
        loop {
            match self.queue.push(record) {
                Ok(()) => {
                    self.waker.wake();
                    return true;
                }
                Err(back) => record = back,
            }
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            self.waker.wake();
            std::thread::yield_now();
        }
    }

    /// Never waits.
    pub fn push(&mut self, record: MarketData) {
        if (!self.waiting.is_empty() || !self.missing.is_empty()) && !self.flush() {
            self.conflate(record);
        } else if let Err(record) = self.queue.push(record) {
            self.conflate(record);
        }
        self.waker.wake();
    }

    /// Hands over what had to wait; `false` if some still does.
    pub fn flush(&mut self) -> bool {
        while let Some((&id, &(missing, last))) = self.missing.first_key_value() {
            let gap = crate::msg::Gap { ts: last.ts(), instrument: id, missing };
            if self.queue.push(MarketData::Gap(gap)).is_err() {
                return false;
            }
            self.missing.pop_first();
        }
        while let Some((&key, &record)) = self.waiting.first_key_value() {
            if self.queue.push(record).is_err() {
                return false;
            }
            self.waiting.remove(&key);
        }
        true
    }

    fn conflate(&mut self, record: MarketData) {
        self.merged.fetch_add(1, Ordering::Relaxed);
        let id = record.instrument();
        match record {
            MarketData::Quote(quote) => {
                let slot = self.waiting.entry((id, quote.exchange.0)).or_insert(record);
                if let MarketData::Quote(kept) = slot {
                    kept.ts = quote.ts;
                    if !(quote.bid.is_zero() && quote.bid_size.is_zero()) {
                        (kept.bid, kept.bid_size) = (quote.bid, quote.bid_size);
                    }
                    if !(quote.ask.is_zero() && quote.ask_size.is_zero()) {
                        (kept.ask, kept.ask_size) = (quote.ask, quote.ask_size);
                    }
                }
            }
            _ => {
                let missing = self.missing.entry(id).or_insert((0, record));
                missing.0 += 1;
                missing.1 = record;
            }
        }
    }
}

/// Requests of agents on other lanes to the core. The last [`Self::RESERVE`] places are for cancels.
#[derive(Debug, Clone)]
pub struct RequestEdge {
    queue: Arc<ArrayQueue<(AgentId, OrderRequest)>>,
    waker: Arc<Waker>,
}

impl RequestEdge {
    const RESERVE: usize = 64;

    /// A new edge to the lane behind `waker`.
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { queue: Arc::new(ArrayQueue::new(1024)), waker }
    }

    /// Hands a request over.
    ///
    /// # Errors
    /// Gives it back if there is no room for its kind.
    #[allow(clippy::result_large_err, reason = "the request itself goes back, rarely")]
    pub fn push(&self, from: AgentId, request: OrderRequest) -> Result<(), OrderRequest> {
        let free = self.queue.capacity() - self.queue.len();
        if !matches!(request, OrderRequest::Cancel(_)) && free <= Self::RESERVE {
            return Err(request);
        }
        let pushed = self.queue.push((from, request)).map_err(|(_, request)| request);
        self.waker.wake();
        pushed
    }

    /// The next request.
    pub fn pop(&self) -> Option<(AgentId, OrderRequest)> {
        self.queue.pop()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// An order update for an agent on another lane, with the name that a replace changed.
pub type Heard = (OrderUpdate, Option<ClientOrderId>);

/// Order updates for remote agents: from the core to the order entry. The core never waits for it:
/// what finds no room is lost, which the entry is told, and its programs learn their state anew.
#[derive(Debug)]
pub struct RemoteEdge {
    agents: Vec<AgentId>,
    heard: ArrayQueue<Heard>,
    lost: AtomicBool,
}

impl RemoteEdge {
    /// Updates that wait for the entry.
    const ROOM: usize = 1 << 16;

    /// For these agents.
    pub fn new(agents: Vec<AgentId>) -> Self {
        Self { agents, heard: ArrayQueue::new(Self::ROOM), lost: AtomicBool::new(false) }
    }

    /// Hands an update over, if it is about one of the agents.
    pub fn tell(&self, news: Heard) {
        if self.agents.contains(&news.0.route.agent) && self.heard.push(news).is_err() {
            self.lost.store(true, Ordering::SeqCst);
        }
    }

    /// The oldest update.
    pub fn next(&self) -> Option<Heard> {
        self.heard.pop()
    }

    /// Whether updates were lost since the last call.
    pub fn take_lost(&self) -> bool {
        self.lost.swap(false, Ordering::SeqCst)
    }
}

/// Reports of a broker to the core: never dropped, the broker's socket waits.
#[derive(Debug, Clone)]
pub struct ReportEdge {
    queue: Arc<ArrayQueue<Report>>,
    waker: Arc<Waker>,
}

impl ReportEdge {
    /// A new edge to the lane behind `waker`.
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { queue: Arc::new(ArrayQueue::new(16_384)), waker }
    }

    /// Hands a report over.
    ///
    /// # Errors
    /// Gives it back if the queue is full: wait and try again.
    pub fn push(&self, report: Report) -> Result<(), Report> {
        let pushed = self.queue.push(report);
        self.waker.wake();
        pushed
    }

    /// The next report.
    pub fn pop(&self) -> Option<Report> {
        self.queue.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msg::Quote;
    use crate::types::{ExchangeId, Price, Qty, Timestamp};

    fn quote(ts: u64, exchange: u8, bid: i64, ask: i64) -> MarketData {
        MarketData::Quote(Quote {
            ts: Timestamp::from_nanos(ts),
            instrument: InstrumentId(0),
            exchange: ExchangeId(exchange),
            suspicious: false,
            bid: Price::from_raw(bid),
            bid_size: Qty::from_raw(bid),
            ask: Price::from_raw(ask),
            ask_size: Qty::from_raw(ask),
        })
    }

    #[test]
    fn updates_for_programs_are_never_waited_for_and_a_loss_is_told() {
        let remote = RemoteEdge::new(vec![AgentId(2)]);
        let told = |agent| {
            let id = |seq| ClientOrderId { instance: 1, epoch: 1, agent: AgentId(agent), seq };
            let update = OrderUpdate {
                at: Timestamp::ZERO,
                cl_ord_id: id(1),
                route: crate::kill::Route {
                    broker: crate::types::BrokerId(0),
                    account: crate::types::AccountId(0),
                    agent: AgentId(agent),
                    instrument: InstrumentId(0),
                },
                side: crate::types::Side::Buy,
                exec_type: None,
                ord_status: crate::types::OrdStatus::New,
                last_qty: Qty::ZERO,
                last_px: Price::ZERO,
                cum_qty: Qty::ZERO,
                leaves_qty: Qty::ZERO,
                reason: None,
            };
            (update, None)
        };
        remote.tell(told(3));
        assert!(remote.next().is_none(), "another agent's");
        (0..RemoteEdge::ROOM).for_each(|_| remote.tell(told(2)));
        assert!(!remote.take_lost());
        remote.tell(told(2));
        assert!(remote.take_lost() && !remote.take_lost());
        assert_eq!(std::iter::from_fn(|| remote.next()).count(), RemoteEdge::ROOM);
    }

    #[test]
    fn a_full_queue_merges_counts_and_keeps_the_newest() {
        let queue = Arc::new(ArrayQueue::new(2));
        let merged = Arc::new(AtomicU64::new(0));
        let mut edge = MarketEdge::new(Arc::clone(&queue), Arc::default(), Arc::clone(&merged));
        for ts in 0..2 {
            edge.push(quote(ts, 0, 10, 12));
        }
        edge.push(quote(2, 0, 11, 0));
        edge.push(quote(3, 1, 9, 13));
        edge.push(quote(4, 0, 0, 14));
        assert_eq!(merged.load(Ordering::Relaxed), 3);
        while queue.pop().is_some() {}
        assert!(edge.flush());
        let kept: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(kept, [quote(4, 0, 11, 14), quote(3, 1, 9, 13)], "sides merge, newest wins");
    }

    #[test]
    fn the_last_places_are_for_cancels() {
        let edge = RequestEdge::new(Arc::default());
        let id = ClientOrderId { instance: 1, epoch: 1, agent: AgentId(2), seq: 1 };
        let cancel = OrderRequest::Cancel(crate::msg::CancelOrder::of(id));
        let replace = OrderRequest::Replace(crate::msg::ReplaceOrder {
            orig_cl_ord_id: id,
            cl_ord_id: id,
            intent: 1,
            terms: crate::msg::OrderTerms {
                side: crate::types::Side::Buy,
                qty: crate::types::OrderQty::Units(Qty::whole(1)),
                ord_type: crate::types::OrdType::Market,
                tif: crate::types::TimeInForce::Day,
                expire_at: None,
                extended_hours: false,
            },
        });
        let mut taken = 0;
        while edge.push(AgentId(2), replace).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 1024 - RequestEdge::RESERVE);
        for _ in 0..RequestEdge::RESERVE {
            assert!(edge.push(AgentId(2), cancel).is_ok());
        }
        assert!(edge.push(AgentId(2), cancel).is_err());
    }
}
