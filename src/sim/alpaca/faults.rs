//! What goes wrong on this wire: with a request, with its answer, with the stream, with a connection.

use super::http::{write_page, write_reply};
use super::server::{AlpacaServer, STREAM};
use crate::alpaca::{Backend, Method, Reply, Request, Uuid};
use crate::broker::session::Channel;
use crate::sim::broker::line::Line;
use crate::sim::fault::Fault;
use crate::types::{Nanos, Timestamp};
use serde_json::{Value, json};
use tungstenite::Message;

/// Trade updates that may be told again later.
const HISTORY: usize = 16;

impl AlpacaServer {
    /// Begins a fault. What it does shows at the next opportunity.
    pub fn inject(&mut self, now: Timestamp, fault: Fault, place: u64) {
        let channel = (place % self.lines.len() as u64) as Channel;
        let until = now + Nanos::from_millis(self.dice.between(1_000, 9_000));
        match fault {
            Fault::CleanClose => self.on_line(fault, channel, |line| line.close(now, "closed")),
            Fault::Reset => self.on_line(fault, channel, |line| line.reset(now)),
            Fault::HalfOpen => self.on_line(fault, channel, |line| line.go_deaf(until)),
            Fault::Trickle => {
                let more = Nanos::from_millis(self.dice.between(20, 900));
                self.on_line(fault, channel, |line| line.slow = (until, more));
            }
            Fault::DialFails => {
                self.struck.push(fault);
                for line in &mut self.lines {
                    line.unreachable = until;
                    line.reset(now);
                }
            }
            Fault::DialHangs => {
                self.struck.push(fault);
                for line in &mut self.lines {
                    line.hangs = until;
                    line.reset(now);
                }
            }
            // Servers give up a connection that nobody uses, in words.
            Fault::Silent => {
                let lane = 1 + channel % 6;
                self.on_line(fault, lane, |_| {});
                let reply = Reply { status: 408, body: None, headers: Vec::new() };
                self.say(now, lane, write_reply(&reply, true, false));
                self.lines[usize::from(lane)].close(now, "idle");
            }
            Fault::OldReports => {
                for bytes in self.history.clone() {
                    self.struck.push(fault);
                    self.send_frame(now, STREAM, Message::Binary(bytes.into()));
                }
            }
            Fault::StrangeReport => self.strange(now),
            Fault::Flood => {
                self.struck.push(fault);
                for _ in 0..100 {
                    self.send_frame(now, STREAM, Message::Ping(vec![7; 16].into()));
                }
            }
            Fault::Revoked | Fault::TakenOver => {
                self.armed.insert(fault, 1);
                self.on_line(fault, STREAM, |line| line.close(now, "the session was ended"));
            }
            Fault::LateFill | Fault::TradeBust | Fault::TradeCorrect => {
                self.by_hand(now, fault, place);
            }
            Fault::Throttled | Fault::VenueError | Fault::Maintenance | Fault::RefusesAll => {
                self.lasting.insert(fault, until);
            }
            _ => {
                let times = self.dice.between(1, 3) as u32;
                *self.armed.entry(fault).or_default() += times;
            }
        }
    }

    /// Everything is well from now on.
    pub fn heal(&mut self) {
        self.armed.clear();
        self.lasting.clear();
        self.lines.iter_mut().for_each(Line::heal);
    }

    fn on_line(&mut self, fault: Fault, channel: Channel, act: impl FnOnce(&mut Line)) {
        let line = &mut self.lines[usize::from(channel)];
        if line.is_open() {
            self.struck.push(fault);
            act(line);
        }
    }

    /// Whether the next opportunity is spoiled.
    fn spoils(&mut self, fault: Fault) -> bool {
        let Some(left) = self.armed.get_mut(&fault).filter(|left| **left > 0) else { return false };
        *left -= 1;
        self.struck.push(fault);
        true
    }

    fn lasts(&mut self, fault: Fault, now: Timestamp) -> bool {
        let on = self.lasting.get(&fault).is_some_and(|until| now < *until);
        if on {
            self.struck.push(fault);
        }
        on
    }

