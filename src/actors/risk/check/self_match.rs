//! C14: no order may trade with another of the same account. Value: `cancel_new` refuses the new
//! order; `cancel_old` takes the open orders back that it would meet, and sends it behind their
//! cancels. An order in doubt cannot be taken back by name, and one that is not ours is not ours to take
//! back: either refuses the new one in both modes.
//!
//! What can meet: open orders of the other side that rest with a price or are market orders on their
//! way. Stops that wait and legs whose time has not come do not.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Value, one};
use super::{Case, Check, rows_in};
use crate::actors::oms::{Order, OrderIndex, Pending, Role, Stage};
use crate::types::{AgentId, LimitRow, LimitValue, OrdType, Price, Reason, Side};

const NAME: &str = "self_match";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    CancelNew,
    CancelOld,
}

impl Value for Mode {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        match one(value)? {
            "cancel_new" => Ok(Self::CancelNew),
            "cancel_old" => Ok(Self::CancelOld),
            text => Err(format!("`{text}` is neither cancel_new nor cancel_old")),
        }
    }
    fn text(&self) -> String {
        match self {
            Self::CancelNew => "cancel_new".to_owned(),
            Self::CancelOld => "cancel_old".to_owned(),
        }
    }
    fn within(&self, old: &Self) -> bool {
        self == old || *self == Self::CancelNew
    }
}

#[derive(Debug)]
struct SelfMatch(Limits<Mode>);

pub(super) fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(SelfMatch(Limits::new(NAME, rows, known)?)))
}

/// The price at which an order may trade now; `None` for one that waits for a trigger.
#[derive(Clone, Copy)]
enum Reach {
    Any,
    To(Price),
}

fn reach(ord_type: OrdType) -> Option<Reach> {
    match ord_type {
        OrdType::Market => Some(Reach::Any),
        OrdType::Limit { price } => Some(Reach::To(price)),
        OrdType::Stop { .. } | OrdType::StopLimit { .. } | OrdType::TrailingStop { .. } => None,
    }
}

/// The open orders of the account that the order of this case could trade with.
pub fn met<'a>(case: &Case<'a>) -> impl Iterator<Item = (OrderIndex, &'a Order)> + use<'a> {
    let (route, side, oms) = (case.route, case.terms.side, case.oms);
    let own = reach(case.terms.ord_type).filter(|_| !case.waits);
    let opposite = match side {
        Side::Buy => case.account.open_sell,
        Side::Sell => case.account.open_buy,
    };
    let orders = own.filter(|_| opposite.is_positive()).map(|own| {
        oms.open().filter(move |(_, order)| {
            let waits = match order.role {
                Role::Child { parent, .. } => !oms.orders()[parent as usize].filled().is_positive(),
                _ => false,
            };
            let crosses = |theirs: OrdType| match (own, reach(theirs)) {
                (_, None) => false,
                (Reach::To(own), Some(Reach::To(theirs))) => {
                    side.within(theirs, own) && planted!(TouchIsNoMatch, true, theirs != own)
                }
                _ => true,
            };
            // A replace that is under way may be in force at the broker already.
            let coming = order.replacement.as_ref().map(|(replace, _)| replace.terms.ord_type);
            (crosses(order.terms.ord_type) || coming.is_some_and(crosses))
                && !waits
                && order.terms.side != side
                && planted!(OthersAreNoMatch, true, order.route.agent == route.agent)
                && (order.route.account, order.route.instrument)
                    == (route.account, route.instrument)
        })
    });
    orders.into_iter().flatten()
}

impl SelfMatch {
    /// The strictest of the rows.
    fn mode(&self, case: &Case<'_>) -> Option<Mode> {
        let modes = self.0.covering(case).map(|(_, mode)| *mode);
        modes.reduce(|a, b| if a == Mode::CancelNew { a } else { b })
    }
}

impl Check for SelfMatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let Some(mode) = self.mode(case) else { return Ok(()) };
        let refused = met(case).any(|(_, order)| {
            mode == Mode::CancelNew
                || order.route.agent == AgentId::EXTERNAL
                || order.state.stage == Stage::InDoubt
                || order.state.pending == Pending::Replace
        });
        if refused { Err(Reason::SelfMatch) } else { Ok(()) }
    }

    fn displaces(&self, case: &Case<'_>) -> bool {
        self.mode(case) == Some(Mode::CancelOld)
    }

    rows_in!(0);
}
