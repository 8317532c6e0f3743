//! The broker's end: each connection read byte by byte, the venue behind them, and what the watch needs
//! to know of the wire.

use super::http::{Asked, take_request, write_reply};
use super::socket::{Socket, accept};
use super::{KEY, SECRET};
use crate::alpaca::{Backend, Credentials, Method, Output, Reply, SocketId, Stream, Ticket, Uuid};
use crate::broker::session::Channel;
use crate::sim::broker::line::Line;
use crate::sim::dice::Dice;
use crate::sim::fault::Fault;
use crate::sim::market::SimMarket;
use crate::sim::port::{OrderWrite, Outbound, Port};
use crate::sim::watch::Violation;
use crate::types::{InstrumentTable, Nanos, Timestamp};
use crate::venue::alpaca::{AlpacaConfig, AlpacaVenue, Login, MarketClock, Pace};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tungstenite::Message;

/// Connections of the session.
const CHANNELS: Channel = 7;
/// The one that carries trade updates.
pub(super) const STREAM: Channel = 0;

/// The broker's end of a connection.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Read and not a whole request yet.
    bytes: Vec<u8>,
    /// Once it was upgraded.
    pub(super) socket: Option<(SocketId, Socket)>,
}

/// The broker.
pub struct AlpacaServer {
    pub(super) venue: AlpacaVenue,
    pub(super) lines: Vec<Line>,
    pub(super) ends: Vec<End>,
    /// Who waits for which answer.
    waiting: BTreeMap<Ticket, Channel>,
    tickets: Ticket,
    pub(super) dice: Dice,
    /// Opportunities that a fault still spoils.
    pub(super) armed: BTreeMap<Fault, u32>,
    /// Faults that last until then.
    pub(super) lasting: BTreeMap<Fault, Timestamp>,
    /// Faults that had an effect.
    pub struck: Vec<Fault>,
    /// Orders that the venue took, by its numbers.
    pub(super) taken: Vec<String>,
    /// Those in which it booked what no market did.
    pub(super) meddled: BTreeSet<Uuid>,
    /// The last list of orders was said to be empty: two in a row would be evidence.
    pub(super) emptied: bool,
    /// A trade update that the next one overtakes.
    pub(super) held: Option<Vec<u8>>,
    /// Trade updates of a while ago.
    pub(super) history: VecDeque<Vec<u8>>,
    /// Requests a minute that the account may make.
    rate: usize,
    /// When requests left in the last minute.
    sent: VecDeque<Timestamp>,
    /// This connection of the stream was told that trade updates are listened to.
    listens: bool,
}

impl AlpacaServer {
    /// A broker with one account, whose market is `market`.
    ///
    /// # Errors
    /// Why the venue cannot be opened.
    pub fn new(
        (seed, rate): (u64, u32),
        instruments: &InstrumentTable,
        market: SimMarket,
        port: &Arc<Port>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let config = AlpacaConfig {
            logins: vec![Login { key: KEY.to_owned(), secret: SECRET.to_owned() }],
            state_dir: None,
            clock: MarketClock::Open,
            pace: Pace::Wall,
            rate,
            seed,
        };
        let source = Box::new(market.records().map(Ok));
        let venue = AlpacaVenue::open(&config, instruments, source, now)
            .map_err(|error| error.to_string())?;
        let line = |channel: Channel| {
            Line::new(Arc::clone(port), channel, Dice::new(seed, 300 + u64::from(channel)))
        };
        Ok(Self {
            venue,
            lines: (0..CHANNELS).map(line).collect(),
            ends: (0..CHANNELS).map(|_| End::default()).collect(),
            waiting: BTreeMap::new(),
            tickets: 0,
            dice: Dice::new(seed, 400),
            armed: BTreeMap::new(),
            lasting: BTreeMap::new(),
            struck: Vec::new(),
            taken: Vec::new(),
            meddled: BTreeSet::new(),
            emptied: false,
            held: None,
            history: VecDeque::new(),
            rate: rate as usize,
            sent: VecDeque::new(),
            listens: false,
        })
    }

    /// The gateway is a new process.
    pub fn rewire(&mut self, port: &Arc<Port>) {
        self.sent.clear();
        self.listens = false;
        for channel in 0..CHANNELS {
            self.lines[usize::from(channel)].rewire(Arc::clone(port));
            self.forget(channel);
        }
    }

    /// Nobody is at the other end of a connection any more.
    fn forget(&mut self, channel: Channel) {
        let end = std::mem::take(&mut self.ends[usize::from(channel)]);
        if let Some((id, _)) = end.socket {
            self.venue.closed(id);
        }
        self.waiting.retain(|_, waits| *waits != channel);
    }

