//! What the gateway owes by itself: kills reach its core and take orders back, the guardian acts when
//! it must and not before, and nothing is called cancelled without evidence.

use super::watch::Violation;
use crate::actors::Core;
use crate::actors::oms::{Order, Pending, Stage};
use crate::msg::{Act, Intervention, Rule};
use crate::types::{
    AccountId, AgentId, BrokerId, KillLevel, Nanos, Notional, OrdStatus, Reason, Scope, Timestamp,
};
use crate::wiring::Topology;
use std::collections::{BTreeMap, VecDeque};

/// The guardian looks once a second and wants the same three times: no less than this.
const CONFIRMED: Nanos = Nanos::from_secs(1);
/// Far from its limit for so long, an account was far at one of the guardian's looks.
const LOOKED: Nanos = Nanos::from_secs(1);
/// A loss that lasts for so long has been seen.
const SEEN: Nanos = Nanos::from_secs(20);
/// More refusals than the guardian lets pass in a minute, with some to spare.
const STORM: usize = 15;
const STORM_WINDOW: Nanos = Nanos::from_secs(60);

/// How an account's loss has gone.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    /// Far from the limit since, by the gateway's clock, and not near it before in this process.
    far: Option<Timestamp>,
    /// The guardian has looked meanwhile. Until then it may be counting looks that found the account
    /// near: its market has a price as soon as one exchange has quoted, [`Shown`] when all have.
    ///
    /// [`Shown`]: crate::sim::shown::Shown
    known: bool,
    /// Near the limit for the first time, by the gateway's clock.
    near: Option<Timestamp>,
    /// Beyond the limit since, in true time, with nothing done about it.
    beyond: Option<Timestamp>,
    /// The guardian has acted, or was forestalled.
    acted: bool,
}

/// The watch over it.
#[derive(Debug)]
pub struct Duty {
    brokers: Vec<BrokerId>,
    limit: Option<Notional>,
    courses: BTreeMap<AccountId, Course>,
    refused: BTreeMap<AgentId, VecDeque<Timestamp>>,
    storms: BTreeMap<AgentId, Timestamp>,
    /// Kills that the core was told of.
    told: BTreeMap<Scope, KillLevel>,
    /// By kill: how many snapshots each broker had given when it first began at this level.
    begun: BTreeMap<Scope, (KillLevel, Vec<u64>)>,
    /// Snapshots that each broker has given this process, as of the last call.
    given: Vec<u64>,
}

impl Duty {
    /// Over a gateway with this configuration, whose accounts may lose `limit` a day.
    pub fn new(topology: &Topology, limit: Option<Notional>) -> Self {
        Self {
            brokers: topology.accounts.iter().map(|account| account.broker).collect(),
            limit,
            courses: BTreeMap::new(),
            refused: BTreeMap::new(),
            storms: BTreeMap::new(),
            told: BTreeMap::new(),
            begun: BTreeMap::new(),
            given: vec![0; topology.brokers.len()],
        }
    }

    /// A new process: evidence and looks begin anew.
    pub fn rebooted(&mut self) {
        self.given.fill(0);
        self.begun.values_mut().for_each(|(_, begun)| begun.fill(0));
        self.courses.values_mut().for_each(|course| {
            *course = Course { acted: course.acted, ..Course::default() };
        });
        self.refused.clear();
    }

    /// So many snapshots has each broker given by now.
    pub fn given(&mut self, given: impl Iterator<Item = u64>) {
        self.given = given.collect();
    }

    /// A scope's kill is on its way to the core.
    pub fn begins(&mut self, scope: Scope, level: KillLevel) {
        // Whoever kills what is killed so far already takes no evidence back.
        if self.begun.get(&scope).is_none_or(|(known, _)| *known < level) {
            self.begun.insert(scope, (level, self.given.clone()));
        }
    }

    /// The core was told of a kill: it stands, and takes back what it covers.
    pub fn told(
        &mut self,
        at: Timestamp,
        core: &Core,
        (scope, level): (Scope, KillLevel),
        out: &mut Vec<Violation>,
    ) {
        let known = self.told.entry(scope).or_default();
        *known = (*known).max(level);
        if level < KillLevel::Cancel {
            return;
        }
        let broad = matches!(scope, Scope::Global | Scope::Broker(_));
        for (_, order) in core.oms.open() {
            let spared = order.cl_ord_id.is_exit()
                || order.state.stage == Stage::InDoubt
                || order.route.agent == AgentId::EXTERNAL && !broad;
            let asked = order.state.pending == Pending::Cancel || order.asked_at == at;
            if order.route.covered_by(scope) && !spared && !asked {
                out.push(Violation::new(
                    "I14",
                    format!("{} stays open at {level} on {scope:?}", order.cl_ord_id),
                ));
            }
        }
    }

