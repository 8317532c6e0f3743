//! Every kind of actor is made to panic once, in the running service. Needs the `inject` feature.

use super::rig::{ON_CORE, Process, Rig, json, qtos, wait};
use serde_json::Value;
use std::fs;

fn inject(rig: &Rig, name: &str) {
    fs::write(rig.dir().join("g/INJECT.new"), name).unwrap();
    fs::rename(rig.dir().join("g/INJECT.new"), rig.dir().join("g/INJECT")).unwrap();
}

fn actor(rig: &Rig, name: &str) -> Option<Value> {
    let status = rig.status()?;
    status["actors"].as_array()?.iter().find(|actor| actor["name"] == name).cloned()
}

/// The actor panics, is started again, and the gateway trades on.
fn restarted(config: &str, name: &str) {
    let mut rig = Rig::new(config);
    rig.up();
    rig.more_orders(2);
    inject(&rig, name);
    wait(&format!("the restart of {name}"), || {
        let actor = actor(&rig, name)?;
        (actor["restarts"] == 1 && actor["state"] == "running").then_some(())
    });
    let said = rig.gateway().stderr();
    assert!(said.contains(&format!("injected into {name}")), "{said}");
    rig.ready();
    rig.more_orders(3);
    rig.agree(true);
    rig.stop();
    rig.verify();
}

#[test]
fn a_broker_actor_is_restarted() {
    restarted("venue-sandbox.toml", "broker:sandbox");
}

#[test]
fn a_feed_actor_is_restarted() {
    restarted("venue-sandbox.toml", "feed:venue");
}

#[test]
fn an_agent_lane_is_restarted() {
    restarted("spread.toml", "lane:fast");
    restarted("spread.toml", "lane:slow");
}

/// The maker's section with an agent that panics at its 300th quote.
fn with_faulty(config: &str) -> String {
    let start = config.find("kind = \"quoter\"").unwrap();
    let params = start + config[start..].find("[agent.params]").unwrap();
    let end = params + config[params..].find("\n\n").unwrap();
    let head = config[..params].replace("kind = \"quoter\"", "kind = \"faulty\"");
    format!("{head}[agent.params]\nat = 300{}", &config[end..])
}

fn open_of(rig: &Rig, symbol: &str) -> usize {
    let ledger = rig.ledger();
    let orders = ledger["orders"].as_array().unwrap().iter();
    orders.filter(|order| order["symbol"] == symbol && order["status"] == "new").count()
}

#[test]
fn an_agent_is_quarantined_until_it_is_resumed() {
    for config in ["venue-sandbox.toml", "spread.toml"] {
        let mut rig = Rig::new(config);
        let text = fs::read_to_string(rig.dir().join("c.toml")).unwrap();
        fs::write(rig.dir().join("c.toml"), with_faulty(&text)).unwrap();
        rig.up();
        let quarantined = |rig: &Rig| {
            wait("the quarantine", || {
                (actor(rig, "agent:maker")?["state"] == "quarantined").then_some(())
            });
            wait("the cancel of its orders", || (open_of(rig, "BAC") == 0).then_some(()));
        };
        quarantined(&rig);
        assert!(rig.requests("BAC") > 0, "it had an order");
        let trend = rig.requests("IBM");
        wait("orders of the other agent", || (rig.requests("IBM") >= trend + 3).then_some(()));
        assert_eq!(open_of(&rig, "BAC"), 0, "an order of the quarantined agent");
        // The quarantine outlives the process.
        rig.kill9_gateway();
        rig.up();
        quarantined(&rig);
        let maker = rig.requests("BAC");
        let trend = rig.requests("IBM");
        wait("orders of the other agent", || (rig.requests("IBM") >= trend + 3).then_some(()));
        assert_eq!(rig.requests("BAC"), maker, "an order of the quarantined agent");
        let (code, answer) = rig.ask(&["agent", "resume", "maker"]);
        assert_eq!(code, 0, "{answer}");
        wait("orders of the resumed agent", || (rig.requests("BAC") > maker).then_some(()));
        rig.agree(true);
        rig.stop();
        rig.verify();
    }
}

#[test]
fn the_core_panics_cancels_and_recovers() {
    for config in ["venue-sandbox.toml", "spread.toml", ON_CORE] {
        let mut rig = Rig::new(config);
        rig.up();
        rig.more_orders(3);
        inject(&rig, "lane:core");
        assert_eq!(rig.gateway().end(), 70, "{}", rig.gateway().stderr());
        assert_eq!(rig.open_orders(), 0, "{}", rig.ledger());
        rig.up();
        rig.more_orders(2);
        rig.agree(true);
        rig.drain();
        rig.verify();
    }
}

#[test]
fn the_control_actor_panics_and_the_gateway_trades_on() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    inject(&rig, "control");
    wait("the panic of a handler", || {
        let _ = rig.status();
        rig.gateway().stderr().contains("injected into control").then_some(())
    });
    rig.ready();
    rig.more_orders(2);
    rig.agree(true);
    rig.stop();
    rig.verify();
}

#[test]
fn a_reference_feed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let args = ["run", "--state-dir", "g", "--speed", "50", "--json"];
    let mut gateway = Process::start(dir, "gateway", &args);
    let status = || {
        let (code, out, _) = qtos(dir, &["status", "--state-dir", "g", "--json"]);
        (code == 0).then_some(out)
    };
    wait("the gateway", status);
    fs::write(dir.join("g/INJECT"), "feed:reference").unwrap();
    wait("the restart", || status()?.contains("\"running\",\"restarts\":1").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0, "{}", gateway.stderr());
    let (code, answer) = json(dir, &["replay", "--journal", "g", "--verify"]);
    assert_eq!((code, &answer["identical"]), (0, &true.into()), "{answer}");
}
