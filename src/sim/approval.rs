//! Requests against the books after the call in which they went out: what was approved is within its
//! limits, worked out from orders, fills and what was shown.

use super::losses::Losses;
use super::watch::{Held, Sent, Violation, Watch, adopted};
use super::world::START;
use super::worst::worst_of;
use crate::actors::Core;
use crate::actors::oms::{Order, OrderIndex, Pending, Role};
use crate::kill::Effect;
use crate::msg::{Contingent, OrderRequest};
use crate::types::{
    AgentId, InstrumentId, KillLevel, Notional, OrdType, OrderQty, Qty, Side, Timestamp,
};

impl Watch {
    /// I04 and I15 for a request that just went out.
    pub(super) fn at_approval(&self, core: &Core, sent: &Sent, out: &mut Vec<Violation>) {
        let Sent { route, effect, shared, request } = sent;
        let side = match request {
            OrderRequest::New(new) => new.terms.side,
            OrderRequest::Replace(replace) => replace.terms.side,
            OrderRequest::Cancel(_) => return,
        };
        let oms = &core.oms;
        let exposure = oms.books.account(route.account, route.instrument);
        let position = exposure.position;
        // At the normal level orders that open may have followed in the same call.
        let reduces = matches!(effect, Effect::Reduces | Effect::Exits);
        if reduces && *shared >= KillLevel::ReduceOnly {
            let (held, mut open) = match side {
                Side::Buy => (-position, exposure.open_buy),
                Side::Sell => (position, exposure.open_sell),
            };
            if let OrderRequest::Replace(replace) = request
                && let Some((_, order)) = oms.find(replace.cl_ord_id)
                && let Some((_, units)) = order.replacement
            {
                // The old size counts until the broker answers; the new one is what is asked for.
                open = open - order.reserved + (units - order.filled());
            }
            if open > held.max(Qty::ZERO) {
                out.push(Violation::new(
                    "I15",
                    format!(
                        "{request:?} as reducing: held {position}, open on its side {open}: {:?}",
                        oms.open()
                            .filter(|(_, o)| o.terms.side == side
                                && o.route.instrument == route.instrument
                                && o.route.account == route.account)
                            .map(|(_, o)| (o.cl_ord_id, o.reserved, o.state, o.role))
                            .collect::<Vec<_>>()
                    ),
                ));
            }
        }
        let worst = match side {
            Side::Buy => position + exposure.open_buy,
            Side::Sell => exposure.open_sell - position,
        };
        // New terms that ask for no more than there is open already may stand above a lowered limit.
        let grows = match request {
            OrderRequest::Replace(replace) => {
                oms.find(replace.cl_ord_id).is_none_or(|(place, order)| self.grows(place, order))
            }
            _ => true,
        };
        if *effect == Effect::Opens
            && grows
            && self.bounds.agent_position.is_some_and(|(agent, _)| agent == route.agent)
            && let Some(what) = self.of_agent(core, route.instrument, side)
        {
            out.push(Violation::new("I04", format!("{what}: {request:?}")));
        }
        if let Some(most) = self.bounds.position
            && *effect == Effect::Opens
            && grows
            && worst > most
        {
            out.push(Violation::new(
                "I04",
                format!("worst case {worst}, limit {most}: {request:?}"),
            ));
        }
    }

    /// Whether a replace on its way asks for more than its order had.
    fn grows(&self, place: OrderIndex, order: &Order) -> bool {
        let before = self.orders.get(place as usize).map_or(Qty::ZERO, |known| known.before);
        order.replacement.is_none_or(|(_, units)| units > order.units.max(before))
    }

