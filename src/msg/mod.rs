//! Layer 2, vocabulary: the four message families and the one input type of the decision actors.
//!
//! | family | flows | when its queue is full | journal |
//! |---|---|---|---|
//! | [`MarketData`] | feed → market → agents, risk | conflate and count, mark a gap; never block | compact, or by reference to a file |
//! | [`OrderRequest`] | agent → risk → order manager → broker | refuse new orders as `busy`; cancels keep a reserve | before it is sent |
//! | [`Report`] | broker → order manager → agent | the broker's socket is not read; nothing is dropped | on arrival |
//! | [`Control`] | operator, guardian → all | the sender waits; a kill is an atomic first, a message second | on arrival |

pub mod control;
pub mod guardian;
pub mod market;
pub mod report;
pub mod request;

pub use control::{
    ActionKind, AgentState, Control, CorporateAction, HoldKind, KillOrder, LimitsChange,
};
pub use guardian::{Act, Intervention, Rule};
pub use market::{
    Bar, BookAction, BookLevel, Gap, MarketData, Ohlc, Quote, QuoteBar, SecurityStatus, Trade,
};
pub use report::{
    BrokerSnapshot, CancelReject, ExecutionReport, FillSnapshot, OrderSnapshot, PositionSnapshot,
    Report, RequestKind, SessionStatus, TradeCorrection,
};
pub use request::{
    CancelOrder, Contingent, Leg, NewOrder, OrderRequest, OrderTerms, Parent, ReplaceOrder,
};

use crate::types::{AgentId, BrokerId};
use serde::{Deserialize, Serialize};

/// Everything a decision actor can learn. What is not in here cannot influence a decision.
#[allow(clippy::large_enum_variant, reason = "one at a time, never in a queue of its own")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A market record.
    Market(MarketData),
    /// A request from an agent on another lane, a remote agent or an operator.
    Request(AgentId, OrderRequest),
    /// What a broker session said.
    Report(BrokerId, Report),
    /// What an operator, the guardian or the driver decided.
    Control(Control),
    /// Nothing but the passing of time: due timers fire.
    Tick,
}
