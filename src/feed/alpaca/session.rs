//! One data stream, from dial to data: bytes and time in; records, events and bytes out.
//!
//! A connection is good only when data comes over it. The venue may accept everything and then say
//! nothing, so silence while a market is open ends a connection, as does a ping without an answer at
//! any hour. What was lost meanwhile is told as a gap of each instrument.

use super::message::{Control, Decoder, Encoding, Other, Said};
use super::symbols::Symbols;
use crate::alpaca::{Channel, encode_msgpack};
use crate::feed::Counts;
use crate::msg::{Gap, MarketData};
use crate::net::ws::{WsClient, WsError, WsEvent};
use crate::net::{Backoff, Endpoint};
use crate::types::{Calendar, InstrumentId, Nanos, Phase, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A step of the logon that takes longer has failed; the venue itself gives ten seconds.
const STEP: Nanos = Nanos::from_secs(10);
/// A connection without a byte for so long is asked whether it is there, and has as long to answer.
const PING: Nanos = Nanos::from_secs(10);
/// A connection that stood for so long was a good one: the next wait is the first again.
const STEADY: Nanos = Nanos::from_secs(60);
/// While another program holds the one connection.
const TAKEN: Nanos = Nanos::from_secs(60);
/// Where only a person can help; tried again all the same, as plans and keys are mended elsewhere.
const HELPLESS: Nanos = Nanos::from_secs(300);

/// What a stream is to bring.
#[derive(Clone)]
pub struct FeedSettings {
    /// Host and path of the stream.
    pub endpoint: Endpoint,
    /// How frames are written.
    pub encoding: Encoding,
    /// Which channels, the same for every symbol.
    pub channels: Vec<Channel>,
    /// Which symbols, and the instruments they stand for.
    pub symbols: Symbols,
    /// When those trade: silence outside of it is none.
    pub calendars: Vec<Calendar>,
    /// Key of the account.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// No data for so long in an open market ends the connection.
    pub silence: Nanos,
}

impl std::fmt::Debug for FeedSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Open a connection.
    Dial,
    /// Close it.
    Hangup,
    /// Write these bytes.
    Send(Vec<u8>),
}

/// What happened to the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// The venue confirmed the whole subscription; whether it is worth anything shows with the data.
    Subscribed,
    /// The first data of this connection came.
    Verified,
    /// The connection is gone, or never came to be.
    Lost {
        /// Why, and what helps.
        why: String,
        /// Until the next try.
        wait: Nanos,
        /// Only a person can help.
        helpless: bool,
    },
    /// A message could not be used; its instrument has a gap.
    Unusable(String),
    /// The venue said something that needs no act.
    Told(String),
}

/// Who gets what a stream brings.
pub trait FeedSink {
    /// A market record.
    fn record(&mut self, record: &MarketData);
    /// A frame as it came, before it is read.
    fn frame(&mut self, _now: Timestamp, _bytes: &[u8]) {}
    /// Something about the stream itself.
    fn event(&mut self, event: FeedEvent);
}

/// What a stream has brought so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames.
    pub frames: u64,
    /// Records by kind, gaps of this session's own among them.
    pub records: Counts,
    /// Messages that became no record, by [`Other::ALL`].
    pub others: [u64; Other::ALL.len()],
    /// Messages that could not be used.
    pub unusable: u64,
    /// Connections that got as far as a confirmed subscription.
    pub subscribed: u64,
    /// Connections lost, or tried in vain.
    pub lost: u64,
    /// Errors of the venue by code; a refused handshake by its HTTP status.
    pub errors: BTreeMap<u16, u64>,
    /// When data last came.
    pub last_data: Option<Timestamp>,
    /// Symbols without data since the last connection.
    pub unverified: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection before this moment.
    Down(Timestamp),
    Dialing,
    /// Until this moment: WebSocket, greeting, key, subscription.
    Opening(Timestamp),
    Greeting(Timestamp),
    Authenticating(Timestamp),
    Subscribing(Timestamp),
    /// Since this moment.
    Live(Timestamp),
}

/// A data stream.
#[derive(Debug)]
pub struct FeedSession {
    settings: FeedSettings,
    state: State,
    ws: Option<WsClient>,
    decoder: Decoder,
    backoff: Backoff,
    wants: VecDeque<Want>,
    heard: Timestamp,
    pinged: Option<Timestamp>,
    /// By instrument: data came over this connection.
    seen: Vec<bool>,
    verified: bool,
    counters: Counters,
}

