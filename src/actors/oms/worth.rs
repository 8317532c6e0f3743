//! What the books come to, over all that a scope covers: how many orders are open, what positions and
//! open orders are worth at their worst case, what an open order may cost.

use super::order::OrderIndex;
use super::{Exposure, Oms};
use crate::actors::market::Market;
use crate::kill::Route;
use crate::types::{
    AccountId, AgentId, InstrumentId, Notional, OrdType, Price, Qty, Reason, Scope, Side,
};
use serde::{Deserialize, Serialize};

/// Worst-case worth in the account currency, at market prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Worth {
    /// The larger side of every position, added up.
    pub gross: Notional,
    /// All positions with every open buy order filled and no sell order.
    pub longest: Notional,
    /// All positions with every open sell order filled and no buy order.
    pub shortest: Notional,
}

/// Open orders by scope, counted as they come and go.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Working {
    all: u32,
    brokers: Vec<u32>,
    accounts: Vec<u32>,
    agents: Vec<u32>,
    instruments: Vec<u32>,
}

impl Working {
    pub fn count(&mut self, route: Route, opened: bool) {
        let change = |count: &mut u32| {
            *count = if opened { count.saturating_add(1) } else { count.saturating_sub(1) };
        };
        change(&mut self.all);
        for (counts, at) in [
            (&mut self.brokers, route.broker.index()),
            (&mut self.accounts, route.account.index()),
            (&mut self.agents, route.agent.index()),
            (&mut self.instruments, route.instrument.index()),
        ] {
            if at >= counts.len() {
                counts.resize(at + 1, 0);
            }
            change(&mut counts[at]);
        }
    }

    fn of(&self, scope: Scope) -> u32 {
        let at = |counts: &[u32], at: usize| counts.get(at).copied().unwrap_or(0);
        match scope {
            Scope::Global => self.all,
            Scope::Broker(id) => at(&self.brokers, id.index()),
            Scope::Account(id) => at(&self.accounts, id.index()),
            Scope::Agent(id) => at(&self.agents, id.index()),
            Scope::Symbol(id) => at(&self.instruments, id.index()),
        }
    }
}

/// The orders that an agent has cut a larger one into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Family {
    /// What they may come to; zero before the first.
    pub most: Qty,
    /// What they have filled and may still fill.
    pub sum: Qty,
}

impl Family {
    /// What they may come to if another order says `qty`: a parent never grows.
    pub fn cap(&self, qty: Qty) -> Qty {
        if self.most.is_zero() { qty } else { self.most.min(qty) }
    }
}

impl Oms {
    /// The orders that an agent has cut its order `parent` into.
    pub fn family(&self, agent: AgentId, parent: u64) -> Family {
        self.families.get(&(agent, parent)).copied().unwrap_or_default()
    }

    /// Brings an order's part in its family up to date.
    pub(super) fn count_child(&mut self, index: OrderIndex) {
        let order = &mut self.orders[index as usize];
        let Some(parent) = order.parent else { return };
        let counts = order.filled().saturating_add(order.worst_leaves());
        let counted = std::mem::replace(&mut order.counted, counts);
        if let Some(family) = self.families.get_mut(&(order.route.agent, parent)) {
            family.sum = family.sum.saturating_sub(counted).saturating_add(counts);
        }
    }

    /// Orders that may still trade: open, on their way and in doubt.
    #[inline]
    pub fn working(&self, scope: Scope) -> u32 {
        self.working.of(scope)
    }

    /// What an order reserves of its account's cash, in the instrument's currency.
    pub(in crate::actors) fn cost(&self, index: OrderIndex) -> Notional {
        self.costs.get(index as usize).copied().unwrap_or_default()
    }

    /// A buy order that a snapshot brought is open in the account, and nothing says what it may cost.
    pub(in crate::actors) fn is_unpriced(&self, account: AccountId) -> bool {
        self.adopted.values().any(|&index| {
            let order = &self.orders[index as usize];
            order.route.account == account
                && order.terms.side == Side::Buy
                && order.reserved.is_positive()
                && self.cost(index).is_zero()
        })
    }

