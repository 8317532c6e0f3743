//! What people do in a session: kill, arm, resume agents. The latch file is the production one, in
//! memory.

use super::World;
use crate::actors::Notice;
use crate::kill::Trip as LatchTrip;
use crate::msg::{Act, AgentState, Control, Input, Intervention, KillOrder};
use crate::sim::plan::Trip;
use crate::sim::watch::Violation;
use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Scope};
use std::sync::atomic::Ordering;

impl World {
    /// An operator lets quarantined agents run again.
    pub(super) fn resume_agents(&mut self) {
        let agents = self.process.topology().names.agents().len() as u16;
        for number in AgentId::FIRST..agents {
            let agent = AgentId(number);
            let core = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref());
            if core.is_some_and(|core| core.risk.halts.agent(agent) == AgentState::Quarantined) {
                self.control(Control::Agent { agent, state: AgentState::Running });
            }
        }
    }

    pub(super) fn control(&mut self, control: Control) {
        let wall = self.wall();
        self.call(|desk| desk.deliver(wall, &Input::Control(control)));
    }

    pub(super) fn scope(&self, place: u64) -> Scope {
        let topology = self.process.topology();
        let at = |count: usize| (place >> 8) % count.max(1) as u64;
        match place % 16 {
            0 => Scope::Global,
            1 | 2 => Scope::Broker(BrokerId(at(topology.brokers.len()) as u8)),
            3..=6 => Scope::Account(AccountId(at(topology.accounts.len()) as u16)),
            7..=11 => Scope::Symbol(InstrumentId(at(topology.names.instruments().len()) as u16)),
            _ => Scope::Agent(AgentId(AgentId::FIRST + at(topology.agents.len()) as u16)),
        }
    }

    pub(super) fn trip(&mut self, trip: Trip) {
        let scope = self.scope(trip.place);
        if trip.mid_send && self.process.is_up() {
            for port in &self.process.ports {
                let _ = port.trips.push((scope, trip.level));
            }
            return;
        }
        self.process.board.raise(scope, trip.level);
        self.killed(scope, trip.level);
    }

    /// A kill stands on the board: the latch file knows it, the core is told.
    pub(super) fn killed(&mut self, scope: Scope, level: KillLevel) {
        self.outcome.trips += 1;
        let name = self.process.topology().names.scope_name(scope);
        match self.latch.raise(&name, level, "sim", self.wall()) {
            Ok(trip) => {
                self.watch.tripped(scope, level);
                self.watch.decided(level, trip.episode);
                let (reason, episode) = (trip.reason, trip.episode);
                let kill = KillOrder { scope, level, reason, episode, rule: None };
                self.control(Control::Kill(kill));
                self.told(scope, level);
            }
            Err(error) => self.fail(Violation::new("I13", error.to_string())),
        }
    }

    /// The core has heard of a kill.
    fn told(&mut self, scope: Scope, level: KillLevel) {
        let (wall, mut found) = (self.wall(), Vec::new());
        if let Some(core) = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref()) {
            self.watch.duty.told(wall, core, (scope, level), &mut found);
        }
        found.into_iter().for_each(|violation| self.fail(violation));
    }

    /// Kills of the core since the last call: they stand on the board already.
    pub(super) fn guardian_kills(&mut self, found: &mut Vec<Violation>) -> Vec<Intervention> {
        let (mut kills, wall) = (Vec::new(), self.wall());
        let given = self.process.ports.iter().map(|port| port.snapshots.load(Ordering::SeqCst));
        let given: Vec<u64> = given.collect();
        let Some(desk) = &mut self.process.desk else { return kills };
        while let Some(notice) = desk.next_notice() {
            match notice {
                Notice::Intervened(done) => {
                    self.watch.duty.intervened(wall, &done, found);
                    if let Act::Kill { level, episode, .. } = done.act {
                        self.watch.decided(level, episode);
                        kills.push(done);
                    }
                }
                Notice::Confirmed { scope, .. } => {
                    if let Some(core) = &desk.lane.core {
                        self.watch.duty.confirmed(core, &given, scope, found);
                    }
                }
                _ => {}
            }
        }
        kills
    }

    /// The latch file takes them.
    pub(super) fn keep(&mut self, kills: Vec<Intervention>) {
        for Intervention { rule, scope, act } in kills {
            let Act::Kill { level, episode, cool_off } = act else { continue };
            self.outcome.trips += 1;
            self.watch.tripped(scope, level);
            let name = self.process.topology().names.scope_name(scope);
            let (reason, since, rule) = (rule.name().to_owned(), self.wall(), Some(rule));
            let trip = LatchTrip { scope: name, level, reason, episode, since, rule, cool_off };
            if let Err(error) = self.latch.record(trip) {
                self.fail(Violation::new("I13", error.to_string()));
            }
        }
    }

    /// An operator arms what may be armed, in two steps.
    pub(super) fn arm(&mut self) {
        if !self.process.is_up() || self.remote.quiet {
            return;
        }
        let now = self.wall();
        for trip in self.latch.trips().to_vec() {
            let names = &self.process.topology().names;
            let Ok(scope) = names.scope(&trip.scope) else { continue };
            let named = (scope, trip.scope.as_str());
            let random = self.dice.below(u64::MAX).to_le_bytes();
            let Ok(code) = self.arms.request(&self.latch, named, "found", "", random, now) else {
                continue;
            };
            let board = &self.process.board;
            let done = self.arms.confirm(&mut self.latch, board, &code, "", now);
            if let Ok((scope, trip, reason)) = done {
                if trip.rule.is_some() && now < trip.since + trip.cool_off {
                    self.fail(Violation::new("I13", format!("{scope:?} armed while it cools off")));
                }
                self.watch.armed(scope);
                let level = KillLevel::Normal;
                let arm =
                    KillOrder { scope, level, reason, episode: trip.episode, rule: trip.rule };
                self.control(Control::Arm(arm));
            }
        }
    }
}
