//! A TCP proxy that causes faults: one thread, two pumps a connection.
//!
//! ```text
//! client -> read -> cut into pieces -> fate of each -> queue (delay, order) -> write -> venue
//!        <-  the same the other way  <-
//! ```
//! What a fault does to the piece is decided by [`Plan`]; this file carries it out.

use super::faults::{Direction, Fault, Faults, Partition};
use super::framing::{Cutter, Framing};
use super::plan::{Plan, windows};
use crate::types::Nanos;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Connections at once; one more is closed at once.
const MAX_CONNECTIONS: usize = 1_024;
/// Pieces under way in one direction; then the sender waits.
const UNDER_WAY: usize = 1_024;
/// A piece that is to change places waits so long for another one.
const HELD: Duration = Duration::from_millis(200);
/// How soon `stop` is seen.
const NAP: Duration = Duration::from_millis(20);
/// How long a venue may take to accept.
const DIAL: Duration = Duration::from_secs(3);
/// Writes a second on a direction that trickles.
const TRICKLES: u64 = 20;

/// Settings of a proxy.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The venue.
    pub to: SocketAddr,
    /// How pieces are found.
    pub framing: Framing,
    /// What goes wrong.
    pub faults: Faults,
    /// Ends after so long.
    pub limit: Option<Duration>,
}

/// A fault that was caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// Since the start of the proxy.
    pub at: Duration,
    /// Connection, from 1 in the order they were made; 0 is all of them.
    pub connection: u64,
    /// Which way the piece went; `None`: both.
    pub direction: Option<Direction>,
    /// Number of the piece, from 1; 0 where the fault concerns no single piece.
    pub piece: u64,
    /// What.
    pub fault: Fault,
}

/// What a proxy did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProxyTotals {
    /// Connections of clients.
    pub connections: u64,
    /// Of those, the ones for which the venue was not there.
    pub refused: u64,
    /// Bytes written to the venue.
    pub bytes_to_venue: u64,
    /// Bytes written to clients.
    pub bytes_to_client: u64,
    /// Pieces read, both ways.
    pub pieces: u64,
    /// How often each fault was caused.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Why a proxy cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address cannot be listened at.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The operating system refused something else.
    #[error("proxy: {0}")]
    Io(#[from] io::Error),
}

/// Runs a proxy until `stop` is true or its time is over. `on_bound` is told the address; `on_fault`
/// every fault but delays, which are only counted.
///
/// # Errors
/// [`ProxyError`]. A venue that is not there is none: its clients are closed.
pub fn proxy(
    config: ProxyConfig,
    on_bound: impl FnOnce(SocketAddr),
    on_fault: impl FnMut(&Incident) + 'static,
    stop: &AtomicBool,
) -> Result<ProxyTotals, ProxyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (partition, parted) = watch::channel(0);
    let site = Rc::new(Site {
        begun: Instant::now(),
        config,
        parted,
        open: Cell::new(0),
        totals: RefCell::new(ProxyTotals::default()),
        tell: RefCell::new(Box::new(on_fault)),
    });
    let all = tokio::task::LocalSet::new();
    all.block_on(&runtime, serve(&site, partition, on_bound, stop))?;
    drop(all);
    let totals = site.totals.borrow().clone();
    Ok(totals)
}

/// Who is told of every fault.
type Tell = Box<dyn FnMut(&Incident)>;

/// What all connections share.
struct Site {
    begun: Instant,
    config: ProxyConfig,
    /// How many partitions are under way.
    parted: watch::Receiver<u32>,
    open: Cell<usize>,
    totals: RefCell<ProxyTotals>,
    tell: RefCell<Tell>,
}

impl Site {
    /// Faults are still to be caused.
    fn is_faulty(&self) -> bool {
        let until = self.config.faults.until;
        until.is_none_or(|until| self.begun.elapsed() < Duration::from_nanos(until.0))
    }

    fn note(&self, fault: Fault, connection: u64, direction: Option<Direction>, piece: u64) {
        *self.totals.borrow_mut().faults.entry(fault.name()).or_default() += 1;
        if fault != Fault::Delay {
            let at = self.begun.elapsed();
            let incident = Incident { at, connection, direction, piece, fault };
            (self.tell.borrow_mut())(&incident);
        }
    }

