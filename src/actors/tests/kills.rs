//! Kills carried out: the lattice walked whole, ways out that never flip, exits once, evidence twice.

use super::*;
use crate::actors::enforce::{Progress, SessionOrder};
use crate::actors::notice::Notice;
use crate::actors::risk::Halts;
use crate::kill::{KillBoard, Route};
use crate::msg::PositionSnapshot;
use crate::venue::{Exchange, ExchangeConfig, Outbox};

const BROKER: BrokerId = BrokerId(0);
const ACCOUNT: AccountId = AccountId(0);
const SCOPES: [Scope; 5] = [
    Scope::Global,
    Scope::Broker(BROKER),
    Scope::Account(ACCOUNT),
    Scope::Agent(AGENT),
    Scope::Symbol(IBM),
];
const EFFECTS: [Effect; 4] = [Effect::Opens, Effect::Reduces, Effect::Exits, Effect::Cancels];

fn kill(scope: Scope, level: KillLevel, episode: u64) -> Control {
    Control::Kill(KillOrder { scope, level, reason: "drill".into(), episode, rule: None })
}

fn arm(scope: Scope, episode: u64) -> Control {
    let (level, reason) = (KillLevel::Normal, "clear".to_owned());
    Control::Arm(KillOrder { scope, level, reason, episode, rule: None })
}

/// INV-4: two trips and two arms in every way there is, against a model of one level a scope; the
/// board of atomics agrees with the core's own state on what may pass.
#[test]
fn the_lattice_walked_whole() {
    let route = Route { broker: BROKER, account: ACCOUNT, agent: AGENT, instrument: IBM };
    let trips = || {
        SCOPES
            .into_iter()
            .flat_map(|scope| KillLevel::ALL[1..].iter().map(move |level| (scope, *level)))
    };
    for (first_scope, first) in trips() {
        for (second_scope, second) in trips() {
            let mut halts = Halts::default();
            let board = std::sync::Arc::new(KillBoard::new(1, 1, 4, 2));
            let mut writer = board.writer(BROKER).unwrap();
            let mut agree = |halts: &Halts, levels: [KillLevel; 2], on_board: bool| {
                assert_eq!(halts.level(route), levels[0].max(levels[1]));
                for effect in EFFECTS {
                    let same = first_scope == second_scope;
                    let standing =
                        if same { vec![levels[0].max(levels[1])] } else { levels.to_vec() };
                    let allowed = standing.iter().all(|level| effect.allowed_at(*level));
                    assert_eq!(
                        halts.kills_allow(route, effect),
                        allowed,
                        "{effect:?} {standing:?}"
                    );
                    if on_board {
                        assert_eq!(writer.permit(route, effect).is_ok(), allowed, "{effect:?}");
                    }
                }
            };
            halts.apply(Timestamp::ZERO, &kill(first_scope, first, 1));
            board.latch(first_scope, first);
            agree(&halts, [first, KillLevel::Normal], true);
            halts.apply(Timestamp::ZERO, &kill(second_scope, second, 2));
            board.latch(second_scope, second);
            agree(&halts, [first, second], true);
            // An arm ends the trip it names. In one scope the higher trip stands alone.
            halts.apply(Timestamp::ZERO, &arm(first_scope, 3));
            agree(&halts, [first, second], false);
            let same = first_scope == second_scope;
            halts.apply(Timestamp::ZERO, &arm(first_scope, 1));
            match (same, second > first) {
                (true, true) => agree(&halts, [second, second], false),
                (true, false) => agree(&halts, [KillLevel::Normal; 2], false),
                (false, _) => agree(&halts, [KillLevel::Normal, second], false),
            }
            halts.apply(Timestamp::ZERO, &arm(second_scope, 2));
            agree(&halts, [KillLevel::Normal; 2], false);
        }
    }
}

impl Rig {
    fn control(&mut self, control: &Control) -> CoreOut {
        let mut out = CoreOut::default();
        self.core.control(self.at, control, &mut out);
        self.core.guard(self.at, &self.market, &mut out);
        out
    }

