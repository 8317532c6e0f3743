//! No data for an instrument that is held or worked. Value: `after` (the rule is off without it; the
//! gate refuses orders on stale prices anyway, this is for who wants to hear of it, or to do more).

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::types::{InstrumentId, Nanos, Scope, Timestamp};
use std::collections::BTreeSet;

#[derive(Debug)]
struct DataStale {
    every: Nanos,
    after: Nanos,
    found: BTreeSet<InstrumentId>,
}

pub fn build(values: &mut Values, setup: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    match values.find("after")? {
        None => Ok(None),
        Some(Nanos(0)) => Err("`after` must be above zero".to_owned()),
        Some(after) => {
            Ok(Some(Box::new(DataStale { every: setup.every, after, found: BTreeSet::new() })))
        }
    }
}

impl Watcher for DataStale {
    fn hear(&mut self, _: Timestamp, event: &Event<'_>) -> bool {
        matches!(event, Event::Changed | Event::Boot)
    }

    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let mut matter: BTreeSet<InstrumentId> =
            view.oms.open().map(|(_, order)| order.route.instrument).collect();
        let positions = view.oms.books.positions().filter(|(_, position)| !position.qty.is_zero());
        matter.extend(positions.map(|((.., instrument), _)| instrument));
        let mut next = Next::after(view.at, self.every);
        let mut now = BTreeSet::new();
        for instrument in matter {
            let due = view.market.updated(instrument) + self.after;
            if due <= view.at {
                now.insert(instrument);
            } else {
                next.wake = next.wake.min(due);
            }
        }
        found.extend(self.found.difference(&now).map(|id| (Scope::Symbol(*id), Severity::Clear)));
        found.extend(now.iter().map(|id| (Scope::Symbol(*id), Severity::Act)));
        next.look = next.look.min(next.wake);
        self.found = now;
        next
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let age = |id| {
            format!(
                "{:.1}s of {}",
                view.at.since(view.market.updated(id)).as_secs_f64(),
                self.after
            )
        };
        self.found.iter().map(|&id| (Scope::Symbol(id), age(id))).collect()
    }

    kept_in!(found);
}
