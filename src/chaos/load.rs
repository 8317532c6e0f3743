//! Kills of a gateway under load: processes, sockets and disks as they are, drilled by an operator.

use super::venues::VenueKind;
use super::world::{Market, Trouble, World};
use crate::view::{Agents, DrillResult};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What to load, and how often to kill.
#[derive(Debug, Clone)]
pub struct LoadConfig {
    /// The program.
    pub qtos: PathBuf,
    /// Where the folders of the two processes go.
    pub dir: PathBuf,
    /// The gateway's configuration: a venue process as broker.
    pub config: String,
    /// The venue of that configuration.
    pub venue: VenueKind,
    /// Session seconds of the venue in a second.
    pub speed: u32,
    /// Kills, each armed again.
    pub kills: u32,
    /// Of the moments of the kills.
    pub seed: u64,
    /// Orders that must rest before each kill, at least.
    pub working: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Every kill.
    pub kills: Vec<DrillResult>,
    /// New orders a second before each, that reached the broker's connection.
    pub rates: Vec<f64>,
}

/// Starts a venue and a gateway, and kills everything at level cancel again and again.
///
/// # Errors
/// For people: a process ended, or something did not come in time.
pub fn load(config: &LoadConfig) -> Result<Load, Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    let market = Market { speed: config.speed, data: None };
    let (dir, kind) = (config.dir.clone(), (config.venue, config.config.as_str()));
    let mut world = World::start(&config.qtos, dir, kind, &market, stop)?;
    let mut random = Pcg64Mcg::seed_from_u64(config.seed);
    let mut load = Load::default();
    for _ in 0..config.kills {
        world.wait("a gateway with orders at work", |world| {
            let status = world.status().ok()?;
            (status.ready && status.orders_open >= config.working).then_some(())
        })?;
        let (begin, before) = (Instant::now(), orders(&world)?);
        std::thread::sleep(Duration::from_millis(200 + random.next_u64() % 300));
        let count = orders(&world)? - before;
        load.rates.push(count as f64 / begin.elapsed().as_secs_f64());
        let args = ["drill", "kill", "--scope", "global", "--state-dir", "g"];
        load.kills.push(world.ask(&args)?);
        world.arm()?;
    }
    Ok(load)
}

/// New orders handed to the broker so far.
fn orders(world: &World) -> Result<u64, Trouble> {
    let agents: Agents = world.ask(&["agent", "list", "--state-dir", "g"])?;
    Ok(agents.agents.iter().map(|agent| agent.orders).sum())
}
