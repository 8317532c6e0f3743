//! The approval. Its fields and its constructor are private to the risk gate, it cannot be cloned,
//! and it has no wire form: it cannot be read back from a journal, a socket or a config (INV-3).

use super::value::Rate;
use crate::kill::{Effect, Route};
use crate::msg::OrderRequest;
use crate::types::{Qty, Timestamp};

/// A request that risk has approved. Whoever holds one may journal and send it, once.
#[derive(Debug)]
#[must_use = "an approval that is not sent leaves a reservation behind"]
pub struct Approved {
    at: Timestamp,
    request: OrderRequest,
    route: Route,
    effect: Effect,
    terms: Terms,
}

/// Under which terms an approval may leave; the gate at the wire holds it to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Version of the limits that it was judged by.
    pub limits: u32,
    /// It is void after this.
    pub expires: Timestamp,
    /// Messages that its broker connection may carry: the rows for everything and for the broker.
    pub quotas: [Option<Quota>; 2],
    /// What the orders of its parent come to with it, filled and open.
    pub children: Qty,
    /// What they may come to; both are zero for an order without a parent.
    pub parent: Qty,
    /// It would trade with orders of its own agent: it leaves only behind their cancels, which were
    /// approved just before it.
    pub follows: bool,
}

/// How many messages a broker connection may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In any window of a length.
    pub rate: Rate,
    /// How many of them are kept for cancels.
    pub reserve: u32,
}

impl Approved {
    pub(super) const fn new(
        at: Timestamp,
        request: OrderRequest,
        route: Route,
        effect: Effect,
        terms: Terms,
    ) -> Self {
        Self { at, request, route, effect, terms }
    }

    /// Under which terms it may leave.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When it was decided.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What was approved.
    pub const fn request(&self) -> &OrderRequest {
        &self.request
    }

    /// Where it goes and whose it is.
    pub const fn route(&self) -> Route {
        self.route
    }

    /// What it does to the worst case.
    pub const fn effect(&self) -> Effect {
        self.effect
    }
}
