//! Histograms, schedules and the machine's own share in them.

use super::{BenchError, Rows};
use crate::view::BenchRow;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Latencies in nanoseconds, three digits exact, up to a minute.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Result<Self, BenchError> {
        let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3);
        histogram.map(Self).map_err(|error| BenchError::Wrong(error.to_string()))
    }

    pub fn add(&mut self, span: Duration) {
        self.0.saturating_record(span.as_nanos() as u64);
    }

    pub fn row(&self) -> BenchRow {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64;
        BenchRow::Latency {
            unit: "ns".into(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: self.0.max() as f64,
        }
    }
}

/// Moments at equal distances, whatever happens between them.
pub struct Schedule {
    /// The first moment, once it was waited for.
    start: Option<Instant>,
    interval: Duration,
    next: u32,
}

impl Schedule {
    pub const fn new(interval: Duration) -> Self {
        Self { start: None, interval, next: 0 }
    }

    /// Spins until the next moment and gives it; one that has passed is given at once.
    pub fn wait(&mut self) -> Instant {
        let due = *self.start.get_or_insert_with(Instant::now) + self.interval * self.next;
        self.next += 1;
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        due
    }
}

/// How late a thread is that does nothing but look at the clock, once a microsecond.
pub fn machine_gaps() -> Result<Rows, BenchError> {
    let mut late = Latencies::new()?;
    let mut schedule = Schedule::new(Duration::from_micros(1));
    for _ in 0..2_000_000 {
        let due = schedule.wait();
        late.add(due.elapsed());
    }
    Ok(vec![("machine_gaps", late.row())])
}
