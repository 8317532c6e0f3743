//! C12: the same agent never gets the same intent number through twice, for ever. Value: `deny`.
//!
//! Numbers are kept as ranges, so that an agent that counts up costs one range however long it runs.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Value, one};
use super::{Case, Check, rows_in};
use crate::actors::saved::Saved;
use crate::types::{AgentId, LimitRow, LimitValue, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const NAME: &str = "duplicate_intent";

/// Disjoint ranges that do not touch, by first number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn contains(&self, number: u64) -> bool {
        self.0
            .range(..=number)
            .next_back()
            .is_some_and(|(_, &last)| planted!(IntentComesTwice, number <= last, number < last))
    }

    fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let last = match number.checked_add(1).and_then(|next| self.0.remove(&next)) {
            Some(last) => last,
            None => number,
        };
        match self.0.range_mut(..number).next_back() {
            Some((_, before)) if before.checked_add(1) == Some(number) => *before = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }
}

/// The only value.
#[derive(Debug, Clone, Copy)]
struct Deny;

impl Value for Deny {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        match one(value)? {
            "deny" => Ok(Self),
            text => Err(format!("`{text}`: the only value is deny")),
        }
    }
    fn text(&self) -> String {
        "deny".to_owned()
    }
    fn within(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug)]
struct DuplicateIntent {
    limits: Limits<Deny>,
    used: BTreeMap<AgentId, Ranges>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(DuplicateIntent { limits, used: BTreeMap::new() }))
}

impl Check for DuplicateIntent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let used = self.used.get(&case.route.agent);
        if !case.is_leg && used.is_some_and(|used| used.contains(case.intent)) {
            return Err(Reason::DuplicateIntent);
        }
        Ok(())
    }

    fn commit(&mut self, case: &Case<'_>) {
        self.used.entry(case.route.agent).or_default().insert(case.intent);
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.used)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.used)
    }

    rows_in!(limits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set(numbers in prop::collection::vec(0u64..40, 1..80)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.contains(number), set.contains(&number));
                ranges.insert(number);
                set.insert(number);
            }
            let edges: Vec<(u64, u64)> = ranges.0.iter().map(|(a, b)| (*a, *b)).collect();
            prop_assert!(edges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{edges:?} touch");
        }
    }

    #[test]
    fn counting_up_costs_one_range() {
        let mut ranges = Ranges::default();
        (0..10_000).for_each(|number| ranges.insert(number));
        assert_eq!(ranges.0.len(), 1);
        ranges.insert(u64::MAX);
        assert!(ranges.contains(u64::MAX));
    }
}
