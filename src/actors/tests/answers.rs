//! Answers to replaces that are lost, late, repeated or about another one.

use super::*;
use crate::actors::oms::transition::Pending;
use crate::msg::OrderSnapshot;

/// A working order, and a replace of it to 7 at 99 that has no answer yet.
fn replacing() -> (Rig, ClientOrderId, ClientOrderId) {
    let mut rig = rig(&[]);
    let (old, _) = rig.order(Side::Buy, 5, "98");
    rig.accept(old);
    rig.replace(old, Side::Buy, 7, "99").unwrap();
    let new = ClientOrderId { seq: rig.seq, ..old };
    rig.at = rig.at + Nanos::from_millis(10);
    (rig, old, new)
}

fn name(rig: &Rig, id: ClientOrderId) -> ClientOrderId {
    rig.core.oms.find(id).unwrap().1.cl_ord_id
}

fn pending(rig: &Rig, id: ClientOrderId) -> Pending {
    rig.core.oms.find(id).unwrap().1.state.pending
}

fn refused(orig: ClientOrderId, reason: Reason) -> Report {
    let request = RequestKind::Replace;
    Report::CancelReject(CancelReject { cl_ord_id: None, orig_cl_ord_id: orig, request, reason })
}

fn replaced(id: ClientOrderId) -> Report {
    Report::Execution(execution(id, ExecType::Replaced, OrdStatus::New, 0, 0, "0"))
}

fn listed(id: ClientOrderId, venue: ClientOrderId, terms: OrderTerms) -> Report {
    let order = OrderSnapshot {
        cl_ord_id: Some(id),
        venue_order_id: VenueOrderId(u128::from(venue.seq)),
        account: AccountId(0),
        instrument: IBM,
        terms,
        ord_status: OrdStatus::New,
        cum_qty: Qty::ZERO,
        leaves_qty: Qty::whole(7),
        fills: Vec::new(),
    };
    Report::Snapshot(Box::new(BrokerSnapshot { orders: vec![order], positions: Vec::new() }))
}

#[test]
fn a_fill_under_the_new_name_tells_that_the_replace_was_carried_out() {
    let (mut rig, old, new) = replacing();
    rig.fill(new, 3, 3, "99", OrdStatus::PartiallyFilled);
    assert_eq!((name(&rig, old), pending(&rig, old)), (new, Pending::None));
    assert_eq!(rig.core.oms.find(new).unwrap().1.units, Qty::whole(7));
    rig.check_books();
    // The report that was overtaken changes nothing any more.
    rig.report(replaced(new));
    rig.fill(new, 7, 4, "99", OrdStatus::Filled);
    assert_eq!(rig.core.oms.find(new).unwrap().1.state.stage, Stage::Filled);
    rig.check_books();
}

#[test]
fn an_answer_to_one_replace_is_none_to_the_next() {
    let (mut rig, old, new) = replacing();
    rig.report(replaced(new));
    rig.replace(new, Side::Buy, 6, "97").unwrap();
    let next = ClientOrderId { seq: rig.seq, ..old };
    rig.report(replaced(new));
    rig.report(refused(old, Reason::BrokerDuplicate));
    rig.report(refused(old, Reason::UnknownOrder));
    rig.report(refused(new, Reason::BrokerDuplicate));
    assert_eq!((name(&rig, next), pending(&rig, next)), (new, Pending::Replace));
    rig.report(replaced(next));
    assert_eq!((name(&rig, next), pending(&rig, next)), (next, Pending::None));
    assert_eq!(rig.core.oms.find(next).unwrap().1.units, Qty::whole(6));
    rig.check_books();
}

#[test]
fn a_snapshot_knows_better_which_replace_stands() {
    let (mut rig, old, new) = replacing();
    rig.report(refused(old, Reason::UnknownOrder));
    assert_eq!((name(&rig, old), pending(&rig, old)), (old, Pending::None));
    rig.report(listed(new, old, limit_terms(Side::Buy, 7, "99")));
    let (_, order) = rig.core.oms.find(old).unwrap();
    assert_eq!((order.cl_ord_id, order.units), (new, Qty::whole(7)));
    rig.check_books();
    // Not one that was asked for before the last change.
    rig.replace(new, Side::Buy, 6, "97").unwrap();
    rig.report(listed(old, old, limit_terms(Side::Buy, 5, "98")));
    assert_eq!(name(&rig, old), new);
}

