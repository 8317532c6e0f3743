//! Each control at its edge: one below, at and one above the limit, on new orders and on replaces;
//! and limits that change while orders are open.

use super::*;
use crate::actors::risk::check::{self, Look};
use crate::msg::{LimitsChange, OrderSnapshot};

impl Rig {
    /// An order that every control let through and the broker took.
    pub(super) fn resting(&mut self, side: Side, qty: i64, limit: &str) -> ClientOrderId {
        let (id, verdict) = self.order(side, qty, limit);
        verdict.unwrap();
        self.accept(id);
        id
    }

    fn held(&mut self, side: Side, qty: i64, limit: &str) {
        let (id, verdict) = self.order(side, qty, limit);
        verdict.unwrap();
        self.fill(id, qty, qty, limit, OrdStatus::Filled);
    }

    fn set(&mut self, limits: LimitRow) -> bool {
        let Ok(proposal) = self.core.risk.propose(limits) else { return false };
        let change = LimitsChange {
            version: proposal.version,
            rows: proposal.rows,
            who: "test".into(),
            why: "edge".into(),
        };
        self.core.control(self.at, &Control::Limits(change), &mut CoreOut::default());
        true
    }
}

fn global(control: &str, value: &str) -> [LimitRow; 1] {
    [row(control, Scope::Global, value)]
}

/// Gross counts both sides, net sets them off, and both count what is open and in doubt.
#[test]
fn exposure_is_that_of_the_worst_case() {
    let mut rig = rig(&global("gross_exposure", "2000"));
    rig.held(Side::Buy, 10, "100");
    let (id, verdict) = rig.order(Side::Buy, 9, "100");
    verdict.unwrap();
    assert_eq!(rig.order(Side::Buy, 2, "100").1, Err(Reason::GrossExposure), "in flight counts");
    rig.report(Report::Session(SessionStatus::Down));
    assert_eq!(rig.core.oms.find(id).unwrap().1.state.stage, Stage::InDoubt);
    let look = Look { at: rig.at, oms: &rig.core.oms, market: &rig.market };
    let check = rig.core.risk.checks().iter().find(|check| check.name() == "gross_exposure");
    assert_eq!(check.unwrap().used(Scope::Global, &look).as_deref(), Some("1900"), "doubt counts");

    let mut rig = self::rig(&global("net_exposure", "1000"));
    rig.held(Side::Buy, 10, "100");
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::NetExposure));
    assert!(rig.order(Side::Sell, 20, "100").1.is_ok(), "to ten short");
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Err(Reason::NetExposure));
}

#[test]
fn a_price_that_jumps_does_not_trap_a_position() {
    for (control, value) in
        [("gross_exposure", "1100"), ("max_position_value", "1100"), ("leverage", "0.011")]
    {
        let mut rig = rig(&global(control, value));
        rig.held(Side::Buy, 10, "100");
        rig.quote(IBM, "119.99", "120.01");
        assert!(rig.order(Side::Buy, 1, "120").1.is_err(), "{control}: 20 % more");
        assert!(rig.order(Side::Sell, 10, "120").1.is_ok(), "{control}: the way out");
    }
}

#[test]
fn the_dearer_of_two_that_exclude_each_other_is_reserved() {
    let mut rig = rig(&[]);
    rig.pair(limit_terms(Side::Buy, 5, "99"), false, limit_terms(Side::Buy, 5, "101")).unwrap();
    let reserved = rig.core.oms.books.open_cost(AccountId(0), &rig.market);
    assert_eq!(reserved, Some(Notional::whole(505)));
    // At the market: what it was judged at, not the middle.
    let mut rig = self::rig(&global("price_collar", "5%"));
    let market = OrderTerms { ord_type: OrdType::Market, ..limit_terms(Side::Buy, 1, "1") };
    let new = rig.draft(AGENT, IBM, market);
    rig.ask(AGENT, OrderRequest::New(new)).unwrap();
    let reserved = rig.core.oms.books.open_cost(AccountId(0), &rig.market).unwrap();
    assert!(reserved > Notional::whole(104), "{reserved}");
}

