//! The board of kill levels and the permit that every order write needs.
//!
//! A trip stores its level first and then waits for the writers that took their permit before the
//! store. So when [`KillBoard::raise`] returns, no write of a covered order is under way and none
//! will begin (INV-4).

use crate::sync::{self, AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Scope};
use crossbeam_utils::CachePadded;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
/// What a signal handler stores into is the operating system's affair, no model's.
use std::sync::atomic::AtomicBool as SignalFlag;

/// Whose order it is: the indices of its five scopes, looked up once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it goes.
    pub broker: BrokerId,
    /// For which account.
    pub account: AccountId,
    /// From which agent.
    pub agent: AgentId,
    /// In which instrument.
    pub instrument: InstrumentId,
}

impl Route {
    /// The five scopes that cover this order.
    pub const fn scopes(&self) -> [Scope; 5] {
        [
            Scope::Global,
            Scope::Broker(self.broker),
            Scope::Account(self.account),
            Scope::Agent(self.agent),
            Scope::Symbol(self.instrument),
        ]
    }

    /// Whether `scope` covers this order.
    pub fn covered_by(&self, scope: Scope) -> bool {
        match scope {
            Scope::Global => true,
            Scope::Broker(id) => id == self.broker,
            Scope::Account(id) => id == self.account,
            Scope::Agent(id) => id == self.agent,
            Scope::Symbol(id) => id == self.instrument,
        }
    }
}

/// What a request does to the worst case; decided by the risk gate, carried to the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// May make the worst-case position larger.
    Opens,
    /// Makes the worst-case position strictly smaller and never crosses zero.
    Reduces,
    /// A way out that a flatten asked for: reduces, and passes where the flatten itself stands.
    Exits,
    /// Takes an order back.
    Cancels,
}

impl Effect {
    /// Whether a request with this effect may leave while one of its scopes stands at `level`. All
    /// five must allow it; for all effects but [`Self::Exits`] the highest decides.
    pub fn allowed_at(self, level: KillLevel) -> bool {
        match self {
            Self::Cancels => true,
            // A block or cancel next to the flatten is another decision, and it stands in the way.
            Self::Exits => {
                matches!(level, KillLevel::Normal | KillLevel::ReduceOnly | KillLevel::Flatten)
            }
            Self::Reduces => planted!(
                BlockReduces,
                matches!(level, KillLevel::Normal | KillLevel::ReduceOnly),
                level <= KillLevel::Block,
            ),
            Self::Opens => planted!(
                ReduceOnlyOpens,
                matches!(level, KillLevel::Normal),
                level <= KillLevel::ReduceOnly,
            ),
        }
    }
}

/// All kill levels of a gateway. Shared by every thread; lock-free.
#[derive(Debug)]
pub struct KillBoard {
    global: CachePadded<AtomicU8>,
    brokers: Vec<AtomicU8>,
    accounts: Vec<AtomicU8>,
    agents: Vec<AtomicU8>,
    symbols: Vec<AtomicU8>,
    /// Set by signal handlers, which may do nothing but store: global block and global cancel.
    signals: [Arc<SignalFlag>; 2],
    /// One count per writer; odd while a write is under way.
    writers: Vec<CachePadded<AtomicU64>>,
    taken: Vec<AtomicBool>,
    /// Counts every time a level was stored or lowered.
    epoch: AtomicU64,
    /// Version of the limits in force.
    limits: AtomicU32,
}

fn levels(count: usize) -> Vec<AtomicU8> {
    (0..count).map(|_| AtomicU8::new(0)).collect()
}

impl KillBoard {
    /// A board at normal for so many brokers, accounts, agents and instruments.
    pub fn new(brokers: usize, accounts: usize, agents: usize, symbols: usize) -> Self {
        Self {
            global: CachePadded::new(AtomicU8::new(0)),
            brokers: levels(brokers),
            accounts: levels(accounts),
            agents: levels(agents),
            symbols: levels(symbols),
            signals: [Arc::default(), Arc::default()],
            writers: (0..brokers).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            taken: (0..brokers).map(|_| AtomicBool::new(false)).collect(),
            epoch: AtomicU64::new(0),
            limits: AtomicU32::new(0),
        }
    }

    fn slot(&self, scope: Scope) -> Option<&AtomicU8> {
        match scope {
            Scope::Global => Some(&self.global),
            Scope::Broker(id) => self.brokers.get(id.index()),
            Scope::Account(id) => self.accounts.get(id.index()),
            Scope::Agent(id) => self.agents.get(id.index()),
            Scope::Symbol(id) => self.symbols.get(id.index()),
        }
    }

    /// The level of one scope alone.
    pub fn level(&self, scope: Scope) -> KillLevel {
        let stored =
            self.slot(scope).map_or(KillLevel::Isolate, |s| level(s.load(Ordering::SeqCst)));
        if scope == Scope::Global { stored.max(self.signalled()) } else { stored }
    }

