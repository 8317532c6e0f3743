//! What an agent can know and do.

use super::TimerId;
use crate::actors::core::refusal;
use crate::actors::market::{Market, MarketState, Touch};
use crate::actors::oms::OrderUpdate;
use crate::kill::Route;
use crate::msg::{
    CancelOrder, Contingent, Leg, NewOrder, OrderRequest, OrderTerms, Parent, ReplaceOrder,
};
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExecType, InstrumentId, Nanos, OrdStatus, OrdType,
    OrderQty, Price, Qty, Reason, Side, TimeInForce, Timestamp,
};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What an agent wants, before it has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// In which instrument.
    pub instrument: InstrumentId,
    /// What.
    pub terms: OrderTerms,
    /// The agent's own number of this wish, where it has one; the same number never trades twice.
    pub intent: Option<u64>,
    /// The larger order that it is a part of.
    pub parent: Option<Parent>,
    legs: Legs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Legs {
    None,
    Oco(OrderTerms),
    Oto(OrderTerms),
    Bracket(OrderTerms, OrderTerms),
}

impl Ticket {
    /// A ticket with these terms.
    pub const fn new(instrument: InstrumentId, terms: OrderTerms) -> Self {
        Self { instrument, terms, intent: None, parent: None, legs: Legs::None }
    }

    /// A day market order.
    pub const fn market(instrument: InstrumentId, side: Side, qty: Qty) -> Self {
        Self::new(instrument, terms(side, qty, OrdType::Market))
    }

    /// A day limit order.
    pub const fn limit(instrument: InstrumentId, side: Side, qty: Qty, price: Price) -> Self {
        Self::new(instrument, terms(side, qty, OrdType::Limit { price }))
    }

    /// With another time in force.
    #[must_use]
    pub const fn tif(mut self, tif: TimeInForce) -> Self {
        self.terms.tif = tif;
        self
    }

    /// With the agent's own number.
    #[must_use]
    pub const fn intent(mut self, intent: u64) -> Self {
        self.intent = Some(intent);
        self
    }

    /// As a part of a larger order: all parts together never trade more than that. Not for lists.
    #[must_use]
    pub const fn child_of(mut self, parent: Parent) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Together with an order that excludes it.
    #[must_use]
    pub const fn or_else(mut self, other: OrderTerms) -> Self {
        self.legs = Legs::Oco(other);
        self
    }

    /// Followed by an order once it fills.
    #[must_use]
    pub const fn then(mut self, next: OrderTerms) -> Self {
        self.legs = Legs::Oto(next);
        self
    }

    /// Followed by a take-profit and a stop-loss once it fills.
    #[must_use]
    pub const fn bracket(mut self, take_profit: OrderTerms, stop_loss: OrderTerms) -> Self {
        self.legs = Legs::Bracket(take_profit, stop_loss);
        self
    }
}

/// Terms of a day order.
const fn terms(side: Side, qty: Qty, ord_type: OrdType) -> OrderTerms {
    OrderTerms {
        side,
        qty: OrderQty::Units(qty),
        ord_type,
        tif: TimeInForce::Day,
        expire_at: None,
        extended_hours: false,
    }
}

/// One of the agent's orders that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    /// FIX 11 as it stands.
    pub cl_ord_id: ClientOrderId,
    /// In which instrument.
    pub instrument: InstrumentId,
    /// Its terms.
    pub terms: OrderTerms,
    /// FIX 151.
    pub leaves_qty: Qty,
    /// FIX 39.
    pub ord_status: OrdStatus,
}

/// An agent's side of its bookkeeping: numbers, open orders, positions, timers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Desk {
    pub agent: AgentId,
    pub account: AccountId,
    pub instance: u32,
    pub epoch: u32,
    pub first_seq: u32,
    seq: u32,
    rng: Pcg64Mcg,
    open: Vec<OpenOrder>,
    positions: Vec<(InstrumentId, Qty)>,
    timers: BinaryHeap<Reverse<(Timestamp, u64, TimerId)>>,
    timer_seq: u64,
    replacing: Vec<(ClientOrderId, OrderTerms)>,
    #[serde(skip)]
    pub requests: Vec<OrderRequest>,
}

