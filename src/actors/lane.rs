//! A lane's decision actors and the one [`step`] through which every driver calls them.
//!
//! A lane holds a market view, the agents placed on it and, on the core lane, the core. Where an
//! agent is placed changes how fast it hears and answers, never what it may do: requests of agents
//! on the core's lane are judged at once, those of agents elsewhere when they arrive.

use super::agent::{Host, OpenOrder};
use super::core::{Core, CoreOut};
use super::market::Market;
use super::oms::{Oms, OrderUpdate};
use super::saved::BadState;
use crate::kill::Route;
use crate::msg::{AgentState, Control, Input, MarketData, NewOrder, OrderRequest};
use crate::types::{
    AgentId, BrokerId, ClientOrderId, ExecType, InstrumentId, Qty, Reason, Timestamp,
};

/// The decision actors of one lane.
#[derive(Debug)]
pub struct Lane {
    /// Market data as this lane sees it.
    pub market: Market,
    /// Risk and order manager, on the core lane.
    pub core: Option<Core>,
    hosts: Vec<Host>,
    /// By instrument: the hosts that hear of it.
    subscribers: Vec<Vec<u16>>,
    requests: Vec<(AgentId, OrderRequest)>,
    judged: usize,
    told: usize,
    next: Timestamp,
    /// With the first record from here on the guardian looks.
    look_at: Timestamp,
}

/// What a step wants done, in order. The driver empties it.
#[derive(Debug, Default)]
pub struct Outbox {
    /// From the core.
    pub core: CoreOut,
    /// Requests for the core, from agents on a lane without it.
    pub requests: Vec<(AgentId, OrderRequest)>,
    /// Agents that panicked or broke their budget in this step.
    pub broken: Vec<AgentId>,
}

impl Outbox {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.core.derived.is_empty()
            && self.core.news.updates.is_empty()
            && self.core.news.snapshots.is_empty()
            && self.core.notices.is_empty()
            && self.core.sweeps.is_empty()
            && self.core.sessions.is_empty()
            && self.requests.is_empty()
            && self.broken.is_empty()
    }

    /// Forgets what was done; keeps the memory.
    pub fn clear(&mut self) {
        self.core.approved.clear();
        self.core.derived.clear();
        self.core.news.updates.clear();
        self.core.news.snapshots.clear();
        self.core.news.renamed.clear();
        self.core.notices.clear();
        self.core.sweeps.clear();
        self.core.sessions.clear();
        self.requests.clear();
        self.broken.clear();
    }
}

/// The only place where a decision actor is called: live, replay and simulation all pass through
/// here. `at` never goes back. `out` is empty before and holds everything that follows after.
#[inline]
pub fn step(lane: &mut Lane, at: Timestamp, input: &Input, out: &mut Outbox) {
    lane.told = 0;
    lane.begin_day(at);
    match input {
        Input::Market(record) => return step_market(lane, at, record, out),
        Input::Request(from, request) => lane.judge(at, *from, request, out),
        Input::Report(broker, report) => {
            if let Some(core) = &mut lane.core {
                core.report(at, *broker, report, &lane.market, &mut out.core);
            }
            lane.guard(at, out);
        }
        Input::Control(control) => lane.control(at, control, out),
        Input::Tick => {
            if let Some(core) = &mut lane.core {
                core.tick(at, &mut out.core);
            }
            lane.act(at, out);
            lane.guard(at, out);
            lane.timers(at, out);
        }
    }
    lane.settle(at, out);
    lane.plan();
}

/// [`step`] for a market record, without wrapping it: the hot path.
#[inline]
pub fn step_market(lane: &mut Lane, at: Timestamp, record: &MarketData, out: &mut Outbox) {
    lane.begin_day(at);
    if !lane.market.apply(at, record) {
        return;
    }
    lane.told = 0;
    if lane.look_at <= at {
        lane.guard(at, out);
        lane.settle(at, out);
        lane.plan();
    }
    let instrument = record.instrument().index();
    let mut index = 0;
    while let Some(&number) = lane.subscribers.get(instrument).and_then(|s| s.get(index)) {
        index += 1;
        let host = &mut lane.hosts[usize::from(number)];
        let ran = host.on_market(at, record, &lane.market, &mut lane.requests);
        let (id, timer) = (host.id(), host.next_timer());
        if !ran {
            lane.take_out(at, id, out);
        }
        if !ran || !lane.requests.is_empty() {
            lane.settle(at, out);
            lane.plan();
        }
        lane.next = lane.next.min(timer);
    }
}

