//! The running gateway behind the control API: questions go to the core lane as closures, answers
//! come back as views.

use super::dropin::Figures;
use super::gateway::{Gateway, OrderEntry, OrderFilter, Refusal};
use super::grounds::{grounds, route};
use super::show::{
    agent_view, as_json, changed, fill_view, flattened, kill_view, order_view, positions, readiness,
};
use crate::actors::Core;
use crate::desk::Desk;
use crate::live::{Act, Handle, NoAnswer};
use crate::msg::{
    ActionKind, AgentState, CancelOrder, Contingent, Control, Input, NewOrder, OrderRequest,
    ReplaceOrder,
};
use crate::types::{AgentId, ClientOrderId, Date, InstrumentId, KillLevel, Nanos, Reason, Scope};
use crate::view::{
    ActionResult, ActorView, AgentAction, AgentView, ArmChallenge, ArmResult, DrillResult,
    FillView, FlattenResult, Heartbeat, HoldView, KillResult, LimitRequest, LimitResult, Limits,
    LimitsVersion, Liveness, OrderView, PositionView, Readiness, ReplaceOrderRequest, Status, word,
};
use crate::wiring::{Names, Topology};
use std::sync::Arc;
use std::time::Duration;

/// How long the core has to count what a kill covers.
const PATIENCE: Duration = Duration::from_secs(2);

/// [`Gateway`] over a [`Handle`].
pub struct LiveGateway {
    pub(super) handle: Handle,
    topology: Arc<Topology>,
    figures: Arc<Figures>,
}

impl LiveGateway {
    /// Serves this gateway.
    pub fn new(handle: Handle) -> Self {
        let topology = Arc::new(handle.topology().clone());
        Self { handle, topology, figures: Arc::default() }
    }

    /// What the order entry counts of itself.
    pub const fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// One line a symbol: best bid and ask. Nothing while the core does not answer.
    pub fn market(&self) -> Vec<String> {
        let lines = self.ask(|desk, topology| {
            let instruments = topology.names.instruments();
            instruments
                .iter()
                .map(|(id, instrument)| {
                    let touch = desk.lane.market.touch(id);
                    format!(
                        "{:<6} {} x {}  {} x {}",
                        instrument.symbol, touch.bid, touch.bid_size, touch.ask, touch.ask_size
                    )
                })
                .collect()
        });
        lines.unwrap_or_default()
    }

    /// Asks the core.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Desk, &Topology) -> R + Send + 'static,
    ) -> Result<R, Refusal> {
        let topology = Arc::clone(&self.topology);
        Ok(self.handle.call(move |desk, _, _| look(desk, &topology))?)
    }

    /// Sends a request as the operator and gives the order as it stands after.
    fn request(
        &self,
        request: OrderRequest,
        id: ClientOrderId,
        confirmed: bool,
    ) -> Result<OrderView, Refusal> {
        let topology = Arc::clone(&self.topology);
        let done = self.handle.call(move |desk, at, _| {
            if let (false, Some(core)) = (confirmed, &mut desk.lane.core)
                && let Some(control) = core.risk.large(at, &request, &core.oms, &desk.lane.market)
            {
                return Err(control);
            }
            let route = desk.lane.core.as_ref().and_then(|core| route(core, &request));
            let done = desk.request(at, AgentId::OPERATOR, request);
            let core = desk.lane.core.as_ref();
            let order = core.and_then(|core| core.oms.find(id)).map(|(_, order)| order);
            // A gate of another thread may have refused it by now.
            let unsent = order.filter(|order| order.was_denied()).and_then(|order| order.reason);
            let view = order.map(|order| order_view(order, &topology.names));
            let refused = done.err().or(unsent);
            let grounds = refused.map(|why| grounds(desk, &topology.names, why, route));
            Ok((refused.zip(grounds), view))
        })?;
        let done = done.map_err(|control| {
            Refusal::Refused(format!(
                "this uses more than half of `{control}`: say its size once more with `confirm`"
            ))
        })?;
        match done {
            (Some((Reason::UnknownOrder, _)), _) | (None, None) => {
                Err(Refusal::NotFound(format!("no open order {id}")))
            }
            (Some((reason, grounds)), _) => {
                Err(Refusal::Denied(reason, format!("{id} was refused. {grounds}")))
            }
            (None, Some(view)) => Ok(view),
        }
    }

    /// Notes what the operator asked for and what came of it. Afterwards: no order waits for the file.
    fn noted(
        &self,
        what: &str,
        said: &str,
        result: Result<OrderView, Refusal>,
    ) -> Result<OrderView, Refusal> {
        let after = match &result {
            Ok(order) => format!("{} {}", order.id, word(&order.status)),
            Err(refusal) => format!("refused: {refusal}"),
        };
        self.handle.note(Act::new("operator", what, said, "").changed("", after));
        result
    }
}

