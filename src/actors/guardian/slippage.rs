//! C18: several fills of an agent in a row were worse than the middle of bid and ask at the decision
//! by more than `bps` basis points. Values: `bps` (the rule is off without it) and `row`.

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::types::{AgentId, Scope, Side, Timestamp};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Slippage {
    bps: u32,
    row: u32,
    /// Bad fills in a row.
    agents: BTreeMap<AgentId, u32>,
}

pub fn build(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    let row = values.count("row", 3)?;
    match values.find("bps")? {
        None => Ok(None),
        Some(0) => Err("`bps` must be above zero".to_owned()),
        Some(bps) => Ok(Some(Box::new(Slippage { bps, row, agents: BTreeMap::new() }))),
    }
}

impl Watcher for Slippage {
    fn hear(&mut self, _: Timestamp, event: &Event<'_>) -> bool {
        let Event::Filled { route, side, fill } = event else { return false };
        let Some(arrival) = fill.arrival.filter(|price| price.is_positive()) else { return false };
        let worse = match side {
            Side::Buy => i128::from(fill.price.raw()) - i128::from(arrival.raw()),
            Side::Sell => i128::from(arrival.raw()) - i128::from(fill.price.raw()),
        };
        let bad = worse * 10_000 > i128::from(arrival.raw()) * i128::from(self.bps);
        if !bad {
            self.agents.remove(&route.agent);
            return false;
        }
        let row = self.agents.entry(route.agent).or_default();
        *row += 1;
        *row >= self.row
    }

    fn look(&mut self, _: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let most = self.row;
        for (agent, _) in self.agents.iter().filter(|(_, row)| **row >= most) {
            found.push((Scope::Agent(*agent), Severity::Clear));
            found.push((Scope::Agent(*agent), Severity::Act));
        }
        self.agents.retain(|_, row| *row < most);
        Next::NEVER
    }

    fn used(&self, _: &View<'_>) -> Vec<(Scope, String)> {
        let used = self.agents.iter();
        used.map(|(agent, row)| (Scope::Agent(*agent), format!("{row} of {}", self.row))).collect()
    }

    kept_in!(agents);
}
