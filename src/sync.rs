//! What the lock-free pieces share between threads: atomics, parking, spinning. With the feature
//! `shuttle` they are those of a model checker, which decides who runs next at each of them, so that
//! the tests named `interleavings` can try every order of steps. It knows one order of memory, so these
//! pieces say `SeqCst` and nothing else (`tests/tidy.rs` reads them).

#[cfg(not(feature = "shuttle"))]
pub use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    thread::{Thread, current, park_timeout},
};

#[cfg(feature = "shuttle")]
pub use shuttle::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    thread::{Thread, current, park_timeout, yield_now as spin_loop},
};

#[cfg(all(test, feature = "shuttle"))]
pub use explore::{every_order, many_orders};

#[cfg(all(test, feature = "shuttle"))]
mod explore {
    use shuttle::scheduler::{DfsScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};

    /// Every order, but that of two threads of which one waits for the other is fair: who spins is not
    /// run again before another has moved. Looking twice at the same state finds nothing new.
    struct Fair(DfsScheduler);

    impl Scheduler for Fair {
        fn new_execution(&mut self) -> Option<Schedule> {
            self.0.new_execution()
        }

        fn next_task(
            &mut self,
            runnable: &[&Task],
            current: Option<TaskId>,
            is_yielding: bool,
        ) -> Option<TaskId> {
            let others: Vec<&Task> = runnable
                .iter()
                .copied()
                .filter(|task| !is_yielding || Some(task.id()) != current)
                .collect();
            let able = if others.is_empty() { runnable } else { &others };
            self.0.next_task(able, current, is_yielding)
        }

        fn next_u64(&mut self) -> u64 {
            self.0.next_u64()
        }
    }

    /// Runs `body` once for each order in which its threads can take their steps; how many that were.
    /// A thread that parks for ever is an error, whatever time it was given.
    pub fn every_order(body: impl Fn() + Send + Sync + 'static) -> usize {
        let scheduler = Fair(DfsScheduler::new(None, false));
        shuttle::Runner::new(scheduler, shuttle::Config::new()).run(body)
    }

    /// Runs `body` in so many orders, each drawn from a seed: where all are too many.
    pub fn many_orders(count: usize, body: impl Fn() + Send + Sync + 'static) {
        let scheduler = RandomScheduler::new_from_seed(1, count);
        shuttle::Runner::new(scheduler, shuttle::Config::new()).run(body);
    }
}
