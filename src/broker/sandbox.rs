//! The session with a sandbox venue: one connection, the protocol of `venue::wire`.
//!
//! ```text
//! Idle -start-> Dialing -connected-> LoggingOn -ack-> Up
//!                  ^                     |             |
//!                  +------ Waiting <-----+-------------+   closed, silent, refused, unreadable
//! ```

use super::session::{BrokerSession, Channel, Frame, Output};
use crate::msg::{BrokerSnapshot, OrderRequest, Report, SessionStatus};
use crate::net::Backoff;
use crate::types::{AccountId, InstrumentId, InstrumentTable, Nanos, Reason, Timestamp};
use crate::venue::wire::{
    self, ClientMessage, Decoder, Logon, PROTOCOL, Role, SnapshotPart, VenueMessage,
};
use std::collections::VecDeque;

const CHANNEL: Channel = 0;

/// Settings of a sandbox session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Name of this gateway at the venue: a new logon takes over from an older one of the same name.
    pub gateway: String,
    /// The accounts that this broker serves: the gateway's id and the venue's name of each.
    pub accounts: Vec<(AccountId, String)>,
    /// How often to say that we are there; zero: never, for a link in memory.
    pub heartbeat: Nanos,
    /// How long the venue may be silent, also during connect and logon; zero: for ever.
    pub timeout: Nanos,
    /// Waits between tries to connect.
    pub backoff: Backoff,
}

impl SandboxConfig {
    /// For a venue over TCP: a heartbeat each second, down after three seconds of silence.
    pub fn tcp(gateway: &str, accounts: Vec<(AccountId, String)>) -> Self {
        Self {
            gateway: gateway.to_string(),
            accounts,
            heartbeat: Nanos::from_secs(1),
            timeout: Nanos::from_secs(3),
            backoff: Backoff::DEFAULT,
        }
    }

