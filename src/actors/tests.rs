//! The core by property: limits at their edge, exposure counted once, fills exactly once.

mod answers;
mod corporate;
mod corrections;
mod kills;
mod rules;
mod session;

use super::market::Market;
use super::oms::books::Fx;
use super::oms::{Books, Oms, Patience, Stage};
use super::risk::{Known, Risk};
use super::{Core, CoreOut};
mod controls;
mod wire;

use crate::kill::Effect;
use crate::msg::report::RequestKind;
use crate::msg::{
    BrokerSnapshot, CancelReject, Contingent, Control, ExecutionReport, KillOrder, Leg, MarketData,
    NewOrder, OrderRequest, OrderTerms, Quote, ReplaceOrder, Report, SessionStatus,
};
use crate::types::{
    AccountId, AgentId, BrokerId, Calendar, ClientOrderId, Currency, ExchangeId, ExecId, ExecType,
    Instrument, InstrumentId, InstrumentTable, KillLevel, LimitRow, LimitValue, Nanos, Notional,
    OrdStatus, OrdType, OrderQty, Price, Qty, Reason, Scope, Side, TimeInForce, Timestamp,
    VenueOrderId,
};
use proptest::prelude::*;
use std::sync::Arc;

const AGENT: AgentId = AgentId(2);
const OTHER: AgentId = AgentId(3);
const IBM: InstrumentId = InstrumentId(0);
const EUR: InstrumentId = InstrumentId(1);

struct Rig {
    core: Core,
    market: Market,
    at: Timestamp,
    seq: u32,
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn row(control: &str, scope: Scope, value: &str) -> LimitRow {
    let value = LimitValue::Text(value.to_owned());
    LimitRow { control: control.to_owned(), scope, value, line: 1 }
}

/// One account, two agents; IBM in dollars, and one instrument in another currency without a rate.
fn rig(changed: &[LimitRow]) -> Rig {
    rig_of(Calendar::Always, Timestamp::from_nanos(1_000_000_000), changed)
}

fn rig_of(calendar: Calendar, at: Timestamp, changed: &[LimitRow]) -> Rig {
    let instrument = |symbol: &str, currency: &str| Instrument {
        symbol: symbol.to_owned(),
        tick: price("0.01"),
        lot: Qty::whole(1),
        multiplier: 1,
        currency: Currency::new(currency).unwrap(),
        calendar,
    };
    let table =
        InstrumentTable::new(vec![instrument("IBM", "USD"), instrument("SAP", "EUR")]).unwrap();
    let mut rows = vec![
        row("max_order_qty", Scope::Global, "1000000"),
        row("max_order_value", Scope::Global, "100000000"),
        row("max_position", Scope::Global, "1000000"),
        row("price_collar", Scope::Global, "50%"),
        row("order_rate", Scope::Global, "1000/1s"),
        row("duplicate_intent", Scope::Global, "deny"),
        row("daily_loss", Scope::Global, "1000000"),
        row("session", Scope::Global, "calendar"),
        LimitRow {
            value: LimitValue::List(vec!["IBM".into(), "SAP".into()]),
            ..row("symbol_list", Scope::Global, "")
        },
    ];
    rows.retain(|old| {
        !changed.iter().any(|new| (&new.control, new.scope) == (&old.control, old.scope))
    });
    rows.extend_from_slice(changed);
    let table = Arc::new(table);
    let known = Known { instruments: Arc::clone(&table), accounts: vec!["paper".to_owned()] };
    let risk = Risk::new(rows, known, vec![BrokerId(0)]).unwrap();
    let patience = Patience {
        ack: Nanos::from_secs(2),
        absence: Nanos::from_secs(5),
        reconcile: Nanos::from_secs(30),
    };
    let fx = Fx::new(vec![None, Some(None)]);
    let books = Books::new(1, 4, table, fx).with_capital(vec![Notional::whole(100_000)]);
    let core = Core::new(risk, Oms::new(books, vec![patience], vec![BrokerId(0)]));
    let mut rig = Rig { core, market: Market::new(2, Nanos::from_secs(60)), at, seq: 0 };
    rig.quote(IBM, "99.99", "100.01");
    rig.quote(EUR, "49.99", "50.01");
    rig.report(Report::Session(SessionStatus::Up));
    rig.report(Report::Snapshot(Box::default()));
    rig
}

impl Rig {
    fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        let record = MarketData::Quote(Quote {
            ts: self.at,
            instrument,
            exchange: ExchangeId(0),
            suspicious: false,
            bid: price(bid),
            bid_size: Qty::whole(100),
            ask: price(ask),
            ask_size: Qty::whole(100),
        });
        self.market.apply(self.at, &record);
    }

