//! A campaign of `kill -9`: worlds of a venue and a gateway trade, one of the two is killed at a seeded
//! moment and started again, and after every kill both must say the same.

use super::venues::VenueKind;
use super::world::{Market, Trouble, Who, World};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone)]
pub struct CampaignConfig {
    /// The program whose processes are killed.
    pub qtos: PathBuf,
    /// Checked kills in all, those of the runs before included.
    pub count: u64,
    /// Of every draw.
    pub seed: u64,
    /// Worlds at once, from 1.
    pub worlds: u64,
    /// Where the worlds live, a folder each.
    pub dir: PathBuf,
    /// Remembers how far the campaign has come.
    pub resume: Option<PathBuf>,
    /// Text of a gateway's config; `None`: those that ship.
    pub config: Option<String>,
    /// Its venue.
    pub venue: VenueKind,
    /// Whether the venue misbehaves between the kills.
    pub faults: bool,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Kills after which gateway and venue were compared.
    pub checked: u64,
    /// Kills of the gateway, those that only make it boot included.
    pub gateway: u64,
    /// Kills of the venue.
    pub venue: u64,
    /// Of those of the gateway, the ones while it booted.
    pub booting: u64,
    /// Of those of the gateway, the ones just after a kill switch.
    pub halted: u64,
    /// State folders deleted.
    pub robbed: u64,
    /// Journals replayed to the same.
    pub verified: u64,
    /// Orders that the venues saw.
    pub orders: u64,
    /// Fills in their ledgers.
    pub fills: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.checked += other.checked;
        self.gateway += other.gateway;
        self.venue += other.venue;
        self.booting += other.booting;
        self.halted += other.halted;
        self.robbed += other.robbed;
        self.verified += other.verified;
        self.orders += other.orders;
        self.fills += other.fills;
    }
}

/// A kill after which something was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Number of the kill, from 0.
    pub kill: u64,
    /// What was wrong.
    pub what: String,
    /// The world, as it was left.
    pub folder: PathBuf,
}

/// A campaign, over all its runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Campaign {
    /// Of every draw.
    pub seed: u64,
    /// What was done.
    #[serde(flatten)]
    pub tally: Tally,
    /// What was wrong.
    pub violations: Vec<Violation>,
}

/// Why a campaign cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The file that remembers it.
    #[error("{0}: {1}")]
    Resume(PathBuf, io::Error),
    /// It remembers another campaign.
    #[error("{0} is of seed {1}; name that seed or another file")]
    OtherSeed(PathBuf, u64),
}

/// Runs a campaign until `count` kills are checked, something is wrong, or `stop` is true. `watch` is
/// told how many are checked.
///
/// # Errors
/// [`CampaignError`]. What is wrong in a world is in the result.
pub fn kill9(
    config: &CampaignConfig,
    stop: &Arc<AtomicBool>,
    mut watch: impl FnMut(u64),
) -> Result<Campaign, CampaignError> {
    let mut campaign = remembered(config)?;
    campaign.violations.clear();
    let next = AtomicU64::new(campaign.tally.checked);
    let (news, told) = sync_channel(64);
    std::thread::scope(|scope| {
        for number in 0..config.worlds {
            let (news, next) = (news.clone(), &next);
            scope.spawn(move || live(config, number, next, stop, &news));
        }
        drop(news);
        for part in told {
            match part {
                Ok(tally) => campaign.tally += tally,
                Err(violation) => {
                    // The others end their kill and stop.
                    next.store(u64::MAX, Ordering::SeqCst);
                    campaign.violations.push(violation);
                }
            }
            watch(campaign.tally.checked);
            remember(config, &campaign)?;
        }
        Ok(campaign)
    })
}

fn remembered(config: &CampaignConfig) -> Result<Campaign, CampaignError> {
    let new = Campaign { seed: config.seed, ..Campaign::default() };
    let Some(path) = &config.resume else { return Ok(new) };
    let failed = |error| CampaignError::Resume(path.clone(), error);
    let before: Campaign = match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.into()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(new),
        Err(error) => return Err(failed(error)),
    };
    if before.seed == config.seed {
        Ok(before)
    } else {
        Err(CampaignError::OtherSeed(path.clone(), before.seed))
    }
}