impl Desk {
    pub fn new(agent: AgentId, account: AccountId) -> Self {
        Self {
            agent,
            account,
            instance: 0,
            epoch: 0,
            first_seq: 0,
            seq: 0,
            rng: Pcg64Mcg::seed_from_u64(u64::from(agent.0)),
            open: Vec::new(),
            positions: Vec::new(),
            timers: BinaryHeap::new(),
            timer_seq: 0,
            replacing: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// A new run: its ids never meet those of another.
    pub fn boot(&mut self, instance: u32, epoch: u32) {
        let epoch = planted!(EpochKept, epoch, if self.epoch == 0 { epoch } else { self.epoch });
        (self.instance, self.epoch, self.seq) = (instance, epoch, self.first_seq);
    }

    /// What the agent holds and has open, where it does not know from its own updates.
    pub fn resume(&mut self, open: Vec<OpenOrder>, positions: Vec<(InstrumentId, Qty)>) {
        (self.open, self.positions) = (open, positions);
    }

    fn next_id(&mut self) -> ClientOrderId {
        self.seq = self.seq.saturating_add(1);
        ClientOrderId {
            instance: self.instance,
            epoch: self.epoch,
            agent: self.agent,
            seq: self.seq,
        }
    }

    pub fn next_timer(&self) -> Timestamp {
        self.timers.peek().map_or(Timestamp::MAX, |Reverse((at, _, _))| *at)
    }

    pub fn take_timer(&mut self, now: Timestamp) -> Option<TimerId> {
        if self.next_timer() > now {
            return None;
        }
        self.timers.pop().map(|Reverse((_, _, timer))| timer)
    }

    /// Books what an update says, before the agent sees it.
    pub fn note(&mut self, update: &OrderUpdate) {
        let traded = match update.exec_type {
            Some(ExecType::Trade | ExecType::TradeCorrect) => update.last_qty,
            Some(ExecType::TradeCancel) => -update.last_qty,
            _ => Qty::ZERO,
        };
        if !traded.is_zero() {
            let signed = update.side.signed(traded);
            match self.positions.iter_mut().find(|(id, _)| *id == update.route.instrument) {
                Some((_, qty)) => *qty = qty.saturating_add(signed),
                None => self.positions.push((update.route.instrument, signed)),
            }
        }
        let done = matches!(
            update.ord_status,
            OrdStatus::Filled | OrdStatus::Canceled | OrdStatus::Rejected | OrdStatus::Expired
        );
        if let Some(at) = self.open.iter().position(|order| order.cl_ord_id == update.cl_ord_id) {
            if done {
                self.open.swap_remove(at);
                if self.open.is_empty() {
                    self.replacing.clear();
                }
            } else {
                self.open[at].ord_status = update.ord_status;
                self.open[at].leaves_qty = update.leaves_qty;
            }
        }
    }

    /// A change of an open order never reached the core: the order stays as it is.
    pub fn refuse_change(
        &mut self,
        at: Timestamp,
        (order, renamed): (ClientOrderId, Option<ClientOrderId>),
        reason: Reason,
    ) -> Option<OrderUpdate> {
        self.replacing.retain(|(id, _)| Some(*id) != renamed);
        let order = self.open.iter().find(|open| open.cl_ord_id == order)?;
        let route = Route {
            broker: BrokerId(u8::MAX),
            account: self.account,
            agent: self.agent,
            instrument: order.instrument,
        };
        let cum_qty = match order.terms.qty {
            OrderQty::Units(qty) => qty.saturating_sub(order.leaves_qty),
            OrderQty::Cash(_) => Qty::ZERO,
        };
        Some(OrderUpdate {
            ord_status: order.ord_status,
            cum_qty,
            leaves_qty: order.leaves_qty,
            ..refusal(at, order.cl_ord_id, route, order.terms.side, reason)
        })
    }

    /// A replace took effect: the order goes on under its new name.
    pub fn rename(&mut self, from: ClientOrderId, to: ClientOrderId) {
        let terms = self.replacing.iter().find(|(id, _)| *id == to).map(|(_, terms)| *terms);
        self.replacing.retain(|(id, _)| *id != to);
        if let Some(order) = self.open.iter_mut().find(|order| order.cl_ord_id == from) {
            order.cl_ord_id = to;
            order.terms = terms.unwrap_or(order.terms);
        }
    }
}

/// Everything an agent can know or do during one call.
#[derive(Debug)]
pub struct AgentCx<'a> {
    pub(super) at: Timestamp,
    pub(super) market: &'a Market,
    pub(super) desk: &'a mut Desk,
}

impl AgentCx<'_> {
    /// The moment of this call.
    pub const fn now(&self) -> Timestamp {
        self.at
    }