    fn report(&mut self, report: Report) -> CoreOut {
        let mut out = CoreOut::default();
        self.core.begin_day(self.at, &self.market);
        self.core.report(self.at, BrokerId(0), &report, &self.market, &mut out);
        out
    }

    fn id(&mut self, agent: AgentId) -> ClientOrderId {
        self.seq += 1;
        ClientOrderId { instance: 1, epoch: 1, agent, seq: self.seq }
    }

    fn ask(&mut self, from: AgentId, request: OrderRequest) -> Result<Effect, Reason> {
        let mut out = CoreOut::default();
        self.core.begin_day(self.at, &self.market);
        self.core.request(self.at, from, &request, &self.market, &mut out);
        match (out.approved.first(), out.derived.first()) {
            (Some(approved), _) => Ok(approved.effect()),
            (None, Some(crate::journal::Derived::Denied { reason, .. })) => Err(*reason),
            other => panic!("neither approved nor denied: {other:?}"),
        }
    }

    fn draft(&mut self, agent: AgentId, instrument: InstrumentId, terms: OrderTerms) -> NewOrder {
        let cl_ord_id = self.id(agent);
        let intent = u64::from(cl_ord_id.seq);
        NewOrder {
            cl_ord_id,
            account: AccountId(0),
            instrument,
            intent,
            terms,
            contingent: Contingent::None,
            parent: None,
        }
    }

    fn order(
        &mut self,
        side: Side,
        qty: i64,
        limit: &str,
    ) -> (ClientOrderId, Result<Effect, Reason>) {
        let new = self.draft(AGENT, IBM, limit_terms(side, qty, limit));
        (new.cl_ord_id, self.ask(AGENT, OrderRequest::New(new)))
    }

    fn replace(
        &mut self,
        orig: ClientOrderId,
        side: Side,
        qty: i64,
        limit: &str,
    ) -> Result<Effect, Reason> {
        let cl_ord_id = self.id(AGENT);
        let replace = ReplaceOrder {
            orig_cl_ord_id: orig,
            cl_ord_id,
            intent: u64::from(cl_ord_id.seq),
            terms: limit_terms(side, qty, limit),
        };
        self.ask(AGENT, OrderRequest::Replace(replace))
    }

    fn fill(&mut self, id: ClientOrderId, cum: i64, last: i64, at: &str, status: OrdStatus) {
        let report = execution(id, ExecType::Trade, status, cum, last, at);
        self.report(Report::Execution(report));
    }

    fn accept(&mut self, id: ClientOrderId) {
        let report = execution(id, ExecType::New, OrdStatus::New, 0, 0, "0");
        self.report(Report::Execution(report));
    }

    /// Exposure says what the orders and fills say.
    fn check_books(&self) {
        let oms = &self.core.oms;
        let (mut buys, mut sells) = (Qty::ZERO, Qty::ZERO);
        for order in oms.orders() {
            assert!(order.state.is_done() <= order.reserved.is_zero(), "a done order reserves");
            assert!(order.reserved <= order.worst_leaves());
            match order.terms.side {
                Side::Buy => buys += order.reserved,
                Side::Sell => sells += order.reserved,
            }
        }
        let position = oms.fills().iter().fold(Qty::ZERO, |sum, fill| {
            sum + oms.orders()[fill.order as usize].terms.side.signed(fill.qty)
        });
        for exposure in [oms.books.account(AccountId(0), IBM), oms.books.agent(AGENT, IBM)] {
            assert_eq!((exposure.open_buy, exposure.open_sell), (buys, sells));
            assert_eq!(exposure.position, position);
        }
    }
}

