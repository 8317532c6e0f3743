//! Broker links and patience: what is not answered becomes doubt, and doubt asks for evidence.

use super::order::OrderIndex;
use super::transition::{Event, Pending, Stage};
use super::{News, Oms};
use crate::types::{BrokerId, Nanos, Price, Qty, Timestamp};
use serde::{Deserialize, Serialize};

/// How long the order manager waits for a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Without an answer for so long, a request's outcome is in doubt.
    pub ack: Nanos,
    /// Two complete snapshots this far apart that lack an order prove that it is not there.
    pub absence: Nanos,
    /// A snapshot at least this often.
    pub reconcile: Nanos,
}

/// What is known of a broker connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Logged in.
    pub up: bool,
    /// Orders and positions agree with a snapshot taken since.
    pub reconciled: bool,
    /// Reconciled at least once in the life of these books.
    pub known: bool,
    /// When the snapshot that is under way was asked for.
    pub(super) asked: Option<Timestamp>,
    /// When the last complete one was merged; zero where none was since the link came up.
    pub(super) merged: Timestamp,
    /// When the first complete snapshot in the life of these books was asked for, and the last: what a
    /// broker told of between them is in the books.
    pub told: Option<(Timestamp, Timestamp)>,
    /// When the link last went down.
    pub(super) down: Timestamp,
    /// By how much the last report was made later than it came: the broker's clock is ahead of ours.
    pub ahead: Nanos,
    /// Consecutive snapshots whose positions are not ours.
    pub mismatches: u32,
}

impl Link {
    /// A complete snapshot came since the link is up: nothing from before is untold.
    pub fn has_told(&self) -> bool {
        self.up && self.merged > Timestamp::ZERO
    }
}

impl Oms {
    /// Requests without an answer become in doubt, and doubt asks for evidence.
    pub(in crate::actors) fn on_tick(&mut self, at: Timestamp, news: &mut News) {
        while let Some(&(since, index)) = self.waiting.front() {
            let order = &self.orders[index as usize];
            let broker = order.route.broker;
            let unanswered = order.asked_at == since
                && !order.state.is_done()
                && (order.state.stage == Stage::Sent || order.state.pending != Pending::None);
            if unanswered && at < since + self.patience[broker.index()].ack {
                break;
            }
            self.waiting.pop_front();
            if unanswered {
                self.apply(index, Event::Lost);
                self.tell(at, index, None, Qty::ZERO, Price::ZERO, news);
                self.ask_snapshot(at, broker, news);
            }
        }
        for number in 0..self.links.len() {
            if self.snapshot_due(number).is_some_and(|due| due <= at) {
                self.links[number].asked = None;
                self.ask_snapshot(at, BrokerId(number as u8), news);
            }
        }
    }

    /// When [`Self::on_tick`] has something to do.
    pub fn next_deadline(&self) -> Timestamp {
        let answer = self.waiting.front().map_or(Timestamp::MAX, |&(since, index)| {
            let order = &self.orders[index as usize];
            let open = !order.state.is_done()
                && (order.state.stage == Stage::Sent || order.state.pending != Pending::None);
            if order.asked_at == since && open {
                since + self.patience[order.route.broker.index()].ack
            } else {
                since
            }
        });
        (0..self.links.len()).filter_map(|number| self.snapshot_due(number)).fold(answer, Ord::min)
    }

    /// When the next snapshot of a broker is to be asked for, while its link is up.
    fn snapshot_due(&self, number: usize) -> Option<Timestamp> {
        let (link, patience) = (&self.links[number], &self.patience[number]);
        if !link.up {
            return None;
        }
        if let Some(asked) = link.asked {
            // Not answered: ask again.
            return Some(asked + Nanos(patience.ack.0.saturating_mul(5)));
        }
        let disputed =
            |index: &OrderIndex| self.orders[*index as usize].route.broker.index() == number;
        let doubt = link.mismatches > 0
            || self.disputes.keys().any(disputed)
            || self.actions.settling().next().is_some()
            || self.open.iter().any(|&index| {
                let order = &self.orders[index as usize];
                order.route.broker.index() == number
                    && (order.state.stage == Stage::InDoubt
                        || order.absent_since.is_some()
                        || order.unchanged_since.is_some())
            });
        Some(link.merged + if doubt { patience.absence } else { patience.reconcile })
    }

    /// The link came up or went down. Down: every unanswered new order is in doubt.
    pub(in crate::actors) fn on_session(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        up: bool,
        news: &mut News,
    ) {
        let Some(link) = self.links.get_mut(broker.index()) else { return };
        link.up = up;
        link.ahead = Nanos(0);
        link.reconciled = false;
        link.merged = Timestamp::ZERO;
        // The session itself asks for a snapshot as part of its logon.
        link.asked = up.then_some(at);
        if up {
            return;
        }
        link.down = at;
        let unanswered: Vec<OrderIndex> = self
            .open()
            .filter(|(_, order)| order.route.broker == broker && order.state.stage == Stage::Sent)
            .map(|(index, _)| index)
            .collect();
        for index in unanswered {
            self.apply(index, Event::Lost);
            self.tell(at, index, None, Qty::ZERO, Price::ZERO, news);
        }
    }

    /// Asks a broker that is up for a snapshot, unless one is under way.
    pub(in crate::actors) fn ask_snapshot(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        news: &mut News,
    ) {
        let Some(link) = self.links.get_mut(broker.index()) else { return };
        if link.up && link.asked.is_none() {
            link.asked = Some(at);
            news.snapshots.push(broker);
        }
    }
}
