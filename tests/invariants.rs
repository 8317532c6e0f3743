//! Invariants of ARCHITECTURE.md that need a whole desk: the generated market of
//! `config/sandbox.toml`, the sandbox exchange, and agents written to misbehave.

use qtos_gateway::actors::agent::{Agent, AgentCx, REQUEST_BUDGET, Ticket};
use qtos_gateway::actors::market::Touch;
use qtos_gateway::actors::oms::OrderUpdate;
use qtos_gateway::agents::AgentSpec;
use qtos_gateway::desk::Desk;
use qtos_gateway::feed::Feed;
use qtos_gateway::journal::Derived;
use qtos_gateway::msg::{AgentState, OrderRequest};
use qtos_gateway::types::{AgentId, ClientOrderId, InstrumentId, OrdStatus, Qty, Reason, Side};
use qtos_gateway::wiring::{Registry, Topology, closed_desk, remembered_desk};
use std::collections::{BTreeMap, BTreeSet};

const DEMO: &str = include_str!("../config/sandbox.toml");

/// The demo's configuration with the agent `trend` of another kind and `more` at the end.
fn topology(registry: &Registry, kind: &str, more: &str) -> Topology {
    let text = DEMO.replace(
        "kind = \"ema_cross\"\naccount = \"paper\"\nsymbols = [\"AAPL\"]\n[agent.params]\nfast = 20\nslow = 60\nqty = \"10\"\n",
        &format!("kind = \"{kind}\"\naccount = \"paper\"\nsymbols = [\"AAPL\"]\n"),
    );
    assert_ne!(text, DEMO, "the demo's trend agent is written as above");
    Topology::parse("demo", &format!("{text}\n{more}"), &registry.vocabulary()).unwrap()
}

fn sandbox_desk(topology: &Topology, registry: &Registry) -> Desk {
    closed_desk(topology, registry, &topology.kill_board(), None).unwrap()
}

/// Boots the desk and feeds it so many records of the generated market.
fn drive(desk: &mut Desk, topology: &Topology, (instance, epoch): (u32, u32), records: u64) {
    let mut open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    for number in 0..records {
        let record = open.feed.next().unwrap().unwrap();
        let at = record.ts().max(desk.now());
        if number == 0 {
            desk.boot(at, instance, epoch);
        }
        desk.advance(at);
        desk.market(at, &record, true);
    }
}

/// Every decision of a run.
fn decisions(desk: &mut Desk) -> Vec<Derived> {
    std::iter::from_fn(|| desk.next_decision()).collect()
}

fn id(topology: &Topology, agent: &str) -> AgentId {
    topology.agents.iter().find(|spec| spec.name == agent).unwrap().id
}

/// Buys ten at every quote; a tight loop in the hands of a beginner.
struct Eager {
    answer_denials: bool,
    burst: usize,
}

impl Agent for Eager {
    fn on_quote(&mut self, cx: &mut AgentCx<'_>, instrument: InstrumentId, _: &Touch) {
        for _ in 0..self.burst {
            cx.submit(Ticket::market(instrument, Side::Buy, Qty::whole(10)));
        }
    }
    fn on_order(&mut self, cx: &mut AgentCx<'_>, update: &OrderUpdate) {
        if self.answer_denials && update.ord_status == OrdStatus::Rejected {
            cx.submit(Ticket::market(update.route.instrument, Side::Buy, Qty::whole(10)));
        }
    }
}

fn eager(_: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    Ok(Box::new(Eager { answer_denials: false, burst: 1 }))
}

fn stubborn(_: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    Ok(Box::new(Eager { answer_denials: true, burst: 1 }))
}

fn flood(_: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    Ok(Box::new(Eager { answer_denials: false, burst: REQUEST_BUDGET + 1 }))
}

fn registry() -> Registry {
    Registry::standard().agent("eager", eager).agent("stubborn", stubborn).agent("flood", flood)
}

/// INV-6: an agent that answers every denial with an order, or asks for more than its budget, is
/// taken out; the others trade on.
#[test]
fn runaway_agents_are_taken_out() {
    for kind in ["stubborn", "flood"] {
        let registry = registry();
        let topology = topology(&registry, kind, "");
        let mut desk = sandbox_desk(&topology, &registry);
        drive(&mut desk, &topology, (1, 1), 5_000);
        let runaway = id(&topology, "trend");
        assert_eq!(desk.take_broken().first(), Some(&runaway), "{kind}");
        for host in desk.lane.hosts() {
            let expected = match host.id() == runaway {
                true => AgentState::Quarantined,
                false => AgentState::Running,
            };
            assert_eq!(host.state(), expected, "{kind}");
        }
        let core = desk.lane.core.as_ref().unwrap();
        let maker = id(&topology, "maker");
        assert!(core.oms.orders().iter().any(|order| order.route.agent == maker));
    }
}

