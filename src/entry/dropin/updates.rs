//! The stream of trade updates: what the core told of remote agents' orders, in its order.

use super::backend::DropIn;
use super::ids;
use super::look::{self, Seen, Sight};
use super::records::Record;
use super::show::{average, event_word, status_word};
use crate::actors::oms::OrderUpdate;
use crate::alpaca::{Event, Number, Order, OrderClass, OrderStatus, Time, TradeUpdate, Uuid};
use crate::live::Heard;
use crate::msg::RequestKind;
use crate::types::{AgentId, ClientOrderId, ExecType, InstrumentId, Qty};
use std::collections::BTreeMap;

/// Updates that are told with one look at the core; what is behind waits in the edge.
const BATCH: usize = 1_024;

/// What each agent holds.
type Held = BTreeMap<(AgentId, InstrumentId), Qty>;

impl DropIn {
    /// Takes what the core told and passes it on to who listens.
    pub(super) fn hear(&mut self) {
        let Some(edge) = self.handle.remote().cloned() else { return };
        if edge.take_lost() {
            // Programs look at their orders when they come back.
            self.waiting.clear();
            self.sockets.close_where(|_| true);
            self.figures.add_loss();
        }
        while self.waiting.len() < BATCH {
            let Some(news) = edge.next() else { break };
            let (update, _) = &news;
            if let Some(ExecType::Canceled | ExecType::Expired | ExecType::Rejected) =
                update.exec_type
            {
                self.records.end(update.cl_ord_id, update.at);
            }
            if self.sockets.listens_for(update.route.agent) {
                self.waiting.push(news);
            } else {
                self.asked.remove(&update.cl_ord_id);
            }
        }
        if self.waiting.is_empty() {
            return;
        }
        let names = |(update, old): &Heard| {
            let mut names = self.family(update.cl_ord_id);
            names.extend(*old);
            names
        };
        let mut ids: Vec<ClientOrderId> = self.waiting.iter().flat_map(names).collect();
        ids.sort_unstable();
        ids.dedup();
        let owners: Vec<(AgentId, InstrumentId)> = self
            .waiting
            .iter()
            .map(|(update, _)| (update.route.agent, update.route.instrument))
            .collect();
        let looked = self.handle.call(move |desk, _, _| {
            let core = desk.lane.core.as_ref();
            let held: Held = owners
                .into_iter()
                .filter_map(|(agent, instrument)| {
                    let exposure = core?.oms.books.agent(agent, instrument);
                    Some(((agent, instrument), exposure.position))
                })
                .collect();
            (look::orders(desk, &ids), held)
        });
        // A core that does not answer now is asked again.
        let Ok((sight, held)) = looked else { return };
        let waiting = std::mem::take(&mut self.waiting);
        let after = positions(&waiting, held);
        for (news, position) in waiting.iter().zip(after) {
            self.tell(news, position, &sight);
        }
    }

