//! The venue without input or output of its own: one exchange and the ports in front of it.
//!
//! Requests travel for the configured latency between port and exchange, in order; a snapshot request
//! travels with them, so that what was asked before it is in it. What a new logon of the same gateway
//! finds still under way is dropped with the old connection, never executed after it.
//!
//! Whoever owns the ports must write [`Venue::take_commit`] to the ledger before it writes any
//! [`Port::output`] to a socket.

use super::exchange::Exchange;
use super::ledger::Commit;
use super::order::{Order, OrderIndex};
use super::port::{Command, ConnectionId, Port, State};
use super::reporting::Outbox;
use super::wire::{self, ClientMessage, Logon, PROTOCOL, Role, SnapshotPart, VenueMessage};
use crate::journal::market_codec::MarketCodec;
use crate::msg::{
    CancelReject, ExecutionReport, FillSnapshot, MarketData, OrderRequest, PositionSnapshot, Report,
};
use crate::types::{AccountId, ExecType, Reason, Timestamp};
use std::collections::BTreeMap;

/// Orders and fills in one part of a snapshot; a part of this size stays far below a frame's limit.
const PART: usize = 20_000;
/// Records in one market frame.
const BATCH: usize = 4_096;

/// The venue.
#[derive(Debug)]
pub struct Venue {
    exchange: Exchange,
    ports: BTreeMap<ConnectionId, Port>,
    next_connection: ConnectionId,
    outbox: Outbox,
    codec: MarketCodec,
    /// When the first command of any port arrives.
    due: Timestamp,
    recording: bool,
    touched: Vec<OrderIndex>,
    fills: Vec<(OrderIndex, FillSnapshot)>,
    known_accounts: usize,
    ended: bool,
}

impl Venue {
    /// A venue with no connections. `recording` collects changes for [`Self::take_commit`].
    pub fn new(exchange: Exchange, recording: bool) -> Self {
        Self {
            codec: wire::market_codec(exchange.instruments()),
            known_accounts: exchange.accounts().names().len(),
            exchange,
            ports: BTreeMap::new(),
            next_connection: 0,
            outbox: Outbox::default(),
            due: Timestamp::MAX,
            recording,
            touched: Vec::new(),
            fills: Vec::new(),
            ended: false,
        }
    }

    /// The exchange.
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Session time.
    pub const fn now(&self) -> Timestamp {
        self.exchange.now()
    }

    /// A client connected.
    pub fn connect(&mut self) -> ConnectionId {
        let id = self.next_connection;
        self.next_connection += 1;
        self.ports.insert(id, Port::new());
        id
    }

