//! What the control plane holds of a running gateway.

use super::audit::{Act, Audit};
use super::broker_io::CommandEdge;
use super::clock::Clock;
use super::data_io::FeedFigures;
use super::direct::{Direct, cancel_direct};
use super::edge::{RemoteEdge, Waker};
use super::journal_file::SyncEdge;
use super::lane::{Ask, Figures, Stop};
use super::status::ActorStatus;
use super::watchdog::Beat;
use crate::actors::Notice;
use crate::broker::SessionFigures;
use crate::desk::Desk;
use crate::kill::two_step::VALID;
use crate::kill::{ArmDesk, ArmError, KillBoard, Latch, LatchError, StepError, Trip, TwoStep};
use crate::msg::{Act as Done, Control, Input, Intervention, KillOrder, LimitsChange, Rule};
use crate::types::{AgentId, ClientOrderId, KillLevel, Nanos, Scope, Timestamp};
use crate::wiring::Topology;
use crossbeam_queue::ArrayQueue;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

pub(super) struct Shared {
    pub topology: Topology,
    pub board: Arc<KillBoard>,
    pub asks: Arc<ArrayQueue<Ask>>,
    pub waker: Arc<Waker>,
    pub stop: Arc<Stop>,
    pub statuses: Vec<Arc<ActorStatus>>,
    pub brokers: Vec<Arc<CommandEdge>>,
    pub journal: Arc<SyncEdge>,
    pub merged: Vec<(String, Arc<AtomicU64>)>,
    pub feeds: Vec<(String, Arc<FeedFigures>)>,
    /// Of broker sessions that count.
    pub sessions: Vec<(String, Arc<SessionFigures>)>,
    pub clock: Clock,
    pub operator: AtomicU32,
    pub instance: u32,
    pub epoch: u32,
    pub audit: Audit,
    /// Control plane only: no order waits for these.
    pub latch: Mutex<Latch>,
    pub arm: Mutex<ArmDesk>,
    pub limits: Mutex<TwoStep<LimitsChange>>,
    /// From the core: what a person has to hear of.
    pub notices: Arc<ArrayQueue<Notice>>,
    /// From the core: order updates of remote agents, where there is an order entry.
    pub remote: Option<Arc<RemoteEdge>>,
    /// When a watchdog looked last, in nanoseconds; zero before the first.
    pub watched: AtomicU64,
}

/// The core did not answer in time: it is starting, ending or stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the core does not answer")]
pub struct NoAnswer;

