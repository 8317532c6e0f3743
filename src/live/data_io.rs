//! Data streams of brokers over a socket that never blocks: what drives a [`FeedSession`].

use super::clock::Clock;
use super::edge::MarketEdge;
use super::feed_io::FeedEnd;
use super::keeper;
use super::socket::{Dialing, Socket};
use super::status::{ActorState, ActorStatus};
use crate::feed::alpaca::{Counters, FeedEvent, FeedSession, FeedSettings, FeedSink, Other, Want};
use crate::msg::MarketData;
use crate::net::Endpoint;
use crate::types::Timestamp;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

const DIAL: Duration = Duration::from_secs(10);
/// How often deadlines, a dial's outcome and what waits for room are looked at.
pub const TURN: Duration = Duration::from_millis(5);
/// Bytes read before anybody else gets a turn.
const READ: usize = 1 << 16;
const READS: usize = 16;

/// Codes that a data stream is known to say, and HTTP statuses of its handshake; place 0 is any other.
const CODES: [u16; 18] =
    [0, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 429, 500, 503];
const KINDS: [&str; 6] = ["quotes", "trades", "bars", "levels", "gaps", "halts"];

/// What others see of a data stream: written by its actor, read by anybody.
#[derive(Debug, Default)]
pub struct FeedFigures {
    up: AtomicBool,
    verified: AtomicBool,
    frames: AtomicU64,
    lost: AtomicU64,
    unverified: AtomicU64,
    last_data: AtomicU64,
    records: [AtomicU64; KINDS.len()],
    others: [AtomicU64; Other::ALL.len()],
    unusable: AtomicU64,
    errors: [AtomicU64; CODES.len()],
}

impl FeedFigures {
    /// Takes what the session has counted.
    pub fn publish(&self, session: &FeedSession) {
        let Counters {
            frames, records, others, unusable, lost, errors, last_data, unverified, ..
        } = session.counters();
        let set = |cell: &AtomicU64, value: u64| cell.store(value, Ordering::Relaxed);
        self.up.store(session.is_live(), Ordering::Relaxed);
        self.verified.store(session.is_verified(), Ordering::Relaxed);
        set(&self.frames, *frames);
        set(&self.lost, *lost);
        set(&self.unverified, *unverified as u64);
        set(&self.unusable, *unusable);
        set(&self.last_data, last_data.map_or(0, Timestamp::nanos));
        let kinds = [
            records.quotes,
            records.trades,
            records.bars,
            records.levels,
            records.gaps,
            records.halts,
        ];
        self.records.iter().zip(kinds).for_each(|(cell, count)| set(cell, count));
        self.others.iter().zip(others).for_each(|(cell, &count)| set(cell, count));
        let known: u64 = CODES.iter().filter_map(|code| errors.get(code)).sum();
        for (cell, code) in self.errors.iter().zip(CODES) {
            let rest = errors.values().sum::<u64>() - known;
            set(cell, if code == 0 { rest } else { errors.get(&code).copied().unwrap_or(0) });
        }
    }

    /// The venue confirmed the subscription of the connection that stands.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
    /// Data came over it.
    pub fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }
    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }
    /// Connections lost, or tried in vain.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
    /// Symbols without data since the last connection.
    pub fn unverified(&self) -> u64 {
        self.unverified.load(Ordering::Relaxed)
    }
    /// When data last came.
    pub fn last_data(&self) -> Option<Timestamp> {
        let at = self.last_data.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_nanos(at))
    }
    /// Records by kind.
    pub fn records(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.iter().zip(&self.records).map(|(kind, cell)| (*kind, cell.load(Ordering::Relaxed)))
    }
    /// Messages that became no record, by kind; `unusable` are those that should have.
    pub fn skipped(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let others = Other::ALL.iter().map(|kind| kind.name()).zip(&self.others);
        others
            .chain([("unusable", &self.unusable)])
            .map(|(kind, cell)| (kind, cell.load(Ordering::Relaxed)))
    }
    /// Errors that were seen, by code; 0 stands for codes that nobody listed.
    pub fn errors(&self) -> impl Iterator<Item = (u16, u64)> {
        let all = CODES.iter().zip(&self.errors);
        all.map(|(code, cell)| (*code, cell.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// Runs these on the calling thread, side by side, until all of them are done.
///
/// # Errors
/// There is no runtime, or one of them panicked.
pub fn side_by_side<T: 'static>(
    tasks: Vec<impl Future<Output = T> + 'static>,
) -> Result<Vec<T>, DriveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = tasks.into_iter().map(tokio::task::spawn_local).collect();
        let mut done = Vec::with_capacity(tasks.len());
        for task in tasks {
            done.push(task.await.map_err(io::Error::other)?);
        }
        Ok(done)
    })
}