    /// A connection ended. What it asked for and was not executed yet is forgotten.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.ports.remove(&id);
        self.set_due();
    }

    /// A connection.
    pub fn port(&mut self, id: ConnectionId) -> Option<&mut Port> {
        self.ports.get_mut(&id)
    }

    /// All connections, oldest first.
    pub fn ports(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Port)> {
        self.ports.iter_mut().map(|(&id, port)| (id, port))
    }

    /// Ends a connection with a reason.
    pub fn refuse(&mut self, id: ConnectionId, reason: &str) {
        if let Some(port) = self.ports.get_mut(&id) {
            port.refuse(reason);
        }
        self.set_due();
    }

    /// Takes a market record in; requests that arrive at or before its time come first. Whether any
    /// port may have new output.
    #[inline]
    pub fn on_market(&mut self, record: &MarketData) -> bool {
        let arrived = record.ts() >= self.due;
        if arrived {
            self.advance(record.ts());
        }
        self.exchange.on_market(record, &mut self.outbox);
        if self.outbox.is_empty() {
            return arrived;
        }
        self.distribute(None);
        true
    }

    /// Takes a record in that the venue saw before its restart.
    pub fn rebuild(&mut self, record: &MarketData) {
        self.exchange.rebuild(record);
    }

    /// Sends market records to the feed connections.
    pub fn publish(&mut self, records: &[MarketData]) {
        if !self.ports.values().any(Port::is_feed) {
            return;
        }
        let mut bytes = Vec::new();
        let encoded = records
            .chunks(BATCH)
            .try_for_each(|some| wire::encode_market(some, &mut self.codec, &mut bytes));
        for port in self.ports.values_mut().filter(|port| port.is_feed()) {
            match encoded {
                Ok(()) => port.output().extend_from_slice(&bytes),
                Err(error) => port.refuse(&error.to_string()),
            }
        }
    }

    /// Tells the feed connections, present and future, that the data is at its end.
    pub fn end_of_feed(&mut self) {
        self.ended = true;
        for port in self.ports.values_mut().filter(|port| port.is_feed()) {
            port.send(&VenueMessage::EndOfFeed);
        }
    }

    /// Bytes of a connection came in.
    pub fn on_bytes(&mut self, now: Timestamp, id: ConnectionId, bytes: &[u8]) {
        let now = now.max(self.exchange.now());
        if let Some(port) = self.ports.get_mut(&id) {
            port.push(bytes);
        }
        loop {
            let Some(port) = self.ports.get_mut(&id) else {
                return;
            };
            match port.next_message() {
                Ok(Some(message)) => self.on_message(now, id, message),
                Ok(None) => return,
                Err(error) => self.refuse(id, &error.to_string()),
            }
        }
    }

    /// When [`Self::advance`] is due next.
    #[inline]
    pub fn next_event(&self) -> Option<Timestamp> {
        let due = self.exchange.next_event().map_or(self.due, |at| at.min(self.due));
        (due != Timestamp::MAX).then_some(due)
    }

    /// Lets time pass: requests arrive and orders expire, each at its own moment.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(at) = self.next_event()
            && at <= now
        {
            if at < self.due {
                self.exchange.advance(at, &mut self.outbox);
                self.distribute(None);
                continue;
            }
            let next = self.ports.iter_mut().find(|(_, port)| port.due() == Some(at));
            let command = next.and_then(|(&id, port)| port.arrive().map(|command| (id, command)));
            if let Some((id, command)) = command {
                self.execute(at.max(self.exchange.now()), id, command);
            }
            self.set_due();
        }
        self.exchange.advance(now, &mut self.outbox);
        self.distribute(None);
    }

    /// What changed since the last call, to be written to the ledger; `None` if nothing did.
    pub fn take_commit(&mut self, position: u64) -> Option<Commit> {
        let names = self.exchange.accounts().names();
        if self.touched.is_empty() && self.fills.is_empty() && names.len() == self.known_accounts {
            return None;
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        let orders = self.exchange.orders();
        let commit = Commit {
            position,
            time: self.exchange.now(),
            accounts: names[self.known_accounts..].to_vec(),
            orders: self.touched.iter().map(|&at| orders[at as usize].order.clone()).collect(),
            fills: std::mem::take(&mut self.fills),
            notes: Vec::new(),
        };
        self.known_accounts = names.len();
        self.touched.clear();
        Some(commit)
    }

    fn on_message(&mut self, now: Timestamp, id: ConnectionId, message: ClientMessage) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        let command = match (message, &port.state) {
            (ClientMessage::Logon(logon), State::Greeting) => return self.logon(id, logon),
            (ClientMessage::Heartbeat, State::Trader { .. } | State::Feed) => {
                return port.send(&VenueMessage::Heartbeat);
            }
            (ClientMessage::Request(request), State::Trader { .. }) => Command::Request(request),
            (ClientMessage::CancelAll, State::Trader { .. }) => Command::CancelAll,
            (ClientMessage::SnapshotRequest { id, since }, State::Trader { .. }) => {
                Command::Snapshot { id, since }
            }
            (_, State::Greeting) => return port.refuse("the first message must be a logon"),
            (ClientMessage::Logon(_), _) => return port.refuse("logged in already"),
            (_, _) => return port.refuse("a feed connection takes no orders"),
        };
        port.count += 1;
        let due = now + self.exchange.rules.delay(id, port.count);
        if due <= now && port.due().is_none() {
            return self.execute(now, id, command);
        }
        port.enqueue(due, command);
        self.set_due();
    }

    fn logon(&mut self, id: ConnectionId, logon: Logon) {
        if logon.protocol != PROTOCOL {
            let reason = format!("protocol {} is not {PROTOCOL}", logon.protocol);
            return self.refuse(id, &reason);
        }
        let state = match logon.role {
            Role::Feed => State::Feed,
            Role::Trader => {
                let opened: Result<Vec<AccountId>, String> =
                    logon.accounts.iter().map(|name| self.exchange.open_account(name)).collect();
                let accounts = match opened {
                    Ok(accounts) => accounts,
                    Err(reason) => return self.refuse(id, &reason),
                };
                for port in self.ports.values_mut().filter(|port| port.is_trader_of(&logon)) {
                    port.refuse("the same gateway logged on again");
                }
                self.set_due();
                State::Trader { gateway: logon.gateway, accounts }
            }
        };
        let accounts = match &state {
            State::Trader { accounts, .. } => accounts.clone(),
            _ => Vec::new(),
        };
        let ack = VenueMessage::LogonAck {
            instruments: self.exchange.instruments().clone(),
            accounts,
            now: self.exchange.now(),
        };
        if let Some(port) = self.ports.get_mut(&id) {
            port.state = state;
            port.send(&ack);
            if self.ended && port.is_feed() {
                port.send(&VenueMessage::EndOfFeed);
            }
        }
    }

    fn execute(&mut self, now: Timestamp, id: ConnectionId, command: Command) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        let State::Trader { accounts, .. } = &port.state else {
            return;
        };
        let exchange = &mut self.exchange;
        let out = &mut self.outbox;
        // An order of another account does not exist for this connection.
        let sees =
            |order: Option<&Order>| order.is_some_and(|order| accounts.contains(&order.account));
        match command {
            Command::Request(OrderRequest::New(new)) => {
                if !accounts.contains(&new.account) {
                    return self.refuse(id, "an order for an account that is not in the logon");
                }
                if new.instrument.index() >= exchange.instruments().len() {
                    return self.refuse(id, "an order for an instrument that is not in the table");
                }
                exchange.submit(now, &new, out);
            }
            Command::Request(OrderRequest::Replace(replace)) => {
                if sees(exchange.order(replace.orig_cl_ord_id)) {
                    exchange.replace(now, &replace, out);
                } else {
                    let refused = CancelReject::of_replace(&replace, Reason::UnknownOrder);
                    exchange.cancel_reject(refused, out);
                }
            }
            Command::Request(OrderRequest::Cancel(cancel)) => {
                let orig = cancel.orig_cl_ord_id;
                if sees(exchange.named(&cancel)) {
                    exchange.cancel(now, &cancel, out);
                } else {
                    exchange
                        .cancel_reject(CancelReject::of_cancel(orig, Reason::UnknownOrder), out);
                }
            }
            Command::CancelAll => exchange.cancel_all(now, accounts, out),
            Command::Snapshot { id: request, since } => {
                let accounts = accounts.clone();
                return self.snapshot(id, &accounts, request, since);
            }
        }
        self.distribute(Some(id));
    }

    /// Encodes what happened for the ports that may know it, and notes it for the ledger.
    fn distribute(&mut self, asker: Option<ConnectionId>) {
        for report in &self.outbox.reports {
            for (id, port) in &mut self.ports {
                let wanted = match report.account {
                    Some(account) => port.trades(account),
                    None => Some(*id) == asker,
                };
                if wanted {
                    port.report(&report.report);
                }
            }
            if self.recording
                && let Report::Execution(report) = &report.report
                && report.exec_type == ExecType::Trade
            {
                self.fills.push(fill_of(report));
            }
        }
        if self.recording {
            self.touched.extend_from_slice(&self.outbox.touched);
        }
        self.outbox.clear();
    }

    fn snapshot(&mut self, id: ConnectionId, accounts: &[AccountId], request: u64, since: u64) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        let version = self.exchange.execs();
        let mut part = SnapshotPart {
            id: request,
            last: false,
            version,
            orders: Vec::new(),
            positions: Vec::new(),
        };
        let mut size = 0;
        for record in self.exchange.orders() {
            let order = &record.order;
            if !accounts.contains(&order.account) || (!order.is_open() && order.changed <= since) {
                continue;
            }
            part.orders.push(order.snapshot(&record.fills));
            size += 1 + record.fills.len();
            if size >= PART {
                size = 0;
                port.send(&VenueMessage::Snapshot(part.clone()));
                part.orders.clear();
            }
        }
        part.last = true;
        part.positions = self
            .exchange
            .accounts()
            .positions()
            .filter(|(account, ..)| accounts.contains(account))
            .map(|(account, instrument, qty, cost)| {
                let multiplier = self.exchange.instruments().get(instrument).multiplier;
                PositionSnapshot { account, instrument, qty, avg_px: cost.per(qty, multiplier) }
            })
            .collect();
        port.send(&VenueMessage::Snapshot(part));
    }

    fn set_due(&mut self) {
        self.due = self.ports.values().filter_map(Port::due).min().unwrap_or(Timestamp::MAX);
    }
}

fn fill_of(report: &ExecutionReport) -> (OrderIndex, FillSnapshot) {
    // Order ids of this venue are places in its list plus one.
    let index = (report.venue_order_id.0 - 1) as OrderIndex;
    let fill = FillSnapshot {
        exec_id: report.exec_id,
        qty: report.last_qty,
        price: report.last_px,
        fee: report.fee,
        transact_time: report.transact_time,
    };
    (index, fill)
}
