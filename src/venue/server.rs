//! The venue as a process: one thread that plays the market data at its pace and serves the sockets.
//!
//! Each turn: play what is due, read what came, write what changed to the ledger, then write to the
//! sockets. Nothing is acknowledged before the ledger has it, and after kill -9 at any moment the
//! ledger and the cursor say where to go on.

use super::config::ExchangeConfig;
use super::exchange::Exchange;
use super::floor::Venue;
use super::ledger::{Ledger, LedgerError};
use super::port::ConnectionId;
use crate::msg::MarketData;
use crate::types::{InstrumentTable, Timestamp};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};

/// Records played before the sockets get their turn.
const BATCH: usize = 4_096;
/// A connection that is this far behind is closed.
const MAX_BEHIND: usize = 64 << 20;
/// Without a pace, data waits while a feed connection is this far behind.
const FLOW: usize = 1 << 20;
/// Most connections at once.
const MAX_CONNECTIONS: usize = 256;
/// How long a refused client may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// Longest sleep: how soon `stop` is seen.
const NAP: Duration = Duration::from_millis(20);

/// Settings of a venue process.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen at; port 0 takes a free one.
    pub listen: String,
    /// Folder of ledger and cursor; made if it is not there.
    pub state_dir: PathBuf,
    /// How the exchange behaves.
    pub exchange: ExchangeConfig,
    /// Session seconds per second, above zero; `None`: as fast as the feed clients read.
    pub speed: Option<f64>,
    /// Session time stands still until the first feed client is there.
    pub hold_until_feed: bool,
    /// A client that sends nothing for so long is disconnected.
    pub client_timeout: Duration,
}

/// Why a venue process ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {0}: {1}")]
    Listen(String, io::Error),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A commit could not be written: what it holds was not acknowledged.
    #[error("ledger: {0}; the venue stopped")]
    Append(io::Error),
    /// The market data cannot be read.
    #[error("market data: {0}")]
    Source(String),
    /// A setting is out of range.
    #[error("venue setting {0}")]
    Config(String),
    /// The operating system refused something else.
    #[error("venue: {0}")]
    Io(#[from] io::Error),
}

/// What a venue process did until it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeSummary {
    /// Market records taken in over the life of the ledger.
    pub position: u64,
    /// Session time.
    pub time: Timestamp,
    /// Orders in the ledger.
    pub orders: u64,
}

/// Runs a venue until `stop` is true. `source` gives the market records in the order of their time,
/// with ids of `instruments`, from the beginning: what a former run of the same state folder has
/// played is passed over. `on_bound` is told the address once clients are served.
///
/// # Errors
/// [`ServeError`]. When the data is at its end the venue goes on, its time running at the same pace.
pub fn serve<S>(
    config: &ServerConfig,
    instruments: InstrumentTable,
    source: S,
    on_bound: impl FnOnce(SocketAddr),
    stop: &AtomicBool,
) -> Result<ServeSummary, ServeError>
where
    S: Iterator<Item = Result<MarketData, String>>,
{
    if config.speed.is_some_and(|speed| !(speed.is_finite() && speed > 0.0)) {
        return Err(ServeError::Config("speed: must be above zero".into()));
    }
    let (ledger, state) = Ledger::open(&config.state_dir, &instruments)?;
    let position = state.position;
    let exchange =
        Exchange::restore(&config.exchange, instruments, state.accounts, state.orders, state.time)
            .map_err(ServeError::Config)?;
    let mut server = Server {
        venue: Venue::new(exchange, true),
        ledger,
        source,
        next: None,
        ended: false,
        position: 0,
        batch: Vec::with_capacity(BATCH),
        pace: Pace { speed: config.speed, origin: None },
        held: config.hold_until_feed,
        client_timeout: config.client_timeout,
        connections: Vec::new(),
    };
    server.pass_over(position)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&config.listen)
            .await
            .map_err(|error| ServeError::Listen(config.listen.clone(), error))?;
        on_bound(listener.local_addr()?);
        server.run(&listener, stop).await
    })
}

