//! Layer 6, the desk: a core lane with its log, its gates and its broker links.
//!
//! Every driver delivers inputs through [`Desk`]; it is the one place where a decision becomes a
//! message. The way of an order is `Approved` (risk) → [`Cleared`] (journal) → `Permit` (kill
//! switch) → bytes, and `gate.rs` is the only file that walks the last two steps.

pub mod backup;
pub mod connection;
pub mod gate;
pub mod link;
pub mod mark;
pub mod rerun;
pub mod segments;
pub mod snapshot;

pub use gate::Cleared;
pub use link::{InProcess, Link, MarketEffect, Remembered};
pub use rerun::{Difference, Rerun, RerunError};

use crate::actors::enforce::SessionOrder;
use crate::actors::oms::OrderUpdate;
use crate::actors::risk::Approved;
use crate::actors::{Lane, Notice, Outbox, step, step_market};
use crate::journal::{Derived, Log};
use crate::kill::{Effect, KillBoard};
use crate::msg::report::RequestKind;
use crate::msg::{Act, Control, Input, Intervention, MarketData, OrderRequest, Report};
use crate::types::{AgentId, BrokerId, ClientOrderId, Reason, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A core lane, ready to be driven.
pub struct Desk {
    /// The decision actors.
    pub lane: Lane,
    /// What they consumed.
    pub log: Log,
    links: Vec<Box<dyn Link>>,
    out: Outbox,
    returned: Vec<(BrokerId, Report)>,
    /// When the first of the links has something to do.
    link_due: Timestamp,
    now: Timestamp,
    events: u64,
    position: u64,
    /// Updates of this turn for the driver, if it wants them.
    heard: Option<Vec<(OrderUpdate, Option<ClientOrderId>)>>,
    broken: Vec<AgentId>,
    /// Decisions since they were last taken, for whoever compares them with a record.
    audit: Option<VecDeque<Derived>>,
    /// Requests that the gate refused in the run that is run again.
    refused: Refused,
    /// Where kills of the guardian go at once, if this desk trades for real.
    board: Option<Arc<KillBoard>>,
    notices: VecDeque<Notice>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("now", &self.now).field("events", &self.events).finish()
    }
}

impl Desk {
    /// A desk whose links stand in the order of the broker ids. `hear` keeps the order updates for
    /// the driver to take.
    pub fn new(lane: Lane, log: Log, links: Vec<Box<dyn Link>>, hear: bool) -> Self {
        Self {
            lane,
            log,
            links,
            out: Outbox::default(),
            returned: Vec::new(),
            link_due: Timestamp::ZERO,
            now: Timestamp::ZERO,
            events: 0,
            position: 0,
            heard: hear.then(Vec::new),
            broken: Vec::new(),
            audit: None,
            refused: BTreeMap::new(),
            board: None,
            notices: VecDeque::new(),
        }
    }

    /// From here on kills that the core decides go to this board in the step that decides them, before
    /// anything approved in it is sent, and notices are kept for [`Self::next_notice`]. A rerun does
    /// without: there the core's own state refuses, as it did then.
    pub fn guard(&mut self, board: Arc<KillBoard>) {
        self.board = Some(board);
    }

    /// The oldest notice that was not taken. A kill in it stands on the board; the driver makes it
    /// durable.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Keeps every decision for [`Self::next_decision`].
    pub fn keep_decisions(&mut self) {
        self.audit.get_or_insert_default();
    }

    /// Has the gate refuse these requests, as it did in the run that is run again: a kill switch is
    /// faster than the input that tells the core of it, so its refusals do not follow from inputs.
    pub fn refuse(&mut self, refused: Refused) {
        self.refused = refused;
    }

    /// The oldest decision that was kept and not taken.
    pub fn next_decision(&mut self) -> Option<Derived> {
        self.audit.as_mut()?.pop_front()
    }

    /// The time of the last delivery. It never goes back.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Market records consumed.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Records consumed of the reference feed.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Begins a run: the actors learn its numbers, then every link dials and logs in.
    pub fn boot(&mut self, at: Timestamp, instance: u32, epoch: u32) {
        self.deliver(at, &Input::Control(Control::Boot { instance, epoch }));
        for link in &mut self.links {
            link.start(self.now);
        }
        self.follow();
    }

