//! C22: only instruments on the list. Value: a list of symbols. Every covering row must hold the
//! instrument.

use super::super::limits::{LimitError, LimitRow, LimitValue, missing};
use super::{Case, Check};
use crate::types::{InstrumentId, InstrumentTable, Reason, Scope};
use std::collections::BTreeMap;

const NAME: &str = "symbol_list";

#[derive(Debug)]
struct SymbolList(Vec<(Scope, BTreeMap<InstrumentId, String>)>);

pub fn build(rows: &[LimitRow], table: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    let mut lists = Vec::new();
    for row in rows.iter().filter(|row| row.control == NAME) {
        let error = |message: String| LimitError { line: Some(row.line), message };
        let names = match &row.value {
            LimitValue::List(names) => names.clone(),
            LimitValue::Text(name) => vec![name.clone()],
        };
        let mut list = BTreeMap::new();
        for name in names {
            let id = table.find(&name).ok_or_else(|| {
                error(format!("limit {NAME}: `{name}` is not an instrument of this config"))
            })?;
            list.insert(id, name);
        }
        lists.push((row.scope, list));
    }
    if !lists.iter().any(|(scope, _)| *scope == Scope::Global) {
        return Err(missing(NAME));
    }
    Ok(Box::new(SymbolList(lists)))
}

impl Check for SymbolList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let listed = self
            .0
            .iter()
            .filter(|(scope, _)| case.route.covered_by(*scope))
            .all(|(_, list)| list.contains_key(&case.route.instrument));
        if listed { Ok(()) } else { Err(Reason::SymbolList) }
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        let text = |list: &BTreeMap<InstrumentId, String>| {
            list.values().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        self.0.iter().map(|(scope, list)| (*scope, text(list))).collect()
    }
}
