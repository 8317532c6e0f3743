//! Each order type, each way it can fill; times in force; replace, cancel, duplicates.

use super::*;
use Side::{Buy, Sell};
use TimeInForce::{Day, Fok, Gtc, Gtd, Ioc};

fn trailing(offset: &str) -> OrdType {
    OrdType::TrailingStop { offset: TrailingOffset::Price(px(offset)) }
}

fn stop_limit(stop: &str, price: &str) -> OrdType {
    OrdType::StopLimit { stop_px: px(stop), price: px(price) }
}

enum Then {
    Q(&'static str, &'static str),
    T(&'static str),
}
use Then::{Q, T};

/// Quote 10.00/10.02 first, then the order of 5, then the events; what was said.
fn run(side: Side, ord_type: OrdType, tif: TimeInForce, then: &[Then]) -> Vec<String> {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    lab.order(1, side, 5, ord_type, tif);
    for event in then {
        match event {
            Q(bid, ask) => lab.quote(bid, ask),
            T(price) => lab.trade(price, 100),
        }
    }
    lab.said()
}

#[test]
fn each_type_fills_as_the_table_says() {
    let points = OrdType::TrailingStop { offset: TrailingOffset::BasisPoints(100) };
    type Case<'a> = (Side, OrdType, &'a [Then], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (Buy, OrdType::Market, &[], &["1 fill 5@10.02"]),
        (Sell, OrdType::Market, &[], &["1 fill 5@10"]),
        // Marketable on arrival: the touch, not the limit.
        (Buy, limit("10.05"), &[], &["1 fill 5@10.02"]),
        (Sell, limit("9.50"), &[], &["1 fill 5@10"]),
        // Resting: its own price, at or through, by quote or trade.
        (Buy, limit("9.99"), &[Q("9.97", "9.99")], &["1 fill 5@9.99"]),
        (Buy, limit("9.99"), &[Q("9.90", "9.95")], &["1 fill 5@9.99"]),
        (Buy, limit("9.99"), &[T("9.99")], &["1 fill 5@9.99"]),
        (Buy, limit("9.99"), &[T("10.00"), Q("9.99", "10.00")], &[]),
        (Sell, limit("10.03"), &[T("10.04")], &["1 fill 5@10.03"]),
        (Sell, limit("10.03"), &[Q("10.03", "10.05")], &["1 fill 5@10.03"]),
        // Stops: by trade or by the touch they take; then a market order.
        (Buy, stop("10.10"), &[T("10.09"), Q("10.00", "10.09")], &[]),
        (Buy, stop("10.10"), &[T("10.10")], &["1 fill 5@10.02"]),
        (Buy, stop("10.10"), &[Q("10.10", "10.12")], &["1 fill 5@10.12"]),
        (Sell, stop("9.90"), &[T("9.90")], &["1 fill 5@10"]),
        (Sell, stop("9.90"), &[Q("9.89", "9.95")], &["1 fill 5@9.89"]),
        // Behind the market on arrival: at once.
        (Sell, stop("10.05"), &[], &["1 fill 5@10"]),
        (Buy, stop_limit("10.10", "10.11"), &[Q("10.09", "10.10")], &["1 fill 5@10.1"]),
        (Buy, stop_limit("10.10", "10.11"), &[Q("10.19", "10.20")], &[]),
        (
            Buy,
            stop_limit("10.10", "10.11"),
            &[Q("10.19", "10.20"), Q("10.0", "10.05")],
            &["1 fill 5@10.11"],
        ),
        (Buy, stop_limit("10.10", "10.11"), &[Q("10.0", "10.05")], &[]),
        // Trailing: follows the best price only.
        (Sell, trailing("0.10"), &[Q("10.20", "10.22"), Q("10.11", "10.13")], &[]),
        (Sell, trailing("0.10"), &[Q("10.20", "10.22"), Q("10.10", "10.12")], &["1 fill 5@10.1"]),
        (Sell, trailing("0.10"), &[Q("9.90", "9.92")], &["1 fill 5@9.9"]),
        (Sell, trailing("0.10"), &[T("10.50"), T("10.40")], &["1 fill 5@10"]),
        (Buy, trailing("0.10"), &[Q("9.80", "9.82"), Q("9.90", "9.92")], &["1 fill 5@9.92"]),
        (Buy, points, &[Q("9.88", "9.90"), Q("9.98", "10.00")], &["1 fill 5@10"]),
        (Buy, points, &[Q("9.88", "9.90"), Q("9.97", "9.98")], &[]),
    ];
    for (at, (side, ord_type, then, expected)) in cases.iter().enumerate() {
        let mut all = vec!["1 new".to_string()];
        all.extend(expected.iter().map(ToString::to_string));
        assert_eq!(run(*side, *ord_type, Gtc, then), all, "case {at}");
    }
}

