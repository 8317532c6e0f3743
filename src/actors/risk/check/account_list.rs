//! C22: only accounts on the list. Value: a list of accounts. Every covering row must hold the
//! account: a row for an agent keeps it to its own accounts.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Listed, Value};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, LimitValue, Reason};

const NAME: &str = "account_list";

#[derive(Debug, Clone)]
struct Accounts(Listed);

impl Value for Accounts {
    fn parse(value: &LimitValue, known: &Known) -> Result<Self, String> {
        let find = |name: &str| match known.accounts.iter().position(|own| own == name) {
            Some(at) => Ok(at as u16),
            None => Err(format!("`{name}` is not an account of this config")),
        };
        Listed::read(value, find).map(Self)
    }
    fn text(&self) -> String {
        self.0.text()
    }
    fn within(&self, old: &Self) -> bool {
        self.0.within(&old.0)
    }
}

#[derive(Debug)]
struct AccountList(Limits<Accounts>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(AccountList(Limits::new(NAME, rows, known)?)))
}

impl Check for AccountList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        match self.0.covering(case).all(|(_, list)| list.0.holds(case.route.account.0)) {
            true => Ok(()),
            false => Err(Reason::AccountList),
        }
    }

    rows_in!(0);
}
