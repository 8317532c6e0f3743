//! Agent lanes: a thread each, made anew from what the core knows when one dies.

use super::Plan;
use crate::actors::{Lane, agent_state};
use crate::desk::Desk;
use crate::live::agent_lane::{self, AgentEdges};
use crate::live::edge::{MarketEdge, RequestEdge};
use crate::live::handle::Handle;
use crate::live::keeper::{Factory, Guard};
use crate::live::lane::AgentOut;
use crate::live::service::ServiceError;
use crate::live::status::ActorStatus;
use crate::msg::{Control, Rule};
use crate::types::{AgentId, KillLevel, Scope};
use crate::wiring::{LaneId, Placement, Registry, Topology};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// An agent lane before its thread is started.
pub struct PlannedLane {
    id: LaneId,
    name: String,
    edges: Arc<AgentEdges>,
    agents: Vec<AgentId>,
    status: Arc<ActorStatus>,
    first: Option<Lane>,
}

/// Plans every lane but the core's that has agents.
pub fn agent_lanes(
    topology: &Topology,
    registry: &Registry,
    desk: &Desk,
    plan: &mut Plan,
) -> Result<Vec<PlannedLane>, ServiceError> {
    let mut planned = Vec::new();
    for (number, spec) in topology.lanes.iter().enumerate().skip(1) {
        let id = LaneId(number as u8);
        let agents: Vec<AgentId> =
            topology.agents.iter().filter(|agent| agent.lane == id).map(|agent| agent.id).collect();
        if agents.is_empty() {
            continue;
        }
        let mut lane = topology.lane(registry, Placement::Lane(id))?;
        if let Some(core) = &desk.lane.core {
            lane.resume_all(core);
        }
        let mut edges = AgentEdges::new();
        edges.merged = plan.merged(&spec.name);
        planned.push(PlannedLane {
            id,
            name: spec.name.clone(),
            edges: Arc::new(edges),
            agents,
            status: plan.status(format!("lane:{}", spec.name)),
            first: Some(lane),
        });
    }
    Ok(planned)
}

impl PlannedLane {
    /// The core lane's end of it.
    pub fn out(&self, topology: &Topology) -> AgentOut {
        let mut listens = vec![false; topology.names.instruments().len()];
        for agent in topology.agents.iter().filter(|agent| agent.lane == self.id) {
            for symbol in &agent.symbols {
                listens[symbol.index()] = true;
            }
        }
        let edges = Arc::clone(&self.edges);
        let market = MarketEdge::new(
            Arc::clone(&edges.market),
            Arc::clone(&edges.waker),
            Arc::clone(&edges.merged),
        );
        AgentOut { edges, market, agents: self.agents.clone(), listens }
    }

    /// Starts it under a keeper.
    pub fn start(
        mut self,
        topology: &Topology,
        registry: &Registry,
        requests: &RequestEdge,
        stop: &Arc<AtomicBool>,
        handle: &Handle,
        plan: &mut Plan,
    ) {
        let idle = topology.lanes[usize::from(self.id.0)].idle;
        let (requests, stop, handle) = (requests.clone(), Arc::clone(stop), handle.clone());
        let (own_topology, registry) = (topology.clone(), registry.clone());
        let status = Arc::clone(&self.status);
        let (escalate_handle, agents) = (handle.clone(), self.agents.clone());
        let escalate: Box<dyn FnMut(&ActorStatus)> = Box::new(move |status| {
            for &agent in &agents {
                let reason = format!("{} is out of restarts", status.name);
                let scope = Scope::Agent(agent);
                let _ =
                    escalate_handle.trip(Rule::RestartBudget, scope, KillLevel::Cancel, &reason);
            }
        });
        let start: Factory = Box::new(move |mut guard: Guard| {
            let lane = match self.first.take() {
                Some(lane) => Some(lane),
                None => self.again(&own_topology, &registry, &handle),
            };
            let Some(lane) = lane else { return };
            let (edges, requests, status, stop) = (
                Arc::clone(&self.edges),
                requests.clone(),
                Arc::clone(&self.status),
                Arc::clone(&stop),
            );
            let spawned = std::thread::Builder::new().name(self.name.clone()).spawn(move || {
                if agent_lane::run(lane, &edges, &requests, idle, &status, &stop) {
                    guard.done();
                }
            });
            if let Err(error) = spawned {
                tracing::error!(%error, "no thread for an agent lane");
            }
        });
        plan.keep(topology, status, start, escalate);
    }

    /// The lane died: its agents start anew from what the core knows of them.
    fn again(&self, topology: &Topology, registry: &Registry, handle: &Handle) -> Option<Lane> {
        let mut lane = topology.lane(registry, Placement::Lane(self.id)).ok()?;
        let agents = self.agents.clone();
        let edges = Arc::clone(&self.edges);
        let known = handle
            .call(move |desk, _, _| {
                // On the core's thread: what is dropped here is in the books that are copied next.
                while edges.heard.pop().is_some() {}
                let core = desk.lane.core.as_ref();
                core.map(|core| {
                    agents.iter().map(|&a| (a, agent_state(&core.oms, a))).collect::<Vec<_>>()
                })
            })
            .ok()??;
        for (agent, (open, held)) in known {
            lane.resume(agent, open, held);
        }
        // A new run of these agents needs numbers that the broken one cannot have used: the next
        // ones of an epoch half-way up the range.
        let (instance, epoch) = handle.numbers();
        let restarts = self.status.restarts();
        let boot = Control::Boot { instance, epoch };
        lane.number_from(restarts.saturating_mul(1 << 24));
        let _ = self.edges.control.push(boot);
        Some(lane)
    }
}
