//! Canaries: what lets somebody in must be found nowhere but in its own file (I24).

use crate::rig::{Rig, wait};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// A token of the right shape that opens nothing.
const CANARY: &str = "c4fe5eed0badc0dec4fe5eed0badc0dec4fe5eed0badc0dec4fe5eed0badc0de";

fn files(below: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Asks the control API with a token; the whole answer.
fn ask(rig: &Rig, path: &str, token: &str) -> String {
    let control = fs::read_to_string(rig.dir().join("g/control.json")).unwrap();
    let control: serde_json::Value = serde_json::from_str(&control).unwrap();
    let host = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&host).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_token_is_in_no_journal_log_metric_or_answer() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.script = Some("RUST_LOG=trace exec \"$0\" \"$@\"".to_owned());
    let mut secrets = BTreeSet::from([CANARY.to_owned()]);
    let mut answers = String::new();
    for _ in 0..2 {
        rig.up();
        let token = fs::read_to_string(rig.dir().join("g/control.token")).unwrap();
        let token = token.trim().to_owned();
        assert!(token.len() >= 32, "a token worth looking for");
        for path in ["/metrics", "/v1/status", "/livez"] {
            answers += &ask(&rig, path, &token);
            answers += &ask(&rig, path, CANARY);
            answers += &ask(&rig, &format!("{path}?token={CANARY}"), "");
        }
        secrets.insert(token);
        rig.more_orders(2);
        let set = ["limits", "set", "max_order_qty", "global", "100", "--reason", "drill"];
        assert_eq!(rig.ask(&set).0, 0);
        rig.kill9_gateway();
    }
    assert!(answers.contains("qtos_orders_total"), "the metrics were read: {answers}");
    assert!(answers.contains(" 401 "), "the canary was refused: {answers}");
    rig.up();
    secrets
        .insert(fs::read_to_string(rig.dir().join("g/control.token")).unwrap().trim().to_owned());
    rig.drain();
    wait("what the last process wrote", || (!rig.gateway().stderr().is_empty()).then_some(()));
    let mut all = Vec::new();
    files(rig.dir(), &mut all);
    assert!(all.len() > 8, "{all:?}");
    for path in all.iter().filter(|path| !path.ends_with("control.token")) {
        let bytes = fs::read(path).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a token", path.display());
        }
    }
    for secret in &secrets {
        assert!(!answers.contains(secret.as_str()), "an answer holds a token: {answers}");
    }
}
