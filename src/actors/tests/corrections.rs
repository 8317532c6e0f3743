//! Trades that a broker takes back or states anew: told, told twice, told too early, not told.

use super::*;
use crate::msg::{FillSnapshot, OrderSnapshot, PositionSnapshot, TradeCorrection};

/// The name that [`execution`] gives the fill of an order after which so much is filled.
fn exec_id(id: ClientOrderId, cum: i64) -> ExecId {
    execution(id, ExecType::Trade, OrdStatus::Filled, cum, 0, "0").exec_id
}

fn correction(id: ClientOrderId, cum: i64, corrected: Option<(i64, &str)>) -> TradeCorrection {
    TradeCorrection {
        cl_ord_id: id,
        venue_order_id: VenueOrderId(u128::from(id.seq)),
        exec_id: ExecId(900),
        exec_ref_id: exec_id(id, cum),
        corrected: corrected.map(|(qty, at)| listed(ExecId(900), qty, at)),
        ord_status: OrdStatus::Canceled,
        leaves_qty: Qty::ZERO,
    }
}

fn listed(exec_id: ExecId, qty: i64, at: &str) -> FillSnapshot {
    let (qty, price) = (Qty::whole(qty), price(at));
    FillSnapshot { exec_id, qty, price, fee: Notional::ZERO, transact_time: Timestamp::ZERO }
}

/// An order over 7 at 99 that filled in two parts, 3 and 4.
fn filled() -> (Rig, ClientOrderId) {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 7, "99");
    rig.accept(id);
    rig.fill(id, 3, 3, "98", OrdStatus::PartiallyFilled);
    rig.fill(id, 7, 4, "99", OrdStatus::Filled);
    (rig, id)
}

impl Rig {
    /// Position and money in the order's name.
    fn booked(&self) -> (Qty, Notional) {
        let books = &self.core.oms.books;
        let paid = self.core.oms.fills().iter().map(|fill| fill.price.notional(fill.qty, 1)).sum();
        (books.account(AccountId(0), IBM).position, paid)
    }

    /// A snapshot of this one order, asked for a while after what happened before.
    fn shown(&mut self, id: ClientOrderId, status: OrdStatus, fills: &[(i64, &str)]) {
        self.at = self.at + Nanos::from_secs(30);
        let cum_qty: i64 = fills.iter().map(|(qty, _)| *qty).sum();
        let order = OrderSnapshot {
            cl_ord_id: Some(id),
            venue_order_id: VenueOrderId(u128::from(id.seq)),
            account: AccountId(0),
            instrument: IBM,
            terms: limit_terms(Side::Buy, 7, "99"),
            ord_status: status,
            cum_qty: Qty::whole(cum_qty),
            leaves_qty: match status {
                OrdStatus::PartiallyFilled | OrdStatus::New => Qty::whole(7 - cum_qty),
                _ => Qty::ZERO,
            },
            fills: fills.iter().map(|(qty, at)| listed(ExecId(1), *qty, at)).collect(),
        };
        let position = PositionSnapshot {
            account: AccountId(0),
            instrument: IBM,
            qty: Qty::whole(cum_qty),
            avg_px: Price::ZERO,
        };
        let snapshot = BrokerSnapshot { orders: vec![order], positions: vec![position] };
        self.report(Report::Snapshot(Box::new(snapshot)));
    }
}

#[test]
fn a_cancelled_trade_is_taken_back_once() {
    let (mut rig, id) = filled();
    let bust = Report::Correction(Box::new(correction(id, 3, None)));
    let out = rig.report(bust.clone());
    assert_eq!(out.news.snapshots, [BrokerId(0)], "the position must agree afterwards");
    let [update] = &out.news.updates[..] else { panic!("{:?}", out.news.updates) };
    assert_eq!(
        (update.exec_type, update.last_qty, update.last_px, update.cum_qty),
        (Some(ExecType::TradeCancel), Qty::whole(3), price("98"), Qty::whole(4))
    );
    let left = (Qty::whole(4), Notional::whole(396));
    assert_eq!(rig.booked(), left);
    // Told again, and the trades told again under the count of before.
    rig.report(bust);
    rig.fill(id, 3, 3, "98", OrdStatus::PartiallyFilled);
    rig.fill(id, 7, 4, "99", OrdStatus::Filled);
    assert_eq!(rig.booked(), left);
    assert!(rig.core.oms.find(id).unwrap().1.state.is_done(), "the broker does not work on");
    rig.check_books();
}

