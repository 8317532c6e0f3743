//! A lane of agents away from the core: its own market view, its own thread, the same [`step`].

use super::clock::Clock;
use super::edge::{Heard, RequestEdge, Rest, Waker};
use super::status::{ActorState, ActorStatus};
use crate::actors::{Lane, Outbox, step};
use crate::msg::{Control, Input, MarketData, OrderRequest};
use crate::types::{AgentId, Reason, Timestamp};
use crate::wiring::Idle;
use crossbeam_queue::ArrayQueue;
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
    while !stop.load(Ordering::Relaxed) {
        super::keeper::inject(&status.name);
        if edges.lost.swap(false, Ordering::SeqCst) {
            return false;
        }
        let now = clock.now();
        status.beat(now);
        let mut worked = false;
        while let Some(control) = edges.control.pop() {
            worked = true;
            step(&mut lane, now, &Input::Control(control), &mut out);
            send(&mut lane, now, &mut out, requests, edges);
        }
        while let Some((mut update, renamed)) = edges.heard.pop() {
            worked = true;
            update.at = update.at.max(now);
            lane.deliver(&update, renamed, &mut out);
            send(&mut lane, now, &mut out, requests, edges);
        }
        if lane.next_deadline() <= now {
            worked = true;
            step(&mut lane, now, &Input::Tick, &mut out);
            send(&mut lane, now, &mut out, requests, edges);
        }
        for _ in 0..256 {
            let Some(record) = edges.market.pop() else { break };
            worked = true;
            step(&mut lane, now, &Input::Market(record), &mut out);
            send(&mut lane, now, &mut out, requests, edges);
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

/// Answers of agents to refusals that are carried out in one turn; a lane that is still at it then
/// floods, and its agents are taken out.
const ROUNDS: usize = 8;

/// Hands requests to the core. What finds no room comes back to its agent as refused, and what the
/// agent answers to that is handed over as well.
fn send(
    lane: &mut Lane,
    now: Timestamp,
    out: &mut Outbox,
    requests: &RequestEdge,
    edges: &AgentEdges,
) {
    for _ in 0..ROUNDS {
        for agent in out.broken.drain(..) {
            let _ = edges.broken.push(agent);
        }
        let mut refused = Vec::new();
        for (from, request) in out.requests.drain(..) {
            if let Err(request) = requests.push(from, request) {
                refused.push((from, request));
            }
        }
        out.clear();
        if refused.is_empty() {
            return;
        }
        for (from, request) in refused {
            match request {
                OrderRequest::New(new) => {
                    for update in lane.refusals(now, &new, Reason::Busy) {
                        lane.deliver(&update, None, out);
                    }
                }
                // Not even the reserve had room, or an order cannot be changed in time: the agent
                // floods. Out it goes, its orders with it.
                OrderRequest::Cancel(_) | OrderRequest::Replace(_) => out.broken.push(from),
            }
        }
    }
    for (from, _) in out.requests.drain(..) {
        let _ = edges.broken.push(from);
    }
    out.clear();
}
