//! The ledger: a state after every cut, and a venue that goes on after a restart as if there was none.

use super::property::random_step;
use super::*;
use crate::venue::ledger::{Commit, Ledger, LedgerError, LedgerState};
use crate::venue::wire::{self, ClientMessage, Logon, PROTOCOL, Role};
use crate::venue::{ConnectionId, Venue};
use rand_core::Rng;
use rand_pcg::Pcg32;
use std::fs;
use std::path::Path;

/// A venue with its ledger and one trader, without sockets.
struct House {
    venue: Venue,
    ledger: Ledger,
    trader: ConnectionId,
    records: Vec<MarketData>,
}

impl House {
    fn open(dir: &Path, records: Vec<MarketData>) -> Self {
        let (ledger, state) = Ledger::open(dir, &table()).unwrap();
        let exchange = Exchange::restore(
            &ExchangeConfig::default(),
            table(),
            state.accounts,
            state.orders,
            state.time,
        )
        .unwrap();
        let mut venue = Venue::new(exchange, true);
        records.iter().for_each(|record| venue.rebuild(record));
        let trader = venue.connect();
        let mut house = Self { venue, ledger, trader, records };
        house.send(&ClientMessage::Logon(Logon {
            protocol: PROTOCOL,
            gateway: "g".into(),
            role: Role::Trader,
            accounts: vec!["main".into()],
        }));
        house
    }

    fn send(&mut self, message: &ClientMessage) {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).unwrap();
        self.venue.on_bytes(Timestamp::ZERO, self.trader, &bytes);
    }

    fn market(&mut self, record: MarketData) {
        self.venue.on_market(&record);
        self.records.push(record);
    }

    fn commit(&mut self) -> Option<Commit> {
        let commit = self.venue.take_commit(self.records.len() as u64);
        if let Some(commit) = &commit {
            self.ledger.append(commit).unwrap();
        }
        commit
    }

    fn agrees_with(&self, state: &LedgerState) {
        assert_eq!(state.orders, self.venue.exchange().orders());
        assert_eq!(&state.accounts, self.venue.exchange().accounts());
    }
}

/// Requests and records as the random sessions of the property tests make them.
#[allow(clippy::large_enum_variant, reason = "a test")]
enum Step {
    Market(MarketData),
    Request(OrderRequest),
}

fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut rng = Pcg32::new(seed, 2);
    let mut seq = 0;
    let price = |cents: u32| Price::from_raw(i64::from(cents) * 10_000_000);
    (0..count)
        .map(|at| {
            let mut pick = |n: u32| rng.next_u32() % n;
            let side = if pick(2) == 0 { Side::Buy } else { Side::Sell };
            let ord_type = match pick(4) {
                0 => OrdType::Market,
                1 => OrdType::Stop { stop_px: price(995 + pick(10)) },
                2 => OrdType::TrailingStop { offset: TrailingOffset::Price(price(1 + pick(3))) },
                _ => OrdType::Limit { price: price(995 + pick(10)) },
            };
            let terms = terms(side, 1 + i64::from(pick(9)), ord_type, TimeInForce::Gtc);
            let old = id(1 + pick(seq.max(1)));
            seq += 2;
            match pick(6) {
                0..=2 => {
                    let (bid, ts) = (995 + pick(10), 10 * at as u64);
                    let (bid, ask) = (price(bid).to_string(), price(bid + 1).to_string());
                    Step::Market(quote(ts, &bid, 10, &ask, 10))
                }
                3 => Step::Request(OrderRequest::Cancel(CancelOrder::of(old))),
                4 => Step::Request(OrderRequest::Replace(ReplaceOrder {
                    orig_cl_ord_id: old,
                    cl_ord_id: id(seq),
                    intent: 1,
                    terms,
                })),
                _ => {
                    let mut new = new_order(seq, terms);
                    let target = OrderTerms {
                        side: side.opposite(),
                        ord_type: OrdType::Limit { price: price(995 + pick(10)) },
                        ..terms
                    };
                    if pick(2) == 0 {
                        let leg = Leg { cl_ord_id: id(seq - 1), terms: target };
                        new.contingent = Contingent::OneTriggersOther(leg);
                    }
                    Step::Request(OrderRequest::New(new))
                }
            }
        })
        .collect()
}

fn play(house: &mut House, step: &Step) {
    match step {
        Step::Market(record) => house.market(*record),
        Step::Request(request) => house.send(&ClientMessage::Request(*request)),
    }
}

