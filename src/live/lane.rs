//! Drives the core lane in real time: one thread that delivers, in a fixed order of families, what
//! its queues hold, and rests when there is nothing.
//!
//! The clock is read once at the start of a turn and once after a turn that sent an order.

use super::agent_lane::AgentEdges;
use super::clock::Clock;
use super::edge::{Heard, MarketEdge, RemoteEdge, RequestEdge, Rest, Waker};
use super::feed_io::FeedEnd;
use super::journal_file::SyncEdge;
use super::lane_feed::LaneFeed;
use super::status::{ActorState, ActorStatus};
use crate::actors::Notice;
use crate::actors::oms::Stage;
use crate::desk::{Desk, snapshot};
use crate::disk::Folder;
use crate::journal::World;
use crate::kill::KillBoard;
use crate::msg::{AgentState, Control, HoldKind, Input, KillOrder, MarketData};
use crate::types::{AgentId, Date, KillLevel, Nanos, Scope, Timestamp};
use crate::wiring::Idle;
use crossbeam_queue::ArrayQueue;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Something done with the desk between two deliveries.
pub type Look = Box<dyn FnOnce(&mut Desk, Timestamp, &Figures) + Send>;

/// Something the control plane wants from the core lane.
#[allow(clippy::large_enum_variant, reason = "few at a time, and mostly the large one")]
pub enum Ask {
    /// Deliver this input.
    Input(Input),
    /// Look at, or act on, the desk between two deliveries.
    Call(Look),
}

/// What the lane measures of itself.
#[derive(Debug)]
pub struct Figures {
    /// From the start of the turn that read the tick to the order's hand-over, ns.
    pub tick_to_order: Histogram<u64>,
}

/// How a run is to end.
#[derive(Debug, Default)]
pub struct Stop(AtomicU8);

impl Stop {
    const RUN: u8 = 0;
    const DRAIN: u8 = 1;
    const NOW: u8 = 2;

    /// Holds new orders, cancels open ones, then ends.
    pub fn drain(&self) {
        self.0.fetch_max(Self::DRAIN, Ordering::SeqCst);
    }

    /// Ends where it stands.
    pub fn now(&self) {
        self.0.fetch_max(Self::NOW, Ordering::SeqCst);
    }

    /// An end was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != Self::RUN
    }
}

/// One feed of the lane.
pub struct FeedIn {
    /// Its records.
    pub queue: Arc<ArrayQueue<MarketData>>,
    /// Whether more will come.
    pub end: Arc<FeedEnd>,
    /// What fills the queue, if that is this lane.
    pub stream: Option<LaneFeed>,
}

/// One agent lane, as the core lane feeds it.
pub struct AgentOut {
    /// Its queues.
    pub edges: Arc<AgentEdges>,
    /// The way for market data.
    pub market: MarketEdge,
    /// Its agents.
    pub agents: Vec<AgentId>,
    /// By instrument: one of its agents listens.
    pub listens: Vec<bool>,
}

/// What the first turn delivers.
pub struct Boot {
    /// Random tag of the state folder.
    pub instance: u32,
    /// Boot number.
    pub epoch: u32,
    /// Kills that the latch file holds.
    pub kills: Vec<KillOrder>,
}

/// Where snapshots of an open world go.
pub struct Snapshots {
    /// The state folder.
    pub state: Arc<dyn Folder>,
    /// What the desk runs under.
    pub setting: snapshot::Setting,
}

/// The core lane.
pub struct CoreLane {
    /// The desk.
    pub desk: Desk,
    /// Whether time follows from the feed.
    pub world: World,
    /// Snapshots; a closed world has none.
    pub snapshots: Option<Snapshots>,
    /// Feeds.
    pub feeds: Vec<FeedIn>,
    /// Requests of agents elsewhere.
    pub requests: RequestEdge,
    /// Lanes of agents elsewhere.
    pub lanes: Vec<AgentOut>,
    /// To the order entry, where there is one: order updates of remote agents.
    pub remote: Option<Arc<RemoteEdge>>,
    /// To the control plane: what a person has to hear of.
    pub notices: Arc<ArrayQueue<Notice>>,
    /// Wants of the control plane.
    pub asks: Arc<ArrayQueue<Ask>>,
    /// Wakes this lane.
    pub waker: Arc<Waker>,
    /// The kill board.
    pub board: Arc<KillBoard>,
    /// The journal's syncing thread.
    pub sync: Arc<SyncEdge>,
    /// What supervision sees.
    pub status: Arc<ActorStatus>,
    /// What to do when idle.
    pub idle: Idle,
    /// How to end.
    pub stop: Arc<Stop>,
    /// First delivery.
    pub boot: Boot,
    /// An empty histogram to measure with.
    pub latency: Histogram<u64>,
}

const FLUSH_EVERY: Nanos = Nanos::from_millis(5);
const BATCH: usize = 256;