impl From<NoAnswer> for Refusal {
    fn from(no: NoAnswer) -> Self {
        Self::Unavailable(no.to_string())
    }
}

impl Gateway for LiveGateway {
    fn names(&self) -> &Names {
        &self.topology.names
    }

    fn liveness(&self) -> Liveness {
        let age = self.handle.beat().map(|beat| beat.age);
        Liveness {
            live: age.is_some_and(|age| age < Nanos::from_secs(2)),
            boot: self.handle.numbers().1,
            core_beat_age_ms: age.map(|age| age.0 / 1_000_000),
        }
    }

    fn watched(&self) {
        self.handle.watched();
    }

    fn readiness(&self) -> Readiness {
        let asked = self
            .ask(|desk, topology| desk.lane.core.as_ref().map(|core| readiness(core, topology)));
        match asked {
            Ok(Some(readiness)) => readiness,
            Ok(None) => Readiness { ready: false, reasons: vec!["no core".to_owned()] },
            Err(error) => Readiness { ready: false, reasons: vec![error.to_string()] },
        }
    }

    fn metrics(&self) -> String {
        super::metrics::render(&self.handle, &self.figures)
    }

    fn status(&self) -> Result<Status, Refusal> {
        let actors = self.actors()?;
        let trips = self.handle.trips();
        let mode = self.topology.mode.name().to_owned();
        self.ask(move |desk, topology| {
            let Some(core) = &desk.lane.core else {
                return Err(Refusal::Unavailable("no core".to_owned()));
            };
            let holds = core.risk.halts.holds().map(|(scope, kind, since)| HoldView {
                scope: topology.names.scope_name(scope),
                reason: kind.name().to_owned(),
                since,
            });
            Ok(Status {
                mode,
                ready: readiness(core, topology).ready,
                kill: kill_view(trips, core, &topology.names),
                holds: holds.collect(),
                orders_open: core.oms.open().count() as u64,
                orders_in_doubt: core.oms.in_doubt() as u64,
                positions: positions(core, &desk.lane.market, topology),
                actors,
            })
        })?
    }

    fn actors(&self) -> Result<Vec<ActorView>, Refusal> {
        let statuses = self.handle.statuses().iter().map(|status| ActorView {
            name: status.name.clone(),
            state: status.state().name().to_owned(),
            restarts: status.restarts(),
        });
        let mut actors: Vec<ActorView> = statuses.collect();
        let agents = self.ask(|desk, topology| {
            let Some(core) = &desk.lane.core else { return Vec::new() };
            topology
                .agents
                .iter()
                .map(|agent| ActorView {
                    name: format!("agent:{}", agent.name),
                    state: core.risk.halts.agent(agent.id).name().to_owned(),
                    restarts: 0,
                })
                .collect()
        })?;
        actors.extend(agents);
        actors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(actors)
    }

