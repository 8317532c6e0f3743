//! The server's end of a WebSocket, in memory.

use std::io::{self, Read, Write};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// Both directions of its connection.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(self.incoming.len());
        into[..count].copy_from_slice(&self.incoming[..count]);
        self.incoming.drain(..count);
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

/// What a server answers to the key of a handshake.
pub fn accept(key: &str) -> Vec<u8> {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// A WebSocket whose handshake is done.
#[derive(Debug)]
pub struct Socket(WebSocket<Pipe>);

impl Socket {
    /// One on a fresh connection.
    pub fn new() -> Self {
        Self(WebSocket::from_raw_socket(Pipe::default(), Role::Server, None))
    }

    /// Takes bytes in; the messages that are whole, and `false` once it has ended.
    pub fn push(&mut self, bytes: &[u8], messages: &mut Vec<Vec<u8>>) -> bool {
        self.0.get_mut().incoming.extend_from_slice(bytes);
        loop {
            match self.0.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    messages.push(message.into_data().to_vec());
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return true;
                }
                Err(_) => return false,
            }
        }
    }

    /// Writes a message; it waits in [`Self::take`]. What an ended socket is told is lost.
    pub fn send(&mut self, message: Message) {
        let _ = self.0.send(message);
    }

    /// The bytes to write.
    pub fn take(&mut self) -> Vec<u8> {
        let _ = self.0.flush();
        std::mem::take(&mut self.0.get_mut().outgoing)
    }
}
