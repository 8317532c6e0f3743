//! What the journal promises, swept: every cut, every flipped bit, every call to the disk that fails.

use qtos_gateway::desk::backup::{BackupError, backup, restore};
use qtos_gateway::desk::mark::Mark;
use qtos_gateway::desk::segments::{self, segment_name};
use qtos_gateway::desk::{Cleared, Desk, Link, MarketEffect, NotSent, Rerun, snapshot};
use qtos_gateway::disk::{Disk, Fault, Folder, MemoryFolder};
use qtos_gateway::journal::{
    Derived, Durability, Entry, EntryReader, Frame, FrameError, FrameReader, Header, HeaderKind,
    Log, World, begin,
};
use qtos_gateway::kill::{Effect, KillBoard, Latch};
use qtos_gateway::live::{Identity, recover, snapshot_after};
use qtos_gateway::msg::{
    Act, CancelOrder, Contingent, Control, Input, KillOrder, LimitsChange, MarketData, NewOrder,
    OrderRequest, OrderTerms, Quote, Report, Rule,
};
use qtos_gateway::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExchangeId, InstrumentId, KillLevel, LimitRow,
    LimitValue, OrdType, OrderQty, Price, Qty, Scope, Side, TimeInForce, Timestamp,
};
use qtos_gateway::wiring::{
    ReferenceFeed, Registry, Start, Topology, can_begin, remembered_desk, walk,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Optimised builds sweep everything, others a part: `cargo test --release --test journal`.
const FULL: bool = !cfg!(debug_assertions);

const CONFIG: &str = include_str!("../config/bench.toml");

fn topology() -> (Registry, Topology) {
    topology_of(CONFIG)
}

fn topology_of(config: &str) -> (Registry, Topology) {
    let registry = Registry::standard();
    let topology = Topology::parse("bench.toml", config, &registry.vocabulary()).unwrap();
    (registry, topology)
}

fn header(topology: &Topology, follows: u32, anew: bool) -> Header {
    let kind = HeaderKind::Journal {
        build: "t".into(),
        config: topology.source().text().to_owned(),
        feed: None,
        world: World::Open,
        follows,
        anew,
    };
    Header::new(kind, topology.names.instruments().clone())
}

fn tick(number: u64) -> MarketData {
    let bid = 65_000 + (number * 7 % 5) as i64;
    MarketData::Quote(Quote {
        ts: Timestamp::from_nanos(1_735_689_600_000_000_000 + number * 1_000_000),
        instrument: InstrumentId(0),
        exchange: ExchangeId(0),
        suspicious: false,
        bid: Price::from_raw(bid * 10_000),
        bid_size: Qty::whole(1_000_000),
        ask: Price::from_raw((bid + 1) * 10_000),
        ask_size: Qty::whole(1_000_000),
    })
}

/// A market order, or one that rests.
fn order(identity: Identity, seq: u32, rests: bool) -> NewOrder {
    let price = Price::from_raw(50_000 * 10_000);
    NewOrder {
        cl_ord_id: ClientOrderId {
            instance: identity.instance,
            epoch: identity.epoch,
            agent: AgentId::OPERATOR,
            seq,
        },
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: u64::from(identity.epoch) << 32 | u64::from(seq),
        terms: OrderTerms {
            side: if seq.is_multiple_of(2) || rests { Side::Buy } else { Side::Sell },
            qty: OrderQty::Units(Qty::whole(1_000)),
            ord_type: if rests { OrdType::Limit { price } } else { OrdType::Market },
            tif: TimeInForce::Day,
            expire_at: None,
            extended_hours: false,
        },
        contingent: Contingent::None,
        parent: None,
    }
}

/// What was on the wire: new orders, and how many cancels.
#[derive(Default)]
struct Seen {
    orders: Vec<ClientOrderId>,
    cancels: u32,
}

type Wire = Arc<Mutex<Seen>>;

/// A link that notes what leaves.
struct Spy(Box<dyn Link>, Wire);

impl Link for Spy {
    fn start(&mut self, now: Timestamp) {
        self.0.start(now);
    }
    fn close(&mut self, now: Timestamp) {
        self.0.close(now);
    }
    fn on_market(&mut self, now: Timestamp, record: &MarketData) -> MarketEffect {
        self.0.on_market(now, record)
    }
    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        let (request, effect) = (*cleared.approved().request(), cleared.approved().effect());
        let sent = self.0.send(now, cleared);
        let mut seen = self.1.lock().unwrap();
        match request {
            OrderRequest::New(new) if sent.is_ok() => seen.orders.push(new.cl_ord_id),
            _ if sent.is_ok() && effect == Effect::Cancels => seen.cancels += 1,
            _ => {}
        }
        sent
    }
    fn request_snapshot(&mut self, now: Timestamp) {
        self.0.request_snapshot(now);
    }
    fn poll(&mut self) -> Option<Report> {
        self.0.poll()
    }
    fn next_event(&self) -> Timestamp {
        self.0.next_event()
    }
    fn advance(&mut self, now: Timestamp) {
        self.0.advance(now);
    }
}

/// One boot over `folder`, with `ticks` records, an order every fifth and a cancel now and then. Says
/// what stopped it, if anything did.
fn run(
    folder: &MemoryFolder,
    durability: Durability,
    wire: &Wire,
    ticks: u64,
) -> Result<Desk, String> {
    boot(folder, CONFIG, durability, wire, &mut |desk, identity, board| {
        session(desk, identity, board, wire, ticks);
    })
}

