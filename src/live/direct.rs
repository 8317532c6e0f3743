//! Cancels at the brokers without the gateway: for when it is dead, or hangs.
//!
//! It logs on with the gateway's own name, so the venue hangs up on the gateway: what a stopped process
//! still has in its socket goes nowhere, and before it trades again it has to connect and reconcile. By
//! then it has seen the kill.

use super::audit::{Act, Audit};
use super::clock::Clock;
use super::state::{StateError, instance_of};
use crate::broker::{Backoff, BrokerSession, Output, SandboxConfig, SandboxSession};
use crate::msg::{BrokerSnapshot, Report, SessionStatus};
use crate::types::{BrokerId, Nanos, OrdStatus, Timestamp};
use crate::wiring::{Topology, Venue};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Snapshots in a row without an open order: what was on its way is then in.
const EVIDENCE: u32 = 2;

/// What came of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The broker's name.
    pub broker: String,
    /// Orders that its first snapshot showed open; none where there was no snapshot.
    pub open_before: Option<u64>,
    /// Orders that its last snapshot showed open; none where there was no snapshot.
    pub open_after: Option<u64>,
    /// Snapshots in a row showed nothing open.
    pub confirmed: bool,
    /// How long it took.
    pub took: Nanos,
}

/// Why nothing could be done, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// The state folder does not say who the gateway is.
    #[error(transparent)]
    State(#[from] StateError),
    /// The kill could not be left for the next boot.
    #[error("{0}: {1}")]
    Latch(PathBuf, io::Error),
}

/// Leaves a kill for the gateway of this state folder, running or not, then cancels everything at its
/// brokers, each for at most `patience`. The kill is the file `KILL`: the gateway takes it up when it
/// runs again, and only an operator takes the file away.
///
/// # Errors
/// [`DirectError`]. Where only the file could not be written, the brokers were asked all the same.
pub fn kill_direct(
    topology: &Topology,
    state: &Path,
    (who, reason): (&str, &str),
    patience: Nanos,
) -> Result<Vec<Direct>, DirectError> {
    let instance = instance_of(state)?;
    let path = state.join("KILL");
    let written = fs::write(&path, format!("{who}: {reason}\n"));
    // A disk that hangs may be why the gateway does: no cancel waits for it.
    let done = cancel_direct(topology, instance, patience);
    let left = written
        .and_then(|()| fs::File::open(&path)?.sync_all())
        .and_then(|()| fs::File::open(state)?.sync_all());
    let audit = Audit::of(state);
    for one in &done {
        let open = |open: Option<u64>| open.map_or("unknown".to_owned(), |open| open.to_string());
        let act = Act::new(who, "kill_direct", format!("broker:{}", one.broker), reason);
        let after = format!("open {}, confirmed {}", open(one.open_after), one.confirmed);
        audit.note(
            Clock::new().now(),
            act.changed(format!("open {}", open(one.open_before)), after),
        );
    }
    left.map_err(|error| DirectError::Latch(path, error))?;
    Ok(done)
}

/// Cancels everything at every broker that has a process of its own, all at once, each for at most
/// `patience`. `instance` is the gateway's tag, which is part of its name at the brokers.
fn cancel_direct(topology: &Topology, instance: u32, patience: Nanos) -> Vec<Direct> {
    let gateway = format!("qtos-{instance:08x}");
    let mut work: Vec<(Hand, Direct)> = Vec::new();
    for (number, spec) in topology.brokers.iter().enumerate() {
        let Venue::Remote(addr) = &spec.venue else { continue };
        let config = SandboxConfig {
            backoff: Backoff::new(Nanos::from_millis(50), Nanos::from_millis(500)),
            ..SandboxConfig::tcp(&gateway, topology.accounts_of(BrokerId(number as u8)))
        };
        let hand = Hand {
            session: SandboxSession::new(config, topology.names.instruments().clone()),
            addr: *addr,
            socket: None,
            clock: Clock::new(),
            first: None,
            last: None,
            quiet: 0,
        };
        let nothing = Direct {
            broker: spec.name.clone(),
            open_before: None,
            open_after: None,
            confirmed: false,
            took: Nanos(0),
        };
        work.push((hand, nothing));
    }
    // One that does not answer costs the others no time.
    std::thread::scope(|threads| {
        for (hand, done) in &mut work {
            threads.spawn(move || {
                let begin = hand.clock.now();
                hand.run(begin + patience);
                done.open_before = hand.first;
                done.open_after = hand.last;
                done.confirmed = hand.quiet >= EVIDENCE;
                done.took = hand.clock.now().since(begin);
            });
        }
    });
    work.into_iter().map(|(_, done)| done).collect()
}

/// A session, driven on this thread.
struct Hand {
    session: SandboxSession,
    addr: SocketAddr,
    socket: Option<TcpStream>,
    clock: Clock,
    first: Option<u64>,
    last: Option<u64>,
    quiet: u32,
}

fn open(snapshot: &BrokerSnapshot) -> u64 {
    use OrdStatus::{Canceled, Expired, Filled, Rejected, Replaced};
    let ended = |status| matches!(status, Filled | Canceled | Replaced | Rejected | Expired);
    snapshot.orders.iter().filter(|order| !ended(order.ord_status)).count() as u64
}

impl Hand {
    fn run(&mut self, until: Timestamp) {
        self.session.start(self.clock.now());
        let mut buffer = vec![0; 1 << 16];
        while self.quiet < EVIDENCE && self.clock.now() < until {
            self.carry_out();
            let read = match &mut self.socket {
                Some(socket) => socket.read(&mut buffer),
                None => {
                    std::thread::sleep(Duration::from_millis(10));
                    Err(io::ErrorKind::WouldBlock.into())
                }
            };
            let now = self.clock.now();
            match read {
                Ok(0) => self.closed("the peer closed the connection"),
                Ok(count) => self.session.on_bytes(now, 0, &buffer[..count]),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    _ => self.closed(&error.to_string()),
                },
            }
            if self.session.deadline().is_some_and(|at| at <= now) {
                self.session.on_deadline(now);
            }
        }
        self.session.close(self.clock.now());
        self.carry_out();
    }

    fn closed(&mut self, why: &str) {
        self.socket = None;
        self.session.on_closed(self.clock.now(), 0, why);
    }

    fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.addr, Duration::from_secs(1))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ok(stream)
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Dial(_) => match self.dial() {
                    Ok(stream) => {
                        self.socket = Some(stream);
                        self.session.on_connected(self.clock.now(), 0);
                    }
                    Err(error) => self.session.on_closed(self.clock.now(), 0, &error.to_string()),
                },
                Output::Hangup(_) => self.socket = None,
                Output::Send(_, bytes) => {
                    let sent = self.socket.as_mut().map(|socket| socket.write_all(&bytes));
                    if let Some(Err(error)) = sent {
                        self.closed(&error.to_string());
                    }
                }
                Output::Report(Report::Session(SessionStatus::Up)) => {
                    self.quiet = 0;
                    self.session.cancel_all(self.clock.now());
                }
                Output::Report(Report::Snapshot(snapshot)) => self.learn(open(&snapshot)),
                Output::Report(_) => {}
            }
        }
    }

    /// Asks on until the evidence is there.
    fn learn(&mut self, open: u64) {
        self.first.get_or_insert(open);
        self.last = Some(open);
        self.quiet = if open == 0 { self.quiet + 1 } else { 0 };
        if self.quiet < EVIDENCE {
            let now = self.clock.now();
            if open > 0 {
                self.session.cancel_all(now);
            }
            self.session.request_snapshot(now);
        }
    }
}