    fn orders(&self, filter: OrderFilter) -> Result<Vec<OrderView>, Refusal> {
        self.ask(move |desk, topology| {
            let Some(core) = &desk.lane.core else { return Vec::new() };
            let mut rows: Vec<OrderView> = core
                .oms
                .orders()
                .iter()
                .rev()
                .filter(|order| !filter.open || !order.state.is_done())
                .take(filter.limit)
                .map(|order| order_view(order, &topology.names))
                .collect();
            rows.reverse();
            rows
        })
    }

    fn fills(&self, limit: usize) -> Result<Vec<FillView>, Refusal> {
        self.ask(move |desk, topology| {
            let Some(core) = &desk.lane.core else { return Vec::new() };
            let fills = core.oms.fills();
            let from = fills.len().saturating_sub(limit);
            fills[from..].iter().map(|fill| fill_view(core, fill, &topology.names)).collect()
        })
    }

    fn positions(&self) -> Result<Vec<PositionView>, Refusal> {
        self.ask(|desk, topology| {
            let core = desk.lane.core.as_ref();
            core.map(|core| positions(core, &desk.lane.market, topology)).unwrap_or_default()
        })
    }

    fn limits(&self) -> Result<Limits, Refusal> {
        self.ask(|desk, topology| super::limits::show(desk, topology))
    }

    fn set_limit(&self, scope: Scope, wish: LimitRequest) -> Result<LimitResult, Refusal> {
        super::limits::set(&self.handle, scope, wish)
    }

    fn limit_confirm(&self, challenge: &str) -> Result<LimitsVersion, Refusal> {
        super::limits::confirm(&self.handle, challenge)
    }

    fn agents(&self) -> Result<Vec<AgentView>, Refusal> {
        self.ask(|desk, topology| {
            let Some(core) = &desk.lane.core else { return Vec::new() };
            let ids = topology.agents.iter().map(|agent| agent.id);
            ids.filter_map(|id| agent_view(core, desk, topology, id)).collect()
        })
    }

    fn place(&self, order: OrderEntry) -> Result<OrderView, Refusal> {
        let cl_ord_id = self.handle.operator_id();
        let own = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
        let new = NewOrder {
            cl_ord_id,
            account: order.account,
            instrument: order.instrument,
            intent: order.intent.unwrap_or(own),
            terms: order.terms,
            contingent: Contingent::None,
            parent: None,
        };
        tracing::info!(id = %cl_ord_id, "order of the operator");
        let said = as_json(&new);
        self.noted("order", &said, self.request(OrderRequest::New(new), cl_ord_id, order.confirmed))
    }

    fn cancel(&self, order: ClientOrderId) -> Result<OrderView, Refusal> {
        tracing::info!(id = %order, "cancel by the operator");
        let cancel = OrderRequest::Cancel(CancelOrder::of(order));
        self.noted("order_cancel", &order.to_string(), self.request(cancel, order, true))
    }

    fn replace(
        &self,
        order: ClientOrderId,
        change: ReplaceOrderRequest,
    ) -> Result<OrderView, Refusal> {
        let terms = self
            .ask(move |desk, _| {
                let core = desk.lane.core.as_ref()?;
                core.oms.find(order).map(|(_, order)| order.terms)
            })?
            .ok_or_else(|| Refusal::NotFound(format!("no order {order}")))?;
        let terms = changed(terms, &change).map_err(Refusal::Invalid)?;
        let confirmed =
            super::order::confirmed(terms.qty, change.confirm).map_err(Refusal::Invalid)?;
        let cl_ord_id = self.handle.operator_id();
        let intent = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
        let replace = ReplaceOrder { orig_cl_ord_id: order, cl_ord_id, intent, terms };
        tracing::info!(id = %order, "replace by the operator");
        let said = as_json(&replace);
        self.noted(
            "order_replace",
            &said,
            self.request(OrderRequest::Replace(replace), order, confirmed),
        )
    }