    /// The level that holds for an order: the highest of its five scopes.
    #[inline]
    pub fn effective(&self, route: Route) -> KillLevel {
        let at = |table: &[AtomicU8], index: usize| {
            table.get(index).map_or(u8::MAX, |slot| slot.load(Ordering::SeqCst))
        };
        let highest = self
            .global
            .load(Ordering::SeqCst)
            .max(at(&self.brokers, route.broker.index()))
            .max(planted!(BoardForgetsAccount, at(&self.accounts, route.account.index()), 0))
            .max(at(&self.agents, route.agent.index()))
            .max(planted!(BoardForgetsSymbol, at(&self.symbols, route.instrument.index()), 0));
        level(highest).max(self.signalled())
    }

    /// The first level of an order's scopes that forbids this effect.
    #[inline]
    fn forbids(&self, route: Route, effect: Effect) -> Option<KillLevel> {
        let forbidden = |level: &KillLevel| !effect.allowed_at(*level);
        if effect != Effect::Exits {
            return Some(self.effective(route)).filter(forbidden);
        }
        let stored = |scope| {
            self.slot(scope).map_or(KillLevel::Isolate, |s| level(s.load(Ordering::SeqCst)))
        };
        let scopes = route.scopes().map(stored);
        scopes.into_iter().chain([self.signalled()]).find(forbidden)
    }

    fn signalled(&self) -> KillLevel {
        if self.signals[1].load(Ordering::SeqCst) {
            KillLevel::Cancel
        } else if self.signals[0].load(Ordering::SeqCst) {
            KillLevel::Block
        } else {
            KillLevel::Normal
        }
    }

    /// The two flags a signal handler may set: global block, global cancel. They count as raised
    /// from the store on; the control plane then raises the level properly and clears them.
    pub fn signal_flags(&self) -> [Arc<SignalFlag>; 2] {
        self.signals.clone()
    }

    /// Takes back what signals asked for, once it stands on the board itself.
    pub fn take_signal(&self) -> Option<KillLevel> {
        let level = self.signalled();
        (level > KillLevel::Normal).then_some(level)
    }

    /// Clears the signal flags up to `level`.
    pub fn clear_signals(&self, level: KillLevel) {
        if level >= KillLevel::Block {
            self.signals[0].store(false, Ordering::SeqCst);
        }
        if level >= KillLevel::Cancel {
            self.signals[1].store(false, Ordering::SeqCst);
        }
    }

    /// Stores the level; it never falls here. The latch is set when this returns, but a write that
    /// had its permit may still be under way: see [`Self::raise`].
    pub fn latch(&self, scope: Scope, to: KillLevel) -> bool {
        let Some(slot) = self.slot(scope) else { return false };
        planted!(
            TripOverwrites,
            slot.fetch_max(to as u8, Ordering::SeqCst),
            slot.swap(to as u8, Ordering::SeqCst),
        );
        self.epoch.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// A number that changes with every kill and every arm: what was decided before one is not to
    /// leave after it.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Version of the limits in force: an approval under an older one is not to leave.
    #[inline]
    pub fn limits(&self) -> u32 {
        self.limits.load(Ordering::SeqCst)
    }

    /// Other limits are in force from now on.
    pub fn set_limits(&self, version: u32) {
        self.limits.fetch_max(version, Ordering::SeqCst);
    }

    /// Waits until every write that had its permit before now has finished.
    pub fn drain_writers(&self) {
        for writer in &self.writers {
            let seen = writer.load(Ordering::SeqCst);
            if seen % 2 == 1 {
                while writer.load(Ordering::SeqCst) == seen {
                    sync::spin_loop();
                }
            }
        }
    }

    /// Raises `scope` to at least `to` and returns once no covered write is under way. `false` if
    /// there is no such scope.
    pub fn raise(&self, scope: Scope, to: KillLevel) -> bool {
        let known = self.latch(scope, to);
        self.drain_writers();
        known
    }

    /// Lowers a scope. Only [`super::arm`] may.
    pub(super) fn lower(&self, scope: Scope, from: KillLevel, to: KillLevel) -> bool {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.slot(scope).is_some_and(|slot| {
            slot.compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        })
    }

    /// The one writer of a broker connection (INV-1); `None` if it is out already. Dropping it gives it
    /// back.
    pub fn writer(self: &Arc<Self>, broker: BrokerId) -> Option<Writer> {
        let taken = self.taken.get(broker.index())?;
        (!taken.swap(true, Ordering::SeqCst)).then(|| Writer { board: Arc::clone(self), broker })
    }
}

fn level(stored: u8) -> KillLevel {
    KillLevel::from_u8(stored)
}

/// The right to ask for permits of one broker connection. There is one per connection, so one count
/// tells whether a write is under way.
#[derive(Debug)]
pub struct Writer {
    board: Arc<KillBoard>,
    broker: BrokerId,
}

impl Writer {
    /// The board that its permits come from.
    #[inline]
    pub fn board(&self) -> &KillBoard {
        &self.board
    }