    /// A report, and what the guardian makes of it.
    pub(super) fn hear(&mut self, report: Report) -> CoreOut {
        let mut out = self.report(report);
        self.core.guard(self.at, &self.market, &mut out);
        out
    }

    pub(super) fn pass(&mut self, span: Nanos) -> CoreOut {
        self.at = self.at + span;
        let mut out = CoreOut::default();
        self.core.tick(self.at, &mut out);
        self.core.guard(self.at, &self.market, &mut out);
        out
    }

    fn holding(&self) -> i64 {
        self.core.oms.books.account(ACCOUNT, IBM).position.raw() / Qty::whole(1).raw()
    }

    /// What a broker that agrees with the books would show.
    fn agreeing(&self) -> Report {
        let orders = self.core.oms.open().map(|(_, order)| crate::msg::OrderSnapshot {
            cl_ord_id: Some(order.cl_ord_id),
            venue_order_id: VenueOrderId(u128::from(order.cl_ord_id.seq)),
            account: ACCOUNT,
            instrument: IBM,
            terms: order.terms,
            ord_status: OrdStatus::New,
            cum_qty: order.filled(),
            leaves_qty: order.leaves(),
            fills: Vec::new(),
        });
        let qty = Qty::whole(self.holding());
        let held =
            PositionSnapshot { account: ACCOUNT, instrument: IBM, qty, avg_px: price("100") };
        let positions = if qty.is_zero() { vec![] } else { vec![held] };
        Report::Snapshot(Box::new(BrokerSnapshot { orders: orders.collect(), positions }))
    }

    fn canceled(&mut self, id: ClientOrderId) -> CoreOut {
        let (kind, status) = (ExecType::Canceled, OrdStatus::Canceled);
        self.hear(Report::Execution(execution(id, kind, status, 0, 0, "0")))
    }

    fn long(&mut self, qty: i64) {
        let (id, verdict) = self.order(Side::Buy, qty, "100");
        verdict.unwrap();
        self.fill(id, qty, qty, "100", OrdStatus::Filled);
    }
}

/// The exits among what a step sent.
fn exits(out: &CoreOut) -> Vec<(ClientOrderId, Side, Qty, Price)> {
    let requests = out.approved.iter().filter_map(|approved| match approved.request() {
        OrderRequest::New(new) if new.cl_ord_id.is_exit() => Some(*new),
        _ => None,
    });
    requests
        .map(|new| match (new.terms.qty, new.terms.ord_type) {
            (OrderQty::Units(qty), OrdType::Limit { price }) => {
                (new.cl_ord_id, new.terms.side, qty, price)
            }
            other => panic!("an exit is a collared number of units: {other:?}"),
        })
        .collect()
}

#[test]
fn cancelled_is_said_on_two_snapshots_and_a_person_hears_when_it_takes_too_long() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.accept(id);
    let progress = |rig: &Rig| rig.core.enforcement.progress(Scope::Global);
    assert_eq!(progress(&rig), Progress::InForce);
    rig.control(&kill(Scope::Global, KillLevel::Cancel, 1));
    assert_eq!(progress(&rig), Progress::Requested);
    for _ in 0..3 {
        let open = rig.agreeing();
        rig.hear(open);
        assert_eq!(progress(&rig), Progress::Requested, "the order is still open");
    }
    let asked = rig.pass(Nanos::from_millis(100));
    assert_eq!(asked.news.snapshots, [BROKER], "the broker is asked, it has not said so");
    let late = rig.pass(Nanos::from_secs(10));
    assert!(late.notices.contains(&Notice::Unconfirmed { scope: Scope::Global }));
    assert_eq!(rig.core.enforcement.overdue(), 1);
    rig.canceled(id);
    let agreeing = rig.agreeing();
    rig.hear(agreeing.clone());
    assert_eq!(progress(&rig), Progress::Requested, "once is no evidence");
    let out = rig.hear(agreeing);
    // Nothing is held either: what was only to be cancelled is even flat.
    assert_eq!(progress(&rig), Progress::Flat);
    assert!(out.notices.contains(&Notice::Confirmed { scope: Scope::Global, flat: true }));
    assert_eq!(rig.core.enforcement.overdue(), 0);
    rig.control(&arm(Scope::Global, 1));
    assert_eq!(progress(&rig), Progress::InForce);
}

