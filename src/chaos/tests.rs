//! Each fault in front of an echo server shows the effect that it promises.

use super::*;
use crate::types::Nanos;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits for what should not come.
const SILENCE: Duration = Duration::from_millis(300);

/// Sends back what it gets, on each connection, until that ends.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4_096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

struct Proxy {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    incidents: Receiver<Incident>,
    thread: JoinHandle<ProxyTotals>,
}

impl Proxy {
    fn to(to: SocketAddr, faults: Faults) -> Self {
        let config = ProxyConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            to,
            framing: Framing::Lines,
            faults,
            limit: None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (bound, address) = channel();
        let (told, incidents) = channel();
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let on_fault = move |incident: &Incident| told.send(*incident).unwrap_or(());
            proxy(config, |addr| bound.send(addr).unwrap(), on_fault, &flag).unwrap()
        });
        Self { addr: address.recv_timeout(PATIENCE).unwrap(), stop, incidents, thread }
    }

    fn new(faults: Faults) -> Self {
        Self::to(echo(), faults)
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn end(self) -> (ProxyTotals, Vec<Incident>) {
        self.stop.store(true, Ordering::SeqCst);
        let totals = self.thread.join().unwrap();
        (totals, self.incidents.iter().collect())
    }

    /// Sends these lines at once and the end of the stream; what comes back until its end.
    fn exchange(&self, lines: &str) -> String {
        let mut stream = self.dial();
        stream.write_all(lines.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        back
    }
}

fn there(faults: Faults) -> Faults {
    Faults { only: Some(Direction::ToVenue), ..faults }
}

fn pieces(numbers: &[u64]) -> Dose {
    Dose::Pieces(numbers.to_vec())
}

const LINES: &str = "a\nb\nc\nd\n";

#[test]
fn without_faults_everything_passes() {
    let proxy = Proxy::new(Faults::default());
    assert_eq!(proxy.exchange(LINES), LINES);
    let long = "0123456789abcdef\n".repeat(100_000);
    assert_eq!(proxy.exchange(&long), long);
    let (totals, incidents) = proxy.end();
    assert_eq!(totals.connections, 2);
    assert_eq!(totals.bytes_to_venue, (LINES.len() + long.len()) as u64);
    assert_eq!(totals.bytes_to_client, totals.bytes_to_venue);
    assert!(totals.faults.is_empty() && incidents.is_empty());
}

#[test]
fn drop_duplicate_and_reorder_befall_whole_lines() {
    let cases = [
        (there(Faults { drop: pieces(&[2]), ..Faults::default() }), "a\nc\nd\n"),
        (there(Faults { duplicate: pieces(&[2, 4]), ..Faults::default() }), "a\nb\nb\nc\nd\nd\n"),
        (there(Faults { reorder: pieces(&[1, 3]), ..Faults::default() }), "b\na\nd\nc\n"),
        // Nothing comes behind the last one: it keeps its place.
        (there(Faults { reorder: pieces(&[4]), ..Faults::default() }), "a\nb\nc\nd\n"),
    ];
    for (faults, expected) in cases {
        let proxy = Proxy::new(faults.clone());
        assert_eq!(proxy.exchange(LINES), expected, "{faults:?}");
        let (totals, incidents) = proxy.end();
        assert_eq!(totals.faults.values().sum::<u64>() as usize, incidents.len());
        assert!(!incidents.is_empty(), "{faults:?}");
    }
}

#[test]
fn a_piece_that_waits_for_another_comes_without_it() {
    let proxy = Proxy::new(there(Faults { reorder: pieces(&[1]), ..Faults::default() }));
    let mut stream = proxy.dial();
    stream.write_all(b"a\n").unwrap();
    let mut back = [0; 2];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"a\n");
}

#[test]
fn a_reset_ends_both_sides_with_an_error() {
    let proxy = Proxy::new(there(Faults { reset: pieces(&[2]), ..Faults::default() }));
    let mut stream = proxy.dial();
    let mut back = [0; 2];
    stream.write_all(b"a\n").unwrap();
    stream.read_exact(&mut back).unwrap();
    stream.write_all(b"b\n").unwrap();
    assert_eq!(stream.read(&mut back).unwrap_err().kind(), ErrorKind::ConnectionReset);
    // The next connection has its own numbers.
    let mut stream = proxy.dial();
    stream.write_all(b"a\n").unwrap();
    stream.read_exact(&mut back).unwrap();
    let (totals, _) = proxy.end();
    assert_eq!(totals.faults, BTreeMap::from([("reset", 1)]));
}

