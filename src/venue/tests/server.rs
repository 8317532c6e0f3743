//! The venue as a process, over real TCP.

use super::*;
use crate::broker::{BrokerSession, Frame, Output, SandboxConfig, SandboxSession};
use crate::venue::{FeedClient, Ledger, ServeError, ServerConfig, serve};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(since.as_nanos() as u64)
}

/// A running venue; stops when dropped.
struct Process {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<crate::venue::ServeSummary, ServeError>>>,
}

impl Process {
    fn start(dir: &Path, records: Vec<MarketData>, speed: Option<f64>) -> Self {
        let config = ServerConfig {
            listen: "127.0.0.1:0".into(),
            state_dir: dir.into(),
            exchange: ExchangeConfig::default(),
            speed,
            hold_until_feed: speed.is_none(),
            client_timeout: Duration::from_secs(10),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (bound, address) = mpsc::channel();
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            let source = records.into_iter().map(Ok);
            serve(&config, table(), source, |at| bound.send(at).unwrap(), &flag)
        });
        Self { address: address.recv().unwrap(), stop, thread: Some(thread) }
    }

    fn stop(mut self) -> crate::venue::ServeSummary {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap().unwrap()
    }
}

/// A session and its socket.
struct Client {
    session: SandboxSession,
    address: SocketAddr,
    stream: Option<TcpStream>,
    reports: Vec<Report>,
}

impl Client {
    fn start(address: SocketAddr) -> Self {
        let accounts = vec![(AccountId(0), "main".to_string())];
        let mut session = SandboxSession::new(SandboxConfig::tcp("g", accounts), table());
        session.start(now());
        let mut client = Self { session, address, stream: None, reports: Vec::new() };
        client.pump();
        client
    }

    fn pump(&mut self) {
        if let Some(stream) = &mut self.stream {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) => self.drop_link(),
                Ok(count) => self.session.on_bytes(now(), 0, &buffer[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => self.drop_link(),
            }
        }
        if self.session.deadline().is_some_and(|at| at <= now()) {
            self.session.on_deadline(now());
        }
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Dial(_) => match TcpStream::connect(self.address) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
                        self.stream = Some(stream);
                        self.session.on_connected(now(), 0);
                    }
                    Err(error) => self.session.on_closed(now(), 0, &error.to_string()),
                },
                Output::Hangup(_) => self.stream = None,
                Output::Send(_, bytes) => {
                    if let Some(stream) = &mut self.stream {
                        stream.write_all(&bytes).unwrap();
                    }
                }
                Output::Report(report) => self.reports.push(report),
            }
        }
    }

    fn drop_link(&mut self) {
        self.stream = None;
        self.session.on_closed(now(), 0, "dropped");
    }

    fn send(&mut self, request: OrderRequest) {
        let mut frame = Frame::default();
        self.session.encode(now(), &request, &mut frame).unwrap();
        self.stream.as_mut().unwrap().write_all(&frame.bytes).unwrap();
    }

    /// Pumps until a report's line is this one; the lines on the way.
    fn until(&mut self, wanted: &str) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let lines: Vec<String> = self.reports.iter().map(line).collect();
            if lines.iter().any(|line| line.starts_with(wanted)) {
                return lines;
            }
            assert!(Instant::now() < end, "no `{wanted}` in {lines:?}");
            self.pump();
        }
    }
}

fn market_order(seq: u32) -> OrderRequest {
    OrderRequest::New(new_order(seq, terms(Side::Buy, 5, OrdType::Market, TimeInForce::Day)))
}

#[test]
fn trade_drop_reconnect_restart() {
    let dir = tempfile::tempdir().unwrap();
    let records = vec![quote(SECOND, "10.00", 10, "10.02", 10)];
    let process = Process::start(dir.path(), records.clone(), Some(1.0));
    let mut client = Client::start(process.address);
    client.until("snapshot 0 orders");
    client.send(market_order(1));
    let resting = terms(Side::Buy, 3, limit("9.00"), TimeInForce::Gtc);
    client.send(OrderRequest::New(new_order(2, resting)));
    client.until("2 new");
    assert!(client.until("1 fill 5@10.02").contains(&"1 new".to_string()));
    // The ledger had it before the client.
    assert_eq!(Ledger::read(dir.path()).unwrap().fills.len(), 1);
    client.reports.clear();
    client.drop_link();
    client.until("snapshot 2 orders 1 positions");
    assert_eq!(client.until("session Up")[0], "session Down");

    // The whole process goes and comes back at another port.
    let summary = process.stop();
    assert_eq!((summary.position, summary.orders), (1, 2));
    let process = Process::start(dir.path(), records, Some(1.0));
    client.address = process.address;
    client.reports.clear();
    client.until("snapshot 2 orders 1 positions");
    client.reports.clear();
    client.send(market_order(1));
    client.until("1 rejected broker_duplicate");
    client.send(market_order(3));
    client.until("3 fill 5@10.02");
    client.send(OrderRequest::Cancel(CancelOrder::of(id(2))));
    client.until("2 canceled");
    process.stop();
    let view = Ledger::read(dir.path()).unwrap();
    assert_eq!(view.positions[0].qty, "10");
    assert_eq!(view.cash[0].cash, "-100.2");
    let execs: std::collections::BTreeSet<_> = view.fills.iter().map(|f| &f.exec_id).collect();
    assert_eq!(execs.len(), 2);
}

#[test]
fn a_feed_gets_every_record_and_a_restart_goes_on_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<MarketData> =
        (1..=50_000).map(|n| quote(n * 1_000, "10.00", 1 + (n % 7) as i64, "10.02", 10)).collect();
    let process = Process::start(dir.path(), records.clone(), None);
    let read = |address| {
        let mut feed = FeedClient::new(table());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&feed.logon("g").unwrap()).unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 1 << 14];
        while !feed.ended() {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "closed early");
            feed.on_bytes(&buffer[..count], |record| got.push(record)).unwrap();
        }
        got
    };
    assert!(read(process.address) == records);
    assert_eq!(process.stop().position, 50_000);
    let mut longer = records.clone();
    longer.push(quote(60_000_000, "11.00", 1, "11.02", 10));
    let process = Process::start(dir.path(), longer.clone(), None);
    assert_eq!(read(process.address), longer[50_000..]);
    process.stop();
}

#[test]
fn garbage_is_answered_with_a_reason_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path(), Vec::new(), Some(1.0));
    let mut client = Client::start(process.address);
    client.until("snapshot");
    let mut garbage = TcpStream::connect(process.address).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    garbage.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("no frame begins here"));
    client.send(market_order(1));
    client.until("1 new");
    process.stop();
}

#[test]
fn a_source_or_setting_that_is_bad_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServerConfig {
        listen: "127.0.0.1:0".into(),
        state_dir: dir.path().into(),
        exchange: ExchangeConfig::default(),
        speed: Some(0.0),
        hold_until_feed: false,
        client_timeout: Duration::from_secs(1),
    };
    let stop = AtomicBool::new(false);
    let bad = || std::iter::once(Err("frame 7 is damaged".to_string()));
    let error = serve(&config, table(), bad(), |_| {}, &stop).unwrap_err();
    assert!(error.to_string().contains("speed"));
    config.speed = Some(1.0);
    let error = serve(&config, table(), bad(), |_| {}, &stop).unwrap_err();
    assert!(error.to_string().contains("frame 7"));
    config.listen = "not an address".into();
    let error = serve(&config, table(), std::iter::empty(), |_| {}, &stop).unwrap_err();
    assert!(matches!(error, ServeError::Listen(..)));
}
