//! Real processes: a venue, a gateway that trades against it, and the commands that look at both.
//! Every wait has an end, and no child outlives its test.

use qtos_gateway::chaos::{Theirs, difference, ids_of};
use qtos_gateway::venue::Ledger;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that should take a moment.
pub const PATIENCE: Duration = Duration::from_secs(30);
const QTOS: &str = env!("CARGO_BIN_EXE_qtos");

/// Waits for something, and says what if it does not come.
pub fn wait<T>(what: &str, mut seek: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = seek() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A child with its output in files; killed when it goes out of scope.
pub struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    pub fn start(dir: &Path, name: &str, args: &[&str]) -> Self {
        Self::spawn(dir, name, Command::new(QTOS).args(args))
    }

    /// The same by way of a shell: the program and its arguments are `"$0" "$@"` of the script.
    pub fn scripted(dir: &Path, name: &str, script: &str, args: &[&str]) -> Self {
        Self::spawn(dir, name, Command::new("sh").args(["-c", script, QTOS]).args(args))
    }

    fn spawn(dir: &Path, name: &str, command: &mut Command) -> Self {
        let (out, err) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.err")));
        let child = command
            .current_dir(dir)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err }
    }

    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end; gives the exit code.
    pub fn end(&mut self) -> i32 {
        let status = wait("the end of a process", || self.child.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }

    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }
}

