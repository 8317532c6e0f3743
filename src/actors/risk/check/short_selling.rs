//! C7: whether an account may go short. Value: `allow` or `deny`; denied, no order may bring the
//! account's worst-case position in the instrument below zero.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Value, one};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, LimitValue, Qty, Reason, Side};

const NAME: &str = "short_selling";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShortSelling {
    Allow,
    Deny,
}

impl Value for ShortSelling {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        match one(value)? {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            text => Err(format!("`{text}` is neither allow nor deny")),
        }
    }
    fn text(&self) -> String {
        match self {
            Self::Allow => "allow".to_owned(),
            Self::Deny => "deny".to_owned(),
        }
    }
    fn within(&self, old: &Self) -> bool {
        self == old || *self == Self::Deny
    }
}

#[derive(Debug)]
struct Short(Limits<ShortSelling>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(Short(Limits::new(NAME, rows, known)?)))
}

impl Check for Short {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.terms.side == Side::Buy || !case.added.is_positive() {
            return Ok(());
        }
        let denied = self.0.covering(case).any(|(_, value)| *value == ShortSelling::Deny);
        let short = case.account.with(Side::Sell, case.added).shortest() < Qty::ZERO;
        if denied && short { Err(Reason::ShortSelling) } else { Ok(()) }
    }

    rows_in!(0);
}