    /// Delivers an input that is no market record.
    pub fn deliver(&mut self, at: Timestamp, input: &Input) {
        self.take_in(at, input);
        self.follow();
    }

    /// Delivers a request, and says what became of it itself, whatever else comes in meanwhile.
    ///
    /// # Errors
    /// Why the core denied it, or why it did not leave. A link of another thread may say that later.
    pub fn request(
        &mut self,
        at: Timestamp,
        from: AgentId,
        request: OrderRequest,
    ) -> Result<(), Reason> {
        let (judged, kind) = request.own_name();
        self.take_in(at, &Input::Request(from, request));
        // Only cancels of what makes way for it are decided before it.
        let decided = self.out.core.derived.iter().find_map(|derived| match *derived {
            Derived::Sent { request: sent, .. } if sent.own_name().1 == kind => {
                Some(Ok(sent.own_name()))
            }
            Derived::Denied { cl_ord_id, reason } if cl_ord_id == judged => Some(Err(reason)),
            _ => None,
        });
        self.carry_out();
        let unsent = self.returned.iter().find_map(|(_, report)| match *report {
            Report::NotSent { cl_ord_id, request, reason } => {
                (decided == Some(Ok((cl_ord_id, request)))).then_some(reason)
            }
            _ => None,
        });
        self.follow();
        match (decided, unsent) {
            (Some(Err(reason)), _) | (_, Some(reason)) => Err(reason),
            _ => Ok(()),
        }
    }

    /// Takes in an input; what follows from it is still to be carried out.
    fn take_in(&mut self, at: Timestamp, input: &Input) {
        self.now = self.now.max(at);
        let noted =
            planted!(KillUnjournaled, true, !matches!(input, Input::Control(Control::Kill(_))));
        if noted {
            self.log.input(self.now, input);
        }
        step(&mut self.lane, self.now, input, &mut self.out);
    }

    /// Delivers a market record to the actors and to brokers that live on market data. `own_time`
    /// says that `at` follows from the record itself, so that a log by reference need not keep it.
    #[inline]
    pub fn market(&mut self, at: Timestamp, record: &MarketData, own_time: bool) {
        self.now = self.now.max(at);
        self.events += 1;
        if self.log.by_reference() {
            self.position += 1;
            self.log.feed(self.position, if own_time { None } else { Some(self.now) });
        } else {
            self.log.market(self.now, record);
        }
        let mut follow = false;
        for link in &mut self.links {
            follow |= link.on_market(self.now, record) == MarketEffect::Changed;
        }
        step_market(&mut self.lane, self.now, record, &mut self.out);
        if follow || !self.out.is_empty() {
            self.follow();
        }
    }

    /// When something is due without any input: a timer, or an event inside a broker link.
    #[inline]
    pub fn next_due(&self) -> Timestamp {
        self.lane.next_deadline().min(self.link_due)
    }

    /// Delivers everything that is due up to `until`, each at its own time.
    #[inline]
    pub fn advance(&mut self, until: Timestamp) {
        loop {
            let due = self.next_due();
            if due > until {
                return;
            }
            self.due_at(due.max(self.now));
        }
    }

    /// Delivers everything that is due at `at`, at that time: for drivers on the wall clock.
    pub fn due_at(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        let mut reports = false;
        for link in &mut self.links {
            if link.next_event() <= self.now {
                link.advance(self.now);
                reports = true;
            }
        }
        if reports {
            self.follow();
        } else {
            self.plan();
        }
        if self.lane.next_deadline() <= self.now {
            self.deliver(self.now, &Input::Tick);
        }
    }

    /// Takes what links have said that live on the wall clock; whether that was anything.
    pub fn poll_links(&mut self, at: Timestamp) -> bool {
        self.now = self.now.max(at);
        for link in &mut self.links {
            link.listen(self.now);
        }
        self.follow()
    }

