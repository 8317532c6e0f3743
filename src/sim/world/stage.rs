//! What scenarios may do with a session.

use super::{Outcome, START, World};
use crate::msg::{Input, OrderRequest};
use crate::types::{
    AccountId, AgentId, ClientOrderId, InstrumentId, KillLevel, Nanos, Price, Qty, Scope,
};

impl World {
    /// The remote agent does nothing of its own.
    pub fn remote_is_quiet(&mut self) {
        self.remote.quiet = true;
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.outcome.violations.is_empty() && self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Nanos {
        self.now.since(START)
    }

    /// Ends the session.
    pub fn end(mut self) -> Outcome {
        self.settle();
        self.finish()
    }

    /// The middle of an instrument's market.
    pub fn mark(&self, instrument: InstrumentId) -> Price {
        self.market.prices[instrument.index()]
    }

    /// Its price step.
    pub fn tick(&self, instrument: InstrumentId) -> Price {
        self.process.topology().names.instruments().get(instrument).tick
    }

    /// Its size step.
    pub fn lot(&self, instrument: InstrumentId) -> Qty {
        self.process.topology().names.instruments().get(instrument).lot
    }

    /// The remote agent's next order name.
    pub const fn next_id(&mut self) -> ClientOrderId {
        self.remote.seq += 1;
        let (epoch, agent, seq) = (self.process.epoch, self.remote.id, self.remote.seq);
        ClientOrderId { instance: 1, epoch, agent, seq }
    }

    /// The remote agent asks for something.
    pub fn request(&mut self, request: OrderRequest) {
        self.request_of(self.remote.id, request);
    }

    /// Somebody asks for something.
    pub fn request_of(&mut self, from: AgentId, request: OrderRequest) {
        let wall = self.wall();
        self.call(|desk| desk.deliver(wall, &Input::Request(from, request)));
    }

    /// The market fills an order at the first broker.
    pub fn fill(&mut self, id: ClientOrderId, qty: Qty) {
        let now = self.now;
        // What was sent is on its way: a moment later the broker has it.
        self.run_for(Nanos::from_millis(5));
        if let Some(broker) = self.brokers.first_mut() {
            broker.prices.clone_from(&self.market.prices);
            broker.fill_order(now, id, qty);
        }
    }

    /// The first broker holds more of the first instrument, and nobody knows since when.
    pub fn endow(&mut self, qty: Qty) {
        if let Some(broker) = self.brokers.first_mut() {
            *broker.ledger.positions.entry((AccountId(0), InstrumentId(0))).or_default() += qty;
        }
    }

    /// An operator raises a kill.
    pub fn kill(&mut self, scope: Scope, level: KillLevel) {
        self.process.board.raise(scope, level);
        self.killed(scope, level);
    }

    /// The kill level that the latch file holds for a scope.
    pub fn latched(&self, scope: Scope) -> KillLevel {
        let name = self.process.topology().names.scope_name(scope);
        let trip = self.latch.trips().iter().find(|trip| trip.scope == name);
        trip.map_or(KillLevel::Normal, |trip| trip.level)
    }

    /// Requests on the wire so far.
    pub const fn requests(&self) -> u64 {
        self.watch.requests
    }
}
