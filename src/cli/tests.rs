//! The command line: what parses, what does not, and the exit codes against a running API.

use super::args::{Cli, Command, EngineCommand, Global};
use super::client::Client;
use super::{CliError, Exit, check, import, info, journal, kill, run};
use crate::entry::fake::Fake;
use crate::entry::{ControlServer, Gateway};
use crate::feed::Speed;
use crate::types::KillLevel;
use crate::view::{Orders, Status};
use crate::wiring::Registry;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

fn parses(line: &str) -> bool {
    Cli::try_parse_from(line.split_whitespace()).is_ok()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_book_parses() {
    let good = [
        "qtos demo",
        "qtos demo --seconds 20 --json",
        "qtos run",
        "qtos run day.qrec --speed 600 --for 30 --state-dir s",
        "qtos --json run --speed max --config c.toml",
        "qtos replay day.qrec --config config/replay.toml --json",
        "qtos replay --journal s --verify",
        "qtos replay --journal s --config other.toml --diff",
        "qtos import lean d --symbol IBM BAC --date 2013-10-08 --out f.qrec",
        "qtos import lean d --symbol IBM --symbol BAC --date 20131008 --out f.qrec",
        "qtos import csv t.csv --symbol AUDUSD --out t.qrec",
        "qtos import capture c.txt --out c.qrec",
        "qtos info f.qrec",
        "qtos venue sandbox --listen 127.0.0.1:7001 --state-dir v --data f.qrec --seed 3 --speed 600",
        "qtos chaos proxy --listen 127.0.0.1:0 --to 127.0.0.1:7001 --seed 3 --delay 20 --drop 0.1 --json",
        "qtos chaos proxy --listen 127.0.0.1:0 --to 127.0.0.1:1 --half-open @3 --partition 1s..2s --partition 1s/9s",
        "qtos chaos kill9 --count 500 --seed 2 --resume k.json --worlds 3 --json",
        "qtos journal verify --journal s",
        "qtos journal show --journal s --from 10 --limit 5",
        "qtos export --journal s --out f.qrec",
        "qtos backup s --out s.bak",
        "qtos restore s.bak --state-dir t",
        "qtos check --config c.toml",
        "qtos bench --json",
        "qtos status --control http://127.0.0.1:1 --token-file t --json",
        "qtos order buy IBM 100 --limit 180.5 --tif gtc --account paper",
        "qtos order sell IBM --cash 1000 --intent 7",
        "qtos order sell IBM 5 --stop 170 --limit 169",
        "qtos order sell IBM 5 --trail-bps 50 --tif gtd --until 2030-01-01T00:00:00Z",
        "qtos order buy IBM -5",
        "qtos order cancel q7-1-0-1",
        "qtos order replace q7-1-0-1 --qty 50 --limit 181",
        "qtos orders --open",
        "qtos fills --limit 10",
        "qtos positions",
        "qtos flatten --scope symbol:IBM --reason weekend",
        "qtos heartbeat",
        "qtos agent list",
        "qtos agent pause maker",
        "qtos agent resume maker",
        "qtos limits",
        "qtos kill --scope global --level cancel --reason drill",
        "qtos kill --direct --reason drill --config c.toml",
        "qtos drill kill --scope global",
        "qtos audit verify --json",
        "qtos arm --scope global --reason clear",
        "qtos arm --confirm c0ffee",
    ];
    for line in good {
        assert!(parses(line), "{line}");
    }
    let bad = [
        "qtos",
        "qtos fly",
        "qtos chaos proxy --listen 127.0.0.1:0",
        "qtos chaos proxy --listen 127.0.0.1:0 --to 127.0.0.1:1 --drop 2",
        "qtos chaos proxy --listen 127.0.0.1:0 --to 127.0.0.1:1 --partition 2s",
        "qtos chaos kill9 --worlds 0",
        "qtos demo --seconds soon",
        "qtos run --speed 0",
        "qtos replay",
        "qtos replay --journal s",
        "qtos replay day.qrec --journal s --verify",
        "qtos replay --journal s --verify --diff",
        "qtos replay day.qrec --verify",
        "qtos import lean d --date 2013-10-08 --out f",
        "qtos import lean d --symbol A --date 2013-13-08 --out f",
        "qtos backup s",
        "qtos restore",
        "qtos venue sandbox",
        "qtos order buy IBM",
        "qtos order buy IBM 5 --cash 5",
        "qtos order buy IBM 1e2",
        "qtos order buy IBM 5 --tif never",
        "qtos order buy IBM 5 --trail 1 --limit 2",
        "qtos order cancel x",
        "qtos order replace q7-1-0-1",
        "qtos kill --scope global --level cancel",
        "qtos kill --scope global --level panic --reason r",
        "qtos arm --scope global",
        "qtos arm --confirm c --scope global --reason r",
    ];
    for line in bad {
        assert!(!parses(line), "{line}");
    }
    let line = "qtos venue sandbox --listen [::1]:0 --speed max --state-dir v".split_whitespace();
    let cli = Cli::try_parse_from(line).unwrap();
    assert_eq!(cli.global.state_dir(), Path::new("v"));
    let Command::Engine(EngineCommand::Venue(super::args::VenueCommand::Sandbox(venue))) =
        cli.command
    else {
        panic!("not a venue")
    };
    assert_eq!((venue.speed, venue.seed), (Speed::Max, None));
}

fn exit(line: &str) -> Exit {
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    run(words, |command, global| match command {
        EngineCommand::Check(args) => check::run(&args, global, &Registry::standard()),
        EngineCommand::Import(args) => import::run(&args, global),
        EngineCommand::Info(args) => info::run(&args, global),
        EngineCommand::Journal(args) => journal::run(&args, global),
        EngineCommand::Kill(args) => kill::run(&args, global, &Registry::standard()),
        _ => Err(CliError::core("the core failed")),
    })
}

#[test]
fn exit_codes_without_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "mode = 1\n").unwrap();
    let state = folder.path().display();
    assert_eq!(exit("qtos --help"), Exit::Done);
    assert_eq!(exit("qtos --version"), Exit::Done);
    assert_eq!(exit("qtos fly --json"), Exit::Usage);
    assert_eq!(exit("qtos check"), Exit::Done);
    assert_eq!(exit(&format!("qtos check --config {}", bad.display())), Exit::Usage);
    assert_eq!(exit("qtos check --config /no/such/file.toml"), Exit::Usage);
    let good = include_str!("../../config/sandbox.toml");
    for (from, to) in [
        ("value = \"5%\"", "value = \"5 percent\""),
        ("fast = 20", "fast = 90"),
        ("fill_model = \"displayed\"", "fill_model = \"kind\""),
        ("interval = \"10ms\"", "interval = \"often\""),
    ] {
        std::fs::write(&bad, good.replace(from, to)).unwrap();
        assert_eq!(exit(&format!("qtos check --config {}", bad.display())), Exit::Usage, "{to}");
    }
    assert_eq!(exit("qtos bench"), Exit::Core);
    assert_eq!(exit(&format!("qtos status --state-dir {state}")), Exit::Usage);
    let stale = r#"{"url":"http://127.0.0.1:9","token_file":"/dev/null","pid":1}"#;
    std::fs::write(folder.path().join("control.json"), stale).unwrap();
    assert_eq!(exit(&format!("qtos status --json --state-dir {state}")), Exit::Usage);
}