fn limit_terms(side: Side, qty: i64, limit: &str) -> OrderTerms {
    OrderTerms {
        side,
        qty: OrderQty::Units(Qty::whole(qty)),
        ord_type: OrdType::Limit { price: price(limit) },
        tif: TimeInForce::Day,
        expire_at: None,
        extended_hours: false,
    }
}

fn execution(
    id: ClientOrderId,
    exec_type: ExecType,
    ord_status: OrdStatus,
    cum: i64,
    last: i64,
    px: &str,
) -> ExecutionReport {
    ExecutionReport {
        cl_ord_id: id,
        venue_order_id: VenueOrderId(u128::from(id.seq)),
        exec_id: ExecId(u128::from(id.seq) << 32 | cum as u128),
        exec_type,
        ord_status,
        last_qty: Qty::whole(last),
        last_px: price(px),
        cum_qty: Qty::whole(cum),
        leaves_qty: Qty::ZERO,
        fee: Notional::ZERO,
        reason: None,
        transact_time: Timestamp::ZERO,
    }
}

#[test]
fn each_limit_holds_at_its_edge_on_new_and_on_replace() {
    // Control, value, the largest quantity that passes at a limit price of 100.
    let cases = [
        ("max_order_qty", "10", 10, Reason::MaxOrderQty),
        ("max_order_value", "1000", 10, Reason::MaxOrderValue),
        ("max_position", "10", 10, Reason::MaxPosition),
        ("max_position_value", "1000", 10, Reason::MaxPositionValue),
        ("gross_exposure", "1000", 10, Reason::GrossExposure),
        ("net_exposure", "1000", 10, Reason::NetExposure),
        // Of a capital of 100,000.
        ("leverage", "0.01", 10, Reason::Leverage),
        ("buying_power", "99000", 10, Reason::BuyingPower),
        ("buying_power", "98980, 2% fees", 10, Reason::BuyingPower),
    ];
    let scopes = [
        Scope::Global,
        Scope::Broker(BrokerId(0)),
        Scope::Account(AccountId(0)),
        Scope::Agent(AGENT),
        Scope::Symbol(IBM),
    ];
    for (control, value, most, reason) in cases {
        for scope in scopes {
            let limit = [row(control, scope, value)];
            for (qty, expected) in [(most - 1, None), (most, None), (most + 1, Some(reason))] {
                let mut rig = rig(&limit);
                assert_eq!(
                    rig.order(Side::Buy, qty, "100").1.err(),
                    expected,
                    "{control} {scope:?} {qty}"
                );
                let mut rig = self::rig(&limit);
                let (id, first) = rig.order(Side::Buy, 1, "100");
                first.unwrap();
                rig.accept(id);
                assert_eq!(
                    rig.replace(id, Side::Buy, qty, "100").err(),
                    expected,
                    "replace, {control} {scope:?} {qty}"
                );
            }
        }
    }
    let mut other = rig(&[row("max_order_qty", Scope::Agent(OTHER), "1")]);
    assert!(other.order(Side::Buy, 500, "100").1.is_ok(), "a row of another agent covers nothing");
}

#[test]
fn the_collar_holds_at_its_edge() {
    let mut rig = rig(&[row("price_collar", Scope::Global, "1%")]);
    for (limit, passes) in [("99", true), ("98.99", false), ("101", true), ("101.01", false)] {
        let (_, verdict) = rig.order(Side::Buy, 1, limit);
        assert_eq!(verdict.err(), (!passes).then_some(Reason::PriceCollar), "{limit}");
    }
}

#[test]
fn the_rate_is_exact_over_a_sliding_window() {
    let mut rig = rig(&[row("order_rate", Scope::Global, "3/1s")]);
    let start = rig.at;
    let mut passes = |millis: u64| {
        rig.at = start + Nanos::from_millis(millis);
        rig.order(Side::Buy, 1, "100").1
    };
    for millis in [0, 400, 900] {
        assert!(passes(millis).is_ok());
    }
    assert_eq!(passes(999), Err(Reason::OrderRate));
    assert!(passes(1_000).is_ok(), "the first has left the window");
    assert_eq!(passes(1_399), Err(Reason::OrderRate), "denied orders are not counted");
    assert!(passes(1_400).is_ok());
}

