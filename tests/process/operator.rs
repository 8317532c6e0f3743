//! The operator's side of the kill switch: what is noted of it, drills, and what works without the
//! gateway's help.

use crate::rig::{self, Process, Rig, json, qtos, wait};
use std::fs;

fn acts(rig: &Rig) -> Vec<(String, String)> {
    let (code, shown) = json(rig.dir(), &["audit", "show", "--state-dir", "g"]);
    assert_eq!(code, 0, "{shown}");
    let word = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
    let lines = shown["lines"].as_array().unwrap();
    lines.iter().map(|line| (word(line, "what"), word(line, "after"))).collect()
}

#[test]
fn what_operators_do_is_noted_and_cannot_be_changed_unnoticed() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    assert_eq!(
        rig.ask(&["order", "buy", "IBM", "1", "--limit", "1"]).0,
        3,
        "outside of the collar"
    );
    let set = ["limits", "set", "max_order_qty", "global", "100", "--reason", "drill"];
    assert_eq!(rig.ask(&set).0, 0);
    let kill = ["kill", "--scope", "symbol:IBM", "--level", "cancel", "--reason", "drill"];
    assert_eq!(rig.ask(&kill).0, 0);
    rig.kill9_gateway();
    rig.start();
    wait("a gateway that answers", || rig.status());
    rig.drain();
    let seen = acts(&rig);
    let words: Vec<&str> = seen.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(words, ["boot", "order", "limits_set", "kill", "boot", "stop"]);
    assert!(seen[1].1.starts_with("refused: price_collar: "), "{seen:?}");
    assert_eq!((&*seen[0].1, &*seen[4].1), ("normal", "cancel"), "{seen:?}");

    let (code, check) = json(rig.dir(), &["audit", "verify", "--state-dir", "g"]);
    assert_eq!((code, &check["lines"]), (0, &6.into()), "{check}");
    let path = rig.dir().join("g/audit.log");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("symbol:IBM", "symbol:BAC")).unwrap();
    let (code, check) = json(rig.dir(), &["audit", "verify", "--state-dir", "g"]);
    assert_eq!((code, &check["broken_line"]), (1, &4.into()), "{check}");
    rig.start();
    wait("a gateway that trusts nobody", || {
        let status = rig.status()?;
        (status["kill"]["level"] == "block" || status["kill"]["level"] == "cancel").then(|| {
            assert!(status.to_string().contains("audit file not trusted"), "{status}");
        })
    });
}

#[test]
fn a_drill_kills_measures_and_is_noted() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(2);
    assert_eq!(rig.ask(&["drill", "kill", "--scope", "global", "--level", "flatten"]).0, 2);
    let (code, drill) = rig.ask(&["drill", "kill", "--scope", "global"]);
    assert_eq!((code, &drill["level"]), (0, &"cancel".into()), "{drill}");
    assert!(drill["confirmed_us"].as_u64().unwrap() > drill["gate_closed_us"].as_u64().unwrap());
    eprintln!("{drill}");
    rig.no_open_orders();
    assert_eq!(
        rig.status().unwrap()["kill"]["level"],
        "cancel",
        "a drill stands until it is armed"
    );
    let seen = acts(&rig);
    let drilled = seen.iter().find(|(what, _)| what == "drill").unwrap();
    assert!(drilled.1.contains("confirmed"), "{drilled:?}");
    rig.drain();
    rig.verify();
}