    /// Waits for the end of all partitions.
    async fn passable(&self) {
        let mut parted = self.parted.clone();
        // The sender lives as long as the proxy.
        let _ = parted.wait_for(|count| *count == 0).await;
    }
}

async fn serve(
    site: &Rc<Site>,
    partition: watch::Sender<u32>,
    on_bound: impl FnOnce(SocketAddr),
    stop: &AtomicBool,
) -> Result<(), ProxyError> {
    let listen = site.config.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| ProxyError::Listen(listen, error))?;
    on_bound(listener.local_addr()?);
    let partition = Rc::new(partition);
    for (number, &windows) in site.config.faults.partitions.iter().enumerate() {
        spawn_local(part(Rc::clone(site), Rc::clone(&partition), windows, number));
    }
    while !stop.load(Ordering::Relaxed)
        && site.config.limit.is_none_or(|limit| site.begun.elapsed() < limit)
    {
        let client = match timeout(NAP, listener.accept()).await {
            Ok(Ok((client, _))) => client,
            // Out of file descriptors or the like: the client tries again.
            Ok(Err(_)) => {
                sleep(NAP).await;
                continue;
            }
            Err(_) => continue,
        };
        if site.open.get() >= MAX_CONNECTIONS {
            continue;
        }
        site.open.set(site.open.get() + 1);
        let mut totals = site.totals.borrow_mut();
        totals.connections += 1;
        spawn_local(connection(Rc::clone(site), totals.connections, client));
    }
    Ok(())
}

/// Begins and ends the windows of one partition.
async fn part(site: Rc<Site>, partition: Rc<watch::Sender<u32>>, what: Partition, number: usize) {
    let at = |span: Nanos| site.begun.checked_add(Duration::from_nanos(span.0));
    for (from, to) in windows(what, site.config.faults.seed, number) {
        let (Some(from), Some(to)) = (at(from), at(to)) else { return };
        sleep_until(from).await;
        if !site.is_faulty() {
            return;
        }
        site.note(Fault::Partition, 0, None, 0);
        partition.send_modify(|count| *count += 1);
        sleep_until(to).await;
        partition.send_modify(|count| *count -= 1);
    }
}

/// What the two pumps of a connection share.
#[derive(Default)]
struct Line {
    /// Half open: what is read is swallowed, and no end is passed on.
    silent: Cell<bool>,
    reset: Notify,
}

async fn connection(site: Rc<Site>, number: u64, client: TcpStream) {
    carry(&site, number, client).await;
    site.open.set(site.open.get() - 1);
}

async fn carry(site: &Rc<Site>, number: u64, client: TcpStream) {
    site.passable().await;
    let venue = match timeout(DIAL, TcpStream::connect(site.config.to)).await {
        Ok(Ok(venue)) => venue,
        _ => {
            site.totals.borrow_mut().refused += 1;
            return;
        }
    };
    let _ = (client.set_nodelay(true), venue.set_nodelay(true));
    let line = Line::default();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_venue, mut to_venue) = venue.into_split();
    let there = Pump { site, line: &line, number, direction: Direction::ToVenue };
    let back = Pump { site, line: &line, number, direction: Direction::ToClient };
    let was_reset = tokio::select! {
        biased;
        () = line.reset.notified() => true,
        // An error of either side ends both, an end of one side only its own direction.
        _ = async {
            tokio::try_join!(
                there.run(&mut from_client, &mut to_venue),
                back.run(&mut from_venue, &mut to_client),
            )
        } => false,
    };
    if was_reset {
        for half in [&from_client, &from_venue] {
            let _ = half.as_ref().set_zero_linger();
        }
        // Dropped as it is, a write half would send an orderly end before the reset.
        to_client.forget();
        to_venue.forget();
    }
}

/// One direction of a connection.
struct Pump<'a> {
    site: &'a Site,
    line: &'a Line,
    number: u64,
    direction: Direction,
}