#[test]
fn what_cannot_be_judged_is_denied() {
    let mut rig = rig(&[]);
    let terms = limit_terms(Side::Buy, 1, "50");
    let sap = rig.draft(AGENT, EUR, terms);
    assert_eq!(rig.ask(AGENT, OrderRequest::New(sap)), Err(Reason::NoFxMark));
    let mut nowhere = rig.draft(AGENT, InstrumentId(7), terms);
    assert_eq!(rig.ask(AGENT, OrderRequest::New(nowhere)), Err(Reason::SymbolList));
    nowhere.account = AccountId(9);
    assert_eq!(rig.ask(AGENT, OrderRequest::New(nowhere)), Err(Reason::InvalidOrder));
    for bad in [
        limit_terms(Side::Buy, 0, "100"),
        limit_terms(Side::Buy, -5, "100"),
        limit_terms(Side::Buy, 1, "100.001"),
        limit_terms(Side::Buy, 1, "0"),
        OrderTerms { tif: TimeInForce::Gtd, ..limit_terms(Side::Buy, 1, "100") },
    ] {
        let new = rig.draft(AGENT, IBM, bad);
        assert_eq!(rig.ask(AGENT, OrderRequest::New(new)), Err(Reason::InvalidOrder), "{bad:?}");
    }
    let mine = rig.draft(AGENT, IBM, limit_terms(Side::Buy, 1, "100"));
    assert_eq!(rig.ask(OTHER, OrderRequest::New(mine)), Err(Reason::NotOwner));
    rig.ask(AGENT, OrderRequest::New(mine)).unwrap();
    let again = NewOrder { cl_ord_id: rig.id(AGENT), ..mine };
    assert_eq!(rig.ask(AGENT, OrderRequest::New(again)), Err(Reason::DuplicateIntent));
    rig.at = rig.at + Nanos::from_secs(61);
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::StalePrice));
}

#[test]
fn a_day_that_lost_too_much_only_reduces() {
    let mut rig = rig(&[row("daily_loss", Scope::Global, "50")]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.fill(id, 10, 10, "100", OrdStatus::Filled);
    rig.quote(IBM, "94.99", "95.01");
    assert_eq!(rig.order(Side::Buy, 1, "95").1, Err(Reason::DailyLoss));
    assert_eq!(rig.order(Side::Sell, 10, "95").1, Ok(Effect::Reduces));
    assert_eq!(rig.order(Side::Sell, 1, "95").1, Err(Reason::DailyLoss), "that one would flip");
}

#[test]
fn kills_and_holds_deny_by_scope_and_reduce_only_reduces() {
    for (scope, covers) in [
        (Scope::Global, true),
        (Scope::Broker(BrokerId(0)), true),
        (Scope::Agent(AGENT), true),
        (Scope::Agent(OTHER), false),
        (Scope::Symbol(EUR), false),
    ] {
        for level in KillLevel::ALL {
            let mut rig = rig(&[]);
            let (id, _) = rig.order(Side::Buy, 10, "100");
            rig.fill(id, 10, 10, "100", OrdStatus::Filled);
            let kill = KillOrder { scope, level, reason: "drill".into(), episode: 1, rule: None };
            rig.core.control(rig.at, &Control::Kill(kill), &mut CoreOut::default());
            let hit = |least: KillLevel| (covers && level >= least).then_some(Reason::Kill);
            assert_eq!(
                rig.order(Side::Buy, 1, "100").1.err(),
                hit(KillLevel::ReduceOnly),
                "{scope:?} {level}"
            );
            assert_eq!(
                rig.order(Side::Sell, 11, "100").1.err(),
                hit(KillLevel::ReduceOnly),
                "flips"
            );
            let mut fresh = self::rig(&[]);
            let (id, _) = fresh.order(Side::Buy, 10, "100");
            fresh.fill(id, 10, 10, "100", OrdStatus::Filled);
            let kill = KillOrder { scope, level, reason: "drill".into(), episode: 1, rule: None };
            fresh.core.control(fresh.at, &Control::Kill(kill), &mut CoreOut::default());
            assert_eq!(
                fresh.order(Side::Sell, 10, "100").1.err(),
                hit(KillLevel::Block),
                "{scope:?} {level}"
            );
        }
    }
}

#[test]
fn a_cancel_kill_sweeps_what_it_covers() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.accept(id);
    let kill = KillOrder {
        scope: Scope::Agent(AGENT),
        level: KillLevel::Cancel,
        reason: "drill".into(),
        episode: 1,
        rule: None,
    };
    let mut out = CoreOut::default();
    rig.core.control(rig.at, &Control::Kill(kill), &mut out);
    assert_eq!(out.approved.len(), 1);
    assert_eq!(out.approved[0].effect(), Effect::Cancels);
    // The cancel is lost with the link; the snapshot shows the order still there: swept again.
    rig.report(Report::Session(SessionStatus::Down));
    rig.report(Report::Session(SessionStatus::Up));
    let order = rig.core.oms.orders()[0].clone();
    rig.at = rig.at + Nanos::from_secs(1);
    rig.report(Report::Session(SessionStatus::Up));
    let snapshot = BrokerSnapshot {
        orders: vec![crate::msg::OrderSnapshot {
            cl_ord_id: Some(id),
            venue_order_id: VenueOrderId(1),
            account: AccountId(0),
            instrument: IBM,
            terms: order.terms,
            ord_status: OrdStatus::New,
            cum_qty: Qty::ZERO,
            leaves_qty: Qty::whole(10),
            fills: Vec::new(),
        }],
        positions: Vec::new(),
    };
    let out = rig.report(Report::Snapshot(Box::new(snapshot)));
    assert_eq!(out.approved.len(), 1, "the cancel goes out again");
}

