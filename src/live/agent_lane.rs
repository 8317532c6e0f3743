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
        }
    }
}

/// Drives the lane until `stop`.
pub fn run(
    mut lane: Lane,
    edges: &AgentEdges,
    requests: &RequestEdge,
    idle: Idle,
    status: &ActorStatus,
    stop: &AtomicBool,
) {
    edges.waker.adopt();
    status.set(ActorState::Running);
    let clock = Clock::new();
    let mut rest = Rest::new(idle);
    let mut out = Outbox::default();
    while !stop.load(Ordering::Relaxed) {
        super::keeper::inject(&status.name);
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
}

/// Hands requests to the core. What finds no room comes back to its agent as refused.
fn send(
    lane: &mut Lane,
    now: Timestamp,
    out: &mut Outbox,
    requests: &RequestEdge,
    edges: &AgentEdges,
) {
    for agent in out.broken.drain(..) {
        let _ = edges.broken.push(agent);
    }
    let mut refused = Vec::new();
    for (from, request) in out.requests.drain(..) {
        if let Err(request) = requests.push(from, request) {
            refused.push(request);
        }
    }
    out.clear();
    for request in refused {
        if let OrderRequest::Cancel(cancel) = request {
            // Not even the reserve had room: the agent floods. Out it goes, its orders with it.
            let _ = edges.broken.push(cancel.orig_cl_ord_id.agent);
        }
        if let Some(update) = lane.refusal(now, &request, Reason::Busy) {
            lane.deliver(&update, None, out);
            // What the agent answers to a refusal waits for its next turn.
            out.clear();
        }
    }
}
