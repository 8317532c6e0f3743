//! `qtos chaos`.

use super::args::{ChaosCommand, Global, Kill9Args, PairsArgs, ProxyArgs, ReconnectArgs};
use super::demo::fresh_folder;
use super::signal::until_signal;
use super::{CliError, Exit, Progress};
use crate::chaos::{
    Campaign, CampaignConfig, Faults, Incident, Market, Pairs, PairsConfig, ProxyConfig,
    ProxyError, ProxyTotals, ReconnectConfig, Reconnects, kill9, pairs, proxy, reconnect, slices,
};
use crate::view::Render;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Runs a proxy until SIGINT, SIGTERM or the end of its time, or a campaign until its end.
///
/// # Errors
/// An address cannot be listened at, a file not be read (2). A campaign that found something wrong
/// exits with 1.
pub fn run(command: &ChaosCommand, global: &Global) -> Result<Exit, CliError> {
    match command {
        ChaosCommand::Proxy(args) => run_proxy(args, global),
        ChaosCommand::Kill9(args) => run_kill9(args, global),
        ChaosCommand::Reconnect(args) => run_reconnect(args, global),
        ChaosCommand::Pairs(args) => run_pairs(args, global),
    }
}

fn run_proxy(args: &ProxyArgs, global: &Global) -> Result<Exit, CliError> {
    let stop = until_signal()?;
    let faults = Faults {
        seed: args.seed,
        delay: args.delay,
        trickle: args.trickle,
        drop: args.drop.clone(),
        duplicate: args.duplicate.clone(),
        reorder: args.reorder.clone(),
        reset: args.reset.clone(),
        half_open: args.half_open.clone(),
        partitions: args.partition.clone(),
        only: args.only,
        until: args.faults_for,
    };
    let config = ProxyConfig {
        listen: args.listen,
        to: args.to,
        framing: args.framing,
        faults,
        limit: args.for_seconds.map(Duration::from_secs),
    };
    let begin = Instant::now();
    let bound = |addr| eprintln!("listening at {addr}");
    let totals = proxy(config, bound, say, &stop).map_err(|error| match error {
        ProxyError::Listen(..) => CliError::input(error.to_string()),
        ProxyError::Io(_) => CliError::core(error.to_string()),
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    global.print(&ProxyResult { seed: args.seed, seconds, totals });
    Ok(Exit::Done)
}

/// One line a fault, on standard error.
fn say(incident: &Incident) {
    let mut line = format!("{:>10.3}s  {:<9}", incident.at.as_secs_f64(), incident.fault.name());
    // Writing to a string cannot fail.
    if incident.connection > 0 {
        let _ = write!(line, "  connection {}", incident.connection);
    }
    if let Some(direction) = incident.direction {
        let _ = write!(line, " {direction}");
    }
    if incident.piece > 0 {
        let _ = write!(line, ", piece {}", incident.piece);
    }
    eprintln!("{line}");
}

/// What a proxy did, printed at its end.
#[derive(Debug, Serialize)]
struct ProxyResult {
    seed: u64,
    seconds: f64,
    #[serde(flatten)]
    totals: ProxyTotals,
}

impl Render for ProxyResult {
    fn render(&self) -> String {
        let totals = &self.totals;
        let faults: Vec<String> =
            totals.faults.iter().map(|(name, count)| format!("{count} {name}")).collect();
        format!(
            "seed {}, {:.1} s: {} connections ({} without a venue), {} pieces, {} bytes to the \
             venue, {} to clients\nfaults: {}\n",
            self.seed,
            self.seconds,
            totals.connections,
            totals.refused,
            totals.pieces,
            totals.bytes_to_venue,
            totals.bytes_to_client,
            if faults.is_empty() { "none".to_owned() } else { faults.join(", ") },
        )
    }
}

fn unreadable(what: &str, error: &std::io::Error) -> CliError {
    CliError::input(format!("{what}: {error}"))
}

/// The text of the config that was named, and this program.
fn world_of(global: &Global) -> Result<(Option<String>, PathBuf), CliError> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| unreadable(&path.display().to_string(), &error))
    };
    let config = global.config.as_ref().map(read).transpose()?;
    let qtos = std::env::current_exe().map_err(|error| unreadable("this program", &error))?;
    Ok((config, qtos))
}

fn run_reconnect(args: &ReconnectArgs, global: &Global) -> Result<Exit, CliError> {
    let stop = until_signal()?;
    let (config, qtos) = world_of(global)?;
    let fresh = global.state_dir.is_none();
    let dir = global.state_dir.clone().map_or_else(|| fresh_folder("reconnect"), Ok)?;
    let span = Duration::from_secs(args.minutes * 60);
    let bar = Progress::count("seconds", span.as_secs());
    let config = ReconnectConfig { qtos, span, seed: args.seed, dir: dir.clone(), config };
    let done = reconnect(&config, &stop, |seconds| bar.set(seconds));
    bar.finish();
    let sound = done.violation.is_none();
    if fresh && sound {
        // As with kill9.
        let _ = std::fs::remove_dir_all(&dir);
    }
    global.print(&done);
    Ok(if sound { Exit::Done } else { Exit::False })
}