/// As [`run`], in a file more every `every` ticks, made and synced as the live driver's syncing thread
/// does: the old file is on stable storage some ticks later, and before the one after the next is made.
fn run_on(
    folder: &MemoryFolder,
    durability: Durability,
    wire: &Wire,
    (ticks, every): (u64, u64),
) -> Result<Desk, String> {
    let (_, topology) = topology();
    let mut old: Option<Box<dyn Disk>> = None;
    let mut failed = false;
    let done = boot(folder, CONFIG, durability, wire, &mut |desk, identity, board| {
        session_of(desk, identity, board, wire, ticks, &mut |desk, number| {
            if number % every == 5
                && let Some(mut old) = old.take()
            {
                failed |= old.sync().is_err();
            }
            if number % every == every - 1 && !failed && !desk.log.has_failed() {
                let after = segments::next_number(folder).unwrap();
                let made = segments::create(folder, after).and_then(|mut next| {
                    begin(next.as_mut(), &header(&topology, after - 1, true).following(after - 1))?;
                    Ok(next)
                });
                match made {
                    Ok(next) => old = desk.log.go_on(next).ok().flatten(),
                    Err(_) => failed |= folder.remove(&segment_name(after)).is_err(),
                }
            }
            // What follows a failed sync is not written: here it ends the session.
            !failed
        });
    });
    if failed { Err("a sync failed".into()) } else { done }
}

/// One boot over `folder`, by the boot path: identity, latch, recovery, journal, session, snapshot.
fn boot(
    folder: &MemoryFolder,
    config: &str,
    durability: Durability,
    wire: &Wire,
    session: &mut dyn FnMut(&mut Desk, Identity, &KillBoard),
) -> Result<Desk, String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let disk: Arc<dyn Folder> = Arc::new(folder.clone());
    let (registry, topology) = topology_of(config);
    let identity = Identity::count(&disk, 7).map_err(|e| say(&e))?;
    let latch = Latch::open(&disk, false).map_err(|e| say(&e))?;
    assert!(latch.trips().iter().all(|trip| trip.level == KillLevel::Block));
    let recovered = recover(disk.as_ref(), &topology, &registry, World::Open, None, &mut |_| {})
        .map_err(|e| say(&e))?;
    let header = header(&topology, recovered.last, recovered.anew);
    let (mut desk, board) = (recovered.desk, recovered.board);
    let number = segments::next_number(disk.as_ref()).map_err(|e| say(&e))?;
    let file = segments::create(disk.as_ref(), number).map_err(|e| say(&e))?;
    let log = Log::create(file, &header, durability).map_err(|e| say(&e))?;
    let books = desk.lane.core.as_ref().map(|core| &core.oms.books);
    let link = topology.in_process(BrokerId(0), &board, books).unwrap().unwrap();
    desk.go_live(log, Some(vec![Box::new(Spy(link, Arc::clone(wire)))]), false);
    session(&mut desk, identity, &board);
    if desk.log.has_failed() {
        return Err("the journal failed".into());
    }
    desk.log.checkpoint(desk.digest());
    desk.log.close().map_err(|e| say(&e))?;
    let number = segments::next_number(disk.as_ref()).map_err(|e| say(&e))? - 1;
    let setting = snapshot::Setting { config: config.to_owned(), feed: None };
    snapshot::write(disk.as_ref(), &desk, &setting, number).map_err(|e| say(&e))?;
    Ok(desk)
}

fn session(desk: &mut Desk, identity: Identity, board: &KillBoard, wire: &Wire, ticks: u64) {
    session_of(desk, identity, board, wire, ticks, &mut |_, _| true);
}

/// A session in which `turn` follows each tick, until it is false.
fn session_of(
    desk: &mut Desk,
    identity: Identity,
    board: &KillBoard,
    wire: &Wire,
    ticks: u64,
    turn: &mut dyn FnMut(&mut Desk, u64) -> bool,
) {
    let start = desk.now();
    let (mut seq, mut failed_with) = (0, None);
    for number in 0..ticks {
        let tick = tick(number);
        let at = tick.ts().max(start);
        if number == 0 {
            desk.boot(at, identity.instance, identity.epoch);
        }
        desk.due_at(at);
        desk.market(at, &tick, false);
        if number % 5 == 2 {
            seq += 1;
            let rests = seq % 3 == 0;
            let new = order(identity, seq, rests);
            desk.deliver(at, &Input::Request(AgentId::OPERATOR, OrderRequest::New(new)));
        }
        if number % 15 == 14 {
            let cancel = CancelOrder::of(order(identity, seq, true).cl_ord_id);
            desk.deliver(at, &Input::Request(AgentId::OPERATOR, OrderRequest::Cancel(cancel)));
        }
        // What the core lane does at the end of a turn.
        if number % 4 == 0 {
            let _ = desk.log.commit();
        }
        if desk.log.has_failed() {
            board.latch(Scope::Global, KillLevel::Block);
            assert!(desk.log.buffered() == 0, "a log that failed keeps nothing");
            let orders = wire.lock().unwrap().orders.len();
            let before = *failed_with.get_or_insert(orders);
            assert_eq!(orders, before, "an order left without a record");
            assert_eq!(board.level(Scope::Global), KillLevel::Block);
        }
        if !turn(desk, number) {
            return;
        }
    }
}