    /// A permit to start one write now. Keep it until the write call has returned.
    ///
    /// # Errors
    /// The level that forbids it.
    #[inline]
    pub fn permit(&mut self, route: Route, effect: Effect) -> Result<Permit<'_>, KillLevel> {
        let slot = &self.board.writers[self.broker.index()];
        slot.fetch_add(1, Ordering::SeqCst);
        let permit = Permit { slot };
        match self.board.forbids(route, effect) {
            None => Ok(permit),
            Some(level) => Err(level),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.board.taken[self.broker.index()].store(false, Ordering::SeqCst);
    }
}

/// Proof that the kill switch was read in this call and allows the write. Borrowed, so that it
/// cannot be kept for later.
#[derive(Debug)]
#[must_use]
pub struct Permit<'a> {
    slot: &'a AtomicU64,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.slot.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Route {
        Route {
            broker: BrokerId(0),
            account: AccountId(0),
            agent: AgentId(2),
            instrument: InstrumentId(1),
        }
    }

    const SCOPES: [Scope; 5] = [
        Scope::Global,
        Scope::Broker(BrokerId(0)),
        Scope::Account(AccountId(0)),
        Scope::Agent(AgentId(2)),
        Scope::Symbol(InstrumentId(1)),
    ];

    #[test]
    fn every_scope_and_level_decides_every_effect() {
        for scope in SCOPES {
            for level in KillLevel::ALL {
                let board = Arc::new(KillBoard::new(1, 1, 4, 2));
                let mut writer = board.writer(BrokerId(0)).unwrap();
                assert!(board.raise(scope, level));
                let passes =
                    |w: &mut Writer, effect: Effect| w.permit(route(), effect).map(drop).is_ok();
                assert_eq!(passes(&mut writer, Effect::Opens), level == KillLevel::Normal);
                assert_eq!(passes(&mut writer, Effect::Reduces), level <= KillLevel::ReduceOnly);
                assert!(passes(&mut writer, Effect::Cancels), "cancels pass at every level");
                // Levels only rise.
                board.raise(scope, KillLevel::ReduceOnly);
                assert_eq!(board.level(scope), level.max(KillLevel::ReduceOnly));
            }
        }
    }

    #[test]
    fn other_scopes_are_free_and_unknown_ones_are_refused() {
        let board = Arc::new(KillBoard::new(1, 1, 4, 2));
        board.raise(Scope::Agent(AgentId(3)), KillLevel::Cancel);
        board.raise(Scope::Symbol(InstrumentId(0)), KillLevel::Cancel);
        assert_eq!(board.effective(route()), KillLevel::Normal);
        assert!(!board.raise(Scope::Agent(AgentId(9)), KillLevel::Block));
        assert_eq!(
            board.effective(Route { agent: AgentId(9), ..route() }),
            KillLevel::Isolate,
            "an order of an unknown agent never leaves"
        );
    }

    #[test]
    fn a_signal_counts_from_its_store() {
        let board = Arc::new(KillBoard::new(1, 1, 4, 2));
        board.signal_flags()[0].store(true, Ordering::SeqCst);
        assert_eq!(board.effective(route()), KillLevel::Block);
        board.signal_flags()[1].store(true, Ordering::SeqCst);
        assert_eq!(board.take_signal(), Some(KillLevel::Cancel));
        board.raise(Scope::Global, KillLevel::Cancel);
        board.clear_signals(KillLevel::Cancel);
        assert_eq!(board.level(Scope::Global), KillLevel::Cancel);
    }

    /// INV-1: two writers of one connection cannot exist.
    #[test]
    fn one_writer_a_broker() {
        let board = Arc::new(KillBoard::new(1, 1, 4, 2));
        let writer = board.writer(BrokerId(0)).unwrap();
        assert!(board.writer(BrokerId(0)).is_none());
        assert!(board.writer(BrokerId(1)).is_none());
        drop(writer);
        assert!(board.writer(BrokerId(0)).is_some());
    }

    /// INV-4: when a trip returns, its writes are over.
    #[test]
    fn no_write_begins_after_raise_returns_and_none_is_under_way() {
        // The writer marks what it does between permit and drop; the killer looks right after
        // `raise`. A mark that is on, or that goes on later, is a leak.
        for round in 0..2_000u64 {
            let board = Arc::new(KillBoard::new(1, 1, 4, 2));
            let writing = Arc::new(AtomicBool::new(false));
            let written = Arc::new(AtomicU64::new(0));
            let thread = {
                let (mut writer, writing, written) = (
                    board.writer(BrokerId(0)).unwrap(),
                    Arc::clone(&writing),
                    Arc::clone(&written),
                );
                std::thread::spawn(move || {
                    while let Ok(permit) = writer.permit(route(), Effect::Opens) {
                        writing.store(true, Ordering::SeqCst);
                        written.fetch_add(1, Ordering::SeqCst);
                        writing.store(false, Ordering::SeqCst);
                        drop(permit);
                    }
                })
            };
            for _ in 0..round % 300 {
                std::hint::spin_loop();
            }
            board.raise(Scope::Global, KillLevel::Block);
            assert!(!writing.load(Ordering::SeqCst), "a write is under way after the latch");
            let count = written.load(Ordering::SeqCst);
            thread.join().unwrap();
            assert_eq!(written.load(Ordering::SeqCst), count, "a write began after the latch");
        }
    }
}
