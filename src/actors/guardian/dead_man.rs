//! The operator's console has not been heard of: warns `after` the last heartbeat, or the boot, and
//! acts after twice that. An arm of everything is heard as well. Value: `after` (the rule is off without it).

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::types::{Nanos, Scope, Timestamp};

#[derive(Debug)]
struct DeadMan {
    after: Nanos,
    heard: Option<Timestamp>,
}

pub fn build(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    match values.find("after")? {
        None => Ok(None),
        Some(Nanos(0)) => Err("`after` must be above zero".to_owned()),
        Some(after) => Ok(Some(Box::new(DeadMan { after, heard: None }))),
    }
}

impl Watcher for DeadMan {
    fn hear(&mut self, at: Timestamp, event: &Event<'_>) -> bool {
        if !matches!(event, Event::Heartbeat | Event::Boot) {
            return false;
        }
        self.heard = Some(at);
        true
    }

    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        let Some(heard) = self.heard else { return Next::NEVER };
        let (first, second) = (heard + self.after, heard + Nanos(self.after.0.saturating_mul(2)));
        let (severity, next) = if view.at >= second {
            (Severity::Act, Next::NEVER)
        } else if view.at >= first {
            (Severity::Warn, Next::woken(second))
        } else {
            (Severity::Clear, Next::woken(first))
        };
        found.push((Scope::Global, severity));
        next
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let age = |since| format!("{:.1}s of {}", view.at.since(since).as_secs_f64(), self.after);
        self.heard.into_iter().map(|since| (Scope::Global, age(since))).collect()
    }

    kept_in!(heard);
}
