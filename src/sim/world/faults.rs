//! Where each fault strikes: the process, its disk, its clock, the market, or a broker.

use super::World;
use crate::sim::fault::Fault;
use crate::sim::plan::Injection;
use crate::sim::port::DiskFault;
use crate::types::{KillLevel, Nanos, Scope};
use std::sync::atomic::Ordering;

impl World {
    pub(super) fn inject(&mut self, injection: Injection) {
        let Injection { fault, place, .. } = injection;
        let mut strike = || *self.outcome.faults.entry(fault).or_default() += 1;
        match fault {
            Fault::Kill9 => {
                if self.process.is_up() {
                    strike();
                    self.process.fuse.light((place % 60) as u32);
                }
            }
            Fault::PowerLoss => {
                if self.process.is_up() {
                    strike();
                    self.process.kill(Some(place));
                    self.died();
                }
            }
            Fault::Stopped => {
                strike();
                self.stopped = Some(self.now + Nanos::from_millis(1_000 + place % 29_000));
            }
            Fault::QueueFull => {
                strike();
                for port in &self.process.ports {
                    port.full.store(1 + (place % 3) as u32, Ordering::SeqCst);
                }
            }
            Fault::DiskFull | Fault::DiskError => {
                strike();
                let kind = match (fault, place % 2) {
                    (Fault::DiskFull, _) => DiskFault::Full,
                    (_, 0) => DiskFault::Short,
                    _ => DiskFault::Sync,
                };
                self.process.disk.fail(kind);
            }
            Fault::ClockStep => {
                strike();
                self.skew = Nanos(self.skew.0 + 1_000_000 * (1 + place % 3_600_000));
            }
            Fault::CorporateAction => self.want_split(place),
            Fault::AgentPanic
            | Fault::MarketGap
            | Fault::MarketSilent
            | Fault::MarketDuplicate
            | Fault::MarketOld
            | Fault::MarketCrossed
            | Fault::MarketJump
            | Fault::MarketHalt => {
                strike();
                self.market.inject(self.now, fault);
            }
            _ if self.alpaca.is_some() => {
                if let Some(server) = &mut self.alpaca {
                    server.inject(self.now, fault, place);
                }
            }
            _ => {
                let count = self.brokers.len().max(1) as u64;
                let now = self.now;
                if let Some(broker) = self.brokers.get_mut((place % count) as usize) {
                    broker.prices.clone_from(&self.market.prices);
                    broker.inject(now, fault);
                }
            }
        }
    }

    /// The process is gone: somebody starts it again.
    pub(super) fn died(&mut self) {
        self.restart = Some(self.now + Nanos::from_millis(self.dice.between(100, 5_000)));
        self.after();
    }

    /// As the live driver: who cannot journal cannot trade.
    pub(super) fn disk(&mut self) {
        let failed = self.process.desk.as_ref().is_some_and(|desk| desk.log.has_failed());
        if failed && self.watch.levels.get(&Scope::Global) < Some(&KillLevel::Block) {
            self.process.board.raise(Scope::Global, KillLevel::Block);
            self.killed(Scope::Global, KillLevel::Block);
        }
    }

    /// A fault at the first broker or in the process, now.
    pub fn strike(&mut self, fault: Fault) {
        self.inject(Injection { at: self.elapsed(), fault, place: 0 });
    }

    /// `kill -9`.
    pub fn crash(&mut self) {
        self.process.kill(None);
        self.died();
    }

    /// The power fails.
    pub fn crash_losing_power(&mut self) {
        self.process.kill(Some(0));
        self.died();
    }
}
