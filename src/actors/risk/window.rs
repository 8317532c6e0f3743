//! What is counted over time. Windows slide with each order and remember the time of each: exact, and
//! no memory is taken once they have their length.

use super::value::Rate;
use crate::types::{Date, Timestamp};
use serde::{Deserialize, Serialize};

/// The times of the last orders, as many as the limit asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    times: Vec<Timestamp>,
    /// The oldest of them.
    oldest: usize,
}

impl Window {
    /// Whether one more at `at` would be more than the rate allows in `(at - window, at]`.
    #[inline]
    pub fn is_full(&self, rate: Rate, at: Timestamp) -> bool {
        // The order `count` orders ago must have left the window.
        let back = rate.count as usize;
        let window = planted!(HalfWindow, rate.window, crate::types::Nanos(rate.window.0 / 2));
        self.nth_last(back).is_some_and(|time| time + window > at)
    }

    /// Counts one; keeps as many as `rate` asks for.
    #[inline]
    pub fn push(&mut self, rate: Rate, at: Timestamp) {
        self.fit(rate.count as usize);
        self.times[self.oldest] = at;
        self.oldest = (self.oldest + 1) % self.times.len();
    }

    /// How many are in the window that ends at `at`.
    pub fn used(&self, rate: Rate, at: Timestamp) -> usize {
        let within = |time: &&Timestamp| **time > Timestamp::ZERO && **time + rate.window > at;
        self.times.iter().filter(within).count()
    }

    /// From the oldest to the newest.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        let count = self.times.len();
        (0..count).map(move |at| self.times[(self.oldest + at) % count])
    }

    fn nth_last(&self, back: usize) -> Option<Timestamp> {
        let count = self.times.len();
        if back == 0 || back > count {
            return None;
        }
        let time = self.times[(self.oldest + count - back) % count];
        (time > Timestamp::ZERO).then_some(time)
    }

    /// The newest stay when the length changes.
    fn fit(&mut self, count: usize) {
        if self.times.len() == count {
            return;
        }
        let old: Vec<Timestamp> = self.times().collect();
        let kept = &old[old.len().saturating_sub(count)..];
        self.times = vec![Timestamp::ZERO; count - kept.len()];
        self.times.extend_from_slice(kept);
        self.oldest = 0;
    }
}

/// A sum that begins anew with each trading day.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Daily<S> {
    /// The day that it is of.
    pub day: Date,
    /// What it has come to.
    pub sum: S,
}

impl<S: Copy + Default> Daily<S> {
    /// The sum of a day, as far as it is known.
    pub fn at(&self, day: Date) -> S {
        if self.day == day { self.sum } else { S::default() }
    }

    /// The sum of a day, to add to it.
    pub fn on(&mut self, day: Date) -> &mut S {
        if self.day != day {
            *self = Self { day, sum: S::default() };
        }
        &mut self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Nanos;

    #[test]
    fn a_changed_length_keeps_the_newest() {
        let rate = |count| Rate { count, window: Nanos(100) };
        let at = Timestamp::from_nanos;
        let mut window = Window::default();
        assert!(!window.is_full(rate(2), at(10)));
        (10..14).for_each(|time| window.push(rate(4), at(time)));
        assert!(window.is_full(rate(4), at(109)) && !window.is_full(rate(4), at(110)));
        assert!(
            window.is_full(rate(2), at(111)) && !window.is_full(rate(2), at(112)),
            "tighter at once"
        );
        window.push(rate(2), at(120));
        assert_eq!(window.times().collect::<Vec<_>>(), [at(13), at(120)]);
        window.push(rate(3), at(121));
        assert_eq!(window.times().collect::<Vec<_>>(), [at(13), at(120), at(121)]);
        assert_eq!(window.used(rate(3), at(113)), 2);
    }
}