impl Lane {
    /// A lane with these agents; only the core lane has a core.
    pub fn new(market: Market, instruments: usize, hosts: Vec<Host>, core: Option<Core>) -> Self {
        let mut subscribers = vec![Vec::new(); instruments];
        for (number, host) in hosts.iter().enumerate() {
            for id in host.subscribed() {
                if let Some(list) = subscribers.get_mut(id.index()) {
                    list.push(number as u16);
                }
            }
        }
        Self {
            market,
            core,
            hosts,
            subscribers,
            requests: Vec::with_capacity(64),
            judged: 0,
            told: 0,
            next: Timestamp::MAX,
            look_at: Timestamp::ZERO,
        }
    }

    #[inline]
    fn begin_day(&mut self, at: Timestamp) {
        if let Some(core) = &mut self.core {
            core.begin_day(at, &self.market);
        }
    }

    /// When a [`Input::Tick`] is due.
    #[inline]
    pub const fn next_deadline(&self) -> Timestamp {
        self.next
    }

    /// The agents of this lane.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Tells every agent of this lane what it holds and has open, and whether it may run, from the
    /// books of a core that knew it before.
    pub fn resume_all(&mut self, core: &Core) {
        for host in &mut self.hosts {
            let (open, held) = agent_state(&core.oms, host.id());
            host.resume(open, held);
            host.set_state(core.risk.halts.agent(host.id()));
        }
    }

    /// Whether every agent of this lane goes on where it stood after a restart from a snapshot.
    pub fn is_saved(&self) -> bool {
        self.hosts.iter().all(Host::is_saved)
    }

    /// Appends everything that was learnt since the lane was built.
    pub fn save(&self, into: &mut Vec<u8>) {
        if let Some(core) = &self.core {
            core.save(&self.market, into);
        }
        self.hosts.iter().for_each(|host| host.save(into));
    }

    /// Takes what [`Self::save`] made of a core lane of the same configuration.
    ///
    /// # Errors
    /// The configuration is another, or the bytes are no state; this lane is then of no use.
    pub fn load(&mut self, mut from: &[u8]) -> Result<(), BadState> {
        if let Some(core) = &mut self.core {
            core.load(&mut self.market, &mut from)?;
        }
        for host in &mut self.hosts {
            host.load(&mut from)?;
        }
        if !from.is_empty() {
            return Err(BadState("a lane"));
        }
        self.plan();
        Ok(())
    }

    /// Puts the agents of `fresh`, a lane of the same configuration, in the place of those that
    /// cannot be saved: they begin anew from what the core knows of them.
    pub fn renew(&mut self, fresh: Self) {
        let Some(core) = &self.core else { return };
        for (host, mut new) in self.hosts.iter_mut().zip(fresh.hosts) {
            if !host.is_saved() {
                let (open, held) = agent_state(&core.oms, new.id());
                new.resume(open, held);
                new.set_state(core.risk.halts.agent(new.id()));
                *host = new;
            }
        }
        self.plan();
    }

    /// Tells an agent of this lane what it holds and has open, before it starts.
    pub fn resume(&mut self, agent: AgentId, open: Vec<OpenOrder>, held: Vec<(InstrumentId, Qty)>) {
        if let Some(host) = self.hosts.iter_mut().find(|host| host.id() == agent) {
            host.resume(open, held);
        }
    }

    /// The agents of this lane count their orders from here at their next boot: a lane that is made
    /// anew within one boot must not use numbers of the one that broke.
    pub fn number_from(&mut self, first: u32) {
        self.hosts.iter_mut().for_each(|host| host.number_from(first));
    }

