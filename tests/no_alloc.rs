//! The risk chain takes no memory: every control on, judging one order after the other.

use qtos_gateway::feed::Feed;
use qtos_gateway::kill::Effect;
use qtos_gateway::msg::{Contingent, NewOrder, OrderTerms, ReplaceOrder};
use qtos_gateway::types::{
    AccountId, AgentId, ClientOrderId, InstrumentId, Nanos, OrdType, OrderQty, Price, Qty, Side,
    TimeInForce,
};
use qtos_gateway::wiring::{Registry, Topology, closed_desk};

/// Windows have their length and maps their keys after so many.
const WARM: u32 = 200;
const ORDERS: u32 = 2_000;

fn id(seq: u32) -> ClientOrderId {
    ClientOrderId { instance: 1, epoch: 1, agent: AgentId(AgentId::FIRST), seq }
}

fn terms(number: u32, price: Price) -> OrderTerms {
    OrderTerms {
        side: if number.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        qty: OrderQty::Units(Qty::whole(1 + i64::from(number % 7))),
        ord_type: if number.is_multiple_of(3) { OrdType::Market } else { OrdType::Limit { price } },
        tif: TimeInForce::Day,
        expire_at: None,
        extended_hours: false,
    }
}

#[test]
fn the_risk_chain_takes_no_memory() {
    let registry = Registry::standard();
    // The bench has every control on; the demo has a feed.
    let demo = include_str!("../config/sandbox.toml");
    let text = demo.replace("value = \"off\"", "value = \"1h\"");
    let text = text.replace("value = \"100/1s\"", "value = \"10000/1s\"");
    let topology = Topology::parse("demo", &text, &registry.vocabulary()).unwrap();
    let mut desk = closed_desk(&topology, &registry, &topology.kill_board(), None).unwrap();
    let mut open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    for number in 0..500 {
        let record = open.feed.next().unwrap().unwrap();
        if number == 0 {
            desk.boot(record.ts(), 1, 1);
        }
        desk.advance(record.ts());
        desk.market(record.ts(), &record, true);
    }
    let start = desk.now();
    let (core, market) = (desk.lane.core.as_mut().unwrap(), &desk.lane.market);
    for check in core.risk.checks() {
        assert!(!check.table().list().is_empty(), "{} is off", check.name());
    }
    let instrument = InstrumentId(2);
    let mark = market.mark(instrument).unwrap();
    let price = Price::from_raw(mark.raw() / 10_000_000 * 10_000_000);
    let resting = core.oms.open().next().map(|(_, order)| (order.cl_ord_id, order.terms));
    let mut judge = |number: u32| {
        let at = start + Nanos(u64::from(number) * 100_000);
        let new = NewOrder {
            cl_ord_id: id(number + 1_000_000),
            account: AccountId(0),
            instrument,
            intent: u64::from(number) + 1_000_000,
            terms: terms(number, price),
            contingent: Contingent::None,
            parent: None,
        };
        let verdict = core.risk.review_new(at, &new, &core.oms, market).unwrap();
        assert_eq!(verdict.approved.effect(), Effect::Opens);
        if let Some((orig_cl_ord_id, terms)) = resting {
            let replace = ReplaceOrder {
                orig_cl_ord_id,
                cl_ord_id: id(number + 2_000_000),
                intent: u64::from(number) + 2_000_000,
                terms,
            };
            let _ = core.risk.review_replace(at, orig_cl_ord_id.agent, &replace, &core.oms, market);
        }
    };
    (0..WARM).for_each(&mut judge);
    let taken = allocation_counter::measure(|| (WARM..WARM + ORDERS).for_each(&mut judge));
    assert_eq!(taken.count_total, 0, "{} allocations in {ORDERS} orders", taken.count_total);
}
