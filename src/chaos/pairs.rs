//! Every way in which a venue misbehaves, alone and then with each of the others, over a slice of a session
//! each: at its end gateway and venue must say the same.

use super::venues::{VenueFault, VenueKind};
use super::world::{Market, Trouble, World};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What to do.
#[derive(Debug, Clone)]
pub struct PairsConfig {
    /// The program whose processes trade.
    pub qtos: PathBuf,
    /// How long a slice is.
    pub span: Duration,
    /// The venue's market.
    pub market: Market,
    /// Of every draw.
    pub seed: u64,
    /// Each fault alone, and no pairs.
    pub alone: bool,
    /// Where the worlds live, a folder each.
    pub dir: PathBuf,
    /// Text of a gateway's config; `None`: the one that ships.
    pub config: Option<String>,
}

/// A slice after which something was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadSlice {
    /// How the venue misbehaved.
    pub faults: Vec<VenueFault>,
    /// What was wrong.
    pub what: String,
    /// The world, as it was left.
    pub folder: PathBuf,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Pairs {
    /// Of every draw.
    pub seed: u64,
    /// Slices played.
    pub slices: u64,
    /// Orders that the venues saw.
    pub orders: u64,
    /// Orders of the slice with the fewest.
    pub least_orders: u64,
    /// Fills in their ledgers.
    pub fills: u64,
    /// What went wrong.
    pub violations: Vec<BadSlice>,
}

/// Between two times that the venue is told again.
const AGAIN: Duration = Duration::from_millis(1_500);

/// The slices of a campaign.
pub fn slices(alone: bool) -> Vec<Vec<VenueFault>> {
    let mut slices: Vec<_> = VenueFault::ALL.iter().map(|fault| vec![*fault]).collect();
    for (place, one) in VenueFault::ALL.iter().enumerate().filter(|_| !alone) {
        slices.extend(VenueFault::ALL[place + 1..].iter().map(|other| vec![*one, *other]));
    }
    slices
}

/// Plays all slices, or as many as there are until `stop` is true. `watch` is told how many.
pub fn pairs(config: &PairsConfig, stop: &Arc<AtomicBool>, mut watch: impl FnMut(u64)) -> Pairs {
    let mut done = Pairs { seed: config.seed, ..Pairs::default() };
    for (number, faults) in slices(config.alone).into_iter().enumerate() {
        let folder = config.dir.join(format!("slice-{number}"));
        let played = play(config, number as u64, &faults, folder.clone(), stop);
        if stop.load(Ordering::SeqCst) {
            break;
        }
        match played {
            Ok((orders, fills)) => {
                let fewest = if done.orders == 0 { orders } else { done.least_orders };
                done.least_orders = fewest.min(orders);
                done.orders += orders;
                done.fills += fills;
                // What is left of a slice in which nothing was wrong is of no use to anyone.
                let _ = std::fs::remove_dir_all(folder);
            }
            Err(what) => done.violations.push(BadSlice { faults, what, folder }),
        }
        done.slices += 1;
        watch(done.slices);
    }
    done
}

/// One slice: how many orders and fills it brought.
fn play(
    config: &PairsConfig,
    number: u64,
    faults: &[VenueFault],
    dir: PathBuf,
    stop: &Arc<AtomicBool>,
) -> Result<(u64, u64), Trouble> {
    let kind = VenueKind::Alpaca;
    let text = (kind, config.config.as_deref().unwrap_or(kind.configs()[0]));
    let mut random = Pcg64::seed_from_u64(Pcg64::seed_from_u64(config.seed).next_u64() ^ number);
    let mut world = World::start(&config.qtos, dir, text, &config.market, Arc::clone(stop))?;
    world.reconciled()?;
    let begin = Instant::now();
    while begin.elapsed() < config.span && !stop.load(Ordering::SeqCst) {
        for fault in faults {
            world.misbehave(*fault, &mut random)?;
        }
        std::thread::sleep(AGAIN.min(config.span.saturating_sub(begin.elapsed())));
    }
    world.mend()?;
    world.reconciled()?;
    world.verify_at_rest()?;
    world.traded()
}
