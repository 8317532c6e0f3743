//! Cancels at the brokers without the gateway: for when it is dead, or hangs.
//!
//! It logs on with the gateway's own name, so the venue hangs up on the gateway: what a stopped process
//! still has in its socket goes nowhere, and before it trades again it has to connect and reconcile. By
//! then it has seen the kill.

use super::audit::{Act, Audit};
use super::clock::Clock;
use super::sockets::Sockets;
use super::state::{StateError, instance_of};
use crate::broker::{Backoff, BrokerSession, Output};
use crate::desk::connection::Arrived;
use crate::msg::{BrokerSnapshot, Report, SessionStatus};
use crate::types::{BrokerId, Nanos, OrdStatus, Timestamp};
use crate::wiring::{BrokerSpec, RemoteSession, Topology};
use std::fs;
use std::io;
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
    let done = cancel_direct(topology, instance, patience, |_| true);
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

/// Cancels everything at every wanted broker that has a process of its own, all at once, each for at most
/// `patience`. `instance` is the gateway's tag, which is part of its name at the brokers.
pub fn cancel_direct(
    topology: &Topology,
    instance: u32,
    patience: Nanos,
    wanted: impl Fn(&BrokerSpec) -> bool,
) -> Vec<Direct> {
    let gateway = format!("qtos-{instance:08x}");
    let backoff = Backoff::new(Nanos::from_millis(50), Nanos::from_millis(500));
    let mut work: Vec<(Option<Hand>, Direct)> = Vec::new();
    let brokers = topology.brokers.iter().enumerate();
    for (number, spec) in brokers.filter(|(_, spec)| wanted(spec)) {
        let (broker, clock) = (BrokerId(number as u8), Clock::new());
        let hand = match topology.remote_session(broker, &gateway, None, clock.now()) {
            Ok(None) => continue,
            Ok(Some(session)) => Some(Hand::new(session.with_backoff(backoff), clock)),
            Err(why) => {
                tracing::error!(why, "nothing can be cancelled there");
                None
            }
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
            let Some(hand) = hand else { continue };
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
    session: Box<dyn BrokerSession>,
    sockets: Sockets,
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
    fn new(session: RemoteSession, clock: Clock) -> Self {
        Self {
            session: session.make(),
            sockets: Sockets::new(session.endpoints),
            clock,
            first: None,
            last: None,
            quiet: 0,
        }
    }

    fn run(&mut self, until: Timestamp) {
        self.session.start(self.clock.now());
        let mut buffer = vec![0; 1 << 16];
        while self.quiet < EVIDENCE && self.clock.now() < until {
            self.carry_out();
            let Some((channel, event)) = self.sockets.next_event(&mut buffer) else {
                let now = self.clock.now();
                if self.session.deadline().is_some_and(|at| at <= now) {
                    self.session.on_deadline(now);
                } else {
                    std::thread::sleep(Duration::from_millis(1));
                }
                continue;
            };
            let now = self.clock.now();
            match event {
                Arrived::Connected => self.session.on_connected(now, channel),
                Arrived::Bytes(count) => {
                    self.session.on_bytes(now, channel, &buffer[..count]);
                }
                Arrived::Closed(why) => self.session.on_closed(now, channel, &why),
            }
        }
        self.session.close(self.clock.now());
        self.carry_out();
        self.sockets.flush();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Dial(channel) => self.sockets.dial(channel),
                Output::Hangup(channel) => self.sockets.hang_up(channel),
                Output::Send(channel, bytes) => self.sockets.send(channel, &bytes),
                Output::Report(Report::Session(SessionStatus::Up)) => {
                    self.quiet = 0;
                    self.session.cancel_all(self.clock.now());
                }
                Output::Report(Report::Session(SessionStatus::Missed)) => {
                    self.session.request_snapshot(self.clock.now());
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
