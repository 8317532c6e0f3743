//! The guardian with a whole desk around it: it raises a flatten by itself, the exits trade at the
//! sandbox exchange, the journal runs again to the same decisions, and a restart exits nothing twice.

use qtos_gateway::actors::enforce::Progress;
use qtos_gateway::actors::{Core, Notice};
use qtos_gateway::desk::{Desk, segments};
use qtos_gateway::disk::MemoryFolder;
use qtos_gateway::feed::Feed;
use qtos_gateway::journal::{Durability, Header, HeaderKind, Log, World};
use qtos_gateway::msg::{Act, Control, Input, KillOrder, Rule};
use qtos_gateway::replay::verify::verify;
use qtos_gateway::types::{KillLevel, Scope};
use qtos_gateway::wiring::{Registry, Start, Topology, closed_desk, walk};
use std::sync::Arc;

const DEMO: &str = include_str!("../config/sandbox.toml");
const RULE: &str = "
[guardian.rules.drawdown]
limit = \"5\"
warn = \"off\"
action = \"flatten\"
";

/// The demo whose account may fall by five dollars from its peak.
fn topology(registry: &Registry) -> Topology {
    let text = DEMO.replace("[guardian]", "[unused]");
    let text = match text.find("[unused]") {
        // The demo explains the guardian's keys; this test has its own.
        Some(at) => {
            let end = text[at..].find("\n# What can be traded").unwrap() + at;
            format!("{}{}", &text[..at], &text[end..])
        }
        None => text,
    };
    Topology::parse("demo", &format!("{text}{RULE}"), &registry.vocabulary()).unwrap()
}

/// Writes a journal file in `folder` from here on.
fn journal(desk: &mut Desk, topology: &Topology, folder: &MemoryFolder, number: u32) {
    let open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    let kind = HeaderKind::Journal {
        build: String::new(),
        config: topology.source().text().to_owned(),
        feed: Some((open.name, open.digest)),
        world: World::Closed,
        follows: number - 1,
        anew: false,
    };
    let file = segments::create(folder, number).unwrap();
    let header = Header::new(kind, topology.names.instruments().clone());
    let log = Log::create(file, &header, Durability::Process).unwrap();
    desk.go_live(log, None, false);
}

fn feed(desk: &mut Desk, feed: &mut dyn Feed, records: u64) {
    for _ in 0..records {
        let record = feed.next().unwrap().unwrap();
        let at = record.ts().max(desk.now());
        desk.advance(at);
        desk.market(at, &record, true);
    }
}

fn core(desk: &Desk) -> &Core {
    desk.lane.core.as_ref().unwrap()
}

/// Exits in the books, and how many of them are open.
fn exits(desk: &Desk) -> (usize, usize) {
    let exits = core(desk).oms.orders().iter().filter(|order| order.cl_ord_id.is_exit());
    let open = exits.clone().filter(|order| !order.state.is_done());
    (exits.count(), open.count())
}

