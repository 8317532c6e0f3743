//! A gateway for tests: it remembers what it was asked and answers in kind.

use super::{Gateway, OrderEntry, OrderFilter, Refusal};
use crate::msg::{ActionKind, AgentState};
use crate::types::{
    AgentId, ClientOrderId, Date, InstrumentId, KillLevel, Notional, OrdStatus, OrderQty, Price,
    Qty, Reason, Scope, Timestamp,
};
use crate::view::{
    ActionResult, ActorView, AgentAction, AgentView, ArmChallenge, ArmResult, DrillResult,
    FillView, FlattenResult, Heartbeat, KillResult, KillView, LimitRequest, LimitResult, LimitView,
    Limits, LimitsVersion, Liveness, OrderView, PositionView, Readiness, ReplaceOrderRequest,
    Status, TripView,
};
use crate::wiring::{Names, Topology, Vocabulary};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Remembers calls; `level` is the board.
pub(crate) struct Fake {
    names: Names,
    pub level: AtomicU8,
    pub ready: AtomicBool,
    pub calls: Mutex<Vec<String>>,
    orders: Mutex<Vec<OrderView>>,
}

impl Fake {
    pub fn new() -> Self {
        let text = include_str!("../../config/sandbox.toml");
        let topology = Topology::parse("sandbox.toml", text, &Vocabulary::default()).unwrap();
        Self {
            names: topology.names,
            level: AtomicU8::new(0),
            ready: AtomicBool::new(true),
            calls: Mutex::default(),
            orders: Mutex::default(),
        }
    }
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
    fn level(&self) -> KillLevel {
        KillLevel::from_u8(self.level.load(Ordering::SeqCst))
    }
    fn change(
        &self,
        id: ClientOrderId,
        change: impl FnOnce(&mut OrderView),
    ) -> Result<OrderView, Refusal> {
        let mut orders = self.orders.lock().unwrap();
        let order = orders.iter_mut().find(|order| order.id == id.to_string());
        let order = order.ok_or_else(|| Refusal::NotFound(format!("no order {id}")))?;
        change(order);
        Ok(order.clone())
    }
}

