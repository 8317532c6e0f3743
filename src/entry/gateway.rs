//! The seam between the control API and a running gateway.

use crate::msg::{ActionKind, OrderTerms};
use crate::types::{
    AccountId, AgentId, ClientOrderId, Date, InstrumentId, KillLevel, Reason, Scope,
};
use crate::view::{
    ActionResult, ActorView, AgentAction, AgentView, ArmChallenge, ArmResult, DrillResult,
    FillView, FlattenResult, Heartbeat, KillResult, LimitRequest, LimitResult, Limits,
    LimitsVersion, Liveness, OrderView, PositionView, Readiness, ReplaceOrderRequest, Status,
};
use crate::wiring::Names;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It names something that is not there.
    #[error("{0}")]
    NotFound(String),
    /// Risk, a hold, a kill or the broker refused the order.
    #[error("{0}: {1}")]
    Denied(Reason, String),
    /// It cannot be done in this state, such as an arm whose facts have changed.
    #[error("{0}")]
    Refused(String),
    /// The core does not answer: it is starting, ending or stalled.
    #[error("{0}")]
    Unavailable(String),
}

/// An order of an operator, checked for form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderEntry {
    /// For which account.
    pub account: AccountId,
    /// Of what.
    pub instrument: InstrumentId,
    /// What it asks for.
    pub terms: OrderTerms,
    /// The caller's own number, where it gave one; else the gateway takes the next.
    pub intent: Option<u64>,
    /// The caller has said the size twice.
    pub confirmed: bool,
}

/// Which orders to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only those that may still fill.
    pub open: bool,
    /// At most so many, the newest.
    pub limit: usize,
}

/// A running gateway as operators see it.
///
/// Every method but [`Self::names`], [`Self::alive`] and [`Self::latch`] may wait for the core, so
/// the API calls it off its reactor. An implementation must give up after a short time with
/// [`Refusal::Unavailable`].
pub trait Gateway: Send + Sync {
    /// The names of the running topology. Immediate.
    fn names(&self) -> &Names;

    /// Whether the core moves. Immediate: reads its heartbeat, asks nobody.
    fn liveness(&self) -> Liveness;

    /// A watchdog has looked. Immediate.
    fn watched(&self);

    /// Whether orders are taken, and why not.
    fn readiness(&self) -> Readiness;

    /// The metrics in Prometheus text form. Names no accounts.
    fn metrics(&self) -> String;

    /// Everything at a glance.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn status(&self) -> Result<Status, Refusal>;

    /// Every actor.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn actors(&self) -> Result<Vec<ActorView>, Refusal>;

    /// Orders, oldest first.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn orders(&self, filter: OrderFilter) -> Result<Vec<OrderView>, Refusal>;

    /// At most `limit` executions, the newest, oldest first.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn fills(&self, limit: usize) -> Result<Vec<FillView>, Refusal>;

    /// Positions by account, agent and symbol.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn positions(&self) -> Result<Vec<PositionView>, Refusal>;

    /// Limits in the order of the chain.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn limits(&self) -> Result<Limits, Refusal>;

    /// Sets a limit: at once where that only tightens, else the first of two steps.
    ///
    /// # Errors
    /// [`Refusal::Invalid`]: no such control, or a value that it cannot use.
    fn set_limit(&self, scope: Scope, wish: LimitRequest) -> Result<LimitResult, Refusal>;

    /// Second step of a limit that loosens.
    ///
    /// # Errors
    /// [`Refusal::Refused`]: wrong or late challenge, or the limits have changed.
    fn limit_confirm(&self, challenge: &str) -> Result<LimitsVersion, Refusal>;

    /// Strategies by name.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn agents(&self) -> Result<Vec<AgentView>, Refusal>;

    /// Sends an order of [`AgentId::OPERATOR`] through the same gates as any other.
    ///
    /// # Errors
    /// [`Refusal::Denied`] with the gate's reason.
    fn place(&self, order: OrderEntry) -> Result<OrderView, Refusal>;

    /// Takes an open order back, whose ever it is.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Denied`].
    fn cancel(&self, order: ClientOrderId) -> Result<OrderView, Refusal>;

    /// New terms for an open order; absent ones stay.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Denied`].
    fn replace(
        &self,
        order: ClientOrderId,
        change: ReplaceOrderRequest,
    ) -> Result<OrderView, Refusal>;

    /// Closes the positions in `scope` with orders of the operator.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; exits that were refused are part of the result.
    fn flatten(&self, scope: Scope, reason: &str) -> Result<FlattenResult, Refusal>;

    /// Has a corporate action take effect when its trading day begins, or now.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], [`Refusal::Refused`] for one that is known, [`Refusal::Unavailable`].
    fn corporate_action(
        &self,
        instrument: InstrumentId,
        kind: ActionKind,
        on: Option<Date>,
        reason: &str,
    ) -> Result<ActionResult, Refusal>;

    /// An operator is there: what the dead-man rule of the guardian waits for.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    fn heartbeat(&self) -> Result<Heartbeat, Refusal>;

    /// Stores a kill level in the board's atomic. Immediate: no lock, no file, no queue.
    fn latch(&self, scope: Scope, level: KillLevel);

    /// The rest of a kill, after [`Self::latch`]: waits for writers, makes it durable, tells the core.
    ///
    /// # Errors
    /// The latch holds but could not be made durable.
    fn kill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<KillResult, Refusal>;

    /// A kill for practice, with its times. It stands until it is armed, as any other.
    ///
    /// # Errors
    /// As [`Self::kill`].
    fn drill(&self, scope: Scope, level: KillLevel, reason: &str) -> Result<DrillResult, Refusal>;

    /// First step of the arm.
    ///
    /// # Errors
    /// [`Refusal::Refused`]: nothing to lower, or no reason.
    fn arm(&self, scope: Scope, reason: &str) -> Result<ArmChallenge, Refusal>;

    /// Second step of the arm.
    ///
    /// # Errors
    /// [`Refusal::Refused`]: wrong or late challenge, or the facts have changed.
    fn arm_confirm(&self, challenge: &str) -> Result<ArmResult, Refusal>;

    /// Pauses or resumes a strategy.
    ///
    /// # Errors
    /// [`Refusal::Refused`]: not possible in the agent's state.
    fn steer(&self, agent: AgentId, action: AgentAction) -> Result<AgentView, Refusal>;
}