    /// Carries out what a step decided, and what follows from that, until nothing is left.
    fn follow(&mut self) -> bool {
        let mut worked = false;
        loop {
            self.carry_out();
            let mut quiet = self.returned.is_empty();
            let mut returned = std::mem::take(&mut self.returned);
            for (broker, report) in returned.drain(..) {
                self.report(broker, report);
            }
            for number in 0..self.links.len() {
                while let Some(report) = self.links[number].poll() {
                    quiet = false;
                    self.report(BrokerId(number as u8), report);
                }
            }
            if self.returned.is_empty() {
                self.returned = returned;
            }
            worked |= !quiet;
            if quiet && self.out.is_empty() && self.returned.is_empty() {
                self.plan();
                return worked;
            }
        }
    }

    /// Notes when the links have something to do. Between two calls of this none of them changes its
    /// mind: whatever they are told is followed.
    fn plan(&mut self) {
        self.link_due =
            self.links.iter().map(|link| link.next_event()).fold(Timestamp::MAX, Ord::min);
    }

    fn report(&mut self, broker: BrokerId, report: Report) {
        let input = Input::Report(broker, report);
        planted!(ReportUnjournaled, self.log.input(self.now, &input), ());
        step(&mut self.lane, self.now, &input, &mut self.out);
        self.carry_out();
    }

    /// Journals the decisions of one step, then sends them.
    fn carry_out(&mut self) {
        if self.out.is_empty() {
            return;
        }
        for derived in &self.out.core.derived {
            let noted =
                planted!(DenialUnjournaled, true, !matches!(derived, Derived::Denied { .. }));
            if noted {
                self.log.derived(derived);
            }
        }
        if let Some(board) = &self.board {
            for notice in self.out.core.notices.drain(..) {
                if let Notice::Intervened(Intervention { scope, act, .. }) = notice
                    && let Act::Kill { level, .. } = act
                {
                    planted!(KillOffBoard, board.latch(scope, level), false);
                }
                self.notices.push_back(notice);
            }
        }
        if let Some(audit) = &mut self.audit {
            audit.extend(self.out.core.derived.iter().copied());
        }
        for broker in self.out.core.sweeps.drain(..) {
            if let Some(link) = self.links.get_mut(broker.index()) {
                link.sweep(self.now);
            }
        }
        if !self.out.core.approved.is_empty() {
            if self.out.core.approved.iter().any(|approved| approved.effect() == Effect::Exits) {
                // An exit goes once in an episode, over a power loss too. What fails here, the commit
                // says again.
                let _ = planted!(ExitUnsynced, self.log.close(), Ok(()));
            }
            let recorded = self.log.commit();
            let mut stuck = false;
            for approved in self.out.core.approved.drain(..) {
                let (cancels, follows) =
                    (approved.effect() == Effect::Cancels, approved.terms().follows);
                let cleared = match &recorded {
                    Ok(recorded) => Ok(Cleared::recorded(approved, recorded)),
                    Err(_) => Cleared::cancel(approved),
                };
                let refused = match cleared {
                    Ok(cleared) => match on_record(&mut self.refused, &cleared) {
                        Some(refused) => Some(refused),
                        // A queue that had no room for the cancel may have some by now.
                        None if follows && stuck => Some(NotSent::of(&cleared, Reason::SelfMatch)),
                        None => {
                            let broker = cleared.approved().route().broker;
                            match self.links.get_mut(broker.index()) {
                                Some(link) => link.send(self.now, cleared).err(),
                                None => Some(NotSent::of(&cleared, Reason::BrokerNotReady)),
                            }
                        }
                    },
                    Err(approved) => Some(NotSent::new(&approved, Reason::Journal)),
                };
                if let Some(refused) = refused {
                    stuck |= cancels;
                    self.returned.push((refused.broker, refused.report()));
                }
            }
        }
        for broker in self.out.core.news.snapshots.drain(..) {
            if let Some(link) = self.links.get_mut(broker.index()) {
                link.request_snapshot(self.now);
            }
        }
        for (broker, order) in self.out.core.sessions.drain(..) {
            if let Some(link) = self.links.get_mut(broker.index()) {
                match order {
                    SessionOrder::Close => link.close(self.now),
                    SessionOrder::Open => link.start(self.now),
                }
            }
        }
        if let Some(heard) = &mut self.heard {
            let renamed = &self.out.core.news.renamed;
            heard.extend(self.out.core.news.updates.iter().map(|update| {
                let from = renamed.iter().find(|(_, to)| *to == update.cl_ord_id);
                (*update, from.map(|(from, _)| *from))
            }));
        }
        self.broken.extend_from_slice(&self.out.broken);
        if let Some(core) = &mut self.lane.core {
            core.chain(&self.out.core.derived);
        }
        self.out.clear();
    }

