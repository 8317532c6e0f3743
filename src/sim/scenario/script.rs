//! How a scenario is told: orders of one agent, faults, crashes, and what is expected.

use crate::actors::Core;
use crate::actors::oms::Order;
use crate::msg::{
    CancelOrder, Contingent, Leg, NewOrder, OrderRequest, OrderTerms, Parent, ReplaceOrder,
};
use crate::sim::fault::Fault;
use crate::sim::plan::Plan;
use crate::sim::watch::Violation;
use crate::sim::world::World;
use crate::types::{
    AccountId, AgentId, ClientOrderId, InstrumentId, KillLevel, Nanos, OrdStatus, OrdType,
    OrderQty, Price, Qty, Reason, Scope, Side, TimeInForce,
};
use crate::wiring::ConfigError;

/// The instrument that scenarios trade.
const ONE: InstrumentId = InstrumentId(0);

/// A scenario under way.
pub struct Script {
    /// The session.
    pub world: World,
    missed: Vec<Violation>,
}

impl Script {
    /// A calm market, one agent that does what it is told, a broker that fills when it is told.
    ///
    /// # Errors
    /// The configuration.
    pub fn new() -> Result<Self, ConfigError> {
        let plan =
            Plan { generous: true, agents: 0, instruments: 2, records: 1 << 20, ..Plan::calm(1) };
        let mut script = Self { world: World::new(plan)?, missed: Vec::new() };
        script.world.remote_is_quiet();
        script.run(2_000);
        for broker in &mut script.world.brokers {
            broker.fills_on_command();
        }
        Ok(script)
    }

    /// Lets time pass, in milliseconds.
    pub fn run(&mut self, millis: u64) {
        self.world.run_for(Nanos::from_millis(millis));
    }

    /// Notes what does not hold.
    pub fn must(&mut self, holds: bool, what: &str) {
        if !holds {
            let denied: Vec<_> = self
                .core()
                .iter()
                .flat_map(|core| core.denied())
                .map(|(_, why, n)| (why, n))
                .collect();
            let mut violation = Violation::new("scenario", format!("{what} (denied: {denied:?})"));
            violation.at = self.world.elapsed();
            self.missed.push(violation);
        }
    }

    /// Ends the session: all is well again, and the books must agree.
    pub fn end(self) -> Vec<Violation> {
        let mut missed = self.missed;
        missed.extend(self.world.end().violations);
        missed
    }

    /// The middle of the market in whole ticks.
    pub fn mark(&self) -> Price {
        self.world.mark(ONE)
    }

    /// A day limit order in the first instrument, in lots, `ticks` above the middle.
    pub fn limit(&mut self, side: Side, lots: i64, ticks: i64) -> ClientOrderId {
        let price = self.price(ticks);
        self.submit(side, lots, OrdType::Limit { price }, None)
    }

    /// The same from the operator.
    pub fn by_operator(&mut self, side: Side, lots: i64, ticks: i64) -> ClientOrderId {
        let cl_ord_id = ClientOrderId { agent: AgentId::OPERATOR, ..self.world.next_id() };
        let ord_type = OrdType::Limit { price: self.price(ticks) };
        self.send(cl_ord_id, self.terms(side, lots, ord_type), Contingent::None, (None, None));
        cl_ord_id
    }

    /// The same with a way out `out` ticks above the middle, once it has filled.
    pub fn then(&mut self, side: Side, lots: i64, ticks: i64, out: i64) -> ClientOrderId {
        let (cl_ord_id, leg) = (self.world.next_id(), self.world.next_id());
        let entry = OrdType::Limit { price: self.price(ticks) };
        let exit = OrdType::Limit { price: self.price(out) };
        let terms = self.terms(side.opposite(), lots, exit);
        let contingent = Contingent::OneTriggersOther(Leg { cl_ord_id: leg, terms });
        self.send(cl_ord_id, self.terms(side, lots, entry), contingent, (None, None));
        cl_ord_id
    }

    /// The same as a part of an order of so many lots, always the same one.
    pub fn part_of(&mut self, whole: i64, side: Side, lots: i64, ticks: i64) -> ClientOrderId {
        let cl_ord_id = self.world.next_id();
        let ord_type = OrdType::Limit { price: self.price(ticks) };
        let parent = Parent { id: 1, qty: self.lots(whole) };
        let terms = self.terms(side, lots, ord_type);
        self.send(cl_ord_id, terms, Contingent::None, (None, Some(parent)));
        cl_ord_id
    }

    /// The same with the agent's own number.
    pub fn intend(&mut self, intent: u64, side: Side, lots: i64, ticks: i64) -> ClientOrderId {
        let price = self.price(ticks);
        self.submit(side, lots, OrdType::Limit { price }, Some(intent))
    }

    fn price(&self, ticks: i64) -> Price {
        Price::from_raw(self.mark().raw() + ticks * self.world.tick(ONE).raw())
    }

    fn terms(&self, side: Side, lots: i64, ord_type: OrdType) -> OrderTerms {
        OrderTerms {
            side,
            qty: OrderQty::Units(self.lots(lots)),
            ord_type,
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        }
    }

