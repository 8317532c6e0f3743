//! Gate 1: no request reaches a broker but through here. Every check says yes, or the order is
//! denied with one reason from a closed list; what cannot be judged is denied.
//!
//! `check/` holds one file a control, `CHECKS` one row a control. `approved.rs` is the only place
//! that makes an approval.

mod approved;
pub mod case;
mod change;
pub mod check;
mod form;
pub mod halts;
pub mod limits;
pub mod value;
mod window;

pub use approved::{Approved, Quota, Terms};
pub use case::Case;
pub use change::Proposal;
pub use check::{CHECKS, Check};
pub use halts::Halts;
pub use limits::{Known, LimitError, Limits};

pub use window::Window;

use case::Ground;
use check::Traded;
use form::list_fits;

use super::market::Market;
use super::oms::{Fill, Oms, Order, OrderIndex, Pending, Role};
use super::saved::{BadState, Saved, put, take};
use crate::kill::{Effect, Route};
use crate::msg::{AgentState, CancelOrder, Contingent, NewOrder, OrderRequest, ReplaceOrder};
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, InstrumentId, LimitRow, Notional, OrderQty, Price,
    Qty, Reason, Scope, Timestamp,
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
    /// The worst price that it was judged at.
    pub worst_px: Price,
    /// Open orders to take back first: it would trade with them.
    pub displaces: Vec<ClientOrderId>,
}

/// The risk actor.
#[derive(Debug)]
pub struct Risk {
    checks: Vec<Box<dyn Check>>,
    /// The places of the price collar and of self-match prevention in `checks`.
    collar: Option<usize>,
    self_match: Option<usize>,
    /// The places of those that act at the wire.
    at_wire: Vec<usize>,
    /// The limits of the configuration, those in force, and how often they were changed.
    written: Vec<LimitRow>,
    rows: Vec<LimitRow>,
    version: u32,
    known: Known,
    /// Kills, holds and agent states as the journal knows them.
    pub halts: Halts,
    /// By account: the broker that carries it.
    brokers: Vec<BrokerId>,
}

impl Risk {
    /// A gate with these limits; `brokers` names the broker of every account.
    ///
    /// # Errors
    /// The first limit that is missing or cannot be used.
    pub fn new(
        rows: Vec<LimitRow>,
        known: Known,
        brokers: Vec<BrokerId>,
    ) -> Result<Self, LimitError> {
        let checks = check::build_all(&rows, &known)?;
        let place = |name| checks.iter().position(|check| check.name() == name);
        let (collar, self_match) = (place("price_collar"), place("self_match"));
        let at_wire = ["approval_age", "message_budget"].into_iter().filter_map(place).collect();
        let written = rows.clone();
        Ok(Self {
            checks,
            collar,
            self_match,
            at_wire,
            written,
            rows,
            version: 0,
            known,
            halts: Halts::default(),
            brokers,
        })
    }

    pub(in crate::actors) fn carry_over(&mut self, old: Self) {
        self.inherit_limits(&old);
        self.halts = old.halts;
        for check in &mut self.checks {
            // Windows and sums outlive the rows they were counted for.
            let name = check.name();
            let before = old.checks.iter().find(|before| before.name() == name);
            if let (Some(before), Some(state)) =
                (before.and_then(|before| before.state()), check.state_mut())
            {
                let mut counted = Vec::new();
                before.save(&mut counted);
                // The same control has the same kind of state.
                let _ = state.load(&mut counted.as_slice());
            }
        }
    }

    /// The checks, for listing.
    pub fn checks(&self) -> &[Box<dyn Check>] {
        &self.checks
    }

    /// The limits in force of a control whose values are amounts.
    pub fn amounts(&self, control: &str) -> Vec<(Scope, Notional)> {
        let rows = self.checks.iter().filter(|check| check.name() == control);
        let rows = rows.flat_map(|check| check.table().list());
        rows.filter_map(|(scope, text)| text.parse().ok().map(|amount| (scope, amount))).collect()
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
        let mut legs = [None, None];
        let case = self.weigh_new(at, new, oms, market, false, &mut legs)?;
        self.approve_new(new, &case, &legs, case.effect)
    }

    /// Judges an exit of a flatten like any new order; it must reduce, and may pass where the flatten
    /// itself stands.
    ///
    /// # Errors
    /// The reason of the first control that objects; [`Reason::Kill`] for one that would not reduce.
    pub fn review_exit(
        &mut self,
        at: Timestamp,
        new: &NewOrder,
        oms: &Oms,
        market: &Market,
    ) -> Result<Verdict, Reason> {
        let mut legs = [None, None];
        let case = self.weigh_new(at, new, oms, market, false, &mut legs)?;
        if case.effect != Effect::Reduces {
            return Err(Reason::Kill);
        }
        self.approve_new(new, &case, &legs, Effect::Exits)
    }