    /// An update of an order whose agent is on this lane, from a core on another one.
    pub fn deliver(
        &mut self,
        update: &OrderUpdate,
        renamed: Option<ClientOrderId>,
        out: &mut Outbox,
    ) {
        let Some(at) = self.hosts.iter().position(|host| host.id() == update.route.agent) else {
            return;
        };
        self.told = 0;
        if !self.hosts[at].on_order(update, renamed, &self.market, &mut self.requests) {
            out.broken.push(update.route.agent);
        }
        self.settle(update.at, out);
        self.plan();
    }

    /// Tells an agent of this lane that a request of its own found no way to the core. As in the core, a
    /// change of an order that is not open any more is not answered.
    pub fn refuse(
        &mut self,
        at: Timestamp,
        (from, request): (AgentId, &OrderRequest),
        reason: Reason,
        out: &mut Outbox,
    ) {
        let Some(host) = self.hosts.iter_mut().find(|host| host.id() == from) else { return };
        let updates: Vec<OrderUpdate> = match request {
            OrderRequest::New(new) => new_refusals(at, new, reason).collect(),
            OrderRequest::Replace(replace) => {
                let id = (replace.orig_cl_ord_id, Some(replace.cl_ord_id));
                host.refuse_change(at, id, reason).into_iter().collect()
            }
            OrderRequest::Cancel(cancel) => {
                host.refuse_change(at, (cancel.orig_cl_ord_id, None), reason).into_iter().collect()
            }
        };
        for update in updates {
            self.deliver(&update, None, out);
        }
    }

    /// Calls an agent of this lane no more; whether it was called before.
    pub fn quarantine(&mut self, agent: AgentId) -> bool {
        let host = self.hosts.iter_mut().find(|host| host.id() == agent);
        host.is_some_and(|host| {
            let was = host.state();
            host.set_state(AgentState::Quarantined);
            was != AgentState::Quarantined
        })
    }

    fn control(&mut self, at: Timestamp, control: &Control, out: &mut Outbox) {
        if let Some(core) = &mut self.core {
            core.control(at, control, &mut out.core);
        }
        self.act(at, out);
        self.guard(at, out);
        match control {
            Control::Agent { agent, state } => {
                if let Some(host) = self.hosts.iter_mut().find(|host| host.id() == *agent) {
                    host.set_state(*state);
                }
            }
            Control::Boot { instance, epoch } => {
                for number in 0..self.hosts.len() {
                    let host = &mut self.hosts[number];
                    if !host.boot((*instance, *epoch), at, &self.market, &mut self.requests) {
                        let id = host.id();
                        self.take_out(at, id, out);
                    }
                    self.settle(at, out);
                }
            }
            Control::Kill(_)
            | Control::Arm(_)
            | Control::Hold { .. }
            | Control::Limits(_)
            | Control::Flatten { .. }
            | Control::Heartbeat
            | Control::CorporateAction(_) => {}
        }
    }

    /// Lets corporate actions take effect whose day has begun. The agents of this lane learn what they
    /// hold now.
    fn act(&mut self, at: Timestamp, out: &mut Outbox) {
        let Some(core) = &mut self.core else { return };
        if core.act(at, &mut self.market, &mut out.core) {
            for host in &mut self.hosts {
                let (open, held) = agent_state(&core.oms, host.id());
                host.resume(open, held);
            }
        }
    }

    /// Has the guardian look, if it is time.
    fn guard(&mut self, at: Timestamp, out: &mut Outbox) {
        if let Some(core) = &mut self.core {
            core.guard(at, &self.market, &mut out.core);
        }
    }

