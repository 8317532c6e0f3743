//! The thread that owns the backend: takes what came, lets time pass, gives out what it says.

use crate::alpaca::{Backend, Credentials, Output, Reply, Request, SocketId, Stream, Ticket};
use crate::types::{Nanos, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Requests and messages that wait for the backend.
const INLET: usize = 4_096;
/// Frames that wait for one socket. Who is behind by more reads too slowly, and is cut off.
pub(super) const OUTLET: usize = 4_096;
/// Inputs taken before what they made goes out.
const BATCH: usize = 256;
/// Longest sleep: how soon `stop` is seen.
const NAP: Duration = Duration::from_millis(20);

/// What goes to a socket.
#[derive(Debug)]
pub(super) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Close,
    Freeze,
}

enum Input {
    Request(Ticket, Box<Request>, oneshot::Sender<Reply>),
    Open(SocketId, Stream, Option<Credentials>, mpsc::Sender<Frame>),
    Receive(SocketId, Vec<u8>),
    Closed(SocketId),
}

/// The way to the backend; one for each worker.
#[derive(Clone)]
pub(super) struct Inlet {
    queue: SyncSender<Input>,
    names: Arc<AtomicU64>,
}

/// The backend is gone, or too much waits for it.
#[derive(Debug)]
pub(super) struct Busy;

impl Inlet {
    fn name(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }
    fn put(&self, input: Input) -> Result<(), Busy> {
        self.queue.try_send(input).map_err(|_| Busy)
    }

    /// Hands a request over. The answer comes through the receiver; its end without one means that
    /// the connection is to end as well.
    pub fn request(&self, request: Request) -> Result<oneshot::Receiver<Reply>, Busy> {
        let (answer, wait) = oneshot::channel();
        self.put(Input::Request(self.name(), Box::new(request), answer)).map(|()| wait)
    }

    /// Tells of a new socket.
    pub fn open(
        &self,
        stream: Stream,
        credentials: Option<Credentials>,
    ) -> Result<(SocketId, mpsc::Receiver<Frame>), Busy> {
        let (frames, receiver) = mpsc::channel(OUTLET);
        let id = self.name();
        self.put(Input::Open(id, stream, credentials, frames)).map(|()| (id, receiver))
    }

    /// Hands a message over.
    pub fn receive(&self, socket: SocketId, message: Vec<u8>) -> Result<(), Busy> {
        self.put(Input::Receive(socket, message))
    }

    /// Tells of a socket's end.
    pub fn closed(&self, socket: SocketId) {
        // Where the queue is full the next frame finds the socket's end.
        let _ = self.put(Input::Closed(socket));
    }
}

pub(super) struct Runner {
    backend: Box<dyn Backend>,
    queue: Receiver<Input>,
    waiting: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    sockets: BTreeMap<SocketId, mpsc::Sender<Frame>>,
}

impl Runner {
    pub fn new(backend: Box<dyn Backend>) -> (Inlet, Self) {
        let (sender, queue) = sync_channel(INLET);
        let inlet = Inlet { queue: sender, names: Arc::new(AtomicU64::new(1)) };
        let (waiting, sockets) = (BTreeMap::new(), BTreeMap::new());
        (inlet, Self { backend, queue, waiting, sockets })
    }

    /// Runs until `stop`, or until the backend fails.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), String> {
        while !stop.load(Ordering::Relaxed) {
            let wait = self.backend.next_event().map_or(NAP, |at| {
                let span: Nanos = at.since(now());
                Duration::from_nanos(span.0).min(NAP)
            });
            match self.queue.recv_timeout(wait) {
                Ok(input) => {
                    self.take(input);
                    for _ in 1..BATCH {
                        match self.queue.try_recv() {
                            Ok(input) => self.take(input),
                            Err(_) => break,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.backend.advance(now());
            for output in self.backend.take_output()? {
                self.give(output);
            }
        }
        Ok(())
    }

    fn take(&mut self, input: Input) {
        let now = now();
        match input {
            Input::Request(ticket, request, answer) => {
                self.waiting.insert(ticket, answer);
                self.backend.request(now, ticket, &request);
            }
            Input::Open(id, stream, credentials, frames) => {
                self.sockets.insert(id, frames);
                self.backend.open(now, id, stream, credentials.as_ref());
            }
            Input::Receive(id, message) => self.backend.receive(now, id, &message),
            Input::Closed(id) => {
                if self.sockets.remove(&id).is_some() {
                    self.backend.closed(id);
                }
            }
        }
    }

    fn give(&mut self, output: Output) {
        let (id, frame) = match output {
            Output::Reply(ticket, reply) => {
                if let Some(answer) = self.waiting.remove(&ticket) {
                    // Who asked may be gone.
                    let _ = answer.send(reply);
                }
                return;
            }
            Output::Hangup(ticket) => {
                self.waiting.remove(&ticket);
                return;
            }
            Output::Text(id, text) => (id, Frame::Text(text)),
            Output::Binary(id, bytes) => (id, Frame::Binary(bytes)),
            Output::Close(id) => (id, Frame::Close),
            Output::Freeze(id) => (id, Frame::Freeze),
        };
        let close = matches!(frame, Frame::Close);
        let Some(frames) = self.sockets.get(&id) else { return };
        match frames.try_send(frame) {
            Ok(()) if !close => {}
            Ok(()) => {
                self.sockets.remove(&id);
            }
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.sockets.remove(&id);
                self.backend.closed(id);
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
