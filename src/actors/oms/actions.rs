//! Corporate actions on what is held: splits and cash dividends, as an operator gave them.
//!
//! An action takes effect once, when the trading day that it names begins. A split scales positions and
//! leaves cash and cost as they are; nothing is invented: what does not fit the lot is gone from the
//! books, and the cash that a broker pays for it is not in them. Until a snapshot of every broker, asked
//! for since, shows the new positions and no order from before is open, the instrument settles: its
//! orders are cancelled and the core holds it.

use super::{Books, Oms};
use crate::msg::{ActionKind, BrokerSnapshot, CorporateAction};
use crate::types::{AccountId, BrokerId, InstrumentId, Notional, Price, Qty, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Given and applied actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions {
    /// Every action ever given: the same one a second time is a mistake.
    given: BTreeSet<CorporateAction>,
    /// Those that wait for their day.
    waiting: Vec<(Timestamp, CorporateAction)>,
    settling: BTreeMap<InstrumentId, Settling>,
}

/// A split that not every broker has shown yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Settling {
    since: Timestamp,
    /// What the books held before it.
    before: BTreeMap<AccountId, Qty>,
    /// Brokers whose positions agreed since.
    shown: BTreeSet<BrokerId>,
}

/// Why an action cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// It is known already.
    #[error("the same action was given before")]
    Again,
    /// A split by nothing, into nothing or into the same.
    #[error("a split needs two different numbers from 1 to 10000")]
    Ratio,
    /// No dividend at all.
    #[error("a dividend needs an amount above 0")]
    Amount,
}

impl Actions {
    /// Whether an action can be given.
    ///
    /// # Errors
    /// [`ActionError`].
    pub fn check(&self, action: &CorporateAction) -> Result<(), ActionError> {
        match action.kind {
            ActionKind::Split { numerator, denominator } => {
                let range = 1..=10_000;
                if numerator == denominator
                    || !range.contains(&numerator)
                    || !range.contains(&denominator)
                {
                    return Err(ActionError::Ratio);
                }
            }
            ActionKind::CashDividend { per_unit } if !per_unit.is_positive() => {
                return Err(ActionError::Amount);
            }
            ActionKind::CashDividend { .. } => {}
        }
        if self.given.contains(action) { Err(ActionError::Again) } else { Ok(()) }
    }

    /// Whether a split of the instrument is not shown by every broker yet.
    pub fn is_settling(&self, instrument: InstrumentId) -> bool {
        self.settling.contains_key(&instrument)
    }

    /// Whether what is held of the instrument was scaled once.
    pub fn was_split(&self, instrument: InstrumentId) -> bool {
        let split = |action: &CorporateAction| matches!(action.kind, ActionKind::Split { .. });
        self.given.iter().any(|action| action.instrument == instrument && split(action))
    }

    /// Instruments that settle.
    pub fn settling(&self) -> impl Iterator<Item = InstrumentId> {
        self.settling.keys().copied()
    }

    /// Actions that wait for their day.
    pub fn waiting(&self) -> impl Iterator<Item = &CorporateAction> {
        self.waiting.iter().map(|(_, action)| action)
    }

    /// When the first of them takes effect.
    pub fn next_at(&self) -> Timestamp {
        self.waiting.first().map_or(Timestamp::MAX, |(at, _)| *at)
    }

    /// A broker that still shows what was held before a split is late, not wrong.
    pub(super) fn explains(&self, account: AccountId, instrument: InstrumentId, qty: Qty) -> bool {
        self.settling
            .get(&instrument)
            .is_some_and(|split| split.before.get(&account).copied().unwrap_or_default() == qty)
    }
}

impl Oms {
    /// Takes an action in; one that cannot be given changes nothing.
    pub(in crate::actors) fn give(&mut self, action: &CorporateAction) {
        if self.actions.check(action).is_err() {
            return;
        }
        self.actions.given.insert(*action);
        let at = self.books.day.start.begin(action.on);
        let place = self.actions.waiting.partition_point(|(other, _)| *other <= at);
        self.actions.waiting.insert(place, (at, *action));
    }

    /// The next action that is due at `at`, with its effect on the books.
    pub(in crate::actors) fn act(&mut self, at: Timestamp) -> Option<CorporateAction> {
        if self.actions.next_at() > at {
            return None;
        }
        let (_, action) = self.actions.waiting.remove(0);
        let instrument = action.instrument;
        match action.kind {
            ActionKind::Split { numerator, denominator } => {
                let before = self.books.split(instrument, numerator, denominator);
                let split = Settling { since: at, before, shown: BTreeSet::new() };
                self.actions.settling.insert(instrument, split);
            }
            ActionKind::CashDividend { per_unit } => self.books.dividend(instrument, per_unit),
        }
        Some(action)
    }

