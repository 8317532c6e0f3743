//! How a session ends: all is well again, and the books must agree.

use super::{Outcome, QUIET, START, World};
use crate::desk::Desk;
use crate::msg::{AgentState, Control};
use crate::sim::alpaca;
use crate::sim::oracle;
use crate::sim::port::DiskFault;
use crate::types::{AgentId, KillLevel, Nanos};
use std::sync::atomic::Ordering;

/// How often an isolation at the end is lifted.
const ISOLATIONS: u32 = 4;

impl World {
    /// Everything is well from now on, and time passes until it must show.
    pub(super) fn settle(&mut self) {
        let now = self.now;
        for broker in &mut self.brokers {
            broker.heal(now);
        }
        if let Some(server) = &mut self.alpaca {
            server.heal();
        }
        (self.faults, self.trips) = (self.plan.faults.len(), self.plan.trips.len());
        self.process.disk.fail(DiskFault::None);
        if self.process.disk.failed.load(Ordering::SeqCst) {
            self.process.kill(None);
        }
        self.stopped = None;
        if !self.process.is_up() {
            self.restart = None;
            self.boot();
        }
        // A broker that stays isolated would never be heard of again, and a rule whose trouble shows only
        // now may isolate it once more.
        for _ in 0..ISOLATIONS {
            self.arm();
            self.rest();
            if self.latch.trips().iter().all(|trip| trip.level < KillLevel::Isolate) {
                return;
            }
        }
    }

    /// No agent trades, and time passes.
    fn rest(&mut self) {
        let agents = self.process.topology().names.agents().len() as u16;
        for number in AgentId::FIRST..agents {
            let (agent, state) = (AgentId(number), AgentState::Paused);
            self.control(Control::Agent { agent, state });
        }
        let end = self.now + QUIET;
        while self.outcome.violations.is_empty() && self.step(end) {}
        self.now = end;
        let wall = self.wall();
        self.call(|desk| desk.due_at(wall));
    }

    pub(super) fn finish(mut self) -> Outcome {
        let commit = |desk: &mut Desk| desk.log.commit().is_ok();
        self.call(commit);
        if self.outcome.violations.is_empty() {
            let (found, inputs) = oracle::judge(&self.process, &self.brokers, &self.watch);
            self.outcome.violations.extend(found);
            self.outcome.inputs = inputs;
            if let (Some(server), Some(desk)) = (&mut self.alpaca, &self.process.desk) {
                let found = alpaca::judge(desk, self.process.topology(), server, self.now);
                self.outcome.violations.extend(found);
            }
        }
        let at = self.now.since(START);
        for violation in &mut self.outcome.violations {
            if violation.at == Nanos(0) {
                violation.at = at;
            }
        }
        for fault in self.alpaca.iter_mut().flat_map(|server| server.struck.drain(..)) {
            *self.outcome.faults.entry(fault).or_default() += 1;
        }
        for broker in &mut self.brokers {
            for fault in broker.struck.drain(..) {
                *self.outcome.faults.entry(fault).or_default() += 1;
            }
        }
        if let Some(core) = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref()) {
            self.outcome.orders = core.tally().orders;
            self.outcome.fills = core.oms.fills().len() as u64;
        }
        if let Some(desk) = &self.process.desk {
            self.outcome.digest = desk.digest();
        }
        self.outcome.requests = self.watch.requests;
        self.outcome.after_kill = self.watch.after_kill;
        self.outcome.boots = self.process.epoch;
        self.outcome
    }
}
