//! From findings to actions: confirmed before they count, raised once, harder when they come back
//! soon after an arm.

use super::settings::Action;
use crate::msg::Rule;
use crate::types::{KillLevel, Nanos, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What comes back within this span after an arm is raised one level higher.
pub const REPEAT: Nanos = Nanos::from_secs(15 * 60);

/// How bad a look found a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Nothing is wrong.
    Clear,
    /// Near the limit.
    Warn,
    /// Beyond it.
    Act,
}

/// What stands against a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    /// Looks in a row that found at least a warning.
    warned: u32,
    /// Looks in a row that found more.
    acted: u32,
    /// What has been done about it.
    raised: Severity,
}

/// A trip that an arm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Armed {
    at: Timestamp,
    /// How often it had come back before.
    step: u32,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Begin (`true`) or end a hold.
    Hold(bool),
    /// Raise to this level, with this cool-off.
    Kill(KillLevel, Nanos),
}

/// All findings, trips and arms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    findings: BTreeMap<(Rule, Scope), Finding>,
    /// Automatic trips in force: how often each had come back.
    tripped: BTreeMap<(Scope, Rule), u32>,
    armed: BTreeMap<(Scope, Rule), Armed>,
}

/// One level above, but never further than a flatten: an isolated broker cannot be exited, so that
/// step is a person's.
const fn above(level: KillLevel) -> KillLevel {
    match level {
        KillLevel::Normal => KillLevel::ReduceOnly,
        KillLevel::ReduceOnly => KillLevel::Block,
        KillLevel::Block => KillLevel::Cancel,
        KillLevel::Cancel | KillLevel::Flatten => KillLevel::Flatten,
        KillLevel::Isolate => KillLevel::Isolate,
    }
}

impl Standing {
    /// Takes in what a look found, and says what to do. `warn` and `act` are the rule's actions,
    /// `confirm` how many looks in a row it takes.
    pub fn note(
        &mut self,
        at: Timestamp,
        (rule, scope): (Rule, Scope),
        severity: Severity,
        [warn, act]: [Action; 2],
        confirm: u32,
        cool_off: Nanos,
    ) -> Option<Move> {
        let key = (rule, scope);
        if severity == Severity::Clear {
            let was = self.findings.remove(&key)?;
            let held = match was.raised {
                Severity::Clear => false,
                Severity::Warn => warn == Action::Hold,
                Severity::Act => act == Action::Hold || warn == Action::Hold,
            };
            return held.then_some(Move::Hold(false));
        }
        let fresh = Finding { warned: 0, acted: 0, raised: Severity::Clear };
        let finding = self.findings.entry(key).or_insert(fresh);
        finding.warned = finding.warned.saturating_add(1);
        finding.acted = if severity == Severity::Act { finding.acted.saturating_add(1) } else { 0 };
        let confirm = planted!(OneLookTrips, confirm, 1);
        let (confirmed, action) = if finding.acted >= confirm {
            (Severity::Act, act)
        } else if finding.warned >= confirm {
            (Severity::Warn, warn)
        } else {
            return None;
        };
        if finding.raised >= confirmed {
            return None;
        }
        finding.raised = confirmed;
        match action {
            Action::Off => None,
            Action::Hold => Some(Move::Hold(true)),
            Action::Kill(level) => {
                let (level, cool_off) = self.escalate(at, rule, scope, level, cool_off);
                Some(Move::Kill(level, cool_off))
            }
        }
    }

    /// The level and cool-off of an automatic trip: one level higher for each time that it came back
    /// within [`REPEAT`] of its arm, and four times the cool-off.
    pub fn escalate(
        &mut self,
        at: Timestamp,
        rule: Rule,
        scope: Scope,
        level: KillLevel,
        cool_off: Nanos,
    ) -> (KillLevel, Nanos) {
        let key = (scope, rule);
        let again = self.armed.get(&key).filter(|armed| at.since(armed.at) <= REPEAT);
        let step = match self.tripped.get(&key) {
            Some(step) => *step,
            None => again.map_or(0, |armed| armed.step.saturating_add(1)),
        };
        self.tripped.insert(key, step);
        let steps = step.min(16);
        let level = (0..steps).fold(level, |level, _| above(level));
        (level, Nanos(cool_off.0.saturating_mul(1 << (2 * steps))))
    }

    /// An operator armed a scope: its automatic trips may now come back.
    pub fn armed(&mut self, at: Timestamp, scope: Scope) {
        let ended: Vec<Rule> = self.tripped_on(scope).collect();
        for rule in ended {
            if let Some(step) = self.tripped.remove(&(scope, rule)) {
                self.armed.insert((scope, rule), Armed { at, step });
            }
        }
        self.armed.retain(|_, armed| at.since(armed.at) <= REPEAT);
    }

    /// A new process: looks in a row begin anew. What was done about them stands.
    pub fn rebooted(&mut self) {
        for finding in self.findings.values_mut() {
            (finding.warned, finding.acted) = (0, 0);
        }
    }

