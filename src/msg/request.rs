//! Order requests: what agents and operators ask for. FIX D (new), E (list), G (replace), F (cancel).

use super::report::RequestKind;
use crate::types::{
    AccountId, ClientOrderId, InstrumentId, OrdType, OrderQty, Qty, Side, TimeInForce, Timestamp,
    VenueOrderId,
};
use serde::{Deserialize, Serialize};

/// A request to change the set of open orders.
#[allow(clippy::large_enum_variant, reason = "plain data; nearly all requests are the large one")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderRequest {
    /// A new order, or a list of orders that depend on each other.
    New(NewOrder),
    /// New terms for an open order.
    Replace(ReplaceOrder),
    /// Take an open order back.
    Cancel(CancelOrder),
}

impl OrderRequest {
    /// The order that it is about, by the name that the order has before it, and its kind.
    pub const fn name(&self) -> (ClientOrderId, RequestKind) {
        match self {
            Self::New(new) => (new.cl_ord_id, RequestKind::New),
            Self::Replace(replace) => (replace.orig_cl_ord_id, RequestKind::Replace),
            Self::Cancel(cancel) => (cancel.orig_cl_ord_id, RequestKind::Cancel),
        }
    }

    /// The name that the request itself has; a cancel has none but its order's.
    pub const fn own_name(&self) -> (ClientOrderId, RequestKind) {
        match self {
            Self::Replace(replace) => (replace.cl_ord_id, RequestKind::Replace),
            Self::New(_) | Self::Cancel(_) => self.name(),
        }
    }
}

/// What an order asks for, without whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// FIX 54.
    pub side: Side,
    /// FIX 38 or 152.
    pub qty: OrderQty,
    /// FIX 40 with its prices.
    pub ord_type: OrdType,
    /// FIX 59.
    pub tif: TimeInForce,
    /// FIX 126, for [`TimeInForce::Gtd`].
    pub expire_at: Option<Timestamp>,
    /// May trade outside regular hours.
    pub extended_hours: bool,
}

/// A further order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Its own FIX 11.
    pub cl_ord_id: ClientOrderId,
    /// What it asks for. Its quantity is in units.
    pub terms: OrderTerms,
}

/// FIX 1385 ContingencyType with the other orders of the list. Exposure is counted once: legs that
/// exclude each other reserve the larger, legs that wait reserve what their trigger has filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contingent {
    /// A single order.
    None,
    /// 1: a fill of one cancels the other; a partial fill reduces it.
    OneCancelsOther(Leg),
    /// 2: the leg begins when the order fills.
    OneTriggersOther(Leg),
    /// 2 then 1: the order triggers two legs that exclude each other.
    Bracket {
        /// A limit order on the far side.
        take_profit: Leg,
        /// A stop on the far side.
        stop_loss: Leg,
    },
}

impl Contingent {
    /// The further orders.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        let (first, second) = match self {
            Self::None => (None, None),
            Self::OneCancelsOther(leg) | Self::OneTriggersOther(leg) => (Some(leg), None),
            Self::Bracket { take_profit, stop_loss } => (Some(take_profit), Some(stop_loss)),
        };
        first.into_iter().chain(second)
    }
}

/// A new order (FIX D) or list (FIX E).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// FIX 11; names the agent as well.
    pub cl_ord_id: ClientOrderId,
    /// For which account (FIX 1).
    pub account: AccountId,
    /// FIX 55.
    pub instrument: InstrumentId,
    /// The agent's own number of what it wants: the same number is never executed twice.
    pub intent: u64,
    /// What it asks for.
    pub terms: OrderTerms,
    /// Orders that depend on it.
    pub contingent: Contingent,
    /// The larger order that it is a part of. A list has none.
    pub parent: Option<Parent>,
}

/// A larger order that an agent cuts into smaller ones. What they fill and may still fill never
/// comes to more than its quantity, whatever the agent sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The agent's own number of it.
    pub id: u64,
    /// All of it, in units. The first child says it; a later one may only say less.
    pub qty: Qty,
}

/// New terms for an open order (FIX G). `qty` is the new total, filled part included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceOrder {
    /// FIX 41: the order as it stands.
    pub orig_cl_ord_id: ClientOrderId,
    /// FIX 11: its name under the new terms.
    pub cl_ord_id: ClientOrderId,
    /// The agent's own number of what it wants.
    pub intent: u64,
    /// The new terms; side and time in force may not change.
    pub terms: OrderTerms,
}

/// Take an open order back (FIX F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// FIX 41: which one.
    pub orig_cl_ord_id: ClientOrderId,
    /// FIX 37: the broker's number for it, where its name was made up here. Else the name alone counts: a
    /// broker that lost orders may give their numbers to others.
    pub venue_order_id: Option<VenueOrderId>,
}

impl CancelOrder {
    /// A cancel of this order; the risk gate adds the broker's number where that is needed.
    pub const fn of(orig_cl_ord_id: ClientOrderId) -> Self {
        Self { orig_cl_ord_id, venue_order_id: None }
    }
}