    /// A kill was armed.
    pub fn armed(&mut self, scope: Scope) {
        self.told.remove(&scope);
        self.begun.remove(&scope);
    }

    /// The guardian did something; `at` is the gateway's time.
    pub fn intervened(&mut self, at: Timestamp, done: &Intervention, out: &mut Vec<Violation>) {
        let Act::Kill { level, .. } = done.act else { return };
        self.begins(done.scope, level);
        let known = self.told.entry(done.scope).or_default();
        *known = (*known).max(level);
        match (done.rule, done.scope) {
            (Rule::DailyLoss, Scope::Account(account)) => {
                let course = self.courses.entry(account).or_default();
                let early = course.near.is_none_or(|near| at.since(near) < CONFIRMED);
                if course.known && early && !course.acted {
                    out.push(Violation::new(
                        "I28",
                        format!("{account:?} killed for a loss of {:?}", course.near),
                    ));
                }
                course.acted = true;
            }
            (Rule::RejectStorm, Scope::Agent(agent)) => {
                self.storms.insert(agent, at);
            }
            _ => {}
        }
    }

    /// The core said that everything a kill covers is gone.
    pub fn confirmed(&self, core: &Core, now: &[u64], scope: Scope, out: &mut Vec<Violation>) {
        let Some((_, begun)) = self.begun.get(&scope) else { return };
        for (number, (before, now)) in begun.iter().zip(now).enumerate() {
            let broker = BrokerId(number as u8);
            let asked = match scope {
                Scope::Broker(id) => id == broker,
                Scope::Account(id) => self.brokers.get(id.index()) == Some(&broker),
                _ => true,
            };
            if asked && !core.enforcement.is_isolated(broker) && now.saturating_sub(*before) < 2 {
                out.push(Violation::new(
                    "I16",
                    format!("{scope:?} confirmed after {} snapshots of {broker:?}", now - before),
                ));
            }
        }
    }

    /// An order has ended.
    pub fn ended(&mut self, at: Timestamp, core: &Core, order: &Order, out: &mut Vec<Violation>) {
        let by_broker = matches!(order.reason, Some(Reason::BrokerOther | Reason::BrokerFunds));
        let agent = order.route.agent;
        if order.ord_status() != OrdStatus::Rejected || !by_broker || agent.0 < AgentId::FIRST {
            return;
        }
        let refused = self.refused.entry(agent).or_default();
        refused.push_back(at);
        while refused.front().is_some_and(|first| *first + STORM_WINDOW <= at) {
            refused.pop_front();
        }
        let acted = self.storms.get(&agent).is_some_and(|acted| at.since(*acted) <= STORM_WINDOW);
        let stopped = core.risk.halts.level_of(Scope::Agent(agent)) >= KillLevel::Block;
        if refused.len() > STORM && !acted && !stopped {
            out.push(Violation::new(
                "I28",
                format!("{} refusals of {agent:?} in a minute", refused.len()),
            ));
        }
    }

    /// After a call: the core knows its kills, and losses have not been let run. `at` is the
    /// gateway's time, `now` the true one; `looks`: it has reason to look.
    pub fn after(
        &mut self,
        (at, now, looks): (Timestamp, Timestamp, bool),
        core: &Core,
        lost: impl Fn(AccountId) -> Option<Notional>,
        out: &mut Vec<Violation>,
    ) {
        for (&scope, &level) in &self.told {
            if core.risk.halts.level_of(scope) < level {
                out.push(Violation::new("I13", format!("{scope:?} below {level} in the core")));
            }
        }
        let Some(limit) = self.limit else { return };
        for number in 0..self.brokers.len() {
            let account = AccountId(number as u16);
            let course = self.courses.entry(account).or_default();
            let Some(lost) = lost(account) else {
                *course = Course { acted: course.acted, ..Course::default() };
                continue;
            };
            let idle = core.risk.halts.level_of(Scope::Account(account)) == KillLevel::Normal;
            if lost.raw() * 10 < limit.raw() * 8 {
                // What was near before it was seen far may have been near for longer.
                if course.near.is_none() {
                    let far = *course.far.get_or_insert(at);
                    course.known |= at.since(far) >= LOOKED;
                }
            } else {
                course.near.get_or_insert(at);
                // Whoever arms what stands meanwhile accepts the loss.
                course.acted |= !idle;
            }
            if lost < limit || course.acted || !looks {
                course.beyond = None;
                continue;
            }
            let since = *course.beyond.get_or_insert(now);
            if now.since(since) > SEEN {
                out.push(Violation::new(
                    "I28",
                    format!("{account:?} has lost {lost} of {limit} since {since:?}, unchecked"),
                ));
            }
        }
    }
}
