//! From a kill request to a latch that holds: stored, and no write under way any more.

use super::latency::Latencies;
use super::{BenchError, Rows};
use crate::kill::{Effect, KillBoard, Route};
use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Scope};
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
