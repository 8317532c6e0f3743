//! The core: risk and order manager, always on one lane, so that there is one total order for
//! everything that can cost money.

mod actions;
mod digest;

use super::enforce::{Enforcement, SessionOrder};
use super::guardian::{Event, Guardian, Settings};
use super::market::Market;
use super::notice::Notice;
use super::oms::{News, Oms, OrderUpdate};
use super::risk::{Approved, Risk, Verdict};
use crate::journal::Derived;
use crate::kill::Route;
use crate::msg::report::RequestKind;
use crate::msg::{
    AgentState, CancelOrder, Control, ExecutionReport, HoldKind, Intervention, NewOrder,
    OrderRequest, Report, SessionStatus,
};
use crate::types::{
    AgentId, BrokerId, ClientOrderId, ExecType, OrdStatus, Price, Qty, Reason, Scope, Side,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the core tells the driver.
#[derive(Debug, Default)]
pub struct CoreOut {
    /// Requests to journal and send, in order.
    pub approved: Vec<Approved>,
    /// Decisions to journal, in order: one for each of `approved` and one for each denial.
    pub derived: Vec<Derived>,
    /// News of orders, for their agents and for observers.
    pub news: News,
    /// What a person has to hear of.
    pub notices: Vec<Notice>,
    /// Brokers where everything open is to go: cancels by name follow.
    pub sweeps: Vec<BrokerId>,
    /// Broker sessions to close or to open again.
    pub sessions: Vec<(BrokerId, SessionOrder)>,
}

/// Numbers of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// New orders approved and handed to a broker.
    pub orders: u64,
    /// New orders and replaces refused by risk, hold or kill.
    pub denied: u64,
}

/// Risk gate and order manager with their common bookkeeping.
#[derive(Debug)]
pub struct Core {
    /// The risk gate.
    pub risk: Risk,
    /// The order manager.
    pub oms: Oms,
    /// The guardian.
    pub guardian: Guardian,
    /// What follows from kills.
    pub enforcement: Enforcement,
    /// What the guardian decided in a look.
    pub(super) decided: Vec<Intervention>,
    tally: Tally,
    /// Decisions that are in the chain but for the hash: small pieces are slow to hash.
    encoded: Vec<u8>,
    denied: BTreeMap<(AgentId, Reason), u64>,
    /// Digest of the decisions before those: of the chain so far and the next piece of it.
    chain: [u8; 32],
}

impl Core {
    /// A core whose brokers are all down and unreconciled: nothing opens before a snapshot has shown
    /// what the broker holds (INV-11).
    pub fn new(mut risk: Risk, oms: Oms) -> Self {
        let settings = Settings::default();
        for number in 0..oms.links().len() {
            let scope = Scope::Broker(BrokerId(number as u8));
            risk.halts.hold(Timestamp::ZERO, scope, HoldKind::StreamDown, true);
        }
        Self {
            risk,
            oms,
            guardian: Guardian::default(),
            enforcement: Enforcement::new(settings.confirm_within, settings.exit_collar),
            decided: Vec::new(),
            tally: Tally::default(),
            encoded: digest::room(),
            denied: BTreeMap::new(),
            chain: [0; 32],
        }
    }

    /// The core with this guardian, and with what its settings say about the carrying out.
    #[must_use]
    pub fn guarded_by(mut self, guardian: Guardian, settings: &Settings) -> Self {
        self.guardian = guardian;
        self.enforcement = Enforcement::new(settings.confirm_within, settings.exit_collar);
        self
    }

    /// Takes over orders, fills, positions and halts of a core that ran under another configuration
    /// with the same names. What the checks have counted, intents and the trading day stay. Limits that
    /// were set while it ran stay, unless the configuration's own have changed.
    pub fn carry_over(&mut self, old: Self) {
        self.oms.carry_over(old.oms);
        self.risk.carry_over(old.risk);
        self.guardian.carry_over(old.guardian);
        self.enforcement.carry_over(old.enforcement);
        self.tally = old.tally;
        self.denied = old.denied;
        self.chain = old.chain;
        self.encoded = old.encoded;
    }

    /// Numbers of the run so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Refusals by agent and reason: new orders, replaces and cancels.
    pub fn denied(&self) -> impl Iterator<Item = (AgentId, Reason, u64)> {
        self.denied.iter().map(|((agent, reason), count)| (*agent, *reason, *count))
    }

