//! The gateway at an Alpaca account, data and orders over the wire: `qtos venue alpaca` on the other side,
//! real processes, real sockets.

#[allow(dead_code, reason = "shared with the other process tests")]
#[path = "process/rig.rs"]
mod rig;

use qtos_gateway::chaos::{VenueKind, difference, ids_of};
use qtos_gateway::view::{Fills, Status};
use rig::{Process, json, qtos, serve, wait};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const VENUE: [&str; 11] = [
    "venue",
    "alpaca",
    "--listen",
    "127.0.0.1:0",
    "--key",
    "K",
    "--secret",
    "S",
    "--rate",
    "1000000",
    "--state-dir",
];

fn venue(dir: &Path) -> (Process, String) {
    serve(dir, "venue", &[&VENUE[..], &["v"]].concat())
}

/// The example with the venue's own prices as its feed, and all patience short.
fn config(dir: &Path, addr: &str) {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/low-latency.toml");
    let text = fs::read_to_string(example).unwrap();
    let text = text.replace("lane = \"core\"\n", "");
    write(dir, addr, &text);
}

/// The same as it stands, with all sockets on the core lane.
fn config_on_core(dir: &Path, addr: &str) {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/low-latency.toml");
    write(dir, addr, &fs::read_to_string(example).unwrap());
}

fn write(dir: &Path, addr: &str, text: &str) {
    let text = text
        .replace("127.0.0.1:9100", addr)
        .replace("env:APCA_API_KEY_ID", "file:key")
        .replace("env:APCA_API_SECRET_KEY", "file:secret")
        .replace("rate = 200 ", "rate = 1000000 ")
        .replace("reconcile_every = \"15s\"", "reconcile_every = \"1s\"")
        .replace("absence_after = \"5s\"", "absence_after = \"500ms\"");
    fs::write(dir.join("c.toml"), text).unwrap();
    fs::write(dir.join("key"), "K\n").unwrap();
    fs::write(dir.join("secret"), "S\n").unwrap();
}

fn gateway(dir: &Path) -> Process {
    Process::start(dir, "gateway", &["run", "--config", "c.toml", "--state-dir", "g", "--json"])
}

fn status(dir: &Path) -> Option<Status> {
    let (exit, value) = json(dir, &["status", "--state-dir", "g"]);
    (exit == 0).then(|| serde_json::from_value(value).unwrap())
}

/// Waits until both sides say the same, at rest.
fn agree(dir: &Path, addr: &str) {
    let begin = std::time::Instant::now();
    wait("agreement", || {
        let (_, fills) = json(dir, &["fills", "--limit", "1000000", "--state-dir", "g"]);
        let fills: Fills = serde_json::from_value(fills).unwrap();
        let theirs = VenueKind::Alpaca.theirs(dir, addr).unwrap();
        let ids = ids_of(&dir.join("g")).unwrap();
        let differs = difference(&status(dir)?, &fills, &theirs, &ids);
        assert!(differs.is_none() || begin.elapsed().as_secs() < 25, "{differs:?}");
        differs.is_none().then_some(())
    });
}

#[test]
fn it_trades_on_the_wire_and_a_mass_cancel_leaves_nothing_open() {
    trades_and_cancels(config);
}

#[test]
fn the_same_with_every_socket_on_the_core_lane() {
    trades_and_cancels(config_on_core);
}

fn trades_and_cancels(config: fn(&Path, &str)) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = venue(dir);
    config(dir, &addr);
    let mut gateway = gateway(dir);
    wait("a gateway that is ready", || {
        assert!(gateway.ended().is_none(), "{}", gateway.stderr());
        status(dir).filter(|status| status.ready)
    });
    // Away from the market: they rest.
    for _ in 0..5 {
        let buy = [
            "order",
            "buy",
            "AAPL",
            "1",
            "--limit",
            "185",
            "--account",
            "paper",
            "--state-dir",
            "g",
        ];
        // Until there is a price to judge it by.
        wait("an order that is taken", || (json(dir, &buy).0 == 0).then_some(()));
    }
    wait("fills", || {
        let (_, fills) = json(dir, &["fills", "--state-dir", "g"]);
        (fills["fills"].as_array()?.len() >= 5).then_some(())
    });
    wait("open orders", || status(dir).filter(|status| status.orders_open >= 5));
    let kill =
        ["kill", "--scope", "global", "--level", "cancel", "--reason", "test", "--state-dir", "g"];
    assert_eq!(json(dir, &kill).0, 0);
    agree(dir, &addr);
    assert!(gateway.stderr().contains("kill"), "{}", gateway.stderr());
    gateway.signal("TERM");
    gateway.end();
    let verify = ["replay", "--journal", "g", "--verify"];
    let (exit, result) = json(dir, &verify);
    assert_eq!((exit, &result["identical"]), (0, &Value::Bool(true)), "{result}");
}

