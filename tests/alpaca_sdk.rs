//! Unmodified SDKs against `qtos venue alpaca`: the scripts of `tests/sdk/` run against a real process.
//!
//! An SDK that is not installed is skipped, loudly. `QTOS_SDK_PYTHON` names a Python that has alpaca-py
//! and alpaca-trade-api (default `python3`), `QTOS_SDK_NODE_PATH` the folder whose `node_modules` has
//! @alpacahq/alpaca-trade-api.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A venue that ends with its test.
struct Venue {
    child: Child,
    address: String,
    _state: TempDir,
}

impl Venue {
    fn start(more: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_qtos"))
            .arg("--state-dir")
            .arg(state.path())
            .args(["venue", "alpaca", "--listen", "127.0.0.1:0", "--rate", "1000000"])
            .args(more)
            .env("QTOS_VENUE_KEY", "K")
            .env("QTOS_VENUE_SECRET", "S")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().strip_prefix("listening at ").map(str::to_owned))
            .expect("the venue never listened");
        // What else it says must not fill its pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _state: state }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// Runs a script against a venue of its own; every case must hold.
fn run(command: &mut Command) {
    let venue = Venue::start(&["--clock", "open", "--seed", "1"]);
    let output = command
        .current_dir(scripts())
        .env("VENUE", &venue.address)
        .env("VENUE_KEY", "K")
        .env("VENUE_SECRET", "S")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all held"), "{text}\n{errors}");
}

fn python() -> String {
    std::env::var("QTOS_SDK_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether the Python at hand has a package.
fn has(package: &str) -> bool {
    let found = Command::new(python()).args(["-c", &format!("import {package}")]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: `{}` has no package `{package}`", python());
    }
    found
}

#[test]
fn alpaca_py() {
    if has("alpaca") {
        run(Command::new(python()).arg("alpaca_py.py"));
    }
}

#[test]
fn alpaca_trade_api() {
    if has("alpaca_trade_api") {
        run(Command::new(python()).arg("old_py.py"));
    }
}

#[test]
fn alpaca_trade_api_of_node() {
    let Ok(folder) = std::env::var("QTOS_SDK_NODE_PATH") else {
        eprintln!("skipped: QTOS_SDK_NODE_PATH is not set");
        return;
    };
    run(Command::new("node").arg("js.mjs").env("QTOS_SDK_NODE_PATH", folder));
}
