//! Gate 1: no request reaches a broker but through here. Every check says yes, or the order is
//! denied with one reason from a closed list; what cannot be judged is denied.
//!
//! `check/` holds one file a control, `CHECKS` one row a control. `approved.rs` is the only place
//! that makes an approval.

mod approved;
pub mod case;
pub mod check;
pub mod halts;
pub mod limits;

pub use approved::Approved;
pub use case::Case;
pub use check::{CHECKS, Check};
pub use halts::Halts;
pub use limits::{LimitError, LimitRow, LimitValue, Limits};

use super::market::{Market, MarketState};
use super::oms::{Oms, Order, Pending, Role};
use super::saved::{BadState, Saved, put, take};
use crate::kill::{Effect, Route};
use crate::msg::{
    AgentState, CancelOrder, Contingent, NewOrder, OrderRequest, OrderTerms, ReplaceOrder,
};
use crate::types::{
    AccountId, AgentId, BrokerId, Notional, OrdType, OrderQty, Price, Qty, Reason, Side,
    TimeInForce, Timestamp,
};

/// An approval with what the order manager needs to know about it.
#[derive(Debug)]
pub struct Verdict {
    /// The approval.
    pub approved: Approved,
    /// Size in units; an upper bound for an order that names money.
    pub units: Qty,
    /// Middle of bid and ask at the decision.
    pub arrival: Option<Price>,
}

/// The risk actor.
#[derive(Debug)]
pub struct Risk {
    checks: Vec<Box<dyn Check>>,
    /// Kills, holds and agent states as the journal knows them.
    pub halts: Halts,
    /// By account: the broker that carries it.
    brokers: Vec<BrokerId>,
}

impl Risk {
    /// A gate with these checks; `brokers` names the broker of every account.
    pub fn new(checks: Vec<Box<dyn Check>>, brokers: Vec<BrokerId>) -> Self {
        Self { checks, halts: Halts::default(), brokers }
    }

    pub(in crate::actors) fn carry_over(&mut self, old: Self, oms: &Oms) {
        self.halts = old.halts;
        for check in &mut self.checks {
            check.adopt(oms);
        }
    }

    /// The checks, for listing.
    pub fn checks(&self) -> &[Box<dyn Check>] {
        &self.checks
    }

    /// Where an account's orders go.
    pub fn route(&self, new: &NewOrder) -> Option<Route> {
        let broker = *self.brokers.get(new.account.index())?;
        Some(Route {
            broker,
            account: new.account,
            agent: new.cl_ord_id.agent,
            instrument: new.instrument,
        })
    }

    /// Judges a new order or list; approval reserves nothing yet, the caller hands it to the order
    /// manager in the same turn.
    ///
    /// # Errors
    /// The reason of the first control that objects.
    pub fn review_new(
        &mut self,
        at: Timestamp,
        new: &NewOrder,
        oms: &Oms,
        market: &Market,
    ) -> Result<Verdict, Reason> {
        let route = self.route(new).ok_or(Reason::InvalidOrder)?;
        if new.instrument.index() >= oms.books.instruments().len() {
            return Err(Reason::SymbolList);
        }
        list_fits(new)?;
        let mut case = Case::new(at, route, &new.terms, None, new.intent, oms, market)?;
        let waits = !matches!(new.contingent, Contingent::OneCancelsOther(_));
        let mut legs = [None, None];
        for (slot, leg) in legs.iter_mut().zip(new.contingent.legs()) {
            if matches!(leg.terms.qty, OrderQty::Cash(_)) {
                return Err(Reason::InvalidOrder);
            }
            let leg = slot.insert(Case::leg(&case, &leg.terms, waits)?);
            // A list opens if any of it does: it is approved, and permitted, as a whole.
            if leg.effect == Effect::Opens {
                case.effect = Effect::Opens;
            }
        }
        self.halts.allow(route, case.effect)?;
        for check in &mut self.checks {
            check.check(&case)?;
            for leg in legs.iter().flatten() {
                check.check(leg)?;
            }
        }
        for check in &mut self.checks {
            check.commit(&case);
        }
        Ok(Verdict {
            approved: Approved::new(at, OrderRequest::New(*new), route, case.effect),
            units: case.units,
            arrival: case.mark,
        })
    }

