//! The WebSockets of programs: who is on them, and what goes out on them.

use crate::alpaca::{
    DataError, Output, Reply, SocketId, Stream, Ticket, TradeUpdate, authorization, encode_msgpack,
    listening, stream_error,
};
use crate::types::{AgentId, Nanos, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

/// How long a socket may stay without a name.
const PATIENCE: Nanos = Nanos::from_secs(10);

#[derive(Debug)]
struct Socket {
    /// Whose, by which key.
    owner: Option<(AgentId, String)>,
    /// Without a name it ends then.
    until: Timestamp,
    listens: bool,
}

/// All open sockets, and the frames that wait to go out.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: BTreeMap<SocketId, Socket>,
    out: Vec<Output>,
}

impl Sockets {
    /// A new socket. There is no market data to be had here.
    pub fn open(&mut self, now: Timestamp, id: SocketId, stream: &Stream) {
        let socket = Socket { owner: None, until: now + PATIENCE, listens: false };
        self.open.insert(id, socket);
        if let Stream::Data { msgpack, .. } = stream {
            let message = json!([DataError::InsufficientSubscription.message()]);
            self.out.push(if *msgpack {
                let mut bytes = Vec::new();
                encode_msgpack(&message, &mut bytes);
                Output::Binary(id, bytes)
            } else {
                Output::Text(id, message.to_string())
            });
            self.close(id);
        }
    }

    pub fn closed(&mut self, id: SocketId) {
        self.open.remove(&id);
    }

    pub fn close(&mut self, id: SocketId) {
        self.open.remove(&id);
        self.out.push(Output::Close(id));
    }

    /// Ends those that `which` says.
    pub fn close_where(&mut self, which: impl Fn(Option<&str>) -> bool) {
        let key = |socket: &Socket| which(socket.owner.as_ref().map(|(_, key)| &**key));
        let ids: Vec<SocketId> =
            self.open.iter().filter(|(_, socket)| key(socket)).map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| self.close(id));
    }

    /// Ends what has no name for too long.
    pub fn advance(&mut self, now: Timestamp) {
        let late = |socket: &Socket| socket.owner.is_none() && socket.until <= now;
        let ids: Vec<SocketId> =
            self.open.iter().filter(|(_, socket)| late(socket)).map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| self.close(id));
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether anybody listens at all.
    pub fn listens(&self) -> bool {
        self.open.values().any(|socket| socket.listens)
    }

    /// Whether anybody listens for this agent.
    pub fn listens_for(&self, agent: AgentId) -> bool {
        self.open.values().any(|socket| socket.listens && socket.is_of(agent))
    }

    pub fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// The answer to a request.
    pub fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.out.push(Output::Reply(ticket, reply));
    }

    /// Paper accounts get JSON in binary frames, and so do programs here.
    pub fn say(&mut self, id: SocketId, message: String) {
        self.out.push(Output::Binary(id, message.into_bytes()));
    }

    /// Gives a socket its name, or ends it.
    pub fn admit(&mut self, id: SocketId, owner: Option<(AgentId, String)>) {
        self.say(id, authorization(owner.is_some(), "authenticate"));
        match (owner, self.open.get_mut(&id)) {
            (Some(owner), Some(socket)) => socket.owner = Some(owner),
            _ => self.close(id),
        }
    }

    /// What a socket listens to from here on.
    pub fn listen(&mut self, id: SocketId, updates: bool) {
        match self.open.get_mut(&id) {
            Some(socket) if socket.owner.is_some() => {
                socket.listens = updates;
                self.say(id, listening(updates));
            }
            Some(_) => {
                self.say(id, authorization(false, "listen"));
                self.close(id);
            }
            None => {}
        }
    }

    /// A message that is none.
    pub fn scold(&mut self, id: SocketId, text: &str) {
        self.say(id, stream_error(text));
    }

    /// Sends a trade update to all who listen for this agent.
    pub fn update(&mut self, agent: AgentId, update: &TradeUpdate) {
        let Some(text) = update.message() else { return };
        for (&id, socket) in &self.open {
            if socket.listens && socket.is_of(agent) {
                self.out.push(Output::Binary(id, text.clone().into_bytes()));
            }
        }
    }
}

impl Socket {
    fn is_of(&self, agent: AgentId) -> bool {
        self.owner.as_ref().is_some_and(|(own, _)| *own == agent)
    }
}