#[test]
fn a_flatten_of_the_guardian_trades_replays_and_survives_a_restart() {
    let registry = Registry::standard();
    let topology = topology(&registry);
    let folder = MemoryFolder::new();
    let board = topology.kill_board();
    let mut desk = closed_desk(&topology, &registry, &board, None).unwrap();
    journal(&mut desk, &topology, &folder, 1);
    desk.guard(Arc::clone(&board));
    let mut open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    let first = open.feed.next().unwrap().unwrap();
    desk.boot(first.ts(), 77, 1);
    desk.market(first.ts(), &first, true);
    let account = Scope::Account(topology.names.find_account("paper").unwrap());
    let mut fed = 1;
    while core(&desk).risk.halts.level_of(account) < KillLevel::Flatten {
        feed(&mut desk, &mut open.feed, 1);
        fed += 1;
        assert!(fed < 200_000, "the market never moved against the agents by five dollars");
    }
    assert_eq!(board.level(account), KillLevel::Flatten, "on the board in the same call");
    let orders = core(&desk).oms.orders().len();
    feed(&mut desk, &mut open.feed, 5_000);
    let mut kills = Vec::new();
    while let Some(notice) = desk.next_notice() {
        if let Notice::Intervened(done) = notice
            && let Act::Kill { episode, .. } = done.act
        {
            assert_eq!((done.rule, done.scope), (Rule::Drawdown, account));
            kills.push(episode);
        }
    }
    assert_eq!(kills.len(), 1, "one trip");
    let held = |desk: &Desk| {
        let positions = core(desk).oms.books.positions();
        positions.filter(|(_, position)| !position.qty.is_zero()).count()
    };
    let (sent, still_open) = exits(&desk);
    assert!(sent > 0 && still_open == 0, "{sent} exits, {still_open} open");
    assert_eq!(held(&desk), 0, "flat, agent by agent");
    assert_eq!(core(&desk).enforcement.progress(account), Progress::Flat);
    let after = &core(&desk).oms.orders()[orders..];
    assert!(after.iter().all(|order| order.cl_ord_id.is_exit()), "nothing else was sent");
    let digest = desk.digest();
    desk.log.checkpoint(digest);
    desk.log.close().unwrap();

    // INV-7: the journal alone makes the same kill and the same exits.
    let verified = verify(&folder, &registry, &mut |_| {}).unwrap().unwrap();
    assert!(verified.identical(), "{verified:?}");

    // The next boot takes the kill from the latch file and exits nothing again.
    let walked = walk(&folder, &registry, Start::Newest, &mut |_| {}).unwrap().unwrap();
    let reference = (open.name.clone(), open.digest);
    let mut resumed = walked.resume(topology.clone(), World::Closed, Some(reference)).unwrap();
    journal(&mut resumed.desk, &topology, &folder, 2);
    let at = resumed.desk.now();
    resumed.desk.boot(at, 77, 2);
    let kill = KillOrder {
        scope: account,
        level: KillLevel::Flatten,
        reason: "latch".into(),
        episode: kills[0],
        rule: Some(Rule::Drawdown),
    };
    resumed.desk.deliver(at, &Input::Control(Control::Kill(kill)));
    feed(&mut resumed.desk, &mut resumed.feed.as_mut().unwrap().feed, 2_000);
    assert_eq!(exits(&resumed.desk), (sent, 0));
    assert_eq!(held(&resumed.desk), 0);
    let digest = resumed.desk.digest();
    resumed.desk.log.checkpoint(digest);
    resumed.desk.log.close().unwrap();
    let verified = verify(&folder, &registry, &mut |_| {}).unwrap().unwrap();
    assert!(verified.identical(), "{verified:?}");
}

#[test]
fn an_operators_flatten_closes_and_an_isolated_sandbox_comes_back() {
    let registry = Registry::standard();
    let topology = Topology::parse("demo", DEMO, &registry.vocabulary()).unwrap();
    let board = topology.kill_board();
    let mut desk = closed_desk(&topology, &registry, &board, None).unwrap();
    let mut open = topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    let first = open.feed.next().unwrap().unwrap();
    desk.boot(first.ts(), 7, 1);
    feed(&mut desk, &mut open.feed, 10_000);
    let at = desk.now();
    let order = |level, episode| KillOrder {
        scope: Scope::Global,
        level,
        reason: "drill".into(),
        episode,
        rule: None,
    };
    desk.deliver(at, &Input::Control(Control::Kill(order(KillLevel::Isolate, 1))));
    feed(&mut desk, &mut open.feed, 2_000);
    let up = |desk: &Desk| core(desk).oms.links().iter().all(|link| link.up);
    assert!(!up(&desk), "hung up once the cancels were confirmed");
    assert_eq!(core(&desk).oms.open().count(), 0);
    let at = desk.now();
    desk.deliver(at, &Input::Control(Control::Arm(order(KillLevel::Normal, 1))));
    feed(&mut desk, &mut open.feed, 100);
    assert!(up(&desk), "dialled again with the arm");
    let sent = core(&desk).oms.orders().len();
    feed(&mut desk, &mut open.feed, 10_000);
    assert!(core(&desk).oms.orders().len() > sent, "and trades on");

    let at = desk.now();
    let flatten = Control::Flatten { scope: Scope::Global, reason: "weekend".into() };
    desk.deliver(at, &Input::Control(flatten));
    for exit in core(&desk).enforcement.tried() {
        assert_eq!(exit.refused, None, "{exit:?}");
        let (_, order) = core(&desk).oms.find(exit.order).unwrap();
        assert_eq!(order.route.agent, exit.order.agent);
    }
    assert!(!core(&desk).enforcement.tried().is_empty());
}
