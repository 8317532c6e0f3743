//! The stream of trade updates: from a connection to a subscription, then updates, and whether it
//! still lives.
//!
//! ```text
//! Closed -dial-> Dialing -connected-> Shaking -open-> Authorizing -authorized-> Listening -ack-> Live
//! ```

use super::Credentials;
use super::lanes::STREAM;
use crate::broker::Backoff;
use crate::broker::session::Output;
use crate::net::Endpoint;
use crate::net::ws::{WsClient, WsError, WsEvent};
use crate::types::{Nanos, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// Each step of the logon may take so long.
const STEP: Nanos = Nanos::from_secs(5);
/// How often to ask whether the peer is there; its silence for twice as long means no.
const PING: Nanos = Nanos::from_secs(5);
/// Pause after credentials were refused: more tries would not make them better, and could lock them.
const REFUSED: Nanos = Nanos::from_secs(60);
/// Pause after a handshake was refused for too many connections.
const CROWDED: Nanos = Nanos::from_secs(15);

/// What the session learns.
#[derive(Debug)]
pub(super) enum News {
    /// Updates flow from here on.
    Live,
    /// They no longer do.
    Lost,
    /// The credentials were refused.
    Refused,
    /// `data` of an update.
    Update(Box<RawValue>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Closed { again: Timestamp },
    Dialing,
    Shaking,
    Authorizing,
    Listening,
    Live,
}

#[derive(Debug)]
pub(super) struct Stream {
    endpoint: Endpoint,
    state: State,
    socket: Option<WsClient>,
    /// The step that is under way is to be done by then; while live: when to ping.
    due: Timestamp,
    heard: Timestamp,
    backoff: Backoff,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    status: String,
    streams: Vec<String>,
    error_message: String,
}

impl Stream {
    pub fn new(endpoint: Endpoint, backoff: Backoff) -> Self {
        Self {
            endpoint,
            state: State::Idle,
            socket: None,
            due: Timestamp::MAX,
            heard: Timestamp::ZERO,
            backoff,
        }
    }

    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    pub fn start(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        if self.state == State::Idle {
            self.dial(now, out);
        }
    }

    fn dial(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        self.state = State::Dialing;
        self.due = now + STEP;
        out.push_back(Output::Dial(STREAM));
    }

    /// Hangs up and stays so until [`Self::start`].
    pub fn stop(&mut self, out: &mut VecDeque<Output>) -> Option<News> {
        let live = self.is_live();
        if !matches!(self.state, State::Idle | State::Closed { .. }) {
            out.push_back(Output::Hangup(STREAM));
        }
        self.state = State::Idle;
        self.socket = None;
        self.due = Timestamp::MAX;
        live.then_some(News::Lost)
    }

    fn lose(
        &mut self,
        now: Timestamp,
        why: &str,
        pause: Nanos,
        out: &mut VecDeque<Output>,
    ) -> Option<News> {
        let live = self.is_live();
        let wait = self.backoff.wait().max(pause);
        tracing::warn!(why, wait_ms = wait.0 / 1_000_000, "alpaca trade updates lost");
        out.push_back(Output::Hangup(STREAM));
        self.socket = None;
        self.state = State::Closed { again: now + wait };
        self.due = Timestamp::MAX;
        live.then_some(News::Lost)
    }

    pub fn on_connected(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        if self.state != State::Dialing {
            return;
        }
        match WsClient::connect(&self.endpoint, &[]) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.state = State::Shaking;
                self.due = now + STEP;
                self.flush(out);
            }
            Err(error) => drop(self.lose(now, &error.to_string(), Nanos(0), out)),
        }
    }

    pub fn on_closed(
        &mut self,
        now: Timestamp,
        why: &str,
        out: &mut VecDeque<Output>,
    ) -> Option<News> {
        match self.state {
            State::Idle | State::Closed { .. } => None,
            _ => self.lose(now, why, Nanos(0), out),
        }
    }

    fn flush(&mut self, out: &mut VecDeque<Output>) {
        let mut bytes = Vec::new();
        if let Some(socket) = &mut self.socket {
            socket.take_outgoing(&mut bytes);
        }
        if !bytes.is_empty() {
            out.push_back(Output::Send(STREAM, bytes));
        }
    }

    pub fn on_bytes(
        &mut self,
        now: Timestamp,
        bytes: &[u8],
        credentials: &Credentials,
        out: &mut VecDeque<Output>,
        news: &mut Vec<News>,
    ) {
        self.heard = now;
        if let Some(socket) = &mut self.socket {
            socket.push(bytes);
        }
        while let Some(socket) = &mut self.socket {
            let step = match socket.next_event() {
                Ok(None) => break,
                Ok(Some(WsEvent::Open)) => {
                    socket.send_text(&credentials.stream_auth());
                    self.state = State::Authorizing;
                    self.due = now + STEP;
                    Ok(())
                }
                Ok(Some(WsEvent::Message(message))) => self.on_message(now, &message, news),
                Ok(Some(WsEvent::Pong)) => Ok(()),
                Err(WsError::Refused(status @ (401 | 403))) => {
                    news.push(News::Refused);
                    Err((format!("the handshake was refused with status {status}"), REFUSED))
                }
                Err(error @ WsError::Refused(429)) => Err((error.to_string(), CROWDED)),
                Err(error) => Err((error.to_string(), Nanos(0))),
            };
            if let Err((why, pause)) = step {
                news.extend(self.lose(now, &why, pause, out));
                return;
            }
        }
        self.flush(out);
    }

    fn on_message(
        &mut self,
        now: Timestamp,
        message: &[u8],
        news: &mut Vec<News>,
    ) -> Result<(), (String, Nanos)> {
        let none = Nanos(0);
        let envelope: Envelope<'_> = serde_json::from_slice(message)
            .map_err(|error| (format!("a message that is no JSON object: {error}"), none))?;
        let said = || {
            envelope
                .data
                .and_then(|data| serde_json::from_str::<Said>(data.get()).ok())
                .unwrap_or_default()
        };
        match (envelope.stream, self.state) {
            (Some("authorization"), State::Authorizing) => {
                if said().status != "authorized" {
                    news.push(News::Refused);
                    return Err(("the credentials were refused".to_owned(), REFUSED));
                }
                if let Some(socket) = &mut self.socket {
                    socket.send_text(r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#);
                }
                self.state = State::Listening;
                self.due = now + STEP;
            }
            (Some("listening"), State::Listening) => {
                if !said().streams.iter().any(|stream| stream == "trade_updates") {
                    return Err(("the broker does not send trade updates".to_owned(), none));
                }
                self.state = State::Live;
                self.due = now + PING;
                self.backoff.reset();
                news.push(News::Live);
            }
            (Some("trade_updates"), State::Live) => match envelope.data {
                Some(data) if data.get() != "null" => news.push(News::Update(data.to_owned())),
                _ => tracing::warn!("a trade update without data"),
            },
            (Some(_), State::Live) => {}
            (Some("authorization"), _) => {
                news.push(News::Refused);
                return Err(("the credentials were refused later".to_owned(), REFUSED));
            }
            _ => {
                let why = said().error_message;
                return Err((format!("a message that has no place here {why}"), none));
            }
        }
        Ok(())
    }

    pub fn on_deadline(&mut self, now: Timestamp, out: &mut VecDeque<Output>) -> Option<News> {
        match self.state {
            State::Idle => None,
            State::Closed { again } => {
                if again <= now {
                    self.dial(now, out);
                }
                None
            }
            State::Live if self.due <= now => {
                if now.since(self.heard) > Nanos(2 * PING.0) {
                    return self.lose(now, "the broker is silent", Nanos(0), out);
                }
                if let Some(socket) = &mut self.socket {
                    socket.ping();
                }
                self.flush(out);
                self.due = now + PING;
                None
            }
            State::Live => None,
            _ if self.due <= now => self.lose(now, "the logon takes too long", Nanos(0), out),
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Idle => None,
            State::Closed { again } => Some(again),
            _ => Some(self.due),
        }
    }
}
