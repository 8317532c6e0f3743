//! A lane of agents away from the core: its own market view, its own thread, the same [`step`].

use super::clock::Clock;
use super::edge::{Heard, RequestEdge, Rest, Waker};
use super::status::{ActorState, ActorStatus};
use crate::actors::agent::REQUEST_BUDGET;
use crate::actors::{Lane, Outbox, step};
use crate::msg::{CancelOrder, Control, Input, MarketData, OrderRequest};
use crate::types::{AgentId, Reason, Timestamp};
use crate::wiring::Idle;
use crossbeam_queue::ArrayQueue;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the core lane holds of an agent lane.
#[derive(Debug)]
pub struct AgentEdges {
    /// Order updates, never dropped: a lane that does not take them is taken out.
    pub heard: ArrayQueue<Heard>,
    /// Control messages.
    pub control: ArrayQueue<Control>,
    /// Agents of this lane that broke.
    pub broken: ArrayQueue<AgentId>,
    /// Market data.
    pub market: Arc<ArrayQueue<MarketData>>,
    /// Records that were merged on the way.
    pub merged: Arc<AtomicU64>,
    /// Wakes the lane.
    pub waker: Arc<Waker>,
    /// Updates were lost: the lane's books are wrong, it must be made anew.
    pub lost: AtomicBool,
}

impl AgentEdges {
    /// New edges.
    pub fn new() -> Self {
        Self {
            heard: ArrayQueue::new(16_384),
            control: ArrayQueue::new(1024),
            broken: ArrayQueue::new(1024),
            market: Arc::new(ArrayQueue::new(4096)),
            merged: Arc::default(),
            waker: Arc::default(),
            lost: AtomicBool::new(false),
        }
    }
}

/// Drives the lane until `stop` (`true`), or until it has lost updates and must be made anew.
pub fn run(
    mut lane: Lane,
    edges: &AgentEdges,
    requests: &RequestEdge,
    idle: Idle,
    status: &ActorStatus,
    stop: &AtomicBool,
) -> bool {
    edges.waker.adopt();
    status.set(ActorState::Running);
    let clock = Clock::new();
    let mut rest = Rest::new(idle);
    let mut out = Outbox::default();
    let mut way = Way::new(requests, edges);
    while !stop.load(Ordering::Relaxed) {
        super::keeper::inject(&status.name);
        if edges.lost.swap(false, Ordering::SeqCst) {
            return false;
        }
        let now = clock.now();
        status.beat(now);
        let mut worked = false;
        way.send(&mut lane, now, &mut out);
        while let Some(control) = edges.control.pop() {
            worked = true;
            step(&mut lane, now, &Input::Control(control), &mut out);
            way.send(&mut lane, now, &mut out);
        }
        while let Some((mut update, renamed)) = edges.heard.pop() {
            worked = true;
            update.at = update.at.max(now);
            lane.deliver(&update, renamed, &mut out);
            way.send(&mut lane, now, &mut out);
        }
        if lane.next_deadline() <= now {
            worked = true;
            step(&mut lane, now, &Input::Tick, &mut out);
            way.send(&mut lane, now, &mut out);
        }
        for _ in 0..256 {
            let Some(record) = edges.market.pop() else { break };
            worked = true;
            step(&mut lane, now, &Input::Market(record), &mut out);
            way.send(&mut lane, now, &mut out);
        }
        if worked {
            rest.worked();
        } else {
            rest.rest(&edges.waker, || edges.market.is_empty() && edges.heard.is_empty());
        }
    }
    status.set(ActorState::Stopped);
    true
}

/// Answers of agents to refusals that are carried out with one step; more wait for the next one.
const ROUNDS: usize = 8;
/// More answers than this to refusals: who answers each with more than one request floods.
const FLOOD: usize = 4 * REQUEST_BUDGET;
/// Cancels that may wait for room.
const WAITING: usize = 1024;

/// The way of a lane's requests to the core. The core may be late through no fault of an agent: what
/// finds no room is told to its agent as `busy`, and cancels wait for room (INV-5).
struct Way<'a> {
    requests: &'a RequestEdge,
    edges: &'a AgentEdges,
    cancels: VecDeque<(AgentId, CancelOrder)>,
    untold: VecDeque<(AgentId, OrderRequest)>,
}

