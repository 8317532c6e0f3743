//! The connections of one broker or feed session, by channel. The same for an actor that sleeps until
//! the system wakes it, and for a lane that asks again and again.

use super::socket::{Dialing, Socket};
use crate::broker::Frame;
use crate::broker::session::Channel;
use crate::desk::Cleared;
use crate::desk::connection::{Arrived, Carrier};
use crate::kill::Effect;
use crate::net::Endpoint;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(3);

#[derive(Debug)]
enum Slot {
    Closed,
    Dialing(Dialing),
    /// `watched` is the same connection once more, for the system to wake us.
    Open {
        watched: Option<TcpStream>,
        socket: Socket,
    },
    /// It broke in a write: the session hears of it with the next event.
    Broken(String),
}

/// Connections by channel.
#[derive(Debug)]
pub struct Sockets {
    endpoints: Vec<Endpoint>,
    slots: Vec<Slot>,
    /// Told when a connection that was dialled stands.
    wake: Arc<Notify>,
    /// The channel that is asked first next time, so that none starves.
    next: usize,
}

impl Sockets {
    /// One channel for each endpoint, all closed.
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        let slots = endpoints.iter().map(|_| Slot::Closed).collect();
        Self { endpoints, slots, wake: Arc::default(), next: 0 }
    }

    /// Begins a connection; an older one of the channel is closed.
    pub fn dial(&mut self, channel: Channel) {
        let at = usize::from(channel);
        if let (Some(endpoint), Some(slot)) = (self.endpoints.get(at), self.slots.get_mut(at)) {
            let wake = Arc::clone(&self.wake);
            *slot = Slot::Closed;
            *slot =
                Slot::Dialing(Dialing::begin(endpoint.clone(), CONNECT, move || wake.notify_one()));
        }
    }

    /// Ends a connection, or the try to make it.
    pub fn hang_up(&mut self, channel: Channel) {
        if let Some(slot) = self.slots.get_mut(usize::from(channel)) {
            *slot = Slot::Closed;
        }
    }

    fn open(&mut self, channel: Channel) -> Option<&mut Socket> {
        match self.slots.get_mut(usize::from(channel)) {
            Some(Slot::Open { socket, .. }) => Some(socket),
            _ => None,
        }
    }

    /// Writes bytes that may wait their turn. A connection that is gone says so by itself.
    pub fn send(&mut self, channel: Channel, bytes: &[u8]) {
        let Some(socket) = self.open(channel) else { return };
        if let Err(error) = socket.write(bytes) {
            self.slots[usize::from(channel)] = Slot::Broken(error.to_string());
        }
    }

    /// Starts the write of bytes that must not wait behind others; `may_wait` is for those that may.
    /// `false`: not one byte was written, and none will be.
    pub fn start(&mut self, channel: Channel, bytes: &[u8], may_wait: bool) -> bool {
        let Some(socket) = self.open(channel) else { return false };
        if socket.has_backlog() && !may_wait {
            return false;
        }
        match socket.begin(bytes) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                self.slots[usize::from(channel)] = Slot::Broken(error.to_string());
                false
            }
        }
    }

    /// The next thing that happened on any channel.
    pub fn next_event(&mut self, buffer: &mut [u8]) -> Option<(Channel, Arrived)> {
        for turn in 0..self.slots.len() {
            let at = (self.next + turn) % self.slots.len();
            if let Some(event) = self.look(at, buffer) {
                self.next = at + 1;
                return Some((at as Channel, event));
            }
        }
        None
    }

    fn look(&mut self, at: usize, buffer: &mut [u8]) -> Option<Arrived> {
        let slot = &mut self.slots[at];
        let why = match slot {
            Slot::Closed => return None,
            Slot::Broken(why) => std::mem::take(why),
            Slot::Dialing(dialing) => match dialing.poll()? {
                Ok(socket) => {
                    // Without a runtime on this thread the caller asks again and again.
                    let asleep = tokio::runtime::Handle::try_current().is_ok();
                    let again = || TcpStream::from_std(socket.duplicate()?);
                    match asleep.then(again).transpose() {
                        Ok(watched) => {
                            *slot = Slot::Open { watched, socket };
                            return Some(Arrived::Connected);
                        }
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            },
            Slot::Open { socket, .. } => {
                let flushed = if socket.has_backlog() { socket.flush() } else { Ok(()) };
                match flushed.and_then(|()| socket.read(buffer)) {
                    Ok(0) => "the peer closed the connection".to_owned(),
                    Ok(count) => return Some(Arrived::Bytes(count)),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return None,
                        _ => error.to_string(),
                    },
                }
            }
        };
        *slot = Slot::Closed;
        Some(Arrived::Closed(why))
    }

    /// Waits until [`Self::next_event`] may have something. It must have said that it has nothing before:
    /// the system tells of a change, not of a state.
    pub async fn ready(&self) {
        let changed = poll_fn(|cx| {
            for slot in &self.slots {
                let (watched, socket) = match slot {
                    Slot::Open { watched: Some(watched), socket } => (watched, socket),
                    Slot::Broken(_) => return Poll::Ready(()),
                    _ => continue,
                };
                // Seen: from here on a change is news again.
                let clear = |interest| {
                    let seen = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    let _ = watched.try_io(interest, seen);
                };
                if watched.poll_read_ready(cx).is_ready() {
                    clear(Interest::READABLE);
                    return Poll::Ready(());
                }
                if socket.has_backlog() && watched.poll_write_ready(cx).is_ready() {
                    clear(Interest::WRITABLE);
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            () = changed => {}
            () = self.wake.notified() => {}
        }
    }

    /// Gives what still waits to the peers, as far as they take it now.
    pub fn flush(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Open { socket, .. } = slot {
                // The service ends: who is gone gets nothing more.
                let _ = socket.flush();
            }
        }
    }
}

impl Carrier for Sockets {
    fn dial(&mut self, channel: Channel) {
        Self::dial(self, channel);
    }

    fn hang_up(&mut self, channel: Channel) {
        Self::hang_up(self, channel);
    }

    fn send(&mut self, channel: Channel, bytes: &[u8]) {
        Self::send(self, channel, bytes);
    }

    fn start(&mut self, cleared: &Cleared, frame: &Frame) -> bool {
        let may_wait = cleared.approved().effect() == Effect::Cancels;
        Self::start(self, frame.channel, &frame.bytes, may_wait)
    }

    fn next_event(&mut self, buffer: &mut [u8]) -> Option<(Channel, Arrived)> {
        Self::next_event(self, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn events(sockets: &mut Sockets, count: usize) -> Vec<(Channel, String)> {
        let mut buffer = [0; 64];
        let mut seen = Vec::new();
        for _ in 0..2_000 {
            while let Some((channel, event)) = sockets.next_event(&mut buffer) {
                let text = match event {
                    Arrived::Connected => "connected".to_owned(),
                    Arrived::Bytes(n) => String::from_utf8_lossy(&buffer[..n]).into_owned(),
                    Arrived::Closed(_) => "closed".to_owned(),
                };
                seen.push((channel, text));
            }
            if seen.len() >= count {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        seen
    }

    #[test]
    fn each_channel_has_its_own_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here: Endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let nobody: Endpoint = "http://127.0.0.1:9".parse().unwrap();
        let mut sockets = Sockets::new(vec![here, nobody]);
        assert!(!sockets.start(0, b"early", true), "nothing is written where nothing stands");
        sockets.dial(0);
        assert_eq!(events(&mut sockets, 1), [(0, "connected".to_owned())]);
        sockets.dial(1);
        assert_eq!(events(&mut sockets, 1), [(1, "closed".to_owned())], "nobody listens");
        let (mut peer, _) = listener.accept().unwrap();
        assert!(sockets.start(0, b"order", false));
        let mut got = [0; 5];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"order");
        peer.write_all(b"fill").unwrap();
        assert_eq!(events(&mut sockets, 1), [(0, "fill".to_owned())]);
        drop(peer);
        assert_eq!(events(&mut sockets, 1), [(0, "closed".to_owned())]);
        assert!(events(&mut sockets, 0).is_empty(), "an end is told once");
    }

    #[test]
    fn an_order_does_not_queue_behind_what_a_peer_does_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here: Endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut sockets = Sockets::new(vec![here]);
        sockets.dial(0);
        events(&mut sockets, 1);
        let (peer, _) = listener.accept().unwrap();
        let bytes = vec![1; 32 << 20];
        assert!(sockets.start(0, &bytes, false), "the write has begun");
        assert!(!sockets.start(0, b"order", false));
        assert!(sockets.start(0, b"cancel", true));
        drop(peer);
    }
}
