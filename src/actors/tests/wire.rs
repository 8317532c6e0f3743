//! The gate at the wire: terms of an approval that no longer hold, and what a broker takes.

use super::*;
use crate::actors::Lane;
use crate::actors::agent::{Agent, AgentCx, Host};
use crate::actors::oms::OrderUpdate;
use crate::actors::risk::Approved;
use crate::broker::session::Channel;
use crate::broker::{BrokerSession, Frame, Output};
use crate::desk::gate::{Gate, NoWire, Wire};
use crate::desk::{Cleared, Desk, Link, NotSent};
use crate::journal::{Disk, Durability, Header, HeaderKind, Log};
use crate::kill::{KillBoard, Permit};
use crate::msg::{CancelOrder, Parent};
use std::io::{self, Write};

struct Session;

impl BrokerSession for Session {
    fn start(&mut self, _: Timestamp) {}
    fn on_connected(&mut self, _: Timestamp, _: Channel) {}
    fn on_bytes(&mut self, _: Timestamp, _: Channel, _: &[u8]) {}
    fn on_closed(&mut self, _: Timestamp, _: Channel, _: &str) {}
    fn on_deadline(&mut self, _: Timestamp) {}
    fn encode(&mut self, _: Timestamp, _: &OrderRequest, _: &mut Frame) -> Result<(), Reason> {
        Ok(())
    }
    fn cancel_all(&mut self, _: Timestamp) {}
    fn close(&mut self, _now: Timestamp) {}
    fn request_snapshot(&mut self, _: Timestamp) {}
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

#[derive(Default)]
struct Written(u32);

impl Wire for Written {
    fn write(&mut self, _: &Frame, _: Permit<'_>) -> Result<(), NoWire> {
        self.0 += 1;
        Ok(())
    }
}

struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Nowhere {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A gate with its board and a wire that counts.
struct Exit {
    board: Arc<KillBoard>,
    gate: Gate,
    wire: Written,
    log: Log,
}

impl Exit {
    fn new() -> Self {
        let board = Arc::new(KillBoard::new(1, 1, 4, 2));
        let gate = Gate::new(board.writer(BrokerId(0)).unwrap());
        let header = Header::new(HeaderKind::Ledger, InstrumentTable::default());
        let log = Log::create(Box::new(Nowhere), &header, Durability::Process).unwrap();
        Self { board, gate, wire: Written::default(), log }
    }

    fn clear(&mut self, approved: Approved) -> Cleared {
        Cleared::recorded(approved, &self.log.commit().unwrap())
    }

    fn send(&mut self, at: Timestamp, cleared: &Cleared) -> Result<(), NotSent> {
        self.gate.release(at, cleared, &mut Session, &mut self.wire)
    }
}

/// What the core approves of a request.
fn approve(rig: &mut Rig, from: AgentId, request: OrderRequest) -> Approved {
    let mut out = CoreOut::default();
    rig.core.request(rig.at, from, &request, &rig.market, &mut out);
    out.approved.pop().unwrap_or_else(|| panic!("denied: {:?}", out.derived))
}

fn buy(rig: &mut Rig, qty: i64) -> (ClientOrderId, Approved) {
    let new = rig.draft(AGENT, IBM, limit_terms(Side::Buy, qty, "99"));
    (new.cl_ord_id, approve(rig, AGENT, OrderRequest::New(new)))
}

fn reason(sent: Result<(), NotSent>) -> Option<Reason> {
    match sent.err()?.report() {
        Report::NotSent { reason, .. } => Some(reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_approval_does_not_leave() {
    let mut rig = rig(&[row("approval_age", Scope::Global, "250ms")]);
    for (millis, expected) in [(249, None), (250, None), (251, Some(Reason::ApprovalAge))] {
        let mut exit = Exit::new();
        let (_, approved) = buy(&mut rig, 1);
        let cleared = exit.clear(approved);
        let sent = exit.send(rig.at + Nanos::from_millis(millis), &cleared);
        assert_eq!(reason(sent), expected, "{millis}");
        assert_eq!(exit.wire.0, u32::from(expected.is_none()));
    }
}

/// The core gives an order up that a broker does not list for long enough: it must not leave then.
#[test]
fn what_may_have_been_given_up_does_not_leave() {
    let mut rig = rig(&[]);
    let absence = rig.core.oms.absence(BrokerId(0));
    assert!(absence > Nanos(1));
    for (after, expected) in [(absence, None), (Nanos(absence.0 + 1), Some(Reason::ApprovalAge))] {
        let mut exit = Exit::new();
        let (id, approved) = buy(&mut rig, 1);
        let cleared = exit.clear(approved);
        assert_eq!(reason(exit.send(rig.at + after, &cleared)), expected, "{after}");
        let approved = approve(&mut rig, AGENT, OrderRequest::Cancel(CancelOrder::of(id)));
        let cleared = exit.clear(approved);
        assert_eq!(reason(exit.send(rig.at + after, &cleared)), None, "a cancel always does");
    }
}

#[test]
fn an_approval_under_other_limits_does_not_leave() {
    let (mut rig, mut exit) = (rig(&[]), Exit::new());
    let (id, approved) = buy(&mut rig, 1);
    let cleared = exit.clear(approved);
    exit.board.set_limits(1);
    assert_eq!(reason(exit.send(rig.at, &cleared)), Some(Reason::ApprovalAge));
    let cancel = OrderRequest::Cancel(CancelOrder::of(id));
    let approved = approve(&mut rig, AGENT, cancel);
    let cleared = exit.clear(approved);
    assert_eq!(reason(exit.send(rig.at, &cleared)), None, "a cancel always does");
}

#[test]
fn a_kill_voids_what_waited() {
    let (mut rig, mut exit) = (rig(&[]), Exit::new());
    let (_, approved) = buy(&mut rig, 1);
    let waits = exit.clear(approved).wait(&exit.board);
    // Of another scope: the permit would not notice, as it would not once the kill is armed again.
    exit.board.raise(Scope::Symbol(EUR), KillLevel::Block);
    assert_eq!(reason(exit.send(rig.at, &waits)), Some(Reason::ApprovalAge));
    let (_, approved) = buy(&mut rig, 1);
    let waits = exit.clear(approved).wait(&exit.board);
    assert_eq!(reason(exit.send(rig.at, &waits)), None);
}

/// C10: new orders stop at four fifths, cancels never.
#[test]
fn the_budget_keeps_a_reserve_for_cancels() {
    let (mut rig, mut exit) = (rig(&[row("message_budget", Scope::Global, "10/1s")]), Exit::new());
    let mut ids = Vec::new();
    for number in 0..10 {
        let (id, approved) = buy(&mut rig, 1);
        ids.push(id);
        let cleared = exit.clear(approved);
        let expected = (number >= 8).then_some(Reason::MessageBudget);
        assert_eq!(reason(exit.send(rig.at, &cleared)), expected, "order {number}");
    }
    for &orig_cl_ord_id in &ids[..8] {
        let cancel = OrderRequest::Cancel(CancelOrder::of(orig_cl_ord_id));
        let approved = approve(&mut rig, AGENT, cancel);
        let cleared = exit.clear(approved);
        assert_eq!(reason(exit.send(rig.at, &cleared)), None);
    }
    assert_eq!(exit.wire.0, 16);
    let start = rig.at;
    for (millis, expected) in [(999, Some(Reason::MessageBudget)), (1_000, None)] {
        rig.at = start + Nanos::from_millis(millis);
        rig.quote(IBM, "99.99", "100.01");
        let (_, approved) = buy(&mut rig, 1);
        let cleared = exit.clear(approved);
        assert_eq!(reason(exit.send(rig.at, &cleared)), expected, "cancels are counted: {millis}");
    }
}

/// C13: the splitter has a bug; what leaves is no more than the parent.
#[test]
fn children_never_come_to_more_than_their_parent() {
    let (mut rig, mut exit) = (rig(&[]), Exit::new());
    let parent = Parent { id: 7, qty: Qty::whole(100) };
    let child = |rig: &mut Rig, qty: i64, parent: Parent| {
        let new = rig.draft(AGENT, IBM, limit_terms(Side::Buy, qty, "99"));
        let new = NewOrder { parent: Some(parent), ..new };
        (new.cl_ord_id, approve(rig, AGENT, OrderRequest::New(new)))
    };
    let mut send = |rig: &mut Rig, approved: Approved| {
        let cleared = exit.clear(approved);
        let sent = exit.send(rig.at, &cleared);
        if let Err(refused) = &sent {
            rig.report(refused.report());
        }
        reason(sent)
    };
    let (first, approved) = child(&mut rig, 60, parent);
    assert_eq!(send(&mut rig, approved), None);
    let (_, approved) = child(&mut rig, 41, parent);
    assert_eq!(send(&mut rig, approved), Some(Reason::ParentQty));
    let raised = Parent { qty: Qty::whole(1_000), ..parent };
    let (_, approved) = child(&mut rig, 41, raised);
    assert_eq!(send(&mut rig, approved), Some(Reason::ParentQty), "a parent does not grow");
    let (_, approved) = child(&mut rig, 40, parent);
    assert_eq!(send(&mut rig, approved), None, "what did not leave is given back");
    rig.accept(first);
    rig.fill(first, 20, 20, "99", OrdStatus::PartiallyFilled);
    let (_, approved) = child(&mut rig, 1, parent);
    assert_eq!(send(&mut rig, approved), Some(Reason::ParentQty), "fills and leaves add up");
    let cl_ord_id = rig.id(AGENT);
    let replace = ReplaceOrder {
        orig_cl_ord_id: first,
        cl_ord_id,
        intent: u64::from(cl_ord_id.seq),
        terms: limit_terms(Side::Buy, 61, "99"),
    };
    let approved = approve(&mut rig, AGENT, OrderRequest::Replace(replace));
    assert_eq!(send(&mut rig, approved), Some(Reason::ParentQty), "by a replace");
    let (done, status) = (ExecType::Canceled, OrdStatus::Canceled);
    rig.report(Report::Execution(execution(first, done, status, 20, 0, "0")));
    let (_, approved) = child(&mut rig, 40, parent);
    assert_eq!(send(&mut rig, approved), None, "a cancelled rest may be sent again");
    let (_, approved) = child(&mut rig, 1, parent);
    assert_eq!(send(&mut rig, approved), Some(Reason::ParentQty));
    let other = Parent { id: 8, qty: Qty::whole(5) };
    let (_, approved) = child(&mut rig, 5, other);
    assert_eq!(send(&mut rig, approved), None, "another parent has its own");
}

/// Takes back, in vain, whatever has traded.
struct TooLate;

impl Agent for TooLate {
    fn on_order(&mut self, cx: &mut AgentCx<'_>, update: &OrderUpdate) {
        if update.last_qty.is_positive() {
            cx.cancel(update.cl_ord_id);
        }
    }
}

/// Lets nothing leave while `full`; says what it was given as soon as it is asked.
struct Said {
    full: bool,
    reports: Vec<Report>,
}

impl Link for Said {
    fn start(&mut self, _: Timestamp) {}
    fn close(&mut self, _: Timestamp) {}
    fn send(&mut self, _: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        if self.full { Err(NotSent::of(&cleared, Reason::MessageBudget)) } else { Ok(()) }
    }
    fn request_snapshot(&mut self, _: Timestamp) {}
    fn poll(&mut self) -> Option<Report> {
        self.reports.pop()
    }
}

#[test]
fn an_answer_is_about_the_request_itself() {
    for (full, expected) in [(false, Ok(())), (true, Err(Reason::MessageBudget))] {
        let mut rig = rig(&[]);
        let (own, sent) = rig.order(Side::Buy, 10, "99");
        sent.unwrap();
        let (open, sent) = rig.order(Side::Buy, 10, "98");
        sent.unwrap();
        rig.accept(open);
        let filled = execution(own, ExecType::Trade, OrdStatus::Filled, 10, 10, "99");
        let new = rig.draft(AgentId::OPERATOR, IBM, limit_terms(Side::Buy, 1, "97"));
        let replace = ReplaceOrder {
            orig_cl_ord_id: open,
            cl_ord_id: rig.id(AgentId::OPERATOR),
            intent: 77,
            terms: limit_terms(Side::Buy, 9, "98"),
        };
        let cancel = CancelOrder::of(open);
        let host = Host::new(Box::new(TooLate), AGENT, AccountId(0), vec![IBM]);
        let lane = Lane::new(rig.market, 2, vec![host], Some(rig.core));
        let reports = vec![Report::Execution(filled)];
        let link = Said { full, reports };
        let mut desk = Desk::new(lane, Log::none(), vec![Box::new(link)], false);
        let mut ask = |request| desk.request(rig.at, AgentId::OPERATOR, request);
        assert_eq!(ask(OrderRequest::New(new)), expected);
        assert_eq!(ask(OrderRequest::Replace(replace)), expected);
        if full {
            assert_eq!(ask(OrderRequest::Cancel(cancel)), expected);
        }
        let strange = CancelOrder::of(own);
        assert_eq!(ask(OrderRequest::Cancel(strange)), Err(Reason::UnknownOrder));
        let core = desk.lane.core.unwrap();
        let others = core.denied().filter(|(agent, ..)| *agent == AGENT);
        assert_eq!(others.map(|(.., count)| count).sum::<u64>(), 2, "the agent's and the last");
        let (_, order) = core.oms.find(new.cl_ord_id).unwrap();
        assert_eq!(order.was_denied(), full);
    }
}

struct Gone;

impl Wire for Gone {
    fn write(&mut self, _: &Frame, _: Permit<'_>) -> Result<(), NoWire> {
        Err(NoWire)
    }
}

/// C14: an order that others make way for does not leave where their cancel did not.
#[test]
fn an_order_behind_a_cancel_that_did_not_leave_stays() {
    for (leaves, expected) in [(true, None), (false, Some(Reason::SelfMatch))] {
        let mut rig = rig(&[row("self_match", Scope::Global, "cancel_old")]);
        let mut exit = Exit::new();
        rig.resting(Side::Buy, 10, "99.50");
        let new = rig.draft(AGENT, IBM, limit_terms(Side::Sell, 1, "99.50"));
        let mut out = CoreOut::default();
        rig.core.request(rig.at, AGENT, &OrderRequest::New(new), &rig.market, &mut out);
        let mut approved = out.approved.drain(..);
        let (cancel, order) = (approved.next().unwrap(), approved.next().unwrap());
        let cancel = exit.clear(cancel);
        let sent = if leaves {
            exit.send(rig.at, &cancel)
        } else {
            exit.gate.release(rig.at, &cancel, &mut Session, &mut Gone)
        };
        assert_eq!(sent.is_ok(), leaves);
        let order = exit.clear(order);
        assert_eq!(reason(exit.send(rig.at, &order)), expected);
        // What follows no cancel is not its concern.
        let (_, other) = buy(&mut rig, 1);
        let other = exit.clear(other);
        assert_eq!(reason(exit.send(rig.at, &other)), None);
    }
}