#[test]
fn doubt_keeps_the_exposure_until_two_snapshots_lack_the_order() {
    let mut rig = rig(&[row("max_position", Scope::Global, "10")]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.report(Report::Session(SessionStatus::Down));
    assert_eq!(rig.core.oms.find(id).unwrap().1.state.stage, Stage::InDoubt);
    rig.report(Report::Session(SessionStatus::Up));
    rig.at = rig.at + Nanos::from_secs(1);
    rig.report(Report::Session(SessionStatus::Up));
    rig.report(Report::Snapshot(Box::default()));
    assert_eq!(rig.core.oms.in_doubt(), 1, "one snapshot is no proof");
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::MaxPosition), "it counts");
    rig.at = rig.at + Nanos::from_secs(6);
    rig.core.tick(rig.at, &mut CoreOut::default());
    rig.report(Report::Snapshot(Box::default()));
    assert_eq!(rig.core.oms.in_doubt(), 0, "two far enough apart are");
    assert!(rig.order(Side::Buy, 10, "100").1.is_ok());
}

#[test]
fn lists_count_their_exposure_once() {
    let mut rig = rig(&[row("max_position", Scope::Global, "10")]);
    let exit = |limit: &str| limit_terms(Side::Sell, 10, limit);
    let mut entry = rig.draft(AGENT, IBM, limit_terms(Side::Buy, 10, "100"));
    let (take, stop) = (rig.id(AGENT), rig.id(AGENT));
    let stop_terms = OrderTerms { ord_type: OrdType::Stop { stop_px: price("95") }, ..exit("95") };
    entry.contingent = Contingent::Bracket {
        take_profit: Leg { cl_ord_id: take, terms: exit("105") },
        stop_loss: Leg { cl_ord_id: stop, terms: stop_terms },
    };
    rig.ask(AGENT, OrderRequest::New(entry)).unwrap();
    rig.check_books();
    let open = |rig: &Rig| rig.core.oms.books.account(AccountId(0), IBM);
    assert_eq!((open(&rig).open_buy, open(&rig).open_sell), (Qty::whole(10), Qty::ZERO));
    rig.fill(entry.cl_ord_id, 4, 4, "100", OrdStatus::PartiallyFilled);
    assert_eq!(
        (open(&rig).open_buy, open(&rig).open_sell),
        (Qty::whole(6), Qty::whole(4)),
        "both exits, once"
    );
    rig.fill(entry.cl_ord_id, 10, 6, "100", OrdStatus::Filled);
    rig.fill(take, 3, 3, "105", OrdStatus::PartiallyFilled);
    assert_eq!(open(&rig).open_sell, Qty::whole(7));
    rig.report(Report::Execution(execution(
        take,
        ExecType::Canceled,
        OrdStatus::Canceled,
        3,
        0,
        "0",
    )));
    assert_eq!(open(&rig).open_sell, Qty::whole(7), "the stop carries what is left");
    rig.fill(stop, 7, 7, "95", OrdStatus::Filled);
    assert_eq!(open(&rig).worst(), Qty::ZERO);
    rig.check_books();
}

