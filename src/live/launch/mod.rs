//! Starting the actors of a gateway: each kind in its file, all under a keeper.

mod brokers;
mod core;
mod feeds;
mod lanes;

pub use brokers::{Brokers, launch_broker};
pub use core::start_core;
pub use feeds::feeds;
pub use lanes::agent_lanes;

use super::data_io::FeedFigures;
use super::handle::Handle;
use super::keeper::{Factory, Keeper};
use super::status::ActorStatus;
use crate::msg::Rule;
use crate::types::{KillLevel, Scope};
use crate::wiring::Topology;
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Keepers and what they keep.
pub struct Plan {
    /// What supervision sees, in the order of planning.
    pub statuses: Vec<Arc<ActorStatus>>,
    /// One a child.
    pub keepers: Vec<Addr<Keeper>>,
    /// Records merged on the way to a lane, by its name.
    pub merged: Vec<(String, Arc<AtomicU64>)>,
    /// What data streams have brought, by their names.
    pub feeds: Vec<(String, Arc<FeedFigures>)>,
}

impl Plan {
    /// A status for an actor of this name.
    pub fn status(&mut self, name: String) -> Arc<ActorStatus> {
        let status = Arc::new(ActorStatus::new(name));
        self.statuses.push(Arc::clone(&status));
        status
    }

    /// A counter of records merged on the way to a lane.
    pub fn merged(&mut self, name: &str) -> Arc<AtomicU64> {
        let count: Arc<AtomicU64> = Arc::default();
        self.merged.push((name.to_owned(), Arc::clone(&count)));
        count
    }

    /// Figures of a data stream of this name.
    pub fn figures(&mut self, name: &str) -> Arc<FeedFigures> {
        let figures: Arc<FeedFigures> = Arc::default();
        self.feeds.push((name.to_owned(), Arc::clone(&figures)));
        figures
    }

    /// Puts a child under a keeper, which starts it.
    pub fn keep(
        &mut self,
        topology: &Topology,
        status: Arc<ActorStatus>,
        start: Factory,
        escalate: Box<dyn FnMut(&ActorStatus)>,
    ) {
        self.keepers.push(Keeper::watch(status, topology.restarts, start, escalate));
    }
}

/// Out of restarts: what the actor carried is blocked until an operator looks.
pub fn escalation(handle: Handle, scope: Scope) -> Box<dyn FnMut(&ActorStatus)> {
    Box::new(move |status| {
        let reason = format!("{} is out of restarts", status.name);
        let _ = handle.trip(Rule::RestartBudget, scope, KillLevel::Block, &reason);
    })
}
