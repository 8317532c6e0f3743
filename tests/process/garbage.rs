//! Bad input: the right exit code and a sentence that names the place, never a panic.

use super::rig::{Process, config, json, qtos};
use std::fs;
use std::path::Path;

/// Runs it, and wants this exit code and these words.
fn refused(dir: &Path, args: &[&str], code: i32, words: &[&str]) {
    for form in [&[][..], &["--json"][..]] {
        let (ended, out, err) = qtos(dir, &[args, form].concat());
        let said = format!("{out}{err}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        assert_eq!(ended, code, "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?} does not say `{word}`: {said}");
        }
    }
}

#[test]
fn a_bad_config_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let good = config("venue-sandbox.toml", "127.0.0.1:1");
    let line = |text: &str| 1 + good[..good.find(text).unwrap()].matches('\n').count();
    let trend = line("name = \"trend\"");
    let mut drop_limit = good.clone();
    let start = drop_limit.find("[[limit]]\ncontrol = \"max_order_qty\"").unwrap();
    let end = start + drop_limit[start + 9..].find("[[limit]]").unwrap() + 9;
    drop_limit.replace_range(start..end, "");
    let limit = line("value = \"1000\"\n");
    let cases = [
        (
            good.replace("ack_timeout", "ack_timout"),
            vec![format!("bad.toml:{}:", line("ack_timeout"))],
        ),
        (good.replace("fast = 20", "fats = 20"), vec!["fats".to_owned()]),
        (drop_limit, vec!["max_order_qty".to_owned()]),
        (
            good.replace("value = \"1000\"\n", "value = \"-1000\"\n"),
            vec![format!("bad.toml:{}:", limit - 2)],
        ),
        (good.replace("qty = \"10\"", "qty = \"-10\""), vec!["qty".to_owned()]),
        (
            good.replace("symbols = [\"IBM\"]", "symbols = [\"XYZ\"]"),
            vec!["XYZ".to_owned(), format!("bad.toml:{}:", trend + 3)],
        ),
        (good.replace("broker = \"sandbox\"", "broker = \"other\""), vec!["other".to_owned()]),
        (good.replace("[[feed]]", "[[feed"), vec![format!("bad.toml:{}:", line("[[feed]]"))]),
        (good.replace("\"max_order_qty\"", "\"max_order_qyt\""), vec!["max_order_qyt".to_owned()]),
        ("\u{0}\u{1}garbage".to_owned(), vec!["bad.toml:1:".to_owned()]),
        (String::new(), vec![]),
    ];
    for (text, words) in cases {
        fs::write(dir.join("bad.toml"), text).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(dir, &["check", "--config", "bad.toml"], 2, &words);
        refused(dir, &["run", "--config", "bad.toml", "--state-dir", "g"], 2, &words);
    }
    // Starts that failed leave nothing that the first good one stumbles over.
    fs::write(dir.join("good.toml"), good).unwrap();
    let run = ["run", "--config", "good.toml", "--state-dir", "g"];
    let _gateway = Process::start(dir, "gateway", &run);
    super::wait("a gateway that is not killed", || {
        let (code, out, _) = qtos(dir, &["status", "--state-dir", "g", "--json"]);
        (code == 0 && out.contains("\"kill\":{\"level\":\"normal\"")).then_some(())
    });
    refused(dir, &["check", "--config", "absent.toml"], 2, &["absent.toml"]);
}

/// A recording of some thousand records, and the state folder that it was cut from.
pub fn recording(dir: &Path) {
    let (code, out) = json(dir, &["run", "--state-dir", "made", "--speed", "200", "--for", "2"]);
    assert_eq!(code, 0, "{out}");
    let (code, out) = json(dir, &["export", "--journal", "made", "--out", "day.qrec"]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_damaged_recording_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    recording(dir);
    let good = fs::read(dir.join("day.qrec")).unwrap();
    let mut damaged = Vec::new();
    for part in 0..6 {
        damaged.push(good[..good.len() * part / 6].to_vec());
        let mut flipped = good.clone();
        flipped[(good.len() - 1) * part / 5] ^= 1 << part;
        damaged.push(flipped);
    }
    damaged.push(b"ts,bid,ask\n".to_vec());
    for bytes in damaged {
        fs::write(dir.join("bad.qrec"), bytes).unwrap();
        refused(dir, &["info", "bad.qrec"], 2, &["bad.qrec"]);
        refused(dir, &["replay", "bad.qrec"], 2, &["bad.qrec"]);
        let _ = fs::remove_dir_all(dir.join("g"));
        refused(dir, &["run", "bad.qrec", "--speed", "max", "--state-dir", "g"], 2, &["bad.qrec"]);
    }
    refused(dir, &["info", "absent.qrec"], 2, &["absent.qrec"]);
}

/// The journal's newest file.
fn segment(dir: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir.join("journal")).unwrap();
    files.map(|file| file.unwrap().path()).max().unwrap()
}

