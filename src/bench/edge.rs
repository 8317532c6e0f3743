//! The hop between two threads, over the edge that brings market data to a lane and over a bare
//! queue of messages as long, in turns.

use super::latency::Latencies;
use super::{BenchError, Rows};
use crate::live::edge::MarketEdge;
use crate::msg::MarketData;
use crossbeam_queue::ArrayQueue;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Rounds of both kinds, and round trips in each.
const ROUNDS: usize = 100;
const TRIPS: usize = 2_000;
const CAPACITY: usize = 1_024;

/// A message without meaning.
type Bare = [u64; 8];

/// The two ends of an edge of lanes that never sleep.
fn edge() -> (MarketEdge, Arc<ArrayQueue<MarketData>>) {
    let queue = Arc::new(ArrayQueue::new(CAPACITY));
    (MarketEdge::new(Arc::clone(&queue), Arc::default(), Arc::default()), queue)
}

/// Half the time of a round trip.
fn trip<T>(push: impl FnOnce(), pop: impl Fn() -> Option<T>, latencies: &mut Latencies) {
    let start = Instant::now();
    push();
    loop {
        match pop() {
            Some(message) => break drop(black_box(message)),
            None => spin_loop(),
        }
    }
    latencies.add(start.elapsed() / 2);
}

/// `edge_hop` against `edge_hop_bare`.
pub fn hops() -> Result<Rows, BenchError> {
    let ((mut out, arrived), (mut back, returned)) = (edge(), edge());
    let bare_out = ArrayQueue::<Bare>::new(CAPACITY);
    let bare_back = ArrayQueue::<Bare>::new(CAPACITY);
    let (mut hop, mut hop_bare) = (Latencies::new()?, Latencies::new()?);
    // The mirror looks into one queue at a time, so that the other kind costs it nothing.
    let (our_turn, stop) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if our_turn.load(Ordering::Relaxed) {
                    if let Some(record) = arrived.pop() {
                        back.push(record);
                    }
                } else if let Some(message) = bare_out.pop() {
                    let _ = bare_back.push(message);
                }
                spin_loop();
            }
        });
        for _ in 0..ROUNDS {
            our_turn.store(true, Ordering::Relaxed);
            for _ in 0..TRIPS {
                trip(|| out.push(MarketData::NOTHING), || returned.pop(), &mut hop);
            }
            our_turn.store(false, Ordering::Relaxed);
            for _ in 0..TRIPS {
                let push = || {
                    let _ = bare_out.push([0; 8]);
                };
                trip(push, || bare_back.pop(), &mut hop_bare);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(vec![("edge_hop", hop.row()), ("edge_hop_bare", hop_bare.row())])
}
