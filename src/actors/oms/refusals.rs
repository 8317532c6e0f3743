//! Requests that a broker refused, and requests that never left.

use super::order::Role;
use super::transition::{Event, Oddity};
use super::{News, Oms};
use crate::msg::{CancelReject, RequestKind};
use crate::types::{BrokerId, ClientOrderId, ExecType, Nanos, Price, Qty, Reason, Timestamp};

impl Oms {
    /// A cancel or replace was refused by the broker.
    pub(in crate::actors) fn on_cancel_reject(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        reject: &CancelReject,
        news: &mut News,
    ) {
        let event = match reject.request {
            RequestKind::Replace => {
                let order = self.find(reject.orig_cl_ord_id).map(|(_, order)| order);
                let stale = order.is_some_and(|order| {
                    let other = order.replacement.zip(reject.cl_ord_id);
                    order.cl_ord_id != reject.orig_cl_ord_id
                        || other.is_some_and(|((asked, _), refused)| asked.cl_ord_id != refused)
                });
                if stale || reject.reason == Reason::BrokerDuplicate {
                    // About another request than the one under way, or the same twice: what became of
                    // it, a snapshot says.
                    *self.oddities.entry(Oddity::Duplicate).or_default() += 1;
                    return self.ask_snapshot(at, broker, news);
                }
                Event::ReplaceRejected
            }
            RequestKind::Cancel | RequestKind::New => {
                self.pause_cancels(broker, reject.orig_cl_ord_id);
                Event::CancelRejected
            }
        };
        self.refused_change(at, reject.orig_cl_ord_id, event, reject.reason, news);
        if matches!(reject.reason, Reason::UnknownOrder | Reason::BrokerTooLate) {
            // The broker's view of the order is not ours.
            self.ask_snapshot(at, broker, news);
        }
    }

    /// A cancel that was refused is not sent again before an answer to it would have been late: the
    /// snapshot that follows the refusal would only bring the next one.
    fn pause_cancels(&mut self, broker: BrokerId, id: ClientOrderId) {
        let pause = self.patience.get(broker.index()).map_or(Nanos(0), |patience| patience.ack);
        if let Some(&index) = self.by_id.get(&id) {
            let order = &mut self.orders[index as usize];
            order.cancel_again = order.asked_at + pause;
        }
    }

    /// A request never left: proof that the broker has not seen it.
    pub(in crate::actors) fn on_not_sent(
        &mut self,
        at: Timestamp,
        id: ClientOrderId,
        kind: RequestKind,
        reason: Reason,
        news: &mut News,
    ) {
        match kind {
            RequestKind::New => {
                let Some(index) = self.by_id.get(&id).copied() else { return };
                let legs = match self.orders[index as usize].role {
                    Role::Parent { legs } => u32::from(legs),
                    Role::First(_) => 1,
                    _ => 0,
                };
                for member in index..=index + legs {
                    self.orders[member as usize].reason = Some(reason);
                    self.apply(member, Event::Rejected);
                    self.tell(at, member, Some(ExecType::Rejected), Qty::ZERO, Price::ZERO, news);
                }
            }
            RequestKind::Replace => {
                self.refused_change(at, id, Event::ReplaceRejected, reason, news)
            }
            RequestKind::Cancel => self.refused_change(at, id, Event::CancelRejected, reason, news),
        }
    }

    fn refused_change(
        &mut self,
        at: Timestamp,
        id: ClientOrderId,
        event: Event,
        reason: Reason,
        news: &mut News,
    ) {
        let Some(index) = self.by_id.get(&id).copied() else {
            *self.oddities.entry(Oddity::Unasked).or_default() += 1;
            return;
        };
        self.apply(index, event);
        let mut update = self.update(at, index, None);
        update.reason = Some(reason);
        news.updates.push(update);
    }
}