    /// Judges new terms for an open order as if the difference were a new order, with all of the new
    /// order held against the limits on a single order.
    ///
    /// # Errors
    /// The reason of the first control that objects.
    pub fn review_replace(
        &mut self,
        at: Timestamp,
        from: AgentId,
        replace: &ReplaceOrder,
        oms: &Oms,
        market: &Market,
    ) -> Result<Verdict, Reason> {
        let order = changeable(oms, from, replace.orig_cl_ord_id)?;
        let (old, new) = (&order.terms, &replace.terms);
        let same = old.side == new.side
            && old.tif == new.tif
            && std::mem::discriminant(&old.ord_type) == std::mem::discriminant(&new.ord_type)
            && matches!((old.qty, new.qty), (OrderQty::Units(_), OrderQty::Units(_)));
        if !same || oms.find(replace.cl_ord_id).is_some() {
            return Err(Reason::InvalidOrder);
        }
        let case = Case::new(at, order.route, new, Some(order), replace.intent, oms, market)?;
        let child = matches!(order.role, Role::Child { .. });
        if case.units <= order.filled() || child && case.units > order.units {
            return Err(Reason::InvalidOrder);
        }
        self.halts.allow(order.route, case.effect)?;
        for check in &mut self.checks {
            check.check(&case)?;
        }
        for check in &mut self.checks {
            check.commit(&case);
        }
        Ok(Verdict {
            approved: Approved::new(at, OrderRequest::Replace(*replace), order.route, case.effect),
            units: case.units,
            arrival: case.mark,
        })
    }

    /// Lets a cancel through: it needs an open order and its owner, nothing else.
    ///
    /// # Errors
    /// [`Reason::UnknownOrder`], [`Reason::NotOwner`], [`Reason::ChangePending`] for a cancel under way.
    pub fn review_cancel(
        &self,
        at: Timestamp,
        from: AgentId,
        cancel: &CancelOrder,
        oms: &Oms,
    ) -> Result<Approved, Reason> {
        let (_, order) = oms.find(cancel.orig_cl_ord_id).ok_or(Reason::UnknownOrder)?;
        if order.state.is_done() {
            return Err(Reason::UnknownOrder);
        }
        if from != order.route.agent && from != AgentId::OPERATOR {
            return Err(Reason::NotOwner);
        }
        if order.state.pending == Pending::Cancel {
            return Err(Reason::ChangePending);
        }
        let current = CancelOrder { orig_cl_ord_id: order.cl_ord_id };
        Ok(Approved::new(at, OrderRequest::Cancel(current), order.route, Effect::Cancels))
    }

    /// An agent that does not run sends nothing new.
    ///
    /// # Errors
    /// [`Reason::AgentStopped`].
    pub fn agent_runs(&self, agent: AgentId) -> Result<(), Reason> {
        match self.halts.agent(agent) {
            AgentState::Running => Ok(()),
            AgentState::Paused | AgentState::Quarantined => Err(Reason::AgentStopped),
        }
    }

    /// Appends everything that decides the next verdict.
    pub(in crate::actors) fn save(&self, into: &mut Vec<u8>) {
        for check in &self.checks {
            put(check.name(), into);
            if let Some(state) = check.state() {
                state.save(into);
            }
        }
        self.halts.save(into);
    }

    /// Takes what [`Self::save`] made of a gate with the same checks.
    pub(in crate::actors) fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState> {
        for check in &mut self.checks {
            if take::<String>(from)? != check.name() {
                return Err(BadState(check.name()));
            }
            if let Some(state) = check.state_mut() {
                state.load(from)?;
            }
        }
        self.halts.load(from)
    }