    fn flatten(&self, scope: Scope, reason: &str) -> Result<FlattenResult, Refusal> {
        tracing::warn!(reason, "flatten");
        let name = self.topology.names.scope_name(scope);
        self.handle.note(Act::new("operator", "flatten", &name, reason));
        let (reason, topology) = (reason.to_owned(), Arc::clone(&self.topology));
        let result = self.handle.call(move |desk, at, _| {
            desk.deliver(at, &Input::Control(Control::Flatten { scope, reason }));
            flattened(desk, &topology.names, name)
        })?;
        Ok(result)
    }

    fn corporate_action(
        &self,
        instrument: InstrumentId,
        kind: ActionKind,
        on: Option<Date>,
        reason: &str,
    ) -> Result<ActionResult, Refusal> {
        super::corporate::give(&self.handle, instrument, kind, on, reason)
    }

    fn heartbeat(&self) -> Result<Heartbeat, Refusal> {
        self.handle.deliver(Input::Control(Control::Heartbeat))?;
        Ok(Heartbeat { heard: self.handle.now() })
    }

    fn latch(&self, scope: Scope, level: KillLevel) {
        self.handle.board().latch(scope, level);
    }

    fn kill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<KillResult, Refusal> {
        // The gate is closed in any case; the core counts before it hears of the kill.
        self.handle.board().raise(scope, level);
        let open = self.handle.begin_call(move |desk, _, _| {
            let core = desk.lane.core.as_ref();
            let covered = |core: &Core| {
                let open = core.oms.open();
                open.filter(|(_, order)| order.route.covered_by(scope)).count() as u64
            };
            core.map_or(0, covered)
        });
        let trip = self
            .handle
            .kill(scope, level, reason)
            .map_err(|error| Refusal::Unavailable(format!("killed, but not durable: {error}")))?;
        let open = open.ok().and_then(|open| open.recv_timeout(PATIENCE).ok());
        Ok(KillResult {
            scope: trip.scope,
            level: trip.level,
            episode: trip.episode,
            open_orders: open.unwrap_or(0),
        })
    }

    fn drill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<DrillResult, Refusal> {
        let done = self
            .handle
            .drill(scope, level, reason)
            .map_err(|error| Refusal::Unavailable(format!("killed, but not durable: {error}")))?;
        let us = |span: Nanos| span.0.div_ceil(1_000);
        Ok(DrillResult {
            scope: done.trip.scope,
            level: done.trip.level,
            episode: done.trip.episode,
            gate_closed_us: us(done.gate_closed),
            cancel_written_us: done.cancel_written.map(us),
            confirmed_us: done.confirmed.map(us),
        })
    }

    fn arm(&self, scope: Scope, reason: &str) -> Result<ArmChallenge, Refusal> {
        self.reconciled(scope)?;
        let facts = self.facts()?;
        let (challenge, expires_seconds) = self.handle.arm(scope, reason, &facts.join("\n"))?;
        Ok(ArmChallenge { challenge, expires_seconds, facts })
    }

    fn arm_confirm(&self, challenge: &str) -> Result<ArmResult, Refusal> {
        let facts = self.facts()?;
        let scope = self.handle.arm_confirm(challenge, &facts.join("\n"))?;
        Ok(ArmResult {
            scope: self.topology.names.scope_name(scope),
            level: self.handle.board().level(scope),
        })
    }

    fn steer(&self, agent: AgentId, action: AgentAction) -> Result<AgentView, Refusal> {
        let state = match action {
            AgentAction::Pause => AgentState::Paused,
            AgentAction::Resume => AgentState::Running,
        };
        let control = Control::Agent { agent, state };
        self.handle.deliver(Input::Control(control))?;
        let name = self.topology.names.scope_name(Scope::Agent(agent));
        self.handle.note(Act::new("operator", "agent", name, "").changed("", state.name()));
        self.ask(move |desk, topology| {
            let core = desk.lane.core.as_ref()?;
            agent_view(core, desk, topology, agent)
        })?
        .ok_or_else(|| Refusal::NotFound("no such agent".to_owned()))
    }
}
