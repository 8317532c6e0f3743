//! A campaign of lost connections: a gateway trades at a venue that hangs up on it and misbehaves every few
//! seconds. Nothing is killed; what grows with each reconnect shows.

use super::venues::VenueKind;
use super::world::{Market, Trouble, Who, World};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What to do.
#[derive(Debug, Clone)]
pub struct ReconnectConfig {
    /// The program whose processes trade.
    pub qtos: PathBuf,
    /// How long.
    pub span: Duration,
    /// Of every draw.
    pub seed: u64,
    /// Where the world lives.
    pub dir: PathBuf,
    /// Text of a gateway's config; `None`: the one that ships.
    pub config: Option<String>,
}

/// The gateway's memory and descriptors at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Footprint {
    /// Resident memory, KiB.
    pub memory_kib: u64,
    /// Open files and sockets.
    pub descriptors: u64,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reconnects {
    /// Of every draw.
    pub seed: u64,
    /// Times the venue hung up on everybody.
    pub cuts: u64,
    /// Times after which gateway and venue were compared, with nothing open and nothing in doubt.
    pub compared: u64,
    /// Orders that the venue saw.
    pub orders: u64,
    /// Fills in its ledger.
    pub fills: u64,
    /// After the first comparison; the program has warmed up by then.
    pub first: Footprint,
    /// After the last one.
    pub last: Footprint,
    /// The first thing that was wrong.
    pub violation: Option<String>,
}

/// Cuts between two comparisons.
const ROUND: u64 = 10;

/// Runs a campaign for its time, until something is wrong, or `stop` is true. `watch` is told the seconds.
pub fn reconnect(
    config: &ReconnectConfig,
    stop: &Arc<AtomicBool>,
    mut watch: impl FnMut(u64),
) -> Reconnects {
    let mut done = Reconnects { seed: config.seed, ..Reconnects::default() };
    if let Err(what) = live(config, stop, &mut done, &mut watch)
        && !stop.load(Ordering::SeqCst)
    {
        done.violation = Some(what);
    }
    done
}

fn live(
    config: &ReconnectConfig,
    stop: &Arc<AtomicBool>,
    done: &mut Reconnects,
    watch: &mut dyn FnMut(u64),
) -> Result<(), Trouble> {
    let kind = VenueKind::Alpaca;
    let text = (kind, config.config.as_deref().unwrap_or(kind.configs()[0]));
    let mut random = Pcg64::seed_from_u64(config.seed);
    let mut world =
        World::start(&config.qtos, config.dir.clone(), text, &Market::USUAL, Arc::clone(stop))?;
    world.reconciled()?;
    let begin = Instant::now();
    while begin.elapsed() < config.span && !stop.load(Ordering::SeqCst) {
        for _ in 0..ROUND {
            let pause = Duration::from_millis(5_000 + random.next_u64() % 15_000);
            let until = Instant::now() + pause;
            while Instant::now() < until && !stop.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
            }
            world.spoil(&mut random)?;
            world.cut()?;
            done.cuts += 1;
            watch(begin.elapsed().as_secs());
            if begin.elapsed() >= config.span || stop.load(Ordering::SeqCst) {
                break;
            }
        }
        world.mend()?;
        world.reconciled()?;
        world.halt()?;
        world.agree()?;
        world.arm()?;
        done.compared += 1;
        done.last = world.footprint(Who::Gateway);
        if done.compared == 1 {
            done.first = done.last;
        }
    }
    (done.orders, done.fills) = world.traded()?;
    world.verify_at_rest()
}