#[test]
fn a_half_open_connection_swallows_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let proxy = Proxy::to(addr, there(Faults { half_open: pieces(&[2]), ..Faults::default() }));
    let mut client = proxy.dial();
    let (mut venue, _) = listener.accept().unwrap();
    let mut buffer = [0; 16];
    client.write_all(b"a\n").unwrap();
    venue.read_exact(&mut buffer[..2]).unwrap();
    client.write_all(b"b\n").unwrap();
    proxy.incidents.recv_timeout(PATIENCE).unwrap();
    venue.write_all(b"x\n").unwrap();
    for stream in [&mut client, &mut venue] {
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let error = stream.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    }
    // Also not that the other side has gone.
    drop(client);
    assert_eq!(venue.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_delay_is_as_long_as_it_says_and_keeps_the_order() {
    let spread = Amount { low: 100_000_000, high: 200_000_000 };
    let proxy = Proxy::new(Faults { delay: Some(spread), ..Faults::default() });
    let begin = Instant::now();
    assert_eq!(proxy.exchange(LINES), LINES);
    assert!(begin.elapsed() >= Duration::from_millis(200), "both ways at least 100 ms");
    let (totals, incidents) = proxy.end();
    assert!(totals.faults["delay"] >= 5 && incidents.is_empty(), "{totals:?}");
}

#[test]
fn a_trickle_has_its_rate() {
    let slow = Amount { low: 2_000, high: 2_000 };
    let proxy = Proxy::new(there(Faults { trickle: Some(slow), ..Faults::default() }));
    let lines = "0123456\n".repeat(100);
    let begin = Instant::now();
    assert_eq!(proxy.exchange(&lines), lines);
    assert!(begin.elapsed() >= Duration::from_millis(380), "800 bytes at 2000 bytes a second");
}

#[test]
fn a_partition_stops_everything_and_loses_nothing() {
    let (from, to) = (Nanos(0), Nanos::from_secs(1));
    let once = Partition::Once { from, to };
    let proxy = Proxy::new(Faults { partitions: vec![once], ..Faults::default() });
    let begin = Instant::now();
    let incident = proxy.incidents.recv_timeout(PATIENCE).unwrap();
    assert_eq!((incident.fault, incident.connection), (Fault::Partition, 0));
    assert_eq!(proxy.exchange(LINES), LINES);
    assert!(begin.elapsed() >= Duration::from_millis(900));
}

#[test]
fn faults_end_when_their_time_is_over() {
    let faults = Faults { drop: Dose::Chance(1.0), until: Some(Nanos(0)), ..Faults::default() };
    let proxy = Proxy::new(faults);
    assert_eq!(proxy.exchange(LINES), LINES);
}

#[test]
fn a_seed_does_the_same_to_the_same_pieces_again() {
    let faults = |seed| Faults {
        seed,
        drop: Dose::Chance(0.1),
        duplicate: Dose::Chance(0.1),
        reorder: Dose::Chance(0.1),
        ..Faults::default()
    };
    let lines: String = (0..500).map(|number| format!("{number}\n")).collect();
    let run = |seed| {
        let proxy = Proxy::new(faults(seed));
        let back = [proxy.exchange(&lines), proxy.exchange(&lines)];
        let (_, incidents) = proxy.end();
        let mut faults: Vec<_> = incidents
            .into_iter()
            .map(|i| (i.connection, i.direction.map(|way| way.to_string()), i.piece, i.fault))
            .collect();
        faults.sort();
        (back, faults)
    };
    let (once, again, other) = (run(5), run(5), run(6));
    assert_eq!(once, again);
    assert_ne!(once.0, other.0);
    assert_ne!(once.0[0], once.0[1], "connections have plans of their own");
}

#[test]
fn a_venue_that_is_not_there_closes_its_clients() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::to(gone, Faults::default());
    let mut back = Vec::new();
    proxy.dial().read_to_end(&mut back).unwrap();
    let (totals, _) = proxy.end();
    assert_eq!((back.len(), totals.refused), (0, 1));
}

#[test]
fn an_address_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let config = ProxyConfig {
        listen,
        to: listen,
        framing: Framing::None,
        faults: Faults::default(),
        limit: None,
    };
    let stop = AtomicBool::new(false);
    let error = proxy(config, |_| (), |_| (), &stop).unwrap_err().to_string();
    assert!(error.contains(&listen.to_string()), "{error}");
}

#[test]
fn every_fault_is_played_alone_and_with_each_other_once() {
    let (alone, all) = (super::slices(true), super::slices(false));
    let count = alone.len();
    assert!(alone.iter().all(|faults| faults.len() == 1) && all[..count] == alone);
    assert_eq!(all.len(), count + count * (count - 1) / 2);
    for (place, faults) in all.iter().enumerate() {
        assert!(faults.len() == 1 || faults[0] != faults[1]);
        assert!(all[place + 1..].iter().all(|other| other != faults), "{faults:?} twice");
    }
}
