//! Corporate actions: what is held, what is open, what a broker shows before and after.

use super::*;
use crate::msg::{ActionKind, CorporateAction, HoldKind, PositionSnapshot};
use crate::types::Date;

const SPLIT: ActionKind = ActionKind::Split { numerator: 2, denominator: 1 };

impl Rig {
    fn give(&mut self, kind: ActionKind, on: Date) -> CoreOut {
        let mut out = CoreOut::default();
        let action = CorporateAction { instrument: IBM, on, kind };
        self.core.begin_day(self.at, &self.market);
        self.core.control(self.at, &Control::CorporateAction(action), &mut out);
        self.core.act(self.at, &mut self.market, &mut out);
        out
    }

    fn today(&self) -> Date {
        self.core.oms.books.date()
    }

    fn position(&self) -> Qty {
        self.core.oms.books.account(AccountId(0), IBM).position
    }

    fn shows(&mut self, qty: i64) -> CoreOut {
        let (account, instrument) = (AccountId(0), IBM);
        let position =
            PositionSnapshot { account, instrument, qty: Qty::whole(qty), avg_px: price("100") };
        self.report(Report::Snapshot(Box::new(BrokerSnapshot {
            positions: vec![position],
            ..BrokerSnapshot::default()
        })))
    }

    fn holds(&self) -> Vec<HoldKind> {
        self.core.risk.halts.holds().map(|(_, kind, _)| kind).collect()
    }

    fn buy(&mut self, qty: i64) {
        let (id, sent) = self.order(Side::Buy, qty, "100");
        sent.unwrap();
        self.fill(id, qty, qty, "100", OrdStatus::Filled);
    }

    fn equity(&self) -> Notional {
        self.core.oms.books.equity(AccountId(0), &self.market).unwrap()
    }
}

/// The operator is first, the broker late: nothing new leaves until it shows the new position, and
/// being late is no position break.
#[test]
fn a_split_holds_its_instrument_until_the_broker_shows_it() {
    let mut rig = rig(&[row("daily_loss", Scope::Global, "10")]);
    rig.buy(100);
    let (resting, _) = rig.order(Side::Buy, 10, "90");
    rig.accept(resting);
    let (equity, today) = (rig.equity(), rig.today());
    let out = rig.give(SPLIT, today);
    assert_eq!((rig.position(), rig.equity()), (Qty::whole(200), equity));
    assert!(out.approved.iter().any(|a| a.effect() == Effect::Cancels), "the order goes");
    assert_eq!(out.news.snapshots, [BrokerId(0)], "asked");
    assert_eq!(rig.holds(), [HoldKind::CorporateAction]);
    rig.quote(IBM, "49.99", "50.01");
    assert_eq!(rig.order(Side::Buy, 1, "50").1, Err(Reason::Hold));
    // Late: as it was, twice. No break.
    for _ in 0..3 {
        rig.at = rig.at + Nanos::from_secs(5);
        rig.shows(100);
        assert_eq!(rig.holds(), [HoldKind::CorporateAction]);
    }
    // It shows the split, and the order of before is gone.
    let report = execution(resting, ExecType::Canceled, OrdStatus::Canceled, 0, 0, "0");
    rig.report(Report::Execution(report));
    rig.at = rig.at + Nanos::from_secs(5);
    rig.shows(200);
    assert_eq!(rig.holds(), []);
    // Neither collar nor daily loss sees a fall by half.
    rig.quote(IBM, "49.99", "50.01");
    rig.order(Side::Buy, 1, "50").1.unwrap();
    // Twice is a mistake.
    rig.give(SPLIT, today);
    assert_eq!(rig.position(), Qty::whole(200));
}

/// The broker is first: a position break, until the operator says why.
#[test]
fn a_split_explains_a_position_break() {
    let mut rig = rig(&[]);
    rig.buy(100);
    for _ in 0..2 {
        rig.at = rig.at + Nanos::from_secs(5);
        rig.shows(200);
    }
    assert!(rig.holds().contains(&HoldKind::PositionMismatch));
    rig.give(SPLIT, rig.today());
    rig.at = rig.at + Nanos::from_secs(5);
    rig.shows(200);
    assert_eq!(rig.holds(), []);
    // A position that no split explains is still a break.
    rig.give(ActionKind::Split { numerator: 3, denominator: 2 }, rig.today());
    for _ in 0..2 {
        rig.at = rig.at + Nanos::from_secs(5);
        rig.shows(299);
    }
    assert!(rig.holds().contains(&HoldKind::PositionMismatch));
}

/// What does not fit the lot is cash somewhere else: a broker that shows more is not believed.
#[test]
fn a_fraction_is_not_invented() {
    let mut rig = rig(&[]);
    rig.buy(101);
    rig.give(ActionKind::Split { numerator: 3, denominator: 2 }, rig.today());
    assert_eq!(rig.position(), Qty::whole(151));
    rig.at = rig.at + Nanos::from_secs(5);
    rig.shows(151);
    assert_eq!(rig.holds(), []);
}

/// An action waits for its day, in the state that is saved, and a dividend is profit of that day.
#[test]
fn an_action_waits_for_its_day() {
    let mut rig = rig(&[]);
    rig.buy(100);
    let (equity, today) = (rig.equity(), rig.today());
    let pays = ActionKind::CashDividend { per_unit: price("0.25") };
    rig.give(pays, today.next());
    assert_eq!(rig.equity(), equity);
    let due = rig.core.next_deadline().min(rig.core.oms.actions.next_at());
    assert!(due <= rig.core.oms.actions.next_at() && rig.core.oms.actions.next_at() > rig.at);
    rig.at = rig.core.oms.actions.next_at();
    let mut out = CoreOut::default();
    rig.core.begin_day(rig.at, &rig.market);
    assert!(rig.core.act(rig.at, &mut rig.market, &mut out));
    assert_eq!(rig.equity(), equity + Notional::whole(25));
    assert_eq!(rig.core.oms.books.day_pnl(AccountId(0), &rig.market), Some(Notional::whole(25)));
    assert_eq!(rig.holds(), [], "cash settles nothing");
}