    /// Takes what the session wants, and says what of it may not be.
    pub fn on_outbound(&mut self, now: Timestamp, outbound: Outbound, out: &mut Vec<Violation>) {
        match outbound {
            Outbound::Dial(channel) => {
                self.forget(channel);
                self.lines[usize::from(channel)].dial(now);
                self.listens &= channel != STREAM;
            }
            Outbound::Hangup(channel) => {
                self.forget(channel);
                self.lines[usize::from(channel)].hangup();
                self.listens &= channel != STREAM;
            }
            Outbound::Bytes(channel, bytes) => {
                if channel != STREAM {
                    self.count(now, out);
                }
                self.lines[usize::from(channel)].send(now, bytes);
            }
            Outbound::Order(write) => {
                self.count(now, out);
                if !self.listens {
                    let what = "an order before trade updates are listened to".to_owned();
                    out.push(Violation::new("I11", what));
                }
                out.extend(unlike(&write).map(|what| Violation::new("I03", what)));
                self.lines[usize::from(write.channel)].send(now, write.bytes);
            }
            Outbound::Tripped(..) => {}
        }
    }

    /// A request leaves.
    fn count(&mut self, now: Timestamp, out: &mut Vec<Violation>) {
        while self.sent.front().is_some_and(|at| *at + Nanos::from_secs(60) <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        if self.sent.len() > self.rate {
            let what = format!("{} requests in a minute of {}", self.sent.len(), self.rate);
            out.push(Violation::new("I19", what));
        }
    }

    /// When something happens here.
    pub fn next_event(&self) -> Timestamp {
        let lines = self.lines.iter().map(Line::next_event).min().unwrap_or(Timestamp::MAX);
        lines.min(self.venue.next_event().unwrap_or(Timestamp::MAX))
    }

    /// Does everything due now; whether the session has something to read.
    ///
    /// # Errors
    /// The venue gave up.
    pub fn advance(&mut self, now: Timestamp) -> Result<bool, String> {
        for channel in 0..CHANNELS {
            while let Some(bytes) = self.lines[usize::from(channel)].read(now) {
                self.read(now, channel, &bytes)?;
            }
        }
        self.venue.advance(now);
        self.tell(now)?;
        let mut any = false;
        for line in &mut self.lines {
            any |= line.deliver(now);
        }
        for channel in 0..CHANNELS {
            if !self.lines[usize::from(channel)].stands() {
                self.forget(channel);
            }
        }
        Ok(any)
    }

    fn read(&mut self, now: Timestamp, channel: Channel, bytes: &[u8]) -> Result<(), String> {
        let end = &mut self.ends[usize::from(channel)];
        if let Some((id, socket)) = &mut end.socket {
            let (id, mut messages) = (*id, Vec::new());
            let open = socket.push(bytes, &mut messages);
            for message in messages {
                self.venue.receive(now, id, &message);
                self.tell(now)?;
            }
            self.flush_socket(now, channel);
            if !open {
                self.lines[usize::from(channel)].close(now, "the WebSocket ended");
            }
            return Ok(());
        }
        end.bytes.extend_from_slice(bytes);
        loop {
            let asked = take_request(&mut self.ends[usize::from(channel)].bytes);
            match asked {
                Ok(None) => return Ok(()),
                Ok(Some(asked)) => self.asked(now, channel, asked)?,
                Err(_) => {
                    self.lines[usize::from(channel)].close(now, "no request");
                    return Ok(());
                }
            }
        }
    }

    fn asked(&mut self, now: Timestamp, channel: Channel, asked: Asked) -> Result<(), String> {
        if let Some(key) = asked.handshake {
            if let Some(status) = self.refused_handshake(now) {
                let reply = Reply { status, body: None, headers: Vec::new() };
                self.say(now, channel, write_reply(&reply, true, false));
                self.lines[usize::from(channel)].close(now, "refused");
                return Ok(());
            }
            self.tickets += 1;
            let id = self.tickets;
            self.ends[usize::from(channel)].socket = Some((id, Socket::new()));
            self.say(now, channel, accept(&key));
            let credentials = asked.request.credentials.as_ref();
            self.venue.open(now, id, Stream::Trading, credentials);
            return self.tell(now);
        }
        if self.spoils_request(now, channel, &asked.request)? {
            return Ok(());
        }
        self.pass(now, channel, &asked.request)
    }

    /// Hands a request to the venue; its answer goes back on the same connection.
    pub(super) fn pass(
        &mut self,
        now: Timestamp,
        channel: Channel,
        request: &crate::alpaca::Request,
    ) -> Result<(), String> {
        self.tickets += 1;
        self.waiting.insert(self.tickets, channel);
        self.venue.request(now, self.tickets, request);
        self.tell(now)
    }

    /// Asks the venue without a connection, as its own people can.
    ///
    /// # Errors
    /// The venue gave up, or does not answer at once.
    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        method: Method,
        target: &str,
    ) -> Result<Reply, String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = crate::alpaca::Request {
            method,
            path: path.to_owned(),
            query: crate::alpaca::Params::read(query),
            body: Vec::new(),
            credentials: Some(Credentials::Key(KEY.to_owned(), SECRET.to_owned())),
        };
        self.tickets += 1;
        let own = self.tickets;
        self.venue.request(now, own, &request);
        let mut answer = None;
        for output in self.venue.take_output()? {
            match output {
                Output::Reply(ticket, reply) if ticket == own => answer = Some(reply),
                other => self.give(now, other),
            }
        }
        answer.ok_or_else(|| format!("no answer to {target}"))
    }

    /// What the venue says goes to whom it concerns.
    pub(super) fn tell(&mut self, now: Timestamp) -> Result<(), String> {
        for output in self.venue.take_output()? {
            self.give(now, output);
        }
        Ok(())
    }

    fn give(&mut self, now: Timestamp, output: Output) {
        match output {
            Output::Reply(ticket, reply) => {
                let body = reply.body.as_ref().filter(|body| body["client_order_id"].is_string());
                if let Some(id) = body.and_then(|body| body["id"].as_str())
                    && !self.taken.iter().any(|taken| taken == id)
                {
                    self.taken.push(id.to_owned());
                }
                if let Some(channel) = self.waiting.remove(&ticket) {
                    self.answer(now, channel, &reply);
                }
            }
            Output::Hangup(ticket) => {
                if let Some(channel) = self.waiting.remove(&ticket) {
                    self.lines[usize::from(channel)].reset(now);
                }
            }
            Output::Text(id, text) => self.frame(now, id, text.into_bytes()),
            Output::Binary(id, bytes) => self.frame(now, id, bytes),
            Output::Close(id) => {
                if let Some(channel) = self.channel_of(id) {
                    self.send_frame(now, channel, Message::Close(None));
                    self.lines[usize::from(channel)].close(now, "the broker closed the stream");
                }
            }
            Output::Freeze(_) => {}
        }
    }

    pub(super) fn channel_of(&self, id: SocketId) -> Option<Channel> {
        let at = self
            .ends
            .iter()
            .position(|end| end.socket.as_ref().is_some_and(|(socket, _)| *socket == id))?;
        Some(at as Channel)
    }

    fn frame(&mut self, now: Timestamp, id: SocketId, bytes: Vec<u8>) {
        let Some(channel) = self.channel_of(id) else { return };
        if bytes.starts_with(br#"{"stream":"listening""#) {
            self.listens = true;
        }
        if bytes.starts_with(br#"{"stream":"trade_updates""#) {
            return self.update(now, channel, bytes);
        }
        self.send_frame(now, channel, Message::Binary(bytes.into()));
    }

    pub(super) fn send_frame(&mut self, now: Timestamp, channel: Channel, message: Message) {
        if let Some((_, socket)) = &mut self.ends[usize::from(channel)].socket {
            socket.send(message);
        }
        self.flush_socket(now, channel);
    }

    fn flush_socket(&mut self, now: Timestamp, channel: Channel) {
        if let Some((_, socket)) = &mut self.ends[usize::from(channel)].socket {
            let bytes = socket.take();
            if !bytes.is_empty() {
                self.say(now, channel, bytes);
            }
        }
    }

    /// Bytes begin their way back, sometimes in pieces.
    pub(super) fn say(&mut self, now: Timestamp, channel: Channel, mut bytes: Vec<u8>) {
        let line = &mut self.lines[usize::from(channel)];
        while bytes.len() > 1 && self.dice.chance(150) {
            let rest = bytes.split_off(self.dice.between(1, bytes.len() as u64 - 1) as usize);
            line.answer(now, std::mem::replace(&mut bytes, rest));
        }
        line.answer(now, bytes);
    }
}

/// Whether the bytes of an order say something else than what was approved.
fn unlike(write: &OrderWrite) -> Option<String> {
    use crate::msg::OrderRequest;
    let mut bytes = write.bytes.clone();
    let Ok(Some(Asked { request, .. })) = take_request(&mut bytes) else {
        return Some("bytes on the wire that are no request".to_owned());
    };
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let named = body["client_order_id"].as_str().unwrap_or_default();
    let fits = bytes.is_empty()
        && match &write.request {
            OrderRequest::New(new) => {
                let side = if new.terms.side == crate::types::Side::Buy { "buy" } else { "sell" };
                request.method == Method::Post
                    && request.path == "/v2/orders"
                    && named == new.cl_ord_id.to_string()
                    && body["side"] == side
            }
            OrderRequest::Replace(replace) => {
                request.method == Method::Patch && named == replace.cl_ord_id.to_string()
            }
            OrderRequest::Cancel(_) => {
                request.method == Method::Delete && request.path.starts_with("/v2/orders/")
            }
        };
    let text = String::from_utf8_lossy(&write.bytes);
    (!fits).then(|| format!("{:?} went as {}", write.request, text.lines().next().unwrap_or("")))
}
