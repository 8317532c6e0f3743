//! What accounts have won and lost, added up from fills and valued at what was shown.

use super::shown::Shown;
use crate::actors::oms::{Fill, Order};
use crate::types::{AccountId, InstrumentId, Notional, Qty, Timestamp};
use std::collections::BTreeMap;

/// Nanoseconds of a day.
const DAY: u64 = 86_400_000_000_000;

/// Positions and cash flows of one process.
#[derive(Debug, Default)]
pub struct Losses {
    held: BTreeMap<(AccountId, InstrumentId), (Qty, Notional)>,
    day: u64,
    traded: Notional,
}

impl Losses {
    /// A fill was booked.
    pub fn book(&mut self, order: &Order, fill: &Fill) {
        let key = (order.route.account, order.route.instrument);
        let signed = order.terms.side.signed(fill.qty);
        let (qty, flow) = self.held.entry(key).or_default();
        *qty += signed;
        *flow = *flow - fill.price.notional(signed, 1) - fill.fee;
        let day = fill.at.nanos() / DAY;
        if self.day != day {
            (self.day, self.traded) = (day, Notional::ZERO);
        }
        self.traded += fill.price.notional(fill.qty, 1);
    }

    /// What the fills of the day of `at` were worth.
    pub fn traded(&self, at: Timestamp) -> Notional {
        if self.day == at.nanos() / DAY { self.traded } else { Notional::ZERO }
    }

    /// What an account has lost since the session began; `None` where something held was not shown.
    pub fn of(&self, account: AccountId, shown: &Shown) -> Option<Notional> {
        let all = (account, InstrumentId(0))..=(account, InstrumentId(u16::MAX));
        let mut lost = Notional::ZERO;
        for ((_, instrument), (qty, flow)) in self.held.range(all) {
            if shown.is_split(*instrument) {
                return None;
            }
            let worth = match qty.is_zero() {
                true => Notional::ZERO,
                false => shown.mark(*instrument)?.notional(*qty, 1),
            };
            lost = lost - *flow - worth;
        }
        Some(lost)
    }

    /// Whether two times are on one day.
    pub const fn same_day(one: Timestamp, other: Timestamp) -> bool {
        one.nanos() / DAY == other.nanos() / DAY
    }
}
