//! Parking and waking under every order of steps.
#![cfg(feature = "shuttle")]

use super::edge::{Rest, Waker};
use crate::sync::{AtomicU64, Ordering, every_order, many_orders};
use crate::wiring::Idle;
use shuttle::thread;
use std::sync::Arc;

/// A lane that parks takes everything that producers hand over. The model parks for ever, so a wake
/// that is lost is a thread that never ends.
fn lane(producers: u64, each: u64) {
    let waker = Arc::new(Waker::default());
    // Stands for a queue: what was pushed and not taken.
    let queue = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let (waker, queue) = (Arc::clone(&waker), Arc::clone(&queue));
            thread::spawn(move || {
                for _ in 0..each {
                    queue.fetch_add(1, Ordering::SeqCst);
                    waker.wake();
                }
            })
        })
        .collect();
    waker.adopt();
    let mut rest = Rest::new(Idle::Park);
    let mut taken = 0;
    while taken < producers * each {
        let got = queue.swap(0, Ordering::SeqCst);
        taken += got;
        if got > 0 {
            rest.worked();
        } else {
            rest.rest(&waker, || queue.load(Ordering::SeqCst) == 0);
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn no_wake_is_lost() {
    let orders = every_order(|| lane(1, 1));
    eprintln!("{orders} orders");
    assert!(orders > 100);
    many_orders(5_000, || lane(2, 3));
}