    /// What a complete snapshot, asked for at `asked`, says of the splits that settle.
    pub(super) fn settle(&mut self, broker: BrokerId, asked: Timestamp, theirs: &BrokerSnapshot) {
        let mut settling = std::mem::take(&mut self.actions.settling);
        settling.retain(|&instrument, split| {
            let mut accounts = (0..).map(AccountId).zip(&self.brokers);
            let agrees = accounts.all(|(account, carried_by)| {
                let shown = theirs.positions.iter().filter(|position| {
                    (position.account, position.instrument) == (account, instrument)
                });
                let shown = shown.fold(Qty::ZERO, |sum, position| sum.saturating_add(position.qty));
                *carried_by != broker || shown == self.books.account(account, instrument).position
            });
            if agrees && asked >= split.since {
                split.shown.insert(broker);
            } else {
                split.shown.remove(&broker);
            }
            let old = |order: &super::Order| {
                order.route.instrument == instrument && order.sent_at <= split.since
            };
            !self.brokers.iter().all(|broker| split.shown.contains(broker))
                || self.open().any(|(_, order)| old(order))
        });
        self.actions.settling = settling;
    }
}

impl Books {
    /// Scales what is held of an instrument; gives what each account held before.
    ///
    /// An account keeps whole lots, rounded toward zero; its agents share them so that they add up.
    /// Cost stays with whoever holds, so that the profit does too.
    fn split(
        &mut self,
        instrument: InstrumentId,
        numerator: u32,
        denominator: u32,
    ) -> BTreeMap<AccountId, Qty> {
        let lot = self.instruments.get(instrument).lot.raw().max(1);
        let scaled = |qty: Qty| {
            let exact = i128::from(qty.raw()) * i128::from(numerator);
            let unit = i128::from(denominator) * i128::from(lot);
            let lots = i64::try_from(exact / unit * i128::from(lot));
            let qty = Qty::from_raw(lots.unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX }));
            (qty, exact % unit)
        };
        let mut before = BTreeMap::new();
        for number in 0..self.accounts.owners() {
            let account = AccountId(number as u16);
            let held = self.account(account, instrument).position;
            let mine = self
                .positions
                .iter_mut()
                .filter(|((owner, _, of), _)| (*owner, *of) == (account, instrument));
            let mut mine: Vec<_> =
                mine.map(|((_, agent, _), position)| (*agent, position)).collect();
            if mine.is_empty() {
                continue;
            }
            before.insert(account, held);
            let total = scaled(held).0;
            let parts: Vec<(Qty, i128)> =
                mine.iter().map(|(_, position)| scaled(position.qty)).collect();
            let given = parts.iter().fold(Qty::ZERO, |sum, (part, _)| sum.saturating_add(*part));
            let mut rest = total.saturating_sub(given);
            for ((agent, position), (part, fraction)) in mine.iter_mut().zip(parts) {
                let mut qty = part;
                if !rest.is_zero() && fraction.signum() == i128::from(rest.raw().signum()) {
                    let one = Qty::from_raw(lot * rest.raw().signum());
                    qty = qty.saturating_add(one);
                    rest = rest.saturating_sub(one);
                }
                let change = qty.saturating_sub(position.qty);
                position.qty = qty;
                if let Some(cell) = self.agents.cell(agent.index(), instrument) {
                    cell.position = cell.position.saturating_add(change);
                }
            }
            if let Some(cell) = self.accounts.cell(number, instrument) {
                cell.position = total;
            }
        }
        before
    }

    /// Books a dividend on what is held: to those that are long, from those that are short.
    fn dividend(&mut self, instrument: InstrumentId, per_unit: Price) {
        let multiplier = self.instruments.get(instrument).multiplier;
        for ((account, _, of), position) in &mut self.positions {
            if *of == instrument && !position.qty.is_zero() {
                let paid: Notional = per_unit.notional(position.qty, multiplier);
                position.realised = position.realised.saturating_add(paid);
                let cash = self.cash.entry(*account, instrument);
                *cash = cash.saturating_add(paid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::market::Market;
    use crate::actors::oms::Fx;
    use crate::kill::Route;
    use crate::msg::{MarketData, Quote};
    use crate::types::{
        AgentId, Calendar, Currency, ExchangeId, Instrument, InstrumentTable, Nanos, Side,
    };
    use proptest::prelude::*;
    use std::sync::Arc;

    const ID: InstrumentId = InstrumentId(0);

    fn books(multiplier: u32) -> Books {
        let instrument = Instrument {
            symbol: "IBM".into(),
            tick: Price::from_raw(1),
            lot: Qty::whole(1),
            multiplier,
            currency: Currency::new("USD").unwrap(),
            calendar: Calendar::Always,
        };
        let table = InstrumentTable::new(vec![instrument]).unwrap();
        Books::new(2, 6, Arc::new(table), Fx::default())
    }

    fn market(mark: i64) -> Market {
        let mut market = Market::new(1, Nanos::from_secs(5));
        let (price, size) = (Price::from_raw(mark), Qty::whole(1));
        let at = Timestamp::from_nanos(1);
        market.apply(
            at,
            &MarketData::Quote(Quote {
                ts: at,
                instrument: ID,
                exchange: ExchangeId(0),
                suspicious: false,
                bid: price,
                bid_size: size,
                ask: price,
                ask_size: size,
            }),
        );
        market
    }

    /// Account, agent, whether bought, how many, at what price.
    type Trade = (u16, u16, bool, i64, i64);

    fn trades() -> impl Strategy<Value = Vec<Trade>> {
        prop::collection::vec(
            (0..2u16, 2..6u16, any::<bool>(), 1..10_000i64, 1..1_000_000_000_000i64),
            1..30,
        )
    }

    fn trade(books: &mut Books, trades: &[Trade], lots: i64) {
        for &(account, agent, buy, qty, price) in trades {
            let (account, agent) = (AccountId(account), AgentId(agent));
            let route = Route { broker: BrokerId(0), account, agent, instrument: ID };
            let side = if buy { Side::Buy } else { Side::Sell };
            books.book(route, side, Qty::whole(qty * lots), Price::from_raw(price), Notional::ZERO);
        }
    }

    proptest! {
        /// Where quantity and price divide, a split changes nobody's profit, not by one unit.
        #[test]
        fn a_split_that_divides_changes_no_profit(
            all in trades(), n in 1..50u32, d in 1..50u32, mark in 1..1_000_000_000i64, multiplier in 1..100u32,
        ) {
            let mut books = books(multiplier);
            trade(&mut books, &all, i64::from(d));
            let mut market = market(mark * i64::from(n));
            let profit = |books: &Books, market: &Market| {
                let accounts = (0..2).map(|at| books.pnl(AccountId(at), market).unwrap());
                let agents = (2..6).map(|at| books.agent_pnl(AgentId(at), market));
                accounts.chain(agents).collect::<Vec<_>>()
            };
            let value = |books: &Books, market: &Market| {
                let held = books.account(AccountId(0), ID).position;
                market.mark(ID).unwrap().notional(held, multiplier)
            };
            let before = (profit(&books, &market), value(&books, &market));
            books.split(ID, n, d);
            market.split(ID, n, d);
            prop_assert_eq!((profit(&books, &market), value(&books, &market)), before);
        }

        /// Whatever the numbers: agents add up to their accounts, an account loses less than a lot and
        /// gains nothing, and cash and cost are untouched.
        #[test]
        fn a_split_invents_nothing(all in trades(), n in 1..10_000u32, d in 1..10_000u32) {
            let mut books = books(1);
            trade(&mut books, &all, 1);
            let (cash, old) = (books.cash.clone(), books.positions.clone());
            let before = books.split(ID, n, d);
            prop_assert_eq!(&books.cash, &cash);
            for (account, held) in before {
                let now = books.account(account, ID).position;
                let exact = i128::from(held.raw()) * i128::from(n);
                let lost = exact - i128::from(now.raw()) * i128::from(d);
                prop_assert!(lost.abs() < i128::from(d) * 1_000_000_000, "a lot or more");
                prop_assert!(lost == 0 || lost.signum() == exact.signum(), "rounded away from zero");
                prop_assert_eq!(now.raw() % 1_000_000_000, 0);
                let mine = books.positions.iter().filter(|((owner, ..), _)| *owner == account);
                prop_assert_eq!(mine.map(|(_, p)| p.qty).fold(Qty::ZERO, |a, b| a + b), now);
            }
            for agent in (2..6).map(AgentId) {
                let mine = books.positions.iter().filter(|((_, owner, _), _)| *owner == agent);
                prop_assert_eq!(mine.map(|(_, p)| p.qty).fold(Qty::ZERO, |a, b| a + b), books.agent(agent, ID).position);
            }
            for (key, position) in &books.positions {
                let exact = i128::from(old[key].qty.raw()) * i128::from(n);
                let off = exact - i128::from(position.qty.raw()) * i128::from(d);
                prop_assert!(off.abs() < i128::from(d) * 1_000_000_000, "an agent's lot or more");
                prop_assert_eq!((position.cost, position.realised), (old[key].cost, old[key].realised));
            }
        }

        /// A dividend is booked to the long and from the short, and agents add up.
        #[test]
        fn a_dividend_is_paid_on_what_is_held(all in trades(), per_unit in 1..1_000_000_000i64) {
            let mut books = books(1);
            trade(&mut books, &all, 1);
            let market = market(1_000_000_000);
            let accounts = |books: &Books| [0, 1].map(|at| books.pnl(AccountId(at), &market).unwrap_or_default());
            let agents = |books: &Books| (2..6).map(|at| books.agent_pnl(AgentId(at), &market)).sum::<Notional>();
            let (old, mine) = (accounts(&books), agents(&books));
            let per_unit = Price::from_raw(per_unit);
            books.dividend(ID, per_unit);
            let mut sum = Notional::ZERO;
            for (at, old) in old.into_iter().enumerate() {
                let paid = per_unit.notional(books.account(AccountId(at as u16), ID).position, 1);
                prop_assert_eq!(accounts(&books)[at], old + paid);
                sum += paid;
            }
            prop_assert_eq!(agents(&books), mine + sum);
        }
    }
}