pub fn signal(pid: u32, name: &str) {
    let (name, pid) = (format!("-{name}"), pid.to_string());
    assert!(Command::new("kill").args([&name, &pid]).status().unwrap().success());
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Runs a command to its end: exit code, standard output, standard error.
pub fn qtos(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let name = format!("cmd-{:?}", std::thread::current().id());
    let mut process = Process::start(dir, &name, args);
    (process.end(), process.stdout(), process.stderr())
}

/// The same with `--json`.
pub fn json(dir: &Path, args: &[&str]) -> (i32, Value) {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let (code, out, err) = qtos(dir, &args);
    let value = serde_json::from_str(&out)
        .unwrap_or_else(|error| panic!("{args:?} gave {code}, {error}: `{out}` `{err}`"));
    (code, value)
}

/// A venue with its own folder and a gateway with another, below one temporary folder.
pub struct Rig {
    dir: TempDir,
    venue: Process,
    proxy: Option<Process>,
    gateway: Option<Process>,
    starts: u32,
    /// Arguments of `run` beyond the common ones.
    pub more: Vec<String>,
    /// A shell script to start the gateway with, see [`Process::scripted`].
    pub script: Option<String>,
}

/// Session seconds in a second: some two thousand quotes, and tens of orders, come in a second.
const SPEED: &str = "20";

fn start_venue(dir: &Path, listen: &str) -> (Process, String) {
    let args = ["venue", "sandbox", "--listen", listen, "--state-dir", "v", "--seed", "1"];
    serve(dir, "venue", &[&args[..], &["--speed", SPEED, "--config", "venue.toml"]].concat())
}

/// Starts a process that listens somewhere, and waits until it says where.
pub fn serve(dir: &Path, name: &str, args: &[&str]) -> (Process, String) {
    let mut process = Process::start(dir, name, args);
    let addr = wait(&format!("the address of {name}"), || {
        assert!(process.ended().is_none(), "{name} ended: {}", process.stderr());
        let text = process.stderr();
        let line = text.lines().find_map(|line| line.strip_prefix("listening at "));
        line.map(|addr| addr.trim().to_owned()).filter(|_| text.ends_with('\n'))
    });
    (process, addr)
}

/// A file of `config/`, its spans made short.
/// `venue-sandbox.toml` with the broker's socket on the core lane.
pub const ON_CORE: &str = "on core";

pub fn config(name: &str, addr: &str) -> String {
    let (file, on_core) =
        if name == ON_CORE { ("venue-sandbox.toml", true) } else { (name, false) };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(file);
    let mut text = fs::read_to_string(path).unwrap();
    if on_core {
        let broker = "[[broker]]\n";
        assert!(text.contains(broker));
        text = text.replace(broker, &format!("{broker}lane = \"core\"\n"));
    }
    text.replace("127.0.0.1:7001", addr)
        .replace("ack_timeout = \"2s\"", "ack_timeout = \"300ms\"")
        .replace("absence_after = \"5s\"", "absence_after = \"500ms\"\nreconcile_every = \"1s\"")
        .replace("reconnect_max = \"2s\"", "reconnect_max = \"200ms\"")
}

impl Rig {
    /// A venue, and the config of a gateway. The gateway is not started.
    pub fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("venue.toml"), config(name, "127.0.0.1:1")).unwrap();
        let (venue, addr) = start_venue(dir.path(), "127.0.0.1:0");
        fs::write(dir.path().join("c.toml"), config(name, &addr)).unwrap();
        fs::write(dir.path().join("addr"), addr).unwrap();
        Self { dir, venue, proxy: None, gateway: None, starts: 0, more: Vec::new(), script: None }
    }

    /// The same with a chaos proxy before the venue.
    pub fn behind(name: &str, faults: &[&str]) -> Self {
        let mut rig = Self::new(name);
        let venue = fs::read_to_string(rig.dir().join("addr")).unwrap();
        let args = ["chaos", "proxy", "--listen", "127.0.0.1:0", "--to", &venue, "--json"];
        let (proxy, addr) = serve(rig.dir(), "proxy", &[&args[..], faults].concat());
        fs::write(rig.dir().join("c.toml"), config(name, &addr)).unwrap();
        rig.proxy = Some(proxy);
        rig
    }

    /// Ends the proxy; what it did.
    pub fn end_proxy(&mut self) -> Value {
        let mut proxy = self.proxy.take().unwrap();
        proxy.signal("TERM");
        assert_eq!(proxy.end(), 0, "{}", proxy.stderr());
        serde_json::from_str(&proxy.stdout()).unwrap()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn start(&mut self) {
        self.starts += 1;
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let args = ["run", "--config", "c.toml", "--state-dir", "g", "--json"];
        let name = format!("gateway-{}", self.starts);
        let (dir, args) = (self.dir.path(), [&args[..], &more].concat());
        self.gateway = Some(match &self.script {
            Some(script) => Process::scripted(dir, &name, script, &args),
            None => Process::start(dir, &name, &args),
        });
    }

    pub fn gateway(&mut self) -> &mut Process {
        self.gateway.as_mut().unwrap()
    }

    /// Starts the gateway and waits until it takes orders.
    pub fn up(&mut self) {
        self.start();
        self.ready();
    }

    pub fn ready(&mut self) {
        wait("a gateway that takes orders", || {
            self.alive();
            (self.status()?["ready"] == true).then_some(())
        });
    }

    fn alive(&mut self) {
        let gateway = self.gateway.as_mut().unwrap();
        if let Some(status) = gateway.ended() {
            panic!("the gateway ended, {status}: {} {}", gateway.stdout(), gateway.stderr());
        }
    }

    pub fn kill9_gateway(&mut self) {
        self.alive();
        self.gateway().kill9();
    }

    pub fn venue(&self) -> &Process {
        &self.venue
    }

    pub fn kill9_venue(&mut self) {
        self.venue.kill9();
    }

    /// Starts the venue again where it was.
    pub fn restart_venue(&mut self) {
        let addr = fs::read_to_string(self.dir().join("addr")).unwrap();
        self.venue = start_venue(self.dir.path(), &addr).0;
    }

    /// SIGTERM; the summary.
    pub fn stop(&mut self) -> Value {
        let gateway = self.gateway();
        gateway.signal("TERM");
        assert_eq!(gateway.end(), 0, "{} {}", gateway.stdout(), gateway.stderr());
        serde_json::from_str(&gateway.stdout()).unwrap()
    }

    /// The same, of a gateway in which nothing panicked.
    pub fn drain(&mut self) -> Value {
        let summary = self.stop();
        assert!(!self.gateway().stderr().contains("panicked"), "{}", self.gateway().stderr());
        summary
    }

    /// A command to the running gateway.
    pub fn ask(&self, args: &[&str]) -> (i32, Value) {
        json(self.dir(), &[args, &["--state-dir", "g"]].concat())
    }

    /// `None` while nobody answers.
    pub fn status(&self) -> Option<Value> {
        let (code, out, _) = qtos(self.dir(), &["status", "--state-dir", "g", "--json"]);
        (code == 0).then(|| serde_json::from_str(&out).unwrap())
    }

    pub fn ledger(&self) -> Value {
        json(self.dir(), &["venue", "ledger", "--state-dir", "v"]).1
    }

    /// Orders that the venue has seen.
    pub fn orders(&self) -> usize {
        self.ledger()["orders"].as_array().unwrap().len()
    }

    /// Requests for orders that the venue has seen, replaces included.
    pub fn requests(&self, symbol: &str) -> usize {
        let ledger = self.ledger();
        let orders = ledger["orders"].as_array().unwrap().iter();
        let orders = orders.filter(|order| order["symbol"] == symbol);
        orders.map(|order| 1 + order["earlier_ids"].as_array().map_or(0, Vec::len)).sum()
    }

    pub fn open_orders(&self) -> usize {
        let ledger = self.ledger();
        let ended = ["filled", "canceled", "cancelled", "rejected", "expired"];
        let orders = ledger["orders"].as_array().unwrap().iter();
        orders.filter(|o| !ended.contains(&o["status"].as_str().unwrap())).count()
    }

    /// Waits until both trading agents have sent so many requests more than now.
    pub fn more_orders(&mut self, count: usize) {
        for symbol in ["IBM", "BAC"] {
            let before = self.requests(symbol);
            wait(&format!("more orders for {symbol} at the venue"), || {
                self.alive();
                (self.requests(symbol) >= before + count).then_some(())
            });
        }
    }

    /// No open order at the venue.
    pub fn no_open_orders(&self) {
        wait("the end of all open orders at the venue", || (self.open_orders() == 0).then_some(()));
    }

    /// Stops the flow, and compares what the gateway and the venue say. `whole` says that the state
    /// folder is older than the first order, so that the gateway knows every fill.
    pub fn agree(&mut self, whole: bool) {
        if self.status().is_none_or(|status| status["kill"]["level"] == "normal") {
            let (code, answer) =
                self.ask(&["kill", "--scope", "global", "--level", "cancel", "--reason", "agree"]);
            assert_eq!(code, 0, "{answer}");
        }
        self.no_open_orders();
        let mut seen;
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match self.difference(whole) {
                None => return,
                Some(why) => seen = why,
            }
            if Instant::now() > end {
                panic!("gateway and venue do not agree: {seen}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A robbed gateway (not `whole`) answers for the orders of its own state folder only.
    fn difference(&self, whole: bool) -> Option<String> {
        let status = serde_json::from_value(self.status()?).unwrap();
        let (code, fills) = self.ask(&["fills", "--limit", "1000000"]);
        assert_eq!(code, 0, "{fills}");
        let fills = serde_json::from_value(fills).unwrap();
        let ledger = Ledger::read(&self.dir().join("v")).unwrap();
        let ids = if whole { "q".to_owned() } else { ids_of(&self.dir().join("g")).unwrap() };
        difference(&status, &fills, &Theirs::of(&ledger), &ids)
    }

    /// `replay --journal --verify` of the ended gateway.
    pub fn verify(&self) {
        let (code, answer) = json(self.dir(), &["replay", "--journal", "g", "--verify"]);
        if code != 0 || answer["identical"] != true {
            panic!("{answer}");
        }
    }
}

/// Keeps the folder of a test that failed, for a look at it.
impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = self.dir().file_name().unwrap().to_string_lossy().into_owned();
            let kept = std::env::temp_dir().join(format!("qtos-process{name}"));
            let _ = Command::new("cp").arg("-r").arg(self.dir()).arg(&kept).status();
            eprintln!("kept in {}", kept.display());
        }
    }
}