impl Pump<'_> {
    async fn run(&self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(UNDER_WAY);
        let plan = Plan::new(&self.site.config.faults, self.number, self.direction);
        let rate = plan.rate;
        if rate.is_some() && self.site.is_faulty() {
            self.site.note(Fault::Trickle, self.number, Some(self.direction), 0);
        }
        let done = tokio::try_join!(self.read(from, plan, sender), self.write(to, receiver, rate));
        // Neither side of a half-open connection learns what the other does.
        if self.line.silent.get() { Ok(()) } else { done.map(drop) }
    }

    /// Reads, and puts each piece on its way as its fate says.
    async fn read(
        &self,
        from: &mut OwnedReadHalf,
        mut plan: Plan,
        way: mpsc::Sender<(Instant, Vec<u8>)>,
    ) -> io::Result<()> {
        let mut cutter = Cutter::new(self.site.config.framing);
        let mut buffer = vec![0; 1 << 16];
        // A piece that waits to change places with the next, and how long.
        let mut held: Option<(Instant, Vec<u8>)> = None;
        loop {
            self.site.passable().await;
            let patience = held.as_ref().map_or_else(Instant::now, |(until, _)| *until);
            let count = tokio::select! {
                count = from.read(&mut buffer) => count?,
                () = sleep_until(patience), if held.is_some() => {
                    if let Some((_, piece)) = held.take() {
                        self.put(&way, Instant::now(), piece).await;
                    }
                    continue;
                }
            };
            if count == 0 {
                for piece in held.take().map(|(_, piece)| piece).into_iter().chain([cutter.rest()])
                {
                    self.put(&way, Instant::now(), piece).await;
                }
                return Ok(());
            }
            cutter.push(&buffer[..count]);
            while let Some(piece) = cutter.next_piece() {
                self.site.totals.borrow_mut().pieces += 1;
                // Told in any case, so that numbers and draws go on.
                let mut fate = plan.next_fate();
                if !self.site.is_faulty() {
                    fate = super::Fate::default();
                }
                if self.line.silent.get() {
                    continue;
                }
                if let Some(fault) = fate.fault {
                    self.site.note(fault, self.number, Some(self.direction), plan.piece());
                }
                if fate.delay.0 > 0 {
                    self.site.note(Fault::Delay, self.number, Some(self.direction), plan.piece());
                }
                let due = Instant::now() + Duration::from_nanos(fate.delay.0);
                match fate.fault {
                    Some(Fault::Reset) => {
                        self.line.reset.notify_one();
                        return std::future::pending().await;
                    }
                    Some(Fault::HalfOpen) => self.line.silent.set(true),
                    Some(Fault::Drop) => {}
                    Some(Fault::Reorder) if held.is_none() => {
                        held = Some((due + HELD, piece));
                        continue;
                    }
                    Some(Fault::Duplicate) => {
                        self.put(&way, due, piece.clone()).await;
                        self.put(&way, due, piece).await;
                    }
                    _ => self.put(&way, due, piece).await,
                }
                if let Some((_, earlier)) = held.take() {
                    self.put(&way, due, earlier).await;
                }
            }
        }
    }

    async fn put(&self, way: &mpsc::Sender<(Instant, Vec<u8>)>, due: Instant, piece: Vec<u8>) {
        if !self.line.silent.get() {
            // A writer that failed has ended this connection.
            let _ = way.send((due, piece)).await;
        }
    }

    /// Writes each piece when it is due, then the end of the stream.
    async fn write(
        &self,
        to: &mut OwnedWriteHalf,
        mut way: mpsc::Receiver<(Instant, Vec<u8>)>,
        rate: Option<u64>,
    ) -> io::Result<()> {
        while let Some((due, piece)) = way.recv().await {
            sleep_until(due).await;
            let mut rest = &piece[..];
            while !rest.is_empty() {
                self.site.passable().await;
                if self.line.silent.get() {
                    break;
                }
                let rate = rate.filter(|_| self.site.is_faulty());
                let most = rate.map_or(rest.len(), |rate| rate.div_ceil(TRICKLES) as usize);
                let (now, later) = rest.split_at(most.min(rest.len()));
                to.write_all(now).await?;
                self.count(now.len());
                rest = later;
                if let Some(rate) = rate {
                    sleep(Duration::from_secs_f64(now.len() as f64 / rate as f64)).await;
                }
            }
        }
        if !self.line.silent.get() {
            to.shutdown().await?;
        }
        Ok(())
    }

    fn count(&self, bytes: usize) {
        let mut totals = self.site.totals.borrow_mut();
        match self.direction {
            Direction::ToVenue => totals.bytes_to_venue += bytes as u64,
            Direction::ToClient => totals.bytes_to_client += bytes as u64,
        }
    }
}
