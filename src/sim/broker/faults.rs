//! How each fault shows: what the broker says of what is true.

use super::{SimBroker, Todo};
use crate::msg::ExecutionReport;
use crate::sim::fault::Fault;
use crate::types::{AccountId, AgentId, ClientOrderId, Nanos, Timestamp};
use crate::venue::wire::{self, SnapshotPart, VenueMessage};

/// Reports that may be told again later.
const HISTORY: usize = 32;

impl SimBroker {
    /// Begins a fault. What it does shows at the next opportunity.
    pub fn inject(&mut self, now: Timestamp, fault: Fault) {
        let secs = |dice: &mut super::Dice, from: u64, to: u64| {
            now + Nanos::from_millis(dice.between(from * 1000, to * 1000))
        };
        match fault {
            Fault::CleanClose => self.on_line(now, fault, |line| line.close(now, "closed")),
            Fault::Reset => self.on_line(now, fault, |line| line.reset(now)),
            Fault::HalfOpen => {
                let end = secs(&mut self.dice, 2, 12);
                self.on_line(now, fault, |line| line.go_deaf(end));
            }
            Fault::Trickle => {
                let end = secs(&mut self.dice, 1, 6);
                let more = Nanos::from_millis(self.dice.between(20, 900));
                self.on_line(now, fault, |line| line.slow = (end, more));
            }
            Fault::Garbage => self.raw(now, fault, &[0xff; 64]),
            Fault::WebPage => self.raw(now, fault, b"<html><body>502 Bad Gateway</body></html>\n"),
            Fault::WrongTypes => {
                let mut bytes = Vec::new();
                // A sound frame; its content is a number that stands for no kind of message.
                if wire::encode(&0xffff_u32, &mut bytes).is_ok() {
                    self.raw(now, fault, &bytes);
                }
            }
            Fault::Oversized => {
                let mut bytes = Vec::new();
                if wire::encode(&VenueMessage::Heartbeat, &mut bytes).is_ok() {
                    for byte in bytes.iter_mut().take(8) {
                        *byte = 0x7f;
                    }
                    self.raw(now, fault, &bytes);
                }
            }
            Fault::CutFrame => {
                let mut bytes = Vec::new();
                if wire::encode(&VenueMessage::EndOfFeed, &mut bytes).is_ok() {
                    bytes.truncate(bytes.len() / 2);
                    self.raw(now, fault, &bytes);
                    self.line.close(now, "cut");
                }
            }
            Fault::Flood => {
                if self.line.is_open() {
                    self.strike(fault);
                    for _ in 0..200 {
                        self.transmit(now, &VenueMessage::Heartbeat);
                    }
                }
            }
            Fault::OldReports => {
                for message in self.history.clone() {
                    self.strike(fault);
                    self.transmit(now, &message);
                }
            }
            Fault::StrangeReport => {
                if let Some(VenueMessage::Execution(report)) = self.history.back().cloned() {
                    let cl_ord_id =
                        ClientOrderId { instance: 77, epoch: 7, agent: AgentId(3), seq: 7 };
                    self.strike(fault);
                    self.transmit(
                        now,
                        &VenueMessage::Execution(ExecutionReport { cl_ord_id, ..report }),
                    );
                }
            }
            Fault::Revoked | Fault::TakenOver => {
                if self.line.is_open() {
                    self.strike(fault);
                    let reason =
                        if fault == Fault::Revoked { "token expired" } else { "taken over" };
                    self.transmit(now, &VenueMessage::Refused { reason: reason.to_owned() });
                    self.line.close(now, "refused");
                }
            }
            Fault::DialFails => {
                self.strike(fault);
                self.line.unreachable = secs(&mut self.dice, 1, 10);
                self.line.reset(now);
            }
            Fault::DialHangs => {
                self.strike(fault);
                self.line.hangs = secs(&mut self.dice, 4, 10);
                self.line.reset(now);
            }
            Fault::Maintenance => {
                self.strike(fault);
                self.line.unreachable = secs(&mut self.dice, 15, 40);
                self.line.close(now, "maintenance");
            }
            Fault::WrongHost => {
                *self.armed.entry(fault).or_default() += 1;
                self.line.reset(now);
            }
            Fault::ManualOrder => self.manual_order(now),
            Fault::TradeBust | Fault::TradeCorrect => self.correct_trade(now, fault),
            Fault::Silent
            | Fault::HeartbeatsOnly
            | Fault::Throttled
            | Fault::VenueError
            | Fault::RefusesAll => {
                let end = secs(&mut self.dice, 2, 8);
                self.lasting.insert(fault, end);
            }
            Fault::StaleSnapshot => {
                let (orders, positions) = self.ledger.snapshot(0);
                let version = self.ledger.version();
                self.old_snapshot =
                    Some(SnapshotPart { id: 0, last: true, version, orders, positions });
                *self.armed.entry(fault).or_default() += 1;
            }
            _ => *self.armed.entry(fault).or_default() += 1 + self.dice.below(2) as u32,
        }
    }

