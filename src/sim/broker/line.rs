//! The way between a session and a broker: bytes in order, late, cut, or gone.

use super::super::dice::Dice;
use super::super::port::{Inbound, Port};
use crate::broker::session::Channel;
use crate::types::{Nanos, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down,
    /// Answered at this time, with a connection or without.
    Dialing(Timestamp, bool),
    Open,
}

/// One connection, and the next one after it.
#[derive(Debug)]
pub struct Line {
    port: Arc<Port>,
    channel: Channel,
    state: State,
    out: VecDeque<(Timestamp, Vec<u8>)>,
    back: VecDeque<(Timestamp, Inbound)>,
    /// Nothing passes before this, in either direction; then the connection is gone.
    pub deaf: Option<Timestamp>,
    /// Everything takes this much longer until then.
    pub slow: (Timestamp, Nanos),
    /// Dialling fails until then.
    pub unreachable: Timestamp,
    /// Dialling gets no answer until then.
    pub hangs: Timestamp,
    /// Added to the way of the next bytes back.
    pub delay: Nanos,
    dice: Dice,
}

impl Line {
    /// A line that is down.
    pub fn new(port: Arc<Port>, channel: Channel, dice: Dice) -> Self {
        Self {
            port,
            channel,
            state: State::Down,
            out: VecDeque::new(),
            back: VecDeque::new(),
            deaf: None,
            slow: (Timestamp::ZERO, Nanos(0)),
            unreachable: Timestamp::ZERO,
            hangs: Timestamp::ZERO,
            delay: Nanos(0),
            dice,
        }
    }

    /// A new process at the gateway's end: it knows nothing of the old connection.
    pub fn rewire(&mut self, port: Arc<Port>) {
        self.port = port;
        self.drop_all();
    }

    /// Stands.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Stands, or is about to.
    pub fn stands(&self) -> bool {
        self.state != State::Down
    }

    /// The network is well again.
    pub fn heal(&mut self) {
        (self.unreachable, self.hangs) = (Timestamp::ZERO, Timestamp::ZERO);
        self.slow = (Timestamp::ZERO, Nanos(0));
    }

    fn drop_all(&mut self) {
        self.state = State::Down;
        self.out.clear();
        self.back.clear();
        self.deaf = None;
    }

    fn way(&mut self, now: Timestamp) -> Nanos {
        let base = self.dice.between(50_000, 2_000_000);
        let slow = if now < self.slow.0 { self.slow.1.0 } else { 0 };
        Nanos(base + slow)
    }

    /// The session dials.
    pub fn dial(&mut self, now: Timestamp) {
        self.drop_all();
        let way = self.way(now);
        self.state = if now < self.unreachable {
            State::Dialing(now + way, false)
        } else if now < self.hangs {
            State::Dialing(self.hangs, false)
        } else {
            State::Dialing(now + way, true)
        };
    }

    /// The session hangs up.
    pub fn hangup(&mut self) {
        self.drop_all();
    }

    /// The session's bytes begin their way.
    pub fn send(&mut self, now: Timestamp, bytes: Vec<u8>) {
        if self.state == State::Open && self.deaf.is_none() {
            let earliest = self.out.back().map_or(now, |(at, _)| *at);
            let at = (now + self.way(now)).max(earliest);
            self.out.push_back((at, bytes));
        }
    }

    /// The broker's bytes begin their way.
    pub fn answer(&mut self, now: Timestamp, bytes: Vec<u8>) {
        if self.state == State::Open && self.deaf.is_none() {
            let earliest = self.back.back().map_or(now, |(at, _)| *at);
            let delay = std::mem::take(&mut self.delay);
            let at = (now + self.way(now) + delay).max(earliest);
            self.back.push_back((at, Inbound::Bytes(bytes)));
        }
    }

    /// The broker closes; what is under way still arrives.
    pub fn close(&mut self, now: Timestamp, why: &'static str) {
        if self.state == State::Open {
            let at = self.back.back().map_or(now, |(at, _)| *at);
            self.back.push_back((at, Inbound::Closed(why)));
        }
    }

    /// The connection is reset: what is under way is lost. What the broker has read it has read.
    pub fn reset(&mut self, now: Timestamp) {
        if self.state == State::Open {
            self.out.clear();
            self.back.clear();
            self.back.push_back((now, Inbound::Closed("reset")));
        }
    }

    /// When something arrives.
    pub fn next_event(&self) -> Timestamp {
        let answer = match self.state {
            State::Dialing(at, _) => at,
            State::Down | State::Open => Timestamp::MAX,
        };
        let out = self.out.front().map_or(Timestamp::MAX, |(at, _)| *at);
        let back = self.back.front().map_or(Timestamp::MAX, |(at, _)| *at);
        answer.min(out).min(back).min(self.deaf.unwrap_or(Timestamp::MAX))
    }

    /// Bytes that the broker reads now.
    pub fn read(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        if self.out.front().is_some_and(|(at, _)| *at <= now) {
            return self.out.pop_front().map(|(_, bytes)| bytes);
        }
        None
    }

    /// Hands over what arrives at the session now; whether anything did.
    pub fn deliver(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        if let State::Dialing(at, well) = self.state
            && at <= now
        {
            self.state = if well { State::Open } else { State::Down };
            let inbound = if well { Inbound::Connected } else { Inbound::Closed("no answer") };
            any |= self.port.inbound.push((self.channel, inbound)).is_ok();
        }
        if self.deaf.is_some_and(|end| end <= now) {
            self.deaf = None;
            self.reset(now);
        }
        while self.back.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, inbound)) = self.back.pop_front() else { break };
            let closed = matches!(inbound, Inbound::Closed(_));
            any |= self.port.inbound.push((self.channel, inbound)).is_ok();
            if closed {
                self.drop_all();
            }
        }
        any
    }

    /// Loses what is under way and all that follows, without a word, until `end`.
    pub fn go_deaf(&mut self, end: Timestamp) {
        if self.state == State::Open {
            self.out.clear();
            self.back.clear();
            self.deaf = Some(end);
        }
    }
}
