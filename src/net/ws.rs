//! A WebSocket client without a socket: `tungstenite` over a pipe in memory.

use super::Endpoint;
use std::io::{self, Read, Write};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

/// Bytes taken from what came in at a time.
const READ_BUFFER: usize = 4 << 10;
/// Longest answer to a handshake.
const MAX_HEAD: usize = 64 << 10;
/// Largest message, and largest frame of one.
const MAX_MESSAGE: usize = 16 << 20;

/// Why a connection is of no more use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WsError {
    /// The server answered the handshake with this status: 401 a key it does not know, 429 too many tries.
    #[error("the server refused the WebSocket with status {0}")]
    Refused(u16),
    /// The peer ended it.
    #[error("the peer closed the WebSocket{0}")]
    Closed(String),
    /// The bytes are not of the protocol.
    #[error("WebSocket: {0}")]
    Protocol(String),
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WsEvent {
    /// The handshake is done.
    Open,
    /// A message, text or binary: the data is a server's own affair.
    Message(tungstenite::Bytes),
    /// The answer to a ping.
    Pong,
}

/// Both directions of a connection, in memory.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    /// Read of `incoming`.
    at: usize,
    outgoing: Vec<u8>,
}

impl Pipe {
    fn has_head(&self) -> bool {
        self.incoming.windows(4).any(|end| end == b"\r\n\r\n")
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = &self.incoming[self.at..];
        if left.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.at += count;
        if self.at == self.incoming.len() {
            self.incoming.clear();
            self.at = 0;
        }
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
enum State {
    Shaking(Box<MidHandshake<ClientHandshake<Pipe>>>),
    Open(Box<WebSocket<Pipe>>),
    Gone,
}

/// One WebSocket, from its handshake to its end.
#[derive(Debug)]
pub struct WsClient {
    state: State,
}

impl WsClient {
    /// Begins a handshake on a connection that stands; its bytes wait in [`Self::take_outgoing`].
    ///
    /// # Errors
    /// A header that cannot stand in a request.
    pub fn connect(
        endpoint: &Endpoint,
        headers: &[(&'static str, String)],
    ) -> Result<Self, WsError> {
        let protocol = |error: &dyn std::fmt::Display| WsError::Protocol(error.to_string());
        let path = if endpoint.path.is_empty() { "/" } else { &endpoint.path };
        let url = format!("ws://{}{path}", endpoint.authority());
        let mut request = url.into_client_request().map_err(|error| protocol(&error))?;
        for (name, value) in headers {
            let mut value =
                HeaderValue::from_str(value).map_err(|_| protocol(&"a header is not text"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(*name, value);
        }
        // The library clears the whole of this before each read: its own 128 KiB would cost more than the
        // frame, and all that the cache held. A longer frame makes it grow.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        match tungstenite::client::client_with_config(request, Pipe::default(), Some(config)) {
            Err(HandshakeError::Interrupted(mid)) => {
                Ok(Self { state: State::Shaking(Box::new(mid)) })
            }
            Err(HandshakeError::Failure(error)) => Err(protocol(&error)),
            Ok(_) => Err(protocol(&"an answer before the question")),
        }
    }

    fn pipe(&mut self) -> Option<&mut Pipe> {
        match &mut self.state {
            State::Shaking(mid) => Some(mid.get_mut().get_mut()),
            State::Open(socket) => Some(socket.get_mut()),
            State::Gone => None,
        }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(pipe) = self.pipe() {
            pipe.incoming.extend_from_slice(bytes);
        }
    }

    /// Appends what is to be written to `out`.
    pub fn take_outgoing(&mut self, out: &mut Vec<u8>) {
        if let Some(pipe) = self.pipe() {
            out.append(&mut pipe.outgoing);
        }
    }

    /// The next thing that came. Pings are answered by themselves.
    ///
    /// # Errors
    /// [`WsError`]: close the connection.
    pub fn next_event(&mut self) -> Result<Option<WsEvent>, WsError> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Gone => Ok(None),
            // The library takes an answer in many small pieces for an attack.
            State::Shaking(mid) if !mid.get_ref().get_ref().has_head() => {
                let long = mid.get_ref().get_ref().incoming.len() > MAX_HEAD;
                self.state = State::Shaking(mid);
                if long {
                    Err(WsError::Protocol("a head without end".to_owned()))
                } else {
                    Ok(None)
                }
            }
            State::Shaking(mid) => match mid.handshake() {
                Ok((socket, _)) => {
                    self.state = State::Open(Box::new(socket));
                    Ok(Some(WsEvent::Open))
                }
                Err(HandshakeError::Interrupted(mid)) => {
                    self.state = State::Shaking(Box::new(mid));
                    Ok(None)
                }
                Err(HandshakeError::Failure(Error::Http(answer))) => {
                    Err(WsError::Refused(answer.status().as_u16()))
                }
                Err(HandshakeError::Failure(error)) => Err(WsError::Protocol(error.to_string())),
            },
            State::Open(mut socket) => {
                let event = loop {
                    match socket.read() {
                        Ok(Message::Text(text)) => break Some(WsEvent::Message(text.into())),
                        Ok(Message::Binary(bytes)) => break Some(WsEvent::Message(bytes)),
                        Ok(Message::Pong(_)) => break Some(WsEvent::Pong),
                        Ok(Message::Close(frame)) => {
                            let why = frame.map_or(String::new(), |frame| format!(": {frame}"));
                            return Err(WsError::Closed(why));
                        }
                        Ok(Message::Ping(_) | Message::Frame(_)) => {}
                        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                            break None;
                        }
                        Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                            return Err(WsError::Closed(String::new()));
                        }
                        Err(error) => return Err(WsError::Protocol(error.to_string())),
                    }
                };
                self.state = State::Open(socket);
                Ok(event)
            }
        }
    }

    fn send(&mut self, message: Message) {
        if let State::Open(socket) = &mut self.state {
            // The pipe takes everything; what is wrong with the socket shows at the next read.
            let _ = socket.send(message);
        }
    }

    /// Queues a text message.
    pub fn send_text(&mut self, text: &str) {
        self.send(Message::text(text));
    }

    /// Queues a binary message.
    pub fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send(Message::binary(bytes));
    }