    /// Time moves on to `at`; call it before the input that came then.
    #[inline]
    pub fn begin_day(&mut self, at: Timestamp, market: &Market) {
        self.oms.books.begin_day(at, market);
    }

    /// Judges a request of `from` and takes what is approved into the books.
    pub fn request(
        &mut self,
        at: Timestamp,
        from: AgentId,
        request: &OrderRequest,
        market: &Market,
        out: &mut CoreOut,
    ) {
        match request {
            OrderRequest::New(new) => {
                let verdict = match self.risk.agent_runs(from) {
                    Ok(()) if new.cl_ord_id.agent != from => Err(Reason::NotOwner),
                    Ok(()) if self.oms.find(new.cl_ord_id).is_some() => Err(Reason::InvalidOrder),
                    Ok(()) => self.risk.review_new(at, new, &self.oms, market),
                    Err(reason) => Err(reason),
                };
                let _ = self.settle_new(at, new, verdict, out);
            }
            OrderRequest::Replace(replace) => {
                let verdict = self
                    .risk
                    .agent_runs(from)
                    .and_then(|()| self.risk.review_replace(at, from, replace, &self.oms, market));
                match verdict {
                    Ok(verdict) => {
                        self.displace(at, &verdict.displaces, out);
                        if let Some((index, _)) = self.oms.find(replace.orig_cl_ord_id) {
                            let size = (verdict.units, verdict.worst_px);
                            self.oms.begin_replace(at, index, replace, size);
                        }
                        self.send(at, verdict.approved, out);
                    }
                    Err(reason) => {
                        self.tally.denied += 1;
                        self.derive(
                            at,
                            Derived::Denied { cl_ord_id: replace.cl_ord_id, reason },
                            out,
                        );
                        self.refuse_change(at, replace.orig_cl_ord_id, reason, out);
                    }
                }
            }
            OrderRequest::Cancel(cancel) => self.cancel(at, from, cancel, out),
        }
    }

    /// Takes open orders back that an approved one would trade with.
    fn displace(&mut self, at: Timestamp, orders: &[ClientOrderId], out: &mut CoreOut) {
        for &orig_cl_ord_id in orders {
            self.cancel(at, AgentId::OPERATOR, &CancelOrder::of(orig_cl_ord_id), out);
        }
    }

    /// Judges an exit and takes it into the books.
    pub(super) fn admit_exit(
        &mut self,
        at: Timestamp,
        new: &NewOrder,
        market: &Market,
        out: &mut CoreOut,
    ) -> Result<(), Reason> {
        let verdict = self.risk.review_exit(at, new, &self.oms, market);
        self.settle_new(at, new, verdict, out)
    }

    fn settle_new(
        &mut self,
        at: Timestamp,
        new: &NewOrder,
        verdict: Result<Verdict, Reason>,
        out: &mut CoreOut,
    ) -> Result<(), Reason> {
        match verdict {
            Ok(verdict) => {
                let route = verdict.approved.route();
                self.displace(at, &verdict.displaces, out);
                let prices = (verdict.arrival, verdict.worst_px);
                self.oms.accept(at, new, route, verdict.units, prices);
                self.tally.orders += 1;
                self.send(at, verdict.approved, out);
                Ok(())
            }
            Err(reason) => {
                self.deny_new(at, new, reason, out);
                Err(reason)
            }
        }
    }

    /// Lets a cancel through if `from` may ask for it.
    pub(super) fn cancel(
        &mut self,
        at: Timestamp,
        from: AgentId,
        cancel: &CancelOrder,
        out: &mut CoreOut,
    ) {
        match self.risk.review_cancel(at, from, cancel, &self.oms) {
            Ok(approved) => {
                if let Some((index, _)) = self.oms.find(cancel.orig_cl_ord_id) {
                    self.oms.begin_cancel(at, index);
                }
                self.send(at, approved, out);
            }
            Err(reason) => {
                self.derive(at, Derived::Denied { cl_ord_id: cancel.orig_cl_ord_id, reason }, out);
                self.refuse_change(at, cancel.orig_cl_ord_id, reason, out);
            }
        }
    }

