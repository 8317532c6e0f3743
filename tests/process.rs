//! The gateway as its operator meets it: real processes, real sockets, `kill -9`.

#[path = "process/chaos.rs"]
mod chaos;
#[path = "process/entry.rs"]
mod entry;
#[path = "process/faults.rs"]
mod faults;
#[path = "process/garbage.rs"]
mod garbage;
#[path = "process/operator.rs"]
mod operator;
#[path = "process/rig.rs"]
mod rig;
#[path = "process/secrets.rs"]
mod secrets;
#[cfg(feature = "inject")]
#[path = "process/supervision.rs"]
mod supervision;
#[path = "process/watchdog.rs"]
mod watchdog;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use rig::{Rig, json, qtos, wait};
use std::fs;
use std::time::Duration;

/// How often the gateway is killed; `QTOS_KILLS=100` is the long campaign.
fn kills() -> u64 {
    std::env::var("QTOS_KILLS").map_or(12, |text| text.parse().unwrap())
}

/// Kills the gateway at seeded moments, while it boots, reconciles or trades.
fn campaign(config: &str, seed: u64, wipe: bool) {
    let mut rig = Rig::new(config);
    let mut random = Pcg64::seed_from_u64(seed);
    let mut whole = true;
    rig.up();
    rig.more_orders(2);
    for kill in 0..kills() {
        rig.kill9_gateway();
        if wipe && kill == kills() / 2 {
            fs::remove_dir_all(rig.dir().join("g")).unwrap();
            whole = false;
        }
        rig.start();
        // Every third time while it boots.
        let most = if kill % 3 == 0 { 80 } else { 1_000 };
        std::thread::sleep(Duration::from_millis(random.next_u64() % most));
    }
    rig.ready();
    rig.more_orders(2);
    rig.agree(whole);
    let summary = rig.drain();
    eprintln!("{config}: {} kills, {} orders, {summary}", kills(), rig.orders());
    rig.verify();
}

#[test]
fn killed_at_any_moment_inline() {
    campaign("venue-sandbox.toml", 1, false);
}

#[test]
fn killed_at_any_moment_spread() {
    campaign("spread.toml", 2, false);
}

#[test]
fn killed_and_robbed_of_its_state() {
    campaign("venue-sandbox.toml", 3, true);
}

#[test]
fn killed_venue_comes_back() {
    for (config, seed) in [("venue-sandbox.toml", 4), ("spread.toml", 5)] {
        let mut rig = Rig::new(config);
        let mut random = Pcg64::seed_from_u64(seed);
        rig.up();
        for kill in 0..kills() / 4 {
            rig.more_orders(1);
            std::thread::sleep(Duration::from_millis(random.next_u64() % 300));
            rig.kill9_venue();
            if kill % 3 == 2 {
                rig.kill9_gateway();
                rig.start();
            } else {
                wait("a gateway that misses its venue", || {
                    (rig.status()?["ready"] == false).then_some(())
                });
            }
            rig.restart_venue();
            rig.ready();
        }
        rig.more_orders(3);
        rig.agree(true);
        let summary = rig.drain();
        eprintln!(
            "{config}: {} kills of the venue, {} orders, {summary}",
            kills() / 4,
            rig.orders()
        );
        rig.verify();
    }
}

#[test]
fn a_long_outage_of_the_venue_needs_no_operator() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.kill9_venue();
    // Longer than an actor that fails each time it is started may live.
    std::thread::sleep(Duration::from_secs(7));
    rig.restart_venue();
    rig.ready();
    let status = rig.status().unwrap();
    assert_eq!(status["kill"]["level"], "normal", "{status}");
    rig.more_orders(3);
    rig.agree(true);
    rig.drain();
    rig.verify();
}

