//! The venue's side of one connection: bytes in become commands, reports become bytes out.

use super::wire::{self, ClientMessage, Decoder, Logon, VenueMessage, WireError};
use crate::msg::{OrderRequest, Report};
use crate::types::{AccountId, Timestamp};
use std::collections::VecDeque;

/// A connection, numbered by the venue, never reused.
pub type ConnectionId = u64;

/// What a trader may ask for.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "requests are the rule, and no box on their way")]
pub(super) enum Command {
    Request(OrderRequest),
    CancelAll,
    Snapshot { id: u64, since: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Connected, not logged in.
    Greeting,
    Trader {
        gateway: String,
        accounts: Vec<AccountId>,
    },
    Feed,
    /// Its output may still be written; nothing more is read.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Port {
    decoder: Decoder,
    pub(super) state: State,
    /// Commands under way and when they arrive; each no earlier than the one before.
    queue: VecDeque<(Timestamp, Command)>,
    /// Commands so far.
    pub(super) count: u64,
    output: Vec<u8>,
}

impl Port {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::default(),
            state: State::Greeting,
            queue: VecDeque::new(),
            count: 0,
            output: Vec::new(),
        }
    }

    /// Bytes to write to the connection; the caller takes what it has written off the front.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether the connection is to be closed once [`Self::output`] is written.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether market records go here.
    pub fn is_feed(&self) -> bool {
        self.state == State::Feed
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.is_closed() {
            self.decoder.push(bytes);
        }
    }

    pub(super) fn next_message(&mut self) -> Result<Option<ClientMessage>, WireError> {
        if self.is_closed() {
            return Ok(None);
        }
        match self.decoder.next_message::<ClientMessage>()? {
            Some((message, [])) => Ok(Some(message)),
            Some(_) => Err(WireError::Message),
            None => Ok(None),
        }
    }

    pub(super) fn send(&mut self, message: &VenueMessage) {
        if !self.is_closed()
            && let Err(error) = wire::encode(message, &mut self.output)
        {
            self.refuse(&error.to_string());
        }
    }

    /// Ends the connection: what it asked for and was not executed yet is forgotten.
    pub(super) fn refuse(&mut self, reason: &str) {
        if !self.is_closed() {
            let refused = VenueMessage::Refused { reason: reason.to_string() };
            // A refusal is short: it fits.
            let _ = wire::encode(&refused, &mut self.output);
            self.state = State::Closed;
            self.queue.clear();
            self.decoder.clear();
        }
    }

    pub(super) fn trades(&self, account: AccountId) -> bool {
        matches!(&self.state, State::Trader { accounts, .. } if accounts.contains(&account))
    }

    pub(super) fn is_trader_of(&self, logon: &Logon) -> bool {
        matches!(&self.state, State::Trader { gateway, .. } if *gateway == logon.gateway)
    }

    pub(super) fn report(&mut self, report: &Report) {
        match report {
            Report::Execution(report) => self.send(&VenueMessage::Execution(*report)),
            Report::Correction(said) => self.send(&VenueMessage::Correction(**said)),
            Report::CancelReject(reject) => self.send(&VenueMessage::CancelReject(*reject)),
            Report::NotSent { .. } | Report::Session(_) | Report::Snapshot(_) => {}
        }
    }

    /// Puts a command on its way, behind those before it.
    pub(super) fn enqueue(&mut self, due: Timestamp, command: Command) {
        let after = self.queue.back().map_or(due, |&(before, _)| due.max(before));
        self.queue.push_back((after, command));
    }

    /// When the next command arrives.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.queue.front().map(|&(due, _)| due)
    }

    pub(super) fn arrive(&mut self) -> Option<Command> {
        self.queue.pop_front().map(|(_, command)| command)
    }
}