#[test]
fn displayed_size_limits_fills_and_comes_back_with_a_new_quote() {
    let mut lab = Lab::new(FillModel::Displayed);
    lab.sized("10.00", 100, "10.02", 30);
    lab.order(1, Buy, 50, OrdType::Market, Gtc);
    lab.order(2, Buy, 10, OrdType::Market, Ioc);
    lab.order(3, Buy, 10, OrdType::Market, Fok);
    let said = ["1 new", "1 fill 30@10.02", "2 new", "2 canceled", "3 new", "3 canceled"];
    assert_eq!(lab.said(), said);
    lab.sized("10.01", 100, "10.02", 30);
    assert!(lab.said().is_empty(), "the same quote shows nothing new");
    lab.sized("10.01", 100, "10.03", 35);
    assert_eq!(lab.said(), ["1 fill 20@10.03"]);
    lab.order(4, Buy, 20, limit("10.05"), Ioc);
    lab.order(5, Buy, 20, limit("10.05"), Gtc);
    assert_eq!(lab.said(), ["4 new", "4 fill 15@10.03", "4 canceled", "5 new"]);
    // A trade brings its own size, for one after the other.
    lab.order(6, Buy, 20, limit("10.01"), Gtc);
    lab.trade("10.00", 25);
    assert_eq!(lab.said(), ["6 new", "5 fill 20@10.05", "6 fill 5@10.01"]);
    let order = lab.left(6);
    assert_eq!((order.cum, order.leaves()), (Qty::whole(5), Qty::whole(15)));
}

#[test]
fn bars_fill_at_their_close_or_within_their_range() {
    let bar = |ts, low: &str, high: &str, close: &str| {
        MarketData::Bar(Bar {
            ts: Timestamp::from_nanos(ts),
            instrument: InstrumentId(0),
            interval: Nanos::from_secs(60),
            price: Ohlc { open: px(close), high: px(high), low: px(low), close: px(close) },
            volume: Qty::whole(100),
        })
    };
    let mut lab = Lab::new(FillModel::SameBarClose);
    lab.quote("1.00", "1.01");
    lab.order(1, Buy, 5, OrdType::Market, Gtc);
    lab.market(bar(5_000, "9", "11", "10"));
    lab.order(2, Sell, 5, OrdType::Market, Gtc);
    lab.order(3, Buy, 5, limit("9.50"), Gtc);
    lab.market(bar(6_000, "9", "11", "10"));
    lab.market(bar(7_000, "9", "11", "9.4"));
    let said = ["1 new", "1 fill 5@10", "2 new", "2 fill 5@10", "3 new", "3 fill 5@9.4"];
    assert_eq!(lab.said(), said);

    let mut lab = Lab::new(FillModel::Touch);
    lab.market(bar(5_000, "9", "11", "10"));
    lab.order(1, Buy, 5, OrdType::Market, Gtc);
    lab.order(2, Buy, 5, limit("9.50"), Gtc);
    lab.market(bar(6_000, "9.6", "11", "10"));
    lab.market(bar(7_000, "9.5", "11", "10"));
    assert_eq!(lab.said(), ["1 new", "1 fill 5@10", "2 new", "2 fill 5@9.5"]);
}