/// INV-9: two boots, or two state folders, never name two orders alike.
#[test]
fn no_two_runs_share_an_order_id() {
    let registry = Registry::standard();
    let topology = Topology::parse("demo", DEMO, &registry.vocabulary()).unwrap();
    let mut seen: BTreeSet<ClientOrderId> = BTreeSet::new();
    for boot in [(1, 1), (1, 2), (2, 1)] {
        let mut desk = sandbox_desk(&topology, &registry);
        drive(&mut desk, &topology, boot, 5_000);
        let core = desk.lane.core.as_ref().unwrap();
        assert!(!core.oms.orders().is_empty());
        for order in core.oms.orders() {
            assert!(seen.insert(order.cl_ord_id), "{} came twice", order.cl_ord_id);
        }
    }
}

/// INV-10: a row of a narrower scope that allows more does not loosen the wider one.
#[test]
fn a_narrower_limit_only_tightens() {
    let denied = |more: &str| {
        let registry = registry();
        // An agent that buys alike at every quote is stopped for that long before.
        let alike = ("value = \"100/10s\"", "value = \"off\"");
        let text = topology(&registry, "eager", more).source().text().replace(alike.0, alike.1);
        let topology = Topology::parse("demo", &text, &registry.vocabulary()).unwrap();
        let mut desk = sandbox_desk(&topology, &registry);
        desk.keep_decisions();
        drive(&mut desk, &topology, (1, 1), 5_000);
        let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
        for derived in decisions(&mut desk) {
            if let Derived::Denied { cl_ord_id, reason } = derived
                && cl_ord_id.agent == id(&topology, "trend")
            {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let core = desk.lane.core.as_ref().unwrap();
        let exposure = core.oms.books.agent(id(&topology, "trend"), InstrumentId(0));
        (reasons, exposure.position)
    };
    let row = |value: &str| {
        format!(
            "[[limit]]\ncontrol = \"max_position\"\nscope = \"agent:trend\"\nvalue = \"{value}\"\n"
        )
    };
    let (wide, position) = denied(&row("1000000"));
    assert!(wide.contains_key(&Reason::MaxPosition) && position <= Qty::whole(2_000));
    let (tight, position) = denied(&row("50"));
    assert!(tight[&Reason::MaxPosition] > wide[&Reason::MaxPosition]);
    assert!(position <= Qty::whole(50));
}

/// INV-11: without a snapshot from the broker not one order leaves.
#[test]
fn nothing_opens_before_the_broker_is_reconciled() {
    let registry = registry();
    let topology = topology(&registry, "eager", "");
    let mut desk = remembered_desk(&topology, &registry).unwrap();
    desk.keep_decisions();
    drive(&mut desk, &topology, (1, 1), 1_000);
    let decisions = decisions(&mut desk);
    assert!(!decisions.is_empty());
    for derived in decisions {
        assert!(
            matches!(derived, Derived::Denied { reason: Reason::Hold, .. }),
            "{derived:?} although the broker has not said what it holds"
        );
    }
}

/// INV-12: fills add up to positions, and no order fills beyond its size.
#[test]
fn fills_add_up() {
    let registry = Registry::standard();
    let topology = Topology::parse("demo", DEMO, &registry.vocabulary()).unwrap();
    let mut desk = sandbox_desk(&topology, &registry);
    desk.keep_decisions();
    drive(&mut desk, &topology, (1, 1), 50_000);
    let sent = decisions(&mut desk);
    let sent = sent
        .iter()
        .filter(|d| matches!(d, Derived::Sent { request: OrderRequest::New(_), .. }))
        .count();
    let core = desk.lane.core.as_ref().unwrap();
    assert_eq!(sent, core.oms.orders().len());
    let mut sums = BTreeMap::new();
    let mut filled: BTreeMap<u32, Qty> = BTreeMap::new();
    for fill in core.oms.fills() {
        let order = &core.oms.orders()[fill.order as usize];
        let key = (order.route.account, order.route.agent, order.route.instrument);
        let sum: &mut Qty = sums.entry(key).or_insert(Qty::ZERO);
        *sum = sum.saturating_add(order.terms.side.signed(fill.qty));
        let total = filled.entry(fill.order).or_insert(Qty::ZERO);
        *total = total.saturating_add(fill.qty);
        assert_eq!(fill.cum_qty, *total, "a fill is its order and what it comes to");
        assert!(*total <= order.units);
    }
    assert!(core.oms.fills().len() > 10);
    for (key, position) in core.oms.books.positions() {
        assert_eq!(sums.remove(&key).unwrap_or(Qty::ZERO), position.qty);
    }
    assert!(sums.is_empty());
}
