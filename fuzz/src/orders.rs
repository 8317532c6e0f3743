//! Sequences of events into the order state machine: the table alone, and the whole core with its
//! books, against what can be said of any broker and any sequence.

use super::kit::Bytes;
use super::samples::{self, id, terms};
use qtos_gateway::actors::market::Market;
use qtos_gateway::actors::oms::books::Fx;
use qtos_gateway::actors::oms::order::{Order, Role};
use qtos_gateway::actors::oms::transition::{Event, Pending, Stage, State, transition};
use qtos_gateway::actors::oms::{Books, Oms, Patience};
use qtos_gateway::actors::risk::{CHECKS, Known, Risk};
use qtos_gateway::actors::{Core, Lane, Outbox, step};
use qtos_gateway::msg::report::RequestKind;
use qtos_gateway::msg::{
    BrokerSnapshot, CancelOrder, CancelReject, Contingent, Control, FillSnapshot, Input, KillOrder,
    Leg, MarketData, NewOrder, OrderRequest, OrderSnapshot, Parent, PositionSnapshot, Quote,
    ReplaceOrder, Report, SessionStatus,
};
use qtos_gateway::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExchangeId, ExecId, ExecType, InstrumentId,
    KillLevel, LimitRow, LimitValue, Nanos, Notional, OrdStatus, OrderQty, Price, Qty, Reason,
    Scope, Side, Timestamp, VenueOrderId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const EVENTS: [Event; 12] = [
    Event::Accepted,
    Event::Fill,
    Event::LastFill,
    Event::Canceled,
    Event::Rejected,
    Event::Expired,
    Event::Replaced,
    Event::CancelSent,
    Event::ReplaceSent,
    Event::CancelRejected,
    Event::ReplaceRejected,
    Event::Lost,
];

/// The table alone: an order ends by the broker's word only, and a doubt as well.
pub fn transitions(data: &[u8]) {
    let mut state = State::NEW;
    for byte in data {
        let event = EVENTS[usize::from(*byte) % EVENTS.len()];
        let (next, odd) = transition(state, event);
        let own = matches!(event, Event::CancelSent | Event::ReplaceSent | Event::Lost);
        let refused = matches!(event, Event::CancelRejected | Event::ReplaceRejected);
        if next.is_done() != state.is_done()
            || state.stage == Stage::InDoubt && next.stage != state.stage
        {
            assert!(!own && !refused, "{state:?} {event:?}");
        }
        if state.is_done() {
            assert!(!next.is_done() <= (state.stage == Stage::Rejected && odd.is_some()));
            assert_eq!(next.pending, Pending::None);
        }
        // A change that is under way ends by an answer, by the end of the order, or by a cancel.
        if state.pending == Pending::Cancel && next.pending != Pending::Cancel {
            assert!(event == Event::CancelRejected || next.is_done(), "{state:?} {event:?}");
        }
        state = next;
    }
}

const AGENT: AgentId = AgentId(2);
const IBM: InstrumentId = InstrumentId(0);
const BROKER: BrokerId = BrokerId(0);
const ACCOUNT: AccountId = AccountId(0);

