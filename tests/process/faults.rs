//! What an operating system does to a process: it stops it, and gives it no disk and no descriptors.

use super::rig::{ON_CORE, PATIENCE, Process, Rig, json, qtos, signal, wait};
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any heartbeat or watch is patient.
const STOPPED: Duration = Duration::from_secs(6);

/// Nothing needs an operator after it.
fn trades_on(rig: &mut Rig) {
    rig.ready();
    let status = rig.status().unwrap();
    assert_eq!(status["kill"]["level"], "normal", "{status}");
    rig.more_orders(2);
    rig.agree(true);
    rig.drain();
    rig.verify();
}

#[test]
fn a_stopped_gateway_goes_on() {
    for config in ["venue-sandbox.toml", "spread.toml", ON_CORE] {
        let mut rig = Rig::new(config);
        rig.up();
        rig.more_orders(2);
        rig.gateway().signal("STOP");
        std::thread::sleep(STOPPED);
        rig.gateway().signal("CONT");
        trades_on(&mut rig);
    }
}

#[test]
fn a_stopped_venue_is_missed_and_found_again() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(2);
    rig.venue().signal("STOP");
    wait("a gateway that misses its venue", || (rig.status()?["ready"] == false).then_some(()));
    std::thread::sleep(STOPPED);
    rig.venue().signal("CONT");
    trades_on(&mut rig);
}

/// A gateway whose journal's disk is full stops opening risk, cancels on demand, and says so at its end.
fn full_disk(script: &str) {
    let mut rig = Rig::new("venue-sandbox.toml");
    fs::create_dir_all(rig.dir().join("g/journal")).unwrap();
    fs::create_dir(rig.dir().join("kept")).unwrap();
    rig.script = Some(script.to_owned());
    rig.up();
    let status =
        wait("the block", || rig.status().filter(|status| status["kill"]["level"] == "block"));
    let trip = &status["kill"]["scopes"][0];
    assert_eq!((&trip["scope"], &trip["level"]), (&"global".into(), &"block".into()), "{status}");
    assert_eq!(trip["reason"], "the journal cannot be written", "{status}");
    let requests = |rig: &Rig| rig.requests("IBM") + rig.requests("BAC");
    let before = requests(&rig);
    assert!(before > 0, "it traded while there was room");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(requests(&rig), before, "an order without a record");
    assert_eq!(rig.ask(&["order", "buy", "IBM", "1"]).0, 3);

    let (code, answer) =
        rig.ask(&["kill", "--scope", "global", "--level", "cancel", "--reason", "disk"]);
    assert_eq!((code, &answer["level"]), (0, &"cancel".into()), "{answer}");
    rig.no_open_orders();
    let control = fs::read_to_string(rig.dir().join("g/control.json")).unwrap();
    let control: Value = serde_json::from_str(&control).unwrap();
    signal(control["pid"].as_u64().unwrap() as u32, "TERM");
    let code = rig.gateway().end();
    let (out, err) = (rig.gateway().stdout(), rig.gateway().stderr());
    assert_eq!(code, 70, "{out} {err}");
    assert!(err.contains("journal") && !err.contains("panicked"), "{err}");

    // With room again it finds its way back, still killed; what it lost, the venue tells.
    if rig.dir().join("kept/00000001.qlog").exists() {
        fs::remove_dir_all(rig.dir().join("g/journal")).unwrap();
        fs::rename(rig.dir().join("kept"), rig.dir().join("g/journal")).unwrap();
    }
    rig.script = None;
    rig.start();
    let status = wait("the restarted gateway", || {
        rig.status().filter(|status| status["holds"].as_array().unwrap().is_empty())
    });
    assert_eq!(status["kill"]["level"], "cancel", "{status}");
    rig.agree(true);
    rig.drain();
    rig.verify();
}

#[test]
fn a_file_that_may_not_grow_blocks() {
    full_disk("trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"");
}

#[test]
fn a_full_disk_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=256k none";
    let can = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", &format!("{mount} .")])
        .current_dir(dir.path())
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    }
    let inner = format!(
        "{mount} g/journal && {{ \"$0\" \"$@\"; code=$?; cp g/journal/* kept; exit $code; }}"
    );
    full_disk(&format!("exec unshare -rm sh -c '{inner}' \"$0\" \"$@\""));
}