struct Connection {
    id: ConnectionId,
    stream: TcpStream,
    heard: Instant,
    /// Bytes of the port's output that are written already.
    written: usize,
    /// Refused: everything is written, the client may read it until then.
    closing: Option<Instant>,
    dead: bool,
}

/// Session time against the machine's.
struct Pace {
    speed: Option<f64>,
    origin: Option<(Instant, Timestamp)>,
}

impl Pace {
    /// When a moment of the session is due.
    fn due(&self, ts: Timestamp) -> Option<Instant> {
        let (Some(speed), Some((began, first))) = (self.speed, self.origin) else {
            return None;
        };
        let after = Duration::try_from_secs_f64(ts.since(first).as_secs_f64() / speed);
        began.checked_add(after.unwrap_or(Duration::MAX))
    }

    /// The moment of the session at `at`.
    fn session(&self, at: Instant) -> Option<Timestamp> {
        let (began, first) = self.origin?;
        let nanos = at.saturating_duration_since(began).as_nanos() as f64;
        Some(first + crate::types::Nanos((nanos * self.speed?) as u64))
    }
}

struct Server<S> {
    venue: Venue,
    ledger: Ledger,
    source: S,
    next: Option<MarketData>,
    ended: bool,
    position: u64,
    batch: Vec<MarketData>,
    pace: Pace,
    held: bool,
    client_timeout: Duration,
    connections: Vec<Connection>,
}

impl<S: Iterator<Item = Result<MarketData, String>>> Server<S> {
    /// Shows the exchange what it has seen before, so that its touch is that of the position.
    fn pass_over(&mut self, position: u64) -> Result<(), ServeError> {
        self.fetch()?;
        while self.position < position {
            let Some(record) = self.next else {
                break;
            };
            self.venue.rebuild(&record);
            self.position += 1;
            self.fetch()?;
        }
        self.position = position;
        Ok(())
    }

    fn fetch(&mut self) -> Result<(), ServeError> {
        self.next = self.source.next().transpose().map_err(ServeError::Source)?;
        Ok(())
    }

    async fn run(
        &mut self,
        listener: &TcpListener,
        stop: &AtomicBool,
    ) -> Result<ServeSummary, ServeError> {
        while !stop.load(Ordering::Relaxed) {
            let played = self.play()?;
            self.read();
            self.commit()?;
            if played {
                let cursor = self.ledger.set_cursor(self.position, self.venue.now());
                cursor.map_err(ServeError::Append)?;
                self.venue.publish(&self.batch);
            }
            if self.next.is_none() && !self.ended {
                self.ended = true;
                self.venue.end_of_feed();
            }
            self.write();
            self.turn(listener).await;
        }
        Ok(ServeSummary {
            position: self.position,
            time: self.venue.now(),
            orders: self.venue.exchange().orders().len() as u64,
        })
    }

    /// Plays the records that are due, a batch at most. Whether there were any.
    fn play(&mut self) -> Result<bool, ServeError> {
        self.batch.clear();
        if self.held {
            self.held = !self.venue.ports().any(|(_, port)| port.is_feed());
        }
        if self.held || self.is_choked() {
            return Ok(false);
        }
        let now = Instant::now();
        while let Some(record) = self.next
            && self.batch.len() < BATCH
        {
            self.pace.origin.get_or_insert((now, record.ts()));
            if self.pace.due(record.ts()).is_some_and(|due| due > now) {
                break;
            }
            self.venue.on_market(&record);
            self.batch.push(record);
            self.position += 1;
            self.fetch()?;
        }
        if let Some(session) = self.session_now() {
            self.venue.advance(session);
        }
        Ok(!self.batch.is_empty())
    }

    /// Session time between records, never past the next one. Without a pace, or before the first
    /// record, it is the time of the last record; after the last record it runs on.
    fn session_now(&mut self) -> Option<Timestamp> {
        if self.next.is_none() && (self.pace.origin.is_none() || self.pace.speed.is_none()) {
            self.pace.speed.get_or_insert(1.0);
            self.pace.origin = Some((Instant::now(), self.venue.now()));
        }
        let session = self.pace.session(Instant::now())?;
        Some(self.next.map_or(session, |record| session.min(record.ts())))
    }