/// How long the control plane waits for the core.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a broker has to confirm that it cancelled without the core.
const LAST_CALL: Nanos = Nanos::from_secs(5);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// What the gateway runs.
    pub fn topology(&self) -> &Topology {
        &self.0.topology
    }

    /// The kill board.
    pub fn board(&self) -> &KillBoard {
        &self.0.board
    }

    /// How to end the run.
    pub fn stop(&self) -> &Stop {
        &self.0.stop
    }

    /// Every supervised actor.
    pub fn statuses(&self) -> &[Arc<ActorStatus>] {
        &self.0.statuses
    }

    /// What broker sessions count, by their brokers' names.
    pub fn sessions(&self) -> &[(String, Arc<SessionFigures>)] {
        &self.0.sessions
    }

    /// What each data stream has brought, by its name.
    pub fn feeds(&self) -> &[(String, Arc<FeedFigures>)] {
        &self.0.feeds
    }

    /// Records merged on the way to a lane, by its name.
    pub fn merged(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.merged.iter().map(|(name, count)| (name.as_str(), count.load(Ordering::Relaxed)))
    }

    /// Bytes written to the journal in this boot.
    pub fn journal_bytes(&self) -> u64 {
        self.0.journal.written.load(Ordering::Relaxed)
    }

    /// Number of the journal file that is written, and its length in bytes.
    pub fn journal_file(&self) -> (u32, u64) {
        (self.0.journal.number(), self.0.journal.length())
    }

    /// The journal cannot be written any more.
    pub fn journal_failed(&self) -> bool {
        self.0.journal.failed.load(Ordering::SeqCst)
    }

    /// Wall time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// How far the system's time has moved away from the gateway's.
    pub fn clock_off(&self) -> crate::types::Nanos {
        self.0.clock.off()
    }

    /// The core lane's last beat. A core that has not begun has none.
    pub fn beat(&self) -> Option<Beat> {
        let core = self.0.statuses.iter().find(|status| status.name == "lane:core")?;
        let beat = core.last_beat();
        let age = self.now().since(beat);
        (beat > Timestamp::ZERO).then_some(Beat { boot: self.0.epoch, age })
    }

    /// A watchdog has looked.
    pub fn watched(&self) {
        self.0.watched.store(self.now().nanos(), Ordering::Relaxed);
    }

    /// When a watchdog looked last; none before the first.
    pub fn last_watched(&self) -> Option<Timestamp> {
        let at = self.0.watched.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_nanos(at))
    }

    /// Wakes the core lane.
    pub fn wake(&self) {
        self.0.waker.wake();
    }

    /// Runs `look` on the core lane between two deliveries and waits for the answer.
    ///
    /// # Errors
    /// [`NoAnswer`]; `look` may still run later.
    pub fn call<R: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Desk, Timestamp, &Figures) -> R + Send + 'static,
    ) -> Result<R, NoAnswer> {
        self.begin_call(look)?.recv_timeout(PATIENCE).map_err(|_| NoAnswer)
    }

    /// As [`Self::call`], without the wait: `look` runs before anything that is delivered after this.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn begin_call<R: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Desk, Timestamp, &Figures) -> R + Send + 'static,
    ) -> Result<Receiver<R>, NoAnswer> {
        let (answer, wait) = sync_channel(1);
        let call = move |desk: &mut Desk, at: Timestamp, figures: &Figures| {
            let _ = answer.send(look(desk, at, figures));
        };
        self.ask(Ask::Call(Box::new(call)))?;
        Ok(wait)
    }

    /// Delivers an input to the core.
    ///
    /// # Errors
    /// [`NoAnswer`]: its queue stays full.
    pub fn deliver(&self, input: Input) -> Result<(), NoAnswer> {
        self.ask(Ask::Input(input))
    }

    fn ask(&self, ask: Ask) -> Result<(), NoAnswer> {
        let mut ask = ask;
        let give_up = self.now() + crate::types::Nanos(PATIENCE.as_nanos() as u64);
        loop {
            match self.0.asks.push(ask) {
                Ok(()) => {
                    self.0.waker.wake();
                    return Ok(());
                }
                Err(back) if self.now() < give_up => ask = back,
                Err(_) => return Err(NoAnswer),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tag and boot number of this run's client order ids.
    pub fn numbers(&self) -> (u32, u32) {
        (self.0.instance, self.0.epoch)
    }

    /// A new client order id of the operator.
    pub fn operator_id(&self) -> ClientOrderId {
        ClientOrderId {
            instance: self.0.instance,
            epoch: self.0.epoch,
            agent: AgentId::OPERATOR,
            seq: self.0.operator.fetch_add(1, Ordering::SeqCst),
        }
    }

    /// Order updates of remote agents; none without an order entry. They have one reader.
    pub fn remote(&self) -> Option<&Arc<RemoteEdge>> {
        self.0.remote.as_ref()
    }

    pub(super) fn brokers(&self) -> &[Arc<CommandEdge>] {
        &self.0.brokers
    }

    /// Notes an act in the audit file.
    pub fn note(&self, act: Act) {
        self.0.audit.note(self.now(), act);
    }

    /// Trips in force.
    pub fn trips(&self) -> Vec<Trip> {
        lock(&self.0.latch).trips().to_vec()
    }

    /// Raises a kill that a person wants: the latch first, then the core, then the file. When this
    /// returns no covered write is under way, and the file is on stable storage.
    ///
    /// # Errors
    /// The trip holds on the board but its file could not be written.
    pub fn kill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<Trip, LatchError> {
        self.raise(None, scope, level, reason)
    }

    /// [`Self::kill`] by an automatic trigger of the driver.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn trip(
        &self,
        rule: Rule,
        scope: Scope,
        level: KillLevel,
        reason: &str,
    ) -> Result<Trip, LatchError> {
        self.raise(Some(rule), scope, level, reason)
    }

    fn raise(
        &self,
        rule: Option<Rule>,
        scope: Scope,
        level: KillLevel,
        reason: &str,
    ) -> Result<Trip, LatchError> {
        self.0.board.raise(scope, level);
        let name = self.0.topology.names.scope_name(scope);
        // File, board and core change together, so that an arm which is under way comes wholly before
        // or wholly after.
        let mut latch = lock(&self.0.latch);
        let before = latch.get(&name).map_or(KillLevel::Normal, |trip| trip.level);
        let by = rule.map(|rule| (rule, self.0.topology.guardian.cool_off));
        // An arm that came in between has lowered it.
        self.0.board.raise(scope, level);
        // The core first, then the disk: a kill that only the journal knows stands after a crash too.
        let trip = latch.raise_by(by, (&name, level, reason), self.now(), |trip| {
            let reason = reason.to_owned();
            let order = KillOrder { scope, level, reason, episode: trip.episode, rule };
            if self.deliver(Input::Control(Control::Kill(order))).is_err() {
                // The core is stuck: its brokers cancel without it.
                self.cancel_without_core(level);
            }
        });
        tracing::warn!(scope = %name, level = %level, reason, "kill");
        drop(latch);
        let who = rule.map_or("operator", Rule::name);
        let after = self.0.board.level(scope);
        self.note(Act::new(who, "kill", name, reason).changed(before, after));
        trip
    }

    /// Hears what the core has to say to a person: logs it, and makes its kills durable.
    pub fn hear_core(&self) {
        while let Some(notice) = self.0.notices.pop() {
            let name = |scope| self.0.topology.names.scope_name(scope);
            match notice {
                Notice::Intervened(done) => self.intervened(done),
                Notice::Confirmed { scope, flat } => {
                    tracing::warn!(scope = %name(scope), flat, "the broker confirmed the kill");
                }
                Notice::Unconfirmed { scope } => tracing::error!(
                    scope = %name(scope),
                    "the broker has not confirmed the kill in time: look at the broker itself"
                ),
                Notice::Exit { order, refused: None } => tracing::warn!(%order, "exit sent"),
                Notice::Exit { order, refused: Some(reason) } => tracing::error!(
                    %order, %reason, "exit refused, not tried again: see `qtos flatten`"
                ),
                Notice::OddFill { order, qty } => {
                    tracing::error!(%order, %qty, "a fill after the order's end, or one taken back");
                }
                Notice::ExitEnded { order } => tracing::error!(
                    %order, "exit ended before all of it traded: see `qtos flatten`"
                ),
            }
        }
    }

    fn intervened(&self, Intervention { rule, scope, act }: Intervention) {
        let name = self.0.topology.names.scope_name(scope);
        match act {
            Done::Hold(on) => tracing::warn!(rule = rule.name(), scope = %name, on, "hold"),
            Done::Kill { level, episode, cool_off } => {
                tracing::error!(rule = rule.name(), scope = %name, level = %level, "kill by the guardian");
                self.0.board.raise(scope, level);
                let act = Act::new(rule.name(), "kill", &name, "guardian").changed("", level);
                let reason = format!("guardian: {}", rule.name());
                let (rule, since) = (Some(rule), self.now());
                let trip = Trip { scope: name, level, reason, episode, since, rule, cool_off };
                if let Err(error) = lock(&self.0.latch).record(trip) {
                    tracing::error!(%error, "the kill holds, but its file could not be written");
                }
                self.note(act);
            }
        }
    }

    /// Has every broker cancel all open orders without asking the core. Where the core lane drives the
    /// sockets itself, a connection of its own does it, on a thread that is given back.
    pub fn cancel_without_core(&self, level: KillLevel) -> Option<JoinHandle<()>> {
        if level < KillLevel::Cancel {
            return None;
        }
        self.0.brokers.iter().for_each(|broker| broker.cancel_all());
        if !self.0.topology.brokers.iter().any(|broker| broker.on_core) {
            return None;
        }
        let (topology, instance) = (self.0.topology.clone(), self.0.instance);
        let cancel = move || {
            for done in cancel_direct(&topology, instance, LAST_CALL, |broker| broker.on_core) {
                let Direct { broker, open_after, confirmed, .. } = done;
                tracing::warn!(broker, ?open_after, confirmed, "cancelled without the core");
            }
        };
        let spawned = std::thread::Builder::new().name("cancel".to_owned()).spawn(cancel);
        spawned.map_err(|error| tracing::error!(%error, "no thread to cancel on")).ok()
    }

    /// First step of the arm: the code to return and how long it is good.
    ///
    /// # Errors
    /// [`ArmError`].
    pub fn arm(&self, scope: Scope, reason: &str, facts: &str) -> Result<(String, u64), ArmError> {
        let name = self.0.topology.names.scope_name(scope);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| StepError::NoChallenge)?;
        let latch = lock(&self.0.latch);
        let mut desk = lock(&self.0.arm);
        let code = desk.request(&latch, (scope, &name), reason, facts, random, self.now())?;
        let level = latch.get(&name).map_or(KillLevel::Normal, |trip| trip.level);
        self.note(Act::new("operator", "arm_request", name, reason).changed(level, level));
        Ok((code, VALID.0 / 1_000_000_000))
    }

    /// Second step of the arm.
    ///
    /// # Errors
    /// [`ArmError`].
    pub fn arm_confirm(&self, code: &str, facts: &str) -> Result<Scope, ArmError> {
        let mut latch = lock(&self.0.latch);
        let (scope, trip, reason) =
            lock(&self.0.arm).confirm(&mut latch, &self.0.board, code, facts, self.now())?;
        tracing::warn!(scope = %trip.scope, episode = trip.episode, reason, "armed");
        let act = Act::new("operator", "arm_confirm", trip.scope, &reason);
        self.note(act.changed(trip.level, KillLevel::Normal));
        let arm = KillOrder {
            scope,
            level: KillLevel::Normal,
            reason,
            episode: trip.episode,
            rule: trip.rule,
        };
        // The core must hear of it: without it, it goes on refusing, which is the safe side.
        let _ = self.deliver(Input::Control(Control::Arm(arm)));
        Ok(scope)
    }

    /// Puts other limits in force. Approvals under the old ones do not leave from this call on; the
    /// core judges by the new ones when it comes to them.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn set_limits(&self, change: LimitsChange) -> Result<(), NoAnswer> {
        tracing::warn!(version = change.version, who = change.who, why = change.why, "limits");
        self.0.board.set_limits(change.version);
        let act = Act::new(&change.who, "limits_set", "global", &change.why);
        let after = format!("version {}", change.version);
        self.note(act.changed(format!("version {}", change.version.saturating_sub(1)), after));
        self.deliver(Input::Control(Control::Limits(change)))
    }

    /// First step of limits that loosen: the code to return and how long it is good.
    ///
    /// # Errors
    /// [`StepError::NoChallenge`]: the system has no random numbers.
    pub fn ask_limits(
        &self,
        change: LimitsChange,
        facts: &str,
    ) -> Result<(String, u64), StepError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| StepError::NoChallenge)?;
        self.note(
            Act::new(&change.who, "limits_request", "global", &change.why)
                .changed("", format!("version {}", change.version)),
        );
        let code = lock(&self.0.limits).request(change, facts, random, self.now());
        Ok((code, VALID.0 / 1_000_000_000))
    }

    /// Second step: the change that was asked for. `facts` are those of now.
    ///
    /// # Errors
    /// [`StepError`].
    pub fn confirm_limits(&self, code: &str, facts: &str) -> Result<LimitsChange, StepError> {
        lock(&self.0.limits).confirm(code, facts, self.now())
    }
}
