//! Positions, cash and exposure of every account and agent: a fold over unique fills.

use super::amounts::Amounts;
use super::day::Day;
use super::exposure::{Exposure, Exposures};
use super::position::Position;
use crate::actors::market::Market;
use crate::kill::Route;
use crate::types::{
    AccountId, AgentId, DayStart, InstrumentId, InstrumentTable, Notional, Price, Qty, Side,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who holds what.
pub type PositionKey = (AccountId, AgentId, InstrumentId);

/// Converts instrument currencies to the account currency.
#[derive(Debug, Clone, Default)]
pub struct Fx {
    /// By instrument: `None` for the account currency, else the instrument whose price is the rate.
    /// An instrument without a way to convert is `Some(None)`.
    rates: Vec<Option<Option<InstrumentId>>>,
}

impl Fx {
    /// `rates[i]` says how instrument `i` converts: `None` is one to one, `Some(Some(pair))` by the
    /// mark of `pair`, `Some(None)` not at all.
    pub const fn new(rates: Vec<Option<Option<InstrumentId>>>) -> Self {
        Self { rates }
    }

    /// `amount` of the instrument's currency in the account currency; `None` without a mark.
    #[inline]
    pub fn convert(
        &self,
        instrument: InstrumentId,
        amount: Notional,
        market: &Market,
    ) -> Option<Notional> {
        match self.rates.get(instrument.index()) {
            None | Some(None) => Some(amount),
            Some(Some(None)) => None,
            Some(Some(Some(pair))) => {
                amount.checked_ratio(market.mark(*pair)?.raw(), crate::types::fixed::UNIT)
            }
        }
    }
}

/// All books.
#[derive(Debug, Serialize, Deserialize)]
pub struct Books {
    #[serde(skip)]
    pub(super) instruments: Arc<InstrumentTable>,
    #[serde(skip)]
    fx: Fx,
    pub(super) positions: BTreeMap<PositionKey, Position>,
    /// By account and instrument.
    pub(super) accounts: Exposures,
    /// By agent and instrument.
    pub(super) agents: Exposures,
    /// Cash by account and instrument in the instrument's currency: what trading it brought in.
    pub(super) cash: Amounts,
    /// What open buy orders may cost, likewise.
    open_cost: Amounts,
    /// By account: what it began with, in the account currency.
    #[serde(skip)]
    capital: Vec<Notional>,
    pub(super) day: Day,
}

impl Books {
    /// Empty books.
    pub fn new(accounts: usize, agents: usize, instruments: Arc<InstrumentTable>, fx: Fx) -> Self {
        let count = instruments.len();
        Self {
            instruments,
            fx,
            positions: BTreeMap::new(),
            accounts: Exposures::new(accounts, count),
            agents: Exposures::new(agents, count),
            cash: Amounts::default(),
            open_cost: Amounts::default(),
            capital: Vec::new(),
            day: Day::new(accounts, DayStart::UTC),
        }
    }

    /// With what each account began with; without, that is nothing.
    #[must_use]
    pub fn with_capital(mut self, capital: Vec<Notional>) -> Self {
        self.capital = capital;
        self
    }

    /// With trading days that begin by this rule; without it they are UTC days.
    #[must_use]
    pub fn with_day_start(mut self, start: DayStart) -> Self {
        self.day.redefine(start);
        self
    }

    /// Loaded books that are of the same accounts, agents and instruments as `own`.
    pub(super) fn fits(&self, own: &Self) -> bool {
        self.accounts.fits(&own.accounts) && self.agents.fits(&own.agents)
    }

    /// Instruments, rates, capital and the rule of the day stay those of `new`.
    pub(super) fn redefine(&mut self, new: Self) {
        (self.instruments, self.fx, self.capital) = (new.instruments, new.fx, new.capital);
        self.day.redefine(new.day.start);
    }

    pub(super) const fn exposures(&self) -> (&Exposures, &Exposures) {
        (&self.accounts, &self.agents)
    }

    /// The instruments.
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// The way to the account currency.
    pub const fn fx(&self) -> &Fx {
        &self.fx
    }

    /// Exposure of an account.
    #[inline]
    pub fn account(&self, account: AccountId, instrument: InstrumentId) -> Exposure {
        self.accounts.get(account.index(), instrument)
    }

    /// Exposure of an agent over all its accounts.
    #[inline]
    pub fn agent(&self, agent: AgentId, instrument: InstrumentId) -> Exposure {
        self.agents.get(agent.index(), instrument)
    }

    /// Every position that ever was, flat ones included.
    pub fn positions(&self) -> impl Iterator<Item = (PositionKey, &Position)> {
        self.positions.iter().map(|(key, position)| (*key, position))
    }

    /// Accounts and instruments that ever had a fill or an opening position.
    pub fn traded(&self) -> impl Iterator<Item = (AccountId, InstrumentId)> {
        self.cash.keys()
    }

    /// Books a fill; returns the agent's position after it.
    pub(super) fn book(
        &mut self,
        route: Route,
        side: Side,
        qty: Qty,
        price: Price,
        fee: Notional,
    ) -> Qty {
        let multiplier = self.instruments.get(route.instrument).multiplier;
        let key = (route.account, route.agent, route.instrument);
        self.positions.entry(key).or_default().book(side, qty, price, multiplier, fee);
        let value = price.notional(qty, multiplier);
        let flow = if side == Side::Buy { -value } else { value };
        let cash = self.cash.entry(route.account, route.instrument);
        *cash =
            cash.saturating_add(flow).saturating_sub(planted!(FeeForgotten, fee, Notional::ZERO));
        let signed = side.signed(qty);
        if let Some(cell) = self.accounts.cell(route.account.index(), route.instrument) {
            cell.position = cell.position.saturating_add(signed);
        }
        match self.agents.cell(route.agent.index(), route.instrument) {
            Some(cell) => {
                cell.position = cell.position.saturating_add(signed);
                cell.position
            }
            None => signed,
        }
    }

    /// Takes a booked fill back.
    pub(super) fn take_back(
        &mut self,
        route: Route,
        side: Side,
        qty: Qty,
        price: Price,
        fee: Notional,
    ) {
        self.book(route, side.opposite(), qty, price, -fee);
        let key = (route.account, route.agent, route.instrument);
        let value = price.notional(qty, self.instruments.get(route.instrument).multiplier);
        self.positions.entry(key).or_default().forget(value);
    }

    /// Moves what an order may cost, in its instrument's currency.
    pub(super) fn reserve_cost(&mut self, route: Route, from: Notional, to: Notional) {
        let cost = self.open_cost.entry(route.account, route.instrument);
        *cost = cost.saturating_sub(from).saturating_add(to);
    }

    /// Moves the reservation of an order from `from` to `to` units.
    pub(super) fn reserve(&mut self, route: Route, side: Side, from: Qty, to: Qty) {
        let cells = [
            self.accounts.cell(route.account.index(), route.instrument),
            self.agents.cell(route.agent.index(), route.instrument),
        ];
        for cell in cells.into_iter().take(planted!(AgentCellForgotten, 2, 1)).flatten() {
            let open = match side {
                Side::Buy => &mut cell.open_buy,
                Side::Sell => &mut cell.open_sell,
            };
            *open = open.saturating_sub(from).saturating_add(to);
        }
    }

    /// Cash of an account in its currency: its capital, and what trading brought in and took; `None`
    /// without a rate that is needed.
    pub fn cash(&self, account: AccountId, market: &Market) -> Option<Notional> {
        let capital = self.capital.get(account.index()).copied().unwrap_or_default();
        self.sum(self.cash.of(account), market).map(|sum| sum.saturating_add(capital))
    }

    /// What the open buy orders of an account may cost, in its currency; `None` without a rate that
    /// is needed.
    pub fn open_cost(&self, account: AccountId, market: &Market) -> Option<Notional> {
        self.sum(self.open_cost.of(account), market)
    }

    fn sum(&self, amounts: &[(InstrumentId, Notional)], market: &Market) -> Option<Notional> {
        amounts.iter().try_fold(Notional::ZERO, |sum, (instrument, amount)| {
            Some(sum.saturating_add(self.fx.convert(*instrument, *amount, market)?))
        })
    }

    /// Capital and profit of an account, open positions at the market; `None` as for [`Self::pnl`].
    pub fn equity(&self, account: AccountId, market: &Market) -> Option<Notional> {
        let capital = self.capital.get(account.index()).copied().unwrap_or_default();
        self.pnl(account, market).map(|pnl| pnl.saturating_add(capital))
    }

    /// Profit of an account since the books were opened, in its currency, fees taken off; `None` if
    /// a held instrument has no mark or no way to the account currency.
    pub fn pnl(&self, account: AccountId, market: &Market) -> Option<Notional> {
        let mut sum = Notional::ZERO;
        for (instrument, cash) in self.cash.of(account).iter().copied() {
            let held = self.account(account, instrument).position;
            let value = if held.is_zero() {
                cash
            } else {
                let multiplier = self.instruments.get(instrument).multiplier;
                cash.saturating_add(market.mark(instrument)?.notional(held, multiplier))
            };
            sum = sum.saturating_add(self.fx.convert(instrument, value, market)?);
        }
        Some(sum)
    }

    /// Profit of an agent in the account currency; positions without a mark count at cost.
    pub fn agent_pnl(&self, agent: AgentId, market: &Market) -> Notional {
        self.positions()
            .filter(|((_, owner, _), _)| *owner == agent)
            .map(|((_, _, instrument), position)| self.position_pnl(instrument, position, market))
            .sum()
    }

    /// Realised plus unrealised minus fees of one position, in the account currency where a rate
    /// is known.
    pub fn position_pnl(
        &self,
        instrument: InstrumentId,
        position: &Position,
        market: &Market,
    ) -> Notional {
        let multiplier = self.instruments.get(instrument).multiplier;
        let open = market
            .mark(instrument)
            .map_or(Notional::ZERO, |mark| position.unrealised(mark, multiplier));
        let total = position.realised.saturating_add(open).saturating_sub(position.fees);
        self.fx.convert(instrument, total, market).unwrap_or(total)
    }
}
