//! C17: the broker refuses too many new orders of an agent. Values: more than `most` within `window`,
//! or more than `share` of the last fifty.

use super::{Event, Next, Setup, Severity, Values, View, Watcher, kept_in};
use crate::types::{AgentId, Nanos, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Answers that the share is taken of.
const LAST: usize = 50;

/// Answers to an agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Answers {
    /// When it was refused, within the window.
    rejected: VecDeque<Timestamp>,
    /// The last ones, `true` for a refusal.
    last: VecDeque<bool>,
    /// Too many, not said yet.
    storm: bool,
}

#[derive(Debug)]
struct RejectStorm {
    most: u32,
    window: Nanos,
    share: i64,
    agents: BTreeMap<AgentId, Answers>,
}

pub fn build(values: &mut Values, _: &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String> {
    Ok(Some(Box::new(RejectStorm {
        most: values.count("most", 10)?,
        window: values.span("window", Nanos::from_secs(60))?,
        share: values.share("share", 200_000)?,
        agents: BTreeMap::new(),
    })))
}

impl Watcher for RejectStorm {
    fn hear(&mut self, at: Timestamp, event: &Event<'_>) -> bool {
        let Event::Answered { agent, rejected } = *event else { return false };
        // A broker that has never refused an agent needs no memory of it.
        if !rejected && !self.agents.contains_key(&agent) {
            return false;
        }
        let answers = self.agents.entry(agent).or_default();
        let rejected = planted!(StormRuleSilent, rejected, false);
        answers.last.push_back(rejected);
        if answers.last.len() > LAST {
            answers.last.pop_front();
        }
        if !rejected {
            return false;
        }
        answers.rejected.push_back(at);
        while answers.rejected.front().is_some_and(|first| at.since(*first) >= self.window)
            || answers.rejected.len() > self.most as usize + 1
        {
            answers.rejected.pop_front();
        }
        let bad = answers.last.iter().filter(|rejected| **rejected).count() as i64;
        let share = answers.last.len() == LAST && bad * 1_000_000 > self.share * LAST as i64;
        answers.storm |= answers.rejected.len() > self.most as usize || share;
        answers.storm
    }

    fn look(&mut self, _: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next {
        for (agent, answers) in self.agents.iter_mut().filter(|(_, answers)| answers.storm) {
            found.push((Scope::Agent(*agent), Severity::Clear));
            found.push((Scope::Agent(*agent), Severity::Act));
            *answers = Answers::default();
        }
        Next::NEVER
    }

    fn used(&self, view: &View<'_>) -> Vec<(Scope, String)> {
        let used = self.agents.iter().map(|(agent, answers)| {
            let within = |at: &&Timestamp| view.at.since(**at) < self.window;
            let count = answers.rejected.iter().filter(within).count();
            (Scope::Agent(*agent), format!("{count} of {}", self.most))
        });
        used.collect()
    }

    kept_in!(agents);
}
