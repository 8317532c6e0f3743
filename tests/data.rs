//! Market data of another process: `qtos venue alpaca` on one side; the gateway, `qtos record` and
//! `qtos import alpaca` on the other. Real processes, real sockets.

#[allow(dead_code, reason = "shared with the other process tests")]
#[path = "process/rig.rs"]
mod rig;

use qtos_gateway::feed::frames::FrameReader;
use qtos_gateway::feed::{Counts, Feed, Recording};
use rig::{Process, json, qtos, serve, wait};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const VENUE: [&str; 9] =
    ["venue", "alpaca", "--listen", "127.0.0.1:0", "--key", "K", "--secret", "S", "--state-dir"];

/// The example with addresses, keys and hours of a test: the made-up market never closes.
fn config(dir: &Path, addr: &str, encoding: &str) {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/paper-sandbox.toml");
    let text = fs::read_to_string(example)
        .unwrap()
        .replace("calendar = \"us_equity\" ", "")
        .replace("calendar = \"us_equity\"\n", "\n")
        .replace("encoding = \"msgpack\" ", &format!("encoding = \"{encoding}\" "))
        .replace("feed = \"iex\" ", &format!("url = \"ws://{addr}\"\nfeed = \"iex\" "))
        .replace("feed = \"crypto\"\n", &format!("url = \"ws://{addr}\"\nfeed = \"crypto\"\nkey = \"file:key\"\nsecret = \"file:secret\"\nsilence = \"2s\"\n"))
        .replace("env:APCA_API_KEY_ID", "file:key")
        .replace("env:APCA_API_SECRET_KEY", "file:secret")
        .replace("silence = \"60s\"", "silence = \"2s\"");
    fs::write(dir.join("c.toml"), text).unwrap();
    fs::write(dir.join("key"), "K\n").unwrap();
    fs::write(dir.join("secret"), "S\n").unwrap();
    fs::write(dir.join("keys"), "K\nS\n").unwrap();
}

fn venue(dir: &Path) -> (Process, String) {
    serve(dir, "venue", &[&VENUE[..], &["v"]].concat())
}

fn post(addr: &str, path: &str, body: &str) {
    let answer = ureq::post(format!("http://{addr}{path}")).send(body).unwrap();
    assert!(answer.status().is_success());
}

fn clear(addr: &str) {
    assert!(
        ureq::delete(format!("http://{addr}/__sim/faults")).call().unwrap().status().is_success()
    );
}