    /// The status that a WebSocket handshake is refused with.
    pub(super) fn refused_handshake(&mut self, now: Timestamp) -> Option<u16> {
        if self.spoils(Fault::Revoked) {
            return Some(401);
        }
        if self.spoils(Fault::TakenOver) {
            return Some(429);
        }
        self.lasts(Fault::Maintenance, now).then_some(503)
    }

    /// Whether a request meets something else than the venue alone.
    pub(super) fn spoils_request(
        &mut self,
        now: Timestamp,
        channel: Channel,
        request: &Request,
    ) -> Result<bool, String> {
        let new = request.method == Method::Post;
        if self.lasts(Fault::Maintenance, now) {
            self.say(now, channel, write_page(503));
            return Ok(true);
        }
        if self.lasts(Fault::Throttled, now) {
            let mut reply = Reply::with(429, json!({"message": "too many requests."}));
            if self.dice.chance(500) {
                let wait = self.dice.between(0, 3);
                reply.headers.push(("Retry-After", wait.to_string()));
            }
            self.say(now, channel, write_reply(&reply, false, false));
            return Ok(true);
        }
        if new && self.lasts(Fault::RefusesAll, now) {
            let body = json!({"code": 40_310_000, "message": "account is not allowed to trade"});
            self.say(now, channel, write_reply(&Reply::with(403, body), false, false));
            return Ok(true);
        }
        if self.lasts(Fault::VenueError, now) {
            let status = self.dice.pick(&[500, 502, 503, 504]).copied().unwrap_or(500);
            // Nobody knows whether it was done.
            if self.dice.chance(500) {
                self.venue.request(now, 0, request);
                self.tell(now)?;
            }
            let body = json!({"code": 50_010_000, "message": "internal server error occurred"});
            let bytes = match self.dice.chance(500) {
                true => write_page(status),
                false => write_reply(&Reply::with(status, body), false, false),
            };
            self.say(now, channel, bytes);
            return Ok(true);
        }
        if self.spoils(Fault::WebPage) {
            if self.dice.chance(500) {
                self.venue.request(now, 0, request);
                self.tell(now)?;
            }
            self.say(now, channel, write_page(502));
            return Ok(true);
        }
        if new && self.spoils(Fault::ProxyRepeats) {
            // A proxy that got no answer in time asks again: one of the two answers comes back.
            let first = self.dice.chance(500);
            if first {
                self.pass(now, channel, request)?;
                self.venue.request(now, 0, request);
                self.tell(now)?;
            } else {
                self.venue.request(now, 0, request);
                self.tell(now)?;
                self.pass(now, channel, request)?;
            }
            return Ok(true);
        }
        let lookup = request.path.starts_with("/v2/orders:by_client_order_id");
        if lookup && self.spoils(Fault::NotFound) {
            let body = json!({"code": 40_410_000, "message": "order not found"});
            self.say(now, channel, write_reply(&Reply::with(404, body), false, false));
            return Ok(true);
        }
        let list = request.method == Method::Get && request.path == "/v2/orders";
        let emptied = list && !self.emptied && self.spoils(Fault::EmptySnapshot);
        self.emptied = if list { emptied } else { self.emptied };
        if emptied {
            self.say(now, channel, write_reply(&Reply::ok(json!([])), false, false));
            return Ok(true);
        }
        if request.method == Method::Delete && self.spoils(Fault::IgnoredCancel) {
            // Accepted in words, and forgotten.
            let reply = match request.path.as_str() {
                "/v2/orders" => Reply::with(207, json!([])),
                _ => Reply::empty(),
            };
            self.say(now, channel, write_reply(&reply, false, false));
            return Ok(true);
        }
        Ok(false)
    }