impl Render for Reconnects {
    fn render(&self) -> String {
        let Self { seed, cuts, compared, orders, fills, first, last, violation } = self;
        let mut text = format!(
            "seed {seed}: {cuts} times cut off, {compared} times compared, {orders} orders, {fills} fills\n\
             the gateway's memory {} then {} KiB, files and sockets {} then {}\n",
            first.memory_kib, last.memory_kib, first.descriptors, last.descriptors
        );
        if let Some(what) = violation {
            let _ = writeln!(text, "wrong: {what}");
        }
        text
    }
}

fn run_pairs(args: &PairsArgs, global: &Global) -> Result<Exit, CliError> {
    let stop = until_signal()?;
    let (config, qtos) = world_of(global)?;
    let fresh = global.state_dir.is_none();
    let dir = global.state_dir.clone().map_or_else(|| fresh_folder("pairs"), Ok)?;
    // The venue runs in a folder of its own.
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|error| unreadable(&path.display().to_string(), &error))
    };
    let data = args.data.as_ref().map(absolute).transpose()?;
    let bar = Progress::count("slices", slices(args.alone).len() as u64);
    let config = PairsConfig {
        qtos,
        span: Duration::from_nanos(args.slice.0),
        market: Market { speed: args.speed, data },
        seed: args.seed,
        alone: args.alone,
        dir: dir.clone(),
        config,
    };
    let done = pairs(&config, &stop, |slices| bar.set(slices));
    bar.finish();
    let sound = done.violations.is_empty();
    if fresh && sound {
        let _ = std::fs::remove_dir_all(&dir);
    }
    global.print(&done);
    Ok(if sound { Exit::Done } else { Exit::False })
}

impl Render for Pairs {
    fn render(&self) -> String {
        let Self { seed, slices, orders, least_orders, fills, violations } = self;
        let mut text = format!(
            "seed {seed}: {slices} slices, {orders} orders ({least_orders} at least in one), {fills} fills\n"
        );
        for bad in violations {
            let _ = writeln!(text, "{:?}: {} ({})", bad.faults, bad.what, bad.folder.display());
        }
        text
    }
}

fn run_kill9(args: &Kill9Args, global: &Global) -> Result<Exit, CliError> {
    let stop = until_signal()?;
    let (config, qtos) = world_of(global)?;
    let fresh = global.state_dir.is_none();
    let dir = global.state_dir.clone().map_or_else(|| fresh_folder("kill9"), Ok)?;
    let config = CampaignConfig {
        qtos,
        count: args.count,
        seed: args.seed,
        worlds: args.worlds,
        dir: dir.clone(),
        resume: args.resume.clone(),
        config,
        venue: args.venue,
        faults: args.faults,
    };
    let bar = Progress::count("kills", args.count);
    let begin = Instant::now();
    let campaign = kill9(&config, &stop, |done| bar.set(done))
        .map_err(|error| CliError::input(error.to_string()))?;
    bar.finish();
    let sound = campaign.violations.is_empty();
    if fresh && sound {
        // What is left of a campaign in which nothing was wrong is of no use to anyone.
        let _ = std::fs::remove_dir_all(&dir);
    }
    let seconds = begin.elapsed().as_secs_f64();
    global.print(&Kill9Result { count: args.count, seconds, campaign });
    Ok(if sound { Exit::Done } else { Exit::False })
}

/// What a campaign came to.
#[derive(Debug, Serialize)]
struct Kill9Result {
    count: u64,
    seconds: f64,
    #[serde(flatten)]
    campaign: Campaign,
}

impl Render for Kill9Result {
    fn render(&self) -> String {
        let tally = &self.campaign.tally;
        let mut text = format!(
            "seed {}, {:.1} s: {} of {} kills checked\n{} of the gateway ({} while booting, {} with \
             the kill switch just set), {} of the venue\n{} state folders deleted, {} journals \
             verified, {} orders, {} fills\n",
            self.campaign.seed,
            self.seconds,
            tally.checked,
            self.count,
            tally.gateway,
            tally.booting,
            tally.halted,
            tally.venue,
            tally.robbed,
            tally.verified,
            tally.orders,
            tally.fills,
        );
        for wrong in &self.campaign.violations {
            let folder = wrong.folder.display();
            let _ = writeln!(text, "kill {}: {}; kept in {folder}", wrong.kill, wrong.what);
        }
        text
    }
}
