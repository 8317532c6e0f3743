//! The watching thread: what reaches the gateway from outside of the control API, and what must not
//! go unnoticed inside.
//!
//! SIGUSR1 and SIGUSR2 set a flag of the kill board itself, so they count from the handler on; this
//! thread makes them durable. The file `KILL` in the state folder is a kill at level cancel. SIGTERM
//! and SIGINT drain; a second one is a kill at level cancel and the end. A journal that cannot be
//! written blocks. A core lane that stands still is killed at the brokers without its help, an agent
//! lane that stands still puts its agents on hold until it moves, a step of the system's time everything.

use super::handle::Handle;
use super::status::{ActorState, ActorStatus};
use crate::kill::Trip;
use crate::msg::{Control, HoldKind, Input, Rule};
use crate::types::{AgentId, KillLevel, Nanos, Scope, Timestamp};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);
/// The system's time may move so far away from the gateway's.
const CLOCK_STEP: Nanos = Nanos::from_secs(1);
/// A lane that has not moved for so long stands still.
const STALLED: Nanos = Nanos::from_secs(3);
/// This thread itself was stopped, and with it the process or the machine: the lanes get their time
/// anew before they are judged.
const SLEPT: Nanos = Nanos::from_secs(1);
/// A watchdog that has not looked for so long is gone.
const UNWATCHED: Nanos = Nanos::from_secs(5);

/// Registers the handlers and starts the thread; it ends with the service.
///
/// # Errors
/// A handler could not be registered.
pub fn start(handle: Handle, state: PathBuf, ended: Arc<AtomicBool>) -> io::Result<()> {
    let [block, cancel] = handle.board().signal_flags();
    flag::register(SIGUSR1, block)?;
    flag::register(SIGUSR2, cancel)?;
    let terms = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    flag::register(SIGTERM, Arc::clone(&terms[0]))?;
    flag::register(SIGINT, Arc::clone(&terms[1]))?;
    let awake = handle.now();
    let looked = awake;
    let mut watch = Watch {
        handle,
        state,
        terms,
        draining: false,
        stepped: false,
        held: Vec::new(),
        unwatched: false,
        looked,
        awake,
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        while !ended.load(Ordering::SeqCst) {
            watch.look();
            std::thread::sleep(EVERY);
        }
    })?;
    Ok(())
}

struct Watch {
    handle: Handle,
    state: PathBuf,
    terms: [Arc<AtomicBool>; 2],
    draining: bool,
    /// On hold because the system's time was set.
    stepped: bool,
    /// Agents on hold because their lane stands still.
    held: Vec<AgentId>,
    /// Its watchdog was there and has gone.
    unwatched: bool,
    /// When it looked last.
    looked: Timestamp,
    /// Since when it has looked without a pause.
    awake: Timestamp,
}

impl Watch {
    fn look(&mut self) {
        let now = self.handle.now();
        if now.since(self.looked) > SLEPT {
            tracing::warn!(
                seconds = now.since(self.looked).as_secs_f64(),
                "the process was stopped"
            );
            self.awake = now;
        }
        self.looked = now;
        if let Some(level) = self.handle.board().take_signal() {
            self.kill(level, "signal");
            self.handle.board().clear_signals(level);
        }
        if self.below(KillLevel::Cancel) && self.state.join("KILL").exists() {
            self.kill(KillLevel::Cancel, "KILL file");
        }
        let blocked = |trip: &Trip| trip.scope == "global" && trip.level >= KillLevel::Block;
        if self.handle.journal_failed() && !self.handle.trips().iter().any(blocked) {
            self.trip(Rule::JournalError, KillLevel::Block, "the journal cannot be written");
        }
        if self.terms.iter().any(|term| term.swap(false, Ordering::SeqCst)) {
            self.term();
        }
        self.clock();
        self.handle.hear_core();
        self.lanes();
        self.watchdog();
        #[cfg(feature = "inject")]
        self.inject();
    }