#[test]
fn files_are_imported_described_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let rows = "ts,bid,ask,bid_size,ask_size\n1000,1.0,1.1,5,5\n2000,1.0,1.2,5,5\n";
    std::fs::write(at("good.csv"), rows).unwrap();
    std::fs::write(at("bad.csv"), rows.replace("1.2", "x")).unwrap();
    let import = |name: &str| {
        exit(&format!("qtos import csv {} --symbol AUDUSD --out {}", at(name), at("t.qrec")))
    };
    assert_eq!(import("none.csv"), Exit::Usage);
    assert_eq!(import("bad.csv"), Exit::Usage);
    assert!(!folder.path().join("t.qrec").exists());
    assert_eq!(import("good.csv"), Exit::Done);
    assert_eq!(exit(&format!("qtos info {} --json", at("t.qrec"))), Exit::Done);

    let verify = || exit(&format!("qtos journal verify --journal {}", at("state")));
    assert_eq!(verify(), Exit::Usage);
    std::fs::create_dir_all(at("state/journal")).unwrap();
    assert_eq!(verify(), Exit::Usage);
    let whole = std::fs::read(at("t.qrec")).unwrap();
    std::fs::write(at("state/journal/1.qlog"), &whole).unwrap();
    assert_eq!(verify(), Exit::Done);
    assert_eq!(exit(&format!("qtos journal show --journal {}", at("state"))), Exit::Done);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(at("state/journal/1.qlog"), &damaged).unwrap();
    assert_eq!(verify(), Exit::False);
}

