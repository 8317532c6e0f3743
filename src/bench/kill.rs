//! From a kill to a latch that holds, stored and no write under way any more; and from a kill to the last
//! cancel on the wire.

use super::latency::Latencies;
use super::{BenchError, Rows, Scratch};
use crate::chaos::{Load, LoadConfig, VenueKind, load};
use crate::kill::{Effect, KillBoard, Route};
use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Scope};
use crate::view::{BenchRow, Summary};
use std::hint::{black_box, spin_loop};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Kills, each of an instrument of its own, as a level never falls.
const KILLS: u16 = 60_000;

/// `kill_latch`, while another thread takes permit after permit.
pub fn latch() -> Result<Rows, BenchError> {
    let board = Arc::new(KillBoard::new(1, 1, 3, usize::from(KILLS) + 1));
    let mut writer = board
        .writer(BrokerId(0))
        .ok_or_else(|| BenchError::Wrong("the board has no writer to give".into()))?;
    let route = Route {
        broker: BrokerId(0),
        account: AccountId(0),
        agent: AgentId(AgentId::FIRST),
        instrument: InstrumentId(KILLS),
    };
    let mut latency = Latencies::new()?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if let Ok(permit) = writer.permit(route, Effect::Opens) {
                    black_box(&permit);
                }
                spin_loop();
            }
        });
        for number in 0..KILLS {
            let start = Instant::now();
            board.raise(Scope::Symbol(InstrumentId(number)), KillLevel::Cancel);
            latency.add(start.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(vec![("kill_latch", latency.row())])
}

/// Pairs of a gateway and a venue, one after the other: the books of one do not grow for ever.
const WORLDS: u64 = 4;
/// Kills in each.
const KILLS_EACH: u32 = 50;
/// Session seconds of the venue in a second: what the load is worth, `kill_load` beside `demo_orders` says.
const SPEED: u32 = 320;
/// Orders that rest at each kill, at least.
const WORKING: u64 = 20;

/// `kill_cancel_all`: from the latch of a global kill at level cancel to the last cancel written to the
/// broker's socket, in a gateway process that trades with a venue process. `kill_load` is the rate of new
/// orders while that was measured, `demo_orders` that of the demo's agents and market as fast as they go.
pub fn cancel_all() -> Result<Rows, BenchError> {
    let qtos = program()?;
    let demo = demo_rate(&qtos)?;
    let (mut latency, mut rates) = (Latencies::new()?, Vec::new());
    for seed in 0..WORLDS {
        let scratch = Scratch::new("kill");
        let config = LoadConfig {
            qtos: qtos.clone(),
            dir: scratch.0.clone(),
            config: include_str!("../../config/load.toml").to_owned(),
            venue: VenueKind::Sandbox,
            speed: SPEED,
            kills: KILLS_EACH,
            seed,
            working: WORKING,
        };
        let Load { kills, rates: own } = load(&config).map_err(BenchError::Wrong)?;
        rates.extend(own);
        for kill in kills {
            let written = kill.cancel_written_us.ok_or_else(|| {
                BenchError::Wrong("a kill that no cancel was written for".to_owned())
            })?;
            latency.add(Duration::from_micros(written));
        }
    }
    rates.sort_by(f64::total_cmp);
    let rate = |rate: f64| BenchRow::Rate { unit: "orders/s".into(), rate: rate.round() };
    Ok(vec![
        ("kill_cancel_all", latency.row()),
        ("kill_load", rate(rates[rates.len() / 2])),
        ("demo_orders", rate(demo)),
    ])
}

/// The program: this one, or the one that `cargo build` put beside this one.
fn program() -> Result<PathBuf, BenchError> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("qtos"));
    let mut all = std::iter::once(own.clone()).filter(|own| own.ends_with("qtos")).chain(beside);
    all.find(|path| path.is_file()).ok_or_else(|| {
        BenchError::Wrong("there is no program `qtos` beside this one: build it first".to_owned())
    })
}

/// New orders a second of the demo's configuration at full speed.
fn demo_rate(qtos: &PathBuf) -> Result<f64, BenchError> {
    let scratch = Scratch::new("demo");
    let args = ["run", "--speed", "max", "--for", "1", "--json", "--state-dir"];
    let output = Command::new(qtos).args(args).arg(&scratch.0).output()?;
    let summary: Summary = serde_json::from_slice(&output.stdout)
        .map_err(|error| BenchError::Wrong(format!("the demo said: {error}")))?;
    Ok(summary.orders as f64 / summary.seconds)
}
