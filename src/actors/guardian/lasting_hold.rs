//! Holds that should have gone by themselves and did not: a condition becomes a decision, and a person
//! has to end it. Value: `after`. `link_lost` and `heartbeat_lost` are off without it, as their holds
//! stop what must be stopped and end when the link or the lane is back.

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::msg::HoldKind;
use crate::types::{Nanos, Scope, Timestamp};
use std::collections::BTreeSet;

#[derive(Debug)]
struct LastingHold {
    kinds: &'static [HoldKind],
    after: Nanos,
    /// Scopes that were found so.
    found: BTreeSet<Scope>,
}

fn build(
    kinds: &'static [HoldKind],
    after: Option<Nanos>,
) -> Result<Option<Box<dyn Watcher>>, String> {
    match after {
        None => Ok(None),
        Some(Nanos(0)) => Err("`after` must be above zero".to_owned()),
        Some(after) => Ok(Some(Box::new(LastingHold { kinds, after, found: BTreeSet::new() }))),
    }
}

pub fn position_mismatch(
    values: &mut Values,
    _: &Setup<'_>,
) -> Result<Option<Box<dyn Watcher>>, String> {
    let after = values.take("after", Nanos::from_secs(10))?;
    build(&[HoldKind::PositionMismatch], Some(after))
}

pub fn link_lost(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    build(&[HoldKind::StreamDown, HoldKind::Unreconciled], values.find("after")?)
}

pub fn heartbeat_lost(
    values: &mut Values,
    _: &Setup<'_>,
) -> Result<Option<Box<dyn Watcher>>, String> {
    build(&[HoldKind::Stalled], values.find("after")?)
}

impl Watcher for LastingHold {
    fn hear(&mut self, _: Timestamp, event: &Event<'_>) -> bool {
        matches!(event, Event::Changed | Event::Boot)
    }

    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let mut now = BTreeSet::new();
        let mut next = Next::NEVER;
        for (scope, kind, since) in view.halts().holds() {
            if !self.kinds.contains(&kind) {
                continue;
            }
            let due = since + self.after;
            if due <= view.at {
                now.insert(scope);
            } else if due < next.wake {
                next = Next::woken(due);
            }
        }
        found.extend(self.found.difference(&now).map(|scope| (*scope, Severity::Clear)));
        found.extend(now.iter().map(|scope| (*scope, Severity::Act)));
        self.found = now;
        next
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let own = view.halts().holds().filter(|(_, kind, _)| self.kinds.contains(kind));
        let age = |since| format!("{:.1}s of {}", view.at.since(since).as_secs_f64(), self.after);
        own.map(|(scope, _, since)| (scope, age(since))).collect()
    }

    kept_in!(found);
}
