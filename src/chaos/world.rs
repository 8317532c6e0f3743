//! A venue and a gateway as processes of their own, on folders of their own, and an operator who
//! looks at both with the commands that everybody has.

use super::agree::{Theirs, difference, ids_of};
use super::reconnect::Footprint;
use super::venues::{VenueFault, VenueKind};
use crate::types::KillLevel;
use crate::view::{ArmChallenge, ArmResult, Fills, KillResult, Status, TripView, VerifyResult};
use rand_core::Rng;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it has come.
const LOOK: Duration = Duration::from_millis(10);

/// The venue's market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// Session seconds in a second.
    pub speed: u32,
    /// A recording; `None`: a generated market.
    pub data: Option<PathBuf>,
}

impl Market {
    /// That of a campaign without one of its own: tens of orders come in a second.
    pub const USUAL: Self = Self { speed: 20, data: None };
}

/// What went wrong in a world, for people.
pub type Trouble = String;

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Venue,
    Gateway,
}

/// A venue, a gateway, and their folders.
pub(super) struct World {
    qtos: PathBuf,
    dir: PathBuf,
    stop: Arc<AtomicBool>,
    kind: VenueKind,
    market: Market,
    venue: Option<Child>,
    gateway: Option<Child>,
}

/// The text of a config with the sandbox venue at `addr` and all patience short, in small journal files.
fn aimed(config: &str, addr: &str) -> Result<String, Trouble> {
    let mut table: Table = config.parse().map_err(|error| format!("config: {error}"))?;
    for feed in venues(&mut table, "feed") {
        let (key, value) = match is(feed, "alpaca") {
            true => ("url", format!("ws://{addr}")),
            false => ("addr", addr.to_owned()),
        };
        if let Some(params) = feed.get_mut("params").and_then(Value::as_table_mut) {
            params.insert(key.to_owned(), value.into());
        }
    }
    for broker in venues(&mut table, "broker") {
        if is(broker, "alpaca") {
            let params = broker.entry("params").or_insert_with(|| Value::Table(Table::new()));
            if let Some(params) = params.as_table_mut() {
                params.insert("url".to_owned(), format!("http://{addr}").into());
                params.insert("rate".to_owned(), 1_000_000.into());
            }
        } else {
            broker.insert("addr".to_owned(), addr.into());
        }
        let short = [
            ("ack_timeout", "300ms"),
            ("absence_after", "300ms"),
            ("reconcile_every", "1s"),
            ("reconnect_min", "10ms"),
            ("reconnect_max", "50ms"),
        ];
        broker.extend(short.map(|(key, value)| (key.to_owned(), value.into())));
    }
    // Small files: kills befall the change from one to the next as well.
    let journal = table.entry("journal").or_insert_with(|| Value::Table(Table::new()));
    if let Some(journal) = journal.as_table_mut() {
        journal.entry("rotate").or_insert_with(|| "16 KiB".into());
    }
    // A session that begins anew every second repeats itself: no agent is to be taken out for it.
    let guardian = table.entry("guardian").or_insert_with(|| Value::Table(Table::new()));
    if let Some(guardian) = guardian.as_table_mut() {
        let rules = guardian.entry("rules").or_insert_with(|| Value::Table(Table::new()));
        if let Some(rules) = rules.as_table_mut() {
            let off = Table::from_iter([("action".to_owned(), "off".into())]);
            rules.insert("denials".to_owned(), Value::Table(off));
        }
    }
    toml::to_string(&table).map_err(|error| format!("config: {error}"))
}

fn is(section: &Table, kind: &str) -> bool {
    section.get("kind").and_then(Value::as_str) == Some(kind)
}

/// The `[[feed]]` or `[[broker]]` sections whose kind is a venue's.
fn venues<'a>(table: &'a mut Table, name: &str) -> impl Iterator<Item = &'a mut Table> {
    let sections = table.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
    let venue = |section: &Table| is(section, "sandbox") || is(section, "alpaca");
    sections.filter_map(Value::as_table_mut).filter(move |section| venue(section))
}