#[test]
fn limits_set_while_running_hold_and_outlive_a_crash() {
    let mut rig = Rig::new("venue-sandbox.toml");
    let config = fs::read_to_string(rig.dir().join("c.toml")).unwrap();
    let config = format!("{config}\n[guardian.rules.drawdown]\nlimit = \"50000\"\n");
    fs::write(rig.dir().join("c.toml"), config).unwrap();
    rig.up();
    let set = |rig: &Rig, value: &str| {
        rig.ask(&["limits", "set", "max_order_qty", "global", value, "--reason", "drill"])
    };
    let limit = |rig: &Rig| {
        let (_, limits) = rig.ask(&["limits", "show"]);
        let rows = limits["limits"].as_array().unwrap().clone();
        let row = rows.iter().find(|row| row["control"] == "max_order_qty").unwrap().clone();
        (limits["version"].clone(), row["value"].clone())
    };
    assert_eq!(limit(&rig), (0.into(), "1000".into()));
    let (code, answer) = set(&rig, "100");
    assert_eq!((code, &answer["applied"]), (0, &true.into()), "{answer}");
    let (code, answer) =
        rig.ask(&["order", "buy", "IBM", "101", "--limit", "1", "--confirm", "101"]);
    assert_eq!((code, &answer["error"]["code"]), (3, &"max_order_qty".into()), "{answer}");
    assert_eq!(set(&rig, "nonsense").0, 2);

    rig.kill9_gateway();
    rig.start();
    rig.ready();
    assert_eq!(limit(&rig), (1.into(), "100".into()), "after a crash");
    let (code, step) = set(&rig, "500");
    assert_eq!((code, &step["applied"]), (0, &false.into()), "{step}");
    assert_eq!(limit(&rig).1, "100", "not yet");
    let challenge = step["challenge"]["challenge"].as_str().unwrap();
    assert_eq!(rig.ask(&["limits", "confirm", "wrong"]).0, 3);
    assert_eq!(rig.ask(&["limits", "confirm", challenge]).0, 3, "used up by the wrong word");
    let (_, step) = set(&rig, "500");
    let challenge = step["challenge"]["challenge"].as_str().unwrap();
    assert_eq!(rig.ask(&["limits", "confirm", challenge]).0, 0);
    assert_eq!(limit(&rig), (2.into(), "500".into()));

    // More than half of a limit is said twice.
    let far = ["order", "buy", "IBM", "251", "--limit", "100"];
    let (code, answer) = rig.ask(&far);
    assert_eq!(code, 3, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("max_order_qty"), "{answer}");
    let (code, controls) = rig.ask(&["check", "--controls"]);
    assert_eq!((code, &controls["running"]), (0, &true.into()), "{controls}");
    let rows = controls["controls"].as_array().unwrap();
    for id in (1..=28).map(|number| format!("C{number}")) {
        assert!(rows.iter().any(|row| row["id"] == *id), "{id} is missing: {controls}");
    }
    for rule in qtos_gateway::actors::guardian::RULES {
        let rule = rule.rule.name();
        let own = |row: &&serde_json::Value| row["name"] == rule && row["acts"] == "guardian";
        assert!(rows.iter().any(|row| own(&row)), "{rule} is missing: {controls}");
    }
    let fallen = |row: &&serde_json::Value| row["id"] == "C16" && row["scope"] == "account:paper";
    let drawdown = rows.iter().find(fallen).unwrap_or_else(|| panic!("{controls}"));
    assert!(drawdown["value"].as_str().unwrap().contains("limit 50000"), "{drawdown}");
    assert!(drawdown["used"].as_str().unwrap().contains(" of 50000"), "{drawdown}");
    rig.drain();
    rig.verify();
}

#[test]
fn a_kill_holds_until_it_is_armed_in_two_steps() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(3);
    let (code, answer) =
        rig.ask(&["kill", "--scope", "global", "--level", "cancel", "--reason", "drill"]);
    assert_eq!((code, &answer["level"]), (0, &"cancel".into()), "{answer}");
    let orders = rig.orders();
    rig.no_open_orders();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(rig.orders(), orders, "an order after the latch");
    let (code, answer) = rig.ask(&["order", "buy", "IBM", "1"]);
    assert_eq!(code, 3, "{answer}");

    rig.kill9_gateway();
    rig.start();
    let status = wait("the restarted gateway", || {
        rig.status().filter(|status| status["holds"].as_array().unwrap().is_empty())
    });
    assert_eq!(status["kill"]["level"], "cancel", "{status}");
    assert_eq!(status["kill"]["scopes"][0]["reason"], "drill", "{status}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(rig.orders(), orders, "an order of the restarted gateway");

    assert_eq!(rig.ask(&["arm", "--confirm", "wrong"]).0, 3);
    let (code, step) = rig.ask(&["arm", "--scope", "global", "--reason", "drill is over"]);
    assert_eq!(code, 0, "{step}");
    assert_eq!(rig.ask(&["arm", "--confirm", "wrong"]).0, 3);
    let status = rig.status().unwrap();
    assert_eq!(status["kill"]["level"], "cancel", "the first step lowers nothing: {status}");
    let (code, step) = rig.ask(&["arm", "--scope", "global", "--reason", "drill is over"]);
    assert_eq!(code, 0, "{step}");
    let (code, done) = rig.ask(&["arm", "--confirm", step["challenge"].as_str().unwrap()]);
    assert_eq!((code, &done["level"]), (0, &"normal".into()), "{done}");
    rig.ready();
    rig.more_orders(2);
    rig.agree(true);
    rig.drain();
    rig.verify();
}