    /// Best bid and ask over all exchanges.
    pub fn touch(&self, instrument: InstrumentId) -> Touch {
        self.market.touch(instrument)
    }

    /// Middle of bid and ask, else the last trade.
    pub fn mark(&self, instrument: InstrumentId) -> Option<Price> {
        self.market.mark(instrument)
    }

    /// Whether the price can be relied on.
    pub fn market_state(&self, instrument: InstrumentId) -> MarketState {
        self.market.state(instrument, self.at)
    }

    /// The agent's own signed position.
    pub fn position(&self, instrument: InstrumentId) -> Qty {
        let own = self.desk.positions.iter().find(|(id, _)| *id == instrument);
        own.map_or(Qty::ZERO, |(_, qty)| *qty)
    }

    /// The agent's own orders that are not done, in no particular but always the same order.
    pub fn open_orders(&self) -> &[OpenOrder] {
        &self.desk.open
    }

    /// Asks for an order. The answer comes as an update; a denial too.
    pub fn submit(&mut self, ticket: Ticket) -> ClientOrderId {
        let cl_ord_id = self.desk.next_id();
        let intent =
            ticket.intent.unwrap_or(u64::from(self.desk.epoch) << 32 | u64::from(cl_ord_id.seq));
        let mut leg = |terms| Leg { cl_ord_id: self.desk.next_id(), terms };
        let contingent = match ticket.legs {
            Legs::None => Contingent::None,
            Legs::Oco(other) => Contingent::OneCancelsOther(leg(other)),
            Legs::Oto(next) => Contingent::OneTriggersOther(leg(next)),
            Legs::Bracket(take_profit, stop_loss) => {
                let take_profit = leg(take_profit);
                let stop_loss = planted!(
                    LegTakesName,
                    leg(stop_loss),
                    Leg { cl_ord_id: take_profit.cl_ord_id, terms: stop_loss },
                );
                Contingent::Bracket { take_profit, stop_loss }
            }
        };
        let new = NewOrder {
            cl_ord_id,
            account: self.desk.account,
            instrument: ticket.instrument,
            intent,
            terms: ticket.terms,
            contingent,
            parent: ticket.parent,
        };
        let first = (cl_ord_id, ticket.terms);
        for (cl_ord_id, terms) in
            std::iter::once(first).chain(contingent.legs().map(|leg| (leg.cl_ord_id, leg.terms)))
        {
            let leaves_qty = match terms.qty {
                OrderQty::Units(qty) => qty,
                OrderQty::Cash(_) => Qty::ZERO,
            };
            self.desk.open.push(OpenOrder {
                cl_ord_id,
                instrument: ticket.instrument,
                terms,
                leaves_qty,
                ord_status: OrdStatus::PendingNew,
            });
        }
        self.desk.requests.push(OrderRequest::New(new));
        cl_ord_id
    }

    /// Asks for a cancel of one of the agent's orders.
    pub fn cancel(&mut self, orig_cl_ord_id: ClientOrderId) {
        self.desk.requests.push(OrderRequest::Cancel(CancelOrder::of(orig_cl_ord_id)));
    }

    /// Asks for new terms of one of the agent's orders; it has the returned name once they hold.
    pub fn replace(&mut self, orig_cl_ord_id: ClientOrderId, terms: OrderTerms) -> ClientOrderId {
        let cl_ord_id = self.desk.next_id();
        let intent = u64::from(self.desk.epoch) << 32 | u64::from(cl_ord_id.seq);
        let replace = ReplaceOrder { orig_cl_ord_id, cl_ord_id, intent, terms };
        self.desk.replacing.push((cl_ord_id, terms));
        self.desk.requests.push(OrderRequest::Replace(replace));
        cl_ord_id
    }

    /// Calls [`super::Agent::on_timer`] at `at`, a nanosecond from now if that has passed.
    pub fn set_timer(&mut self, at: Timestamp, timer: TimerId) {
        let at = at.max(self.at + Nanos(1));
        self.desk.timer_seq += 1;
        self.desk.timers.push(Reverse((at, self.desk.timer_seq, timer)));
    }

    /// A random number, the same in every replay.
    pub fn random(&mut self) -> u64 {
        self.desk.rng.next_u64()
    }
}