impl Gateway for Fake {
    fn names(&self) -> &Names {
        &self.names
    }
    fn liveness(&self) -> Liveness {
        Liveness { live: true, boot: 1, core_beat_age_ms: Some(1) }
    }
    fn watched(&self) {}
    fn readiness(&self) -> Readiness {
        let ready = self.ready.load(Ordering::SeqCst);
        let reasons = if ready { vec![] } else { vec!["broker:sandbox unreconciled".to_owned()] };
        Readiness { ready, reasons }
    }
    fn metrics(&self) -> String {
        "qtos_orders_total 0\n".to_owned()
    }
    fn status(&self) -> Result<Status, Refusal> {
        let level = self.level();
        let trip = TripView {
            scope: "global".to_owned(),
            level,
            reason: "drill".to_owned(),
            episode: 1,
            since: Timestamp::ZERO,
            progress: "requested".to_owned(),
        };
        let scopes = if level == KillLevel::Normal { vec![] } else { vec![trip] };
        Ok(Status {
            mode: "sandbox".to_owned(),
            ready: true,
            kill: KillView { level, scopes },
            holds: vec![],
            orders_open: 0,
            orders_in_doubt: 0,
            positions: vec![],
            actors: self.actors()?,
        })
    }
    fn actors(&self) -> Result<Vec<ActorView>, Refusal> {
        Ok(vec![ActorView { name: "core".to_owned(), state: "running".to_owned(), restarts: 0 }])
    }
    fn orders(&self, filter: OrderFilter) -> Result<Vec<OrderView>, Refusal> {
        let open = |order: &&OrderView| !filter.open || order.status == OrdStatus::New;
        Ok(self.orders.lock().unwrap().iter().filter(open).take(filter.limit).cloned().collect())
    }
    fn fills(&self, _limit: usize) -> Result<Vec<FillView>, Refusal> {
        Ok(vec![])
    }
    fn positions(&self) -> Result<Vec<PositionView>, Refusal> {
        Err(Refusal::Unavailable("the core does not answer".to_owned()))
    }
    fn limits(&self) -> Result<Limits, Refusal> {
        let text = |text: &str| text.to_owned();
        let (control, scope, value) = (text("max_order_qty"), text("global"), text("1000"));
        let limits = vec![LimitView { control, scope, value, used: None, denied: 0 }];
        Ok(Limits { version: 1, limits, rules: Vec::new() })
    }
    fn set_limit(&self, scope: Scope, wish: LimitRequest) -> Result<LimitResult, Refusal> {
        self.note(format!("limit {} {scope:?} {} {}", wish.control, wish.value, wish.reason));
        let LimitRequest { control, scope, value, .. } = wish;
        let before = Some("1000".to_owned());
        let applied = value == "500";
        let challenge = (!applied).then(|| ArmChallenge {
            challenge: "10053".to_owned(),
            expires_seconds: 60,
            facts: vec!["it loosens".to_owned()],
        });
        Ok(LimitResult { control, scope, before, value, applied, version: 2, challenge })
    }
    fn limit_confirm(&self, challenge: &str) -> Result<LimitsVersion, Refusal> {
        match challenge {
            "10053" => Ok(LimitsVersion { version: 3 }),
            _ => Err(Refusal::Refused("no such challenge".to_owned())),
        }
    }
    fn agents(&self) -> Result<Vec<AgentView>, Refusal> {
        Ok(vec![])
    }
    fn place(&self, order: OrderEntry) -> Result<OrderView, Refusal> {
        if self.level() > KillLevel::Normal {
            return Err(Refusal::Denied(Reason::Kill, "global is at cancel".to_owned()));
        }
        let OrderQty::Units(qty) = order.terms.qty else {
            return Err(Refusal::Denied(Reason::BrokerUnsupported, "no cash orders".to_owned()));
        };
        let mut orders = self.orders.lock().unwrap();
        let seq = orders.len() as u32 + 1;
        let id = ClientOrderId { instance: 7, epoch: 1, agent: AgentId::OPERATOR, seq };
        orders.push(OrderView {
            id: id.to_string(),
            venue_id: None,
            account: self.names.account(order.account).to_owned(),
            agent: "operator".to_owned(),
            symbol: self.names.symbol(order.instrument).to_owned(),
            side: order.terms.side,
            ord_type: order.terms.ord_type.name().to_owned(),
            qty: Some(qty),
            cash: None,
            price: order.terms.ord_type.limit_price(),
            stop_px: order.terms.ord_type.stop_price(),
            tif: order.terms.tif,
            status: OrdStatus::New,
            filled: Qty::ZERO,
            avg_price: Price::ZERO,
            reason: None,
            created: Timestamp::ZERO,
        });
        Ok(orders[seq as usize - 1].clone())
    }
    fn cancel(&self, order: ClientOrderId) -> Result<OrderView, Refusal> {
        self.change(order, |order| order.status = OrdStatus::PendingCancel)
    }
    fn replace(
        &self,
        order: ClientOrderId,
        change: ReplaceOrderRequest,
    ) -> Result<OrderView, Refusal> {
        self.change(order, |order| order.price = change.price.or(order.price))
    }
    fn flatten(&self, scope: Scope, reason: &str) -> Result<FlattenResult, Refusal> {
        self.note(format!("flatten {scope:?} {reason}"));
        let scope = self.names.scope_name(scope);
        Ok(FlattenResult { scope, orders: vec![], denied: vec![] })
    }
    fn corporate_action(
        &self,
        instrument: InstrumentId,
        kind: ActionKind,
        on: Option<Date>,
        reason: &str,
    ) -> Result<ActionResult, Refusal> {
        self.note(format!("{kind:?} {reason}"));
        let symbol = self.names.instruments().get(instrument).symbol.clone();
        Ok(ActionResult { symbol, on: on.unwrap_or_default(), waits: on.is_some(), held: false })
    }
    fn heartbeat(&self) -> Result<Heartbeat, Refusal> {
        self.note("heartbeat".to_owned());
        Ok(Heartbeat { heard: Timestamp::ZERO })
    }
    fn latch(&self, scope: Scope, level: KillLevel) {
        self.level.fetch_max(level as u8, Ordering::SeqCst);
        self.note(format!("latch {scope:?} {level}"));
    }
    fn kill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<KillResult, Refusal> {
        self.note(format!("kill {scope:?} {level} {reason}"));
        Ok(KillResult { scope: self.names.scope_name(scope), level, episode: 1, open_orders: 2 })
    }
    fn drill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<DrillResult, Refusal> {
        let KillResult { scope, level, episode, .. } = self.kill(scope, level, reason)?;
        let (gate_closed_us, cancel_written_us, confirmed_us) = (1, Some(2), None);
        Ok(DrillResult { scope, level, episode, gate_closed_us, cancel_written_us, confirmed_us })
    }
    fn arm(&self, scope: Scope, reason: &str) -> Result<ArmChallenge, Refusal> {
        self.note(format!("arm {scope:?} {reason}"));
        if self.level() == KillLevel::Normal {
            return Err(Refusal::Refused("global is not killed".to_owned()));
        }
        let facts = vec!["2 orders were open".to_owned()];
        Ok(ArmChallenge { challenge: "c0ffee".to_owned(), expires_seconds: 60, facts })
    }
    fn arm_confirm(&self, challenge: &str) -> Result<ArmResult, Refusal> {
        if challenge != "c0ffee" {
            return Err(Refusal::Refused("no such challenge".to_owned()));
        }
        self.level.store(0, Ordering::SeqCst);
        Ok(ArmResult { scope: "global".to_owned(), level: KillLevel::Normal })
    }
    fn steer(&self, agent: AgentId, action: AgentAction) -> Result<AgentView, Refusal> {
        self.note(format!("{action:?} {}", self.names.agent(agent)));
        let state = match action {
            AgentAction::Pause => AgentState::Paused,
            AgentAction::Resume => AgentState::Running,
        };
        Ok(AgentView {
            name: self.names.agent(agent).to_owned(),
            kind: "observer".to_owned(),
            account: "paper".to_owned(),
            lane: "core".to_owned(),
            state,
            orders: 0,
            fills: 0,
            denied: 0,
            pnl: Notional::ZERO,
        })
    }
}