fn lane() -> Lane {
    let table = Arc::new(samples::table());
    let row = |control: &str, value: &str| LimitRow {
        control: control.to_owned(),
        scope: Scope::Global,
        value: LimitValue::Text(value.to_owned()),
        line: 1,
    };
    let set = [
        ("max_order_qty", "1000000"),
        ("max_order_value", "100000000"),
        ("max_position", "1000000"),
        ("price_collar", "90%"),
        ("order_rate", "100000/1s"),
        ("duplicate_intent", "deny"),
        ("daily_loss", "1000000000"),
        ("session", "calendar"),
    ];
    let mut rows: Vec<LimitRow> = set.iter().map(|(control, value)| row(control, value)).collect();
    let names = table.iter().map(|(_, instrument)| instrument.symbol.clone()).collect();
    rows.push(LimitRow { value: LimitValue::List(names), ..row("symbol_list", "") });
    let missing = CHECKS.iter().filter(|check| check.required);
    let missing: Vec<_> =
        missing.filter(|check| !rows.iter().any(|row| row.control == check.name)).collect();
    rows.extend(missing.into_iter().map(|check| row(check.name, "off")));
    let known = Known { instruments: Arc::clone(&table), accounts: vec!["paper".to_owned()] };
    let risk = Risk::new(rows, known, vec![BROKER]).unwrap();
    let patience = Patience {
        ack: Nanos::from_secs(2),
        absence: Nanos::from_secs(5),
        reconcile: Nanos::from_secs(30),
    };
    let books = Books::new(1, 4, table, Fx::new(vec![None, None]))
        .with_capital(vec![Notional::whole(100_000)]);
    let core = Core::new(risk, Oms::new(books, vec![patience], vec![BROKER]));
    Lane::new(Market::new(2, Nanos::from_secs(3_600)), 2, Vec::new(), Some(core))
}