    /// So many lots in units.
    pub fn lots(&self, lots: i64) -> Qty {
        Qty::from_raw(self.world.lot(ONE).raw() * lots)
    }

    fn submit(
        &mut self,
        side: Side,
        lots: i64,
        ord_type: OrdType,
        intent: Option<u64>,
    ) -> ClientOrderId {
        let cl_ord_id = self.world.next_id();
        let terms = self.terms(side, lots, ord_type);
        self.send(cl_ord_id, terms, Contingent::None, (intent, None));
        cl_ord_id
    }

    fn send(
        &mut self,
        cl_ord_id: ClientOrderId,
        terms: OrderTerms,
        contingent: Contingent,
        (intent, parent): (Option<u64>, Option<Parent>),
    ) {
        let own = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
        let new = NewOrder {
            cl_ord_id,
            account: AccountId(0),
            instrument: ONE,
            intent: intent.unwrap_or(own),
            terms,
            contingent,
            parent,
        };
        self.world.request_of(cl_ord_id.agent, OrderRequest::New(new));
    }

    /// Asks for a cancel.
    pub fn cancel(&mut self, orig_cl_ord_id: ClientOrderId) {
        self.world.request(OrderRequest::Cancel(CancelOrder::of(orig_cl_ord_id)));
    }

    /// Asks for another size.
    pub fn resize(&mut self, orig_cl_ord_id: ClientOrderId, lots: i64) -> ClientOrderId {
        let cl_ord_id = self.world.next_id();
        let Some(order) = self.order(orig_cl_ord_id).cloned() else { return cl_ord_id };
        let intent = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
        let terms = OrderTerms { qty: OrderQty::Units(self.lots(lots)), ..order.terms };
        self.world.request(OrderRequest::Replace(ReplaceOrder {
            orig_cl_ord_id,
            cl_ord_id,
            intent,
            terms,
        }));
        cl_ord_id
    }

    /// The market fills so many lots of an order.
    pub fn fill(&mut self, id: ClientOrderId, lots: i64) {
        let qty = self.lots(lots);
        self.world.fill(id, qty);
    }

    /// Something goes wrong at the first broker, or with the process.
    pub fn fault(&mut self, fault: Fault) {
        self.world.strike(fault);
    }

    /// The process is killed and comes back.
    pub fn crash(&mut self) {
        self.world.crash();
        self.run(6_000);
    }

    /// Raises a kill.
    pub fn kill(&mut self, level: KillLevel) {
        self.world.kill(Scope::Global, level);
    }

    /// The core, where the process lives.
    pub fn core(&self) -> Option<&Core> {
        self.world.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref())
    }

    /// An order as the gateway knows it.
    pub fn order(&self, id: ClientOrderId) -> Option<&Order> {
        self.core()?.oms.find(id).map(|(_, order)| order)
    }

    /// FIX 39 of an order as the gateway knows it.
    pub fn status(&self, id: ClientOrderId) -> Option<OrdStatus> {
        self.order(id).map(Order::ord_status)
    }

    /// Position in the first instrument, in lots.
    pub fn position(&self) -> i64 {
        let held = self
            .core()
            .map_or(Qty::ZERO, |core| core.oms.books.account(AccountId(0), ONE).position);
        held.raw() / self.world.lot(ONE).raw()
    }

    /// Open on both sides in the first instrument, in lots.
    pub fn open(&self) -> i64 {
        let open = self.core().map_or(Qty::ZERO, |core| {
            let exposure = core.oms.books.account(AccountId(0), ONE);
            exposure.open_buy + exposure.open_sell
        });
        open.raw() / self.world.lot(ONE).raw()
    }

    /// Exits that the core has sent.
    pub fn exits(&self) -> usize {
        let orders = self.core().map_or(&[][..], |core| core.oms.orders());
        orders.iter().filter(|order| order.cl_ord_id.is_exit()).count()
    }

    /// The global kill level: on the board, in the core, in the latch file.
    pub fn levels(&self) -> [KillLevel; 3] {
        [
            self.world.process.board.level(Scope::Global),
            self.core().map_or(KillLevel::Normal, |core| core.risk.halts.level_of(Scope::Global)),
            self.world.latched(Scope::Global),
        ]
    }

    /// Denials with a reason.
    pub fn denied(&self, reason: Reason) -> u64 {
        let denials = self.core().map(|core| core.denied().filter(|(_, why, _)| *why == reason));
        denials.map_or(0, |denials| denials.map(|(_, _, count)| count).sum())
    }

    /// Orders in the first broker's ledger.
    pub fn at_broker(&self) -> usize {
        self.world.brokers.first().map_or(0, |broker| broker.ledger.orders.len())
    }

    /// Orders open in the first broker's ledger.
    pub fn open_at_broker(&self) -> usize {
        self.world
            .brokers
            .first()
            .map_or(0, |broker| broker.ledger.orders.iter().filter(|order| order.is_open()).count())
    }
}
