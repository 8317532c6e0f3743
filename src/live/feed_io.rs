//! Feeds: files and seeds on a thread that paces them, venues over a socket.

use super::clock::Clock;
use super::edge::MarketEdge;
use super::status::{ActorState, ActorStatus};
use crate::broker::Backoff;
use crate::feed::{Feed, Pace, Speed};
use crate::types::{InstrumentTable, Timestamp};
use crate::venue::FeedClient;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How a feed ended.
#[derive(Debug, Default)]
pub struct FeedEnd {
    /// No more records will come.
    pub ended: AtomicBool,
    /// Why it ended before its data did.
    pub failed: OnceLock<String>,
    /// Records handed over.
    pub records: AtomicU64,
    first: AtomicU64,
    before: AtomicU64,
}

impl FeedEnd {
    /// A feed that begins after `before` records.
    pub fn after(before: u64) -> Self {
        Self { before: AtomicU64::new(before), ..Self::default() }
    }

    /// Records of the feed handed over in this run and before it.
    pub fn position(&self) -> u64 {
        self.before.load(Ordering::SeqCst) + self.records.load(Ordering::SeqCst)
    }

    /// Time of the first record, once it was handed over.
    pub fn first(&self) -> Option<Timestamp> {
        match self.first.load(Ordering::SeqCst) {
            0 => None,
            nanos => Some(Timestamp::from_nanos(nanos)),
        }
    }
}

/// Reads a file or seed at a speed, until its end or `stop`. Runs on a thread of its own.
pub fn pump(
    mut feed: Box<dyn Feed>,
    speed: Speed,
    edge: &MarketEdge,
    end: &FeedEnd,
    status: &ActorStatus,
    stop: &AtomicBool,
) {
    status.set(ActorState::Running);
    let clock = Clock::new();
    let mut pace: Option<Pace> = None;
    while !stop.load(Ordering::Relaxed) {
        let record = match feed.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => {
                tracing::error!(%error, feed = %status.name, "feed failed");
                let _ = end.failed.set(error.to_string());
                break;
            }
        };
        if speed != Speed::Max {
            let pace = pace.get_or_insert_with(|| Pace::new(speed, clock.now(), record.ts()));
            let due = pace.due(record.ts());
            loop {
                let now = clock.now();
                status.beat(now);
                if now >= due || stop.load(Ordering::Relaxed) {
                    break;
                }
                let wait = Duration::from_nanos(due.since(now).0);
                // Short waits are spun: a sleep is late by some 60 us.
                if wait > Duration::from_micros(200) {
                    std::thread::sleep(
                        (wait - Duration::from_micros(100)).min(Duration::from_millis(20)),
                    );
                } else {
                    std::thread::yield_now();
                }
            }
        }
        inject(&status.name);
        if end.first.load(Ordering::Relaxed) == 0 {
            end.first.store(record.ts().nanos(), Ordering::SeqCst);
        }
        if !edge.push_waiting(record, stop) {
            break;
        }
        end.records.fetch_add(1, Ordering::Relaxed);
    }
    end.ended.store(true, Ordering::SeqCst);
    status.set(ActorState::Stopped);
}

/// Follows the feed of a sandbox venue until it ends. A venue that is away is no failure of this
/// actor: prices go stale, which holds orders, and it dials again for as long as it takes.
pub async fn follow_venue(
    addr: SocketAddr,
    instruments: &InstrumentTable,
    mut backoff: Backoff,
    edge: &mut MarketEdge,
    end: &FeedEnd,
    status: &ActorStatus,
) {
    loop {
        let before = end.records.load(Ordering::Relaxed);
        let Err(why) = follow(addr, instruments, edge, end, status).await else { return };
        if end.records.load(Ordering::Relaxed) != before {
            backoff.reset();
        }
        let wait = Duration::from_nanos(backoff.wait().0);
        tracing::warn!(feed = %status.name, why, ?wait, "feed lost, will dial again");
        status.set(ActorState::Restarting);
        tokio::time::sleep(wait).await;
    }
}

/// A venue answers a heartbeat, and there is one each second: one that says nothing for so long is
/// not there, whatever its connection says.
const SILENCE: Duration = Duration::from_secs(3);

/// One connection, until the feed ends or is lost.
async fn follow(
    addr: SocketAddr,
    instruments: &InstrumentTable,
    edge: &mut MarketEdge,
    end: &FeedEnd,
    status: &ActorStatus,
) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let dial = tokio::net::TcpStream::connect(addr);
    let dialled = tokio::time::timeout(SILENCE, dial).await;
    let mut stream = dialled.map_err(|_| "connect timed out")?.map_err(|e| say(&e))?;
    stream.set_nodelay(true).map_err(|e| say(&e))?;
    let mut client = FeedClient::new(instruments.clone());
    let logon = client.logon("qtos-feed").map_err(|e| say(&e))?;
    stream.write_all(&logon).await.map_err(|e| say(&e))?;
    status.set(ActorState::Running);
    let clock = Clock::new();
    let mut buffer = vec![0; 1 << 16];
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    let mut flush = tokio::time::interval(Duration::from_millis(5));
    let mut heard = tokio::time::Instant::now();
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let count = read.map_err(|e| say(&e))?;
                heard = tokio::time::Instant::now();
                if count == 0 {
                    return Err("the venue closed the feed".to_owned());
                }
                status.beat(clock.now());
                let mut records = 0;
                client
                    .on_bytes(&buffer[..count], |record| {
                        inject(&status.name);
                        records += 1;
                        edge.push(record);
                    })
                    .map_err(|e| say(&e))?;
                end.records.fetch_add(records, Ordering::Relaxed);
                if client.ended() {
                    while !edge.flush() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    end.ended.store(true, Ordering::SeqCst);
                    status.set(ActorState::Stopped);
                    return Ok(());
                }
            }
            _ = flush.tick() => { edge.flush(); }
            _ = beat.tick() => {
                if heard.elapsed() > SILENCE {
                    return Err("the venue is silent".to_owned());
                }
                let bytes = client.heartbeat().map_err(|e| say(&e))?;
                stream.write_all(&bytes).await.map_err(|e| say(&e))?;
            }
        }
    }
}

/// Breaks this actor on purpose, in builds made for that.
#[inline]
fn inject(name: &str) {
    super::keeper::inject(name);
}
