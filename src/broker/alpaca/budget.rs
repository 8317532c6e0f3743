//! How many requests a minute may still take, by `governor` on the clock that drives the session.
//!
//! In no minute do a burst and what refills within it come to more than the broker's quota. Cancels
//! have a share of their own and may use the common one as well, so that they never wait for orders or
//! reads. What the broker says of what is left counts for more than what was counted here: others may
//! use the same account.

use crate::types::{Nanos, Timestamp};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A new order or a replace.
    Order,
    /// A cancel.
    Cancel,
    /// A question.
    Read,
}

/// The time of the session's last input.
#[derive(Debug, Clone, Default)]
struct Driven(Arc<AtomicU64>);

impl Clock for Driven {
    type Instant = governor::nanos::Nanos;

    fn now(&self) -> Self::Instant {
        self.0.load(Ordering::Relaxed).into()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Driven, NoOpMiddleware<governor::nanos::Nanos>>;

/// How long a refusal without a `Retry-After` is heeded.
const PAUSE: Nanos = Nanos::from_secs(2);
/// A pause that a broker asks for is heeded so long at most: a wrong header stops nobody for ever.
const LONGEST: Nanos = Nanos::from_secs(60);

/// The budget of one account.
#[derive(Debug)]
pub(super) struct Budget {
    clock: Driven,
    common: Limiter,
    cancels: Limiter,
    /// Requests that the broker leaves for cancels, when it says how many are left.
    reserve: u32,
    /// Nothing but cancels leaves before.
    closed_until: Timestamp,
    /// Nothing at all leaves before: the broker has refused by status 429.
    refused_until: Timestamp,
}

impl Budget {
    /// A budget of `quota` requests a minute, at least 10.
    pub fn new(quota: u32) -> Self {
        let quota = quota.max(10);
        let part = |share: u32| NonZeroU32::new((quota / 10 * share).max(1));
        let clock = Driven::default();
        let limiter = |refill: u32, burst: u32| {
            let (Some(refill), Some(burst)) = (part(refill), part(burst)) else {
                return RateLimiter::direct_with_clock(
                    Quota::per_minute(NonZeroU32::MIN),
                    clock.clone(),
                );
            };
            RateLimiter::direct_with_clock(
                Quota::per_minute(refill).allow_burst(burst),
                clock.clone(),
            )
        };
        // Tenths of the quota: 6 + 2 and 1 + 1.
        Self {
            common: limiter(6, 2),
            cancels: limiter(1, 1),
            clock,
            reserve: quota / 10,
            closed_until: Timestamp::ZERO,
            refused_until: Timestamp::ZERO,
        }
    }

    /// Takes one request out of the budget.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&mut self, now: Timestamp, what: Use) -> Result<(), Timestamp> {
        self.clock.0.fetch_max(now.nanos(), Ordering::Relaxed);
        if now < self.refused_until {
            return Err(self.refused_until);
        }
        if what != Use::Cancel && now < self.closed_until {
            return Err(self.closed_until);
        }
        if what == Use::Cancel && self.cancels.check().is_ok() {
            return Ok(());
        }
        self.common.check().map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            now + Nanos(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX).max(1))
        })
    }

    /// What an answer says is left until `reset`, seconds since 1970.
    pub fn heard(&mut self, now: Timestamp, remaining: Option<&str>, reset: Option<&str>) {
        let (Some(remaining), Some(reset)) = (number(remaining), number(reset)) else { return };
        if remaining <= u64::from(self.reserve) {
            let reset = Timestamp::from_nanos(reset.saturating_mul(1_000_000_000));
            self.closed_until = self.closed_until.max(reset.min(now + LONGEST));
        }
    }

    /// The broker refused a request by status 429.
    pub fn refused(&mut self, now: Timestamp, retry_after: Option<&str>) {
        let pause = number(retry_after).map_or(PAUSE, |s| Nanos(s.saturating_mul(1_000_000_000)));
        self.refused_until = self.refused_until.max(now + pause.min(LONGEST));
    }
}

fn number(text: Option<&str>) -> Option<u64> {
    text?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000) + Nanos::from_millis(millis)
    }

    proptest! {
        /// However requests come, no minute holds more than the quota.
        #[test]
        fn no_minute_holds_more_than_the_quota(
            quota in 10u32..1_000,
            steps in prop::collection::vec((0u64..2_000, 0u8..3), 1..3_000),
        ) {
            let mut budget = Budget::new(quota);
            let (mut now, mut taken) = (0, Vec::new());
            for (step, what) in steps {
                now += step / 20;
                let what = [Use::Order, Use::Cancel, Use::Read][usize::from(what)];
                if budget.take(at(now), what).is_ok() {
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                let within = taken[first..].iter().filter(|at| **at < from + 60_000).count();
                prop_assert!(within <= quota as usize, "{within} of {quota}");
            }
        }
    }

    #[test]
    fn cancels_have_what_orders_cannot_use_up() {
        let mut budget = Budget::new(200);
        let mut orders = 0;
        while budget.take(at(0), Use::Order).is_ok() {
            orders += 1;
        }
        let mut cancels = 0;
        while budget.take(at(0), Use::Cancel).is_ok() {
            cancels += 1;
        }
        assert_eq!((orders, cancels), (40, 20));
        let again = budget.take(at(0), Use::Order).unwrap_err();
        assert!(again > at(0) && budget.take(again, Use::Order).is_ok());
    }

    #[test]
    fn the_broker_knows_better() {
        let mut budget = Budget::new(200);
        let reset = (at(0).nanos() / 1_000_000_000 + 30).to_string();
        budget.heard(at(0), Some("20"), Some(&reset));
        assert!(budget.take(at(0), Use::Order).is_err() && budget.take(at(0), Use::Read).is_err());
        assert!(budget.take(at(0), Use::Cancel).is_ok());
        assert!(budget.take(at(31_000), Use::Order).is_ok());
        budget.refused(at(31_000), None);
        assert_eq!(budget.take(at(31_000), Use::Cancel), Err(at(33_000)));
        budget.refused(at(33_000), Some("5"));
        assert_eq!(budget.take(at(33_000), Use::Cancel), Err(at(38_000)));
        budget.refused(at(38_000), Some("99999999"));
        assert_eq!(budget.take(at(38_000), Use::Cancel), Err(at(98_000)), "bounded");
        budget.heard(at(98_000), Some("x"), None);
        assert!(budget.take(at(98_000), Use::Order).is_ok());
    }
}