/// A broker that refuses the cancel but shows the order is asked again, not at once each time.
#[test]
fn a_refused_cancel_is_not_sent_again_at_once() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 5, "90");
    rig.accept(id);
    let cancels = |out: &CoreOut| out.approved.len();
    let out = rig.control(&kill(Scope::Global, KillLevel::Cancel, 7));
    assert_eq!(cancels(&out), 1);
    for _ in 0..2 {
        for _ in 0..3 {
            let refused = CancelReject::of_cancel(id, Reason::UnknownOrder);
            let out = rig.hear(Report::CancelReject(refused));
            assert_eq!(cancels(&out), 0);
            let agreeing = rig.agreeing();
            assert_eq!(cancels(&rig.hear(agreeing)), 0);
        }
        assert_eq!(cancels(&rig.pass(Nanos(Nanos::from_secs(2).0 - 1))), 0);
        assert!(rig.core.next_deadline() <= rig.at + Nanos(1), "someone comes back to it");
        assert_eq!(cancels(&rig.pass(Nanos(1))), 1);
    }
    let refused = CancelReject::of_cancel(id, Reason::UnknownOrder);
    rig.hear(Report::CancelReject(refused));
    let again = rig.control(&kill(Scope::Global, KillLevel::Cancel, 7));
    assert_eq!(cancels(&again), 1, "a person does not wait");
    rig.canceled(id);
    assert_eq!(cancels(&rig.pass(Nanos::from_secs(10))), 0);
}

/// Some brokers show an order of another client, or one entered by hand, without a name.
#[test]
fn an_order_without_a_name_is_cancelled_by_its_number() {
    let mut rig = rig(&[]);
    let table = rig.core.oms.books.instruments().clone();
    let mut exchange = Exchange::new(&ExchangeConfig::default(), table).unwrap();
    let mut said = Outbox::default();
    let account = exchange.open_account("paper").unwrap();
    assert_eq!(account, ACCOUNT);
    let mut by_hand = rig.draft(AGENT, IBM, limit_terms(Side::Buy, 5, "90"));
    by_hand.cl_ord_id.instance = 99;
    exchange.submit(rig.at, &by_hand, &mut said);
    let shown = |exchange: &Exchange| {
        let order = exchange.order(by_hand.cl_ord_id).unwrap().snapshot(&[]);
        let orders = vec![crate::msg::OrderSnapshot { cl_ord_id: None, ..order }];
        Report::Snapshot(Box::new(BrokerSnapshot { orders, positions: vec![] }))
    };
    rig.hear(shown(&exchange));
    assert_eq!(rig.core.oms.open().count(), 1);
    let out = rig.control(&kill(Scope::Global, KillLevel::Cancel, 7));
    let [approved] = &out.approved[..] else { panic!("{:?}", out.derived) };
    let OrderRequest::Cancel(cancel) = approved.request() else { panic!("{approved:?}") };
    exchange.cancel(rig.at, cancel, &mut said);
    assert!(!exchange.order(by_hand.cl_ord_id).unwrap().is_open(), "it is gone");
    rig.hear(shown(&exchange));
    assert_eq!(rig.core.oms.open().count(), 0);
}