    /// The account's broker.
    pub fn broker_of(&self, account: AccountId) -> Option<BrokerId> {
        self.brokers.get(account.index()).copied()
    }
}

/// An open order of this agent that no change is under way for.
fn changeable(oms: &Oms, from: AgentId, id: crate::types::ClientOrderId) -> Result<&Order, Reason> {
    let (_, order) = oms.find(id).ok_or(Reason::UnknownOrder)?;
    if order.state.is_done() {
        return Err(Reason::UnknownOrder);
    }
    if from != order.route.agent && from != AgentId::OPERATOR {
        return Err(Reason::NotOwner);
    }
    if order.state.pending != Pending::None || order.cl_ord_id != id {
        return Err(Reason::ChangePending);
    }
    Ok(order)
}

/// Whether the orders of a list make sense together.
fn list_fits(new: &NewOrder) -> Result<(), Reason> {
    let entry = &new.terms;
    let exits = |leg: &OrderTerms| leg.side == entry.side.opposite();
    let fits = match &new.contingent {
        Contingent::None => true,
        Contingent::OneCancelsOther(_) => matches!(entry.qty, OrderQty::Units(_)),
        Contingent::OneTriggersOther(leg) => exits(&leg.terms),
        Contingent::Bracket { take_profit, stop_loss } => {
            exits(&take_profit.terms)
                && exits(&stop_loss.terms)
                && matches!(take_profit.terms.ord_type, OrdType::Limit { .. })
                && !matches!(stop_loss.terms.ord_type, OrdType::Market | OrdType::Limit { .. })
        }
    };
    if fits { Ok(()) } else { Err(Reason::InvalidOrder) }
}

/// Whether the price data of an instrument can carry a decision.
fn price_state(market: &Market, case_at: Timestamp, route: Route) -> Result<(), Reason> {
    match market.state(route.instrument, case_at) {
        // A halt stops what opens, which the control `session` says; the way out stays open.
        MarketState::Live | MarketState::Halted => Ok(()),
        MarketState::Empty => Err(Reason::NoPrice),
        MarketState::Stale | MarketState::Gap => Err(Reason::StalePrice),
    }
}

/// The price that a unit of this order costs at worst, before slippage of a market order.
fn worst_price(terms: &OrderTerms, touch: Option<Price>, mark: Price) -> Price {
    match terms.ord_type {
        OrdType::Limit { price } | OrdType::StopLimit { price, .. } => match terms.side {
            Side::Buy => price,
            // A sell may bring more than its limit; the market is what it is worth.
            Side::Sell => price.max(mark),
        },
        OrdType::Stop { stop_px } => stop_px.max(touch.unwrap_or(mark)),
        OrdType::Market | OrdType::TrailingStop { .. } => touch.unwrap_or(mark).max(mark),
    }
}

/// Whether a time in force comes with what it needs.
fn terms_fit(terms: &OrderTerms, at: Timestamp) -> bool {
    let prices = [terms.ord_type.limit_price(), terms.ord_type.stop_price()];
    let trailing = match terms.ord_type {
        OrdType::TrailingStop { offset: crate::types::TrailingOffset::Price(distance) } => {
            distance.is_positive()
        }
        OrdType::TrailingStop { offset: crate::types::TrailingOffset::BasisPoints(points) } => {
            (1..10_000).contains(&points)
        }
        _ => true,
    };
    let expiry = match terms.tif {
        TimeInForce::Gtd => terms.expire_at.is_some_and(|end| end > at),
        _ => terms.expire_at.is_none(),
    };
    let size = match terms.qty {
        OrderQty::Units(qty) => qty.is_positive(),
        OrderQty::Cash(amount) => {
            amount > Notional::ZERO
                && matches!(terms.ord_type, OrdType::Market | OrdType::Limit { .. })
        }
    };
    size && expiry && trailing && prices.into_iter().flatten().all(Price::is_positive)
}