#[test]
fn cash_becomes_whole_lots_at_the_fill_price() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    let mut cash = terms(Buy, 1, OrdType::Market, Day);
    cash.qty = OrderQty::Cash(Notional::whole(100));
    lab.submit(new_order(1, cash));
    cash.qty = OrderQty::Cash(Notional::whole(10));
    lab.submit(new_order(2, cash));
    assert_eq!(lab.said(), ["1 new", "1 fill 9@10.02", "2 new", "2 canceled invalid_order"]);
    assert_eq!(lab.exchange.accounts().cash(AccountId(0)).to_string(), "-90.18");
}

#[test]
fn times_in_force_end_orders() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.order(1, Buy, 5, OrdType::Market, Ioc);
    lab.order(2, Buy, 5, limit("9"), Fok);
    lab.order(3, Buy, 5, limit("9"), Day);
    let mut dated = terms(Buy, 5, limit("9"), Gtd);
    lab.submit(new_order(4, dated));
    dated.expire_at = Some(Timestamp::from_nanos(5_000));
    lab.submit(new_order(5, dated));
    lab.order(6, Buy, 5, limit("9"), TimeInForce::Opg);
    lab.order(7, Buy, 5, limit("9"), TimeInForce::Cls);
    lab.order(8, Buy, 5, limit("9"), Gtc);
    let said = [
        "1 new",
        "1 canceled",
        "2 new",
        "2 canceled",
        "3 new",
        "4 rejected invalid_order",
        "5 new",
        "6 rejected broker_unsupported",
        "7 rejected broker_unsupported",
        "8 new",
    ];
    assert_eq!(lab.said(), said);
    assert_eq!(lab.exchange.next_event(), Some(Timestamp::from_nanos(5_000)));
    lab.market(quote(4_999, "9.5", 1, "9.6", 1));
    assert!(lab.said().is_empty());
    // The record that comes when time is up cannot fill the order any more.
    lab.market(quote(5_000, "8", 1, "8.5", 1));
    assert_eq!(lab.said(), ["5 expired", "3 fill 5@9", "8 fill 5@9"]);
    lab.order(9, Buy, 5, limit("1"), Day);
    let midnight = 86_400_000_000_000;
    assert_eq!(lab.exchange.next_event(), Some(Timestamp::from_nanos(midnight)));
    lab.exchange.advance(Timestamp::from_nanos(midnight), &mut lab.out);
    assert_eq!(lab.said(), ["9 new", "9 expired"]);
    assert_eq!(lab.exchange.next_event(), None);
}

#[test]
fn replace_keeps_the_chain_and_the_filled_part() {
    let mut lab = Lab::new(FillModel::Displayed);
    lab.sized("10.00", 100, "10.02", 30);
    lab.order(1, Buy, 50, limit("10.02"), Gtc);
    lab.replace(1, 2, terms(Buy, 40, limit("10.00"), Gtc));
    let order = lab.left(1);
    assert_eq!((order.cl_ord_id, order.qty, order.cum), (id(2), Qty::whole(40), Qty::whole(30)));
    assert_eq!(lab.said(), ["1 new", "1 fill 30@10.02", "2 replaced"]);
    lab.replace(1, 3, terms(Buy, 60, limit("10.00"), Gtc));
    lab.replace(2, 1, terms(Buy, 60, limit("10.00"), Gtc));
    lab.replace(2, 3, terms(Buy, 30, limit("10.00"), Gtc));
    lab.replace(2, 3, terms(Sell, 60, limit("10.00"), Gtc));
    lab.replace(99, 3, terms(Buy, 60, limit("10.00"), Gtc));
    assert_eq!(
        lab.said(),
        [
            "1 refused Replace unknown_order",
            "2 refused Replace broker_duplicate",
            "2 refused Replace broker_too_late",
            "2 refused Replace invalid_order",
            "99 refused Replace unknown_order",
        ]
    );
    // A better price takes the touch at once.
    lab.sized("10.00", 100, "10.01", 50);
    lab.replace(2, 3, terms(Buy, 60, limit("10.05"), Gtc));
    lab.replace(3, 4, terms(Buy, 90, limit("10.05"), Gtc));
    lab.cancel(1);
    lab.cancel(98);
    assert_eq!(
        lab.said(),
        [
            "3 replaced",
            "3 fill 30@10.01",
            "3 refused Replace broker_too_late",
            "1 refused Cancel broker_too_late",
            "98 refused Cancel unknown_order",
        ]
    );
}

