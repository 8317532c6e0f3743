//! Broker connections: an actor each on an arbiter of its own, on the core lane, or in this process.

use super::Plan;
use crate::actors::oms::Oms;
use crate::broker::SessionFigures;
use crate::desk::Link;
use crate::desk::connection::Connection;
use crate::journal::World;
use crate::kill::KillBoard;
use crate::live::broker_io::{BrokerIo, BrokerParts, CommandEdge, RemoteLink};
use crate::live::clock::Clock;
use crate::live::edge::{ReportEdge, Waker};
use crate::live::keeper::Guard;
use crate::live::lane_broker::LaneLink;
use crate::live::service::ServiceError;
use crate::live::sockets::Sockets;
use crate::types::BrokerId;
use crate::wiring::{Topology, Venue};
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The brokers of a gateway before their actors are started.
pub struct Brokers {
    /// The desk's ends, in the order of the brokers.
    pub links: Vec<Box<dyn Link>>,
    /// What others ask of those with sockets, past the core.
    pub commands: Vec<Arc<CommandEdge>>,
    /// What sessions count, by the names of their brokers.
    pub figures: Vec<(String, Arc<SessionFigures>)>,
    /// What actors are made of, for those that have one.
    pub actors: Vec<BrokerParts>,
}

impl Brokers {
    /// Plans every broker of the configuration, for a gateway with these books and tag.
    pub fn plan(
        topology: &Topology,
        (oms, instance): (Option<&Oms>, u32),
        world: World,
        board: &Arc<KillBoard>,
        (waker, stop): (&Arc<Waker>, &Arc<AtomicBool>),
        plan: &mut Plan,
    ) -> Result<Self, ServiceError> {
        let gateway = format!("qtos-{instance:08x}");
        let mut brokers = Self {
            links: Vec::new(),
            commands: Vec::new(),
            figures: Vec::new(),
            actors: Vec::new(),
        };
        for (number, spec) in topology.brokers.iter().enumerate() {
            let broker = BrokerId(number as u8);
            if let Venue::InProcess(_) = spec.venue {
                if world == World::Open {
                    let books = oms.map(|oms| &oms.books);
                    brokers.links.extend(topology.in_process(broker, board, books)?);
                }
                continue;
            }
            let session = topology
                .remote_session(broker, &gateway, oms, Clock::new().now())
                .map_err(ServiceError::Broker)?;
            let Some(session) = session else { continue };
            let figures = session.figures().map(|figures| (spec.name.clone(), Arc::clone(figures)));
            brokers.figures.extend(figures);
            let (board, commands) = (Arc::clone(board), Arc::new(CommandEdge::new()));
            brokers.commands.push(Arc::clone(&commands));
            let status = plan.status(format!("broker:{}", spec.name));
            if spec.on_core {
                let writer = board.writer(broker).ok_or_else(|| {
                    ServiceError::Broker(format!("broker {} has a writer already", spec.name))
                })?;
                let connection = Connection::new(
                    session.make(),
                    Sockets::new(session.endpoints.clone()),
                    writer,
                );
                brokers.links.push(Box::new(LaneLink::new(connection, commands, board, status)));
                continue;
            }
            let reports = ReportEdge::new(Arc::clone(waker));
            let ends = (Arc::clone(&commands), reports.clone());
            brokers.links.push(Box::new(RemoteLink::new(ends.0, ends.1, Arc::clone(&board))));
            let stop = Arc::clone(stop);
            let parts = BrokerParts { session, commands, reports, board, broker, status, stop };
            brokers.actors.push(parts);
        }
        Ok(brokers)
    }
}

/// Starts a broker's actor; `guard` tells its keeper when it is gone.
pub fn launch_broker(parts: BrokerParts, guard: Guard) {
    let arbiter = Arbiter::new();
    BrokerIo::start_in_arbiter(&arbiter.handle(), move |_| BrokerIo::new(parts, guard));
}
