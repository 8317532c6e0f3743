//! What supervision and operators see of an actor: a few atomics, written by it, read by anybody.

use crate::types::Timestamp;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ActorState {
    /// Being started.
    Starting = 0,
    /// At work.
    Running = 1,
    /// Failed, waits for its next start.
    Restarting = 2,
    /// Done, or out of restarts.
    Stopped = 3,
}

impl ActorState {
    /// The state's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// One actor.
#[derive(Debug)]
pub struct ActorStatus {
    /// Its name: `lane:core`, `broker:sandbox`, `feed:day`.
    pub name: String,
    state: AtomicU8,
    restarts: AtomicU32,
    beat: AtomicU64,
}

impl ActorStatus {
    /// A new actor's status.
    pub fn new(name: String) -> Self {
        Self {
            name,
            state: AtomicU8::new(ActorState::Starting as u8),
            restarts: AtomicU32::new(0),
            beat: AtomicU64::new(0),
        }
    }

    /// Where it is.
    pub fn state(&self) -> ActorState {
        match self.state.load(Ordering::Relaxed) {
            0 => ActorState::Starting,
            1 => ActorState::Running,
            2 => ActorState::Restarting,
            _ => ActorState::Stopped,
        }
    }

    /// Sets where it is.
    pub fn set(&self, state: ActorState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Times it was started again.
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Counts a restart.
    pub fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that it moves.
    #[inline]
    pub fn beat(&self, now: Timestamp) {
        self.beat.store(now.nanos(), Ordering::Relaxed);
    }

    /// When it last moved; zero for actors that do not say.
    pub fn last_beat(&self) -> Timestamp {
        Timestamp::from_nanos(self.beat.load(Ordering::Relaxed))
    }
}
