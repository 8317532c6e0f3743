//! A broker connection on the core lane itself: an order is written in the turn that decided it, with no
//! thread between. It has no keeper: a panic in it is one of the core, after which the service cancels
//! at the broker over a connection of its own.

use super::broker_io::CommandEdge;
use super::clock::Clock;
use super::sockets::Sockets;
use super::status::{ActorState, ActorStatus};
use crate::desk::connection::Connection;
use crate::desk::{Cleared, Link, NotSent};
use crate::kill::{Effect, KillBoard};
use crate::msg::Report;
use crate::types::{Reason, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Things that happen at most in a turn before the lane goes on.
const BURST: usize = 64;

/// The connection.
pub struct LaneLink {
    connection: Connection<Sockets>,
    /// What others ask of it, past the core.
    commands: Arc<CommandEdge>,
    board: Arc<KillBoard>,
    status: Arc<ActorStatus>,
    clock: Clock,
}

impl LaneLink {
    /// A link of `connection`, which writes under `board`.
    pub fn new(
        connection: Connection<Sockets>,
        commands: Arc<CommandEdge>,
        board: Arc<KillBoard>,
        status: Arc<ActorStatus>,
    ) -> Self {
        Self { connection, commands, board, status, clock: Clock::new() }
    }

    fn write(&mut self, now: Timestamp) {
        if self.connection.write(now) {
            self.note_cancel();
        }
    }

    /// Cancels are rare: the time after the write is worth a look at the clock.
    fn note_cancel(&self) {
        self.commands.cancelled.store(self.clock.now().nanos(), Ordering::Relaxed);
    }
}

impl Link for LaneLink {
    fn start(&mut self, now: Timestamp) {
        self.status.set(ActorState::Running);
        self.connection.start(now);
    }

    fn close(&mut self, now: Timestamp) {
        self.connection.close(now);
    }

    fn send(&mut self, now: Timestamp, cleared: Cleared) -> Result<(), NotSent> {
        let is_cancel = cleared.approved().effect() == Effect::Cancels;
        if !is_cancel && !self.connection.has_room() {
            return Err(NotSent::of(&cleared, Reason::Busy));
        }
        self.connection.push(cleared.wait(&self.board));
        self.write(now);
        Ok(())
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.connection.is_up() {
            self.connection.sweep(now);
            self.note_cancel();
        }
    }

    fn request_snapshot(&mut self, now: Timestamp) {
        self.connection.request_snapshot(now);
    }

    fn listen(&mut self, now: Timestamp) {
        if self.connection.is_up() && self.commands.take_cancel_all() {
            self.connection.cancel_all(now);
        }
        for _ in 0..BURST {
            if !self.connection.listen(now) {
                break;
            }
        }
        self.connection.on_time(now);
        if !self.connection.is_idle() {
            self.write(now);
        }
        self.status.beat(now);
    }

    fn poll(&mut self) -> Option<Report> {
        self.connection.poll()
    }
}
