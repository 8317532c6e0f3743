//! A broker that does its worst: it speaks the sandbox protocol, keeps a ledger of what is true, and
//! tells it late, twice, in the wrong order or not at all.

mod faults;
mod fills;
mod ledger;
pub mod line;

pub use ledger::Ledger;

use super::dice::Dice;
use super::fault::Fault;
use super::port::{Outbound, Port};
use crate::msg::{CancelOrder, CancelReject, NewOrder, OrderRequest, ReplaceOrder};
use crate::types::{
    AccountId, ClientOrderId, ExecType, InstrumentId, InstrumentTable, Nanos, Notional, OrdStatus,
    OrderQty, Price, Qty, Reason, TimeInForce, Timestamp,
};
use crate::venue::wire::{ClientMessage, Decoder, SnapshotPart, VenueMessage};
use line::Line;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Something the broker does later.
#[derive(Debug, Clone)]
enum Todo {
    /// The market may fill this order.
    Fill(usize),
    /// This order fills, ended or not.
    LateFill(usize),
    /// A share becomes so many.
    Split(InstrumentId, i64),
    /// Say this, past all faults.
    Say(Box<VenueMessage>),
}

/// The broker.
#[derive(Debug)]
pub struct SimBroker {
    /// What is true.
    pub ledger: Ledger,
    instruments: InstrumentTable,
    accounts: usize,
    line: Line,
    decoder: Decoder,
    dice: Dice,
    agenda: BTreeMap<(Timestamp, u32), Todo>,
    turn: u32,
    /// Opportunities that a fault still spoils.
    armed: BTreeMap<Fault, u32>,
    /// Conditions that last until then.
    lasting: BTreeMap<Fault, Timestamp>,
    /// Faults that had an effect, taken by the world.
    pub struck: Vec<Fault>,
    held: Option<VenueMessage>,
    history: VecDeque<VenueMessage>,
    /// A snapshot from a while ago with its version.
    old_snapshot: Option<SnapshotPart>,
    /// Last known middle of each instrument.
    pub prices: Vec<Price>,
    quiet: bool,
    /// Nothing trades in it until its split is done.
    closed: Option<InstrumentId>,
    /// Fills come when a scenario says so.
    commanded: bool,
    /// Queries for everything, answered or not.
    pub asked: u64,
}

impl SimBroker {
    /// A broker with so many accounts.
    pub fn new(
        instruments: InstrumentTable,
        accounts: usize,
        port: Arc<Port>,
        seed: u64,
        number: u64,
    ) -> Self {
        let prices = vec![Price::ZERO; instruments.len()];
        Self {
            ledger: Ledger::default(),
            instruments,
            accounts,
            line: Line::new(port, 0, Dice::new(seed, 100 + number)),
            decoder: Decoder::default(),
            dice: Dice::new(seed, 200 + number),
            agenda: BTreeMap::new(),
            turn: 0,
            armed: BTreeMap::new(),
            lasting: BTreeMap::new(),
            struck: Vec::new(),
            held: None,
            history: VecDeque::new(),
            old_snapshot: None,
            prices,
            quiet: false,
            closed: None,
            commanded: false,
            asked: 0,
        }
    }

    /// The gateway is a new process.
    pub fn rewire(&mut self, port: Arc<Port>) {
        self.line.rewire(port);
        self.decoder.clear();
    }

    /// Takes what the session wants.
    pub fn on_outbound(&mut self, now: Timestamp, outbound: Outbound) {
        match outbound {
            Outbound::Dial(_) => {
                self.decoder.clear();
                self.line.dial(now);
            }
            Outbound::Hangup(_) => self.line.hangup(),
            Outbound::Bytes(_, bytes) => self.line.send(now, bytes),
            Outbound::Order(write) => self.line.send(now, write.bytes),
            Outbound::Tripped(..) => {}
        }
    }

    /// When something happens here.
    pub fn next_event(&self) -> Timestamp {
        let todo = self.agenda.first_key_value().map_or(Timestamp::MAX, |((at, _), _)| *at);
        todo.min(self.line.next_event())
    }