/// A journal of a thousand entries, and where each of its frames ends.
fn thousand() -> (Vec<u8>, Vec<usize>, Vec<Vec<u8>>) {
    let folder = MemoryFolder::new();
    let desk = run(&folder, Durability::Process, &Wire::default(), 530).unwrap();
    assert!(desk.events() == 530);
    let bytes = folder.read(&segment_name(1)).unwrap();
    let count = entries(&bytes).0.len();
    assert!((1_000..1_200).contains(&count), "{count} entries");
    let (payloads, ends) = frames(&bytes);
    (bytes, ends, payloads)
}

/// The payloads of all frames, and where the file's magic and each of them ends.
fn frames(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let (mut ends, mut payloads) = (vec![8], Vec::new());
    let mut reader = FrameReader::open(bytes).unwrap();
    let mut frame = Frame::default();
    while reader.next(&mut frame).unwrap() {
        ends.push(reader.offset() as usize);
        payloads.push(frame.payload.clone());
    }
    (payloads, ends)
}

fn entries(bytes: &[u8]) -> (Vec<Entry>, Option<FrameError>) {
    let mut all = Vec::new();
    let mut reader = match EntryReader::open(bytes) {
        Ok(reader) => reader,
        Err(error) => return (all, Some(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(entry)) => all.push(entry),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

/// Every truncation gives an exact prefix, by whole frames, and says how many bytes were cut.
#[test]
fn every_cut_is_an_exact_prefix_that_says_so() {
    let (bytes, ends, payloads) = thousand();
    let (all, end) = entries(&bytes);
    assert!(end.is_none());
    // Entries that are whole before the end of each frame; the header is none of them.
    let mut whole = Vec::new();
    for end in &ends {
        let (read, error) = entries(&bytes[..*end]);
        assert!(*end == 8 || error.is_none());
        assert_eq!(read, all[..read.len()]);
        whole.push(read.len());
    }
    assert_eq!(whole.last(), Some(&all.len()));
    for cut in (0..bytes.len()).step_by(if FULL { 1 } else { 13 }) {
        let frames = ends.iter().filter(|end| **end <= cut).count();
        let mut frame = Frame::default();
        let mut read = Vec::new();
        let error = match FrameReader::open(&bytes[..cut]) {
            Err(error) => Some(error),
            Ok(mut reader) => loop {
                match reader.next(&mut frame) {
                    Ok(true) => read.push(frame.payload.clone()),
                    Ok(false) => break None,
                    Err(error) => break Some(error),
                }
            },
        };
        assert_eq!(read, payloads[..frames.saturating_sub(1)], "cut at {cut}");
        match error {
            None => assert!(ends.contains(&cut)),
            Some(FrameError::Torn { offset, torn }) => {
                assert_eq!(offset as usize, if frames == 0 { 0 } else { ends[frames - 1] });
                assert_eq!(offset + torn, cut as u64, "cut at {cut}");
            }
            Some(other) => panic!("cut at {cut}: {other}"),
        }
    }
}

/// The walk over a cut journal names file and bytes, and the desk is the one of that prefix.
#[test]
fn a_walk_says_what_was_cut() {
    let (bytes, ends, _) = thousand();
    let (registry, topology) = topology();
    let spread = (0..bytes.len()).rev().step_by(bytes.len() / 40);
    // Where the magic is whole and where the header is: a kill may come just there.
    for (number, cut) in spread.chain([ends[0], ends[1]]).enumerate() {
        let folder = MemoryFolder::new();
        let mut file = segments::create(&folder, 1).unwrap();
        file.write_all(&bytes[..cut]).unwrap();
        let walked =
            recover(&folder, &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
        let end = ends.iter().rev().find(|end| **end <= cut).copied().unwrap_or(0);
        let torn = (cut - end) as u64;
        let expected = if torn > 0 { vec![(segment_name(1), torn)] } else { Vec::new() };
        if cut > ends[1] {
            assert_eq!(walked.cut, expected, "cut {number} at {cut}");
        } else {
            assert_eq!(walked.entries, 0, "no header, no entries");
        }
    }
}

/// Every single flipped bit is reported or changes no frame. Entries are a function of frames, so no
/// decoded entry changes unnoticed. Unoptimised builds take fewer bits.
#[test]
fn every_flipped_bit_is_reported() {
    let (mut bytes, _, payloads) = thousand();
    let step = if FULL { 1 } else { 211 };
    let mut silent = 0;
    for bit in (0..bytes.len() * 8).step_by(step) {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut frame = Frame::default();
        let mut read = 0;
        let reported = match FrameReader::open(bytes.as_slice()) {
            Err(_) => true,
            Ok(mut reader) => loop {
                match reader.next(&mut frame) {
                    Ok(true) => {
                        assert_eq!(frame.payload, payloads[read], "bit {bit}");
                        read += 1;
                    }
                    Ok(false) => break false,
                    Err(_) => break true,
                }
            },
        };
        silent += u32::from(!reported);
        assert!(reported || read == payloads.len(), "bit {bit} lost frames in silence");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(silent, 0, "every bit of a file is covered by a checksum or a magic");
}

/// Fails call number N to the disk, for every N of a scripted session and each way to fail, once and
/// for good: no order is on the wire without its record, nothing but cancels leaves afterwards, and
/// the next boot knows every order that left and uses none of their names again.
#[test]
fn every_call_to_the_disk_fails_once() {
    every_call_fails(&|folder, durability, wire| run(folder, durability, wire, TICKS));
}

/// The same where the journal goes on in further files.
#[test]
fn every_call_to_the_disk_fails_once_around_further_files() {
    every_call_fails(&|folder, durability, wire| run_on(folder, durability, wire, (TICKS, 11)));
}

const TICKS: u64 = if FULL { 60 } else { 24 };

type Session<'a> = &'a dyn Fn(&MemoryFolder, Durability, &Wire) -> Result<Desk, String>;

fn every_call_fails(run: Session<'_>) {
    let (registry, topology) = topology();
    let calls = |durability| {
        let folder = MemoryFolder::new();
        run(&folder, durability, &Wire::default()).unwrap();
        folder.calls()
    };
    let (mut sessions, mut failed, mut cancels) = (0, 0, 0);
    for durability in [Durability::Process, Durability::Power] {
        for call in 0..calls(durability) {
            for fault in [Fault::Full, Fault::Broken, Fault::Short, Fault::Interrupted] {
                for lasting in [false, true] {
                    let what = format!("{durability} {call} {fault:?} lasting {lasting}");
                    if lasting && fault == Fault::Interrupted {
                        continue;
                    }
                    sessions += 1;
                    let (folder, wire) = (MemoryFolder::new(), Wire::default());
                    folder.fail(call, fault, lasting);
                    failed += u32::from(run(&folder, durability, &wire).is_err());
                    folder.heal();
                    if durability == Durability::Power {
                        folder.lose_power(|unsynced| unsynced / 3);
                    }
                    let left: BTreeSet<_> = wire.lock().unwrap().orders.iter().copied().collect();
                    cancels += wire.lock().unwrap().cancels;
                    let known =
                        recover(&folder, &topology, &registry, World::Open, None, &mut |_| {})
                            .unwrap_or_else(|error| panic!("{what}: {error}"));
                    let core = known.desk.lane.core.as_ref().unwrap();
                    for id in &left {
                        assert!(core.oms.find(*id).is_some(), "{what}: {id} has no record");
                    }
                    let again = Wire::default();
                    run(&folder, durability, &again).unwrap_or_else(|e| panic!("{what}: {e}"));
                    let fresh = again.lock().unwrap();
                    assert!(!fresh.orders.is_empty(), "{what}: the next boot trades");
                    assert!(fresh.orders.iter().all(|id| !left.contains(id)), "{what}");
                }
            }
        }
    }
    assert!(failed > sessions / 3 && cancels > 0, "{failed} of {sessions} failed");
}

fn replayed(topology: &Topology, registry: &Registry) -> Desk {
    remembered_desk(topology, registry).unwrap()
}

/// The bench's configuration with an agent in a hurry, and a guardian that finds much.
fn eventful() -> String {
    let hurry = CONFIG.replace("fast = 100", "fast = 2").replace("slow = 200", "slow = 3");
    let rules = [
        ("drawdown", "limit = \"15\"\nwarn = \"off\"\naction = \"flatten\"\nconfirm = 2"),
        ("denials", "most = 3\nwindow = \"50ms\""),
        ("dead_man", "after = \"40ms\"\nwarn = \"off\"\naction = \"hold\""),
        ("data_stale", "after = \"20ms\""),
        ("slippage", "bps = 1\nrow = 1000"),
    ];
    let rules: Vec<String> =
        rules.iter().map(|(rule, values)| format!("[guardian.rules.{rule}]\n{values}\n")).collect();
    format!("{hurry}\n[guardian]\nevery = \"3ms\"\ncool_off = \"5ms\"\n{}", rules.concat())
}

/// Puts another row in force, as an operator does.
fn set_limit(desk: &mut Desk, control: &str, scope: Scope, value: &str) {
    let row =
        LimitRow { control: control.into(), scope, value: LimitValue::Text(value.into()), line: 0 };
    let proposal = desk.lane.core.as_ref().unwrap().risk.propose(row).unwrap();
    let change = LimitsChange {
        version: proposal.version,
        rows: proposal.rows,
        who: "operator".into(),
        why: "drill".into(),
    };
    desk.deliver(desk.now(), &Input::Control(Control::Limits(change)));
}

/// A session in which limits change, the guardian trips and comes back harder, operators kill, arm,
/// isolate and flatten, and data and console fall silent.
fn drills(desk: &mut Desk, identity: Identity) {
    let trend = AgentId(AgentId::FIRST);
    let mut seq = 0;
    for number in 0..420 {
        // Two silences, one of them with nobody at the console.
        let silence = [(180, 30), (300, 100)].iter().filter(|(from, _)| number >= *from);
        let record = tick(number + silence.map(|(_, ms)| ms).sum::<u64>());
        let at = record.ts();
        if number == 0 {
            desk.boot(at, identity.instance, identity.epoch);
        }
        while desk.next_due() < at {
            desk.due_at(desk.next_due());
        }
        desk.due_at(at);
        desk.market(at, &record, false);
        if number % 10 == 0 {
            desk.deliver(at, &Input::Control(Control::Heartbeat));
        }
        if number % 7 == 3 {
            seq += 1;
            let new = order(identity, seq, seq % 3 == 0);
            desk.deliver(at, &Input::Request(AgentId::OPERATOR, OrderRequest::New(new)));
        }
        let kill = |level| KillOrder {
            scope: Scope::Global,
            level,
            reason: "drill".into(),
            episode: number,
            rule: None,
        };
        match number {
            60 => set_limit(desk, "max_order_qty", Scope::Agent(trend), "50000"),
            90 => set_limit(desk, "max_order_qty", Scope::Agent(trend), "200000"),
            100 => set_limit(desk, "order_rate", Scope::Global, "8/20ms"),
            210 => set_limit(desk, "day_orders", Scope::Global, "1000"),
            200 => desk.deliver(at, &Input::Control(Control::Kill(kill(KillLevel::Isolate)))),
            240 => {
                let reason = "drill".into();
                let flatten = Control::Flatten { scope: Scope::Global, reason };
                desk.deliver(at, &Input::Control(flatten));
            }
            _ => {}
        }
        // Whatever stands is armed a while later.
        if number % 40 == 39 {
            let core = desk.lane.core.as_ref().unwrap();
            for (scope, kill) in core.risk.halts.kills().collect::<Vec<_>>() {
                let arm = KillOrder {
                    scope,
                    level: KillLevel::Normal,
                    reason: "drill".into(),
                    episode: kill.episode,
                    rule: kill.rule,
                };
                desk.deliver(at, &Input::Control(Control::Arm(arm)));
            }
        }
    }
}

/// Saves at every place between two turns of the journal in `folder`, loads into another desk, and
/// follows the journal with that one. Gives its entries and the desk at its end.
fn save_and_follow_everywhere(folder: &MemoryFolder, config: &str) -> (Vec<Entry>, Desk) {
    let (registry, topology) = topology_of(config);
    let (all, _) = entries(&folder.read(&segment_name(1)).unwrap());
    let follow = |desk: &mut Desk, from: usize, to: usize| {
        let mut rerun = Rerun::new(desk, None, false);
        for (seq, entry) in (0..).zip(&all[from..to]) {
            rerun.apply(seq, &entry.record()).unwrap();
        }
        assert_eq!(rerun.difference, None, "from {from} to {to}");
    };
    let mut whole = replayed(&topology, &registry);
    follow(&mut whole, 0, all.len());
    let mut walking = replayed(&topology, &registry);
    let mut cuts = 0;
    for at in 0..all.len() - 1 {
        follow(&mut walking, at, at + 1);
        if matches!(all[at + 1], Entry::Derived(_)) {
            continue;
        }
        cuts += 1;
        let mut state = Vec::new();
        walking.save(&mut state);
        let mut loaded = replayed(&topology, &registry);
        loaded.load(&state).unwrap();
        assert_eq!(loaded.digest(), walking.digest(), "after entry {at}");
        // All the way to the end from some, a little further from the others.
        let end = if at % 40 == 0 { all.len() } else { (at + 12).min(all.len()) };
        follow(&mut loaded, at + 1, end);
        if end == all.len() {
            assert_eq!(loaded.digest(), whole.digest(), "after entry {at}");
        }
        for cut in [0, 1, state.len() / 2, state.len() - 1] {
            assert!(replayed(&topology, &registry).load(&state[..cut]).is_err(), "cut at {cut}");
        }
    }
    assert!(cuts > 300, "{cuts}");
    (all, whole)
}

/// INV-7: wherever between two turns a session is saved, what was loaded goes on to the same state
/// and decides the same as what was not.
#[test]
fn a_snapshot_and_the_tail_are_the_whole_journal() {
    let folder = MemoryFolder::new();
    run(&folder, Durability::Process, &Wire::default(), 260).unwrap();
    let (all, _) = save_and_follow_everywhere(&folder, CONFIG);
    let sent = |entry: &&Entry| matches!(entry, Entry::Derived(Derived::Sent { .. }));
    assert!(all.iter().filter(sent).count() > 50);
}

/// The same with limits, guardian and enforcement at work; and a boot from the snapshot goes on with
/// the limits that were set, not those of the configuration, unless those have changed.
#[test]
fn limits_guardian_and_enforcement_are_in_a_snapshot() {
    let (folder, config) = (MemoryFolder::new(), eventful());
    let ended =
        boot(&folder, &config, Durability::Process, &Wire::default(), &mut |desk, identity, _| {
            drills(desk, identity);
        })
        .unwrap();
    let (all, whole) = save_and_follow_everywhere(&folder, &config);
    assert_eq!(whole.digest(), ended.digest());
    let done: BTreeSet<(Rule, bool)> = all
        .iter()
        .filter_map(|entry| match entry {
            Entry::Derived(Derived::Intervened(done)) => {
                Some((done.rule, matches!(done.act, Act::Kill { .. })))
            }
            _ => None,
        })
        .collect();
    for seen in [
        (Rule::Drawdown, true),
        (Rule::Denials, true),
        (Rule::DeadMan, false),
        (Rule::DataStale, false),
    ] {
        assert!(done.contains(&seen), "{seen:?} is not among {done:?}");
    }
    let core = whole.lane.core.as_ref().unwrap();
    assert!(core.oms.orders().iter().any(|order| order.cl_ord_id.is_exit()), "no exits");
    let limit = |desk: &Desk| {
        let core = desk.lane.core.as_ref().unwrap();
        let checks = core.risk.checks().iter();
        let rate = checks.filter(|check| check.name() == "order_rate");
        let rows: Vec<_> = rate.flat_map(|check| check.table().list()).collect();
        (core.risk.limits_version(), rows)
    };
    let set = vec![(Scope::Global, "8/20ms".to_owned())];
    assert_eq!(limit(&whole), (4, set.clone()));
    let start = |config: &str| {
        let (registry, topology) = topology_of(config);
        recover(&folder, &topology, &registry, World::Open, None, &mut |_| {}).unwrap()
    };
    let next = start(&config);
    assert_eq!((next.entries, limit(&next.desk)), (0, (4, set.clone())), "from the snapshot");
    assert_eq!(next.desk.digest(), whole.digest());
    let elsewhere = start(&format!("{config}\n# The same limits."));
    assert_eq!(limit(&elsewhere.desk), (4, set));
    let other = start(&config.replace("100000/1s", "90000/1s"));
    assert_eq!(limit(&other.desk), (5, vec![(Scope::Global, "90000/1s".to_owned())]));
}

/// Boots from the newest snapshot; damaged ones are passed over, in the end by the whole journal,
/// with the same state each time; what is gone and not replaced stops the walk.
#[test]
fn boots_fall_back_to_older_snapshots_and_say_so() {
    let (registry, topology) = topology();
    let folder = MemoryFolder::new();
    for _ in 0..3 {
        run(&folder, Durability::Process, &Wire::default(), 60).unwrap();
    }
    let boot = || recover(&folder, &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
    let first = boot();
    assert_eq!((first.entries, first.last, first.anew), (0, 3, true), "nothing after the newest");
    let verified = walk(&folder, &registry, Start::Oldest, &mut |_| {}).unwrap().unwrap();
    assert_eq!((verified.found().from, &verified.found().difference), (None, &None));
    for damaged in [3, 2, 1] {
        assert!(folder.tamper(&snapshot::name(damaged), |bytes| bytes[60] ^= 4));
        let next = boot();
        assert_eq!(next.notes.len(), 4 - damaged as usize, "{:?}", next.notes);
        assert_eq!(next.anew, damaged > 1);
        assert!(next.entries > first.entries);
        assert_eq!(next.desk.digest(), first.desk.digest());
    }
    // Without its first file the journal can be run from the snapshot behind it, or not at all.
    folder.tamper(&snapshot::name(1), |bytes| bytes[60] ^= 4);
    folder.remove(&segment_name(1)).unwrap();
    let verified = walk(&folder, &registry, Start::Oldest, &mut |_| {}).unwrap().unwrap();
    assert_eq!((verified.found().from, &verified.found().difference), (Some(1), &None));
    assert_eq!(verified.digest(), first.desk.digest());
    folder.remove(&segment_name(2)).unwrap();
    assert!(walk(&folder, &registry, Start::Oldest, &mut |_| {}).is_err(), "file 2 is missing");
}

/// The head mark finds what a journal that is whole by itself has lost: records at its end that were
/// on stable storage, a flipped bit in its last frame, a whole file. It never objects to a torn tail
/// behind it.
#[test]
fn a_head_mark_finds_lost_records_and_files() {
    let (registry, topology) = topology();
    let boot = |folder: &MemoryFolder| {
        recover(folder, &topology, &registry, World::Open, None, &mut |_| {}).map(|found| found.cut)
    };
    let marked = |files: u32| {
        let folder = MemoryFolder::new();
        for _ in 0..files {
            run(&folder, Durability::Process, &Wire::default(), 24).unwrap();
        }
        (1..=files).for_each(|number| folder.remove(&snapshot::name(number)).unwrap());
        let length = folder.read(&segment_name(files)).unwrap().len() as u64;
        Mark { number: files, length }.write(&folder).unwrap();
        assert_eq!(Mark::read(&folder), Ok(Some(Mark { number: files, length })));
        assert_eq!(boot(&folder).unwrap(), vec![]);
        folder
    };
    let last = segment_name(2);
    let folder = marked(2);
    let (_, ends) = frames(&folder.read(&last).unwrap());
    folder.tamper(&last, |bytes| bytes.extend_from_slice(b"QTF1 and a torn frame"));
    assert_eq!(boot(&folder).unwrap(), vec![(last.clone(), 21)], "behind the mark");
    for cut in [ends[ends.len() - 2], ends[1], 3] {
        let folder = marked(2);
        folder.tamper(&last, |bytes| bytes.truncate(cut));
        let error = boot(&folder).err().unwrap().to_string();
        assert!(error.contains("lost records"), "{error}");
    }
    for lost in [1, 2] {
        let folder = marked(2);
        folder.remove(&segment_name(lost)).unwrap();
        let error = boot(&folder).err().unwrap().to_string();
        assert!(error.contains("missing") || error.contains("lost records"), "{error}");
    }
    // A snapshot that stands for the file changes nothing about what is lost of it.
    for cut in [true, false] {
        let folder = MemoryFolder::new();
        run(&folder, Durability::Process, &Wire::default(), 24).unwrap();
        let last = segment_name(1);
        let length = folder.read(&last).unwrap().len() as u64;
        Mark { number: 1, length }.write(&folder).unwrap();
        assert_eq!(boot(&folder).unwrap(), vec![]);
        if cut {
            folder.tamper(&last, |bytes| bytes.truncate(bytes.len() / 2));
        } else {
            folder.remove(&last).unwrap();
        }
        let error = boot(&folder).err().unwrap().to_string();
        assert!(error.contains("lost records"), "{error}");
    }
    let folder = marked(1);
    let bits = folder.read(&segment_name(1)).unwrap().len() * 8;
    for bit in (0..bits).rev().step_by(97).take(40) {
        folder.tamper(&segment_name(1), |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        assert!(boot(&folder).is_err(), "bit {bit}");
        folder.tamper(&segment_name(1), |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
    folder.tamper("journal.head", |bytes| bytes[0] ^= 1);
    assert!(boot(&folder).err().unwrap().to_string().contains("journal.head"));
}

/// A backup taken after any record is a state folder again: same books, another tag, blocked. Half
/// a backup is none, and nothing is restored over something.
#[test]
fn a_backup_is_restored_under_another_tag_and_blocked() {
    let (registry, topology) = topology();
    let folder = MemoryFolder::new();
    let (before, after) = (Wire::default(), Wire::default());
    run(&folder, Durability::Process, &before, 60).unwrap();
    let mut file = Vec::new();
    assert_eq!(backup(&folder, &mut file).unwrap(), 5);
    // The first one goes on.
    run(&folder, Durability::Process, &before, 60).unwrap();
    let new = MemoryFolder::new();
    let disk: Arc<dyn Folder> = Arc::new(new.clone());
    assert_eq!(restore(file.as_slice(), &disk, 99, Timestamp::ZERO).unwrap(), 5);
    let latch = Latch::open(&disk, false).unwrap();
    assert_eq!(latch.get("global").unwrap().level, KillLevel::Block);
    let own = recover(disk.as_ref(), &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
    let loaded = snapshot::read(&folder, 1).unwrap().0;
    assert_eq!(own.desk.digest(), loaded.digest);
    run(&new, Durability::Process, &after, 60).unwrap();
    let (before, after) = (before.lock().unwrap(), after.lock().unwrap());
    assert!(!after.orders.is_empty() && after.orders.iter().all(|id| id.instance == 99));
    assert!(after.orders.iter().all(|id| !before.orders.contains(id)), "INV-9");
    let again = restore(file.as_slice(), &disk, 5, Timestamp::ZERO);
    assert!(matches!(again, Err(BackupError::NotEmpty)));
    for cut in (0..file.len()).rev().step_by(file.len() / 30) {
        let disk: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
        assert!(restore(&file[..cut], &disk, 5, Timestamp::ZERO).is_err(), "cut at {cut}");
        assert!(disk.read("instance").is_err(), "nothing starts from half a backup");
    }
}

fn prune(folder: &MemoryFolder, keep: u32) -> std::io::Result<u32> {
    let registry = topology().0;
    segments::prune(folder, keep, |after| can_begin(folder, &registry, after))
}

/// A snapshot of a build that makes another state of it is whole, and yet nothing to begin at.
#[test]
fn retention_trusts_no_snapshot_that_cannot_be_loaded() {
    use sha2::Digest as _;
    let (registry, topology) = topology();
    let folder = MemoryFolder::new();
    for _ in 0..4 {
        run(&folder, Durability::Process, &Wire::default(), 15).unwrap();
    }
    for after in snapshot::list(&folder).unwrap() {
        let digest = snapshot::read(&folder, after).unwrap().0.digest;
        folder.tamper(&snapshot::name(after), |bytes| {
            let place = bytes.windows(32).position(|window| window == digest).unwrap();
            bytes[place] ^= 1;
            let sum = sha2::Sha256::digest(&bytes[40..]);
            bytes[8..40].copy_from_slice(&sum);
        });
        assert!(snapshot::read(&folder, after).is_ok());
    }
    assert_eq!(prune(&folder, 1).unwrap(), 0);
    let boot = recover(&folder, &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
    assert_eq!((boot.last, boot.anew, boot.notes.len()), (4, false, 4));
}

/// Retention takes nothing that the two newest snapshots need, and what stays can be run again.
#[test]
fn retention_keeps_what_two_snapshots_need() {
    let (registry, topology) = topology();
    let folder = MemoryFolder::new();
    for _ in 0..6 {
        run(&folder, Durability::Process, &Wire::default(), 15).unwrap();
    }
    let files = || segments::list(&folder).unwrap().len();
    let digest = || {
        let walked = walk(&folder, &registry, Start::Oldest, &mut |_| {}).unwrap().unwrap();
        assert_eq!(walked.found().difference, None);
        walked.digest()
    };
    let whole = digest();
    assert_eq!(prune(&folder, 6).unwrap(), 0);
    assert!(prune(&folder, 4).unwrap() > 0);
    assert_eq!((files(), digest()), (4, whole));
    folder.tamper(&snapshot::name(6), |bytes| bytes[70] ^= 1);
    prune(&folder, 1).unwrap();
    assert_eq!((files(), digest()), (2, whole), "4 and 5 are the newest that can be read");
    let boot = recover(&folder, &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
    assert_eq!((boot.desk.digest(), boot.notes.len()), (whole, 1));
}

/// A journal in many files is the journal in one: the same entries, decisions, digests; and a snapshot
/// after any of them, made from the journal alone, goes on to the same state.
#[test]
fn further_files_change_nothing() {
    let (registry, topology) = topology();
    let (one, many) = (MemoryFolder::new(), MemoryFolder::new());
    let whole = run(&one, Durability::Process, &Wire::default(), 200).unwrap();
    let turned = run_on(&many, Durability::Process, &Wire::default(), (200, 30)).unwrap();
    assert_eq!(whole.digest(), turned.digest());
    let all = |folder: &MemoryFolder| {
        let files = segments::list(folder).unwrap();
        let all = files.iter().flat_map(|name| entries(&folder.read(name).unwrap()).0);
        all.filter(|entry| !matches!(entry, Entry::Continues { .. })).collect::<Vec<_>>()
    };
    assert!(all(&one) == all(&many));
    let files = segments::list(&many).unwrap().len() as u32;
    assert_eq!(files, 7);
    many.remove(&snapshot::name(files)).unwrap();
    let boot = || recover(&many, &topology, &registry, World::Open, None, &mut |_| {}).unwrap();
    let mut entries = u64::MAX;
    for number in 0..files {
        if number > 0 {
            snapshot_after(&many, &registry, number).unwrap();
        }
        let next = boot();
        assert_eq!((next.anew, next.last, next.notes.len()), (number > 0, files, 0));
        assert_eq!(next.desk.digest(), whole.digest(), "after {number}");
        assert!(next.entries < entries, "less to read after {number}");
        entries = next.entries;
    }
    let verified = walk(&many, &registry, Start::Oldest, &mut |_| {}).unwrap().unwrap();
    assert_eq!((verified.found().from, &verified.found().difference), (None, &None));
    // What retention leaves of it is still the journal.
    assert!(prune(&many, 2).unwrap() > 0);
    assert_eq!(boot().desk.digest(), whole.digest());
    let verified = walk(&many, &registry, Start::Oldest, &mut |_| {}).unwrap().unwrap();
    assert_eq!(verified.digest(), whole.digest());
    // A file in the middle that is gone is missed.
    many.remove(&segment_name(files - 1)).unwrap();
    let start = Start::Oldest;
    assert!(walk(&many, &registry, start, &mut |_| {}).is_err());
}

/// Power is lost at every call around the change of files, in `process` durability, and some of what
/// was not synced is there and some is not: what is left reads as a prefix. A file whose predecessor
/// lost its end is cut off with it, and the next boot goes on.
#[test]
fn a_loss_of_power_around_further_files_leaves_a_prefix() {
    let (registry, topology) = topology();
    let calls = {
        let folder = MemoryFolder::new();
        run_on(&folder, Durability::Process, &Wire::default(), (40, 11)).unwrap();
        folder.calls()
    };
    let whole = MemoryFolder::new();
    run(&whole, Durability::Process, &Wire::default(), 40).unwrap();
    let (all, _) = entries(&whole.read(&segment_name(1)).unwrap());
    let mut orphans = 0;
    for call in 8..calls {
        for kept in 0..4_usize {
            let folder = MemoryFolder::new();
            folder.fail(call, Fault::Broken, true);
            let _ = run_on(&folder, Durability::Process, &Wire::default(), (40, 11));
            folder.heal();
            let mut file = 0;
            folder.lose_power(|unsynced| {
                file += 1;
                // Older files keep less than newer ones, or the other way round, or all of them half.
                [unsynced * file / 8, unsynced / file, unsynced / 2, 0][kept]
            });
            let what = format!("call {call}, {kept}");
            let found = recover(&folder, &topology, &registry, World::Open, None, &mut |_| {})
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            orphans += u32::from(
                found.last > 0
                    && found.cut.iter().any(|(name, bytes)| {
                        folder.read(name).unwrap().len() as u64 == *bytes && *bytes > 2_000
                    }),
            );
            // The same entries as without any trouble, up to some point.
            let (mut read, mut turns) = (Vec::new(), 0);
            for name in segments::list(&folder).unwrap() {
                if segments::number(&name) > Some(found.last) {
                    break;
                }
                let (own, _) = entries(&folder.read(&name).unwrap());
                let turn = |entry: &Entry| matches!(entry, Entry::Continues { .. });
                turns += own.iter().filter(|entry| turn(entry)).count() as u64;
                read.extend(own.into_iter().filter(|entry| !turn(entry)));
            }
            assert!(read.len() <= all.len() && read == all[..read.len()], "{what}");
            assert!(found.anew || found.entries == read.len() as u64 + turns, "{what}");
            run_on(&folder, Durability::Process, &Wire::default(), (40, 11))
                .unwrap_or_else(|e| panic!("{what}: {e}"));
        }
    }
    assert!(orphans > 0, "no file was ever cut off with its predecessor");
}

/// A boot that begins at a snapshot goes on in the recording or seeded market where the last one stopped.
#[test]
fn a_snapshot_keeps_the_place_in_the_feed() {
    let config = include_str!("../config/sandbox.toml");
    let (registry, topology) = topology_of(config);
    let folder = MemoryFolder::new();
    let open = || topology.open_feed(&topology.feeds[0]).unwrap().unwrap();
    let next = |feed: &mut ReferenceFeed| feed.feed.next().unwrap().unwrap();
    let mut feed = open();
    let mut desk = remembered_desk(&topology, &registry).unwrap();
    let mut header = header(&topology, 0, true);
    let HeaderKind::Journal { feed: of, .. } = &mut header.kind else { unreachable!("made so") };
    *of = Some((feed.name.clone(), feed.digest));
    let file = segments::create(&folder, 1).unwrap();
    desk.go_live(Log::create(file, &header, Durability::Process).unwrap(), None, false);
    for number in 0..300 {
        let record = next(&mut feed);
        if number == 0 {
            desk.boot(record.ts(), 7, 1);
        }
        desk.advance(record.ts());
        desk.market(record.ts(), &record, true);
    }
    desk.log.checkpoint(desk.digest());
    desk.log.close().unwrap();
    let due = next(&mut feed);
    for from in [None, Some(1)] {
        if from.is_some() {
            snapshot_after(&folder, &registry, 1).unwrap();
        }
        let reference = Some(open());
        let booted = recover(&folder, &topology, &registry, World::Open, reference, &mut |_| {});
        let booted = booted.unwrap();
        assert_eq!((booted.anew, booted.desk.digest()), (from.is_some(), desk.digest()));
        assert_eq!(next(&mut booted.feed.unwrap()), due, "from {from:?}");
    }
}
