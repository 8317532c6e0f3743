//! Money by account and instrument. An account trades few instruments, so its amounts are a short sorted
//! list: adding it up for an order, as several checks do, is a walk over memory that lies together.

use crate::types::{AccountId, InstrumentId, Notional};
use serde::{Deserialize, Serialize};

/// Amounts in each instrument's currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Amounts(Vec<Vec<(InstrumentId, Notional)>>);

impl Amounts {
    /// All of an account, in the order of the instruments.
    #[inline]
    pub fn of(&self, account: AccountId) -> &[(InstrumentId, Notional)] {
        self.0.get(account.index()).map_or(&[], Vec::as_slice)
    }

    /// One of them, to change it.
    pub fn entry(&mut self, account: AccountId, instrument: InstrumentId) -> &mut Notional {
        if account.index() >= self.0.len() {
            self.0.resize_with(account.index() + 1, Vec::new);
        }
        let list = &mut self.0[account.index()];
        let at = list.binary_search_by_key(&instrument, |(id, _)| *id).unwrap_or_else(|at| {
            list.insert(at, (instrument, Notional::ZERO));
            at
        });
        &mut list[at].1
    }

    /// Accounts and instruments that have an entry, in their order.
    pub fn keys(&self) -> impl Iterator<Item = (AccountId, InstrumentId)> {
        let accounts = self.0.iter().enumerate();
        accounts.flat_map(|(at, list)| list.iter().map(move |(id, _)| (AccountId(at as u16), *id)))
    }
}
