//! C22: only instruments on the list. Value: a list of symbols. Every covering row must hold the
//! instrument.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Listed, Value};
use super::{Case, Check, rows_in};
use crate::types::{LimitRow, LimitValue, Reason};

const NAME: &str = "symbol_list";

#[derive(Debug, Clone)]
struct Symbols(Listed);

impl Value for Symbols {
    fn parse(value: &LimitValue, known: &Known) -> Result<Self, String> {
        let find = |name: &str| match known.instruments.find(name) {
            Some(id) => Ok(id.0),
            None => Err(format!("`{name}` is not an instrument of this config")),
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
struct SymbolList(Limits<Symbols>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(SymbolList(Limits::new(NAME, rows, known)?)))
}

impl Check for SymbolList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        match self.0.covering(case).all(|(_, list)| list.0.holds(case.route.instrument.0)) {
            true => Ok(()),
            false => Err(Reason::SymbolList),
        }
    }

    rows_in!(0);
}