    fn tell(&mut self, (update, old): &Heard, position: Qty, sight: &Sight) {
        let Some(seen) = sight.get(&update.cl_ord_id) else { return };
        let Some(record) = self.record(update.cl_ord_id, seen) else { return };
        let Some(exec_type) = update.exec_type else {
            // News without an execution: of interest is only that the broker refused a change.
            let asked = update.reason.and_then(|_| self.asked.remove(&update.cl_ord_id));
            let event = match asked {
                Some(RequestKind::Replace) => Event::OrderReplaceRejected,
                Some(RequestKind::Cancel) => Event::OrderCancelRejected,
                _ => return,
            };
            let order = self.show_alone(&record, seen);
            return self.publish(update, event, order);
        };
        let Some(event) = event_word(exec_type, update.ord_status) else { return };
        match event {
            // Legs are taken with their entry, and told of when they begin to work.
            Event::New if record.parent.is_some() => {}
            Event::Replaced => {
                let before = old.and_then(|old| {
                    let record = self.records.get(old)?;
                    Some((record.clone(), sight.get(&old)?))
                });
                if let (Some((before, seen)), false) = (before, seen.held) {
                    let order = self.show_alone(&before, seen);
                    self.publish(update, Event::Replaced, order);
                }
                if !seen.held {
                    let order = self.as_of(update, &record, seen);
                    self.publish(update, Event::New, order);
                }
            }
            Event::Canceled | Event::Expired if !self.has_worked(&record, sight) => {}
            Event::Fill | Event::PartialFill | Event::TradeBust | Event::TradeCorrect => {
                self.tell_trade(update, event, position, &record, seen);
                if update.exec_type == Some(ExecType::Trade)
                    && self.status_of(update) == OrderStatus::Filled
                {
                    self.tell_leg(update, &record, sight);
                }
            }
            event => {
                let order = self.as_of(update, &record, seen);
                self.publish(update, event, order);
            }
        }
        if update.leaves_qty.is_zero() {
            self.asked.remove(&update.cl_ord_id);
        }
    }

    fn status_of(&self, update: &OrderUpdate) -> OrderStatus {
        status_word(update.ord_status, update.cum_qty.is_positive())
    }

    /// The entry is filled: its first exit works from now on.
    fn tell_leg(&mut self, update: &OrderUpdate, record: &Record, sight: &Sight) {
        if !matches!(record.class, OrderClass::Bracket | OrderClass::Oto) || record.parent.is_some()
        {
            return;
        }
        let legs = self.records.legs(record.id).iter();
        let mut seen = legs.filter_map(|leg| Some((self.records.get(*leg)?, sight.get(leg)?)));
        let first = seen.find(|(leg, seen)| seen.order.cl_ord_id == leg.id);
        let Some((leg, seen)) = first.filter(|(_, seen)| !seen.order.state.is_done()) else {
            return;
        };
        let mut order = self.show_alone(leg, seen);
        order.status = OrderStatus::New;
        self.publish(update, Event::New, order);
    }

    /// Whether the stream has told that an order works: the end of a leg that never did is not told.
    fn has_worked(&self, record: &Record, sight: &Sight) -> bool {
        let Some(parent) = record.parent else { return true };
        let filled = sight.get(&parent).is_some_and(|seen| seen.order.filled().is_positive());
        let first = self
            .records
            .legs(parent)
            .first()
            .is_some_and(|leg| self.records.root(record.id) == *leg);
        first && filled && record.class != OrderClass::Oco
    }

    fn tell_trade(
        &mut self,
        update: &OrderUpdate,
        event: Event,
        position: Qty,
        record: &Record,
        seen: &Seen,
    ) {
        let order = self.as_of(update, record, seen);
        let instance = self.handle.numbers().0;
        let bust = matches!(event, Event::TradeBust);
        let own = seen.fills.iter().rev().find(|(_, fill)| {
            fill.qty.is_negative() == bust
                && fill.price == update.last_px
                && fill.qty.abs() == update.last_qty.abs()
                && (bust || fill.cum_qty == update.cum_qty)
        });
        let taken = seen.fills.iter().find(|(_, fill)| {
            bust && fill.taken_back
                && fill.price == update.last_px
                && fill.qty == update.last_qty.abs()
        });
        let mut message = self.message(update, event, order);
        if let Some((place, _)) = own {
            message.execution_id = ids::of_fill(instance, *place);
        }
        message.previous_execution_id = taken.map(|(place, _)| ids::of_fill(instance, *place));
        message.price = Some(update.last_px.into());
        message.qty = Some(update.last_qty.abs().into());
        message.position_qty = Some(position.into());
        self.send(update.route.agent, &message);
    }

