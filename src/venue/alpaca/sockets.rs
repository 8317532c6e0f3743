//! The WebSockets: who is on them, what they listen to, what goes out on them.

use super::floor::AlpacaVenue;
use crate::alpaca::{
    Channel, ControlMessage, Credentials, DataError, Feed, Output, SocketId, Stream, StreamCall,
    Subscription, TradeUpdate, authorization, decode_msgpack, encode_msgpack, listening,
    stream_error,
};
use crate::types::{AccountId, Nanos, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long a data socket may stay without a name.
const PATIENCE: Nanos = Nanos::from_secs(10);

#[derive(Debug)]
struct Socket {
    stream: Stream,
    account: Option<AccountId>,
    /// Without a name it ends then.
    until: Timestamp,
    /// Trade updates are wanted.
    listens: bool,
    subscription: Subscription,
}

/// A frame, and whether it is a trade update: those can be tampered with on purpose.
#[derive(Debug)]
pub(super) struct Frame {
    pub update: bool,
    pub output: Output,
}

/// All open sockets.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: BTreeMap<SocketId, Socket>,
    frames: Vec<Frame>,
}

impl Sockets {
    pub fn open(
        &mut self,
        wall: Timestamp,
        id: SocketId,
        stream: Stream,
        account: Option<AccountId>,
    ) {
        let data = matches!(stream, Stream::Data { .. });
        let socket = Socket {
            stream,
            account: None,
            until: wall + PATIENCE,
            listens: false,
            subscription: Subscription::default(),
        };
        self.open.insert(id, socket);
        if data {
            self.send(id, &json!([{"T": "success", "msg": "connected"}]));
            if let Some(account) = account {
                self.admit(id, account);
            }
        }
    }

    pub fn closed(&mut self, id: SocketId) {
        self.open.remove(&id);
    }

    /// Ends what has no name for too long.
    pub fn advance(&mut self, wall: Timestamp) {
        let late: Vec<SocketId> = self
            .open
            .iter()
            .filter(|(_, socket)| socket.account.is_none() && socket.until <= wall)
            .map(|(&id, _)| id)
            .collect();
        for id in late {
            if self.open.get(&id).is_some_and(|socket| matches!(socket.stream, Stream::Data { .. }))
            {
                self.send(id, &json!([DataError::AuthTimeout.message()]));
            }
            self.close(id);
        }
    }

    pub fn next_event(&self) -> Option<Timestamp> {
        let nameless = self.open.values().filter(|socket| socket.account.is_none());
        nameless.map(|socket| socket.until).min()
    }

    pub fn take_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }

    /// Ends all sockets.
    pub fn close_all(&mut self) {
        for id in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(id);
        }
    }

    fn close(&mut self, id: SocketId) {
        self.open.remove(&id);
        self.frames.push(Frame { update: false, output: Output::Close(id) });
    }

    /// Sends a message in the encoding of the socket.
    fn send(&mut self, id: SocketId, message: &Value) {
        if let Some(socket) = self.open.get(&id) {
            let output = encode(id, &socket.stream, message);
            self.frames.push(Frame { update: false, output });
        }
    }

    /// Sends a message of the trading stream: paper accounts get JSON in binary frames.
    fn say(&mut self, id: SocketId, message: String) {
        let output = Output::Binary(id, message.into_bytes());
        self.frames.push(Frame { update: false, output });
    }

    /// Gives a data socket its name; one socket for each endpoint and account.
    fn admit(&mut self, id: SocketId, account: AccountId) {
        let Some(feed) = self.open.get(&id).and_then(feed_of) else { return };
        let taken = self.open.iter().any(|(&other, socket)| {
            other != id && socket.account == Some(account) && feed_of(socket) == Some(feed.clone())
        });
        if taken {
            self.send(id, &json!([DataError::ConnectionLimit.message()]));
            return self.close(id);
        }
        if let Some(socket) = self.open.get_mut(&id) {
            socket.account = Some(account);
        }
        self.send(id, &json!([{"T": "success", "msg": "authenticated"}]));
    }

    /// Whether any socket takes this channel of this symbol.
    pub fn wants(&self, crypto: bool, channel: Channel, symbol: &str) -> bool {
        self.open.values().any(|socket| takes(socket, crypto, channel, symbol))
    }

    /// Sends a message to all who take it.
    pub fn publish(&mut self, crypto: bool, channel: Channel, symbol: &str, message: &Value) {
        let message = json!([message]);
        for (&id, socket) in &self.open {
            if takes(socket, crypto, channel, symbol) {
                let output = encode(id, &socket.stream, &message);
                self.frames.push(Frame { update: false, output });
            }
        }
    }

    /// Sends a news article to all who take one of its symbols.
    pub fn publish_news(&mut self, symbols: &[String], message: &Value) {
        let message = json!([message]);
        for (&id, socket) in &self.open {
            let wanted = feed_of(socket) == Some(Feed::News)
                && symbols.iter().any(|symbol| socket.subscription.takes(Channel::News, symbol));
            if wanted {
                let output = encode(id, &socket.stream, &message);
                self.frames.push(Frame { update: false, output });
            }
        }
    }

    /// Sends a trade update to all who listen for this account.
    pub fn update(&mut self, account: AccountId, update: &TradeUpdate) {
        let Some(text) = update.message() else { return };
        for (&id, socket) in &self.open {
            if socket.listens && socket.account == Some(account) {
                let output = Output::Binary(id, text.clone().into_bytes());
                self.frames.push(Frame { update: true, output });
            }
        }
    }
}