#[test]
fn an_old_refusal_does_not_end_the_next_replace() {
    let (mut rig, old, first) = replacing();
    rig.report(refused(old, Reason::BrokerTooLate));
    rig.replace(old, Side::Buy, 3, "99").unwrap();
    let second = ClientOrderId { seq: rig.seq, ..old };
    let of = |cl_ord_id| {
        let Report::CancelReject(refused) = refused(old, Reason::BrokerTooLate) else {
            unreachable!("made so")
        };
        Report::CancelReject(CancelReject { cl_ord_id: Some(cl_ord_id), ..refused })
    };
    rig.report(of(first));
    assert_eq!(pending(&rig, old), Pending::Replace, "told of another request");
    rig.report(of(second));
    assert_eq!(pending(&rig, old), Pending::None);
}

#[test]
fn a_refused_cancel_leaves_the_replace_under_way() {
    let (mut rig, old, new) = replacing();
    let cancel =
        OrderRequest::Cancel(crate::msg::CancelOrder { orig_cl_ord_id: old, venue_order_id: None });
    rig.ask(AGENT, cancel).unwrap();
    rig.report(Report::CancelReject(CancelReject::of_cancel(old, Reason::BrokerTooLate)));
    assert_eq!(pending(&rig, old), Pending::Replace);
    assert_eq!(rig.replace(old, Side::Buy, 2, "99"), Err(Reason::ChangePending));
    assert_eq!(rig.core.oms.find(old).unwrap().1.reserved, Qty::whole(7));
    rig.report(replaced(new));
    assert_eq!((name(&rig, old), pending(&rig, old)), (new, Pending::None));
    rig.check_books();
}

#[test]
fn a_fill_under_a_name_that_was_held_for_refused_may_have_more_to_come() {
    let (mut rig, old, new) = replacing();
    rig.report(refused(old, Reason::UnknownOrder));
    let mut report = execution(new, ExecType::Trade, OrdStatus::PartiallyFilled, 5, 5, "99");
    report.leaves_qty = Qty::whole(2);
    rig.report(Report::Execution(report));
    let (_, order) = rig.core.oms.find(old).unwrap();
    assert_eq!((order.state.stage, order.leaves()), (Stage::Working, Qty::whole(2)));
    rig.report(listed(new, old, limit_terms(Side::Buy, 7, "99")));
    assert_eq!(name(&rig, old), new);
    rig.check_books();
}

#[test]
fn an_order_that_was_proven_absent_and_is_there_counts_again() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 7, "99");
    rig.report(Report::Session(SessionStatus::Down));
    for _ in 0..2 {
        rig.at = rig.at + Nanos::from_secs(6);
        rig.report(Report::Session(SessionStatus::Up));
        rig.report(Report::Snapshot(Box::default()));
    }
    assert_eq!(rig.core.oms.find(id).unwrap().1.state.stage, Stage::Rejected);
    rig.report(listed(id, id, limit_terms(Side::Buy, 7, "99")));
    assert_eq!(rig.core.oms.find(id).unwrap().1.state.stage, Stage::Working);
    assert_eq!(rig.core.oms.open().count(), 1);
    rig.check_books();
}

#[test]
fn a_replace_of_an_order_that_was_called_refused_counts_with_its_size() {
    let (mut rig, old, new) = replacing();
    rig.report(Report::Execution(execution(
        old,
        ExecType::Rejected,
        OrdStatus::Rejected,
        0,
        0,
        "0",
    )));
    assert_eq!(rig.core.oms.open().count(), 0);
    let mut report = execution(new, ExecType::Replaced, OrdStatus::New, 0, 0, "0");
    report.leaves_qty = Qty::whole(7);
    rig.report(Report::Execution(report));
    assert_eq!(rig.core.oms.find(old).unwrap().1.reserved, Qty::whole(7), "of 5 before");
    rig.check_books();
}

#[test]
fn a_status_from_before_a_replace_makes_an_order_no_smaller() {
    let (mut rig, old, new) = replacing();
    rig.report(replaced(new));
    let mut status = execution(old, ExecType::OrderStatus, OrdStatus::New, 0, 0, "0");
    status.leaves_qty = Qty::whole(2);
    rig.report(Report::Execution(status));
    assert_eq!(rig.core.oms.find(new).unwrap().1.units, Qty::whole(7), "of its old name");
    status.cl_ord_id = new;
    rig.report(Report::Execution(status));
    assert_eq!(rig.core.oms.find(new).unwrap().1.units, Qty::whole(2));
    rig.check_books();
}