impl CoreLane {
    /// Runs until the feeds end or a stop is asked for; gives back the desk.
    pub fn run(mut self) -> Desk {
        self.waker.adopt();
        let clock = Clock::new();
        let mut rest = Rest::new(self.idle);
        let mut figures = Figures { tick_to_order: self.latency.clone() };
        let mut flushed = clock.now();
        let mut booted = false;
        let mut heard: Vec<Heard> = Vec::new();
        let mut draining: Option<Timestamp> = None;
        let mut date = Date::default();
        self.status.set(ActorState::Running);
        loop {
            let now = clock.now();
            self.status.beat(now);
            super::keeper::inject(&self.status.name);
            if !booted {
                let Some(at) = self.boot_time(now) else {
                    if self.stop.is_set() {
                        return self.desk;
                    }
                    rest.rest(&self.waker, || true);
                    continue;
                };
                self.boot(at);
                booted = true;
            }
            let orders = self.orders();
            let mut worked = self.control(now, &figures);
            worked |= self.outside(now);
            worked |= self.market(now);
            self.tell(&mut heard);
            self.notify();
            if self.orders() != orders {
                figures.tick_to_order.saturating_record(clock.now().since(now).0);
            }
            if now.since(flushed) >= FLUSH_EVERY {
                flushed = now;
                let _ = self.desk.log.commit();
                self.turn_page(&mut date);
            }
            self.watch_journal();
            if self.stop.is_set() {
                if self.stop.0.load(Ordering::SeqCst) == Stop::NOW {
                    break;
                }
                let since = *draining.get_or_insert_with(|| {
                    self.hold(now, HoldKind::Draining);
                    now
                });
                if self.is_flat_of_orders() || now.since(since) > Nanos::from_secs(5) {
                    break;
                }
            }
            if !worked {
                if self.is_over(now) {
                    break;
                }
                let (feeds, asks) = (&self.feeds, &self.asks);
                rest.rest(&self.waker, || {
                    asks.is_empty() && feeds.iter().all(|feed| feed.queue.is_empty())
                });
            } else {
                rest.worked();
            }
        }
        self.finish()
    }

    /// A closed world begins with its first record; an open one now.
    fn boot_time(&self, now: Timestamp) -> Option<Timestamp> {
        if self.world == World::Open {
            return Some(now);
        }
        if self.desk.now() > Timestamp::ZERO {
            return Some(self.desk.now());
        }
        let feed = self.feeds.first()?;
        // The queue has no peek: the record goes back by way of the first delivery.
        if feed.queue.is_empty() && !feed.end.ended.load(Ordering::SeqCst) {
            return None;
        }
        feed.end.first().or(Some(now))
    }

    fn boot(&mut self, at: Timestamp) {
        self.desk.boot(at, self.boot.instance, self.boot.epoch);
        let at = self.desk.now();
        for kill in std::mem::take(&mut self.boot.kills) {
            self.desk.deliver(at, &Input::Control(Control::Kill(kill)));
        }
        for lane in &self.lanes {
            let boot = Control::Boot { instance: self.boot.instance, epoch: self.boot.epoch };
            let _ = lane.edges.control.push(boot);
            lane.edges.waker.wake();
        }
    }

    fn orders(&self) -> u64 {
        self.desk.lane.core.as_ref().map_or(0, |core| core.tally().orders)
    }

    /// The time of a delivery that has none of its own.
    fn time(&self, now: Timestamp) -> Timestamp {
        match self.world {
            World::Open => now,
            World::Closed => self.desk.now(),
        }
    }

    fn control(&mut self, now: Timestamp, figures: &Figures) -> bool {
        let mut worked = false;
        while let Some(ask) = self.asks.pop() {
            worked = true;
            let at = self.time(now);
            match ask {
                Ask::Input(input) => {
                    if let Input::Control(control @ Control::Agent { agent, .. }) = &input
                        && let Some(lane) = self.lanes.iter().find(|l| l.agents.contains(agent))
                    {
                        let _ = lane.edges.control.push(control.clone());
                        lane.edges.waker.wake();
                    }
                    self.desk.deliver(at, &input);
                }
                Ask::Call(call) => call(&mut self.desk, at, figures),
            }
        }
        worked
    }

    /// What brokers and agents on other threads have said, and what is due.
    fn outside(&mut self, now: Timestamp) -> bool {
        if self.world == World::Closed {
            return false;
        }
        let mut worked = false;
        if self.desk.next_due() <= now {
            worked = true;
            self.desk.due_at(now);
        }
        worked |= self.desk.poll_links(now);
        for _ in 0..BATCH {
            let Some((from, request)) = self.requests.pop() else { break };
            worked = true;
            self.desk.deliver(now, &Input::Request(from, request));
        }
        for number in 0..self.lanes.len() {
            while let Some(agent) = self.lanes[number].edges.broken.pop() {
                worked = true;
                let control = Control::Agent { agent, state: AgentState::Quarantined };
                self.desk.deliver(now, &Input::Control(control));
            }
        }
        worked
    }