impl Rig {
    fn kill(&mut self, level: KillLevel) {
        let kill = KillOrder {
            scope: Scope::Global,
            level,
            reason: "drill".into(),
            episode: 1,
            rule: None,
        };
        self.core.control(self.at, &Control::Kill(kill), &mut CoreOut::default());
    }

    fn pair(
        &mut self,
        first: OrderTerms,
        then: bool,
        second: OrderTerms,
    ) -> Result<Effect, Reason> {
        let mut new = self.draft(AGENT, IBM, first);
        let leg = Leg { cl_ord_id: self.id(AGENT), terms: second };
        new.contingent =
            if then { Contingent::OneTriggersOther(leg) } else { Contingent::OneCancelsOther(leg) };
        self.ask(AGENT, OrderRequest::New(new))
    }
}

#[test]
fn each_order_of_a_list_is_judged() {
    let mut rig = rig(&[row("max_position", Scope::Global, "100")]);
    let buy = |qty| limit_terms(Side::Buy, qty, "100");
    let sell = |qty| limit_terms(Side::Sell, qty, "100");
    assert_eq!(rig.pair(buy(1), false, sell(101)), Err(Reason::MaxPosition), "the other side");
    assert_eq!(rig.pair(buy(1), false, buy(101)), Err(Reason::MaxPosition), "the same side");
    assert_eq!(rig.pair(buy(100), false, buy(100)), Ok(Effect::Opens), "one of them only");
    assert_eq!(
        rig.pair(buy(1), true, sell(2)),
        Err(Reason::InvalidOrder),
        "more than it waits for"
    );
}

#[test]
fn reduce_only_looks_through_lists_and_replaces() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.fill(id, 10, 10, "100", OrdStatus::Filled);
    let (resting, _) = rig.order(Side::Buy, 5, "60");
    rig.accept(resting);
    rig.kill(KillLevel::ReduceOnly);
    let sell = limit_terms(Side::Sell, 10, "100");
    let buy = limit_terms(Side::Buy, 10, "100");
    assert_eq!(rig.pair(sell, true, buy), Err(Reason::Kill), "out, and in again");
    assert_eq!(rig.pair(sell, false, buy), Err(Reason::Kill), "out, or further in");
    assert_eq!(rig.replace(resting, Side::Buy, 5, "100"), Err(Reason::Kill), "into the market");
    let (out, verdict) = rig.order(Side::Sell, 5, "120");
    assert_eq!(verdict, Ok(Effect::Reduces));
    rig.accept(out);
    assert_eq!(rig.replace(out, Side::Sell, 10, "100"), Ok(Effect::Reduces), "all of the way out");
}

#[test]
fn nothing_opens_before_a_snapshot_agrees() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.fill(id, 10, 10, "100", OrdStatus::Filled);
    rig.report(Report::Session(SessionStatus::Down));
    rig.report(Report::Session(SessionStatus::Up));
    // The broker knows the order but says that there is no position.
    rig.report(Report::Snapshot(Box::default()));
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::Hold), "one that differs");
    rig.report(Report::Snapshot(Box::default()));
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::Hold), "and another one");
    let position = crate::msg::PositionSnapshot {
        account: AccountId(0),
        instrument: IBM,
        qty: Qty::whole(10),
        avg_px: price("100"),
    };
    let agrees = BrokerSnapshot { orders: Vec::new(), positions: vec![position] };
    rig.report(Report::Snapshot(Box::new(agrees)));
    assert!(rig.order(Side::Buy, 1, "100").1.is_ok());
}