    /// An answer of the venue begins its way.
    pub(super) fn answer(&mut self, now: Timestamp, channel: Channel, reply: &Reply) {
        let line = usize::from(channel);
        if self.spoils(Fault::LostAnswer) {
            return self.lines[line].reset(now);
        }
        if self.spoils(Fault::LateAnswer) {
            self.lines[line].delay = Nanos::from_millis(self.dice.between(4_000, 9_000));
        }
        if self.spoils(Fault::Garbage) {
            return self.say(now, channel, vec![0xff; 64]);
        }
        if self.spoils(Fault::Oversized) {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{".to_vec();
            return self.say(now, channel, head);
        }
        if self.spoils(Fault::WrongTypes) {
            let body = [json!({"id": 5}), json!("ok"), json!([1]), Value::Null];
            let body = self.dice.pick(&body).cloned().unwrap_or_default();
            return self.say(
                now,
                channel,
                write_reply(&Reply::with(reply.status, body), false, false),
            );
        }
        let closes = self.spoils(Fault::ClosesEach);
        let chunks = self.dice.chance(100);
        let mut bytes = write_reply(reply, closes, chunks);
        let cut = self.spoils(Fault::CutFrame);
        if cut {
            bytes.truncate(self.dice.below(bytes.len() as u64) as usize);
        }
        self.say(now, channel, bytes);
        if cut || closes {
            self.lines[line].close(now, "closed behind the answer");
        }
    }

    /// A trade update begins its way.
    pub(super) fn update(&mut self, now: Timestamp, channel: Channel, bytes: Vec<u8>) {
        if self.spoils(Fault::LostReport) {
            return;
        }
        if self.held.is_none() && self.spoils(Fault::ReorderedReports) {
            self.held = Some(bytes);
            return;
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(bytes.clone());
        if self.spoils(Fault::DuplicateReport) {
            self.send_frame(now, channel, Message::Binary(bytes.clone().into()));
        }
        // Live accounts get text, paper accounts binary.
        let message = match (self.dice.chance(300), String::from_utf8(bytes)) {
            (true, Ok(text)) => Message::Text(text.into()),
            (false, Ok(text)) => Message::Binary(text.into_bytes().into()),
            (_, Err(error)) => Message::Binary(error.into_bytes().into()),
        };
        self.send_frame(now, channel, message);
        if let Some(held) = self.held.take() {
            self.send_frame(now, channel, Message::Binary(held.into()));
        }
    }

    /// What a stream may also say.
    fn strange(&mut self, now: Timestamp) {
        let last = self.history.back().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let mut update: Value = last.unwrap_or_else(|| json!({"stream": "trade_updates"}));
        match self.dice.below(5) {
            0 => update["data"] = Value::Null,
            1 => update["data"]["event"] = "of_the_future".into(),
            2 => update["data"]["order"]["status"] = "of_the_future".into(),
            3 => update["stream"] = "account_updates".into(),
            _ => {
                update["data"]["order"]["id"] = "00000000-0000-4000-8000-000000000077".into();
                update["data"]["order"]["client_order_id"] = "by-hand".into();
            }
        }
        self.struck.push(Fault::StrangeReport);
        self.send_frame(now, STREAM, Message::Text(update.to_string().into()));
    }

    /// The venue books what no market did.
    fn by_hand(&mut self, now: Timestamp, fault: Fault, place: u64) {
        let recent = self.taken.len().min(8) as u64;
        // A correction that the stream does not tell of can only be seen in the positions: such a
        // session would rightly end with a hold.
        let told = self.lines[usize::from(STREAM)].is_open()
            && self.ends[usize::from(STREAM)].socket.is_some()
            && self.armed.get(&Fault::LostReport).is_none_or(|left| *left == 0);
        if recent == 0 || !told {
            return;
        }
        let id = self.taken[self.taken.len() - 1 - (place % recent) as usize].clone();
        let target = match fault {
            Fault::LateFill => format!("/__sim/fill?order={id}&qty=1&price=50"),
            _ => format!("/__sim/bust?order={id}"),
        };
        let done = self.ask(now, Method::Post, &target).is_ok_and(|reply| reply.status == 200);
        if done {
            self.struck.push(fault);
            self.meddled.extend(id.parse::<Uuid>().ok());
        }
        if done && fault == Fault::TradeCorrect {
            let target = format!("/__sim/fill?order={id}&qty=1&price=51");
            let _ = self.ask(now, Method::Post, &target);
        }
        let _ = self.tell(now);
    }
}