#[test]
fn an_order_that_the_broker_works_on_counts_again() {
    let (mut rig, id) = filled();
    let (ord_status, leaves_qty) = (OrdStatus::PartiallyFilled, Qty::whole(4));
    let bust = correction(id, 7, None);
    let said = TradeCorrection { ord_status, leaves_qty, ..bust };
    rig.report(Report::Correction(Box::new(said)));
    let (_, order) = rig.core.oms.find(id).unwrap();
    assert_eq!((order.state.stage, order.leaves()), (Stage::Working, Qty::whole(4)));
    rig.check_books();
    // A trade of its own under the count that the busted one had.
    let mut report = execution(id, ExecType::Trade, OrdStatus::Filled, 7, 4, "97");
    report.exec_id = ExecId(901);
    rig.report(Report::Execution(report));
    assert_eq!(rig.booked(), (Qty::whole(7), Notional::whole(294 + 388)));
    assert!(rig.core.oms.find(id).unwrap().1.state.is_done());
    rig.check_books();
}

#[test]
fn a_corrected_trade_stands_as_corrected() {
    let (mut rig, id) = filled();
    let out = rig.report(Report::Correction(Box::new(correction(id, 7, Some((2, "97"))))));
    let told: Vec<_> =
        out.news.updates.iter().map(|news| (news.exec_type, news.last_qty)).collect();
    assert_eq!(
        told,
        [
            (Some(ExecType::TradeCancel), Qty::whole(4)),
            (Some(ExecType::TradeCorrect), Qty::whole(2))
        ]
    );
    assert_eq!(rig.booked(), (Qty::whole(5), Notional::whole(294 + 194)));
    // The correction itself can be taken back.
    let bust = TradeCorrection { exec_ref_id: ExecId(900), ..correction(id, 0, None) };
    rig.report(Report::Correction(Box::new(bust)));
    assert_eq!(rig.booked(), (Qty::whole(3), Notional::whole(294)));
    rig.check_books();
}

#[test]
fn a_trade_that_was_cancelled_before_it_was_told_is_never_booked() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 7, "99");
    rig.accept(id);
    rig.report(Report::Correction(Box::new(correction(id, 3, None))));
    rig.fill(id, 3, 3, "98", OrdStatus::PartiallyFilled);
    assert_eq!(rig.booked(), (Qty::ZERO, Notional::ZERO));
    rig.check_books();
}

#[test]
fn a_correction_that_was_not_told_takes_two_snapshots() {
    let (mut rig, id) = filled();
    rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
    assert_eq!(rig.booked().0, Qty::whole(7), "one may be old");
    rig.shown(id, OrdStatus::Filled, &[(3, "98"), (4, "99")]);
    rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
    assert_eq!(rig.booked().0, Qty::whole(7), "one that agrees ends the dispute");
    rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
    assert_eq!(rig.booked(), (Qty::whole(3), Notional::whole(294)));
    assert_eq!(rig.core.oms.find(id).unwrap().1.leaves(), Qty::whole(4));
    rig.check_books();
    // Only the price, over and over, under the one name that this broker has for the fill.
    for (at, paid) in [("97", 291), ("96", 288), ("98", 294)] {
        for _ in 0..3 {
            rig.shown(id, OrdStatus::PartiallyFilled, &[(3, at)]);
        }
        assert_eq!(rig.booked(), (Qty::whole(3), Notional::whole(paid)));
        rig.check_books();
    }
}