    /// The order as it was after this update; later ones may have changed it since.
    fn as_of(&self, update: &OrderUpdate, record: &Record, seen: &Seen) -> Order {
        let mut order = self.show_alone(record, seen);
        order.status = self.status_of(update);
        let cum = update.cum_qty;
        if cum != seen.order.filled() {
            let (_, value) = seen.traded(|fill| fill.cum_qty <= cum);
            order.filled_avg_price = average(value, cum).map(Number::from);
        }
        order.filled_qty = cum.into();
        let is = |status: OrderStatus| order.status == status;
        let when = |status| is(status).then_some(Time(update.at));
        let (filled_at, canceled_at) = (when(OrderStatus::Filled), when(OrderStatus::Canceled));
        let (expired_at, failed_at) = (when(OrderStatus::Expired), when(OrderStatus::Rejected));
        (order.filled_at, order.canceled_at) = (filled_at, canceled_at);
        (order.expired_at, order.failed_at) = (expired_at, failed_at);
        order
    }

    fn message(&mut self, update: &OrderUpdate, event: Event, order: Order) -> TradeUpdate {
        self.events += 1;
        let (instance, epoch) = self.handle.numbers();
        let number = format!("{instance}/{epoch}/{}/{}", update.at.nanos(), self.events);
        TradeUpdate {
            event,
            execution_id: Uuid::of_text("event", &number),
            order,
            timestamp: Time(update.at),
            price: None,
            qty: None,
            position_qty: None,
            previous_execution_id: None,
        }
    }

    fn publish(&mut self, update: &OrderUpdate, event: Event, order: Order) {
        let message = self.message(update, event, order);
        self.send(update.route.agent, &message);
    }

    fn send(&mut self, agent: AgentId, message: &TradeUpdate) {
        self.figures.add_update();
        self.sockets.update(agent, message);
    }
}

/// The position after each update, counted back from what is held now.
fn positions(news: &[Heard], mut held: Held) -> Vec<Qty> {
    let mut after: Vec<Qty> = news
        .iter()
        .rev()
        .map(|(update, _)| {
            let Some(held) = held.get_mut(&(update.route.agent, update.route.instrument)) else {
                return Qty::ZERO;
            };
            let now = *held;
            let signed = update.side.signed(update.last_qty.abs());
            match update.exec_type {
                Some(ExecType::Trade | ExecType::TradeCorrect) => *held -= signed,
                Some(ExecType::TradeCancel) => *held += signed,
                _ => {}
            }
            now
        })
        .collect();
    after.reverse();
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kill::Route;
    use crate::types::{AccountId, BrokerId, OrdStatus, Price, Side, Timestamp};

    #[test]
    fn positions_are_counted_back_from_what_is_held() {
        let route = |instrument| Route {
            broker: BrokerId(0),
            account: AccountId(0),
            agent: AgentId(2),
            instrument: InstrumentId(instrument),
        };
        let told = |instrument, side, exec_type, qty| {
            let update = OrderUpdate {
                at: Timestamp::ZERO,
                cl_ord_id: ClientOrderId { instance: 1, epoch: 1, agent: AgentId(2), seq: 1 },
                route: route(instrument),
                side,
                exec_type,
                ord_status: OrdStatus::New,
                last_qty: Qty::whole(qty),
                last_px: Price::ZERO,
                cum_qty: Qty::ZERO,
                leaves_qty: Qty::ZERO,
                reason: None,
            };
            (update, None)
        };
        let trade = Some(ExecType::Trade);
        let news = [
            told(0, Side::Buy, trade, 3),
            told(1, Side::Sell, trade, 5),
            told(0, Side::Buy, Some(ExecType::New), 0),
            told(0, Side::Sell, trade, 1),
            told(0, Side::Buy, Some(ExecType::TradeCancel), 3),
        ];
        let key = |instrument| (AgentId(2), InstrumentId(instrument));
        let held = Held::from([(key(0), Qty::whole(-1)), (key(1), Qty::whole(-5))]);
        let after = positions(&news, held);
        assert_eq!(after, [3, -5, 3, 2, -1].map(Qty::whole));
    }
}