#[test]
fn buying_power_counts_open_orders_and_sales_bring_nothing_early() {
    let mut rig = rig(&global("buying_power", "98000"));
    let id = rig.resting(Side::Buy, 10, "100");
    assert!(rig.order(Side::Sell, 5, "101").1.is_ok(), "costs nothing");
    assert_eq!(rig.order(Side::Buy, 11, "100").1, Err(Reason::BuyingPower), "not filled");
    assert!(rig.replace(id, Side::Buy, 20, "100").is_ok(), "its own cost is not counted twice");
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::BuyingPower));
    let cost = rig.core.oms.books.open_cost(AccountId(0), &rig.market);
    assert_eq!(cost, Some(Notional::whole(2_000)), "the larger of both until the broker decides");
    // A replace at a higher price costs more, though it adds no unit.
    let mut rig = self::rig(&global("buying_power", "99000"));
    let id = rig.resting(Side::Buy, 10, "100");
    assert_eq!(rig.replace(id, Side::Buy, 10, "100.01"), Err(Reason::BuyingPower));
    assert!(rig.replace(id, Side::Buy, 10, "99").is_ok());
}

#[test]
fn an_account_that_may_not_go_short_sells_what_it_has() {
    let mut rig = rig(&global("short_selling", "deny"));
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Err(Reason::ShortSelling));
    rig.held(Side::Buy, 10, "100");
    assert_eq!(rig.order(Side::Sell, 11, "100").1, Err(Reason::ShortSelling));
    let id = rig.resting(Side::Sell, 9, "100");
    assert_eq!(rig.order(Side::Sell, 2, "100").1, Err(Reason::ShortSelling), "open sales count");
    assert_eq!(rig.replace(id, Side::Sell, 11, "100"), Err(Reason::ShortSelling));
    assert!(rig.replace(id, Side::Sell, 10, "100").is_ok());
    let mut rig = self::rig(&global("short_selling", "allow"));
    assert!(rig.order(Side::Sell, 1, "100").1.is_ok());
}

#[test]
fn open_orders_are_counted_until_they_end() {
    for scope in
        [Scope::Global, Scope::Agent(AGENT), Scope::Account(AccountId(0)), Scope::Symbol(IBM)]
    {
        let mut rig = rig(&[row("open_orders", scope, "2")]);
        let first = rig.resting(Side::Buy, 1, "99");
        let (second, verdict) = rig.order(Side::Buy, 1, "99");
        verdict.unwrap();
        assert_eq!(rig.order(Side::Buy, 1, "99").1, Err(Reason::OpenOrders), "one is on its way");
        assert!(rig.replace(first, Side::Buy, 2, "99").is_ok(), "adds none");
        rig.report(Report::Session(SessionStatus::Down));
        assert_eq!(rig.core.oms.find(second).unwrap().1.state.stage, Stage::InDoubt);
        assert_eq!(rig.core.oms.working(scope), 2, "doubt counts");
    }
    let mut rig = rig(&global("open_orders", "2"));
    let id = rig.resting(Side::Buy, 1, "99");
    rig.order(Side::Buy, 1, "99").1.unwrap();
    rig.fill(id, 1, 1, "99", OrdStatus::Filled);
    assert!(rig.order(Side::Buy, 1, "99").1.is_ok());
    // Every order of a list counts.
    let mut rig = self::rig(&global("open_orders", "2"));
    let exit = |limit: &str| limit_terms(Side::Sell, 1, limit);
    let mut entry = rig.draft(AGENT, IBM, limit_terms(Side::Buy, 1, "100"));
    let (take, stop) = (rig.id(AGENT), rig.id(AGENT));
    let stop_terms = OrderTerms { ord_type: OrdType::Stop { stop_px: price("95") }, ..exit("95") };
    entry.contingent = Contingent::Bracket {
        take_profit: Leg { cl_ord_id: take, terms: exit("105") },
        stop_loss: Leg { cl_ord_id: stop, terms: stop_terms },
    };
    assert_eq!(rig.ask(AGENT, OrderRequest::New(entry)), Err(Reason::OpenOrders));
}