#[test]
fn the_ledger_says_what_the_exchange_says_after_every_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), Vec::new());
    for step in &steps(5, 120) {
        play(&mut house, step);
        house.commit();
        house.agrees_with(&Ledger::load(dir.path()).unwrap());
    }
    let view = Ledger::read(dir.path()).unwrap();
    assert!(view.fills.len() > 5 && view.orders.len() > 15);
    let json = serde_json::to_value(&view).unwrap();
    assert!(json["cash"][0]["cash"].is_string() && json["orders"][0]["status"].is_string());
}

#[test]
fn every_cut_is_the_state_of_a_whole_commit_and_can_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let mut house = House::open(dir.path(), Vec::new());
    let mut states = vec![(fs::metadata(&path).unwrap().len(), Ledger::load(dir.path()).unwrap())];
    for step in &steps(9, 10) {
        play(&mut house, step);
        if house.commit().is_some() {
            states.push((fs::metadata(&path).unwrap().len(), Ledger::load(dir.path()).unwrap()));
        }
    }
    let whole = fs::read(&path).unwrap();
    let cut_dir = tempfile::tempdir().unwrap();
    for cut in states[0].0..=whole.len() as u64 {
        fs::write(cut_dir.path().join("ledger"), &whole[..cut as usize]).unwrap();
        let (_, expected) = states.iter().rev().find(|(end, _)| *end <= cut).unwrap();
        let (mut ledger, state) = Ledger::open(cut_dir.path(), &table()).unwrap();
        assert_eq!(&state, expected, "cut at {cut}");
        if !cut.is_multiple_of(16) {
            continue;
        }
        let commit = Commit {
            position: 9_999,
            time: Timestamp::from_nanos(9_999),
            accounts: vec!["later".into()],
            orders: Vec::new(),
            fills: Vec::new(),
            notes: Vec::new(),
        };
        ledger.append(&commit).unwrap();
        drop(ledger);
        let after = Ledger::load(cut_dir.path()).unwrap();
        assert_eq!((after.orders, after.position), (state.orders, 9_999));
    }
}

#[test]
fn restarts_change_nothing() {
    for seed in 0..10 {
        let steps = steps(seed, 150);
        let (plain, shaken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut straight = House::open(plain.path(), Vec::new());
        let mut house = House::open(shaken.path(), Vec::new());
        let mut rng = Pcg32::new(seed, 4);
        for step in &steps {
            play(&mut straight, step);
            straight.commit();
            play(&mut house, step);
            house.commit();
            if rng.next_u32().is_multiple_of(7) {
                let records = std::mem::take(&mut house.records);
                drop(house);
                house = House::open(shaken.path(), records);
            }
        }
        let same = house.venue.exchange().orders() == straight.venue.exchange().orders();
        assert!(same, "seed {seed}");
        house.agrees_with(&Ledger::load(plain.path()).unwrap());
    }
}

#[test]
fn a_second_venue_other_instruments_and_damage_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), Vec::new());
    assert!(matches!(Ledger::open(dir.path(), &table()), Err(LedgerError::InUse)));
    let commits = steps(1, 60);
    for step in &commits {
        play(&mut house, step);
        house.commit();
    }
    house.ledger.set_cursor(77, Timestamp::from_nanos(8_888)).unwrap();
    drop(house);
    let (_, state) = Ledger::open(dir.path(), &table()).unwrap();
    assert_eq!((state.position, state.time.nanos()), (77, 8_888));
    fs::write(dir.path().join("cursor"), b"torn").unwrap();
    let (_, state) = Ledger::open(dir.path(), &table()).unwrap();
    assert!(state.position < 77);
    let other = InstrumentTable::default();
    assert!(matches!(Ledger::open(dir.path(), &other), Err(LedgerError::Instruments)));
    let path = dir.path().join("ledger");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Ledger::open(dir.path(), &table()), Err(LedgerError::Frame(_))));
    assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged ledger is left as it is");
}

#[test]
fn random_sessions_of_the_exchange_survive_the_image() {
    let mut lab = Lab::new(FillModel::Touch);
    let (mut rng, mut seq) = (Pcg32::new(8, 8), 0);
    (0..300).for_each(|_| random_step(&mut rng, &mut lab, &mut seq));
    for record in lab.exchange.orders() {
        let bytes = postcard::to_stdvec(&record.order).unwrap();
        assert_eq!(postcard::from_bytes::<Order>(&bytes).unwrap(), record.order);
    }
}
