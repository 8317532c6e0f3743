//! Broker connections: an actor each, on an arbiter of its own.

use crate::broker::{Backoff, SandboxConfig, SandboxSession};
use crate::kill::KillBoard;
use crate::live::broker_io::{BrokerIo, BrokerParts, CommandEdge};
use crate::live::edge::ReportEdge;
use crate::live::keeper::Guard;
use crate::live::status::ActorStatus;
use crate::types::{AccountId, BrokerId, InstrumentTable};
use crate::wiring::BrokerSpec;
use actix::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Makes a broker's actor.
pub struct BrokerFactory {
    pub(in crate::live) spec: BrokerSpec,
    pub(in crate::live) accounts: Vec<(AccountId, String)>,
    pub(in crate::live) instruments: InstrumentTable,
    pub(in crate::live) gateway: String,
    pub(in crate::live) addr: SocketAddr,
    pub(in crate::live) edge: Arc<CommandEdge>,
    pub(in crate::live) reports: ReportEdge,
    pub(in crate::live) board: Arc<KillBoard>,
    pub(in crate::live) broker: BrokerId,
    pub(in crate::live) status: Arc<ActorStatus>,
    pub(in crate::live) stop: Arc<AtomicBool>,
}

impl BrokerFactory {
    /// Makes the actor; `guard` tells its keeper when it is gone.
    pub fn launch(&self, guard: Guard) {
        let config = SandboxConfig {
            backoff: Backoff::new(self.spec.reconnect.min, self.spec.reconnect.max),
            ..SandboxConfig::tcp(&self.gateway, self.accounts.clone())
        };
        let parts = BrokerParts {
            session: Box::new(SandboxSession::new(config, self.instruments.clone())),
            addr: self.addr,
            commands: Arc::clone(&self.edge),
            reports: self.reports.clone(),
            board: Arc::clone(&self.board),
            broker: self.broker,
            status: Arc::clone(&self.status),
            stop: Arc::clone(&self.stop),
        };
        let arbiter = Arbiter::new();
        BrokerIo::start_in_arbiter(&arbiter.handle(), move |_| BrokerIo::new(parts, guard));
    }
}