#[test]
fn a_damaged_journal_is_refused_and_a_torn_tail_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    recording(dir);
    let file = segment(&dir.join("made"));
    let good = fs::read(&file).unwrap();
    for part in 1..6 {
        let mut flipped = good.clone();
        flipped[good.len() * part / 7] ^= 1 << part;
        fs::write(&file, flipped).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        refused(dir, &["journal", "verify", "--journal", "made"], 1, &[name]);
        refused(dir, &["journal", "show", "--journal", "made", "--limit", "100000000"], 2, &[name]);
        refused(dir, &["replay", "--journal", "made", "--verify"], 2, &[name]);
        refused(dir, &["run", "--state-dir", "made", "--for", "1"], 2, &[name]);
        assert_eq!(segment(&dir.join("made")), file, "a refused start writes no journal");
    }
    // Cut below the head mark: lost, not torn. Without the mark the operator has accepted the loss.
    fs::write(&file, &good[..good.len() * 5 / 6]).unwrap();
    refused(dir, &["replay", "--journal", "made", "--verify"], 2, &["lost records"]);
    let (code, answer) = json(dir, &["journal", "verify", "--journal", "made"]);
    let said = answer["error"].as_str().unwrap_or_default();
    assert!(code == 1 && said.contains("were on stable storage"), "{answer}");
    refused(dir, &["run", "--state-dir", "made", "--for", "1"], 2, &["lost records"]);
    fs::remove_file(dir.join("made/journal.head")).unwrap();
    for part in 1..6 {
        fs::write(&file, &good[..good.len() * part / 6]).unwrap();
        let (code, answer) = json(dir, &["journal", "verify", "--journal", "made"]);
        assert_eq!((code, &answer["ok"]), (0, &true.into()), "{answer}");
        let (code, answer) = json(dir, &["replay", "--journal", "made", "--verify"]);
        assert_eq!((code, &answer["identical"]), (0, &true.into()), "{answer}");
    }
    let (code, answer) = json(dir, &["run", "--state-dir", "made", "--for", "1"]);
    assert_eq!(code, 0, "{answer}");
    let (code, answer) = json(dir, &["replay", "--journal", "made", "--verify"]);
    assert_eq!((code, &answer["identical"]), (0, &true.into()), "{answer}");
    // The end without `--from`; with it from there on, in one file. Values as people write them.
    let shown = |more: &[&str]| {
        let (code, answer) = json(dir, &[&["journal", "show", "--journal", "made"], more].concat());
        assert_eq!(code, 0, "{answer}");
        answer["records"].as_array().unwrap().clone()
    };
    let (last, first) = (shown(&["--limit", "3"]), shown(&["--file", "1", "--from", "0"]));
    assert_eq!((last.len(), first.len()), (3, 100));
    assert!(last.iter().all(|one| one["file"].as_u64() > Some(1)), "{last:?}");
    let boot = &first[0]["record"]["Input"];
    assert!(boot["input"]["Control"]["Boot"]["epoch"] == 1 && first[0]["seq"] == 1, "{boot}");
    assert!(boot["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{boot}");
    refused(dir, &["journal", "verify", "--journal", "absent"], 2, &["absent"]);
    refused(dir, &["replay", "--journal", "absent", "--verify"], 2, &["absent"]);
}