    fn approve_new(
        &mut self,
        new: &NewOrder,
        case: &Case<'_>,
        legs: &[Option<Case<'_>>; 2],
        effect: Effect,
    ) -> Result<Verdict, Reason> {
        let (at, route) = (case.at, case.route);
        self.halts.allow(route, effect)?;
        let count = planted!(LegsUnchecked, legs.iter().flatten().count(), 0);
        for check in &mut self.checks {
            check.check(case)?;
            legs.iter().take(count).flatten().try_for_each(|leg| check.check(leg))?;
        }
        let displaces = self.displaced(case);
        let mut terms = self.terms(at, route, case.oms);
        terms.follows = !displaces.is_empty();
        if let Some(parent) = new.parent {
            let family = case.oms.family(route.agent, parent.id);
            terms.children = family.sum.saturating_add(case.units);
            terms.parent = family.cap(parent.qty);
        }
        for check in &mut self.checks {
            check.commit(case);
        }
        Ok(Verdict {
            approved: Approved::new(at, OrderRequest::New(*new), route, effect, terms),
            units: case.units,
            arrival: case.mark,
            worst_px: case.price,
            displaces,
        })
    }

    fn weigh_new<'a>(
        &self,
        at: Timestamp,
        new: &'a NewOrder,
        oms: &'a Oms,
        market: &'a Market,
        half: bool,
        legs: &mut [Option<Case<'a>>; 2],
    ) -> Result<Case<'a>, Reason> {
        let route = self.route(new).ok_or(Reason::InvalidOrder)?;
        if new.instrument.index() >= oms.books.instruments().len() {
            return Err(Reason::SymbolList);
        }
        list_fits(new)?;
        let ground = Ground {
            at,
            route,
            intent: new.intent,
            oms,
            market,
            collar: self.collar.map(|place| &*self.checks[place]),
            half,
        };
        let mut case = Case::new(&ground, &new.terms, None)?;
        case.opens += new.contingent.legs().count() as u32;
        let waits = !matches!(new.contingent, Contingent::OneCancelsOther(_));
        for (slot, leg) in legs.iter_mut().zip(new.contingent.legs()) {
            if matches!(leg.terms.qty, OrderQty::Cash(_)) {
                return Err(Reason::InvalidOrder);
            }
            let leg = slot.insert(Case::leg(&ground, &case, &leg.terms, waits)?);
            // A list opens if any of it does: it is approved, and permitted, as a whole.
            if leg.effect == Effect::Opens {
                case.effect = Effect::Opens;
            }
        }
        Ok(case)
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
        let (case, order) = self.weigh_replace(at, from, replace, oms, market, false)?;
        self.halts.allow(order.route, case.effect)?;
        for check in &mut self.checks {
            check.check(&case)?;
        }
        let displaces = self.displaced(&case);
        let mut terms = self.terms(at, order.route, oms);
        terms.follows = !displaces.is_empty();
        if let Some(parent) = order.parent {
            let family = oms.family(order.route.agent, parent);
            terms.children = family.sum.saturating_add(case.added);
            terms.parent = family.most;
        }
        for check in &mut self.checks {
            check.commit(&case);
        }
        let request = OrderRequest::Replace(*replace);
        Ok(Verdict {
            approved: Approved::new(at, request, order.route, case.effect, terms),
            units: case.units,
            arrival: case.mark,
            worst_px: case.price,
            displaces,
        })
    }