impl<'a> Way<'a> {
    const fn new(requests: &'a RequestEdge, edges: &'a AgentEdges) -> Self {
        Self { requests, edges, cancels: VecDeque::new(), untold: VecDeque::new() }
    }

    /// Hands over what a step left, tells what found no room, and hands over the answers to that.
    fn send(&mut self, lane: &mut Lane, now: Timestamp, out: &mut Outbox) {
        self.hand_over(out);
        for _ in 0..ROUNDS {
            if self.untold.is_empty() {
                return;
            }
            for (from, request) in std::mem::take(&mut self.untold) {
                lane.refuse(now, (from, &request), Reason::Busy, out);
            }
            self.hand_over(out);
            if self.untold.len() > FLOOD {
                for (from, _) in std::mem::take(&mut self.untold) {
                    if lane.quarantine(from) {
                        let _ = self.edges.broken.push(from);
                    }
                }
            }
        }
    }

    /// Cancels that had to wait, oldest first; `false` if some still do.
    fn flush(&mut self) -> bool {
        while let Some(&(from, cancel)) = self.cancels.front() {
            if self.requests.push(from, OrderRequest::Cancel(cancel)).is_err() {
                return false;
            }
            self.cancels.pop_front();
        }
        true
    }

    fn hand_over(&mut self, out: &mut Outbox) {
        for agent in out.broken.drain(..) {
            // Once each: an agent that broke is not called any more.
            let _ = self.edges.broken.push(agent);
        }
        let flushed = self.flush();
        for (from, request) in out.requests.drain(..) {
            let cancel = match request {
                OrderRequest::Cancel(cancel) => Some(cancel),
                OrderRequest::New(_) | OrderRequest::Replace(_) => None,
            };
            if (flushed || cancel.is_none()) && self.requests.push(from, request).is_ok() {
                continue;
            }
            match cancel {
                Some(cancel) if self.cancels.contains(&(from, cancel)) => {}
                Some(cancel) if self.cancels.len() < WAITING => {
                    self.cancels.push_back((from, cancel));
                }
                _ => self.untold.push_back((from, request)),
            }
        }
        out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::agent::{Agent, AgentCx, Host, Ticket};
    use crate::actors::market::{Market, Touch};
    use crate::actors::oms::OrderUpdate;
    use crate::msg::Quote;
    use crate::types::{
        AccountId, ClientOrderId, ExchangeId, InstrumentId, Nanos, OrdStatus, Price, Qty, Side,
    };
    use std::sync::Mutex;

    const AGENT: AgentId = AgentId(AgentId::FIRST);
    const ON: InstrumentId = InstrumentId(0);
    type Told = Arc<Mutex<Vec<OrderUpdate>>>;

    /// What the agent does with each quote, and with each refusal.
    struct Hands {
        quote: fn(&mut AgentCx<'_>),
        refusal: fn(&mut AgentCx<'_>),
        told: Told,
    }

    impl Agent for Hands {
        fn on_quote(&mut self, cx: &mut AgentCx<'_>, _: InstrumentId, _: &Touch) {
            (self.quote)(cx);
        }
        fn on_order(&mut self, cx: &mut AgentCx<'_>, update: &OrderUpdate) {
            self.told.lock().unwrap().push(*update);
            if update.reason == Some(Reason::Busy) {
                (self.refusal)(cx);
            }
        }
    }

    const fn price(whole: i64) -> Price {
        Price::from_raw(whole * 1_000_000_000)
    }

    fn submit(cx: &mut AgentCx<'_>) {
        cx.submit(Ticket::limit(ON, Side::Buy, Qty::whole(1), price(9)));
    }

    fn replace(cx: &mut AgentCx<'_>) {
        let open = cx.open_orders()[0];
        cx.replace(open.cl_ord_id, open.terms);
    }

    fn cancel(cx: &mut AgentCx<'_>) {
        cx.cancel(cx.open_orders()[0].cl_ord_id);
    }

    fn nothing(_: &mut AgentCx<'_>) {}

    /// A lane whose one agent has one order open; the core takes nothing after that.
    fn late_core(
        quote: fn(&mut AgentCx<'_>),
        refusal: fn(&mut AgentCx<'_>),
        quotes: u64,
    ) -> (Lane, AgentEdges, RequestEdge, Told) {
        let (edges, requests) = (AgentEdges::new(), RequestEdge::new(Arc::default()));
        let told = Told::default();
        let hands = Hands { quote, refusal, told: Arc::clone(&told) };
        let host = Host::new(Box::new(hands), AGENT, AccountId(0), vec![ON]);
        let mut lane = Lane::new(Market::new(1, Nanos::from_secs(60)), 1, vec![host], None);
        let id = |seq| ClientOrderId { instance: 1, epoch: 1, agent: AgentId(9), seq };
        let terms = Ticket::limit(ON, Side::Buy, Qty::whole(5), price(9)).terms;
        let order = crate::actors::agent::OpenOrder {
            cl_ord_id: ClientOrderId { agent: AGENT, ..id(0) },
            instrument: ON,
            terms,
            leaves_qty: Qty::whole(3),
            ord_status: OrdStatus::PartiallyFilled,
        };
        lane.resume(AGENT, vec![order], Vec::new());
        let mut seq = 0;
        let mut other = || {
            seq += 1;
            OrderRequest::Cancel(CancelOrder::of(id(seq)))
        };
        while requests.push(AgentId(9), other()).is_ok() {}
        let (mut out, mut way) = (Outbox::default(), Way::new(&requests, &edges));
        for nanos in 1..=quotes {
            let quote = Quote {
                ts: Timestamp::from_nanos(nanos),
                instrument: ON,
                exchange: ExchangeId(0),
                suspicious: false,
                bid: price(9),
                bid_size: Qty::whole(1),
                ask: price(11),
                ask_size: Qty::whole(1),
            };
            step(&mut lane, quote.ts, &Input::Market(MarketData::Quote(quote)), &mut out);
            way.send(&mut lane, quote.ts, &mut out);
        }
        let cancels = way.cancels.len();
        // The core comes back: what waited goes first.
        let taken: Vec<_> = std::iter::from_fn(|| requests.pop()).collect();
        assert!(taken.iter().all(|(from, _)| *from == AgentId(9)), "{}", taken.len());
        way.send(&mut lane, Timestamp::from_nanos(quotes + 1), &mut out);
        assert!(way.cancels.is_empty() && requests_of(&requests) >= cancels);
        (lane, edges, requests, told)
    }

    fn requests_of(requests: &RequestEdge) -> usize {
        let all: Vec<_> = std::iter::from_fn(|| requests.pop()).collect();
        let count = all.len();
        for (from, request) in all {
            assert!(requests.push(from, request).is_ok());
        }
        count
    }

    #[test]
    fn a_change_that_a_late_core_has_no_room_for_is_told_and_costs_nobody_his_place() {
        let (lane, edges, _, told) = late_core(replace, nothing, 2_000);
        assert!(edges.broken.is_empty(), "{} taken out", edges.broken.len());
        assert_eq!(lane.hosts()[0].state(), crate::msg::AgentState::Running);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2_000);
        let (status, leaves) = (OrdStatus::PartiallyFilled, Qty::whole(3));
        assert!(told.iter().all(|update| {
            update.reason == Some(Reason::Busy)
                && (update.ord_status, update.leaves_qty) == (status, leaves)
                && update.cum_qty == Qty::whole(2)
                && update.exec_type.is_none()
        }));
    }

    #[test]
    fn a_cancel_waits_for_a_late_core_once() {
        let (lane, edges, requests, told) = late_core(cancel, nothing, 2_000);
        assert!(edges.broken.is_empty() && told.lock().unwrap().is_empty());
        assert_eq!(lane.hosts()[0].state(), crate::msg::AgentState::Running);
        let (from, request) = requests.pop().unwrap();
        assert!(from == AGENT && matches!(request, OrderRequest::Cancel(_)));
        assert!(requests.pop().is_none(), "the same cancel twice");
    }

    #[test]
    fn an_agent_that_tries_again_at_once_stays_and_one_that_multiplies_goes_once() {
        let (_, edges, _, _) = late_core(submit, submit, 100);
        assert!(edges.broken.is_empty());
        fn twice(cx: &mut AgentCx<'_>) {
            submit(cx);
            submit(cx);
        }
        let (lane, edges, _, _) = late_core(submit, twice, 100);
        assert_eq!((edges.broken.pop(), edges.broken.len()), (Some(AGENT), 0));
        assert_eq!(lane.hosts()[0].state(), crate::msg::AgentState::Quarantined);
    }
}