#[test]
fn the_collar_counts_ticks_as_well() {
    let mut rig = rig(&global("price_collar", "50%, 200 ticks"));
    for (limit, passes) in [("98", true), ("97.99", false), ("102", true), ("102.01", false)] {
        let expected = (!passes).then_some(Reason::PriceCollar);
        assert_eq!(rig.order(Side::Buy, 1, limit).1.err(), expected, "{limit}");
        let id = rig.resting(Side::Buy, 1, "100");
        assert_eq!(rig.replace(id, Side::Buy, 1, limit).err(), expected, "replace, {limit}");
    }
}

/// A market order is worth the far touch and the collar on top.
#[test]
fn a_market_order_is_priced_at_its_worst() {
    let worst = |value: &str| {
        let mut limits = global("price_collar", "1%").to_vec();
        limits.extend(global("max_order_value", value));
        let mut rig = rig(&limits);
        let terms = OrderTerms { ord_type: OrdType::Market, ..limit_terms(Side::Buy, 10, "1") };
        let new = rig.draft(AGENT, IBM, terms);
        rig.ask(AGENT, OrderRequest::New(new)).err()
    };
    assert_eq!(worst("1010.101"), None);
    assert_eq!(worst("1010.1"), Some(Reason::MaxOrderValue));
}

#[test]
fn own_prices_may_not_drift_apart() {
    let mut rig = rig(&global("price_drift", "10%/60s"));
    let start = rig.at;
    let id = rig.resting(Side::Buy, 1, "100");
    for step in 1..=10 {
        // A ladder of which each step is one percent from the market that it moves.
        rig.at = start + Nanos::from_secs(step);
        rig.quote(IBM, &format!("{}.99", 99 + step), &format!("{}.01", 100 + step));
        assert!(rig.order(Side::Buy, 1, &format!("{}", 100 + step)).1.is_ok(), "{step}");
    }
    assert_eq!(rig.order(Side::Buy, 1, "110.01").1, Err(Reason::PriceDrift));
    assert_eq!(rig.replace(id, Side::Buy, 1, "110.01"), Err(Reason::PriceDrift));
    assert_eq!(rig.order(Side::Sell, 1, "110.01").1, Err(Reason::PriceDrift));
    let new = rig.draft(OTHER, IBM, limit_terms(Side::Buy, 1, "110.01"));
    assert!(rig.ask(OTHER, OrderRequest::New(new)).is_ok(), "another agent has its own prices");
    rig.at = start + Nanos::from_secs(66);
    rig.quote(IBM, "109.99", "110.01");
    assert!(rig.order(Side::Buy, 1, "110.01").1.is_ok(), "the foot of the ladder has left");
    // Fills count, also where the market moved away from the order.
    let mut rig = self::rig(&global("price_drift", "10%/60s"));
    let id = rig.resting(Side::Buy, 1, "98");
    rig.fill(id, 1, 1, "90", OrdStatus::Filled);
    assert_eq!(rig.order(Side::Buy, 1, "99.01").1, Err(Reason::PriceDrift));
    assert!(rig.order(Side::Buy, 1, "99").1.is_ok());
}

#[test]
fn a_loop_is_stopped_and_a_strategy_is_not() {
    let mut rig = rig(&global("repeated_order", "3/10s"));
    let start = rig.at;
    let id = rig.resting(Side::Buy, 1000, "100");
    rig.order(Side::Buy, 1010, "100.02").1.unwrap();
    rig.at = start + Nanos::from_secs(1);
    assert!(rig.order(Side::Buy, 1000, "100.03").1.is_ok(), "three ticks away from the first");
    assert!(rig.order(Side::Buy, 1000, "100.01").1.is_err(), "alike to all three");
    assert!(rig.order(Side::Buy, 1021, "99.98").1.is_ok(), "two percent more");
    assert!(rig.order(Side::Sell, 1000, "100").1.is_ok(), "the other side");
    assert!(rig.order(Side::Buy, 1000, "99.97").1.is_ok(), "another price");
    assert!(rig.replace(id, Side::Buy, 1001, "100.01").is_err(), "a replace repeats too");
    rig.at = start + Nanos::from_secs(10);
    assert!(rig.order(Side::Buy, 1000, "100.01").1.is_ok(), "the first two have left the window");
    for agent in [AGENT, OTHER] {
        let market = OrderTerms { ord_type: OrdType::Market, ..limit_terms(Side::Buy, 7, "1") };
        let mut send = || {
            let new = rig.draft(agent, IBM, market);
            rig.ask(agent, OrderRequest::New(new)).err()
        };
        let last = Some(Reason::RepeatedOrder);
        assert_eq!([send(), send(), send(), send()], [None, None, None, last]);
    }
}