    /// I04 in money and in number, for calls in which nothing was filled.
    pub(super) fn worths(
        &self,
        at: Timestamp,
        core: &Core,
        before: &Held,
        sent: &[Sent],
        out: &mut Vec<Violation>,
    ) {
        let mut bad = |what: String| out.push(Violation::new("I04", what));
        let opens = sent.iter().filter(|sent| sent.effect == Effect::Opens);
        let fresh: Vec<&Sent> =
            opens.filter(|sent| matches!(sent.request, OrderRequest::New(_))).collect();
        if fresh.is_empty() {
            return;
        }
        let own = core.oms.open().filter(|(_, order)| order.route.agent != AgentId::EXTERNAL);
        let (open, bounds) = (own.count(), &self.bounds);
        if bounds.open_orders.is_some_and(|most| open > most) {
            bad(format!("{open} orders open"));
        }
        if let (Some(most), Some((gross, ..)), Some((less, ..))) =
            (bounds.gross, self.worth(&self.held), self.worth(before))
            && gross > most
            && gross > less
        {
            bad(format!("gross worst case {gross}, before {less}, limit {most}"));
        }
        if let (Some(most), Some((_, long, short))) = (bounds.net, self.worth(&self.held)) {
            let side = |side| fresh.iter().any(|sent| of(&sent.request) == Some(side));
            if side(Side::Buy) && long > most || side(Side::Sell) && -short > most {
                bad(format!("net worst case {long} to {short}, limit {most}"));
            }
        }
        for Sent { route, request, .. } in fresh {
            let lost = self.losses.of(route.account, &self.shown);
            let today = Losses::same_day(at, START) && !adopted(core);
            if let (Some(most), Some(lost), true) = (bounds.daily_loss, lost, today)
                && lost >= most
            {
                bad(format!("{request:?} after a loss of {lost}, limit {most}"));
            }
            let traded = self.losses.traded(at);
            if bounds.day_traded.is_some_and(|most| traded > most) {
                bad(format!("{request:?} after fills worth {traded}"));
            }
            // A cancel that found no room on the way to the broker was asked for all the same.
            let meets = |one: &Order, other: &Order| meets(one, other) && other.asked_at < at;
            if let (Some(makes_way), OrderRequest::New(new)) = (bounds.self_match, request)
                && new.contingent == Contingent::None
                && let Some((_, order)) = core.oms.find(new.cl_ord_id)
                && let Some((_, met)) = core.oms.open().find(|(_, other)| meets(order, other))
            {
                let (one, other) = (order.cl_ord_id, met.cl_ord_id);
                bad(format!("{one} may trade with {other} (makes way: {makes_way})"));
            }
        }
    }

    /// Gross, longest and shortest worth; `None` where something was not shown.
    fn worth(&self, held: &Held) -> Option<(Notional, Notional, Notional)> {
        let mut sums = (Notional::ZERO, Notional::ZERO, Notional::ZERO);
        for (&(_, instrument), &(qty, buys, sells)) in held {
            if self.shown.is_split(instrument) {
                return None;
            }
            if (qty, buys, sells) == (Qty::ZERO, Qty::ZERO, Qty::ZERO) {
                continue;
            }
            let mark = self.shown.mark(instrument)?;
            let (long, short) = (mark.notional(qty + buys, 1), mark.notional(qty - sells, 1));
            let gross = if long.abs() > short.abs() { long.abs() } else { short.abs() };
            sums = (sums.0 + gross, sums.1 + long, sums.2 + short);
        }
        Some(sums)
    }

    /// I04 for the agent that has a limit of its own.
    pub(super) fn of_agent(
        &self,
        core: &Core,
        instrument: InstrumentId,
        side: Side,
    ) -> Option<String> {
        let (agent, most) = self.bounds.agent_position?;
        let held: Qty = core
            .oms
            .books
            .positions()
            .filter(|((_, owner, of), _)| (*owner, *of) == (agent, instrument))
            .fold(Qty::ZERO, |sum, (_, position)| sum + position.qty);
        let open = core.oms.open().filter(|(_, order)| {
            (order.route.agent, order.route.instrument, order.terms.side)
                == (agent, instrument, side)
        });
        let open = open.fold(Qty::ZERO, |sum, (_, order)| sum + worst_of(&core.oms, order));
        let worst = open + side.signed(held);
        (worst > most).then(|| format!("{agent:?}: worst case {worst}, limit {most}"))
    }
}

fn of(request: &OrderRequest) -> Option<Side> {
    match request {
        OrderRequest::New(new) => Some(new.terms.side),
        OrderRequest::Replace(_) | OrderRequest::Cancel(_) => None,
    }
}

/// Whether two orders of one account may trade with each other: both stand alone and name a price.
fn meets(one: &Order, other: &Order) -> bool {
    let price = |order: &Order| match (order.terms.ord_type, order.role, order.terms.qty) {
        (OrdType::Limit { price }, Role::Single, OrderQty::Units(_)) => Some(price),
        _ => None,
    };
    let crosses = match (price(one), price(other)) {
        (Some(own), Some(theirs)) => match one.terms.side {
            Side::Buy => theirs <= own,
            Side::Sell => theirs >= own,
        },
        _ => false,
    };
    crosses
        && one.terms.side != other.terms.side
        && (one.route.account, one.route.instrument)
            == (other.route.account, other.route.instrument)
        && other.route.agent != AgentId::EXTERNAL
        && [one, other].iter().all(|order| order.state.pending == Pending::None)
        && !one.state.is_done()
}
