//! How many ticks a second a replay takes in, from the file's bytes to the books.

use super::{BenchError, Rows, Scratch, topology};
use crate::feed::{Recording, RecordingWriter};
use crate::journal::Header;
use crate::journal::HeaderKind;
use crate::msg::{MarketData, Quote};
use crate::replay::run;
use crate::types::{ExchangeId, InstrumentId, Price, Qty, Timestamp};
use crate::view::BenchRow;
use crate::wiring::{Registry, Topology};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::path::Path;
use std::time::Instant;

/// Ticks in the recording.
const TICKS: u64 = 1_000_000;
/// Runs, of which the median counts.
const RUNS: usize = 5;
/// A price step of the walk in 1e-9.
const POINT: i64 = 10_000;

/// A walk of quotes in one instrument: steps of up to two points, spreads of one to three, 1 to 20 ms
/// apart.
pub fn ticks(count: u64) -> impl Iterator<Item = MarketData> {
    let mut random = Pcg64Mcg::seed_from_u64(42);
    let (mut bid, mut ts) = (65_000i64, 1_735_689_600_000_000_000u64);
    (0..count).map(move |_| {
        let mut below = |end: u64| random.next_u64() % end;
        bid += [-2, -1, -1, 0, 0, 0, 0, 1, 1, 2][below(10) as usize];
        bid = bid.max(20_000);
        ts += 1_000_000 + below(19_000_000);
        let ask = bid + 1 + below(3) as i64;
        let mut size = || Qty::whole(100_000 * (1 + below(49) as i64));
        MarketData::Quote(Quote {
            ts: Timestamp::from_nanos(ts),
            instrument: InstrumentId(0),
            exchange: ExchangeId(0),
            suspicious: false,
            bid: Price::from_raw(bid * POINT),
            bid_size: size(),
            ask: Price::from_raw(ask * POINT),
            ask_size: size(),
        })
    })
}

fn record(topology: &Topology, to: &Path) -> Result<(), BenchError> {
    let header = Header::new(HeaderKind::Recording, topology.names.instruments().clone());
    let mut out = RecordingWriter::create(to, header.instruments, header.units)?;
    for tick in ticks(TICKS) {
        out.push(&tick)?;
    }
    out.finish()?;
    Ok(())
}

/// Replays a recording with all checks and accounting on.
pub fn replay_rate(registry: &Registry) -> Result<Rows, BenchError> {
    let topology = topology(registry)?;
    let file = Scratch::new("ticks.qrec");
    record(&topology, &file.0)?;
    let mut rates = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let recording = Recording::open(&file.0)?;
        let start = Instant::now();
        let outcome = run(&topology, registry, recording, &mut |_| {})?;
        rates.push(outcome.desk.events() as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let rate = rates[RUNS / 2].round();
    Ok(vec![("replay_rate", BenchRow::Rate { unit: "ticks/s".into(), rate })])
}