#[test]
fn no_order_meets_another_of_its_account() {
    let mut rig = rig(&global("self_match", "cancel_new"));
    let resting = rig.resting(Side::Buy, 10, "99.50");
    let sell = |limit: &str| limit_terms(Side::Sell, 1, limit);
    let ask = |rig: &mut Rig, terms| {
        let new = rig.draft(OTHER, IBM, terms);
        rig.ask(OTHER, OrderRequest::New(new)).err()
    };
    assert_eq!(ask(&mut rig, sell("99.51")), None, "one tick better does not meet");
    assert_eq!(ask(&mut rig, sell("99.50")), Some(Reason::SelfMatch));
    assert_eq!(ask(&mut rig, sell("99.49")), Some(Reason::SelfMatch));
    let market = OrderTerms { ord_type: OrdType::Market, ..sell("1") };
    assert_eq!(ask(&mut rig, market), Some(Reason::SelfMatch));
    assert_eq!(ask(&mut rig, limit_terms(Side::Buy, 1, "99.50")), None, "the same side");
    let stop = OrderTerms { ord_type: OrdType::Stop { stop_px: price("99") }, ..sell("1") };
    assert_eq!(ask(&mut rig, stop), None, "waits for its trigger");
    assert_eq!(
        rig.replace(resting, Side::Buy, 10, "99.51"),
        Err(Reason::SelfMatch),
        "by a replace"
    );

    let mut rig = self::rig(&global("self_match", "cancel_old"));
    let resting = rig.resting(Side::Buy, 10, "99.50");
    let new = rig.draft(OTHER, IBM, sell("99.50"));
    let mut out = CoreOut::default();
    rig.core.request(rig.at, OTHER, &OrderRequest::New(new), &rig.market, &mut out);
    let sent: Vec<_> = out.approved.iter().map(|approved| *approved.request()).collect();
    let cancel = crate::msg::CancelOrder::of(resting);
    assert_eq!(sent, [OrderRequest::Cancel(cancel), OrderRequest::New(new)], "the old one first");
    // In doubt it cannot be taken back by name.
    let mut rig = self::rig(&global("self_match", "cancel_old"));
    rig.order(Side::Buy, 10, "99.50").1.unwrap();
    rig.at = rig.at + Nanos::from_secs(3);
    rig.core.tick(rig.at, &mut CoreOut::default());
    assert_eq!(rig.core.oms.in_doubt(), 1);
    assert_eq!(ask(&mut rig, sell("99.50")), Some(Reason::SelfMatch));

    // Not ours: only a kill takes it back.
    let mut rig = self::rig(&global("self_match", "cancel_old"));
    let strange = OrderSnapshot {
        cl_ord_id: None,
        venue_order_id: VenueOrderId(77),
        account: AccountId(0),
        instrument: IBM,
        terms: limit_terms(Side::Buy, 10, "99.50"),
        ord_status: OrdStatus::New,
        cum_qty: Qty::ZERO,
        leaves_qty: Qty::whole(10),
        fills: Vec::new(),
    };
    let snapshot = BrokerSnapshot { orders: vec![strange], positions: vec![] };
    rig.report(Report::Snapshot(Box::new(snapshot)));
    assert_eq!(rig.core.oms.open().count(), 1);
    assert_eq!(ask(&mut rig, sell("99.50")), Some(Reason::SelfMatch), "not ours");
    assert_eq!(ask(&mut rig, sell("99.51")), None);

    let mut rig = self::rig(&[]);
    rig.resting(Side::Buy, 10, "99.50");
    assert!(rig.order(Side::Sell, 1, "99.50").1.is_ok(), "off");
}