    fn timers(&mut self, at: Timestamp, out: &mut Outbox) {
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            if host.next_timer() <= at && !host.on_timers(at, &self.market, &mut self.requests) {
                let id = host.id();
                self.take_out(at, id, out);
            }
            self.settle(at, out);
        }
    }

    fn judge(&mut self, at: Timestamp, from: AgentId, request: &OrderRequest, out: &mut Outbox) {
        match &mut self.core {
            Some(core) => {
                core.request(at, from, request, &self.market, &mut out.core);
                core.guard(at, &self.market, &mut out.core);
            }
            None => out.requests.push((from, *request)),
        }
    }

    /// An agent broke: its orders go, an operator decides when it comes back.
    fn take_out(&mut self, at: Timestamp, agent: AgentId, out: &mut Outbox) {
        out.broken.push(agent);
        if let Some(host) = self.hosts.iter_mut().find(|host| host.id() == agent) {
            host.set_state(AgentState::Quarantined);
        }
        if let Some(core) = &mut self.core {
            core.quarantine(at, agent, &mut out.core);
        }
    }

    /// Judges requests and tells agents what came of them, until nothing is left. Each answer to an
    /// agent may bring at most its budget of requests; an agent that answers every denial with a
    /// new order runs out of `judged` and is taken out.
    fn settle(&mut self, at: Timestamp, out: &mut Outbox) {
        const MOST: usize = 4 * super::agent::REQUEST_BUDGET;
        let mut requests = std::mem::take(&mut self.requests);
        let mut next = 0;
        self.judged = 0;
        loop {
            while let Some((agent, request)) = requests.get(next) {
                next += 1;
                self.judged += 1;
                if self.judged > MOST {
                    if !out.broken.contains(agent) {
                        self.take_out(at, *agent, out);
                    }
                    continue;
                }
                self.judge(at, *agent, request, out);
            }
            let Some(update) = out.core.news.updates.get(self.told).copied() else { break };
            self.told += 1;
            let renamed = out.core.news.renamed.iter().find(|(_, to)| *to == update.cl_ord_id);
            let renamed = renamed.map(|(from, _)| *from);
            if let Some(host) = self.hosts.iter_mut().find(|host| host.id() == update.route.agent)
                && !host.on_order(&update, renamed, &self.market, &mut requests)
            {
                self.take_out(at, update.route.agent, out);
            }
        }
        requests.clear();
        self.requests = requests;
        self.told = out.core.news.updates.len();
    }

    /// Notes when the next tick is due.
    fn plan(&mut self) {
        let timers = self.hosts.iter().map(Host::next_timer).fold(Timestamp::MAX, Ord::min);
        self.next = self.core.as_ref().map_or(timers, |core| core.next_deadline().min(timers));
        self.look_at = self.core.as_ref().map_or(Timestamp::MAX, |core| core.look_at());
    }
}

/// What an agent is told about an order or list that never reached the core.
fn new_refusals(
    at: Timestamp,
    new: &NewOrder,
    reason: Reason,
) -> impl Iterator<Item = OrderUpdate> {
    let route = Route {
        broker: BrokerId(u8::MAX),
        account: new.account,
        agent: new.cl_ord_id.agent,
        instrument: new.instrument,
    };
    let legs = new.contingent.legs().map(|leg| (leg.cl_ord_id, leg.terms.side));
    std::iter::once((new.cl_ord_id, new.terms.side)).chain(legs).map(move |(id, side)| {
        OrderUpdate {
            exec_type: Some(ExecType::Rejected),
            ..super::core::refusal(at, id, route, side, reason)
        }
    })
}

/// What an agent that starts anew has to know: its open orders and what it holds.
pub fn agent_state(oms: &Oms, agent: AgentId) -> (Vec<OpenOrder>, Vec<(InstrumentId, Qty)>) {
    let open = oms
        .open()
        .filter(|(_, order)| order.route.agent == agent)
        .map(|(_, order)| OpenOrder {
            cl_ord_id: order.cl_ord_id,
            instrument: order.route.instrument,
            terms: order.terms,
            leaves_qty: order.leaves(),
            ord_status: order.ord_status(),
        })
        .collect();
    let mut held: Vec<(InstrumentId, Qty)> = Vec::new();
    for ((_, owner, instrument), position) in oms.books.positions() {
        if owner != agent {
            continue;
        }
        match held.iter_mut().find(|(id, _)| *id == instrument) {
            Some((_, qty)) => *qty = qty.saturating_add(position.qty),
            None => held.push((instrument, position.qty)),
        }
    }
    (open, held)
}