#[test]
fn signals_and_the_kill_file_latch() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(1);
    let level = |rig: &Rig, level: &str| {
        wait(&format!("level {level}"), || (rig.status()?["kill"]["level"] == level).then_some(()));
    };
    rig.gateway().signal("USR1");
    level(&rig, "block");
    rig.gateway().signal("USR2");
    level(&rig, "cancel");
    rig.no_open_orders();
    rig.drain();
    rig.verify();

    let mut rig = Rig::new("spread.toml");
    rig.up();
    rig.more_orders(1);
    fs::write(rig.dir().join("g/KILL"), "").unwrap();
    level(&rig, "cancel");
    let orders = rig.orders();
    rig.no_open_orders();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(rig.orders(), orders, "an order after the file was seen");
}

#[test]
fn a_flatten_exits_once_over_kill_nine_and_an_isolated_broker_comes_back_with_the_arm() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(3);
    let progress = |rig: &Rig, word: &str| {
        wait(word, || (rig.status()?["kill"]["scopes"][0]["progress"] == word).then_some(()))
    };
    let kill = |rig: &Rig, level: &str| {
        let words = ["kill", "--scope", "global", "--level", level, "--reason", "drill"];
        assert_eq!(rig.ask(&words).0, 0);
    };
    kill(&rig, "flatten");
    progress(&rig, "flat");
    let orders = rig.orders();
    rig.kill9_gateway();
    rig.start();
    progress(&rig, "flat");
    assert_eq!(rig.orders(), orders, "an exit after the restart");
    rig.agree(true);

    kill(&rig, "isolate");
    let down = |status: &serde_json::Value| status["holds"].to_string().contains("stream_down");
    wait("the session to close", || rig.status().filter(down));
    let (code, step) = rig.ask(&["arm", "--scope", "global", "--reason", "drill is over"]);
    assert_eq!(code, 0, "{step}");
    let (code, done) = rig.ask(&["arm", "--confirm", step["challenge"].as_str().unwrap()]);
    assert_eq!(code, 0, "{done}");
    rig.ready();
    rig.more_orders(2);
    assert_eq!(rig.ask(&["heartbeat"]).0, 0);
    let (code, closed) = rig.ask(&["flatten", "--reason", "weekend"]);
    assert!(closed["orders"].is_array(), "{code} {closed}");
    rig.drain();
    rig.verify();
}

#[test]
fn one_agent_is_killed_alone() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    rig.more_orders(3);
    let (code, answer) =
        rig.ask(&["kill", "--scope", "agent:maker", "--level", "cancel", "--reason", "drill"]);
    assert_eq!(code, 0, "{answer}");
    let (trend, maker) = (rig.requests("IBM"), rig.requests("BAC"));
    wait("orders of the other agent", || (rig.requests("IBM") >= trend + 2).then_some(()));
    assert_eq!(rig.requests("BAC"), maker, "an order of the killed agent");
    rig.agree(true);
}

#[test]
fn sigterm_drains() {
    for config in ["venue-sandbox.toml", "spread.toml"] {
        let mut rig = Rig::new(config);
        rig.up();
        rig.more_orders(3);
        let summary = rig.drain();
        assert_eq!(rig.open_orders(), 0, "{}", rig.ledger());
        assert_eq!(summary["orders"], rig.orders(), "{summary}");
        assert_eq!(summary["fills"], rig.ledger()["fills"].as_array().unwrap().len(), "{summary}");
        rig.verify();
    }
}

#[test]
fn a_closed_world_resumes_and_is_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    garbage::recording(dir);
    // Each boot holds new orders until the exchange has answered it; here it answers at once, so
    // that a restart costs no order.
    let quick =
        rig::config("sandbox.toml", "").replace("fill_model", "latency = \"0s\"\nfill_model");
    fs::write(dir.join("c.toml"), quick).unwrap();
    let (code, replay) = json(dir, &["replay", "day.qrec", "--config", "c.toml"]);
    assert_eq!(code, 0, "{replay}");
    let run = ["run", "day.qrec", "--config", "c.toml", "--state-dir", "g", "--json"];
    for kill in 0..3 {
        let args = [&run[..], &["--speed", "100"]].concat();
        let mut process = rig::Process::start(dir, &format!("closed-{kill}"), &args);
        std::thread::sleep(Duration::from_millis(700));
        assert!(process.ended().is_none(), "{} {}", process.stdout(), process.stderr());
        process.kill9();
    }
    let (code, out, err) = qtos(dir, &[&run[..], &["--speed", "max"]].concat());
    assert_eq!(code, 0, "{out} {err}");
    let live: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (code, verify) = json(dir, &["replay", "--journal", "g", "--verify"]);
    assert_eq!((code, &verify["identical"]), (0, &true.into()), "{verify}");
    for field in ["orders", "fills", "pnl", "agents"] {
        assert_eq!(live[field], replay[field], "{field}: {live} {replay}");
    }
    assert!(replay["orders"].as_u64().unwrap() > 0, "{replay}");
}