#[test]
fn old_data_and_other_clocks_open_nothing() {
    let mut rig = rig(&[row("stale_data", Scope::Symbol(IBM), "2s")]);
    let start = rig.at;
    for (millis, passes) in [(1_999, true), (2_000, true), (2_001, false)] {
        rig.at = start + Nanos::from_millis(millis);
        let verdict = rig.order(Side::Buy, 1, "100").1;
        assert_eq!(verdict.err(), (!passes).then_some(Reason::StaleData), "{millis}");
    }
    let mut rig = self::rig(&global("clock_skew", "500ms"));
    let start = rig.at;
    let stamp = |rig: &mut Rig, at: Timestamp| {
        let quote = Quote {
            ts: at,
            instrument: IBM,
            exchange: ExchangeId(0),
            suspicious: false,
            bid: price("99.99"),
            bid_size: Qty::whole(100),
            ask: price("100.01"),
            ask_size: Qty::whole(100),
        };
        rig.market.apply(rig.at, &MarketData::Quote(quote));
    };
    for (millis, passes) in [(499, true), (500, true), (501, false)] {
        let expected = (!passes).then_some(Reason::ClockSkew);
        stamp(&mut rig, start + Nanos::from_millis(millis));
        assert_eq!(rig.order(Side::Buy, 1, "100").1.err(), expected, "{millis} ahead");
        stamp(&mut rig, start - Nanos::from_millis(millis));
        assert_eq!(rig.order(Side::Buy, 1, "100").1.err(), expected, "{millis} behind");
    }
    stamp(&mut rig, start);
    let (id, _) = rig.order(Side::Buy, 1, "100");
    let mut report = execution(id, ExecType::New, OrdStatus::New, 0, 0, "0");
    report.transact_time = rig.at + Nanos::from_millis(501);
    rig.report(Report::Execution(report));
    assert_eq!(rig.order(Side::Buy, 1, "100").1.err(), Some(Reason::ClockSkew), "the broker's");
}

#[test]
fn a_day_has_a_budget() {
    let mut rig = rig(&global("day_orders", "3"));
    let id = rig.resting(Side::Buy, 1, "100");
    rig.replace(id, Side::Buy, 2, "100").unwrap();
    rig.order(Side::Buy, 1, "100").1.unwrap();
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::DayOrders));
    rig.at = rig.at + Nanos::from_secs(86_400);
    rig.quote(IBM, "99.99", "100.01");
    assert!(rig.order(Side::Buy, 1, "100").1.is_ok(), "a new day");

    let mut rig = self::rig(&global("day_value_sent", "1000"));
    let id = rig.resting(Side::Buy, 4, "100");
    assert_eq!(rig.replace(id, Side::Buy, 7, "100"), Err(Reason::DayValueSent), "all of it again");
    rig.replace(id, Side::Buy, 5, "100").unwrap();
    assert_eq!(rig.order(Side::Buy, 2, "100").1, Err(Reason::DayValueSent));
    assert!(rig.order(Side::Buy, 1, "100").1.is_ok());

    let mut rig = self::rig(&global("day_value_traded", "1000"));
    rig.held(Side::Buy, 5, "100");
    let id = rig.resting(Side::Buy, 5, "100");
    assert_eq!(rig.order(Side::Buy, 6, "100").1, Err(Reason::DayValueTraded));
    assert_eq!(rig.replace(id, Side::Buy, 6, "100"), Err(Reason::DayValueTraded));
    assert!(rig.order(Side::Sell, 5, "100").1.is_ok());
}

#[test]
fn only_listed_accounts() {
    let own = row("account_list", Scope::Agent(AGENT), "paper");
    let none = LimitRow { value: LimitValue::List(Vec::new()), ..own.clone() };
    assert!(rig(&[own]).order(Side::Buy, 1, "100").1.is_ok());
    assert_eq!(rig(&[none]).order(Side::Buy, 1, "100").1, Err(Reason::AccountList));
}