    /// Order updates since the last call, with the name that a replace changed.
    pub fn take_heard(&mut self, into: &mut Vec<(OrderUpdate, Option<ClientOrderId>)>) {
        if let Some(heard) = &mut self.heard {
            into.append(heard);
        }
    }

    /// Agents that broke since the last call.
    pub fn take_broken(&mut self) -> Vec<AgentId> {
        std::mem::take(&mut self.broken)
    }

    /// Puts a log and links in place of those that a walk over old entries used.
    pub fn go_live(&mut self, log: Log, links: Option<Vec<Box<dyn Link>>>, hear: bool) {
        self.log = log;
        self.refused.clear();
        // Decisions that the old entries do not tell of: a journal that was cut off lost them, the
        // rerun made them again. They stand at the head of the new one.
        let lost = self.audit.take().unwrap_or_default();
        for derived in planted!(LostDecisions, lost, VecDeque::new()) {
            self.log.derived(&derived);
        }
        if let Some(core) = &mut self.lane.core {
            core.oms.make_room();
        }
        self.heard = hear.then(Vec::new);
        if let Some(links) = links {
            self.links = links;
            self.link_due = self.now;
        }
    }

    /// Takes over the books of a desk that ran under another configuration with the same names.
    /// `same_feed` says that the position in the reference feed still means something.
    pub fn carry_over(&mut self, old: Self, same_feed: bool) {
        self.now = old.now;
        self.events = old.events;
        self.position = if same_feed { old.position } else { 0 };
        if let Some(old) = old.lane.core {
            self.lane.resume_all(&old);
            if let Some(core) = &mut self.lane.core {
                core.carry_over(old);
            }
        }
        self.lane.market = old.lane.market;
    }

    /// Digest of the state and of every decision so far.
    pub fn digest(&self) -> [u8; 32] {
        self.lane.core.as_ref().map_or([0; 32], |core| core.digest(&self.lane.market))
    }
}

/// What became at the gate of the requests of the run that is run again, where any was refused: for
/// each name and kind, one request after the other; `None` for one that left. Cancels of an order
/// repeat, and each has an answer of its own.
pub type Refused = BTreeMap<(ClientOrderId, RequestKind), VecDeque<Option<Reason>>>;

/// The refusal that is on record for a request.
fn on_record(refused: &mut Refused, cleared: &Cleared) -> Option<NotSent> {
    if refused.is_empty() {
        return None;
    }
    let answers = refused.get_mut(&cleared.approved().request().own_name())?;
    answers.pop_front().flatten().map(|reason| NotSent::of(cleared, reason))
}

/// A request that did not leave, with proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSent {
    broker: BrokerId,
    cl_ord_id: ClientOrderId,
    request: RequestKind,
    reason: Reason,
}

impl NotSent {
    /// An approved request that did not leave because of `reason`.
    pub const fn new(approved: &Approved, reason: Reason) -> Self {
        let (cl_ord_id, request) = approved.request().own_name();
        Self { broker: approved.route().broker, cl_ord_id, request, reason }
    }

    /// A cleared request that did not leave.
    pub const fn of(cleared: &Cleared, reason: Reason) -> Self {
        Self::new(cleared.approved(), reason)
    }

    /// What the order manager is told.
    pub const fn report(self) -> Report {
        Report::NotSent { cl_ord_id: self.cl_ord_id, request: self.request, reason: self.reason }
    }
}
