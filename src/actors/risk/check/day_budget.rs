//! C25, what its three controls share: a sum over the trading day (`[session] day_start`) in each scope
//! that has a row. What is cancelled gives nothing back.

use super::super::limits::{Known, LimitError, Limits, PerScope};
use super::super::value::{Count, Value};
use super::super::window::Daily;
use super::{Case, Check, Look, Traded, rows_in};
use crate::actors::saved::Saved;
use crate::types::{LimitRow, Notional, Reason, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is added up.
pub trait Amount:
    Value + Copy + Default + PartialOrd + Serialize + DeserializeOwned + Send + 'static
{
    /// Their sum, held at the end of the range.
    fn plus(self, more: Self) -> Self;
}

impl Amount for Notional {
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }
}

impl Amount for Count {
    fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

/// When an amount is added to the day.
#[derive(Debug, Clone, Copy)]
pub enum Booked<A> {
    /// With the order; the legs of a list come with its first.
    Sent,
    /// With each fill, of which so much counts; until then an order is held against what has filled.
    Traded(fn(&Traded) -> A),
}

/// One of the controls.
#[derive(Debug)]
pub struct DayBudget<A: Amount> {
    /// Its name.
    pub name: &'static str,
    /// Its refusal.
    pub reason: Reason,
    /// What an order may bring.
    pub of: fn(&Case<'_>) -> A,
    /// When it counts.
    pub booked: Booked<A>,
    limits: Limits<A>,
    days: PerScope<Daily<A>>,
}

/// Builds the control `name`.
pub fn build<A: Amount + std::fmt::Debug>(
    (name, reason): (&'static str, Reason),
    of: fn(&Case<'_>) -> A,
    booked: Booked<A>,
    (rows, known): (&[LimitRow], &Known),
) -> Result<Box<dyn Check>, LimitError> {
    let limits = Limits::new(name, rows, known)?;
    Ok(Box::new(DayBudget { name, reason, of, booked, limits, days: PerScope::default() }))
}

impl<A: Amount + std::fmt::Debug> Check for DayBudget<A> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        if case.is_leg && matches!(self.booked, Booked::Sent) {
            return Ok(());
        }
        let more = planted!(LastOneFree, (self.of)(case), A::default());
        let fits = self.limits.on(case.route).all(|(scope, most)| {
            let sum = self.days.get(scope).map(|day| day.at(case.oms.books.date()));
            sum.unwrap_or_default().plus(more) <= *most
        });
        if fits { Ok(()) } else { Err(self.reason) }
    }

    fn commit(&mut self, case: &Case<'_>) {
        if matches!(self.booked, Booked::Sent) {
            for (scope, _) in self.limits.on(case.route) {
                let sum = self.days.entry(scope).on(case.oms.books.date());
                *sum = sum.plus((self.of)(case));
            }
        }
    }

    fn traded(&mut self, fill: &Traded) {
        if let Booked::Traded(of) = self.booked {
            for (scope, _) in self.limits.on(fill.route) {
                let sum = self.days.entry(scope).on(fill.day);
                *sum = sum.plus(planted!(TradedForgotten, of(fill), A::default()));
            }
        }
    }

    fn state(&self) -> Option<&dyn Saved> {
        Some(&self.days)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.days)
    }

    rows_in!(limits);

    fn used(&self, scope: Scope, look: &Look<'_>) -> Option<String> {
        let sum = self.days.get(scope).map(|day| day.at(look.oms.books.date()));
        Some(sum.unwrap_or_default().text())
    }
}
