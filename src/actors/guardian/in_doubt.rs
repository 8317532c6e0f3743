//! An order of an account has been in doubt for too long: nobody knows what the account holds. Value:
//! `after`, since the request that was not answered.

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::actors::oms::Stage;
use crate::types::{AccountId, Nanos, Scope, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct InDoubt {
    after: Nanos,
    /// Accounts that were found so.
    found: BTreeSet<AccountId>,
}

pub fn build(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    let after = values.span("after", Nanos::from_secs(60))?;
    Ok(Some(Box::new(InDoubt { after, found: BTreeSet::new() })))
}

impl Watcher for InDoubt {
    fn hear(&mut self, _: Timestamp, event: &Event<'_>) -> bool {
        matches!(event, Event::Changed)
    }

    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let mut now = BTreeSet::new();
        let mut next = Next::NEVER;
        for (_, order) in view.oms.open().filter(|(_, o)| o.state.stage == Stage::InDoubt) {
            let due = order.asked_at + self.after;
            if due <= view.at {
                now.insert(order.route.account);
            } else if due < next.wake {
                next = Next::woken(due);
            }
        }
        found.extend(self.found.difference(&now).map(|id| (Scope::Account(*id), Severity::Clear)));
        found.extend(now.iter().map(|id| (Scope::Account(*id), Severity::Act)));
        if !now.is_empty() {
            // What is resolved shows with a report; looking for it costs nothing.
            next.look = next.look.min(view.at + Nanos::from_secs(1));
        }
        self.found = now;
        next
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let mut oldest: BTreeMap<AccountId, Timestamp> = BTreeMap::new();
        for (_, order) in view.oms.open().filter(|(_, o)| o.state.stage == Stage::InDoubt) {
            let since = oldest.entry(order.route.account).or_insert(order.asked_at);
            *since = order.asked_at.min(*since);
        }
        let age = |since| format!("{:.1}s of {}", view.at.since(since).as_secs_f64(), self.after);
        oldest.into_iter().map(|(id, since)| (Scope::Account(id), age(since))).collect()
    }

    kept_in!(found);
}