    /// From now on the broker tells the truth, at once and in order.
    pub fn heal(&mut self, now: Timestamp) {
        self.armed.clear();
        self.lasting.clear();
        self.line.heal();
        self.quiet = true;
        if let Some(message) = self.held.take() {
            self.transmit(now, &message);
        }
    }

    /// Whether the next opportunity is spoiled.
    pub(super) fn spoils(&mut self, fault: Fault) -> bool {
        match self.armed.get_mut(&fault) {
            Some(left) if *left > 0 => {
                *left -= 1;
                self.struck.push(fault);
                true
            }
            _ => false,
        }
    }

    /// Whether a lasting fault lasts.
    pub(super) fn lasts(&mut self, fault: Fault, now: Timestamp) -> bool {
        let on = self.lasting.get(&fault).is_some_and(|end| now < *end);
        if on {
            self.struck.push(fault);
        }
        on
    }

    pub(super) fn strike(&mut self, fault: Fault) {
        self.struck.push(fault);
    }

    fn on_line(&mut self, _now: Timestamp, fault: Fault, act: impl FnOnce(&mut super::Line)) {
        if self.line.is_open() {
            self.struck.push(fault);
            act(&mut self.line);
        }
    }

    fn raw(&mut self, now: Timestamp, fault: Fault, bytes: &[u8]) {
        if self.line.is_open() {
            self.struck.push(fault);
            self.line.answer(now, bytes.to_vec());
        }
    }

    /// Tells a message, as far as the faults let it.
    pub(super) fn say(&mut self, now: Timestamp, message: VenueMessage) {
        if self.lasts(Fault::Silent, now) {
            return;
        }
        if matches!(message, VenueMessage::Heartbeat) {
            return self.transmit(now, &message);
        }
        if self.lasts(Fault::HeartbeatsOnly, now) {
            return;
        }
        let news = matches!(
            message,
            VenueMessage::Execution(_)
                | VenueMessage::CancelReject(_)
                | VenueMessage::Correction(_)
        );
        if !news {
            return self.transmit(now, &message);
        }
        if self.spoils(Fault::LostReport) {
            return;
        }
        if self.held.is_none() && self.spoils(Fault::ReorderedReports) {
            self.held = Some(message);
            return;
        }
        self.transmit(now, &message);
        if self.spoils(Fault::DuplicateReport) {
            self.transmit(now, &message);
            let again = self.dice.between(1, 4_000);
            self.later(now + Nanos::from_millis(again), Todo::Say(Box::new(message.clone())));
        }
        if let Some(held) = self.held.take() {
            self.transmit(now, &held);
        }
        self.history.push_back(message);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Puts a message on the line.
    pub(super) fn transmit(&mut self, now: Timestamp, message: &VenueMessage) {
        let mut bytes = Vec::new();
        if wire::encode(message, &mut bytes).is_ok() {
            self.line.answer(now, bytes);
        }
    }

    /// Answers a query for everything.
    pub(super) fn snapshot(&mut self, now: Timestamp, id: u64, since: u64) {
        let (mut orders, mut positions) = self.ledger.snapshot(since);
        let mut part = SnapshotPart {
            id,
            last: true,
            version: self.ledger.version(),
            orders: Vec::new(),
            positions: Vec::new(),
        };
        if self.spoils(Fault::PartialSnapshot) {
            part.last = false;
        }
        if self.spoils(Fault::EmptySnapshot) {
            (orders, positions) = Default::default();
            part.version = since;
        }
        if self.armed.get(&Fault::NotFound).is_some_and(|left| *left > 0)
            && let Some(live) = orders.iter().position(|order| !order.leaves_qty.is_zero())
            && self.spoils(Fault::NotFound)
        {
            orders.remove(live);
            part.version = since;
        }
        if self.old_snapshot.is_some()
            && self.spoils(Fault::StaleSnapshot)
            && let Some(old) = self.old_snapshot.take()
        {
            (orders, positions) = (old.orders, old.positions);
            // It cannot know what it tells next time but from here.
            part.version = old.version.min(since);
        }
        if self.armed.get(&Fault::WrongAccount).is_some_and(|left| *left > 0)
            && let Some(mut stranger) = orders.last().cloned()
            && self.spoils(Fault::WrongAccount)
        {
            stranger.account = AccountId(99);
            stranger.cl_ord_id = None;
            orders.push(stranger);
        }
        for booked in self.ledger.orders.iter_mut().filter(|booked| booked.is_open()) {
            // One that lists it may be lost on its way: what the gateway sees are those that do not.
            let listed = orders.iter().any(|order| order.venue_order_id == booked.venue);
            booked.unlisted += u32::from(!listed);
        }
        // Two parts: orders first, as a long one would come.
        let first = SnapshotPart { last: false, orders, ..part.clone() };
        self.say(now, VenueMessage::Snapshot(first));
        self.say(now, VenueMessage::Snapshot(SnapshotPart { positions, ..part }));
    }
}