fn feed_of(socket: &Socket) -> Option<Feed> {
    match &socket.stream {
        Stream::Data { feed, .. } => Some(feed.clone()),
        Stream::Trading => None,
    }
}

fn takes(socket: &Socket, crypto: bool, channel: Channel, symbol: &str) -> bool {
    let fits = match &socket.stream {
        Stream::Data { feed: Feed::Crypto, .. } => crypto,
        Stream::Data { feed: Feed::Stocks(_), .. } => !crypto,
        _ => false,
    };
    fits && socket.subscription.takes(channel, symbol)
}

fn encode(id: SocketId, stream: &Stream, message: &Value) -> Output {
    match stream {
        Stream::Data { msgpack: true, .. } => {
            let mut bytes = Vec::new();
            encode_msgpack(message, &mut bytes);
            Output::Binary(id, bytes)
        }
        Stream::Data { msgpack: false, .. } => Output::Text(id, message.to_string()),
        // The trading stream has messages of its own form.
        Stream::Trading => Output::Binary(id, message.to_string().into_bytes()),
    }
}

impl AlpacaVenue {
    pub(super) fn send_update(&mut self, account: AccountId, update: &TradeUpdate) {
        self.sockets.update(account, update);
    }

    /// A message of a client.
    pub(super) fn on_message(&mut self, id: SocketId, message: &[u8]) {
        match self.sockets.open.get(&id).map(|socket| &socket.stream) {
            Some(Stream::Trading) => self.on_trading(id, message),
            Some(Stream::Data { feed, msgpack }) => {
                let (feed, msgpack) = (feed.clone(), *msgpack);
                self.on_data(id, &feed, msgpack, message);
            }
            None => {}
        }
    }

    fn on_trading(&mut self, id: SocketId, message: &[u8]) {
        match StreamCall::read(message) {
            StreamCall::Garbled => {
                self.sockets.say(id, stream_error("invalid syntax"));
                self.sockets.close(id);
            }
            StreamCall::Auth(given) => {
                let account = given.and_then(|given| self.whose(&given));
                if let Some(socket) = self.sockets.open.get_mut(&id) {
                    socket.account = account;
                }
                self.sockets.say(id, authorization(account.is_some(), "authenticate"));
                if account.is_none() {
                    self.sockets.close(id);
                }
            }
            StreamCall::Listen(updates) => {
                let Some(socket) = self.sockets.open.get_mut(&id) else { return };
                if socket.account.is_none() {
                    self.sockets.say(id, authorization(false, "listen"));
                    return self.sockets.close(id);
                }
                socket.listens = updates;
                self.sockets.say(id, listening(updates));
            }
            StreamCall::Unknown => self.sockets.say(id, stream_error("unknown action")),
        }
    }

    fn on_data(&mut self, id: SocketId, feed: &Feed, msgpack: bool, message: &[u8]) {
        let value = match msgpack {
            true => decode_msgpack(message).ok(),
            false => serde_json::from_slice(message).ok(),
        };
        let request = value.and_then(|value| serde_json::from_value::<ControlMessage>(value).ok());
        let Some(request) = request else {
            return self.sockets.send(id, &json!([DataError::InvalidSyntax.message()]));
        };
        let Some(socket) = self.sockets.open.get_mut(&id) else { return };
        let error = match (request.action.as_str(), socket.account) {
            ("auth", Some(_)) => DataError::AlreadyAuthenticated,
            ("auth", None) => {
                let pair = request.key.clone().zip(request.secret.clone());
                let given = pair.map(|(key, secret)| Credentials::Key(key, secret));
                match given.and_then(|given| self.whose(&given)) {
                    Some(account) => return self.sockets.admit(id, account),
                    None => {
                        self.sockets.send(id, &json!([DataError::AuthFailed.message()]));
                        return self.sockets.close(id);
                    }
                }
            }
            ("subscribe" | "unsubscribe", None) => DataError::NotAuthenticated,
            ("subscribe" | "unsubscribe", Some(_)) => {
                match socket.subscription.change(feed, &request) {
                    Some(()) => {
                        let ack = json!([socket.subscription.ack(feed)]);
                        return self.sockets.send(id, &ack);
                    }
                    None => DataError::InvalidSubscribeAction,
                }
            }
            _ => DataError::InvalidSyntax,
        };
        self.sockets.send(id, &json!([error.message()]));
    }
}