#[test]
fn isolate_closes_the_session_after_the_cancels_and_the_arm_opens_it() {
    let mut rig = rig(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.accept(id);
    let out = rig.control(&kill(Scope::Broker(BROKER), KillLevel::Isolate, 1));
    assert_eq!(out.approved.len(), 1, "the cancel");
    let open = rig.agreeing();
    assert!(rig.hear(open).sessions.is_empty());
    rig.canceled(id);
    let agreeing = rig.agreeing();
    assert!(rig.hear(agreeing.clone()).sessions.is_empty());
    assert_eq!(rig.hear(agreeing).sessions, [(BROKER, SessionOrder::Close)]);
    rig.hear(Report::Session(SessionStatus::Down));
    assert!(rig.core.enforcement.is_isolated(BROKER));
    let out = rig.control(&arm(Scope::Broker(BROKER), 1));
    assert_eq!(out.sessions, [(BROKER, SessionOrder::Open)]);
    // A kill of one agent has no session of its own.
    rig.hear(Report::Session(SessionStatus::Up));
    rig.control(&kill(Scope::Agent(AGENT), KillLevel::Isolate, 2));
    for _ in 0..3 {
        let agreeing = rig.agreeing();
        assert!(rig.hear(agreeing).sessions.is_empty());
    }
}

#[test]
fn a_flatten_waits_for_the_cancels_then_exits_once_whatever_becomes_of_it() {
    let mut rig = rig(&[]);
    rig.long(10);
    let (resting, _) = rig.order(Side::Buy, 5, "90");
    rig.accept(resting);
    let first = rig.control(&kill(Scope::Global, KillLevel::Flatten, 7));
    assert!(exits(&first).is_empty(), "an order is open");
    let out = rig.canceled(resting);
    let [(exit, side, qty, limit)] = exits(&out)[..] else { panic!("{:?}", out.approved) };
    assert_eq!((side, qty, limit), (Side::Sell, Qty::whole(10), price("99")));
    assert_eq!(out.approved[0].effect(), Effect::Exits);
    assert_eq!(exit.agent, AGENT, "it closes the books of the agent that holds");
    // The broker refuses it: a person hears, nothing is sent again, not even after a restart.
    let (kind, status) = (ExecType::Rejected, OrdStatus::Rejected);
    let out = rig.hear(Report::Execution(execution(exit, kind, status, 0, 0, "0")));
    assert!(out.notices.contains(&Notice::ExitEnded { order: exit }));
    assert!(exits(&out).is_empty());
    rig.control(&Control::Boot { instance: 1, epoch: 2 });
    rig.control(&kill(Scope::Global, KillLevel::Flatten, 7));
    rig.hear(Report::Session(SessionStatus::Up));
    for _ in 0..3 {
        let agreeing = rig.agreeing();
        assert!(exits(&rig.hear(agreeing)).is_empty(), "once in an episode");
    }
    assert_eq!(rig.core.enforcement.progress(Scope::Global), Progress::Cancelled);
    // The operator tries again; the books then say flat, the broker has to say so twice.
    let flatten = Control::Flatten { scope: Scope::Global, reason: "again".into() };
    let out = rig.control(&flatten);
    let [(exit, ..)] = exits(&out)[..] else { panic!("{:?}", out.derived) };
    rig.fill(exit, 10, 10, "99.99", OrdStatus::Filled);
    assert_eq!(rig.holding(), 0);
    assert_eq!(rig.core.enforcement.progress(Scope::Global), Progress::Cancelled);
    for _ in 0..2 {
        let agreeing = rig.agreeing();
        rig.hear(agreeing);
    }
    assert_eq!(rig.core.enforcement.progress(Scope::Global), Progress::Flat);
    // The next episode is another one.
    rig.control(&arm(Scope::Global, 7));
    rig.long(3);
    let out = rig.control(&kill(Scope::Global, KillLevel::Flatten, 8));
    assert_eq!(exits(&out).len(), 1);
}

#[test]
fn a_block_beside_the_flatten_stands_in_its_way() {
    for (level, passes) in
        [(KillLevel::ReduceOnly, true), (KillLevel::Block, false), (KillLevel::Cancel, false)]
    {
        let mut rig = rig(&[]);
        rig.long(10);
        rig.control(&kill(Scope::Symbol(IBM), level, 1));
        let out = rig.control(&kill(Scope::Account(ACCOUNT), KillLevel::Flatten, 2));
        assert_eq!(exits(&out).len(), usize::from(passes), "{level}");
        let refused = out
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::Exit { refused: Some(Reason::Kill), .. }));
        assert_eq!(refused, !passes, "{level}");
    }
}