fn remember(config: &CampaignConfig, campaign: &Campaign) -> Result<(), CampaignError> {
    let Some(path) = &config.resume else { return Ok(()) };
    let failed = |error| CampaignError::Resume(path.clone(), error);
    let text = serde_json::to_vec(campaign).map_err(|error| failed(error.into()))?;
    let partial = path.with_extension("partial");
    fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(failed)
}

type News = SyncSender<Result<Tally, Violation>>;

/// One world, until no number is left.
fn live(
    config: &CampaignConfig,
    number: u64,
    next: &AtomicU64,
    stop: &Arc<AtomicBool>,
    news: &News,
) {
    let folder = config.dir.join(format!("world-{number}"));
    let shipped = config.venue.configs();
    let shipped = shipped[number as usize % shipped.len()];
    let text = (config.venue, config.config.as_deref().unwrap_or(shipped));
    let mut kill = next.load(Ordering::SeqCst);
    let mut run = || -> Result<(), Trouble> {
        let mut world =
            World::start(&config.qtos, folder.clone(), text, &Market::USUAL, Arc::clone(stop))?;
        world.reconciled()?;
        let (orders, fills) = world.traded()?;
        while !stop.load(Ordering::SeqCst) {
            kill = match next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |next| {
                (next < config.count).then(|| next + 1)
            }) {
                Ok(kill) => kill,
                Err(_) => break,
            };
            let tally = strike(&mut world, config.seed, kill, config.faults)?;
            // The receiver lives as long as this thread.
            let _ = news.send(Ok(tally));
        }
        world.verify_at_rest()?;
        let (orders_now, fills_now) = world.traded()?;
        let tally = Tally {
            verified: 1,
            orders: orders_now - orders,
            fills: fills_now - fills,
            ..Tally::default()
        };
        let _ = news.send(Ok(tally));
        Ok(())
    };
    if let Err(what) = run()
        && !stop.load(Ordering::SeqCst)
    {
        let _ = news.send(Err(Violation { kill, what, folder }));
    }
}

/// One kill with all that belongs to it, drawn from the seed and its number alone.
fn strike(world: &mut World, seed: u64, number: u64, faults: bool) -> Result<Tally, Trouble> {
    let mut random = Pcg64::seed_from_u64(Pcg64::seed_from_u64(seed).next_u64() ^ number);
    if faults {
        world.spoil(&mut random)?;
    }
    let mut draw = |below: u64| random.next_u64() % below;
    let pause = |millis| std::thread::sleep(Duration::from_millis(millis));
    let mut tally = Tally { checked: 1, ..Tally::default() };
    pause(draw(600));
    let (what, rob) = (draw(10), draw(20) == 0);
    let mut victims = vec![Who::Gateway];
    match what {
        // While it trades.
        0..=3 => {}
        // While it boots, reads its journal, logs on or reconciles.
        4 | 5 => {
            world.kill(Who::Gateway)?;
            world.launch(Who::Gateway)?;
            pause(draw(120));
            tally.gateway += 1;
            tally.booting += 1;
        }
        // With the ink of the latch still wet.
        6 => {
            world.halt()?;
            tally.halted += 1;
        }
        7 | 8 => victims = vec![Who::Venue],
        _ => victims.push(Who::Venue),
    }
    for &who in &victims {
        world.kill(who)?;
        match who {
            Who::Gateway => tally.gateway += 1,
            Who::Venue => tally.venue += 1,
        }
    }
    let rob = rob && victims.contains(&Who::Gateway) && tally.halted == 0;
    if rob {
        world.verify()?;
        world.rob()?;
        tally.verified += 1;
        tally.robbed += 1;
    }
    // The venue last: a gateway that comes up first has to wait for it.
    for &who in &victims {
        world.launch(who)?;
    }
    if faults {
        // A venue that was killed has forgotten them by itself, and may not be back yet.
        world.wait("a venue that behaves", |world| world.mend().ok())?;
    }
    let status = world.reconciled()?;
    if tally.halted > 0 && !World::is_halted(&status) {
        return Err("a kill that was acknowledged did not survive kill -9".to_owned());
    }
    world.halt()?;
    world.agree()?;
    world.arm()?;
    Ok(tally)
}