#[derive(Debug, Clone)]
enum Step {
    New(bool, i64),
    Replace(usize, i64),
    Cancel(usize),
    Accept(usize),
    Fill(usize, i64, i64),
    Canceled(usize),
    Rejected(usize),
    Replaced(usize),
    CancelReject(usize, bool),
    Down,
    Up,
    Tick(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = 0usize..6;
    let step = prop_oneof![
        (any::<bool>(), 1i64..20).prop_map(|(buy, qty)| Step::New(buy, qty)),
        (order.clone(), 1i64..25).prop_map(|(order, qty)| Step::Replace(order, qty)),
        order.clone().prop_map(Step::Cancel),
        order.clone().prop_map(Step::Accept),
        (order.clone(), 1i64..20, 1i64..20)
            .prop_map(|(order, cum, last)| Step::Fill(order, cum, last)),
        order.clone().prop_map(Step::Canceled),
        order.clone().prop_map(Step::Rejected),
        order.clone().prop_map(Step::Replaced),
        (order, any::<bool>()).prop_map(|(order, replace)| Step::CancelReject(order, replace)),
        Just(Step::Down),
        Just(Step::Up),
        (1u64..4_000).prop_map(Step::Tick),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whatever a broker says in whatever order: reservations follow the orders, positions the fills,
    /// no fill counts twice, and the rerun of the same inputs has the same digest.
    #[test]
    fn books_follow_orders_and_fills(steps in steps()) {
        let run = |steps: &[Step]| {
            let mut rig = rig(&[]);
            let mut ids: Vec<ClientOrderId> = Vec::new();
            for step in steps {
                let known = |at: usize| ids.get(at % ids.len().max(1)).copied();
                let side = |rig: &Rig, id| rig.core.oms.find(id).map(|(_, order)| order.terms.side);
                match *step {
                    Step::New(buy, qty) => {
                        let (id, _) = rig.order(if buy { Side::Buy } else { Side::Sell }, qty, "100");
                        if rig.core.oms.find(id).is_some() {
                            ids.push(id);
                        }
                    }
                    Step::Replace(at, qty) => if let Some(id) = known(at) {
                        let side = side(&rig, id).unwrap();
                        let current = rig.core.oms.find(id).unwrap().1.cl_ord_id;
                        let _ = rig.replace(current, side, qty, "100");
                    },
                    Step::Cancel(at) => if let Some(id) = known(at) {
                        let cancel = crate::msg::CancelOrder::of(id);
                        let _ = rig.ask(AGENT, OrderRequest::Cancel(cancel));
                    },
                    Step::Accept(at) => if let Some(id) = known(at) { rig.accept(id) },
                    Step::Fill(at, cum, last) => if let Some(id) = known(at) {
                        let before = rig.core.oms.fills().len();
                        rig.fill(id, cum, last, "100", OrdStatus::PartiallyFilled);
                        let booked = rig.core.oms.fills().len();
                        assert!(booked <= before + 1);
                        rig.fill(id, cum, last, "100", OrdStatus::PartiallyFilled);
                        assert_eq!(rig.core.oms.fills().len(), booked, "a fill counted twice");
                    },
                    Step::Canceled(at) => if let Some(id) = known(at) {
                        rig.report(Report::Execution(execution(id, ExecType::Canceled, OrdStatus::Canceled, 0, 0, "0")));
                    },
                    Step::Rejected(at) => if let Some(id) = known(at) {
                        rig.report(Report::Execution(execution(id, ExecType::Rejected, OrdStatus::Rejected, 0, 0, "0")));
                    },
                    Step::Replaced(at) => if let Some(id) = known(at) {
                        rig.report(Report::Execution(execution(id, ExecType::Replaced, OrdStatus::New, 0, 0, "0")));
                    },
                    Step::CancelReject(at, replace) => if let Some(id) = known(at) {
                        let request = if replace { RequestKind::Replace } else { RequestKind::Cancel };
                        rig.report(Report::CancelReject(CancelReject { cl_ord_id: None, orig_cl_ord_id: id, request, reason: Reason::BrokerOther }));
                    },
                    Step::Down => { rig.report(Report::Session(SessionStatus::Down)); }
                    Step::Up => {
                        rig.report(Report::Session(SessionStatus::Up));
                    }
                    Step::Tick(millis) => {
                        rig.at = rig.at + Nanos::from_millis(millis);
                        rig.quote(IBM, "99.99", "100.01");
                        rig.core.tick(rig.at, &mut CoreOut::default());
                    }
                }
                rig.check_books();
            }
            rig.core.digest(&rig.market)
        };
        prop_assert_eq!(run(&steps), run(&steps));
    }
}