    /// What `units` of an order may cost: a buy order at its limit or that of the replace on its way;
    /// one without a limit at the worst price that it was judged at.
    pub(super) fn worst_cost(&self, index: OrderIndex, units: Qty) -> Notional {
        let order = &self.orders[index as usize];
        if order.terms.side == Side::Sell || units.is_zero() {
            return Notional::ZERO;
        }
        let worst = |ord_type: OrdType| {
            let open_ended = || order.worst_px.max(ord_type.stop_price().unwrap_or(Price::ZERO));
            ord_type.limit_price().unwrap_or_else(open_ended)
        };
        let replaced = order.replacement.map(|(replace, _)| worst(replace.terms.ord_type));
        let price = worst(order.terms.ord_type).max(replaced.unwrap_or(Price::ZERO));
        let multiplier = self.books.instruments().get(order.route.instrument).multiplier;
        price.notional(units, multiplier)
    }

    /// The worst-case worth of all that a scope covers.
    ///
    /// # Errors
    /// [`Reason::NoPrice`] or [`Reason::NoFxMark`]: something held or open cannot be valued.
    pub fn worth(&self, scope: Scope, market: &Market) -> Result<Worth, Reason> {
        let (accounts, agents) = self.books.exposures();
        let mut sum = Worth::default();
        let (owners, range) = match scope {
            Scope::Agent(id) => (agents, id.index()..id.index() + 1),
            Scope::Account(id) => (accounts, id.index()..id.index() + 1),
            Scope::Global | Scope::Broker(_) | Scope::Symbol(_) => (accounts, 0..accounts.owners()),
        };
        for owner in range {
            if matches!(scope, Scope::Broker(id) if self.brokers.get(owner) != Some(&id)) {
                continue;
            }
            if let Scope::Symbol(id) = scope {
                self.add(&mut sum, id, accounts.get(owner, id), market)?;
                continue;
            }
            for (instrument, cell) in owners.of(owner) {
                self.add(&mut sum, instrument, cell, market)?;
            }
        }
        Ok(sum)
    }

    fn add(
        &self,
        sum: &mut Worth,
        instrument: InstrumentId,
        cell: Exposure,
        market: &Market,
    ) -> Result<(), Reason> {
        if cell == Exposure::default() {
            return Ok(());
        }
        let mark = market.mark(instrument).ok_or(Reason::NoPrice)?;
        let multiplier = self.books.instruments().get(instrument).multiplier;
        let money = |units: Qty| {
            let own = mark.notional(units, multiplier);
            self.books.fx().convert(instrument, own, market).ok_or(Reason::NoFxMark)
        };
        let (long, short) = (money(cell.longest())?, money(cell.shortest())?);
        sum.longest = sum.longest.saturating_add(long);
        sum.shortest = sum.shortest.saturating_add(short);
        sum.gross = sum.gross.saturating_add(long.abs().max(short.abs()));
        Ok(())
    }

    /// Capital and profit of the accounts that a scope covers, open positions at the market.
    ///
    /// # Errors
    /// [`Reason::NoPrice`]: something held cannot be valued.
    pub fn equity(&self, scope: Scope, market: &Market) -> Result<Notional, Reason> {
        let mut sum = Notional::ZERO;
        for (at, broker) in self.brokers.iter().enumerate() {
            let account = AccountId(at as u16);
            let covered = match scope {
                Scope::Global => true,
                Scope::Broker(id) => *broker == id,
                Scope::Account(id) => account == id,
                Scope::Agent(_) | Scope::Symbol(_) => false,
            };
            if covered {
                let equity = self.books.equity(account, market).ok_or(Reason::NoPrice)?;
                sum = sum.saturating_add(equity);
            }
        }
        Ok(sum)
    }
}