/// The value of a metric with a feed's label.
fn metric(dir: &Path, name: &str, feed: &str) -> Option<f64> {
    let control: Value =
        serde_json::from_slice(&fs::read(dir.join("g/control.json")).ok()?).ok()?;
    let url = control["url"].as_str()?;
    let text = ureq::get(format!("{url}/metrics")).call().ok()?.body_mut().read_to_string().ok()?;
    let begin = format!("{name}{{feed=\"{feed}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&begin)?.parse().ok())
}

#[test]
fn a_gateway_trades_live_data_and_comes_back_from_every_loss() {
    for encoding in ["json", "msgpack"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (_venue, addr) = venue(dir);
        config(dir, &addr, encoding);
        let args = ["run", "--config", "c.toml", "--state-dir", "g", "--json"];
        let mut gateway = Process::start(dir, "gateway", &args);
        let mut verified = |what: &str, lost: f64| {
            wait(&format!("data {what}"), || {
                assert!(gateway.ended().is_none(), "{}", gateway.stderr());
                let good = |feed| {
                    metric(dir, "qtos_feed_verified", feed) == Some(1.0)
                        && metric(dir, "qtos_feed_lost_total", feed) >= Some(lost)
                };
                (good("iex") && good("coins")).then_some(())
            });
        };
        verified("at first", 0.0);
        // Closed by the venue; then open and mute; then not even pongs.
        post(&addr, "/__sim/disconnect", "");
        verified("after a drop", 1.0);
        post(&addr, "/__sim/faults", r#"{"kind":"mute"}"#);
        wait("a mute stream to be found out", || {
            (metric(dir, "qtos_feed_lost_total", "iex") >= Some(2.0)).then_some(())
        });
        clear(&addr);
        verified("after silence", 2.0);
        let before = metric(dir, "qtos_feed_lost_total", "iex").unwrap();
        post(&addr, "/__sim/faults", r#"{"kind":"half_open"}"#);
        wait("a half-open stream to be found out", || {
            (metric(dir, "qtos_feed_lost_total", "iex") > Some(before)).then_some(())
        });
        clear(&addr);
        verified("after half-open sockets", before + 1.0);
        wait("orders from live prices", || {
            let (code, out, _) = qtos(dir, &["orders", "--state-dir", "g"]);
            (code == 0 && out.contains("SPY")).then_some(())
        });
        gateway.signal("TERM");
        assert_eq!(gateway.end(), 0, "{}", gateway.stderr());
        let summary: Value = serde_json::from_str(&gateway.stdout()).unwrap();
        assert!(summary["orders"].as_u64() > Some(0), "{summary}");
        let (code, _, said) = qtos(dir, &["replay", "--journal", "g", "--verify"]);
        assert_eq!(code, 0, "an open world replays: {said}");
    }
}

#[test]
fn the_one_connection_limit_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = venue(dir);
    config(dir, &addr, "json");
    let first = Process::start(dir, "first", &["record", "--config", "c.toml", "--out", "a"]);
    wait("the first to be subscribed", || {
        (first.stderr().matches("subscription is verified").count() >= 2).then_some(())
    });
    let second = Process::start(dir, "second", &["record", "--config", "c.toml", "--out", "b"]);
    wait("the second to be told why", || {
        second.stderr().contains("another program holds the one connection").then_some(())
    });
}

fn only(dir: &Path, end: &str) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|own| own == end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn count(path: &Path) -> Counts {
    let mut recording = Recording::open(path).unwrap();
    let mut counts = Counts::default();
    while let Some(record) = recording.next().unwrap() {
        counts.add(&record);
    }
    counts
}

#[test]
fn what_is_recorded_can_be_read_again_both_ways() {
    for encoding in ["json", "msgpack"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (_venue, addr) = venue(dir);
        config(dir, &addr, encoding);
        let args = ["record", "--config", "c.toml", "--out", "r", "--json"];
        let mut recorder = Process::start(dir, "recorder", &args);
        wait("some frames", || {
            let files = fs::read_dir(dir.join("r/iex")).ok()?;
            let frames = files
                .flatten()
                .find(|one| one.path().extension().is_some_and(|e| e == "frames"))?;
            (frames.metadata().ok()?.len() > 4_000).then_some(())
        });
        recorder.signal("INT");
        assert_eq!(recorder.end(), 0, "{}", recorder.stderr());
        let said: Value = serde_json::from_str(&recorder.stdout()).unwrap();
        let iex =
            said["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == "iex").unwrap();

        let live = count(&only(&dir.join("r/iex"), "qrec"));
        assert!(live.quotes > 0 && live.trades > 0, "{live:?}");
        assert_eq!(iex["quotes"], live.quotes);
        let frames = only(&dir.join("r/iex"), "frames");
        let mut reader = FrameReader::open(&frames).unwrap();
        let mut seen = 0u64;
        while reader.next_frame().unwrap().is_some() {
            seen += 1;
        }
        assert_eq!(iex["frames"], seen);
        let file = frames.display().to_string();
        let (code, again) = json(dir, &["import", "capture", &file, "--out", "again.qrec"]);
        assert_eq!(code, 0, "{again}");
        assert_eq!(count(&dir.join("again.qrec")), live, "frames and recording say the same");
    }
}

#[test]
fn history_comes_page_by_page_and_refusals_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_venue, addr) = serve(dir, "venue", &[&VENUE[..], &["v", "--rate", "6000"]].concat());
    config(dir, &addr, "json");
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let at = |back: u64| {
        let at = seconds.saturating_sub(Duration::from_secs(back)).as_nanos();
        qtos_gateway::types::Timestamp::from_nanos(at as u64).to_string()
    };
    let (start, end, url) = (at(1_800), at(60), format!("http://{addr}"));
    // A fault between pages is passed over.
    post(
        &addr,
        "/__sim/faults",
        r#"{"kind":"status","status":429,"retry_after":1,"method":"GET","path":"/v2/stocks/quotes","times":1}"#,
    );
    let args = [
        "import",
        "alpaca",
        "--symbol",
        "AAPL",
        "BTCUSD=BTC/USD",
        "--start",
        &start,
        "--end",
        &end,
        "--kinds",
        "trades,quotes,bars,news,snapshots",
        "--url",
        &url,
        "--key-file",
        "keys",
        "--out",
        "h.qrec",
    ];
    let (code, made) = json(dir, &args);
    assert_eq!(code, 0, "{made}");
    let counts = count(&dir.join("h.qrec"));
    assert!(counts.quotes > 100 && counts.trades > 10 && counts.bars > 10, "{counts:?}");
    assert_eq!(made["quotes"], counts.quotes);
    assert!(dir.join("h.news.jsonl").exists());
    let symbols: Vec<String> = Recording::open(&dir.join("h.qrec"))
        .unwrap()
        .instruments()
        .iter()
        .map(|(_, own)| own.symbol.clone())
        .collect();
    assert_eq!(symbols, ["AAPL", "BTCUSD"]);

    fs::write(dir.join("wrong"), "K\nX\n").unwrap();
    let refused = |change: &[(&str, &str)], word: &str| {
        let args: Vec<&str> = args
            .iter()
            .map(|arg| change.iter().find(|(from, _)| from == arg).map_or(*arg, |(_, to)| to))
            .collect();
        let (code, said) = json(dir, &args);
        assert_eq!(code, 2, "{said}");
        assert!(said.to_string().contains(word), "{said}");
        assert!(!dir.join("no.qrec").exists() && !dir.join("no.qrec.partial").exists());
        assert!(!dir.join("no.news.jsonl").exists());
    };
    refused(&[("keys", "wrong"), ("h.qrec", "no.qrec")], "refused");
    refused(&[("h.qrec", "no.qrec"), (&url, "http://example.com")], "encrypted");
    refused(&[("h.qrec", "no.qrec"), (&end, &start)], "--end");
}