    /// Forgets what a rule found, so that the next finding is a new one.
    pub fn forget(&mut self, rule: Rule, scope: Scope) {
        self.findings.remove(&(rule, scope));
    }

    /// Rules with an automatic trip on a scope.
    pub fn tripped_on(&self, scope: Scope) -> impl Iterator<Item = Rule> {
        self.tripped.keys().filter(move |(on, _)| *on == scope).map(|(_, rule)| *rule)
    }

    /// Automatic trips in force.
    pub fn tripped(&self) -> impl Iterator<Item = (Scope, Rule)> {
        self.tripped.keys().copied()
    }

    /// Findings that something was done about and that still stand.
    pub fn stands(&self) -> impl Iterator<Item = (Rule, Scope)> {
        let raised = |finding: &Finding| finding.raised > Severity::Clear;
        self.findings.iter().filter(move |(_, finding)| raised(finding)).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (Rule, Scope) = (Rule::DailyLoss, Scope::Global);
    const ACTIONS: [Action; 2] =
        [Action::Kill(KillLevel::ReduceOnly), Action::Kill(KillLevel::Cancel)];
    const OFF: Nanos = Nanos::from_secs(30);

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Nanos::from_secs(secs)
    }

    fn note(standing: &mut Standing, secs: u64, severity: Severity) -> Option<Move> {
        standing.note(at(secs), KEY, severity, ACTIONS, 3, OFF)
    }

    #[test]
    fn one_bad_look_does_nothing_and_three_in_a_row_act_once() {
        let mut standing = Standing::default();
        for (secs, severity) in [
            (1, Severity::Act),
            (2, Severity::Clear),
            (3, Severity::Act),
            (4, Severity::Act),
            (5, Severity::Clear),
            (6, Severity::Warn),
            (7, Severity::Act),
        ] {
            assert_eq!(note(&mut standing, secs, severity), None);
        }
        // Three at least warned, one of them more: the warning is confirmed, the rest is not yet.
        assert_eq!(
            note(&mut standing, 8, Severity::Act),
            Some(Move::Kill(KillLevel::ReduceOnly, OFF))
        );
        assert_eq!(note(&mut standing, 9, Severity::Act), Some(Move::Kill(KillLevel::Cancel, OFF)));
        assert_eq!(note(&mut standing, 10, Severity::Act), None, "once");
    }

    #[test]
    fn what_comes_back_within_a_quarter_of_an_hour_is_raised_harder() {
        // Level configured, times it came back, level raised.
        let table = [
            (KillLevel::ReduceOnly, [KillLevel::Block, KillLevel::Cancel, KillLevel::Flatten]),
            (KillLevel::Block, [KillLevel::Cancel, KillLevel::Flatten, KillLevel::Flatten]),
            (KillLevel::Cancel, [KillLevel::Flatten; 3]),
            (KillLevel::Flatten, [KillLevel::Flatten; 3]),
            (KillLevel::Isolate, [KillLevel::Isolate; 3]),
        ];
        for (level, again) in table {
            let mut standing = Standing::default();
            let mut now = at(1_000);
            let raise = |standing: &mut Standing, now| {
                standing.escalate(now, Rule::DailyLoss, Scope::Global, level, OFF)
            };
            assert_eq!(raise(&mut standing, now), (level, OFF));
            for (number, expected) in again.into_iter().enumerate() {
                standing.armed(now, Scope::Global);
                now = now + REPEAT;
                let cool_off = Nanos(OFF.0 * 4u64.pow(number as u32 + 1));
                assert_eq!(raise(&mut standing, now), (expected, cool_off), "{level} {number}");
            }
            standing.armed(now, Scope::Global);
            now = now + Nanos(REPEAT.0 + 1);
            assert_eq!(raise(&mut standing, now), (level, OFF), "too late to be the same");
        }
    }

    #[test]
    fn another_rule_or_scope_is_no_repetition() {
        let mut standing = Standing::default();
        standing.escalate(at(1), Rule::DailyLoss, Scope::Global, KillLevel::Block, OFF);
        standing.armed(at(2), Scope::Global);
        for (rule, scope) in [
            (Rule::Drawdown, Scope::Global),
            (Rule::DailyLoss, Scope::Agent(crate::types::AgentId(2))),
        ] {
            let raised = standing.escalate(at(3), rule, scope, KillLevel::Block, OFF);
            assert_eq!(raised, (KillLevel::Block, OFF));
        }
        // A warning and its act in one episode are no repetition either.
        let first = standing.escalate(at(3), Rule::Drawdown, Scope::Global, KillLevel::Cancel, OFF);
        assert_eq!(first, (KillLevel::Cancel, OFF));
    }

    #[test]
    fn holds_end_and_never_escalate() {
        let mut standing = Standing::default();
        for secs in 1..5 {
            let mut note = |severity| {
                standing.note(at(secs), KEY, severity, [Action::Off, Action::Hold], 1, OFF)
            };
            assert_eq!(note(Severity::Act), Some(Move::Hold(true)));
            assert_eq!(note(Severity::Clear), Some(Move::Hold(false)));
        }
    }
}