#[test]
fn without_descriptors_it_trades_on() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.script = Some("ulimit -n 64; exec \"$0\" \"$@\"".to_owned());
    rig.up();
    let control = fs::read_to_string(rig.dir().join("g/control.json")).unwrap();
    let control: Value = serde_json::from_str(&control).unwrap();
    let addr = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    // More clients than it has descriptors: they wait, the orders do not.
    let clients: Vec<TcpStream> = (0..100)
        .filter_map(|_| TcpStream::connect_timeout(&addr.parse().unwrap(), PATIENCE).ok())
        .collect();
    rig.more_orders(3);
    drop(clients);
    wait("an answer", || rig.status());
    trades_on(&mut rig);
}

#[test]
fn too_few_descriptors_to_start_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for most in [4, 6, 8, 10, 12, 16] {
        let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        let args = ["run", "--state-dir", "g", "--for", "1", "--json"];
        let mut process = Process::scripted(dir.path(), "starved", &script, &args);
        let code = process.end();
        let said = process.stderr();
        assert!(!said.contains("panicked"), "{most}: {said}");
        assert!(code == 0 || code == 2 && said.contains("error: "), "{most}: {code} {said}");
    }
    // And nothing is left that a good start stumbles over.
    let (code, out, err) = qtos(dir.path(), &["run", "--state-dir", "g", "--for", "1", "--json"]);
    assert_eq!(code, 0, "{out} {err}");
}

/// Of the changes of one order some leave and some do not; the journal tells them apart.
#[test]
fn a_journal_with_refused_replaces_runs_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = super::rig::config("sandbox.toml", "127.0.0.1:1")
        .replace("value = \"10000/1s\"", "value = \"4/10s\"")
        .replace("half_spread = \"0.05\"", "half_spread = \"0.04\"");
    fs::write(dir.path().join("c.toml"), text).unwrap();
    for _ in 0..2 {
        let args = ["run", "--config", "c.toml", "--state-dir", "g", "--for", "3"];
        let (code, answer) = json(dir.path(), &args);
        assert_eq!(code, 0, "{answer}");
        assert!(answer["denied"].as_u64().unwrap() > 0, "{answer}");
        let (code, answer) = json(dir.path(), &["replay", "--journal", "g", "--verify"]);
        assert_eq!((code, &answer["identical"]), (0, &true.into()), "{answer}");
    }
}

#[test]
fn a_state_folder_has_one_gateway() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    let args = ["run", "--config", "c.toml", "--state-dir", "g"];
    let (code, answer) = json(rig.dir(), &args);
    assert_eq!((code, &answer["error"]["code"]), (3, &"locked".into()), "{answer}");
    rig.more_orders(1);
    trades_on(&mut rig);
}

/// Two gateways with one account see each other's orders as external, and each knows the position.
#[test]
fn an_account_may_have_two_gateways_that_know_of_each_other() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(1);
    let args = ["run", "--config", "c.toml", "--state-dir", "other", "--json"];
    let mut other = Process::start(rig.dir(), "other", &args);
    let dir = rig.dir().to_owned();
    let ask = |args: &[&str]| json(&dir, &[args, &["--state-dir", "other"]].concat());
    wait("the other gateway", || {
        let (code, out, _) = qtos(rig.dir(), &["status", "--state-dir", "other", "--json"]);
        (code == 0 && out.contains("\"ready\":true")).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    let kill = ["kill", "--scope", "global", "--level", "cancel", "--reason", "agree"];
    assert_eq!(ask(&kill).0, 0);
    assert_eq!(rig.ask(&kill).0, 0);
    rig.no_open_orders();
    rig.agree(false);
    wait("the other gateway to agree", || {
        let (_, status) = ask(&["status"]);
        (status["orders_open"] == 0 && status["holds"].as_array().unwrap().is_empty()).then_some(())
    });
    other.signal("TERM");
    assert_eq!(other.end(), 0, "{}", other.stderr());
    eprintln!("{}", other.stderr());
    rig.drain();
    rig.verify();
}