    /// Takes in what a broker session says.
    pub fn report(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        report: &Report,
        market: &Market,
        out: &mut CoreOut,
    ) {
        let booked = self.oms.fills().len();
        self.take_in(at, broker, report, out);
        for fill in
            self.oms.fills()[booked..].iter().filter(|fill| fill.late || fill.qty.is_negative())
        {
            let order = self.oms.orders()[fill.order as usize].cl_ord_id;
            out.notices.push(Notice::OddFill { order, qty: fill.qty });
        }
        // Windows and budgets count what was traded; what is taken back stays counted.
        for fill in self.oms.fills()[booked..].iter().filter(|fill| fill.qty.is_positive()) {
            self.risk.traded(fill, &self.oms, market);
        }
    }

    fn take_in(&mut self, at: Timestamp, broker: BrokerId, report: &Report, out: &mut CoreOut) {
        let scope = Scope::Broker(broker);
        let booked = self.oms.fills().len();
        match report {
            Report::Execution(execution) => {
                self.hear_answer(at, execution);
                let before = self.oms.find(execution.cl_ord_id).map(|(_, order)| order.cl_ord_id);
                self.oms.on_execution(at, broker, execution, &mut out.news);
                let after = self.oms.find(execution.cl_ord_id).map(|(_, order)| order.cl_ord_id);
                if let (Some(before), Some(after)) = (before, after)
                    && before != after
                {
                    out.news.renamed.push((before, after));
                }
            }
            Report::Correction(said) => {
                self.oms.on_correction(at, broker, said, &mut out.news);
            }
            Report::CancelReject(reject) => {
                self.oms.on_cancel_reject(at, broker, reject, &mut out.news);
            }
            Report::NotSent { cl_ord_id, request, reason } => {
                if *request == RequestKind::New {
                    self.tally.orders = self.tally.orders.saturating_sub(1);
                }
                if *request != RequestKind::Cancel {
                    self.tally.denied += 1;
                }
                self.oms.on_not_sent(at, *cl_ord_id, *request, *reason, &mut out.news);
            }
            Report::Session(SessionStatus::Missed) => {
                self.oms.ask_snapshot(at, broker, &mut out.news);
            }
            Report::Session(status) => {
                let up = *status == SessionStatus::Up;
                let refused = *status == SessionStatus::Refused;
                self.risk.halts.hold(at, scope, HoldKind::Unauthorized, refused);
                self.oms.on_session(at, broker, up, &mut out.news);
                self.risk.halts.hold(at, scope, HoldKind::StreamDown, !up);
                self.risk.halts.hold(at, scope, HoldKind::Unreconciled, up);
            }
            Report::Snapshot(snapshot) => {
                self.oms.on_snapshot(at, broker, snapshot, &mut out.news);
                let link = self.oms.links().get(broker.index()).copied().unwrap_or_default();
                // One snapshot may cross fills in flight; two that differ are a break.
                self.risk.halts.hold(at, scope, HoldKind::PositionMismatch, link.mismatches > 1);
                // Only a snapshot that agrees lifts it (INV-11).
                if link.reconciled {
                    self.risk.halts.hold(at, scope, HoldKind::Unreconciled, false);
                }
                self.settle_actions(at);
                self.weigh(broker, out);
                self.sweep(at, at, out);
            }
        }
        self.note_exits(out);
        if matches!(report, Report::Session(_) | Report::Snapshot(_)) {
            self.guardian.hear(at, &Event::Changed);
        }
        for fill in self.oms.fills()[booked..].iter().filter(|fill| fill.qty.is_positive()) {
            let order = &self.oms.orders()[fill.order as usize];
            let filled = Event::Filled { route: order.route, side: order.terms.side, fill };
            self.guardian.hear(at, &filled);
        }
    }

    /// Tells the guardian whether the broker took a new order.
    fn hear_answer(&mut self, at: Timestamp, execution: &ExecutionReport) {
        let rejected = match execution.exec_type {
            ExecType::New => false,
            // A request that came twice: what became of the order, a snapshot says.
            ExecType::Rejected if execution.reason == Some(Reason::BrokerDuplicate) => return,
            ExecType::Rejected => true,
            _ => return,
        };
        if let Some((_, order)) = self.oms.find(execution.cl_ord_id)
            && !order.state.is_done()
        {
            let agent = order.route.agent;
            self.guardian.hear(at, &Event::Answered { agent, rejected });
        }
    }

