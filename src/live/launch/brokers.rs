//! Broker connections: an actor each, on an arbiter of its own.

use crate::kill::KillBoard;
use crate::live::broker_io::{BrokerIo, BrokerParts, CommandEdge};
use crate::live::edge::ReportEdge;
use crate::live::keeper::Guard;
use crate::live::status::ActorStatus;
use crate::types::BrokerId;
use crate::wiring::RemoteSession;
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Makes a broker's actor.
pub struct BrokerFactory {
    pub(in crate::live) session: RemoteSession,
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
        let parts = BrokerParts {
            session: self.session.make(),
            endpoints: self.session.endpoints.clone(),
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