/// Why a stream cannot be driven at all.
#[derive(Debug, thiserror::Error)]
#[error("the runtime takes no socket: {0}")]
pub struct DriveError(#[from] io::Error);

/// A stream's connection without a driver: a task waits for it, or a lane asks it again and again.
#[derive(Debug)]
pub struct Line {
    endpoint: Endpoint,
    dialing: Option<Dialing>,
    socket: Option<Socket>,
    buffer: Vec<u8>,
}

impl Line {
    /// One to `endpoint`; it is dialled when the session wants it.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, dialing: None, socket: None, buffer: vec![0; READ] }
    }

    /// Does what the session wants.
    pub fn carry_out(
        &mut self,
        session: &mut FeedSession,
        now: Timestamp,
        sink: &mut impl FeedSink,
    ) {
        while let Some(want) = session.poll() {
            match want {
                Want::Dial => {
                    self.dialing = Some(Dialing::begin(self.endpoint.clone(), DIAL, || {}));
                }
                Want::Hangup => (self.dialing, self.socket) = (None, None),
                Want::Send(bytes) => {
                    let sent = self.socket.as_mut().map_or(Ok(()), |socket| socket.write(&bytes));
                    if let Err(error) = sent {
                        session.on_closed(now, &error.to_string(), sink);
                    }
                }
            }
        }
    }

    /// Looks after the dial and the session's deadlines; whether a connection has come to stand.
    pub fn on_time(
        &mut self,
        session: &mut FeedSession,
        now: Timestamp,
        sink: &mut impl FeedSink,
    ) -> bool {
        match self.dialing.as_ref().and_then(Dialing::poll) {
            Some(Ok(socket)) => {
                self.dialing = None;
                self.socket = Some(socket);
                session.on_connected(now, sink);
                return true;
            }
            Some(Err(error)) => {
                self.dialing = None;
                session.on_closed(now, &error.to_string(), sink);
            }
            None => session.on_deadline(now, sink),
        }
        false
    }

    /// Reads what is there, up to a bound; whether there may be more.
    pub fn read(
        &mut self,
        session: &mut FeedSession,
        now: Timestamp,
        sink: &mut impl FeedSink,
    ) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        match read(socket, &mut self.buffer, |bytes| session.on_bytes(now, bytes, sink)) {
            Ok(more) => more,
            Err(error) => {
                self.socket = None;
                session.on_closed(now, &error.to_string(), sink);
                false
            }
        }
    }
}

/// The runtime's view of a connection.
struct Watched(TcpStream);

impl Watched {
    fn new(line: &Line) -> io::Result<Option<Self>> {
        let duplicate = line.socket.as_ref().map(Socket::duplicate).transpose()?;
        Ok(duplicate.map(TcpStream::from_std).transpose()?.map(Self))
    }

    /// Waits until there may be something to read, or room to write where that is wanted.
    async fn wait(&self, writes: bool) -> io::Result<()> {
        let interest =
            if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.0.ready(interest).await?;
        // The reads are the socket's own: here they only forget what was ready, before they begin.
        for kind in [Interest::READABLE, Interest::WRITABLE] {
            let dry = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _ = self.0.try_io(kind, dry);
        }
        Ok(())
    }
}