    fn weigh_replace<'a>(
        &self,
        at: Timestamp,
        from: AgentId,
        replace: &'a ReplaceOrder,
        oms: &'a Oms,
        market: &'a Market,
        half: bool,
    ) -> Result<(Case<'a>, &'a Order), Reason> {
        let (index, order) = changeable(oms, from, replace.orig_cl_ord_id)?;
        let (old, new) = (&order.terms, &replace.terms);
        let same = old.side == new.side
            && old.tif == new.tif
            && std::mem::discriminant(&old.ord_type) == std::mem::discriminant(&new.ord_type)
            && matches!((old.qty, new.qty), (OrderQty::Units(_), OrderQty::Units(_)));
        if !same || oms.find(replace.cl_ord_id).is_some() {
            return Err(Reason::InvalidOrder);
        }
        let ground = Ground {
            at,
            route: order.route,
            intent: replace.intent,
            oms,
            market,
            collar: self.collar.map(|place| &*self.checks[place]),
            half,
        };
        let case = Case::new(&ground, new, Some((index, order)))?;
        let child = matches!(order.role, Role::Child { .. });
        if case.units <= order.filled() || child && case.units > order.units {
            return Err(Reason::InvalidOrder);
        }
        Ok((case, order))
    }

    /// Which limit an operator's request would use more than half of, so that it is to be confirmed.
    /// A request that cannot be judged needs no confirmation: it will be refused. Changes nothing.
    pub fn large(
        &mut self,
        at: Timestamp,
        request: &OrderRequest,
        oms: &Oms,
        market: &Market,
    ) -> Option<&'static str> {
        let mut legs = [None, None];
        let case = match request {
            OrderRequest::New(new) => self.weigh_new(at, new, oms, market, true, &mut legs).ok()?,
            OrderRequest::Replace(replace) => {
                let from = AgentId::OPERATOR;
                self.weigh_replace(at, from, replace, oms, market, true).ok()?.0
            }
            OrderRequest::Cancel(_) => return None,
        };
        let sized = self.checks.iter_mut().filter(|check| check::SIZED.contains(&check.name()));
        let mut cases = std::iter::once(case).chain(legs.into_iter().flatten());
        let cases = [cases.next(), cases.next(), cases.next()];
        for check in sized {
            if cases.iter().flatten().any(|case| check.check(case).is_err()) {
                return Some(check.name());
            }
        }
        None
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
        let own = from == order.route.agent || from == AgentId::OPERATOR;
        if planted!(CancelOfStranger, !own, false) {
            return Err(Reason::NotOwner);
        }
        if order.state.pending == Pending::Cancel {
            return Err(Reason::ChangePending);
        }
        let current = CancelOrder {
            orig_cl_ord_id: order.cl_ord_id,
            venue_order_id: order.venue_order_id.filter(|_| order.cl_ord_id.is_made_up()),
        };
        let terms = self.terms(at, order.route, oms);
        Ok(Approved::new(at, OrderRequest::Cancel(current), order.route, Effect::Cancels, terms))
    }

    /// What every control asks of the gate at the wire. Whatever they say, nothing leaves once a broker
    /// that does not list it proves that it never had it.
    fn terms(&self, at: Timestamp, route: Route, oms: &Oms) -> Terms {
        let mut terms = Terms {
            limits: self.version,
            expires: at + oms.absence(route.broker),
            quotas: [None; 2],
            children: Qty::ZERO,
            parent: Qty::ZERO,
            follows: false,
        };
        for &place in &self.at_wire {
            self.checks[place].at_wire(at, route, &mut terms);
        }
        terms
    }

    /// Open orders that the order of this case would trade with and that are to make way. No memory
    /// is taken where there are none.
    fn displaced(&self, case: &Case<'_>) -> Vec<ClientOrderId> {
        if !self.self_match.is_some_and(|place| self.checks[place].displaces(case)) {
            return Vec::new();
        }
        check::self_match::met(case)
            .filter(|(_, order)| order.state.pending != Pending::Cancel)
            .map(|(_, order)| order.cl_ord_id)
            .collect()
    }

    /// Counts a fill that was booked.
    pub(in crate::actors) fn traded(&mut self, fill: &Fill, oms: &Oms, market: &Market) {
        let order = &oms.orders()[fill.order as usize];
        let instrument = order.route.instrument;
        let own = fill.price.notional(fill.qty, oms.books.instruments().get(instrument).multiplier);
        let value = oms.books.fx().convert(instrument, own, market).unwrap_or(own);
        let (at, day) = (fill.at, oms.books.date());
        let traded = Traded { at, day, route: order.route, price: fill.price, value };
        self.checks.iter_mut().for_each(|check| check.traded(&traded));
    }

    /// An instrument was split.
    pub(in crate::actors) fn forget_prices(&mut self, instrument: InstrumentId) {
        self.checks.iter_mut().for_each(|check| check.forget_prices(instrument));
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
        put(&(self.version, &self.rows), into);
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
        let rows: Vec<LimitRow>;
        (self.version, rows) = take(from)?;
        self.install(&rows).map_err(|_| BadState("limits"))?;
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
fn changeable(oms: &Oms, from: AgentId, id: ClientOrderId) -> Result<(OrderIndex, &Order), Reason> {
    let (index, order) = oms.find(id).ok_or(Reason::UnknownOrder)?;
    if order.state.is_done() {
        return Err(Reason::UnknownOrder);
    }
    if from != order.route.agent && from != AgentId::OPERATOR {
        return Err(Reason::NotOwner);
    }
    if order.state.pending != Pending::None || order.cl_ord_id != id {
        return Err(Reason::ChangePending);
    }
    Ok((index, order))
}