    /// Does everything due now; whether the session has something to read.
    pub fn advance(&mut self, now: Timestamp) -> bool {
        while let Some(bytes) = self.line.read(now) {
            self.decoder.push(&bytes);
            loop {
                match self.decoder.next_message::<ClientMessage>() {
                    Ok(Some((message, _))) => self.on_message(now, message),
                    Ok(None) => break,
                    Err(_) => {
                        self.line.close(now, "unreadable");
                        self.decoder.clear();
                        break;
                    }
                }
            }
        }
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let todo = entry.remove();
            self.act(now, todo);
        }
        self.line.deliver(now)
    }

    fn later(&mut self, at: Timestamp, todo: Todo) {
        self.turn += 1;
        self.agenda.insert((at, self.turn), todo);
    }

    fn soon(&mut self, now: Timestamp, from: u64, to: u64, todo: Todo) {
        let wait = Nanos::from_millis(self.dice.between(from, to));
        self.later(now + wait, todo);
    }

    fn act(&mut self, now: Timestamp, todo: Todo) {
        match todo {
            Todo::Fill(place) => self.market_fills(now, place),
            Todo::LateFill(place) => {
                let order = &self.ledger.orders[place];
                let rest = order.units - order.cum;
                if !order.is_open() && rest.is_positive() {
                    self.strike(Fault::LateFill);
                    self.fill(now, place, self.lots(place, rest));
                }
            }
            Todo::Split(instrument, factor) => {
                self.ledger.split(instrument, factor);
                self.closed = None;
            }
            Todo::Say(message) => self.transmit(now, &message),
        }
    }

    /// A split is under way.
    pub const fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// A share becomes `factor` in `wait`; until then its market is closed.
    pub fn split(&mut self, now: Timestamp, instrument: InstrumentId, factor: i64, wait: Nanos) {
        self.closed = Some(instrument);
        self.later(now + wait, Todo::Split(instrument, factor));
    }

    fn on_message(&mut self, now: Timestamp, message: ClientMessage) {
        match message {
            ClientMessage::Logon(_) => {
                let wrong = self.spoils(Fault::WrongHost);
                let count = if wrong { self.accounts + 1 } else { self.accounts };
                self.transmit(
                    now,
                    &VenueMessage::LogonAck {
                        instruments: self.instruments.clone(),
                        accounts: (0..count).map(|number| AccountId(number as u16)).collect(),
                        now,
                    },
                );
            }
            ClientMessage::Request(request) => {
                let lost = self.spoils(Fault::LostAnswer);
                if self.spoils(Fault::LateAnswer) {
                    self.line.delay = Nanos::from_millis(self.dice.between(2_100, 6_000));
                }
                match &request {
                    OrderRequest::New(new) => self.on_new(now, new),
                    OrderRequest::Replace(replace) => self.on_replace(now, replace),
                    OrderRequest::Cancel(cancel) => self.on_cancel(now, cancel),
                }
                if lost {
                    self.line.reset(now);
                }
            }
            ClientMessage::CancelAll => {
                for place in 0..self.ledger.orders.len() {
                    if self.ledger.orders[place].is_open() {
                        self.cancel(now, place);
                    }
                }
            }
            ClientMessage::SnapshotRequest { id, since } => {
                self.asked += 1;
                self.snapshot(now, id, since);
            }
            ClientMessage::Heartbeat => self.say(now, VenueMessage::Heartbeat),
        }
    }

    fn on_new(&mut self, now: Timestamp, new: &NewOrder) {
        let ids =
            || std::iter::once(new.cl_ord_id).chain(new.contingent.legs().map(|leg| leg.cl_ord_id));
        if ids().any(|id| self.ledger.by_id.contains_key(&id)) {
            for id in ids().collect::<Vec<_>>() {
                self.refuse(now, id, Reason::BrokerDuplicate);
            }
            return;
        }
        let refused = if self.lasts(Fault::RefusesAll, now) || self.lasts(Fault::Throttled, now) {
            Some(Reason::BrokerOther)
        } else if self.lasts(Fault::VenueError, now) {
            Some(Reason::BrokerNotReady)
        } else if matches!(new.terms.tif, TimeInForce::Opg | TimeInForce::Cls) {
            Some(Reason::BrokerUnsupported)
        } else if !self.commanded && self.dice.chance(15) {
            Some(Reason::BrokerFunds)
        } else {
            None
        };
        let price = self.prices[new.instrument.index()];
        let units = match new.terms.qty {
            OrderQty::Units(units) => units,
            OrderQty::Cash(amount) => {
                let lot = self.instruments.get(new.instrument).lot.raw().max(1);
                let raw = amount.raw() / i128::from(price.raw().max(1));
                Qty::from_raw(i64::try_from(raw).unwrap_or(i64::MAX) / lot * lot)
            }
        };
        let refused = if units.is_positive() { refused } else { Some(Reason::BrokerOther) };
        if let Some(reason) = refused {
            for id in ids().collect::<Vec<_>>() {
                self.refuse(now, id, reason);
            }
            return;
        }
        if self.spoils(Fault::FalseReject) {
            for place in self.ledger.accept(new, units) {
                self.ledger.orders[place].belied = true;
            }
            for id in ids().collect::<Vec<_>>() {
                self.refuse(now, id, Reason::BrokerOther);
            }
            return;
        }
        let places = self.ledger.accept(new, units);
        let first = places.first().copied().unwrap_or_default();
        let ack_last = self.spoils(Fault::AckAfterFill);
        let mut acks = Vec::new();
        for &place in &places {
            acks.extend(self.ledger.report(place, ExecType::New, now));
        }
        if ack_last {
            self.market_fills(now, first);
        }
        for ack in acks {
            self.say(now, VenueMessage::Execution(ack));
        }
        match new.terms.tif {
            TimeInForce::Ioc | TimeInForce::Fok => {
                if self.ledger.orders[first].is_open() {
                    let all = new.terms.tif == TimeInForce::Fok;
                    let room = self.ledger.room(first);
                    if all && self.dice.chance(500) {
                        self.fill(now, first, room);
                    } else if !all && self.dice.chance(700) {
                        let part = self.part(first, room);
                        self.fill(now, first, part);
                    }
                }
                self.end(now, first, OrdStatus::Canceled, ExecType::Canceled);
            }
            _ => self.soon(now, 5, 3_000, Todo::Fill(first)),
        }
        for place in places.into_iter().skip(1) {
            self.soon(now, 200, 8_000, Todo::Fill(place));
        }
    }

    fn refuse(&mut self, now: Timestamp, id: ClientOrderId, reason: Reason) {
        self.say(
            now,
            VenueMessage::Execution(crate::msg::ExecutionReport {
                cl_ord_id: id,
                venue_order_id: crate::types::VenueOrderId(0),
                exec_id: crate::types::ExecId(0),
                exec_type: ExecType::Rejected,
                ord_status: OrdStatus::Rejected,
                last_qty: Qty::ZERO,
                last_px: Price::ZERO,
                cum_qty: Qty::ZERO,
                leaves_qty: Qty::ZERO,
                fee: Notional::ZERO,
                reason: Some(reason),
                transact_time: now,
            }),
        );
    }

    fn open(&self, id: ClientOrderId) -> Option<usize> {
        let place = *self.ledger.by_id.get(&id)?;
        self.ledger.orders[place].is_open().then_some(place)
    }

    fn on_replace(&mut self, now: Timestamp, replace: &ReplaceOrder) {
        let id = replace.orig_cl_ord_id;
        let refused = CancelReject::of_replace(replace, Reason::BrokerTooLate);
        let Some(place) = self.open(id) else {
            return self.say(now, VenueMessage::CancelReject(refused));
        };
        if self.spoils(Fault::ReplaceAfterFill) {
            let room = self.ledger.room(place);
            if room.is_positive() {
                self.fill(now, place, room);
            }
        }
        let order = &self.ledger.orders[place];
        let units = match replace.terms.qty {
            OrderQty::Units(units) => units,
            OrderQty::Cash(_) => order.units,
        };
        let taken = self.ledger.by_id.contains_key(&replace.cl_ord_id);
        if !order.is_open()
            || units <= order.cum
            || taken
            || !self.commanded && self.dice.chance(30)
        {
            return self.say(now, VenueMessage::CancelReject(refused));
        }
        self.ledger.replace(place, replace, units);
        if let Some(report) = self.ledger.report(place, ExecType::Replaced, now) {
            self.say(now, VenueMessage::Execution(report));
        }
        self.soon(now, 50, 4_000, Todo::Fill(place));
    }

    fn on_cancel(&mut self, now: Timestamp, cancel: &CancelOrder) {
        let id = cancel.orig_cl_ord_id;
        let Some(place) = self.open(id) else {
            let refused = CancelReject::of_cancel(id, Reason::BrokerTooLate);
            return self.say(now, VenueMessage::CancelReject(refused));
        };
        if self.spoils(Fault::IgnoredCancel) {
            return;
        }
        self.cancel(now, place);
    }

    fn cancel(&mut self, now: Timestamp, place: usize) {
        let room = self.ledger.room(place);
        let crossed = room.is_positive() && self.spoils(Fault::FillAfterCancel);
        self.end(now, place, OrdStatus::Canceled, ExecType::Canceled);
        if crossed {
            let part = self.part(place, room);
            self.fill(now, place, part);
        }
    }

    fn end(&mut self, now: Timestamp, place: usize, status: OrdStatus, exec_type: ExecType) {
        if !self.ledger.orders[place].is_open() {
            return;
        }
        self.ledger.end(place, status, None);
        if let Some(report) = self.ledger.report(place, exec_type, now) {
            self.say(now, VenueMessage::Execution(report));
        }
        for leg in self.ledger.orphans(place) {
            self.end(now, leg, OrdStatus::Canceled, ExecType::Canceled);
        }
        if let Some(fault) = self.armed.get_mut(&Fault::LateFill).filter(|left| **left > 0) {
            *fault -= 1;
            self.soon(now, 3_000, 40_000, Todo::LateFill(place));
        }
    }
}
