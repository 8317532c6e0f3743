//! Every kind of actor is made to panic once, in the running service. Needs the `inject` feature.

use super::rig::{Rig, wait};
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
    rig.gateway().signal("TERM");
    assert_eq!(rig.gateway().end(), 0);
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

#[test]
fn an_agent_is_quarantined_and_resumed() {
    for config in ["venue-sandbox.toml", "spread.toml"] {
        let mut rig = Rig::new(config);
        rig.up();
        rig.more_orders(2);
        inject(&rig, "agent:maker");
        wait("the quarantine", || {
            (actor(&rig, "agent:maker")?["state"] == "quarantined").then_some(())
        });
        let of = |rig: &Rig, symbol: &str| {
            let ledger = rig.ledger();
            ledger["orders"].as_array().unwrap().iter().filter(|o| o["symbol"] == symbol).count()
        };
        let (trend, maker) = (of(&rig, "IBM"), of(&rig, "BAC"));
        wait("orders of the other agent", || (of(&rig, "IBM") >= trend + 2).then_some(()));
        assert_eq!(of(&rig, "BAC"), maker, "an order of the quarantined agent");
        let (code, answer) = rig.ask(&["agent", "resume", "maker"]);
        assert_eq!(code, 0, "{answer}");
        wait("orders of the resumed agent", || (of(&rig, "BAC") > maker).then_some(()));
        rig.agree(true);
        rig.gateway().signal("TERM");
        assert_eq!(rig.gateway().end(), 0);
        rig.verify();
    }
}

#[test]
fn the_core_panics_cancels_and_recovers() {
    for config in ["venue-sandbox.toml", "spread.toml"] {
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
    rig.gateway().signal("TERM");
    assert_eq!(rig.gateway().end(), 0);
    rig.verify();
}
