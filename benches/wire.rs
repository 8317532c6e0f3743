//! `cargo bench --bench wire`: from a quote on the data socket to the bytes of the order that it causes,
//! over real sockets on this machine, for any client that speaks the Alpaca protocol.
//!
//! A relay that never sleeps stands between each client and `qtos venue alpaca`. It takes the time before it
//! begins to write a data frame to the client, and again when the first bytes of an order POST are there to
//! read: both directions of the loopback and the relay's own turn are part of the figure. The row `raw` is
//! the least that this can be: a program that does nothing but read a frame and write an order's bytes.
//! Each data frame is held for a while first: by then the venue sleeps again, which on a machine of two cores
//! would otherwise still run where the client should. Clients take turns within one run. The Python client is measured where QTOS_SDK_PYTHON names an
//! interpreter that has alpaca-py.

use hdrhistogram::Histogram;
use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Turns of each client, and how long one is measured.
const TURNS: usize = 3;
const SPAN: Duration = Duration::from_secs(8);
/// Quotes of the recording, one each millisecond: longer than a turn, its start included.
const QUOTES: u64 = 40_000;
/// A data frame is held for so long.
const HELD: Duration = Duration::from_micros(400);
/// An order this long after a frame has another cause.
const CAUSED: Duration = Duration::from_millis(100);
const POST: &[u8] = b"POST /v2/orders ";

/// Ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn qtos(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qtos"));
    let key = ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "QTOS_VENUE_KEY", "QTOS_VENUE_SECRET"];
    command.current_dir(dir).envs(key.map(|name| (name, "K"))).stderr(Stdio::null());
    command.stdout(Stdio::null());
    command
}

/// A price that goes up and down, so that averages cross every few quotes.
fn recording(dir: &Path) -> Result<()> {
    let mut text = "ts,bid,ask,bid_size,ask_size\n".to_owned();
    for n in 0..QUOTES {
        let phase = n % 20;
        let cents = 18_500 + phase.min(20 - phase);
        let ts = 1_767_623_400_000_000_000 + n * 1_000_000;
        let price = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
        text += &format!("{ts},{},{},500,500\n", price(cents), price(cents + 1));
    }
    fs::write(dir.join("q.csv"), text)?;
    let made = qtos(dir)
        .args(["import", "csv", "q.csv", "--symbol", "AAPL", "--out", "q.qrec"])
        .status()?;
    if made.success() { Ok(()) } else { Err("no recording".into()) }
}

fn config(dir: &Path, addr: SocketAddr, on_core: bool) -> Result<()> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/low-latency.toml");
    let text = fs::read_to_string(example)?;
    let (from, to) = (text.find("[[agent]]"), text.find("[[limit]]"));
    let (Some(from), Some(to)) = (from, to) else { return Err("another example".into()) };
    let agent = "[[agent]]\nname = \"cross\"\nkind = \"ema_cross\"\naccount = \"paper\"\n\
                 symbols = [\"AAPL\"]\n[agent.params]\nfast = 2\nslow = 4\nqty = \"1\"\nshort = false\n\n";
    let text = format!("{}{agent}{}", &text[..from], &text[to..])
        .replace("127.0.0.1:9100", &addr.to_string())
        .replace("rate = 200 ", "rate = 1000000 ")
        .replace("\"100/10s\"", "\"100000/10s\"");
    let text = if on_core { text } else { text.replace("lane = \"core\"\n", "") };
    Ok(fs::write(dir.join("c.toml"), text)?)
}

/// A client's connection and the venue's.
struct Pair {
    client: TcpStream,
    venue: TcpStream,
    /// It carries market data.
    data: bool,
    begun: bool,
    /// Data for the client, and when it is to go.
    held: Vec<u8>,
    due: Instant,
}

impl Pair {
    fn new(client: TcpStream, venue: SocketAddr) -> Result<Self> {
        let venue = TcpStream::connect(venue)?;
        for socket in [&client, &venue] {
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
        }
        Ok(Self { client, venue, data: false, begun: false, held: Vec::new(), due: Instant::now() })
    }
}

/// Bytes that are there; `None`: the connection has ended.
fn take<'a>(socket: &mut TcpStream, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match socket.read(buffer) {
        Ok(0) => None,
        Ok(count) => Some(&buffer[..count]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(&[]),
        Err(_) => None,
    }
}

fn give(socket: &mut TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => return false,
        }
    }
    true
}

/// Carries bytes until `ends`, and measures.
fn relay(
    listener: &TcpListener,
    venue: SocketAddr,
    ends: Instant,
    into: &mut Histogram<u64>,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let mut told: Option<Instant> = None;
    while Instant::now() < ends {
        if let Ok((client, _)) = listener.accept() {
            pairs.push(Pair::new(client, venue)?);
        }
        pairs.retain_mut(|pair| {
            let Some(bytes) = take(&mut pair.client, &mut buffer) else { return false };
            if !bytes.is_empty() {
                if bytes.starts_with(POST)
                    && let Some(told) = told.take().filter(|told| told.elapsed() < CAUSED)
                {
                    into.saturating_record(told.elapsed().as_nanos() as u64);
                }
                if !std::mem::replace(&mut pair.begun, true) {
                    pair.data = bytes.starts_with(b"GET /v2/iex");
                }
                if !give(&mut pair.venue, bytes) {
                    return false;
                }
            }
            let Some(bytes) = take(&mut pair.venue, &mut buffer) else { return false };
            if !pair.data {
                return give(&mut pair.client, bytes);
            }
            if !bytes.is_empty() {
                pair.due = Instant::now() + HELD;
                pair.held.extend_from_slice(bytes);
            }
            if pair.held.is_empty() || Instant::now() < pair.due {
                return true;
            }
            told = Some(Instant::now());
            let held = std::mem::take(&mut pair.held);
            give(&mut pair.client, &held)
        });
    }
    Ok(())
}