#[test]
fn an_agents_flatten_closes_its_own_part_and_never_flips_the_account() {
    let mut rig = rig(&[]);
    rig.long(10);
    let other = rig.draft(OTHER, IBM, limit_terms(Side::Sell, 4, "100"));
    rig.ask(OTHER, OrderRequest::New(other)).unwrap();
    rig.fill(other.cl_ord_id, 4, 4, "100", OrdStatus::Filled);
    assert_eq!(rig.holding(), 6);
    // Ten of the agent's would turn the account's six long into four short.
    let out = rig.control(&kill(Scope::Agent(AGENT), KillLevel::Flatten, 1));
    let [(exit, side, qty, _)] = exits(&out)[..] else { panic!("{:?}", out.derived) };
    assert_eq!((exit.agent, side, qty), (AGENT, Side::Sell, Qty::whole(6)));
    // What the other agent holds is on the other side: closing it would open the account.
    let out = rig.control(&kill(Scope::Agent(OTHER), KillLevel::Flatten, 2));
    assert!(exits(&out).is_empty());
}

/// Strangers hold twenty short; the operator's exit leaves the operator twenty long; then the strangers
/// buy thirty. What is left is theirs and the operator's, and goes in one order of the operator's.
#[test]
fn what_strangers_and_the_operator_hold_goes_in_one_exit() {
    let mut rig = rig(&[]);
    let by_hand = |rig: &mut Rig, number: u128, side: Side, qty: i64, net: i64| {
        let (units, px) = (Qty::whole(qty), price("100"));
        let fill = crate::msg::FillSnapshot {
            exec_id: ExecId(number),
            qty: units,
            price: px,
            fee: Notional::ZERO,
            transact_time: rig.at,
        };
        let order = crate::msg::OrderSnapshot {
            cl_ord_id: None,
            venue_order_id: VenueOrderId(number),
            account: ACCOUNT,
            instrument: IBM,
            terms: limit_terms(side, qty, "100"),
            ord_status: OrdStatus::Filled,
            cum_qty: units,
            leaves_qty: Qty::ZERO,
            fills: vec![fill],
        };
        let held = PositionSnapshot {
            account: ACCOUNT,
            instrument: IBM,
            qty: Qty::whole(net),
            avg_px: px,
        };
        let snapshot = BrokerSnapshot { orders: vec![order], positions: vec![held] };
        rig.hear(Report::Snapshot(Box::new(snapshot)));
    };
    by_hand(&mut rig, 901, Side::Sell, 20, -20);
    let out = rig.control(&kill(Scope::Account(ACCOUNT), KillLevel::Flatten, 1));
    let [(exit, Side::Buy, ..)] = exits(&out)[..] else { panic!("{:?}", out.derived) };
    rig.fill(exit, 20, 20, "100", OrdStatus::Filled);
    by_hand(&mut rig, 902, Side::Buy, 30, 30);
    rig.control(&arm(Scope::Account(ACCOUNT), 1));
    let out = rig.control(&kill(Scope::Account(ACCOUNT), KillLevel::Flatten, 2));
    let [(exit, side, qty, _)] = exits(&out)[..] else { panic!("{:?}", out.derived) };
    assert_eq!((exit.agent, side, qty), (AgentId::OPERATOR, Side::Sell, Qty::whole(30)));
}

