//! What a server of this protocol stands on. The server owns sockets and the clock; what it is a
//! server of (the local venue, the gateway's order entry) is a [`Backend`]: requests and time in,
//! answers and frames out, in the order in which they happened.

use super::call::{Call, Method, Params};
use super::data::Feed;
use super::error::ApiError;
use crate::types::Timestamp;
use serde_json::Value;

/// Names a request that waits for its answer.
pub type Ticket = u64;
/// Names a WebSocket.
pub type SocketId = u64;

/// How a caller says who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A key and its secret: two headers, or Basic.
    Key(String, String),
    /// An OAuth2 token.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, percent-decoded, without a slash at its end.
    pub path: String,
    /// Query, percent-decoded, in its order.
    pub query: Params,
    /// Body.
    pub body: Vec<u8>,
    /// Who asks, where it was said.
    pub credentials: Option<Credentials>,
}

impl Request {
    /// The call that it names.
    ///
    /// # Errors
    /// What to answer instead.
    pub fn call(&self) -> Result<Call, ApiError> {
        super::read_call(self.method, &self.path, &self.query, &self.body)
    }
}

/// What a WebSocket is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// Trade updates.
    Trading,
    /// Market data, in MessagePack where the handshake asked for it.
    Data {
        /// Which.
        feed: Feed,
        /// Its encoding.
        msgpack: bool,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body; none for 204 and redirects.
    pub body: Option<Value>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: impl serde::Serialize) -> Self {
        Self::with(200, body)
    }
    /// A status and a body.
    pub fn with(status: u16, body: impl serde::Serialize) -> Self {
        Self { status, body: serde_json::to_value(body).ok(), headers: Vec::new() }
    }
    /// 204.
    pub const fn empty() -> Self {
        Self { status: 204, body: None, headers: Vec::new() }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, body: Some(error.body()), headers: Vec::new() }
    }
}

/// What goes out.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The answer to a request.
    Reply(Ticket, Reply),
    /// The connection of a request ends without an answer.
    Hangup(Ticket),
    /// A frame of text.
    Text(SocketId, String),
    /// A binary frame.
    Binary(SocketId, Vec<u8>),
    /// The socket is closed, behind what went out before.
    Close(SocketId),
    /// The socket stays open, is not read any more and answers no ping: a test's half-open socket.
    Freeze(SocketId),
}

impl Output {
    /// The socket that it goes to.
    pub const fn socket(&self) -> Option<SocketId> {
        match self {
            Self::Text(id, _) | Self::Binary(id, _) | Self::Close(id) | Self::Freeze(id) => {
                Some(*id)
            }
            Self::Reply(..) | Self::Hangup(_) => None,
        }
    }
}

/// What a server of this protocol stands on. Time is an argument: the machine's clock.
pub trait Backend: Send {
    /// A request; its answer comes with [`Self::take_output`], now or later.
    fn request(&mut self, now: Timestamp, ticket: Ticket, request: &Request);

    /// A WebSocket was opened; credentials are those of its handshake.
    fn open(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        stream: Stream,
        credentials: Option<&Credentials>,
    );

    /// A whole message came.
    fn receive(&mut self, now: Timestamp, socket: SocketId, message: &[u8]);

    /// A socket is gone.
    fn closed(&mut self, socket: SocketId);

    /// Lets time pass.
    fn advance(&mut self, now: Timestamp);

    /// When [`Self::advance`] is due next, by the machine's clock.
    fn next_event(&self) -> Option<Timestamp>;

    /// What goes out. It is durable once this returns.
    ///
    /// # Errors
    /// Nothing may go out, and the server must stop: why.
    fn take_output(&mut self) -> Result<Vec<Output>, String>;
}
