//! The approval. Its fields and its constructor are private to the risk gate, it cannot be cloned,
//! and it has no wire form: it cannot be read back from a journal, a socket or a config (INV-3).

use crate::kill::{Effect, Route};
use crate::msg::OrderRequest;
use crate::types::Timestamp;

/// A request that risk has approved. Whoever holds one may journal and send it, once.
#[derive(Debug)]
#[must_use = "an approval that is not sent leaves a reservation behind"]
pub struct Approved {
    at: Timestamp,
    request: OrderRequest,
    route: Route,
    effect: Effect,
}

impl Approved {
    pub(super) const fn new(
        at: Timestamp,
        request: OrderRequest,
        route: Route,
        effect: Effect,
    ) -> Self {
        Self { at, request, route, effect }
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