/// Who is measured.
#[derive(Debug)]
enum Client {
    /// Nothing but sockets.
    Raw,
    /// The gateway with all sockets on its core lane: risk and journal included.
    OnCore,
    /// The gateway with an actor for each connection.
    Actors,
    /// alpaca-py in this interpreter.
    Python(String),
}

impl Client {
    const fn name(&self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::OnCore => "on_core",
            Self::Actors => "actors",
            Self::Python(_) => "alpaca_py",
        }
    }

    /// Starts it at the relay; the process ends when this is dropped, a thread with its connections.
    fn start(&self, dir: &Path, front: SocketAddr) -> Result<Option<Process>> {
        let mut command = match self {
            Self::Raw => {
                std::thread::spawn(move || raw(front));
                return Ok(None);
            }
            Self::OnCore | Self::Actors => {
                config(dir, front, matches!(self, Self::OnCore))?;
                let mut command = qtos(dir);
                command.args(["run", "--config", "c.toml", "--state-dir", "g"]);
                command
            }
            Self::Python(python) => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/wire.py");
                let mut command = Command::new(python);
                command.arg(script).env("VENUE", front.to_string()).stderr(Stdio::null());
                command
            }
        };
        Ok(Some(Process(command.spawn()?)))
    }
}

/// Reads frames and writes an order's bytes for every tenth.
fn raw(front: SocketAddr) -> std::io::Result<()> {
    let (mut data, mut orders) = (TcpStream::connect(front)?, TcpStream::connect(front)?);
    data.set_nodelay(true)?;
    orders.set_nodelay(true)?;
    data.write_all(b"GET /v2/iex HTTP/1.1\r\n\r\n")?;
    data.set_nonblocking(true)?;
    let order = [POST, &[b' '; 300]].concat();
    let mut buffer = vec![0; 1 << 16];
    for frame in 0_u32.. {
        while take(&mut data, &mut buffer).ok_or(ErrorKind::UnexpectedEof)?.is_empty() {
            std::hint::spin_loop();
        }
        if frame % 10 == 0 {
            orders.write_all(&order)?;
        }
    }
    Ok(())
}

/// What `raw` has in the place of a venue: frames of a usual length, one each millisecond.
fn floor() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 1 << 12];
                while let Ok(count @ 1..) = socket.read(&mut buffer) {
                    let is_data = buffer[..count].starts_with(b"GET");
                    while is_data && socket.write_all(&[b' '; 160]).is_ok() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
    });
    Ok(addr)
}

/// A venue of its own, and its address.
fn venue(dir: &Path) -> Result<(Process, SocketAddr)> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let state = tempfile::tempdir_in(dir)?;
    let listen = addr.to_string();
    let mut command = qtos(dir);
    command.args(["venue", "alpaca", "--listen", &listen, "--rate", "1000000", "--data", "q.qrec"]);
    let venue = Process(command.arg("--state-dir").arg(state.keep()).spawn()?);
    for _ in 0..500 {
        if TcpStream::connect(addr).is_ok() {
            return Ok((venue, addr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("the venue does not listen".into())
}

fn turn(dir: &Path, client: &Client, into: &mut Histogram<u64>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (_venue, back) = match client {
        Client::Raw => (None, floor()?),
        _ => {
            let (venue, addr) = venue(dir)?;
            (Some(venue), addr)
        }
    };
    let own = tempfile::tempdir_in(dir)?;
    let _client = client.start(own.path(), listener.local_addr()?)?;
    relay(&listener, back, Instant::now() + SPAN, into)
}

fn run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    recording(dir.path())?;
    let mut clients = vec![Client::Raw, Client::OnCore, Client::Actors];
    match std::env::var("QTOS_SDK_PYTHON") {
        Ok(python) => clients.push(Client::Python(python)),
        Err(_) => eprintln!("skipped: alpaca-py, QTOS_SDK_PYTHON names no interpreter"),
    }
    let empty = || Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3);
    let mut figures =
        clients.iter().map(|_| empty()).collect::<std::result::Result<Vec<_>, _>>()?;
    for _ in 0..TURNS {
        for (client, figures) in clients.iter().zip(&mut figures) {
            turn(dir.path(), client, figures)?;
        }
    }
    println!("quote to order over the wire, us      orders       p50       p99     p99.9");
    for (client, figures) in clients.iter().zip(&figures) {
        let at = |quantile| figures.value_at_quantile(quantile) as f64 / 1e3;
        let (name, orders) = (client.name(), figures.len());
        println!("{name:<36} {orders:>7} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.99), at(0.999));
    }
    if figures.iter().any(Histogram::is_empty) {
        Err("a client sent no order".into())
    } else {
        Ok(())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
