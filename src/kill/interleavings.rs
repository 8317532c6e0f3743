//! The board under every order in which its threads can take their steps.
#![cfg(feature = "shuttle")]

use super::{Effect, KillBoard, Route};
use crate::sync::{AtomicBool, every_order, many_orders};
use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Scope};
use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool as Cell, AtomicUsize, Ordering::SeqCst};

const ROUTE: Route = Route {
    broker: BrokerId(0),
    account: AccountId(0),
    agent: AgentId(0),
    instrument: InstrumentId(0),
};

/// What a writer does, seen from outside: but for one no steps of the model, so that they cost no orders.
#[derive(Default)]
struct Wire {
    busy: AtomicUsize,
    /// A kill of the writer's scopes has returned.
    killed: Cell,
    left: AtomicUsize,
    /// The write itself: the one step that the model knows.
    socket: AtomicBool,
}

/// Writes `times`, as `desk::gate` does: permit, write, permit back.
fn write(board: &Arc<KillBoard>, broker: u8, times: usize, wire: &Wire) {
    let route = Route { broker: BrokerId(broker), ..ROUTE };
    let mut writer = board.writer(BrokerId(broker)).unwrap();
    for _ in 0..times {
        let over = wire.killed.load(SeqCst);
        let Ok(permit) = writer.permit(route, Effect::Opens) else { continue };
        wire.busy.fetch_add(1, SeqCst);
        wire.socket.store(true, SeqCst);
        assert!(!over, "a write began after the kill had returned");
        assert!(!wire.killed.load(SeqCst), "a write goes on after the kill");
        wire.busy.fetch_sub(1, SeqCst);
        drop(permit);
        wire.left.fetch_add(1, SeqCst);
    }
}

/// Writers of two connections and a kill: how many writes left.
fn race(writers: u8, times: usize, scope: Scope) -> usize {
    let board = Arc::new(KillBoard::new(2, 1, 1, 1));
    let wire = Arc::new(Wire::default());
    let writers: Vec<_> = (0..writers)
        .map(|broker| {
            let (board, wire) = (Arc::clone(&board), Arc::clone(&wire));
            thread::spawn(move || write(&board, broker, times, &wire))
        })
        .collect();
    board.raise(scope, KillLevel::Block);
    wire.killed.store(true, SeqCst);
    assert_eq!(wire.busy.load(SeqCst), 0, "a write is under way after the kill");
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    wire.left.load(SeqCst)
}

/// INV-4: when a trip returns, its writes are over and none begins, in every order of steps.
#[test]
fn a_kill_that_returned_has_no_write_behind_it() {
    for scope in [Scope::Global, Scope::Symbol(InstrumentId(0))] {
        let seen: Arc<[AtomicUsize; 2]> = Arc::default();
        let ends = Arc::clone(&seen);
        let orders = every_order(move || {
            ends[race(1, 1, scope)].fetch_add(1, SeqCst);
        });
        eprintln!("{scope:?}: {orders} orders, {seen:?} writes");
        assert!(seen.iter().all(|end| end.load(SeqCst) > 0), "a race has two ends");
        many_orders(2_000, move || {
            race(2, 2, scope);
        });
    }
}

/// Two kills at once: the worse one stands, whoever was first.
#[test]
fn of_two_kills_the_worse_one_stands() {
    let orders = every_order(|| {
        let board = Arc::new(KillBoard::new(1, 1, 1, 1));
        let other = {
            let board = Arc::clone(&board);
            thread::spawn(move || board.raise(Scope::Global, KillLevel::Cancel))
        };
        board.raise(Scope::Global, KillLevel::Block);
        other.join().unwrap();
        assert_eq!(board.effective(ROUTE), KillLevel::Cancel);
    });
    assert!(orders > 1);
}

/// An arm takes back the kill that was shown, and none that came since and is worse.
#[test]
fn an_arm_never_takes_a_worse_kill_back() {
    let orders = every_order(|| {
        let board = Arc::new(KillBoard::new(1, 1, 1, 1));
        board.raise(Scope::Global, KillLevel::Block);
        let armed = {
            let board = Arc::clone(&board);
            thread::spawn(move || board.lower(Scope::Global, KillLevel::Block, KillLevel::Normal))
        };
        board.raise(Scope::Global, KillLevel::Flatten);
        assert_eq!(board.level(Scope::Global), KillLevel::Flatten, "the kill that returned holds");
        armed.join().unwrap();
        assert_eq!(board.level(Scope::Global), KillLevel::Flatten);
    });
    assert!(orders > 1);
}

/// What was decided before a kill or an arm sees another epoch once either has returned, and an epoch
/// read before a decision never stands for a later level.
#[test]
fn an_epoch_that_stands_has_no_kill_behind_it() {
    let orders = every_order(|| {
        let board = Arc::new(KillBoard::new(1, 1, 1, 1));
        let killer = {
            let board = Arc::clone(&board);
            thread::spawn(move || {
                board.raise(Scope::Global, KillLevel::Block);
                board.lower(Scope::Global, KillLevel::Block, KillLevel::Normal);
            })
        };
        // As the gate does: the epoch of the decision, then the level, then the epoch again.
        let before = board.epoch();
        let level = board.effective(ROUTE);
        let after = board.epoch();
        if level == KillLevel::Normal && before == after && before == 1 {
            panic!("between the kill and the arm, and the level was normal");
        }
        killer.join().unwrap();
        assert_eq!(board.epoch(), 2);
    });
    assert!(orders > 1);
}

/// INV-1: of two that want the writer of a connection, one gets it.
#[test]
fn one_writer_a_broker() {
    let orders = every_order(|| {
        let board = Arc::new(KillBoard::new(1, 1, 1, 1));
        let other = {
            let board = Arc::clone(&board);
            thread::spawn(move || board.writer(BrokerId(0)))
        };
        let mine = board.writer(BrokerId(0));
        let theirs = other.join().unwrap();
        assert_ne!(mine.is_some(), theirs.is_some());
    });
    assert!(orders > 1);
}
