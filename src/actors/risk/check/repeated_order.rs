//! C11: the same thing over and over is a loop, not a strategy. At most so many orders of one agent
//! in a window that are alike: same instrument and side, quantity within a hundredth, price within
//! two ticks (market orders are alike in price). Value: `20/10s`. The denial has an agent stopped by
//! the guardian; a person lets it run again.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::Rate;
use super::{Case, Check, rows_in};
use crate::actors::saved::Saved;
use crate::types::{AgentId, InstrumentId, LimitRow, Price, Qty, Reason, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

const NAME: &str = "repeated_order";
/// Orders that are remembered for each agent, instrument and side, in units of the limit's count.
const DEPTH: usize = 8;
const TICKS: i64 = 2;

type Key = (AgentId, InstrumentId, Side);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    at: Timestamp,
    units: Qty,
    price: Option<Price>,
}

impl Seen {
    fn of(case: &Case<'_>) -> Self {
        let ord_type = case.terms.ord_type;
        let price = ord_type.limit_price().or(ord_type.stop_price());
        Self { at: case.at, units: case.units, price }
    }

    fn like(&self, other: &Self, tick: Price) -> bool {
        let units = self.units.saturating_sub(other.units).abs();
        let prices = match (self.price, other.price) {
            (Some(one), Some(two)) => {
                one.saturating_sub(two).abs().raw() <= tick.raw().saturating_mul(TICKS)
            }
            (None, None) => true,
            _ => false,
        };
        prices && i128::from(units.raw()) * 100 <= i128::from(other.units.raw())
    }
}

#[derive(Debug)]
struct RepeatedOrder {
    limits: Limits<Rate>,
    seen: BTreeMap<Key, VecDeque<Seen>>,
}

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(NAME, rows, known)?;
    Ok(Box::new(RepeatedOrder { limits, seen: BTreeMap::new() }))
}

impl Check for RepeatedOrder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let key = (case.route.agent, case.route.instrument, case.terms.side);
        let Some(seen) = self.seen.get(&key) else { return Ok(()) };
        let now = Seen::of(case);
        for (_, rate) in self.limits.covering(case) {
            let alike = seen
                .iter()
                .rev()
                .take_while(|past| past.at + rate.window > case.at)
                .filter(|past| now.like(past, case.instrument.tick))
                .take(rate.count as usize)
                .count();
            if alike >= rate.count as usize {
                return Err(Reason::RepeatedOrder);
            }
        }
        Ok(())
    }

    fn commit(&mut self, case: &Case<'_>) {
        let most = self.limits.covering(case).map(|(_, rate)| rate.count as usize * DEPTH).max();
        let Some(most) = most else { return };
        let key = (case.route.agent, case.route.instrument, case.terms.side);
        let seen = self.seen.entry(key).or_insert_with(|| VecDeque::with_capacity(most));
        while seen.len() >= most {
            seen.pop_front();
        }
        seen.push_back(Seen::of(case));
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.seen)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.seen)
    }

    rows_in!(limits);
}