#[test]
fn a_running_gateway_obeys() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::new()));
    let gateway: Arc<dyn Gateway> = fake.clone();
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = ControlServer::start(listen, folder.path(), None, gateway).unwrap();
    let state = folder.path().display();
    let exit = |line: &str| exit(&format!("qtos {line} --state-dir {state}"));
    let global = Global { state_dir: Some(folder.path().to_owned()), ..Global::default() };
    let client = Client::find(&Default::default(), &global).unwrap();

    for line in
        ["status", "status --json", "orders", "fills", "limits", "agent list", "agent pause maker"]
    {
        assert_eq!(exit(line), Exit::Done, "{line}");
    }
    assert_eq!(exit("limits show"), Exit::Done);
    assert_eq!(exit("limits set max_order_qty global 500 --reason less"), Exit::Done);
    assert_eq!(exit("limits set max_order_qty nowhere 500 --reason less"), Exit::Usage);
    assert_eq!(exit("limits set max_order_qty global 5000 --reason more"), Exit::Done);
    assert_eq!(exit("limits confirm wrong"), Exit::Refused);
    assert_eq!(exit("limits confirm 10053"), Exit::Done);
    assert_eq!(exit("check --controls"), Exit::Done);
    assert_eq!(exit("order buy AAPL 900 --confirm 90"), Exit::Usage, "not the same size twice");
    assert_eq!(exit("order buy AAPL 900 --confirm 900"), Exit::Done);
    assert_eq!(exit("positions"), Exit::Refused);
    assert_eq!(exit("agent pause nobody"), Exit::Usage);
    assert_eq!(exit("agent pause a/../b"), Exit::Usage);
    assert_eq!(exit("order buy AAPL 10 --limit 1.50"), Exit::Done);
    assert_eq!(exit("order buy AAPL -5"), Exit::Usage);
    assert_eq!(exit("order buy XX 5"), Exit::Usage);
    assert_eq!(exit("order buy AAPL --cash 5"), Exit::Refused);
    let orders: Orders = client.get("/v1/orders?open=true").unwrap();
    let id = orders.orders[0].id.clone();
    assert_eq!(exit(&format!("order replace {id} --limit 2")), Exit::Done);
    assert_eq!(exit(&format!("order cancel {id}")), Exit::Done);
    assert_eq!(exit("order cancel q7-1-0-9"), Exit::Usage);
    assert_eq!(exit("flatten --reason weekend"), Exit::Done);
    assert_eq!(exit("heartbeat"), Exit::Done);

    assert_eq!(exit("arm --scope global --reason clear"), Exit::Refused);
    assert_eq!(exit("kill --scope agent:nobody --level block --reason r"), Exit::Usage);
    assert_eq!(exit("kill --scope global --level cancel --reason drill"), Exit::Done);
    let status: Status = client.get("/v1/status").unwrap();
    assert_eq!(status.kill.level, KillLevel::Cancel);
    assert_eq!(exit("order buy AAPL 10"), Exit::Refused);
    assert_eq!(exit("arm --scope global --reason clear"), Exit::Done);
    assert_eq!(exit("arm --confirm wrong"), Exit::Refused);
    assert_eq!(exit("arm --confirm c0ffee"), Exit::Done);
    assert_eq!(exit("order buy AAPL 10"), Exit::Done);

    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "0".repeat(64)).unwrap();
    assert_eq!(exit(&format!("status --token-file {}", wrong.display())), Exit::Usage);
    assert_eq!(exit(&format!("status --control {}", server.url())), Exit::Done);
    server.stop();
    assert_eq!(exit("status"), Exit::Usage);
}