    fn below(&self, level: KillLevel) -> bool {
        self.handle.board().level(Scope::Global) < level
    }

    /// A kill whose file cannot be written holds all the same; the log says so.
    fn kill(&self, level: KillLevel, reason: &str) {
        if let Err(error) = self.handle.kill(Scope::Global, level, reason) {
            tracing::error!(%error, reason, "the kill holds, but its file could not be written");
        }
    }

    fn trip(&self, rule: Rule, level: KillLevel, reason: &str) {
        if let Err(error) = self.handle.trip(rule, Scope::Global, level, reason) {
            tracing::error!(%error, reason, "the kill holds, but its file could not be written");
        }
    }

    fn term(&mut self) {
        if self.draining {
            self.kill(KillLevel::Cancel, "second SIGTERM");
            self.handle.stop().now();
        } else {
            tracing::info!("draining");
            self.draining = true;
            self.handle.stop().drain();
        }
        self.handle.wake();
    }

    fn lanes(&mut self) {
        let lanes: Vec<(String, bool)> = self
            .handle
            .statuses()
            .iter()
            .filter(|status| status.name.starts_with("lane:"))
            .map(|status| (status.name.clone(), self.stands_still(status)))
            .collect();
        for (name, still) in lanes {
            if name == "lane:core" {
                if still && self.below(KillLevel::Cancel) {
                    tracing::error!("the core lane stands still");
                    let still = "the core lane stands still";
                    self.trip(Rule::CoreStalled, KillLevel::Cancel, still);
                    self.handle.cancel_without_core(KillLevel::Cancel);
                }
                continue;
            }
            let lane = name.trim_start_matches("lane:");
            let topology = self.handle.topology();
            let agents: Vec<AgentId> = topology
                .agents
                .iter()
                .filter(|agent| topology.lanes[usize::from(agent.lane.0)].name == lane)
                .map(|agent| agent.id)
                .collect();
            for agent in agents {
                self.hold(agent, still);
            }
        }
    }

    /// The gateway's time goes on evenly; when the system's jumps, one of them is wrong, and so is any
    /// age of a price. The hold goes when they agree again, or with a restart, which takes the new one.
    fn clock(&mut self) {
        let stepped = self.handle.clock_off() > CLOCK_STEP;
        if stepped == self.stepped {
            return;
        }
        let hold = Control::Hold { scope: Scope::Global, kind: HoldKind::ClockStep, on: stepped };
        if self.handle.deliver(Input::Control(hold)).is_ok() {
            tracing::warn!(on = stepped, "clock step");
            self.stepped = stepped;
        }
    }

    /// Says when the watchdog goes, and when it comes back. Trading goes on.
    fn watchdog(&mut self) {
        let Some(seen) = self.handle.last_watched() else { return };
        let gone = self.looked.since(seen.max(self.awake)) > UNWATCHED;
        if gone != self.unwatched {
            self.unwatched = gone;
            match gone {
                true => {
                    tracing::error!("the watchdog is gone: nobody cancels if this process hangs")
                }
                false => tracing::info!("a watchdog is there again"),
            }
        }
    }

    fn stands_still(&self, status: &ActorStatus) -> bool {
        status.state() == ActorState::Running
            && self.looked.since(status.last_beat().max(self.awake)) > STALLED
    }

    fn hold(&mut self, agent: AgentId, on: bool) {
        if self.held.contains(&agent) == on {
            return;
        }
        let hold = Control::Hold { scope: Scope::Agent(agent), kind: HoldKind::Stalled, on };
        if self.handle.deliver(Input::Control(hold)).is_ok() {
            self.held.retain(|held| *held != agent);
            if on {
                self.held.push(agent);
            }
        }
    }

    #[cfg(feature = "inject")]
    fn inject(&self) {
        let file = self.state.join("INJECT");
        if let Ok(name) = std::fs::read_to_string(&file) {
            let _ = std::fs::remove_file(file);
            let mut wanted =
                super::keeper::injected().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *wanted = Some(name.trim().to_owned());
        }
    }
}