#[test]
fn the_broker_is_asked_itself() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = venue(dir);
    config(dir, &addr);
    let ask = |words: &[&str]| {
        let (code, said) = json(dir, &[&["broker"], words, &["--config", "c.toml"]].concat());
        assert_eq!(code, 0, "{words:?}: {said}");
        assert_eq!(said["broker"], "alpaca");
        said["answer"].clone()
    };
    let cash = ask(&["account"])["cash"].clone();
    assert!(cash.as_str().is_some_and(|cash| cash.parse::<f64>().unwrap() > 0.0), "{cash}");
    assert_eq!(ask(&["configuration"])["no_shorting"], false);
    assert_eq!(ask(&["clock"])["is_open"], true);
    assert_eq!(ask(&["assets", "--symbol", "AAPL"])["symbol"], "AAPL");
    assert_eq!(ask(&["assets", "--symbol", "BTC/USD"])["class"], "crypto");
    assert_eq!(ask(&["positions"]).as_array().map(Vec::len), Some(0));
    let day = ask(&["calendar", "--from", "2024-11-29", "--to", "2024-11-29"]);
    assert_eq!((&day[0]["close"], day.as_array().map(Vec::len)), (&"13:00".into(), Some(1)));
    assert_eq!(ask(&["activities"]).as_array().map(Vec::len), Some(0));
    let refused = |words: &[&str], code: i32, word: &str| {
        let words = [&["broker"], words, &["--config", "c.toml"]].concat();
        let (exit, _, said) = qtos(dir, &words);
        assert!(exit == code && said.contains(word), "{words:?}: {exit} {said}");
    };
    refused(&["positions", "--symbol", "IBM"], 3, "404");
    refused(&["account", "--broker", "other"], 2, "other");
    refused(&["positions", "--symbol", "I?M"], 2, "I?M");
    fs::write(dir.join("secret"), "wrong\n").unwrap();
    refused(&["account"], 3, "401");
}

#[test]
fn a_wrong_secret_holds_the_broker_and_is_named_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = venue(dir);
    config(dir, &addr);
    fs::write(dir.join("secret"), "WRONGSECRET\n").unwrap();
    let gateway = gateway(dir);
    let holds = wait("the hold", || {
        let holds = json(dir, &["status", "--state-dir", "g"]).1["holds"].clone();
        holds.to_string().contains("unauthorized").then_some(holds)
    });
    let buy =
        ["order", "buy", "AAPL", "1", "--limit", "185", "--account", "paper", "--state-dir", "g"];
    assert_eq!(json(dir, &buy).0, 3, "{holds}");
    let said = gateway.stderr();
    assert!(said.contains("refuses the credentials") && !said.contains("WRONGSECRET"), "{said}");
}

#[test]
fn login_keeps_a_token_that_trades() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = venue(dir);
    fs::write(dir.join("app"), "APPSECRET\n").unwrap();
    let authorize = format!("http://{addr}/oauth/authorize");
    let token = format!("http://{addr}/oauth/token");
    let args = [
        "login",
        "alpaca",
        "--client-id",
        "me",
        "--client-secret",
        "file:app",
        "--out",
        "token",
        "--listen",
        "127.0.0.1:0",
        "--wait",
        "20",
        "--authorize-url",
        &authorize,
        "--token-url",
        &token,
        "--json",
    ];
    let browser = |spoil: fn(&str) -> String| {
        let mut login = Process::start(dir, "login", &args);
        let page = wait("the page", || {
            let said = login.stderr();
            said.lines().find(|line| line.starts_with("http")).map(str::to_owned)
        });
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let answer = agent.get(&page).call().unwrap();
        let back = answer.headers().get("location").unwrap().to_str().unwrap().to_owned();
        agent.get(spoil(&back)).call().unwrap();
        (login.end(), login.stdout(), login.stderr())
    };
    let (exit, _, said) = browser(|back| back.replace("state=", "state=x"));
    assert_eq!(exit, 2, "{said}");
    assert!(said.contains("its state is another's") && !dir.join("token").exists(), "{said}");
    let (exit, out, said) = browser(str::to_owned);
    assert_eq!(exit, 0, "{said}");
    let kept = fs::read_to_string(dir.join("token")).unwrap();
    assert!(!out.contains(kept.trim()) && !said.contains("APPSECRET"), "{out}{said}");
    let mode = fs::metadata(dir.join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A file that is there is not written over.
    assert_eq!(qtos(dir, &args).0, 2);

    config(dir, &addr);
    let text = fs::read_to_string(dir.join("c.toml")).unwrap();
    let at = text.find("url = \"http").unwrap();
    let (before, after) = text.split_at(at);
    let after = after.replacen("key = \"file:key\"", "token = \"file:token\"", 1);
    let after = after.replacen("secret = \"file:secret\"", "", 1);
    fs::write(dir.join("c.toml"), format!("{before}{after}")).unwrap();
    let mut gateway = gateway(dir);
    wait("a gateway that is ready", || {
        assert!(gateway.ended().is_none(), "{}", gateway.stderr());
        status(dir).filter(|status| status.ready)
    });
}