    /// For a venue in this process: no heartbeats, for its time may jump.
    pub fn in_memory(gateway: &str, accounts: Vec<(AccountId, String)>) -> Self {
        Self { heartbeat: Nanos(0), timeout: Nanos(0), ..Self::tcp(gateway, accounts) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Dialing,
    LoggingOn,
    Up,
    Waiting { until: Timestamp },
}

/// The ids of one side for those of the other.
#[derive(Debug, Default)]
struct Maps {
    /// By gateway id.
    to_instrument: Vec<Option<InstrumentId>>,
    /// By venue id.
    from_instrument: Vec<Option<InstrumentId>>,
    /// Gateway id and venue id.
    accounts: Vec<(AccountId, AccountId)>,
}

impl Maps {
    fn account_to(&self, ours: AccountId) -> Option<AccountId> {
        self.accounts.iter().find(|(gateway, _)| *gateway == ours).map(|&(_, venue)| venue)
    }
    fn account_from(&self, theirs: AccountId) -> Option<AccountId> {
        self.accounts.iter().find(|(_, venue)| *venue == theirs).map(|&(gateway, _)| gateway)
    }
    fn instrument_from(&self, theirs: InstrumentId) -> Option<InstrumentId> {
        self.from_instrument.get(theirs.index()).copied().flatten()
    }
}

/// The session.
#[derive(Debug)]
pub struct SandboxSession {
    config: SandboxConfig,
    instruments: InstrumentTable,
    state: State,
    outputs: VecDeque<Output>,
    decoder: Decoder,
    maps: Maps,
    /// When the venue was heard last, or the try to connect began.
    heard: Timestamp,
    next_heartbeat: Timestamp,
    backoff: Backoff,
    snapshot_id: u64,
    /// Version of the last complete snapshot of this connection; 0 asks for everything.
    since: u64,
    /// The last snapshot that was asked for before the last correction.
    corrected: u64,
    parts: BrokerSnapshot,
}

impl SandboxSession {
    /// A session for a gateway with these instruments.
    pub fn new(config: SandboxConfig, instruments: InstrumentTable) -> Self {
        Self {
            backoff: config.backoff,
            config,
            instruments,
            state: State::Idle,
            outputs: VecDeque::new(),
            decoder: Decoder::default(),
            maps: Maps::default(),
            heard: Timestamp::ZERO,
            next_heartbeat: Timestamp::MAX,
            snapshot_id: 0,
            since: 0,
            corrected: 0,
            parts: BrokerSnapshot::default(),
        }
    }

    fn send(&mut self, message: &ClientMessage) {
        let mut bytes = Vec::new();
        // Session messages are short: they fit a frame.
        if wire::encode(message, &mut bytes).is_ok() {
            self.outputs.push_back(Output::Send(CHANNEL, bytes));
        }
    }

    fn dial(&mut self, now: Timestamp) {
        self.state = State::Dialing;
        self.heard = now;
        self.outputs.push_back(Output::Dial(CHANNEL));
    }

    /// The connection is of no more use: wait, then try again.
    fn lose(&mut self, now: Timestamp, why: &str, hang_up: bool) {
        tracing::warn!(gateway = %self.config.gateway, why, "sandbox session lost");
        if hang_up {
            self.outputs.push_back(Output::Hangup(CHANNEL));
        }
        if self.state == State::Up {
            self.outputs.push_back(Output::Report(Report::Session(SessionStatus::Down)));
        }
        self.decoder.clear();
        self.next_heartbeat = Timestamp::MAX;
        self.state = State::Waiting { until: now + self.backoff.wait() };
    }

    fn ask_snapshot(&mut self) {
        self.snapshot_id += 1;
        self.parts = BrokerSnapshot::default();
        self.send(&ClientMessage::SnapshotRequest { id: self.snapshot_id, since: self.since });
    }

    fn on_message(&mut self, now: Timestamp, message: VenueMessage) {
        match (message, self.state) {
            (VenueMessage::LogonAck { instruments, accounts, .. }, State::LoggingOn) => {
                self.logged_on(now, &instruments, &accounts);
            }
            (VenueMessage::Execution(report), State::Up) => {
                self.outputs.push_back(Output::Report(Report::Execution(report)));
            }
            (VenueMessage::Correction(said), State::Up) => {
                // It may come late: the fills of its order in the snapshots since were read without
                // it, and what ended is told once. The next one says everything again.
                (self.since, self.corrected) = (0, self.snapshot_id);
                self.outputs.push_back(Output::Report(Report::Correction(Box::new(said))));
            }
            (VenueMessage::CancelReject(reject), State::Up) => {
                self.outputs.push_back(Output::Report(Report::CancelReject(reject)));
            }
            (VenueMessage::Snapshot(part), State::Up) => self.on_part(part),
            (VenueMessage::Heartbeat, State::Up) => {}
            (VenueMessage::Refused { reason }, _) => self.lose(now, &reason, true),
            _ => self.lose(now, "a message that has no place here", true),
        }
    }

    fn logged_on(&mut self, now: Timestamp, table: &InstrumentTable, accounts: &[AccountId]) {
        if accounts.len() != self.config.accounts.len() {
            return self.lose(now, "the venue named another number of accounts", true);
        }
        let ours = self.config.accounts.iter().map(|&(id, _)| id);
        self.maps = Maps {
            to_instrument: self.instruments.iter().map(|(_, i)| table.find(&i.symbol)).collect(),
            from_instrument: table.iter().map(|(_, i)| self.instruments.find(&i.symbol)).collect(),
            accounts: ours.zip(accounts.iter().copied()).collect(),
        };
        self.state = State::Up;
        self.backoff.reset();
        if self.config.heartbeat.0 > 0 {
            self.next_heartbeat = now + self.config.heartbeat;
        }
        self.since = 0;
        self.ask_snapshot();
        self.outputs.push_back(Output::Report(Report::Session(SessionStatus::Up)));
    }

    /// Collects the parts of the last snapshot asked for; what concerns instruments or accounts
    /// outside the gateway's own tables has no name here and is left out.
    fn on_part(&mut self, part: SnapshotPart) {
        if part.id != self.snapshot_id {
            return;
        }
        for mut order in part.orders {
            let account = self.maps.account_from(order.account);
            let instrument = self.maps.instrument_from(order.instrument);
            if let (Some(account), Some(instrument)) = (account, instrument) {
                (order.account, order.instrument) = (account, instrument);
                self.parts.orders.push(order);
            }
        }
        for mut position in part.positions {
            let account = self.maps.account_from(position.account);
            let instrument = self.maps.instrument_from(position.instrument);
            if let (Some(account), Some(instrument)) = (account, instrument) {
                (position.account, position.instrument) = (account, instrument);
                self.parts.positions.push(position);
            }
        }
        if planted!(PartIsWhole, part.last, true) {
            // The answer to what was asked before a correction moves nothing on.
            if part.id > self.corrected {
                self.since = part.version;
            }
            let snapshot = Box::new(std::mem::take(&mut self.parts));
            self.outputs.push_back(Output::Report(Report::Snapshot(snapshot)));
        }
    }

    fn to_venue(&self, request: &OrderRequest) -> Result<OrderRequest, Reason> {
        let OrderRequest::New(mut new) = *request else {
            return Ok(*request);
        };
        let instrument = self.maps.to_instrument.get(new.instrument.index()).copied().flatten();
        new.instrument = instrument.ok_or(Reason::BrokerUnsupported)?;
        new.account = self.maps.account_to(new.account).ok_or(Reason::BrokerUnsupported)?;
        Ok(OrderRequest::New(new))
    }

    fn times_out(&self) -> Option<Timestamp> {
        let waits = matches!(self.state, State::Dialing | State::LoggingOn | State::Up);
        (waits && self.config.timeout.0 > 0).then(|| self.heard + self.config.timeout)
    }
}

impl BrokerSession for SandboxSession {
    fn start(&mut self, now: Timestamp) {
        if self.state == State::Idle {
            self.dial(now);
        }
    }

    fn close(&mut self, now: Timestamp) {
        if matches!(self.state, State::Dialing | State::LoggingOn | State::Up) {
            self.lose(now, "closed by us", true);
        }
        self.state = State::Idle;
    }

    fn on_connected(&mut self, now: Timestamp, channel: Channel) {
        if channel != CHANNEL || self.state != State::Dialing {
            return;
        }
        self.state = State::LoggingOn;
        self.heard = now;
        self.decoder.clear();
        let accounts = self.config.accounts.iter().map(|(_, name)| name.clone()).collect();
        self.send(&ClientMessage::Logon(Logon {
            protocol: PROTOCOL,
            gateway: self.config.gateway.clone(),
            role: Role::Trader,
            accounts,
        }));
    }

    fn on_bytes(&mut self, now: Timestamp, channel: Channel, bytes: &[u8]) {
        if channel != CHANNEL || !matches!(self.state, State::LoggingOn | State::Up) {
            return;
        }
        self.heard = now;
        self.decoder.push(bytes);
        while matches!(self.state, State::LoggingOn | State::Up) {
            match self.decoder.next_message::<VenueMessage>() {
                Ok(Some((message, []))) => self.on_message(now, message),
                Ok(Some(_)) => self.lose(now, "bytes behind a message", true),
                Ok(None) => return,
                Err(error) => self.lose(now, &error.to_string(), true),
            }
        }
    }

    fn on_closed(&mut self, now: Timestamp, channel: Channel, error: &str) {
        if channel == CHANNEL && !matches!(self.state, State::Idle | State::Waiting { .. }) {
            self.lose(now, error, false);
        }
    }

    fn on_deadline(&mut self, now: Timestamp) {
        if let State::Waiting { until } = self.state {
            if now >= until {
                self.dial(now);
            }
            return;
        }
        if self.times_out().is_some_and(|at| now >= at) {
            return self.lose(now, "the venue is silent", true);
        }
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + self.config.heartbeat;
            self.send(&ClientMessage::Heartbeat);
        }
    }

    fn encode(
        &mut self,
        _now: Timestamp,
        request: &OrderRequest,
        frame: &mut Frame,
    ) -> Result<(), Reason> {
        if self.state != State::Up {
            return Err(Reason::BrokerNotReady);
        }
        let request = self.to_venue(request)?;
        frame.channel = CHANNEL;
        frame.bytes.clear();
        wire::encode(&ClientMessage::Request(request), &mut frame.bytes)
            .map_err(|_| Reason::InvalidOrder)
    }

    fn cancel_all(&mut self, _now: Timestamp) {
        if self.state == State::Up {
            self.send(&ClientMessage::CancelAll);
        }
    }

    fn request_snapshot(&mut self, _now: Timestamp) {
        if self.state == State::Up {
            self.ask_snapshot();
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Idle => None,
            State::Waiting { until } => Some(until),
            State::Dialing | State::LoggingOn | State::Up => {
                let beat = (self.next_heartbeat != Timestamp::MAX).then_some(self.next_heartbeat);
                match (self.times_out(), beat) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                }
            }
        }
    }
}