#[test]
fn two_snapshots_of_one_moment_are_one() {
    let (mut rig, id) = filled();
    rig.shown(id, OrdStatus::Canceled, &[(3, "98")]);
    rig.at = rig.at - Nanos::from_millis(29_900);
    rig.shown(id, OrdStatus::Canceled, &[(3, "98")]);
    assert_eq!(rig.booked().0, Qty::whole(7), "they may be equally old");
    // A later one that does not list the order says that nothing has changed since.
    rig.at = rig.at + Nanos::from_secs(30);
    rig.report(Report::Snapshot(Box::default()));
    assert_eq!(rig.booked(), (Qty::whole(3), Notional::whole(294)));
    rig.check_books();
}

#[test]
fn a_fill_corrected_under_its_own_name_is_corrected_once() {
    let (mut rig, id) = filled();
    let mut said = correction(id, 7, Some((4, "97")));
    said.exec_id = said.exec_ref_id;
    said.corrected = Some(listed(said.exec_ref_id, 4, "97"));
    for _ in 0..3 {
        rig.report(Report::Correction(Box::new(said)));
        assert_eq!(rig.booked(), (Qty::whole(7), Notional::whole(294 + 388)));
    }
    rig.fill(id, 7, 4, "99", OrdStatus::Filled);
    assert_eq!(rig.booked(), (Qty::whole(7), Notional::whole(294 + 388)));
    said.corrected = Some(listed(said.exec_ref_id, 4, "96"));
    rig.report(Report::Correction(Box::new(said)));
    assert_eq!(rig.booked(), (Qty::whole(7), Notional::whole(294 + 384)));
    rig.check_books();
}

#[test]
fn an_order_that_snapshots_go_on_listing_as_open_lives() {
    for (exec_type, status) in
        [(ExecType::Canceled, OrdStatus::Canceled), (ExecType::Expired, OrdStatus::Expired)]
    {
        let mut rig = rig(&[]);
        let (id, _) = rig.order(Side::Buy, 7, "99");
        rig.accept(id);
        rig.fill(id, 3, 3, "98", OrdStatus::PartiallyFilled);
        rig.report(Report::Execution(execution(id, exec_type, status, 3, 0, "0")));
        let stage = |rig: &Rig| rig.core.oms.find(id).unwrap().1.state.stage;
        let ended = stage(&rig);
        rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
        assert_eq!(stage(&rig), ended, "one may be old");
        rig.shown(id, status, &[(3, "98")]);
        rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
        assert_eq!(stage(&rig), ended, "one that agrees ends the dispute");
        rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "98")]);
        let (_, order) = rig.core.oms.find(id).unwrap();
        assert_eq!((order.state.stage, order.leaves()), (Stage::Working, Qty::whole(4)));
        assert_eq!(order.reserved, Qty::whole(4), "it counts again");
        rig.check_books();
        rig.report(Report::Execution(execution(id, exec_type, status, 3, 0, "0")));
        assert_eq!(stage(&rig), ended);
        rig.check_books();
    }
}

/// What counted for the end must not count for the doubt of it.
#[test]
fn an_end_between_two_snapshots_is_not_undone_by_the_second() {
    let (mut rig, id) = filled();
    rig.report(Report::Correction(Box::new(TradeCorrection {
        ord_status: OrdStatus::PartiallyFilled,
        leaves_qty: Qty::whole(4),
        ..correction(id, 7, None)
    })));
    // Another price, in dispute since here.
    rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "97")]);
    let canceled = execution(id, ExecType::Canceled, OrdStatus::Canceled, 3, 0, "0");
    rig.report(Report::Execution(canceled));
    rig.shown(id, OrdStatus::PartiallyFilled, &[(3, "97")]);
    assert_eq!(rig.core.oms.find(id).unwrap().1.state.stage, Stage::Canceled);
    rig.check_books();
}
