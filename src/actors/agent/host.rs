//! Runs one agent: gives it its context, holds it to its budget, survives its panics.

use super::Agent;
use super::cx::{AgentCx, Desk, OpenOrder};
use crate::actors::market::Market;
use crate::actors::oms::OrderUpdate;
use crate::actors::saved::{BadState, put, take};
use crate::msg::{AgentState, MarketData, OrderRequest};
use crate::types::{AccountId, AgentId, ClientOrderId, InstrumentId, Qty, Reason, Timestamp};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Requests an agent may make in one call; one more takes it out (INV-6).
pub const REQUEST_BUDGET: usize = 64;

/// One agent with its bookkeeping.
pub struct Host {
    agent: Box<dyn Agent>,
    desk: Desk,
    subscribed: Vec<InstrumentId>,
    state: AgentState,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("desk", &self.desk).field("state", &self.state).finish()
    }
}

impl Host {
    /// Hosts `agent` for an account and the instruments that it subscribes to.
    pub fn new(
        agent: Box<dyn Agent>,
        id: AgentId,
        account: AccountId,
        subscribed: Vec<InstrumentId>,
    ) -> Self {
        Self { agent, desk: Desk::new(id, account), subscribed, state: AgentState::Running }
    }

    /// Which agent.
    pub const fn id(&self) -> AgentId {
        self.desk.agent
    }

    /// The instruments it hears of.
    pub fn subscribed(&self) -> &[InstrumentId] {
        &self.subscribed
    }

    /// Whether it is called.
    pub const fn state(&self) -> AgentState {
        self.state
    }

    pub(in crate::actors) fn set_state(&mut self, state: AgentState) {
        self.state = state;
    }

    /// Whether [`Self::save`] has something to save.
    pub(in crate::actors) fn is_saved(&self) -> bool {
        self.agent.state().is_some()
    }

    /// Appends the agent and its bookkeeping, if the agent has a state to save.
    pub(in crate::actors) fn save(&self, into: &mut Vec<u8>) {
        put(&self.is_saved(), into);
        if let Some(state) = self.agent.state() {
            put(&(&self.desk, self.state), into);
            state.save(into);
        }
    }

    /// Takes what [`Self::save`] made of an agent of the same kind and name.
    pub(in crate::actors) fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState> {
        let saved: bool = take(from)?;
        if saved != self.is_saved() {
            return Err(BadState("an agent"));
        }
        if let Some(state) = self.agent.state_mut() {
            (self.desk, self.state) = take(from)?;
            state.load(from)?;
        }
        Ok(())
    }

    /// When its next timer is due.
    pub fn next_timer(&self) -> Timestamp {
        if self.state == AgentState::Quarantined { Timestamp::MAX } else { self.desk.next_timer() }
    }

    /// A new run begins; returns false if the agent broke.
    pub(in crate::actors) fn boot(
        &mut self,
        (instance, epoch): (u32, u32),
        at: Timestamp,
        market: &Market,
        out: &mut Vec<(AgentId, OrderRequest)>,
    ) -> bool {
        self.desk.boot(instance, epoch);
        self.call(at, market, out, |agent, cx| agent.on_start(cx))
    }

    pub(in crate::actors) fn number_from(&mut self, first: u32) {
        self.desk.first_seq = first;
    }

    /// Tells a new agent what it holds already.
    pub(in crate::actors) fn resume(
        &mut self,
        open: Vec<OpenOrder>,
        held: Vec<(InstrumentId, Qty)>,
    ) {
        self.desk.resume(open, held);
    }

    #[inline]
    pub(in crate::actors) fn on_market(
        &mut self,
        at: Timestamp,
        record: &MarketData,
        market: &Market,
        out: &mut Vec<(AgentId, OrderRequest)>,
    ) -> bool {
        self.call(at, market, out, |agent, cx| match record {
            MarketData::Quote(quote) => {
                let touch = cx.market.touch(quote.instrument);
                agent.on_quote(cx, quote.instrument, &touch);
            }
            MarketData::Trade(trade) => agent.on_trade(cx, trade),
            MarketData::Bar(bar) => agent.on_bar(cx, bar),
            MarketData::QuoteBar(bar) => {
                let touch = cx.market.touch(bar.instrument);
                agent.on_quote(cx, bar.instrument, &touch);
            }
            MarketData::Level(level) => {
                agent.on_level(cx, level);
                let touch = cx.market.touch(level.instrument);
                agent.on_quote(cx, level.instrument, &touch);
            }
            MarketData::Status(status) => agent.on_market_state(cx, status.instrument),
            MarketData::Gap(gap) => agent.on_market_state(cx, gap.instrument),
        })
    }

    pub(in crate::actors) fn on_order(
        &mut self,
        update: &OrderUpdate,
        renamed: Option<ClientOrderId>,
        market: &Market,
        out: &mut Vec<(AgentId, OrderRequest)>,
    ) -> bool {
        if let Some(from) = renamed {
            self.desk.rename(from, update.cl_ord_id);
        }
        self.desk.note(update);
        self.call(update.at, market, out, |agent, cx| agent.on_order(cx, update))
    }

    /// What to tell the agent of a change of this order, under this new name, that never reached the
    /// core; nothing where the order is not open.
    pub(in crate::actors) fn refuse_change(
        &mut self,
        at: Timestamp,
        id: (ClientOrderId, Option<ClientOrderId>),
        reason: Reason,
    ) -> Option<OrderUpdate> {
        self.desk.refuse_change(at, id, reason)
    }

    pub(in crate::actors) fn on_timers(
        &mut self,
        at: Timestamp,
        market: &Market,
        out: &mut Vec<(AgentId, OrderRequest)>,
    ) -> bool {
        let mut calls = 0;
        while self.state != AgentState::Quarantined {
            let Some(timer) = self.desk.take_timer(at) else { break };
            calls += 1;
            if calls > REQUEST_BUDGET {
                self.state = AgentState::Quarantined;
                return false;
            }
            if !self.call(at, market, out, |agent, cx| agent.on_timer(cx, timer)) {
                return false;
            }
        }
        true
    }

    /// Calls the agent; `false` if it panicked or broke its budget. Its requests of that call are
    /// then dropped, and it is not called again until an operator resumes it.
    #[inline]
    fn call(
        &mut self,
        at: Timestamp,
        market: &Market,
        out: &mut Vec<(AgentId, OrderRequest)>,
        what: impl FnOnce(&mut dyn Agent, &mut AgentCx<'_>),
    ) -> bool {
        if self.state == AgentState::Quarantined {
            return true;
        }
        let (agent, desk) = (&mut self.agent, &mut self.desk);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            what(agent.as_mut(), &mut AgentCx { at, market, desk });
        }));
        if ran.is_ok() && self.desk.requests.is_empty() {
            return true;
        }
        if ran.is_err() || self.desk.requests.len() > REQUEST_BUDGET {
            self.desk.requests.clear();
            self.state = AgentState::Quarantined;
            return false;
        }
        let from = self.desk.agent;
        out.extend(self.desk.requests.drain(..).map(|request| (from, request)));
        true
    }
}
