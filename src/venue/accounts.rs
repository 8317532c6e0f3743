//! Accounts of the venue: positions and cash, exact sums of their fills.

use crate::types::{AccountId, InstrumentId, Notional, Price, Qty, Side};
use std::collections::BTreeMap;

/// A position and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Position {
    qty: Qty,
    /// Signed value paid for `qty`.
    cost: Notional,
}

/// Names, positions and cash of all accounts. Cash starts at zero and may go below.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    names: Vec<String>,
    cash: Vec<Notional>,
    positions: BTreeMap<(AccountId, InstrumentId), Position>,
}

/// Most accounts that one venue opens.
const MAX_ACCOUNTS: usize = 4_096;
/// Longest name of an account, bytes.
const MAX_NAME: usize = 64;

impl Accounts {
    /// The id of an account, opened if the name is new.
    ///
    /// # Errors
    /// A name that is empty or over 64 bytes, or too many accounts.
    pub fn open(&mut self, name: &str) -> Result<AccountId, String> {
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return Ok(AccountId(at as u16));
        }
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("an account name has 1 to {MAX_NAME} bytes"));
        }
        if self.names.len() == MAX_ACCOUNTS {
            return Err(format!("there are {MAX_ACCOUNTS} accounts already"));
        }
        self.names.push(name.to_string());
        self.cash.push(Notional::ZERO);
        Ok(AccountId((self.names.len() - 1) as u16))
    }

    /// Names, in the order of their ids.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Cash of an account; zero for one that is not open.
    pub fn cash(&self, account: AccountId) -> Notional {
        self.cash.get(account.index()).copied().unwrap_or_default()
    }

    /// Signed position.
    pub fn position(&self, account: AccountId, instrument: InstrumentId) -> Qty {
        self.positions.get(&(account, instrument)).map(|p| p.qty).unwrap_or_default()
    }

    /// Positions that are not flat: account, instrument, signed quantity, average price.
    pub fn positions(&self) -> impl Iterator<Item = (AccountId, InstrumentId, Qty, Notional)> {
        self.positions.iter().filter(|(_, position)| !position.qty.is_zero()).map(
            |(&(account, instrument), position)| (account, instrument, position.qty, position.cost),
        )
    }

    /// Whether a fill of this size keeps the position inside the range of numbers.
    pub fn can_book(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        side: Side,
        qty: Qty,
    ) -> bool {
        self.position(account, instrument).checked_add(side.signed(qty)).is_some()
    }

    /// Books a fill.
    #[allow(clippy::too_many_arguments, reason = "the seven facts of a fill, in FIX order")]
    pub fn book(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        multiplier: u32,
        side: Side,
        qty: Qty,
        price: Price,
        fee: Notional,
    ) {
        let signed = side.signed(qty);
        let value = price.notional(signed, multiplier);
        if let Some(cash) = self.cash.get_mut(account.index()) {
            *cash = cash.saturating_sub(value).saturating_sub(fee);
        }
        let position = self.positions.entry((account, instrument)).or_default();
        let before = position.qty;
        let after = before.saturating_add(signed);
        position.cost = if before.is_zero() || before.is_negative() == signed.is_negative() {
            position.cost.saturating_add(value)
        } else if after.is_zero() {
            Notional::ZERO
        } else if after.is_negative() == before.is_negative() {
            // Closed in part: what is left keeps its average price.
            position.cost.checked_ratio(after.raw(), before.raw()).unwrap_or(position.cost)
        } else {
            price.notional(after, multiplier)
        };
        position.qty = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_price_follows_opening_closing_and_turning() {
        let mut accounts = Accounts::default();
        let account = accounts.open("main").unwrap();
        assert_eq!(accounts.open("main"), Ok(account));
        let id = InstrumentId(3);
        let average = |accounts: &Accounts| {
            accounts.positions().next().map(|(_, _, qty, cost)| (qty, cost.per(qty, 2).to_string()))
        };
        let mut book = |side, qty, price: &str| {
            accounts.book(
                account,
                id,
                2,
                side,
                Qty::whole(qty),
                price.parse().unwrap(),
                "0.5".parse().unwrap(),
            );
            (average(&accounts), accounts.cash(account).to_string())
        };
        assert_eq!(book(Side::Buy, 10, "5"), (Some((Qty::whole(10), "5".into())), "-100.5".into()));
        assert_eq!(book(Side::Buy, 10, "6").0, Some((Qty::whole(20), "5.5".into())));
        assert_eq!(book(Side::Sell, 5, "9").0, Some((Qty::whole(15), "5.5".into())));
        assert_eq!(book(Side::Sell, 20, "8").0, Some((Qty::whole(-5), "8".into())));
        assert_eq!(book(Side::Buy, 5, "7"), (None, "117.5".into()));
        assert!(accounts.open("").is_err());
    }
}
