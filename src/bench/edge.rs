//! The hop between two threads, with our messages and with bare ones, in turns.

use super::latency::Latencies;
use super::{BenchError, Rows};
use crate::msg::MarketData;
use crate::types::Timestamp;
use crossbeam_queue::ArrayQueue;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Rounds of both kinds, and round trips in each.
const ROUNDS: usize = 100;
const TRIPS: usize = 2_000;
const CAPACITY: usize = 1_024;

/// What travels between lanes: a record and the moment it is for.
type Message = (Timestamp, MarketData);
/// As many bytes as the peers' messages have.
type Bare = [u64; 8];

/// Two queues and a thread that sends everything back.
struct Mirror<T> {
    out: ArrayQueue<T>,
    back: ArrayQueue<T>,
}

impl<T: Send> Mirror<T> {
    fn new() -> Self {
        Self { out: ArrayQueue::new(CAPACITY), back: ArrayQueue::new(CAPACITY) }
    }

    fn reflect(&self) {
        if let Some(message) = self.out.pop() {
            let _ = self.back.push(message);
        }
    }

    /// Half the time of a round trip.
    fn trip(&self, message: T, latencies: &mut Latencies) {
        let start = Instant::now();
        let _ = self.out.push(message);
        loop {
            match self.back.pop() {
                Some(message) => break drop(black_box(message)),
                None => spin_loop(),
            }
        }
        latencies.add(start.elapsed() / 2);
    }
}

/// `edge_hop` against `edge_hop_bare`.
pub fn hops() -> Result<Rows, BenchError> {
    let (ours, bare) = (Mirror::<Message>::new(), Mirror::<Bare>::new());
    let (mut hop, mut hop_bare) = (Latencies::new()?, Latencies::new()?);
    // The mirror looks into one queue at a time, so that the other kind costs it nothing.
    let (our_turn, stop) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if our_turn.load(Ordering::Relaxed) {
                    ours.reflect()
                } else {
                    bare.reflect()
                }
                spin_loop();
            }
        });
        for _ in 0..ROUNDS {
            our_turn.store(true, Ordering::Relaxed);
            for _ in 0..TRIPS {
                ours.trip((Timestamp::ZERO, MarketData::NOTHING), &mut hop);
            }
            our_turn.store(false, Ordering::Relaxed);
            for _ in 0..TRIPS {
                bare.trip([0; 8], &mut hop_bare);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(vec![("edge_hop", hop.row()), ("edge_hop_bare", hop_bare.row())])
}