/// Drives a stream until `turn` says that it is enough: it is asked every few milliseconds, whatever
/// the stream brings.
///
/// # Errors
/// [`DriveError`]; what a stream meets is an event.
pub async fn drive<S: FeedSink>(
    session: &mut FeedSession,
    endpoint: &Endpoint,
    sink: &mut S,
    mut turn: impl FnMut(&FeedSession, &mut S, Timestamp) -> bool,
) -> Result<(), DriveError> {
    let clock = Clock::new();
    let mut line = Line::new(endpoint.clone());
    let mut watched: Option<Watched> = None;
    // The last look ended before the socket was read dry: the runtime will not tell of what is left.
    let mut more = false;
    let mut tick = tokio::time::interval(TURN);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        line.carry_out(session, clock.now(), sink);
        let writes = match &line.socket {
            Some(socket) => socket.has_backlog(),
            None => {
                (watched, more) = (None, false);
                false
            }
        };
        let waits = async {
            match &watched {
                Some(_) if more => Ok(()),
                Some(watched) => watched.wait(writes).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            waited = waits => {
                let now = clock.now();
                more = line.read(session, now, sink);
                if let Err(error) = waited {
                    session.on_closed(now, &error.to_string(), sink);
                }
            }
            _ = tick.tick() => {
                let now = clock.now();
                if line.on_time(session, now, sink) {
                    watched = Watched::new(&line)?;
                }
                if !turn(session, sink, now) {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads what is there, up to a bound; whether there may be more.
fn read(socket: &mut Socket, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> io::Result<bool> {
    socket.flush()?;
    for _ in 0..READS {
        match socket.read(buffer) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the venue closed it"));
            }
            Ok(count) => take(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes what a stream meets to the log.
pub fn log_event(feed: &str, event: &FeedEvent) {
    match event {
        FeedEvent::Subscribed => tracing::info!(feed, "subscribed, waiting for data"),
        FeedEvent::Verified => tracing::info!(feed, "data comes: the subscription is verified"),
        FeedEvent::Lost { why, wait, helpless: true } => {
            tracing::error!(feed, why, %wait, "data stream down: needs a person");
        }
        FeedEvent::Lost { why, wait, helpless: false } => {
            tracing::warn!(feed, why, %wait, "data stream lost, will dial again");
        }
        FeedEvent::Unusable(why) => tracing::warn!(feed, why, "a message could not be used"),
        FeedEvent::Told(what) => tracing::info!(feed, what, "the venue said"),
    }
}

/// To the core lane.
pub struct ToLane<'a> {
    /// The way there.
    pub edge: &'a mut MarketEdge,
    /// Counts them.
    pub end: &'a FeedEnd,
    /// What supervision sees.
    pub status: &'a ActorStatus,
}

impl FeedSink for ToLane<'_> {
    #[inline]
    fn record(&mut self, record: &MarketData) {
        keeper::inject(&self.status.name);
        self.edge.push(*record);
        self.end.records.fetch_add(1, Ordering::Relaxed);
    }

    fn event(&mut self, event: FeedEvent) {
        log_event(&self.status.name, &event);
        match event {
            FeedEvent::Subscribed => self.status.set(ActorState::Running),
            FeedEvent::Lost { .. } => self.status.set(ActorState::Restarting),
            FeedEvent::Verified | FeedEvent::Unusable(_) | FeedEvent::Told(_) => {}
        }
    }
}

/// Follows a data stream for as long as the process lives. A venue that is away is no failure of this
/// actor: prices go stale, which holds orders, and it dials again for as long as it takes.
pub async fn follow_stream(
    settings: FeedSettings,
    edge: &mut MarketEdge,
    end: &FeedEnd,
    status: &ActorStatus,
    figures: &FeedFigures,
) {
    let endpoint = settings.endpoint.clone();
    let mut session = FeedSession::new(settings, Clock::new().now());
    let mut sink = ToLane { edge, end, status };
    let turn = |session: &FeedSession, sink: &mut ToLane<'_>, now: Timestamp| {
        sink.status.beat(now);
        sink.edge.flush();
        figures.publish(session);
        true
    };
    if let Err(error) = drive(&mut session, &endpoint, &mut sink, turn).await {
        let _ = end.failed.set(error.to_string());
        end.ended.store(true, Ordering::SeqCst);
    }
}
