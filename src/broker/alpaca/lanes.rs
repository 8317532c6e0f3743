//! The HTTP connections of a session: one request at a time on each, so that what an answer is about is
//! never in question. Orders have some, cancels may use those and one more, questions have their own.

use super::budget::Use;
use crate::alpaca::Uuid;
use crate::broker::Backoff;
use crate::broker::session::{Channel, Output};
use crate::net::http::{Response, ResponseDecoder};
use crate::types::{ClientOrderId, Nanos, Timestamp};
use std::collections::VecDeque;

/// The stream of trade updates.
pub(super) const STREAM: Channel = 0;
/// Questions.
const READS: Channel = 1;
/// Cancels, so that they never wait for orders.
const CANCELS: Channel = 2;
/// Orders, so many at once.
const ORDERS: [Channel; 4] = [3, 4, 5, 6];
/// All of them.
pub(super) const CHANNELS: usize = 7;

/// An order request without an answer after so long is in doubt; a question is asked again.
const PATIENCE: Nanos = Nanos::from_secs(5);

/// What an answer will be about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    New(ClientOrderId),
    Replace {
        old: Uuid,
        orig: ClientOrderId,
        name: ClientOrderId,
    },
    Cancel {
        name: ClientOrderId,
        id: Uuid,
    },
    CancelAll,
    /// An order whose answer was lost, by its name.
    Lookup {
        name: ClientOrderId,
        tries: u32,
    },
    /// A part of a snapshot.
    Resync,
    /// Whose account it is.
    Account,
}

#[derive(Debug)]
enum State {
    Closed { again: Timestamp },
    Dialing { until: Timestamp },
    Idle,
    Busy { asked: Asked, until: Timestamp },
}

#[derive(Debug)]
struct Lane {
    channel: Channel,
    state: State,
    decoder: ResponseDecoder,
    backoff: Backoff,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered.
    Answered(Asked, Response),
    /// Its connection ended, or it took too long: nobody knows.
    Lost(Asked),
}

/// All HTTP connections.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    open: bool,
}

impl Lanes {
    pub fn new(backoff: Backoff) -> Self {
        let channels = [READS, CANCELS].into_iter().chain(ORDERS);
        let lane = |channel| Lane {
            channel,
            state: State::Closed { again: Timestamp::ZERO },
            decoder: ResponseDecoder::default(),
            backoff,
        };
        Self { lanes: channels.map(lane).collect(), open: false }
    }

    /// Connects all, and again whenever one is lost.
    pub fn start(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        self.open = true;
        self.on_deadline(now, out, &mut Vec::new());
    }

    /// Ends all; what had no answer is lost.
    pub fn stop(&mut self, out: &mut VecDeque<Output>, lost: &mut Vec<Outcome>) {
        self.open = false;
        for lane in &mut self.lanes {
            out.push_back(Output::Hangup(lane.channel));
            lost.extend(lane.close(Timestamp::ZERO));
        }
    }

    /// An idle connection for this use.
    pub fn free(&self, what: Use) -> Option<Channel> {
        let fits = |channel: Channel| match what {
            Use::Read => channel == READS,
            Use::Cancel => channel >= CANCELS,
            Use::Order => channel > CANCELS,
        };
        let idle = |lane: &&Lane| matches!(lane.state, State::Idle) && fits(lane.channel);
        self.lanes.iter().find(idle).map(|lane| lane.channel)
    }

    /// A request was written.
    pub fn asked(&mut self, now: Timestamp, channel: Channel, asked: Asked) {
        if let Some(lane) = self.lane(channel) {
            lane.state = State::Busy { asked, until: now + PATIENCE };
        }
    }

    /// Whether an answer to this is awaited.
    pub fn awaits(&self, what: impl Fn(&Asked) -> bool) -> bool {
        self.lanes
            .iter()
            .any(|lane| matches!(&lane.state, State::Busy { asked, .. } if what(asked)))
    }

    fn lane(&mut self, channel: Channel) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.channel == channel)
    }

    pub fn on_connected(&mut self, channel: Channel) {
        if let Some(lane) = self.lane(channel)
            && matches!(lane.state, State::Dialing { .. })
        {
            lane.decoder.clear();
            lane.state = State::Idle;
        }
    }

    pub fn on_bytes(
        &mut self,
        now: Timestamp,
        channel: Channel,
        bytes: &[u8],
        out: &mut VecDeque<Output>,
        done: &mut Vec<Outcome>,
    ) {
        let Some(lane) = self.lane(channel) else { return };
        lane.decoder.push(bytes);
        loop {
            let why = match lane.decoder.next_response() {
                Ok(None) => return,
                Ok(Some(response)) => {
                    let closes = response.closes;
                    let State::Busy { asked, .. } = std::mem::replace(&mut lane.state, State::Idle)
                    else {
                        // Servers say 408 to a connection that nobody uses.
                        return lane.lose(now, "an answer to nothing", out, done);
                    };
                    lane.backoff.reset();
                    done.push(Outcome::Answered(asked, response));
                    if !closes {
                        continue;
                    }
                    "the broker closes it".to_owned()
                }
                Err(error) => error.to_string(),
            };
            return lane.lose(now, &why, out, done);
        }
    }

    pub fn on_closed(
        &mut self,
        now: Timestamp,
        channel: Channel,
        why: &str,
        done: &mut Vec<Outcome>,
    ) {
        let Some(lane) = self.lane(channel) else { return };
        // An answer without a length ends with its connection.
        if let (Ok(Some(response)), State::Busy { asked, .. }) =
            (lane.decoder.finish(), &lane.state)
        {
            done.push(Outcome::Answered(asked.clone(), response));
            lane.state = State::Idle;
        }
        tracing::debug!(channel, why, "alpaca connection ended");
        let wait = lane.backoff.wait();
        done.extend(lane.close(now + wait));
    }

    pub fn on_deadline(
        &mut self,
        now: Timestamp,
        out: &mut VecDeque<Output>,
        done: &mut Vec<Outcome>,
    ) {
        for lane in &mut self.lanes {
            match lane.state {
                State::Closed { again } if self.open && again <= now => {
                    lane.state = State::Dialing { until: now + PATIENCE };
                    lane.decoder.clear();
                    out.push_back(Output::Dial(lane.channel));
                }
                State::Dialing { until } if until <= now => {
                    lane.lose(now, "connect timed out", out, done);
                }
                State::Busy { until, .. } if until <= now => {
                    lane.lose(now, "no answer in time", out, done);
                }
                _ => {}
            }
        }
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        let due = |lane: &Lane| match lane.state {
            State::Closed { again } => self.open.then_some(again),
            State::Dialing { until } | State::Busy { until, .. } => Some(until),
            State::Idle => None,
        };
        self.lanes.iter().filter_map(due).min()
    }
}

impl Lane {
    fn close(&mut self, again: Timestamp) -> Option<Outcome> {
        match std::mem::replace(&mut self.state, State::Closed { again }) {
            State::Busy { asked, .. } => Some(Outcome::Lost(asked)),
            _ => None,
        }
    }

    fn lose(
        &mut self,
        now: Timestamp,
        why: &str,
        out: &mut VecDeque<Output>,
        done: &mut Vec<Outcome>,
    ) {
        tracing::debug!(channel = self.channel, why, "alpaca connection given up");
        out.push_back(Output::Hangup(self.channel));
        let wait = self.backoff.wait();
        done.extend(self.close(now + wait));
    }
}