/// A change holds at once, in its version only; windows go on counting through it.
#[test]
fn limits_change_while_orders_are_open() {
    let mut rig = rig(&global("order_rate", "10/1s"));
    for _ in 0..3 {
        rig.order(Side::Buy, 10, "100").1.unwrap();
    }
    assert!(rig.set(row("order_rate", Scope::Global, "4/1s")));
    rig.order(Side::Buy, 1, "100").1.unwrap();
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::OrderRate), "three were before it");
    assert!(rig.set(row("max_position", Scope::Agent(AGENT), "20")));
    assert_eq!(rig.core.risk.limits_version(), 2);
    rig.at = rig.at + Nanos::from_secs(1);
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::MaxPosition), "below what is open");
    assert!(rig.order(Side::Sell, 1, "100").1.is_ok());

    let digest = rig.core.digest(&rig.market);
    let rows = rig.core.risk.propose(row("max_order_qty", Scope::Global, "1")).unwrap().rows;
    for version in [1, 2, 4] {
        let change = LimitsChange { version, rows: rows.clone(), who: "x".into(), why: "y".into() };
        rig.core.control(rig.at, &Control::Limits(change), &mut CoreOut::default());
        assert_eq!(rig.core.digest(&rig.market), digest, "version {version} follows nothing");
    }
    for bad in [
        row("max_order_qty", Scope::Global, "off"),
        row("max_order_qty", Scope::Global, "-1"),
        row("max_order_qty", Scope::Global, "many"),
        row("max_orders", Scope::Global, "1"),
        row("message_budget", Scope::Agent(AGENT), "1/1s"),
        row("message_budget", Scope::Global, "10/1s, 10% for cancels"),
    ] {
        assert!(!rig.set(bad.clone()), "{bad:?}");
    }
}

#[test]
fn what_loosens_is_known() {
    let rig = rig(&[
        row("price_collar", Scope::Global, "5%"),
        row("open_orders", Scope::Global, "10"),
        row("order_rate", Scope::Global, "10/1s"),
        row("buying_power", Scope::Global, "0, 1% fees"),
        row("self_match", Scope::Global, "cancel_old"),
        row("short_selling", Scope::Global, "deny"),
        row("message_budget", Scope::Global, "100/1s, 30% for cancels"),
        row("price_drift", Scope::Global, "10%/60s"),
    ]);
    for (control, value, tightens) in [
        ("max_order_qty", "999999", true),
        ("max_order_qty", "1000001", false),
        ("price_collar", "4%", true),
        ("price_collar", "4%, 10 ticks", true),
        ("price_collar", "10 ticks", false),
        ("price_collar", "6%", false),
        ("open_orders", "10", true),
        ("open_orders", "off", false),
        ("order_rate", "10/2s", true),
        ("order_rate", "20/2s", false),
        ("order_rate", "5/500ms", false),
        ("buying_power", "1, 1% fees", true),
        ("buying_power", "1", false),
        ("buying_power", "-1, 2% fees", false),
        ("self_match", "cancel_new", true),
        ("self_match", "off", false),
        ("short_selling", "allow", false),
        ("message_budget", "100/1s, 40% for cancels", true),
        ("message_budget", "100/1s", false),
        ("price_drift", "10%/120s", true),
        ("price_drift", "10%/30s", false),
        ("leverage", "2", true),
        ("symbol_list", "IBM", true),
        ("duplicate_intent", "deny", true),
    ] {
        let proposal = rig.core.risk.propose(row(control, Scope::Global, value)).unwrap();
        assert_eq!(proposal.tightens, tightens, "{control} {value}");
    }
    let narrower = rig.core.risk.propose(row("max_order_qty", Scope::Agent(AGENT), "9999999"));
    assert!(narrower.unwrap().tightens, "one row more never loosens");
}

/// C28: what an operator is asked to say twice.
#[test]
fn more_than_half_of_a_limit_is_large() {
    let mut rig = rig(&global("max_order_qty", "100"));
    for (qty, large) in [(49, None), (50, None), (51, Some("max_order_qty"))] {
        let new = rig.draft(AgentId::OPERATOR, IBM, limit_terms(Side::Buy, qty, "100"));
        let digest = rig.core.digest(&rig.market);
        let (at, Core { risk, oms, .. }) = (rig.at, &mut rig.core);
        assert_eq!(risk.large(at, &OrderRequest::New(new), oms, &rig.market), large, "{qty}");
        assert_eq!(rig.core.digest(&rig.market), digest, "asking changes nothing");
    }
    assert!(check::SIZED.iter().all(|name| check::find(name).is_some()));
}
