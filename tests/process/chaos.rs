//! A gateway behind `qtos chaos proxy`: under every fault and all of them, then without. At rest the
//! books are the venue's ledger, nothing is in doubt, and the journal replays to the same.

use super::rig::Rig;
use std::time::Duration;

/// How long faults are caused.
const STORM: Duration = Duration::from_secs(8);

/// Trades in a storm, then in calm, then compares.
fn weather(config: &str, faults: &[&str], kinds: &[&str]) {
    let storm = format!("{}s", STORM.as_secs());
    let args = ["--framing", "sandbox", "--seed", "11", "--faults-for", &storm];
    let mut rig = Rig::behind(config, &[&args[..], faults].concat());
    rig.start();
    std::thread::sleep(STORM);
    rig.ready();
    rig.more_orders(2);
    rig.agree(true);
    let summary = rig.drain();
    let proxy = rig.end_proxy();
    eprintln!("{config} {faults:?}: {} orders, {}; {summary}", rig.orders(), proxy["faults"]);
    for kind in kinds {
        assert!(proxy["faults"][kind].as_u64().is_some_and(|count| count > 0), "{kind}: {proxy}");
    }
    rig.verify();
}

#[test]
fn delay() {
    weather("venue-sandbox.toml", &["--delay", "5..400"], &["delay"]);
}

#[test]
fn drop() {
    weather("venue-sandbox.toml", &["--drop", "0.05"], &["drop"]);
}

#[test]
fn duplicate() {
    weather("venue-sandbox.toml", &["--duplicate", "0.2"], &["duplicate"]);
}

#[test]
fn reorder() {
    weather("spread.toml", &["--reorder", "0.1"], &["reorder"]);
}

#[test]
fn reset() {
    weather("venue-sandbox.toml", &["--reset", "0.01"], &["reset"]);
}

#[test]
fn half_open() {
    weather("venue-sandbox.toml", &["--half-open", "0.01"], &["half_open"]);
}

#[test]
fn trickle() {
    weather("venue-sandbox.toml", &["--trickle", "200..20000"], &["trickle"]);
}

#[test]
fn partition() {
    let some = ["--partition", "1s..2s", "--partition", "1s/2s"];
    weather("venue-sandbox.toml", &some, &["partition"]);
}

#[test]
fn all_at_once() {
    let all = [
        "--delay",
        "0..50",
        "--drop",
        "0.01",
        "--duplicate",
        "0.05",
        "--reorder",
        "0.05",
        "--reset",
        "0.002",
        "--half-open",
        "0.001",
        "--partition",
        "500ms/3s",
    ];
    let kinds = ["delay", "drop", "duplicate", "reorder", "partition"];
    weather("venue-sandbox.toml", &all, &kinds);
    weather("spread.toml", &all, &kinds);
}