/// What the world outside the core knows of a run.
struct World {
    lane: Lane,
    out: Outbox,
    at: Timestamp,
    seq: u32,
    /// Every name that was ever used for an order.
    names: Vec<ClientOrderId>,
    /// Orders of which the broker, or the lack of a send, said something that may end them.
    may_end: BTreeSet<u32>,
    /// A snapshot came: it may end any of them.
    any_may_end: bool,
    /// Filled so far, by order.
    filled: BTreeMap<u32, (Qty, Qty)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            lane: lane(),
            out: Outbox::default(),
            at: Timestamp::from_nanos(1_735_828_200_000_000_000),
            seq: 0,
            names: Vec::new(),
            may_end: BTreeSet::new(),
            any_may_end: false,
            filled: BTreeMap::new(),
        };
        world.quote(100);
        world.feed(Input::Control(Control::Boot { instance: 1, epoch: 1 }));
        world.report(Report::Session(SessionStatus::Up));
        world.report(Report::Snapshot(Box::default()));
        world
    }

    fn core(&self) -> &Core {
        self.lane.core.as_ref().unwrap()
    }

    fn feed(&mut self, input: Input) {
        step(&mut self.lane, self.at, &input, &mut self.out);
        self.out.clear();
    }

    fn report(&mut self, report: Report) {
        self.feed(Input::Report(BROKER, report));
    }

    fn quote(&mut self, price: i64) {
        let raw = Price::from_raw(price * 1_000_000_000);
        let quote = Quote {
            ts: self.at,
            instrument: IBM,
            exchange: ExchangeId(0),
            suspicious: false,
            bid: raw,
            bid_size: Qty::whole(100),
            ask: raw,
            ask_size: Qty::whole(100),
        };
        self.feed(Input::Market(MarketData::Quote(quote)));
    }

    fn fresh(&mut self) -> ClientOrderId {
        self.seq += 1;
        let name = id(self.seq);
        self.names.push(name);
        name
    }

    fn ask(&mut self, request: OrderRequest) {
        self.feed(Input::Request(AGENT, request));
    }

    /// One event of the input.
    fn event(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.below(16);
        let name = match self.names.len() {
            0 => id(1),
            count => self.names[bytes.below(count)],
        };
        let side = if bytes.byte().is_multiple_of(2) { Side::Buy } else { Side::Sell };
        match kind {
            0 | 1 => {
                let (cl_ord_id, qty) = (self.fresh(), bytes.number());
                let whole = qty.clamp(-1, 1_000);
                let leg = |cl_ord_id, side| Leg { cl_ord_id, terms: terms(side, whole, 100) };
                let contingent = match bytes.below(6) {
                    0 => Contingent::OneCancelsOther(leg(self.fresh(), side)),
                    1 => Contingent::OneTriggersOther(leg(self.fresh(), side.opposite())),
                    2 => Contingent::Bracket {
                        take_profit: leg(self.fresh(), side.opposite()),
                        stop_loss: leg(self.fresh(), side.opposite()),
                    },
                    _ => Contingent::None,
                };
                let single = contingent == Contingent::None && bytes.below(4) == 0;
                self.ask(OrderRequest::New(NewOrder {
                    cl_ord_id,
                    account: ACCOUNT,
                    instrument: IBM,
                    intent: u64::from(cl_ord_id.seq),
                    terms: terms(side, whole, 100),
                    contingent,
                    parent: single.then(|| Parent { id: 1, qty: Qty::whole(50) }),
                }));
            }
            2 => {
                let cl_ord_id = self.fresh();
                let side = self.core().oms.find(name).map_or(side, |(_, order)| order.terms.side);
                self.ask(OrderRequest::Replace(ReplaceOrder {
                    orig_cl_ord_id: name,
                    cl_ord_id,
                    intent: u64::from(cl_ord_id.seq),
                    terms: terms(side, bytes.number().clamp(-1, 1_000), 101),
                }));
            }
            3 => self.ask(OrderRequest::Cancel(CancelOrder::of(name))),
            4..=8 => self.execution(name, bytes),
            9 => {
                let request =
                    if side == Side::Buy { RequestKind::Replace } else { RequestKind::Cancel };
                let reason = Reason::BrokerOther;
                self.report(Report::CancelReject(CancelReject {
                    cl_ord_id: None,
                    orig_cl_ord_id: name,
                    request,
                    reason,
                }));
            }
            10 => {
                self.mark(name);
                let request =
                    [RequestKind::New, RequestKind::Replace, RequestKind::Cancel][bytes.below(3)];
                self.report(Report::NotSent { cl_ord_id: name, request, reason: Reason::Kill });
            }
            11 => {
                let status =
                    if side == Side::Buy { SessionStatus::Up } else { SessionStatus::Down };
                self.report(Report::Session(status));
            }
            12 => self.snapshot(bytes),
            13 => {
                self.at = self.at + Nanos::from_millis(u64::from(bytes.byte()) * 50);
                self.feed(Input::Tick);
                self.quote(100);
            }
            14 => {
                let level = KillLevel::from_u8(bytes.byte() % 4);
                let scope = Scope::Agent(AGENT);
                let order =
                    KillOrder { scope, level, reason: "fuzz".into(), episode: 1, rule: None };
                let control = if level == KillLevel::Normal {
                    Control::Arm(order)
                } else {
                    Control::Kill(order)
                };
                self.feed(Input::Control(control));
            }
            _ => self.restart(),
        }
    }

    fn mark(&mut self, name: ClientOrderId) {
        if let Some((index, _)) = self.core().oms.find(name) {
            self.may_end.insert(index);
        }
    }

    fn execution(&mut self, name: ClientOrderId, bytes: &mut Bytes<'_>) {
        let types = [
            ExecType::Trade,
            ExecType::New,
            ExecType::Canceled,
            ExecType::Replaced,
            ExecType::Rejected,
            ExecType::Expired,
            ExecType::OrderStatus,
            ExecType::Trade,
        ];
        let exec_type = types[bytes.below(types.len())];
        let full = bytes.byte().is_multiple_of(4);
        // Mostly the fill that would come next, at times anything.
        let booked = self.core().oms.find(name).map_or(Qty::ZERO, |(_, order)| order.cum_qty);
        let number = |bytes: &mut Bytes<'_>| match bytes.number() {
            small @ 0..32 => Qty::whole(small),
            raw => Qty::from_raw(raw),
        };
        let last = number(bytes);
        let cum = if bytes.byte().is_multiple_of(4) {
            number(bytes)
        } else {
            booked.saturating_add(last)
        };
        let mut report = samples::execution(exec_type, OrdStatus::PartiallyFilled, 0, 0);
        report.cl_ord_id = name;
        report.venue_order_id =
            VenueOrderId(u128::from(name.seq) + u128::from(bytes.below(8) == 0));
        report.exec_id = ExecId(u128::from(bytes.byte()));
        report.ord_status = if full { OrdStatus::Filled } else { OrdStatus::PartiallyFilled };
        report.last_qty = last;
        report.last_px = Price::from_raw(match bytes.number() {
            small @ 0..32 => (90 + small) * 1_000_000_000,
            raw => raw,
        });
        report.fee = Notional::from_raw(i128::from(bytes.number()) << (bytes.below(4) * 20));
        (report.cum_qty, report.leaves_qty) = (cum, number(bytes));
        report.transact_time = self.at;
        report.reason = bytes.byte().is_multiple_of(8).then_some(Reason::BrokerDuplicate);
        // What may end an order: an end in words, or its last fill.
        if !matches!(exec_type, ExecType::New | ExecType::Replaced | ExecType::OrderStatus) {
            self.mark(name);
        }
        self.report(Report::Execution(report));
    }

    /// Everything as the broker could see it: orders of the book as they are, less or more.
    fn snapshot(&mut self, bytes: &mut Bytes<'_>) {
        self.any_may_end = true;
        let mut snapshot = BrokerSnapshot::default();
        for order in self.core().oms.orders().iter().take(12) {
            let how = bytes.below(6);
            if how == 0 {
                continue;
            }
            let filled = order.filled();
            let more = if how == 1 { Qty::whole(bytes.number().clamp(0, 40)) } else { Qty::ZERO };
            let statuses =
                [OrdStatus::New, OrdStatus::Canceled, OrdStatus::Filled, OrdStatus::Rejected];
            let cum_qty = filled.saturating_add(more);
            let fill = FillSnapshot {
                exec_id: ExecId(u128::from(bytes.byte())),
                qty: cum_qty,
                price: Price::from_raw(100_000_000_000),
                fee: Notional::ZERO,
                transact_time: self.at,
            };
            snapshot.orders.push(OrderSnapshot {
                cl_ord_id: (how != 2).then_some(order.cl_ord_id),
                venue_order_id: order.venue_order_id.unwrap_or(VenueOrderId(77)),
                account: ACCOUNT,
                instrument: IBM,
                terms: match how {
                    3 => terms(order.terms.side, bytes.number().clamp(-1, 1_000), 99),
                    _ => order.terms,
                },
                ord_status: statuses[bytes.below(statuses.len())],
                cum_qty,
                leaves_qty: order.units.saturating_sub(cum_qty),
                fills: if cum_qty.is_positive() { vec![fill] } else { Vec::new() },
            });
        }
        let qty = match bytes.below(3) {
            0 => Qty::whole(bytes.number().clamp(-100, 100)),
            _ => self.core().oms.books.account(ACCOUNT, IBM).position,
        };
        snapshot.positions.push(PositionSnapshot {
            account: ACCOUNT,
            instrument: IBM,
            qty,
            avg_px: Price::from_raw(100_000_000_000),
        });
        self.report(Report::Snapshot(Box::new(snapshot)));
    }

    /// The state survives the process, exactly.
    fn restart(&mut self) {
        let digest = self.core().digest(&self.lane.market);
        let mut state = Vec::new();
        self.lane.save(&mut state);
        self.lane = lane();
        self.lane.load(&state).unwrap();
        assert_eq!(self.core().digest(&self.lane.market), digest, "another state after a restart");
    }

    /// What holds after every event, whatever the broker said.
    fn check(&mut self) {
        let oms = &self.lane.core.as_ref().unwrap().oms;
        let odd: u64 = oms.oddities().values().sum();
        let (mut buys, mut sells) = (0i128, 0i128);
        for (index, order) in oms.orders().iter().enumerate() {
            let index = index as u32;
            let filled = order.filled();
            let (most, cum) = self.filled.get(&index).copied().unwrap_or_default();
            assert!(filled >= most && order.cum_qty >= cum, "what was filled stays filled");
            self.filled.insert(index, (filled, order.cum_qty));
            let largest =
                order.replacement.map_or(order.units, |(_, units)| units.max(order.units));
            assert!(
                filled <= largest || odd > 0,
                "more filled than asked for, and nothing is odd: {order:?}"
            );
            self.reservation(index, order, largest);
            match order.terms.side {
                Side::Buy => buys += i128::from(order.reserved.raw()),
                Side::Sell => sells += i128::from(order.reserved.raw()),
            }
        }
        let mut position = 0i128;
        let mut seen: BTreeMap<u32, Vec<(Qty, Qty)>> = BTreeMap::new();
        for fill in oms.fills() {
            let order = &oms.orders()[fill.order as usize];
            position += i128::from(order.terms.side.signed(fill.qty).raw());
            let (from, to) = (fill.cum_qty.saturating_sub(fill.qty), fill.cum_qty);
            let others = seen.entry(fill.order).or_default();
            assert!(
                others.iter().all(|&(start, end)| to <= start || end <= from),
                "a fill counts twice"
            );
            others.push((from, to));
        }
        for (index, fills) in seen {
            let sum: i128 =
                fills.iter().map(|(from, to)| i128::from(to.raw()) - i128::from(from.raw())).sum();
            assert_eq!(sum, i128::from(oms.orders()[index as usize].filled().raw()));
        }
        let account = oms.books.account(ACCOUNT, IBM);
        let raw = |qty: Qty| i128::from(qty.raw());
        assert_eq!((raw(account.open_buy), raw(account.open_sell)), (buys, sells));
        if !self.any_may_end {
            assert_eq!(raw(account.position), position, "the position is the sum of the fills");
        }
    }

    fn reservation(&self, index: u32, order: &Order, largest: Qty) {
        let ended = self.any_may_end || self.may_end.contains(&index);
        if order.state.is_done() {
            assert!(order.reserved.is_zero(), "a done order reserves");
            assert!(
                ended || order.role != Role::Single,
                "ended without the broker's word: {order:?}"
            );
            return;
        }
        let worst = largest.saturating_sub(order.filled()).max(Qty::ZERO);
        assert!(!order.reserved.is_negative() && order.reserved <= worst);
        if order.role == Role::Single {
            let by_units = matches!(order.terms.qty, OrderQty::Units(_));
            assert!(
                order.reserved == worst || !by_units,
                "less reserved than may still trade: {order:?}"
            );
        }
    }
}

