//! An outsider's crate: it depends on qtos-gateway, writes an agent in one file, registers it through
//! the public API and trades. It is built by cargo as a crate of its own, so nothing private helps.

use std::path::{Path, PathBuf};
use std::process::Command;

const AGENT: &str = r#"
//! Buys and sells one share in turn, every second.

use qtos_gateway::actors::agent::{Agent, AgentCx, Ticket, TimerId};
use qtos_gateway::actors::market::Touch;
use qtos_gateway::agents::AgentSpec;
use qtos_gateway::types::{InstrumentId, Nanos, Qty, Side};

struct Metronome {
    instrument: InstrumentId,
    started: bool,
    buy: bool,
}

pub fn build(spec: &AgentSpec<'_>) -> Result<Box<dyn Agent>, String> {
    let instrument = *spec.symbols.first().ok_or("no symbol")?;
    Ok(Box::new(Metronome { instrument, started: false, buy: true }))
}

impl Agent for Metronome {
    fn on_quote(&mut self, cx: &mut AgentCx<'_>, _: InstrumentId, _: &Touch) {
        if !std::mem::replace(&mut self.started, true) {
            cx.set_timer(cx.now(), 0);
        }
    }

    fn on_timer(&mut self, cx: &mut AgentCx<'_>, _: TimerId) {
        let side = if self.buy { Side::Buy } else { Side::Sell };
        self.buy = !self.buy;
        cx.submit(Ticket::market(self.instrument, side, Qty::whole(1)));
        cx.set_timer(cx.now() + Nanos::from_secs(1), 0);
    }
}
"#;

const MAIN: &str = r#"
mod metronome;

use qtos_gateway::feed::{Feed, FeedError};
use qtos_gateway::msg::MarketData;
use qtos_gateway::replay::{run, summary};
use qtos_gateway::types::InstrumentTable;
use qtos_gateway::wiring::{Registry, Topology};
use std::process::ExitCode;

/// The first so many records of an endless market.
struct First(Box<dyn Feed>, u64);

impl Feed for First {
    fn instruments(&self) -> &InstrumentTable {
        self.0.instruments()
    }
    fn next(&mut self) -> Result<Option<MarketData>, FeedError> {
        if self.1 == 0 {
            return Ok(None);
        }
        self.1 -= 1;
        self.0.next()
    }
}

fn main() -> ExitCode {
    let registry = Registry::standard().agent("metronome", metronome::build);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [word, config] = words.as_slice() else { return qtos_gateway::run(&registry) };
    if word != "by-hand" {
        return qtos_gateway::run(&registry);
    }
    match by_hand(&registry, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line does for a replay, in the library's own words.
fn by_hand(registry: &Registry, file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let topology = Topology::load(file.as_ref(), &registry.vocabulary())?;
    let market = topology.open_feed(&topology.feeds[0])?.ok_or("the feed is remote")?;
    let began = std::time::Instant::now();
    let outcome = run(&topology, registry, First(market.feed, 6_000), &mut |_| {})?;
    let summary = summary(&outcome.desk, &topology.names, began.elapsed());
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}
"#;

const CONFIG: &str = r#"
[[agent]]
name = "beat"
kind = "metronome"
account = "paper"
symbols = ["SPY"]
"#;

/// Writes the crate below `home`; its dependencies are those of the gateway, at the same versions.
fn write_crate(home: &Path, gateway: &Path) {
    let manifest = format!(
        "[package]\nname = \"outsider\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nqtos-gateway = {{ path = {:?} }}\nserde_json = \"1\"\n\n[workspace]\n",
        gateway.display().to_string()
    );
    let demo = std::fs::read_to_string(gateway.join("config/sandbox.toml")).unwrap();
    std::fs::create_dir(home.join("src")).unwrap();
    for (name, text) in [
        ("Cargo.toml", manifest.as_str()),
        ("src/main.rs", MAIN),
        ("src/metronome.rs", AGENT),
        ("beat.toml", &format!("{demo}{CONFIG}")),
    ] {
        std::fs::write(home.join(name), text).unwrap();
    }
    std::fs::copy(gateway.join("Cargo.lock"), home.join("Cargo.lock")).unwrap();
}

/// Cargo's target folder of this very run, so that dependencies are not built twice.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let found = own.ancestors().find(|at| at.join("CACHEDIR.TAG").exists());
    found.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Path::to_path_buf)
}

/// Builds the crate where it is not built and runs it with these words; returns its JSON.
fn run(home: &Path, words: &[&str]) -> serde_json::Value {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(cargo)
        .args(["run", "--offline", "--quiet", "--profile", profile, "--"])
        .args(words)
        .current_dir(home)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the outsider's crate failed:\n{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Through the library, and through the command line with the outsider's registry.
#[test]
fn an_agent_of_another_crate_trades() {
    let home = tempfile::tempdir().unwrap();
    write_crate(home.path(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let summary = run(home.path(), &["by-hand", "beat.toml"]);
    let beat = &summary["agents"]["beat"];
    assert!(beat["orders"].as_u64().unwrap() > 10, "{summary}");
    assert!(beat["fills"].as_u64().unwrap() > 10, "{summary}");
    assert_eq!(summary["events"], 6_000);
    assert_eq!(run(home.path(), &["by-hand", "beat.toml"])["digest"], summary["digest"]);

    let demo = run(home.path(), &["demo", "--seconds", "3", "--json", "--config", "beat.toml"]);
    assert!(demo["agents"]["beat"]["orders"].as_u64().unwrap() > 0, "{demo}");
    assert!(demo["agents"]["beat"]["fills"].as_u64().unwrap() > 0, "{demo}");
}