    /// Without a pace the slowest feed client sets it.
    fn is_choked(&mut self) -> bool {
        self.pace.speed.is_none()
            && self.venue.ports().any(|(_, port)| port.is_feed() && port.output().len() > FLOW)
    }

    fn commit(&mut self) -> Result<(), ServeError> {
        match self.venue.take_commit(self.position) {
            Some(commit) => self.ledger.append(&commit).map_err(ServeError::Append),
            None => Ok(()),
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 1 << 16];
        let session = self.venue.now();
        for connection in &mut self.connections {
            // A few reads a turn, so that one client cannot keep the others waiting.
            for _ in 0..4 {
                match connection.stream.try_read(&mut buffer) {
                    Ok(0) => connection.dead = true,
                    Ok(count) => {
                        connection.heard = Instant::now();
                        self.venue.on_bytes(session, connection.id, &buffer[..count]);
                        continue;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => connection.dead = true,
                }
                break;
            }
        }
    }

    fn write(&mut self) {
        let now = Instant::now();
        for connection in &mut self.connections {
            let Some(port) = self.venue.port(connection.id) else {
                connection.dead = true;
                continue;
            };
            while connection.written < port.output().len() {
                match connection.stream.try_write(&port.output()[connection.written..]) {
                    Ok(count) => connection.written += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => {
                        connection.dead = true;
                        break;
                    }
                }
            }
            port.output().drain(..connection.written);
            connection.written = 0;
            let behind = port.output().len();
            if port.is_closed() {
                let until = *connection.closing.get_or_insert(now + LINGER);
                connection.dead |= now >= until;
            } else if behind > MAX_BEHIND {
                port.output().clear();
                connection.dead = true;
                tracing::warn!(connection = connection.id, "closed: too far behind");
            } else if now.duration_since(connection.heard) > self.client_timeout {
                self.venue.refuse(connection.id, "the client was silent for too long");
            }
        }
        for connection in self.connections.extract_if(.., |connection| connection.dead) {
            self.venue.disconnect(connection.id);
        }
    }

    /// Waits until a socket is ready or something is due.
    async fn turn(&mut self, listener: &TcpListener) {
        tokio::task::yield_now().await;
        let now = Instant::now();
        let choked = self.is_choked();
        let due = match self.next {
            Some(_) if self.held => now + NAP,
            Some(record) if self.pace.origin.is_some() && self.pace.speed.is_some() => {
                self.pace.due(record.ts()).unwrap_or(now)
            }
            Some(_) if choked => now + NAP,
            Some(_) => now,
            None => now + NAP,
        };
        let event = self.venue.next_event().and_then(|at| self.pace.due(at)).unwrap_or(now + NAP);
        let wait = due.min(event).min(now + NAP).saturating_duration_since(now);
        if wait.is_zero() {
            // Data is due: only see who came.
            poll_fn(|cx| {
                self.accept(listener, cx);
                Poll::Ready(())
            })
            .await;
            return;
        }
        let mut nap = std::pin::pin!(tokio::time::sleep(wait));
        poll_fn(|cx| {
            let mut ready = self.accept(listener, cx);
            for connection in &mut self.connections {
                ready |= connection.stream.poll_read_ready(cx).is_ready();
                let Some(port) = self.venue.port(connection.id) else {
                    continue;
                };
                if !port.output().is_empty() {
                    ready |= connection.stream.poll_write_ready(cx).is_ready();
                } else if port.is_closed() {
                    // The client reads why, then the end.
                    let _ = Pin::new(&mut connection.stream).poll_shutdown(cx);
                }
            }
            if ready { Poll::Ready(()) } else { nap.as_mut().poll(cx) }
        })
        .await;
    }

    fn accept(&mut self, listener: &TcpListener, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Poll::Ready(accepted) = listener.poll_accept(cx) {
            any = true;
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors or the like: the client tries again.
                break;
            };
            if self.connections.len() < MAX_CONNECTIONS {
                let _ = stream.set_nodelay(true);
                self.connections.push(Connection {
                    id: self.venue.connect(),
                    stream,
                    heard: Instant::now(),
                    written: 0,
                    closing: None,
                    dead: false,
                });
            }
        }
        any
    }
}