impl FeedSession {
    /// A stream that dials at `now`.
    pub fn new(settings: FeedSettings, now: Timestamp) -> Self {
        let most = settings.symbols.names().iter().map(|(_, id)| id.index() + 1).max();
        Self {
            settings,
            state: State::Down(now),
            ws: None,
            decoder: Decoder::default(),
            backoff: Backoff::new(Nanos::from_secs(1), Nanos::from_secs(30)),
            wants: VecDeque::new(),
            heard: now,
            pinged: None,
            seen: vec![false; most.unwrap_or(0)],
            verified: false,
            counters: Counters::default(),
        }
    }

    /// What it has brought.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The venue has confirmed the subscription of the connection that stands.
    pub const fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// Data has come over the connection that stands.
    pub const fn is_verified(&self) -> bool {
        self.is_live() && self.verified
    }

    /// What the driver is to do next; ask until there is nothing after every call of `on_*`.
    pub fn poll(&mut self) -> Option<Want> {
        self.wants.pop_front()
    }

    /// When [`Self::on_deadline`] is due.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Down(at)
            | State::Opening(at)
            | State::Greeting(at)
            | State::Authenticating(at)
            | State::Subscribing(at) => Some(at),
            State::Dialing => None,
            State::Live(since) => {
                let ping = self.pinged.unwrap_or(self.heard) + PING;
                Some(self.mute_at(since).map_or(ping, |mute| ping.min(mute)))
            }
        }
    }

    /// When silence becomes muteness: markets are open and nothing came of any symbol.
    fn mute_at(&self, since: Timestamp) -> Option<Timestamp> {
        let base = self.counters.last_data.map_or(since, |at| at.max(since));
        let opens = |calendar: &Calendar| match calendar.phase(base) {
            Phase::Regular => Some(base),
            _ => calendar.next_open(base),
        };
        // Silence that begins before a close ends with it: the next one counts from the opening.
        let due = |calendar: &Calendar| {
            let due = opens(calendar)? + self.settings.silence;
            match calendar.phase(due) {
                Phase::Regular => Some(due),
                _ => calendar.next_open(due).map(|open| open + self.settings.silence),
            }
        };
        self.settings.calendars.iter().filter_map(due).min()
    }

    /// Time passed.
    pub fn on_deadline(&mut self, now: Timestamp, sink: &mut impl FeedSink) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        let late = |what: &str| format!("{what} did not come in {STEP}");
        match self.state {
            State::Dialing => {}
            State::Down(_) => {
                self.state = State::Dialing;
                self.wants.push_back(Want::Dial);
            }
            State::Opening(_) => self.lose(now, &late("the WebSocket"), None, sink),
            State::Greeting(_) => self.lose(now, &late("the greeting"), None, sink),
            State::Authenticating(_) => self.lose(now, &late("the answer to the key"), None, sink),
            State::Subscribing(_) => self.lose(now, &late("the confirmation"), None, sink),
            State::Live(since) => {
                if self.mute_at(since).is_some_and(|at| at <= now) {
                    let silence = self.settings.silence;
                    let why =
                        format!("connected, but no data for {silence} while a market is open");
                    self.lose(now, &why, None, sink);
                } else if self.pinged.is_some() {
                    self.lose(now, &format!("no byte for {}", Nanos(2 * PING.0)), None, sink);
                } else {
                    self.pinged = Some(now);
                    if let Some(ws) = &mut self.ws {
                        ws.ping();
                    }
                    self.flush();
                }
            }
        }
    }

    /// The connection stands.
    pub fn on_connected(&mut self, now: Timestamp, sink: &mut impl FeedSink) {
        let msgpack = self.settings.encoding == Encoding::Msgpack;
        let kind = ("Content-Type", "application/msgpack".to_owned());
        let headers = if msgpack { std::slice::from_ref(&kind) } else { &[] };
        match WsClient::connect(&self.settings.endpoint, headers) {
            Ok(ws) => {
                self.ws = Some(ws);
                self.heard = now;
                self.pinged = None;
                self.state = State::Opening(now + STEP);
                self.flush();
            }
            Err(error) => self.lose(now, &error.to_string(), Some(HELPLESS), sink),
        }
    }

    /// The connection ended, or could not be made.
    pub fn on_closed(&mut self, now: Timestamp, why: &str, sink: &mut impl FeedSink) {
        if !matches!(self.state, State::Down(_)) {
            self.lose(now, why, None, sink);
        }
    }

    /// Bytes came.
    pub fn on_bytes(&mut self, now: Timestamp, bytes: &[u8], sink: &mut impl FeedSink) {
        let Some(ws) = &mut self.ws else { return };
        self.heard = now;
        self.pinged = None;
        ws.push(bytes);
        loop {
            let Some(ws) = &mut self.ws else { return };
            match ws.next_event() {
                Ok(Some(WsEvent::Message(frame))) => self.on_frame(now, &frame, sink),
                Ok(Some(WsEvent::Open)) => self.state = State::Greeting(now + STEP),
                Ok(Some(WsEvent::Pong)) => {}
                Ok(None) => break,
                Err(WsError::Refused(status)) => {
                    *self.counters.errors.entry(status).or_default() += 1;
                    let helpless = matches!(status, 401 | 403 | 404).then_some(HELPLESS);
                    let why = WsError::Refused(status).to_string();
                    return self.lose(now, &why, helpless, sink);
                }
                Err(error) => return self.lose(now, &error.to_string(), None, sink),
            }
        }
        // Answers to pings.
        self.flush();
    }

    fn on_frame(&mut self, now: Timestamp, frame: &[u8], sink: &mut impl FeedSink) {
        sink.frame(now, frame);
        self.counters.frames += 1;
        let Self { settings, decoder, counters, seen, verified, .. } = self;
        let (encoding, symbols) = (settings.encoding, &settings.symbols);
        let mut controls: Vec<Control> = Vec::new();
        let read = decoder.frame(frame, encoding, symbols, |said| {
            let of = match said {
                Said::Record(record) => {
                    counters.records.add(&record);
                    sink.record(&record);
                    Some(record.instrument())
                }
                Said::Other(kind, id) => {
                    counters.others[kind as usize] += 1;
                    if kind == Other::News {
                        counters.last_data = Some(now);
                    }
                    id
                }
                Said::Unusable(id, why) => {
                    counters.unusable += 1;
                    if let Some(instrument) = id {
                        let gap = MarketData::Gap(Gap { ts: now, instrument, missing: 1 });
                        counters.records.add(&gap);
                        sink.record(&gap);
                    }
                    sink.event(FeedEvent::Unusable(why));
                    id
                }
                Said::Control(control) => {
                    controls.push(control);
                    None
                }
            };
            if let Some(id) = of {
                counters.last_data = Some(now);
                if let Some(seen) = seen.get_mut(id.index()).filter(|seen| !**seen) {
                    *seen = true;
                    counters.unverified = counters.unverified.saturating_sub(1);
                    if !std::mem::replace(verified, true) {
                        sink.event(FeedEvent::Verified);
                    }
                }
            }
        });
        for control in controls {
            self.on_control(now, control, sink);
        }
        if let Err(why) = read {
            self.lose(now, &why, None, sink);
        }
    }

    fn on_control(&mut self, now: Timestamp, control: Control, sink: &mut impl FeedSink) {
        match (control, self.state) {
            (Control::Success(word), State::Greeting(_)) if word == "connected" => {
                let (key, secret) = (&self.settings.key, &self.settings.secret);
                let auth = json!({"action": "auth", "key": key, "secret": secret});
                self.send(&auth);
                self.state = State::Authenticating(now + STEP);
            }
            (Control::Success(word), State::Authenticating(_)) if word == "authenticated" => {
                // One message for everything: each one is acknowledged on its own, and a limit of the
                // plan shows at once.
                let names = self.settings.symbols.names();
                let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                let mut subscribe = json!({"action": "subscribe"});
                for channel in &self.settings.channels {
                    subscribe[channel.key()] = json!(names);
                }
                self.send(&subscribe);
                self.state = State::Subscribing(now + STEP);
            }
            (Control::Subscription(all), State::Subscribing(_)) => match self.lacks(&all) {
                None => {
                    self.state = State::Live(now);
                    self.seen.fill(false);
                    self.verified = false;
                    self.counters.subscribed += 1;
                    self.counters.unverified = self.settings.symbols.names().len();
                    sink.event(FeedEvent::Subscribed);
                }
                Some(lacks) => {
                    let why = format!("the venue left {lacks} out of the subscription");
                    self.lose(now, &why, None, sink);
                }
            },
            (Control::Error(code, text), _) => self.on_error(now, code, &text, sink),
            (Control::Success(word), _) => sink.event(FeedEvent::Told(word)),
            (Control::Subscription(_), _) => {
                sink.event(FeedEvent::Told("a subscription that nobody asked for".to_owned()));
            }
        }
    }

    /// The first channel and symbol that was asked for and not confirmed.
    fn lacks(&self, confirmed: &BTreeSet<(String, String)>) -> Option<String> {
        let has = |channel: Channel, symbol: &str| {
            let has =
                |symbol: &str| confirmed.contains(&(channel.key().to_owned(), symbol.to_owned()));
            has(symbol) || has("*")
        };
        let names = self.settings.symbols.names();
        let mut asked = self
            .settings
            .channels
            .iter()
            .flat_map(|&channel| names.iter().map(move |(name, _)| (channel, name.as_str())));
        let (channel, symbol) = asked.find(|&(channel, symbol)| !has(channel, symbol))?;
        Some(format!("{} of {symbol}", channel.key()))
    }

    fn on_error(&mut self, now: Timestamp, code: u16, text: &str, sink: &mut impl FeedSink) {
        *self.counters.errors.entry(code).or_default() += 1;
        let (wait, help) = match code {
            // Asked twice: nothing is lost.
            403 => return sink.event(FeedEvent::Told(format!("error 403: {text}"))),
            402 => (Some(HELPLESS), "key and secret are not those of an account"),
            405 => {
                (Some(HELPLESS), "the plan allows fewer symbols: list fewer, or change the plan")
            }
            406 => (
                Some(TAKEN),
                "another program holds the one connection that this account has: end it, or give this \
                 gateway an account of its own",
            ),
            407 => (None, "this program read too slowly"),
            409 => (Some(HELPLESS), "the plan does not cover this feed: try `iex`"),
            410 => (Some(HELPLESS), "a channel that this feed does not have"),
            411 => (Some(HELPLESS), "the token may not read market data"),
            400 | 408 | 412 | 413 => (Some(HELPLESS), "the subscription does not fit this feed"),
            _ => (None, "will try again"),
        };
        self.lose(now, &format!("error {code}, {text}: {help}"), wait, sink);
    }

    fn send(&mut self, message: &Value) {
        let Some(ws) = &mut self.ws else { return };
        match self.settings.encoding {
            Encoding::Json => ws.send_text(&message.to_string()),
            Encoding::Msgpack => {
                let mut bytes = Vec::new();
                encode_msgpack(message, &mut bytes);
                ws.send_binary(bytes);
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        let mut out = Vec::new();
        if let Some(ws) = &mut self.ws {
            ws.take_outgoing(&mut out);
        }
        if !out.is_empty() {
            self.wants.push_back(Want::Send(out));
        }
    }

    /// Ends the connection. `wait` is the pause where a doubling one is not enough.
    fn lose(&mut self, now: Timestamp, why: &str, wait: Option<Nanos>, sink: &mut impl FeedSink) {
        if let State::Live(since) = self.state {
            if self.verified || now.since(since) >= STEADY {
                self.backoff.reset();
            }
            let names = self.settings.symbols.names().iter();
            for instrument in names.map(|&(_, id)| id).collect::<BTreeSet<InstrumentId>>() {
                let gap = MarketData::Gap(Gap { ts: now, instrument, missing: 0 });
                self.counters.records.add(&gap);
                sink.record(&gap);
            }
        }
        let helpless = wait == Some(HELPLESS);
        let wait = wait.unwrap_or_else(|| self.backoff.wait());
        self.counters.lost += 1;
        self.counters.unverified = self.settings.symbols.names().len();
        self.state = State::Down(now + wait);
        self.ws = None;
        self.verified = false;
        self.wants.clear();
        self.wants.push_back(Want::Hangup);
        sink.event(FeedEvent::Lost { why: why.to_owned(), wait, helpless });
    }
}