    /// Queues a ping.
    pub fn ping(&mut self) {
        self.send(Message::Ping(tungstenite::Bytes::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves bytes both ways, `step` at a time, and gives the client's events.
    fn exchange(
        client: &mut WsClient,
        server: &mut WebSocket<Pipe>,
        step: usize,
    ) -> Result<Vec<WsEvent>, WsError> {
        let mut events = Vec::new();
        client.take_outgoing(&mut server.get_mut().incoming);
        let out = std::mem::take(&mut server.get_mut().outgoing);
        for part in out.chunks(step) {
            client.push(part);
            while let Some(event) = client.next_event()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn pair(step: usize) -> (WsClient, WebSocket<Pipe>) {
        let endpoint: Endpoint = "ws://broker.example/stream".parse().unwrap();
        let mut client = WsClient::connect(&endpoint, &[("x-key", "k".to_owned())]).unwrap();
        let mut pipe = Pipe::default();
        client.take_outgoing(&mut pipe.incoming);
        let asked = String::from_utf8(pipe.incoming.clone()).unwrap();
        assert!(asked.starts_with("GET /stream HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-key: k\r\n"), "{asked}");
        let mut server = tungstenite::accept(pipe).unwrap();
        assert_eq!(exchange(&mut client, &mut server, step).unwrap(), [WsEvent::Open]);
        (client, server)
    }

    #[test]
    fn messages_pass_however_they_are_cut() {
        for step in [1, 3, 1_000] {
            let (mut client, mut server) = pair(step);
            server.send(Message::text("one")).unwrap();
            server.send(Message::Ping(tungstenite::Bytes::new())).unwrap();
            server.send(Message::binary(vec![2; 70_000])).unwrap();
            let events = exchange(&mut client, &mut server, step).unwrap();
            assert_eq!(events[0], WsEvent::Message("one".into()));
            assert_eq!(events[1], WsEvent::Message(vec![2; 70_000].into()));
            client.send_text("three");
            client.send_binary(vec![4]);
            assert!(exchange(&mut client, &mut server, step).unwrap().is_empty());
            assert!(matches!(server.read().unwrap(), Message::Pong(_)), "pings are answered");
            assert_eq!(server.read().unwrap(), Message::text("three"));
            assert_eq!(server.read().unwrap(), Message::binary(vec![4]));
        }
    }

    #[test]
    fn a_refused_handshake_says_the_status() {
        let endpoint: Endpoint = "ws://broker.example/stream".parse().unwrap();
        let mut client = WsClient::connect(&endpoint, &[]).unwrap();
        client.push(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(client.next_event(), Err(WsError::Refused(429)));
        assert_eq!(client.next_event(), Ok(None), "nothing comes any more");
    }

    #[test]
    fn an_end_and_nonsense_are_errors() {
        let (mut client, mut server) = pair(100);
        server.close(None).unwrap();
        assert!(matches!(exchange(&mut client, &mut server, 100), Err(WsError::Closed(_))));
        let (mut client, _) = pair(100);
        client.push(&[0xff; 20]);
        assert!(matches!(client.next_event(), Err(WsError::Protocol(_))));
    }
}