    /// Takes in a control message.
    pub fn control(&mut self, at: Timestamp, control: &Control, out: &mut CoreOut) {
        self.risk.halts.apply(at, control);
        match control {
            Control::Limits(change) => self.risk.set_limits(change),
            Control::CorporateAction(action) => self.oms.give(action),
            _ => {}
        }
        self.enforce_control(control);
        if let Some(harder) = self.guardian.control(at, control) {
            self.intervene(at, harder, out);
        }
        if let Control::Boot { .. } = control {
            self.settle_actions(at);
            // Whatever links there were died with the run before.
            for number in 0..self.oms.links().len() {
                let down = Report::Session(SessionStatus::Down);
                self.take_in(at, BrokerId(number as u8), &down, out);
            }
        }
        self.enforce(at, out);
    }

    /// Takes an agent out: it broke.
    pub fn quarantine(&mut self, at: Timestamp, agent: AgentId, out: &mut CoreOut) {
        self.risk.halts.set_agent(agent, AgentState::Quarantined);
        self.enforce(at, out);
    }

    /// Time passes.
    pub fn tick(&mut self, at: Timestamp, out: &mut CoreOut) {
        self.oms.on_tick(at, &mut out.news);
        self.press(at, out);
        self.guardian.hear(at, &Event::Changed);
    }

    fn send(&mut self, at: Timestamp, approved: Approved, out: &mut CoreOut) {
        let sent = Derived::Sent { broker: approved.route().broker, request: *approved.request() };
        self.derive(at, sent, out);
        out.approved.push(approved);
    }

    pub(super) fn derive(&mut self, at: Timestamp, derived: Derived, out: &mut CoreOut) {
        if let Derived::Denied { cl_ord_id, reason } = derived {
            let agent = cl_ord_id.agent;
            *self.denied.entry((agent, reason)).or_default() += 1;
            self.guardian.hear(at, &Event::Denied { agent, reason });
        }
        out.derived.push(derived);
    }

    fn deny_new(&mut self, at: Timestamp, new: &NewOrder, reason: Reason, out: &mut CoreOut) {
        self.tally.denied += 1;
        self.derive(at, Derived::Denied { cl_ord_id: new.cl_ord_id, reason }, out);
        let route = self.risk.route(new).unwrap_or(Route {
            broker: BrokerId(u8::MAX),
            account: new.account,
            agent: new.cl_ord_id.agent,
            instrument: new.instrument,
        });
        let first = (new.cl_ord_id, new.terms.side);
        let legs = new.contingent.legs().map(|leg| (leg.cl_ord_id, leg.terms.side));
        for (cl_ord_id, side) in std::iter::once(first).chain(legs) {
            out.news.updates.push(OrderUpdate {
                exec_type: Some(ExecType::Rejected),
                ord_status: OrdStatus::Rejected,
                ..refusal(at, cl_ord_id, route, side, reason)
            });
        }
    }

    fn refuse_change(&self, at: Timestamp, id: ClientOrderId, reason: Reason, out: &mut CoreOut) {
        let Some((_, order)) = self.oms.find(id) else { return };
        out.news.updates.push(OrderUpdate {
            ord_status: order.ord_status(),
            cum_qty: order.filled(),
            leaves_qty: order.leaves(),
            ..refusal(at, order.cl_ord_id, order.route, order.terms.side, reason)
        });
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_deadline(&self) -> Timestamp {
        let acts = self.oms.actions.next_at();
        self.oms.next_deadline().min(self.guardian.wake_at()).min(self.enforce_at()).min(acts)
    }
}

pub(super) fn refusal(
    at: Timestamp,
    cl_ord_id: ClientOrderId,
    route: Route,
    side: Side,
    reason: Reason,
) -> OrderUpdate {
    OrderUpdate {
        at,
        cl_ord_id,
        route,
        side,
        exec_type: None,
        ord_status: OrdStatus::Rejected,
        last_qty: Qty::ZERO,
        last_px: Price::ZERO,
        cum_qty: Qty::ZERO,
        leaves_qty: Qty::ZERO,
        reason: Some(reason),
    }
}