impl World {
    /// Starts a venue and a gateway with the agents of `config` in `dir`, which may hold an older
    /// world. `qtos` is the program; `stop` ends every wait.
    pub fn start(
        qtos: &Path,
        dir: PathBuf,
        (kind, config): (VenueKind, &str),
        market: &Market,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Trouble> {
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let (qtos, market) = (qtos.to_owned(), market.clone());
        let mut world = Self { qtos, dir, stop, kind, market, venue: None, gateway: None };
        let nowhere = aimed(config, "127.0.0.1:1")?;
        world.write("venue.toml", &nowhere)?;
        world.write("addr", "127.0.0.1:0")?;
        world.launch(Who::Venue)?;
        let addr = world.wait("the venue's address", |world| world.venue_address())?;
        world.write("addr", &addr)?;
        world.write("gateway.toml", &aimed(config, &addr)?)?;
        world.launch(Who::Gateway)?;
        Ok(world)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn venue_address(&self) -> Option<String> {
        let said = fs::read_to_string(self.dir.join("venue.log")).ok()?;
        let whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut addresses = whole.filter_map(|line| line.trim_end().strip_prefix("listening at "));
        addresses.next_back().map(str::to_owned)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.qtos);
        command.args(args).arg("--json").current_dir(&self.dir).stdin(Stdio::null());
        command.envs(self.kind.environment().iter().copied());
        command
    }

    /// Starts one of the two. Its log begins anew: a campaign is long.
    pub fn launch(&mut self, who: Who) -> Result<(), Trouble> {
        let failed = |error: io::Error| format!("cannot start: {error}");
        let (name, mut command) = match who {
            Who::Venue => {
                let addr = fs::read_to_string(self.dir.join("addr")).map_err(failed)?;
                let args = self.kind.arguments(&addr, &self.market);
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                ("venue", self.command(&args))
            }
            Who::Gateway => {
                let args = ["run", "--state-dir", "g", "--config", "gateway.toml"];
                ("gateway", self.command(&args))
            }
        };
        let file = |ending| File::create(self.dir.join(name).with_extension(ending));
        let (out, log) = (file("json").map_err(failed)?, file("log").map_err(failed)?);
        let child = command.stdout(out).stderr(log).spawn().map_err(failed)?;
        *self.place(who) = Some(child);
        Ok(())
    }

    const fn place(&mut self, who: Who) -> &mut Option<Child> {
        match who {
            Who::Venue => &mut self.venue,
            Who::Gateway => &mut self.gateway,
        }
    }

    /// `kill -9`. A process that ended by itself before is trouble.
    pub fn kill(&mut self, who: Who) -> Result<(), Trouble> {
        self.alive(who)?;
        if let Some(mut child) = self.place(who).take() {
            child.kill().and_then(|()| child.wait()).map_err(|error| format!("kill: {error}"))?;
        }
        Ok(())
    }

    fn alive(&mut self, who: Who) -> Result<(), Trouble> {
        let dir = self.dir.clone();
        let Some(child) = self.place(who) else { return Ok(()) };
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let log = if who == Who::Venue { "venue.log" } else { "gateway.log" };
                let said = fs::read_to_string(dir.join(log)).unwrap_or_default();
                let last = said.lines().rev().take(5).collect::<Vec<_>>().join(" | ");
                Err(format!("the {who:?} ended by itself, {status}: {last}"))
            }
            Err(error) => Err(format!("the {who:?}: {error}")),
        }
    }

    /// Waits for something, as long as both processes live.
    pub fn wait<T>(
        &mut self,
        what: &str,
        mut seek: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, Trouble> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && !self.stop.load(Ordering::Relaxed) {
            self.alive(Who::Venue)?;
            self.alive(Who::Gateway)?;
            if let Some(found) = seek(self) {
                return Ok(found);
            }
            std::thread::sleep(LOOK);
        }
        Err(format!("waited in vain: {what}"))
    }

    /// Runs a command to its end; what it printed.
    pub fn ask<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T, Trouble> {
        let what = args.join(" ");
        let output = self.command(args).output().map_err(|error| format!("{what}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stdout)));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{what}: {error}"))
    }

    pub fn status(&self) -> Result<Status, Trouble> {
        self.ask(&["status", "--state-dir", "g"])
    }

    /// Waits until the gateway is reconciled with the venue: no hold is left.
    pub fn reconciled(&mut self) -> Result<Status, Trouble> {
        self.wait("a gateway without holds", |world| {
            world.status().ok().filter(|status| status.holds.is_empty())
        })
    }

    /// Stops the flow with a kill of level cancel.
    pub fn halt(&self) -> Result<(), Trouble> {
        let args = ["kill", "--scope", "global", "--level", "cancel", "--reason", "campaign"];
        let _: KillResult = self.ask(&[&args[..], &["--state-dir", "g"]].concat())?;
        Ok(())
    }

    /// Whether a kill of level cancel stands.
    pub fn is_halted(status: &Status) -> bool {
        status.kill.level >= KillLevel::Cancel
    }

    /// Waits until gateway and venue agree; the first thing in which they do not.
    pub fn agree(&mut self) -> Result<(), Trouble> {
        let mut last = String::new();
        let found = self.wait("agreement", |world| match world.look() {
            Ok(None) => Some(()),
            Ok(Some(why)) | Err(why) => {
                last = why;
                None
            }
        });
        found.map_err(|error| format!("{error}: {last}"))
    }

    fn look(&self) -> Result<Option<String>, Trouble> {
        let status = self.status()?;
        let fills: Fills = self.ask(&["fills", "--limit", "10000000", "--state-dir", "g"])?;
        let ids = ids_of(&self.dir.join("g")).map_err(|error| error.to_string())?;
        Ok(difference(&status, &fills, &self.theirs()?, &ids))
    }

    fn addr(&self) -> Result<String, Trouble> {
        fs::read_to_string(self.dir.join("addr")).map_err(|error| format!("addr: {error}"))
    }

    fn theirs(&self) -> Result<Theirs, Trouble> {
        self.kind.theirs(&self.dir, &self.addr()?)
    }

    /// Has the venue misbehave for a while, where it can.
    pub fn spoil(&self, random: &mut impl Rng) -> Result<(), Trouble> {
        self.kind.spoil(&self.addr()?, random)
    }

    /// Has the venue misbehave in this way for a while, where it can.
    pub fn misbehave(&self, fault: VenueFault, random: &mut impl Rng) -> Result<(), Trouble> {
        self.kind.misbehave(&self.addr()?, fault, random)
    }

    /// Has the venue hang up on everybody.
    pub fn cut(&self) -> Result<(), Trouble> {
        self.kind.cut(&self.addr()?)
    }

    /// What a process takes of the machine; zeros where the system does not say.
    pub fn footprint(&self, who: Who) -> Footprint {
        let child = if who == Who::Venue { &self.venue } else { &self.gateway };
        let Some(child) = child else { return Footprint::default() };
        let of = PathBuf::from(format!("/proc/{}", child.id()));
        let status = fs::read_to_string(of.join("status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        let descriptors = fs::read_dir(of.join("fd")).map_or(0, |files| files.count() as u64);
        Footprint { memory_kib: memory.unwrap_or_default(), descriptors }
    }

    /// Ends what [`Self::spoil`] began.
    pub fn mend(&self) -> Result<(), Trouble> {
        self.kind.mend(&self.addr()?)
    }

    /// Lets the orders flow again, in the two steps of an operator for each kill that stands: a rule may
    /// have raised one over what the campaign did.
    pub fn arm(&mut self) -> Result<(), Trouble> {
        self.wait("a gateway that can be armed", |world| {
            let standing = world.status().ok()?.kill.scopes;
            for TripView { scope, .. } in &standing {
                let args = ["arm", "--scope", scope, "--reason", "campaign", "--state-dir", "g"];
                let step: ArmChallenge = world.ask(&args).ok()?;
                let args = ["arm", "--confirm", &step.challenge, "--state-dir", "g"];
                world.ask::<ArmResult>(&args).ok()?;
            }
            standing.is_empty().then_some(())
        })?;
        self.wait("a gateway that takes orders", |world| {
            world.status().ok().filter(|status| status.ready)
        })?;
        Ok(())
    }

    /// The journal, run again, gives the same.
    pub fn verify(&self) -> Result<(), Trouble> {
        let result: VerifyResult = self.ask(&["replay", "--journal", "g", "--verify"])?;
        if result.identical { Ok(()) } else { Err("the journal replays differently".to_owned()) }
    }

    /// Stops the flow, compares a last time, ends the gateway and runs its journal again.
    pub fn verify_at_rest(&mut self) -> Result<(), Trouble> {
        self.halt()?;
        self.agree()?;
        self.kill(Who::Gateway)?;
        self.verify()
    }

    /// Deletes the state folder of a gateway that does not run.
    pub fn rob(&self) -> Result<(), Trouble> {
        fs::remove_dir_all(self.dir.join("g")).map_err(|error| format!("state folder: {error}"))
    }

    /// Orders and fills in the ledger.
    pub fn traded(&self) -> Result<(u64, u64), Trouble> {
        let theirs = self.theirs()?;
        Ok((theirs.orders, theirs.fills.len() as u64))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in [&mut self.gateway, &mut self.venue].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