/// INV-9, seen from the other side.
#[test]
fn a_known_id_is_refused_for_ever_and_changes_nothing() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.order(1, Buy, 5, limit("9"), Gtc);
    lab.replace(1, 2, terms(Buy, 6, limit("9"), Gtc));
    lab.order(3, Buy, -1, limit("9"), Gtc);
    lab.said();
    for seq in [1, 2, 3] {
        lab.order(seq, Buy, 5, OrdType::Market, Gtc);
        assert_eq!(lab.said(), [format!("{seq} rejected broker_duplicate")]);
    }
    assert_eq!(lab.left(2).qty, Qty::whole(6));
    lab.cancel(1);
    assert_eq!(lab.said(), ["2 canceled"]);
    lab.order(2, Buy, 5, OrdType::Market, Gtc);
    assert_eq!(lab.said(), ["2 rejected broker_duplicate"]);
    assert_eq!(lab.exchange.orders().len(), 2);
}

#[test]
fn a_halt_holds_fills_back() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    let status = |ts, halted| {
        MarketData::Status(SecurityStatus {
            ts: Timestamp::from_nanos(ts),
            instrument: InstrumentId(0),
            halted,
        })
    };
    lab.market(status(2_000, true));
    lab.order(1, Buy, 5, limit("10.05"), Gtc);
    lab.order(2, Buy, 5, OrdType::Market, Ioc);
    lab.trade("9.00", 10);
    assert_eq!(lab.said(), ["1 new", "2 new", "2 canceled halted"]);
    lab.market(status(3_000, false));
    assert_eq!(lab.said(), ["1 fill 5@10.02"]);
}

#[test]
fn suspicious_records_and_crossed_touches() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    lab.order(1, Buy, 5, limit("9.00"), Gtc);
    let MarketData::Quote(mut doubtful) = quote(2_000, "8", 1, "8.5", 1) else { unreachable!() };
    doubtful.suspicious = true;
    lab.market(MarketData::Quote(doubtful));
    assert_eq!(lab.said(), ["1 new"]);
    // Crossed: each side stands on its own.
    lab.quote("10.05", "9.95");
    lab.order(2, Buy, 5, OrdType::Market, Ioc);
    lab.order(3, Sell, 5, OrdType::Market, Ioc);
    assert_eq!(lab.said(), ["2 new", "2 fill 5@9.95", "3 new", "3 fill 5@10.05"]);
    // One side goes, the other stays.
    lab.sized("0", 0, "9.95", 0);
    lab.order(4, Buy, 5, OrdType::Market, Ioc);
    lab.order(5, Sell, 5, OrdType::Market, Ioc);
    assert_eq!(lab.said(), ["4 new", "4 canceled", "5 new", "5 fill 5@10.05"]);
}