/// With the gateway stopped, and with it dead: its orders go, and it comes back killed.
#[test]
fn a_direct_kill_needs_no_gateway() {
    for stop in [true, false] {
        let mut rig = Rig::new("venue-sandbox.toml");
        rig.up();
        rig.more_orders(2);
        if stop {
            rig.gateway().signal("STOP");
        } else {
            rig.kill9_gateway();
        }
        let args = ["kill", "--direct", "--reason", "drill", "--config", "c.toml"];
        let (code, done) = rig.ask(&args);
        assert_eq!((code, &done["brokers"][0]["confirmed"]), (0, &true.into()), "{done}");
        eprintln!("{done}");
        assert_eq!(rig.open_orders(), 0);
        let before = rig.requests("IBM") + rig.requests("BAC");
        if stop {
            rig.gateway().signal("CONT");
        } else {
            rig.start();
        }
        wait("a gateway that knows of its kill", || {
            (rig.status()?["kill"]["level"] == "cancel").then_some(())
        });
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert_eq!(rig.requests("IBM") + rig.requests("BAC"), before, "it traded");
        assert_eq!(json(rig.dir(), &["audit", "verify", "--state-dir", "g"]).0, 0);
        rig.agree(true);
        rig.drain();
        rig.verify();
    }
}

/// A gateway with its venue inside: what did not happen is no success.
#[test]
fn what_was_not_done_is_not_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("c.toml"), rig::config("sandbox.toml", "")).unwrap();
    let run = ["run", "--config", "c.toml", "--state-dir", "g", "--json"];
    let _gateway = Process::start(dir, "gateway", &run);
    let ask = |args: &[&str]| json(dir, &[args, &["--state-dir", "g"]].concat());
    let normal = || {
        let (code, out, _) = qtos(dir, &["status", "--state-dir", "g", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&out).ok()?;
        (code == 0 && status["ready"] == true).then(|| status["kill"].clone())
    };
    assert_eq!(wait("a gateway that takes orders", normal)["level"], "normal");

    // The kill file cannot be written, then it can.
    let kill = ["kill", "--scope", "account:paper", "--level", "cancel", "--reason", "drill"];
    fs::create_dir(dir.join("g/kill.json.partial")).unwrap();
    let (code, answer) = ask(&kill);
    assert_eq!(code, 3, "{answer}");
    assert_eq!(ask(&["order", "buy", "AAPL", "1"]).0, 3);
    let (_, status) = ask(&["status"]);
    assert_eq!(status["kill"]["level"], "cancel", "{status}");
    fs::remove_dir(dir.join("g/kill.json.partial")).unwrap();
    let (code, step) = ask(&["arm", "--scope", "account:paper", "--reason", "disk repaired"]);
    assert_eq!(code, 0, "{step}");
    let (code, done) = ask(&["arm", "--confirm", step["challenge"].as_str().unwrap()]);
    assert_eq!((code, &done["level"]), (0, &"normal".into()), "{done}");
    assert_eq!(wait("no kill", normal)["level"], "normal");
    let (code, order) = ask(&["order", "buy", "AAPL", "1"]);
    assert_eq!(code, 0, "{order}");

    // Refused at the wire.
    let set = ["limits", "set", "message_budget", "global", "1/1m", "--reason", "drill"];
    assert_eq!(ask(&set).0, 0);
    let (code, denied) = ask(&["order", "buy", "AAPL", "1"]);
    assert_eq!((code, &denied["error"]["code"]), (3, &"message_budget".into()), "{denied}");

    // No broker to cancel at.
    let direct = ["kill", "--direct", "--reason", "drill", "--config", "c.toml"];
    let (code, done) = ask(&direct);
    assert_eq!((code, &done["brokers"]), (1, &serde_json::json!([])), "{done}");
}

/// A broker that does not answer has told nothing of its orders.
#[test]
fn what_a_silent_broker_has_open_is_unknown() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.kill9_gateway();
    rig.kill9_venue();
    let (code, done) = rig.ask(&["kill", "--direct", "--reason", "drill", "--config", "c.toml"]);
    assert_eq!((code, &done["brokers"][0]["open_before"]), (1, &serde_json::Value::Null), "{done}");
    let audit = fs::read_to_string(rig.dir().join("g/audit.log")).unwrap();
    assert!(audit.lines().last().unwrap().contains("open unknown"), "{audit}");
}
