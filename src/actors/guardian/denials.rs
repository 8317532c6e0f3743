//! Denials that should stop an agent: a reason that says it runs wild, at once; or too many of any
//! kind but those that kills and holds cause. Values: `stop`, words of reasons with commas between;
//! `most` within `window` (not counted without `most`).

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::types::{AgentId, Nanos, Reason, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Reasons that stop an agent where no `stop` is given: those of them that this program has.
const STOP: &[&str] =
    &["repeated_order", "price_drift", "day_orders", "day_value_sent", "day_value_traded"];

/// Denials of an agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Denied {
    recent: VecDeque<Timestamp>,
    /// Enough, not said yet.
    stop: bool,
}

#[derive(Debug)]
struct Denials {
    stop: Vec<Reason>,
    most: Option<u32>,
    window: Nanos,
    agents: BTreeMap<AgentId, Denied>,
}

fn reason(word: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.name() == word)
}

pub fn build(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    let known: Vec<&str> = STOP.iter().copied().filter(|word| reason(word).is_some()).collect();
    let stop = values
        .take("stop", known.join(","))?
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| reason(word).ok_or_else(|| format!("`stop`: no reason is called `{word}`")))
        .collect::<Result<_, _>>()?;
    Ok(Some(Box::new(Denials {
        stop,
        most: values.find("most")?,
        window: values.span("window", Nanos::from_secs(10))?,
        agents: BTreeMap::new(),
    })))
}

impl Watcher for Denials {
    fn hear(&mut self, at: Timestamp, event: &Event<'_>) -> bool {
        let Event::Denied { agent, reason } = *event else { return false };
        if agent.0 < AgentId::FIRST {
            return false;
        }
        let stop = self.stop.contains(&reason);
        let counts = !matches!(reason, Reason::Kill | Reason::Hold | Reason::AgentStopped);
        let most = self.most.filter(|_| counts);
        if !stop && most.is_none() {
            return false;
        }
        let denied = self.agents.entry(agent).or_default();
        if let Some(most) = most {
            denied.recent.push_back(at);
            while denied.recent.front().is_some_and(|first| at.since(*first) >= self.window)
                || denied.recent.len() > most as usize + 1
            {
                denied.recent.pop_front();
            }
            denied.stop |= denied.recent.len() > most as usize;
        }
        denied.stop |= stop;
        denied.stop
    }

    fn look(&mut self, _: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        for (agent, _) in self.agents.iter().filter(|(_, denied)| denied.stop) {
            found.push((Scope::Agent(*agent), Severity::Clear));
            found.push((Scope::Agent(*agent), Severity::Act));
        }
        self.agents.retain(|_, denied| !denied.stop);
        Next::NEVER
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let Some(most) = self.most else { return Vec::new() };
        let used = self.agents.iter().map(|(agent, denied)| {
            let within = |at: &&Timestamp| view.at.since(**at) < self.window;
            let count = denied.recent.iter().filter(within).count();
            (Scope::Agent(*agent), format!("{count} of {most}"))
        });
        used.collect()
    }

    kept_in!(agents);
}