#[derive(Debug, Clone)]
enum Move {
    Order { other: bool, buy: bool, qty: i64 },
    Replace { at: usize, qty: i64 },
    Fill { at: usize, part: i64 },
    Cancel { at: usize },
    Flatten,
    Snapshot,
    Boot,
    Kill(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        4 => (any::<bool>(), any::<bool>(), 1i64..30)
            .prop_map(|(other, buy, qty)| Move::Order { other, buy, qty }),
        2 => (0usize..8, 1i64..30).prop_map(|(at, qty)| Move::Replace { at, qty }),
        4 => (0usize..8, 1i64..30).prop_map(|(at, part)| Move::Fill { at, part }),
        2 => (0usize..8).prop_map(|at| Move::Cancel { at }),
        1 => Just(Move::Flatten),
        2 => Just(Move::Snapshot),
        1 => Just(Move::Boot),
        1 => (0usize..5).prop_map(Move::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

/// Plays moves against a rig that holds twenty, under a kill; checks after each, with the number of
/// exits that flattens have sent by themselves.
fn play(rig: &mut Rig, moves: &[Move], check: impl Fn(&Rig, usize)) {
    let (mut sent, mut epoch) = (0, 1);
    for step in moves {
        let open: Vec<(ClientOrderId, Qty, Qty)> = {
            let open = rig.core.oms.open();
            open.map(|(_, order)| (order.cl_ord_id, order.filled(), order.leaves())).collect()
        };
        let pick = |at: usize| open.get(at % open.len().max(1)).copied();
        let mut out = CoreOut::default();
        match *step {
            Move::Order { other, buy, qty } => {
                let agent = if other { OTHER } else { AGENT };
                let side = if buy { Side::Buy } else { Side::Sell };
                let new = rig.draft(agent, IBM, limit_terms(side, qty, "100"));
                let _ = rig.ask(agent, OrderRequest::New(new));
            }
            Move::Replace { at, qty } => {
                if let Some((id, ..)) = pick(at).filter(|(id, ..)| !id.is_exit()) {
                    let side = rig.core.oms.find(id).unwrap().1.terms.side;
                    let _ = rig.replace(id, side, qty, "100");
                }
            }
            Move::Fill { at, part } => {
                if let Some((id, filled, leaves)) = pick(at) {
                    let last = part.min(leaves.raw() / Qty::whole(1).raw());
                    let cum = filled.raw() / Qty::whole(1).raw() + last;
                    rig.fill(id, cum, last, "100", OrdStatus::PartiallyFilled);
                }
            }
            Move::Cancel { at } => {
                if let Some((id, ..)) = pick(at) {
                    out = rig.canceled(id);
                }
            }
            Move::Flatten => {
                let flatten = Control::Flatten { scope: Scope::Global, reason: String::new() };
                rig.control(&flatten);
            }
            Move::Snapshot => {
                let agreeing = rig.agreeing();
                out = rig.hear(agreeing);
            }
            Move::Boot => {
                epoch += 1;
                rig.control(&Control::Boot { instance: 1, epoch });
                rig.hear(Report::Session(SessionStatus::Up));
                let agreeing = rig.agreeing();
                out = rig.hear(agreeing);
            }
            Move::Kill(scope) => {
                out = rig.control(&kill(SCOPES[scope], KillLevel::Flatten, 100 + scope as u64));
            }
        }
        sent += exits(&out).len();
        check(rig, sent);
    }
}

proptest! {
    /// I15: under reduce_only nothing that two agents and an operator ask for, in flight all at once,
    /// can bring the account across zero or further from it.
    #[test]
    fn reduce_only_never_flips(moves in moves(), scope in 0usize..3) {
        let mut rig = rig(&[]);
        rig.long(20);
        rig.control(&kill(SCOPES[scope], KillLevel::ReduceOnly, 1));
        let moves: Vec<Move> =
            moves.into_iter().filter(|step| !matches!(step, Move::Kill(_))).collect();
        play(&mut rig, &moves, |rig, _| {
            let exposure = rig.core.oms.books.account(ACCOUNT, IBM);
            assert!(!exposure.shortest().is_negative(), "{exposure:?}");
            assert!(exposure.longest() <= Qty::whole(20), "{exposure:?}");
        });
    }

    /// I15: whatever the broker says, and however often the gateway restarts, each episode of a
    /// flatten sends one exit, and no sum of exits brings the account across zero.
    #[test]
    fn a_flatten_exits_once_in_its_episode(moves in moves()) {
        let mut rig = rig(&[]);
        rig.long(20);
        let moves: Vec<Move> = std::iter::once(Move::Kill(2)).chain(moves).collect();
        play(&mut rig, &moves, |rig, sent| {
            let exposure = rig.core.oms.books.account(ACCOUNT, IBM);
            assert!(!exposure.shortest().is_negative(), "{exposure:?}");
            let episodes = rig.core.risk.halts.kills().count();
            assert!(sent <= episodes, "{sent} exits in {episodes} episodes");
        });
    }
}
