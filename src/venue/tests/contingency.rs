//! Orders that depend on each other.

use super::*;
use Side::{Buy, Sell};
use TimeInForce::Gtc;

fn leg(seq: u32, side: Side, qty: i64, ord_type: OrdType) -> Leg {
    Leg { cl_ord_id: id(seq), terms: terms(side, qty, ord_type, Gtc) }
}

fn bracket(qty: i64) -> NewOrder {
    let mut new = new_order(1, terms(Buy, qty, limit("10.02"), Gtc));
    new.contingent = Contingent::Bracket {
        take_profit: leg(2, Sell, qty, limit("10.50")),
        stop_loss: leg(3, Sell, qty, stop("9.50")),
    };
    new
}

#[test]
fn bracket_legs_wait_then_exclude_each_other() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.60", "10.70");
    lab.submit(bracket(10));
    assert_eq!(lab.said(), ["1 new", "2 new", "3 new"], "legs may not trade before the parent");
    lab.quote("10.00", "10.02");
    assert_eq!(lab.said(), ["1 fill 10@10.02"]);
    lab.quote("10.55", "10.57");
    assert_eq!(lab.said(), ["2 fill 10@10.5", "3 canceled"]);
    assert_eq!(lab.exchange.accounts().positions().count(), 0);
}

#[test]
fn bracket_stop_ends_the_profit_leg() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    lab.submit(bracket(10));
    lab.trade("9.50", 1);
    assert_eq!(
        lab.said(),
        ["1 new", "2 new", "3 new", "1 fill 10@10.02", "3 fill 10@10", "2 canceled"]
    );
}

#[test]
fn legs_are_sized_to_what_the_parent_filled() {
    let mut lab = Lab::new(FillModel::Displayed);
    lab.sized("10.00", 100, "10.02", 4);
    lab.submit(bracket(10));
    lab.said();
    lab.sized("10.50", 100, "10.60", 100);
    assert_eq!(lab.said(), ["2 fill 4@10.5", "3 leaves 6"]);
    lab.sized("10.00", 100, "10.02", 3);
    assert_eq!(lab.said(), ["1 fill 3@10.02"]);
    lab.cancel(1);
    // Seven bought, four sold: three are left to protect, by either leg.
    assert_eq!(lab.said(), ["1 canceled", "2 leaves 3", "3 leaves 3"]);
    lab.sized("9.40", 2, "9.50", 100);
    assert_eq!(lab.said(), ["3 fill 2@9.4", "2 leaves 1"]);
    lab.sized("9.30", 2, "9.50", 100);
    assert_eq!(lab.said(), ["3 fill 1@9.3", "2 canceled"]);
    assert_eq!(lab.exchange.accounts().positions().count(), 0);
}

#[test]
fn legs_of_a_parent_that_never_filled_go_with_it() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.submit(bracket(10));
    lab.cancel(1);
    assert_eq!(lab.said(), ["1 new", "2 new", "3 new", "1 canceled", "2 canceled", "3 canceled"]);
    let mut ioc = bracket(10);
    ioc.cl_ord_id = id(11);
    ioc.terms.tif = TimeInForce::Ioc;
    ioc.contingent = Contingent::OneTriggersOther(leg(12, Sell, 10, limit("11")));
    lab.submit(ioc);
    assert_eq!(lab.said(), ["11 new", "12 new", "11 canceled", "12 canceled"]);
}

#[test]
fn one_cancels_other() {
    let oco = || {
        let mut new = new_order(1, terms(Sell, 10, limit("10.50"), Gtc));
        new.contingent = Contingent::OneCancelsOther(leg(2, Sell, 10, stop("9.50")));
        new
    };
    let mut lab = Lab::new(FillModel::Displayed);
    lab.quote("10.00", "10.02");
    lab.submit(oco());
    lab.sized("10.50", 6, "10.52", 100);
    assert_eq!(lab.said(), ["1 new", "2 new", "1 fill 6@10.5", "2 leaves 4"]);
    lab.sized("9.40", 100, "9.50", 100);
    assert_eq!(lab.said(), ["2 fill 4@9.4", "1 canceled"]);

    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    lab.submit(oco());
    lab.cancel(1);
    lab.quote("9.40", "9.50");
    assert_eq!(lab.said(), ["1 new", "2 new", "1 canceled", "2 fill 10@9.4"]);
}

#[test]
fn both_legs_reached_by_one_record_fill_once() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.quote("10.00", "10.02");
    lab.submit(bracket(10));
    lab.said();
    lab.market(MarketData::Bar(Bar {
        ts: Timestamp::from_nanos(9_000),
        instrument: InstrumentId(0),
        interval: Nanos(1),
        price: Ohlc { open: px("10"), high: px("11"), low: px("9"), close: px("10") },
        volume: Qty::whole(1_000),
    }));
    assert_eq!(lab.said(), ["2 fill 10@10.5", "3 canceled"]);
}

#[test]
fn lists_are_taken_whole_or_not_at_all() {
    let mut lab = Lab::new(FillModel::Touch);
    lab.order(3, Buy, 1, limit("1"), Gtc);
    lab.submit(bracket(10));
    assert_eq!(
        lab.said(),
        [
            "3 new",
            "1 rejected broker_duplicate",
            "2 rejected broker_duplicate",
            "3 rejected broker_duplicate",
        ]
    );
    assert!(lab.left(3).is_open());
    let mut odd = bracket(10);
    odd.cl_ord_id = id(20);
    odd.contingent = Contingent::Bracket {
        take_profit: leg(21, Buy, 10, limit("10.50")),
        stop_loss: leg(22, Sell, 10, stop("9.50")),
    };
    lab.submit(odd);
    assert_eq!(lab.said()[0], "20 rejected invalid_order");
}