/// A run of events; a second one of the same events ends in the same state.
pub fn orders(data: &[u8]) {
    let run = || {
        let (mut world, mut bytes) = (World::new(), Bytes(data));
        while !bytes.is_empty() {
            world.event(&mut bytes);
            world.check();
        }
        world.core().digest(&world.lane.market)
    };
    assert_eq!(run(), run(), "the same events, another state");
}

pub fn seeds() -> Vec<Vec<u8>> {
    // New, accepted, filled in parts, a cancel, a restart; a replace; a list; a lost link and a snapshot.
    let new = |qty: u8| [0, 0, 0, qty, 5, 5];
    let trade = |name: u8, last: u8| [4, name, 0, 0, 1, last, 1, 1, 0, 10, 0, 0, 0, 1];
    let said = |name: u8, what: u8| [4, name, 0, what, 1, 0, 1, 1, 0, 10, 0, 0, 0, 1];
    vec![
        [&new(10)[..], &said(0, 1), &trade(0, 4), &[3, 0, 0], &trade(0, 6), &[15, 0, 0]].concat(),
        [&new(10)[..], &said(0, 1), &[2, 0, 0, 15], &said(1, 3), &trade(1, 9), &said(1, 2)]
            .concat(),
        [&[0, 0, 0, 10, 2][..], &said(0, 1), &trade(0, 10), &trade(1, 5), &said(2, 2)].concat(),
        [&new(5)[..], &[11, 0, 1], &[13, 0, 0, 90], &[11, 0, 0], &[12, 0, 0, 3, 9, 0]].concat(),
        [&new(5)[..], &[14, 0, 0, 3], &said(0, 1), &[9, 0, 1], &[13, 0, 0, 200], &said(0, 4)]
            .concat(),
    ]
}