    fn market(&mut self, now: Timestamp) -> bool {
        let closed = self.world == World::Closed;
        let mut worked = false;
        for number in 0..self.feeds.len() {
            if let Some(stream) = &mut self.feeds[number].stream {
                stream.turn(now);
            }
            for _ in 0..BATCH {
                let Some(record) = self.feeds[number].queue.pop() else { break };
                worked = true;
                if closed {
                    let at = record.ts().max(self.desk.now());
                    self.desk.advance(at);
                    self.desk.market(at, &record, true);
                } else {
                    self.desk.market(now, &record, false);
                }
                for lane in &mut self.lanes {
                    if lane.listens.get(record.instrument().index()) == Some(&true) {
                        lane.market.push(record);
                    }
                }
            }
        }
        if !worked {
            for lane in &mut self.lanes {
                lane.market.flush();
            }
        }
        worked
    }

    /// Order updates for agents elsewhere. A lane that does not take them any more is behind for
    /// good: its agents are taken out, and learn their state anew when resumed.
    fn tell(&mut self, heard: &mut Vec<Heard>) {
        if self.lanes.is_empty() && self.remote.is_none() {
            return;
        }
        self.desk.take_heard(heard);
        let mut lost = Vec::new();
        for news in heard.drain(..) {
            let agent = news.0.route.agent;
            if let Some(lane) = self.lanes.iter().find(|lane| lane.agents.contains(&agent)) {
                if lane.edges.heard.push(news).is_err() {
                    lane.edges.lost.store(true, Ordering::SeqCst);
                    let behind = lane.agents.iter().filter(|agent| !lost.contains(*agent));
                    let behind: Vec<AgentId> = behind.copied().collect();
                    lost.extend(behind);
                }
                lane.edges.waker.wake();
            } else if let Some(remote) = &self.remote {
                remote.tell(news);
            }
        }
        let at = self.desk.now();
        for agent in lost {
            let control = Control::Agent { agent, state: AgentState::Quarantined };
            self.desk.deliver(at, &Input::Control(control));
        }
    }

    /// Notices for the control plane. What finds no room waits for the next turn.
    fn notify(&mut self) {
        while !self.notices.is_full() {
            let Some(notice) = self.desk.next_notice() else { return };
            let _ = self.notices.push(notice);
        }
    }

    fn hold(&mut self, now: Timestamp, kind: HoldKind) {
        let at = self.time(now);
        let hold = Control::Hold { scope: Scope::Global, kind, on: true };
        self.desk.deliver(at, &Input::Control(hold));
    }

    /// Cannot journal: cannot trade. The board at once, the latch file and the core's own state by
    /// the watching thread.
    fn watch_journal(&self) {
        if self.desk.log.has_failed() || self.sync.failed.load(Ordering::SeqCst) {
            self.sync.failed.store(true, Ordering::SeqCst);
            self.board.latch(Scope::Global, KillLevel::Block);
        }
    }

    /// Goes on in another journal file if one is ready, and asks for one when a trading day begins.
    fn turn_page(&mut self, date: &mut Date) {
        let today = self.desk.lane.core.as_ref().map_or(*date, |core| core.oms.books.date());
        let before = std::mem::replace(date, today);
        if before != today && before != Date::default() {
            self.sync.begin_day();
        }
        if let Some(next) = self.sync.next() {
            // What fails here every later commit says again.
            let _ = self.desk.log.go_on(Box::new(next));
        }
    }

    fn is_flat_of_orders(&self) -> bool {
        self.desk.lane.core.as_ref().is_none_or(|core| core.oms.open().next().is_none())
    }

    /// The feeds have ended, nothing waits, and no order is unanswered.
    fn is_over(&self, now: Timestamp) -> bool {
        let ended = !self.feeds.is_empty()
            && self
                .feeds
                .iter()
                .all(|feed| feed.end.ended.load(Ordering::SeqCst) && feed.queue.is_empty());
        if !ended || !self.asks.is_empty() || !self.requests.is_empty() {
            return false;
        }
        let Some(core) = &self.desk.lane.core else { return true };
        let unanswered = core.oms.open().any(|(_, order)| order.state.stage == Stage::Sent);
        self.world == World::Closed
            || (!unanswered && core.oms.links().iter().all(|link| link.reconciled))
            || now.since(self.desk.now()) > Nanos::from_secs(3)
    }

    fn finish(mut self) -> Desk {
        let digest = self.desk.digest();
        self.desk.log.checkpoint(digest);
        match (self.desk.log.close(), &self.snapshots) {
            (Err(error), _) => tracing::error!(%error, "the journal could not be closed"),
            (Ok(()), None) => {}
            (Ok(()), Some(Snapshots { state, setting })) => {
                let number = self.sync.number();
                // Without it the next boot reads more: no reason to call the end unclean.
                if let Err(error) = snapshot::write(state.as_ref(), &self.desk, setting, number) {
                    tracing::warn!(%error, "no snapshot could be written");
                }
            }
        }
        self.status.set(ActorState::Stopped);
        self.desk
    }
}