#[test]
fn odd_orders_are_rejected() {
    let mut lab = Lab::new(FillModel::Touch);
    let invalid = [
        terms(Buy, 0, OrdType::Market, Day),
        terms(Buy, -5, OrdType::Market, Day),
        terms(Buy, 5, limit("10.001"), Day),
        terms(Buy, 5, limit("0"), Day),
        terms(Buy, 5, stop("-1"), Day),
        terms(Buy, 5, trailing("0"), Day),
        OrderTerms { qty: OrderQty::Units(Qty::from_raw(1)), ..terms(Buy, 5, limit("1"), Day) },
        OrderTerms { qty: OrderQty::Cash(Notional::ZERO), ..terms(Buy, 5, limit("1"), Day) },
    ];
    for (at, terms) in invalid.into_iter().enumerate() {
        let seq = at as u32 + 1;
        lab.submit(new_order(seq, terms));
        assert_eq!(lab.said(), [format!("{seq} rejected invalid_order")]);
    }
    let mut lost = new_order(50, terms(Buy, 5, OrdType::Market, Day));
    lost.instrument = InstrumentId(9);
    lab.submit(lost);
    assert_eq!(lab.said(), ["50 rejected invalid_order"]);
}

#[test]
fn a_position_never_leaves_the_range_of_numbers() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    for seq in 1..=3 {
        lab.order(seq, Buy, 4_000_000_000, OrdType::Market, Day);
    }
    let said = lab.said();
    assert_eq!(said.last().unwrap(), "3 canceled broker_other");
    let position = lab.exchange.accounts().position(AccountId(0), InstrumentId(0));
    assert_eq!(position, Qty::whole(8_000_000_000));
}

/// Day orders end with their session, dated ones at their time; orders until cancelled carry over.
/// None of them fills in hours that it is not for.
#[test]
fn orders_keep_the_hours_of_their_market() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let hours = |(_, i): (_, &Instrument)| Instrument { calendar: Calendar::UsEquity, ..i.clone() };
    let stocks = InstrumentTable::new(table().iter().map(hours).collect()).unwrap();
    let mut lab = Lab::new(FillModel::Touch);
    lab.exchange = Exchange::new(&ExchangeConfig::default(), stocks).unwrap();
    lab.exchange.open_account("main").unwrap();
    // Friday before summer time ends, an hour before the close.
    lab.now = at("2024-11-01T19:00:00Z").nanos();
    lab.quote("10", "11");
    lab.order(1, Buy, 5, limit("9"), Day);
    lab.order(2, Buy, 5, limit("9"), Gtc);
    let late = OrderTerms { extended_hours: true, ..terms(Buy, 5, limit("8"), Day) };
    lab.exchange.submit(Timestamp::from_nanos(lab.now), &new_order(3, late), &mut lab.out);
    lab.said();
    let close = at("2024-11-01T20:00:00Z");
    assert_eq!(lab.exchange.next_event(), Some(close));
    lab.market(quote(close.nanos() - 1, "9.5", 1, "9.6", 1));
    assert!(lab.said().is_empty());
    // After the close only the order that is for those hours fills.
    lab.market(quote(close.nanos(), "7", 1, "7.5", 1));
    assert_eq!(lab.said(), ["1 expired", "3 fill 5@8"]);
    lab.now = close.nanos();
    lab.order(4, Buy, 5, limit("8"), Ioc);
    assert_eq!(lab.said(), ["4 new", "4 canceled market_closed"]);
    // Monday, an hour later by UTC.
    let open = at("2024-11-04T14:30:00Z");
    lab.market(quote(open.nanos() - 1, "7", 1, "7.5", 1));
    assert!(lab.said().is_empty());
    lab.market(quote(open.nanos(), "7", 1, "7.5", 1));
    assert_eq!(lab.said(), ["2 fill 5@9"]);
    // The eve of Thanksgiving, after its close: the order is for the half day on Friday.
    lab.now = at("2024-11-27T21:00:00Z").nanos();
    lab.order(5, Buy, 5, limit("1"), Day);
    assert_eq!(lab.exchange.next_event(), Some(at("2024-11-29T18:00:00Z")));
}