#[test]
fn a_malformed_csv_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let good = "ts,bid,ask,bid_size,ask_size\n1700000000000000000,1.1,1.2,5,5\n";
    let cases = [
        ("1700000001000000000,1.1,1.2,5\n", "line 3"),
        ("1700000001000000000,x,1.2,5,5\n", "bid"),
        ("1700000001000000000,1.1,1.2,-5,5\n", "bid_size"),
        ("yesterday,1.1,1.2,5,5\n", "ts"),
        ("1600000000000000000,1.1,1.2,5,5\n", "line 3"),
        ("1700000001000000000,1e400,1.2,5,5\n", "bid"),
        ("1700000001000000000,99999999999999999999,1.2,5,5\n", "bid"),
        ("\u{0}\u{1}\u{2}\n", "line 3"),
    ];
    let args = ["import", "csv", "bad.csv", "--symbol", "AUDUSD", "--out", "out.qrec"];
    for (bad, word) in cases {
        fs::write(dir.join("bad.csv"), format!("{good}{bad}")).unwrap();
        refused(dir, &args, 2, &["bad.csv", "line 3", word]);
        assert!(!dir.join("out.qrec").exists(), "half a recording is none: {bad}");
    }
    fs::write(dir.join("bad.csv"), "").unwrap();
    refused(dir, &args, 2, &["bad.csv"]);
    fs::write(dir.join("bad.csv"), [0xff, 0xfe, 0x00]).unwrap();
    refused(dir, &args, 2, &["bad.csv"]);
    fs::write(dir.join("bad.csv"), good).unwrap();
    assert_eq!(json(dir, &args).0, 0);
}

#[test]
fn a_damaged_state_folder_is_refused_or_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    recording(dir);
    let run = ["run", "--state-dir", "made", "--for", "1"];
    for (file, text) in [("epoch", "many"), ("instance", "\u{1}")] {
        let kept = fs::read(dir.join("made").join(file)).unwrap();
        fs::write(dir.join("made").join(file), text).unwrap();
        refused(dir, &run, 2, &[file]);
        fs::write(dir.join("made").join(file), kept).unwrap();
    }
    // A kill state that cannot be trusted blocks everything.
    let mut distrusted = Process::start(dir, "distrusted", &run);
    let kept = fs::read(dir.join("made/kill.json")).unwrap();
    distrusted.kill9();
    fs::write(dir.join("made/kill.json"), "{\"trips\": 7").unwrap();
    let mut distrusted = Process::start(dir, "distrusted", &run);
    super::wait("the block", || {
        let (code, out, _) = qtos(dir, &["status", "--state-dir", "made", "--json"]);
        (code == 0 && out.contains("\"level\":\"block\"")).then_some(())
    });
    distrusted.kill9();
    fs::write(dir.join("made/kill.json"), kept).unwrap();
    // Somebody else runs on it.
    let mut first = Process::start(dir, "first", &["run", "--state-dir", "made", "--json"]);
    super::wait("the first gateway", || {
        (qtos(dir, &["status", "--state-dir", "made"]).0 == 0).then_some(())
    });
    refused(dir, &run, 3, &["in use"]);
    first.signal("TERM");
    assert_eq!(first.end(), 0);
}

#[test]
fn a_bad_order_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut gateway = Process::start(dir, "gateway", &["run", "--state-dir", "g", "--json"]);
    super::wait("the gateway", || {
        let (code, out, _) = qtos(dir, &["status", "--state-dir", "g", "--json"]);
        (code == 0 && out.contains("\"ready\":true")).then_some(())
    });
    let order = |args: &[&str], code: i32, words: &[&str]| {
        refused(dir, &[&["order"], args, &["--state-dir", "g"]].concat(), code, words);
    };
    order(&["buy", "XYZ", "5"], 2, &["XYZ"]);
    order(&["buy", "AAPL", "-5"], 2, &["qty"]);
    order(&["buy", "AAPL", "0"], 2, &["qty"]);
    order(&["buy", "AAPL", "100000"], 3, &["max_order_qty", "confirm"]);
    let sure = ["buy", "AAPL", "100000", "--confirm", "100000"];
    order(&sure, 3, &["max_order_qty is ", " on global"]);
    order(&["buy", "AAPL", "1", "--limit", "1000"], 3, &["price_collar"]);
    order(&["buy", "AAPL", "1", "--limit", "190.001"], 3, &["invalid_order"]);
    order(&["cancel", "q7-1-0-1"], 2, &["q7-1-0-1"]);
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0, "{}", gateway.stderr());
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}
