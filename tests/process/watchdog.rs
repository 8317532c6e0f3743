//! `qtos watchdog` beside a gateway that trades: what it does when the gateway stops, dies, ends, or is
//! not there yet, and what happens when it goes itself.

use crate::rig::{Process, Rig, json, qtos, wait};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Working orders that no market reaches while the test runs.
const RESTING: usize = 3;
/// What is promised: from the last sign of life to nothing open at the venue.
const PROMISED: Duration = Duration::from_secs(5);

fn watchdog(rig: &Rig) -> Process {
    let args = ["watchdog", "--config", "c.toml", "--state-dir", "g", "--json"];
    Process::start(rig.dir(), "watchdog", &args)
}

fn says(dog: &Process, word: &str) {
    wait(word, || dog.stderr().contains(word).then_some(()));
}

fn acts(dog: &Process) -> Vec<Value> {
    dog.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Orders of the operator, 3% below the market.
fn rest(rig: &Rig) {
    let price = wait("a quote of the maker", || {
        let (_, orders) = rig.ask(&["orders", "--open"]);
        let orders = orders["orders"].as_array()?;
        let bid = orders.iter().find(|o| o["symbol"] == "BAC" && o["side"] == "buy")?;
        bid["price"].as_str()?.parse::<f64>().ok()
    });
    let price = format!("{:.2}", price * 0.97);
    for _ in 0..RESTING {
        let (code, order) = rig.ask(&["order", "buy", "BAC", "1", "--limit", &price]);
        assert_eq!(code, 0, "{order}");
    }
    wait("the orders at the venue", || (rig.open_orders() >= RESTING).then_some(()));
}

fn requests(rig: &Rig) -> usize {
    rig.requests("IBM") + rig.requests("BAC")
}

/// Stays killed, sends nothing, and is armed by an operator as after any kill.
fn killed_until_armed(rig: &mut Rig) {
    let before = requests(rig);
    wait("a gateway that knows of its kill", || {
        (rig.status()?["kill"]["level"] == "cancel").then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(requests(rig), before, "it traded");
    std::fs::remove_file(rig.dir().join("g/KILL")).unwrap();
    let step = wait("a reconciled gateway", || {
        let (code, step) = rig.ask(&["arm", "--scope", "global", "--reason", "drill is over"]);
        (code == 0).then_some(step)
    });
    let (code, done) = rig.ask(&["arm", "--confirm", step["challenge"].as_str().unwrap()]);
    assert_eq!(code, 0, "{done}");
    rig.ready();
    rig.more_orders(1);
}

/// Runs into `fault`, waits for the venue to be empty; how long that took.
fn cancelled_after(rig: &mut Rig, dog: &Process, fault: impl FnOnce(&mut Rig)) -> Duration {
    let acted = acts(dog).len();
    rest(rig);
    let begin = Instant::now();
    fault(rig);
    wait("the end of all open orders at the venue", || (rig.open_orders() == 0).then_some(()));
    let took = begin.elapsed();
    wait("the watchdog's word", || (acts(dog).len() > acted).then_some(()));
    let act = acts(dog).pop().unwrap();
    eprintln!("nothing open at the venue {took:?} after the fault; {act}");
    assert!(took <= PROMISED, "{took:?}");
    assert_eq!(act["confirmed"], true, "{act}");
    let open = act["brokers"][0]["open_before"].as_u64().unwrap();
    assert!(open >= RESTING as u64, "{act}");
    took
}

#[test]
fn a_gateway_that_hangs_is_cancelled_for_and_stays_killed() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    let mut dog = watchdog(&rig);
    says(&dog, "armed: boot");
    for round in 1..=2 {
        cancelled_after(&mut rig, &dog, |rig| rig.gateway().signal("STOP"));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(acts(&dog).len(), round, "once in an episode");
        rig.gateway().signal("CONT");
        killed_until_armed(&mut rig);
    }
    rig.agree(true);
    rig.drain();
    says(&dog, "ended with no order open");
    dog.signal("TERM");
    assert_eq!(dog.end(), 0, "{}", dog.stderr());
    assert_eq!(acts(&dog).len(), 2, "{}", dog.stdout());
    let (code, shown) = json(rig.dir(), &["audit", "show", "--state-dir", "g"]);
    let lines = shown["lines"].as_array().unwrap();
    let noted = lines.iter().filter(|line| line["who"] == "watchdog").count();
    assert_eq!((code, noted), (0, 2), "{shown}");
    assert_eq!(json(rig.dir(), &["audit", "verify", "--state-dir", "g"]).0, 0);
    rig.verify();
}

#[test]
fn a_gateway_that_dies_is_cancelled_for_and_comes_back_killed() {
    let mut rig = Rig::new("spread.toml");
    // Before there is a state folder.
    let mut dog = watchdog(&rig);
    says(&dog, "waiting");
    std::thread::sleep(Duration::from_secs(4));
    assert!(acts(&dog).is_empty() && !rig.dir().join("g/KILL").exists(), "{}", dog.stderr());
    rig.up();
    says(&dog, "armed: boot 1");
    cancelled_after(&mut rig, &dog, Rig::kill9_gateway);
    rig.start();
    says(&dog, "armed: boot 2");
    killed_until_armed(&mut rig);
    rig.agree(true);
    rig.drain();
    dog.signal("TERM");
    assert_eq!((dog.end(), acts(&dog).len()), (0, 1), "{}", dog.stderr());
    rig.verify();
}

#[test]
fn a_gateway_that_ends_is_left_alone_and_one_that_is_restarted_too() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    let mut dog = watchdog(&rig);
    says(&dog, "armed: boot 1");
    rest(&rig);
    rig.drain();
    rig.up();
    says(&dog, "armed: boot 2");
    rig.more_orders(1);
    rig.drain();
    says(&dog, "boot 2 ended with no order open");
    std::thread::sleep(Duration::from_secs(4));
    dog.signal("TERM");
    assert_eq!((dog.end(), acts(&dog).len()), (0, 0), "{}", dog.stderr());
    assert!(!rig.dir().join("g/KILL").exists());
    rig.verify();
}

/// The gateway trades on, and says that nobody watches it any more.
#[test]
fn a_watchdog_that_dies_is_missed() {
    let mut rig = Rig::new("venue-sandbox.toml");
    rig.up();
    let age = |rig: &Rig| {
        let control = std::fs::read_to_string(rig.dir().join("g/control.json")).unwrap();
        let control: Value = serde_json::from_str(&control).unwrap();
        let url = format!("{}/metrics", control["url"].as_str().unwrap());
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("qtos_watchdog_age_seconds "));
        line.map(|age| age.parse::<f64>().unwrap())
    };
    assert_eq!(age(&rig), None);
    let mut dog = watchdog(&rig);
    says(&dog, "armed: boot");
    assert!(age(&rig).is_some_and(|age| age < 3.0));
    dog.kill9();
    wait("an operator to be told", || {
        rig.gateway().stderr().contains("the watchdog is gone").then_some(())
    });
    assert!(age(&rig).is_some_and(|age| age >= 5.0));
    rig.more_orders(1);
    let _dog = watchdog(&rig);
    wait("the next one", || age(&rig).filter(|age| *age < 3.0));
    rig.agree(true);
    rig.drain();
    rig.verify();
}

#[test]
fn without_a_venue_to_cancel_at_there_is_nothing_to_watch() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = qtos(dir.path(), &["watchdog"]);
    assert!(code == 2 && err.contains("nothing to cancel"), "{code} {err}");
    std::fs::write(
        dir.path().join("c.toml"),
        crate::rig::config("venue-sandbox.toml", "127.0.0.1:1"),
    )
    .unwrap();
    let args = ["watchdog", "--config", "c.toml", "--every", "1s", "--after", "2s"];
    assert_eq!(qtos(dir.path(), &args).0, 2);
}
