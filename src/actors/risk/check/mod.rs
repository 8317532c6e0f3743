//! The controls: one file each, one row each in [`CHECKS`]. To add one, write its file and its row.

mod account_list;
mod approval_age;
mod buying_power;
mod clock_skew;
mod daily_loss;
mod day_budget;
mod day_orders;
mod day_value_sent;
mod day_value_traded;
mod duplicate_intent;
mod gross_exposure;
mod leverage;
mod max_order_qty;
mod max_order_value;
mod max_position;
mod max_position_value;
mod message_budget;
mod net_exposure;
mod open_orders;
mod order_rate;
mod price_collar;
mod price_drift;
mod repeated_order;
pub mod self_match;
mod session;
mod short_selling;
mod stale_data;
mod symbol_list;

pub use session::NAME as SESSION;

use super::approved::Terms;
use super::case::Case;
use super::limits::{Known, LimitError, Table};
use crate::actors::market::Market;
use crate::actors::oms::Oms;
use crate::actors::saved::Saved;
use crate::kill::Route;
use crate::types::{Date, InstrumentId, LimitRow, Notional, Price, Reason, Scope, Timestamp};

/// What a control's use of its limits is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Now.
    pub at: Timestamp,
    /// Orders, positions, money.
    pub oms: &'a Oms,
    /// Prices.
    pub market: &'a Market,
}

/// A fill, as the controls that count fills see it.
#[derive(Debug, Clone, Copy)]
pub struct Traded {
    /// When it was booked.
    pub at: Timestamp,
    /// On which trading day.
    pub day: Date,
    /// Of whose order.
    pub route: Route,
    /// At which price.
    pub price: Price,
    /// Its value in the account's currency; in its own where there is no rate.
    pub value: Notional,
}

/// A pre-trade control. It judges new orders and replaces alike.
pub trait Check: Send + std::fmt::Debug {
    /// The control's name in config, metrics and docs.
    fn name(&self) -> &'static str;

    /// Says yes, or why not. May roll its own windows forward to `case.at`, but must not count the
    /// order: another control may still refuse it.
    ///
    /// # Errors
    /// The control's reason.
    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason>;

    /// Counts an order that every control has approved.
    fn commit(&mut self, _case: &Case<'_>) {}

    /// Counts a fill.
    fn traded(&mut self, _fill: &Traded) {}

    /// Prices of an instrument from before a split say nothing about those after it.
    fn forget_prices(&mut self, _instrument: InstrumentId) {}

    /// How far a market order at `price` may be filled from it at most; zero for a control that does
    /// not say.
    fn margin(&self, _route: Route, _price: Price, _tick: Price) -> Price {
        Price::ZERO
    }

    /// What it asks of the gate at the wire for a request on this route, approved at `at`.
    fn at_wire(&self, _at: Timestamp, _route: Route, _terms: &mut Terms) {}

    /// Whether open orders that the order would trade with are to make way for it.
    fn displaces(&self, _case: &Case<'_>) -> bool {
        false
    }

    /// State that decides later verdicts: for the digest, for snapshots, and for the gate of the
    /// next configuration.
    fn state(&self) -> Option<&dyn Saved> {
        None
    }

    /// The same, to load it.
    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        None
    }

    /// Its rows.
    fn table(&self) -> &dyn Table;

    /// Its rows, to change them.
    fn table_mut(&mut self) -> &mut dyn Table;

    /// How much of the row with this scope is in use, as people write it; nothing where that is
    /// not a matter of state.
    fn used(&self, _scope: Scope, _look: &Look<'_>) -> Option<String> {
        None
    }
}

/// The two methods of a [`Check`] that give access to its rows.
macro_rules! rows_in {
    ($($field:tt)+) => {
        fn table(&self) -> &dyn $crate::actors::risk::limits::Table {
            &self.$($field)+
        }
        fn table_mut(&mut self) -> &mut dyn $crate::actors::risk::limits::Table {
            &mut self.$($field)+
        }
    };
}
use rows_in;

/// Builds a control from its limit rows.
pub type Build = fn(&[LimitRow], &Known) -> Result<Box<dyn Check>, LimitError>;

/// A control as this program knows it.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    /// Its number in the list of controls, C1 to C28.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Every configuration needs its global row. The others may be `off`, and outside of live
    /// trading left out.
    pub required: bool,
    /// How it is built.
    pub build: Build,
}

const fn core(id: &'static str, name: &'static str, build: Build) -> Control {
    Control { id, name, required: true, build }
}

const fn more(id: &'static str, name: &'static str, build: Build) -> Control {
    Control { id, name, required: false, build }
}

/// Every control of the risk gate, in the order they are asked: cheap and common refusals first.
pub const CHECKS: &[Control] = &[
    core("C22", "symbol_list", symbol_list::build),
    more("C22", "account_list", account_list::build),
    core("C21", SESSION, session::build),
    core("C12", "duplicate_intent", duplicate_intent::build),
    more("C19", "stale_data", stale_data::build),
    more("C20", "clock_skew", clock_skew::build),
    core("C1", "max_order_qty", max_order_qty::build),
    core("C2", "max_order_value", max_order_value::build),
    core("C3", "price_collar", price_collar::build),
    more("C8", "open_orders", open_orders::build),
    core("C5", "max_position", max_position::build),
    more("C5", "max_position_value", max_position_value::build),
    more("C7", "short_selling", short_selling::build),
    core("C9", "order_rate", order_rate::build),
    more("C11", "repeated_order", repeated_order::build),
    more("C4", "price_drift", price_drift::build),
    more("C14", "self_match", self_match::build),
    more("C6", "gross_exposure", gross_exposure::build),
    more("C6", "net_exposure", net_exposure::build),
    more("C6", "leverage", leverage::build),
    more("C7", "buying_power", buying_power::build),
    core("C15", "daily_loss", daily_loss::build),
    more("C25", "day_orders", day_orders::build),
    more("C25", "day_value_sent", day_value_sent::build),
    more("C25", "day_value_traded", day_value_traded::build),
    more("C24", "approval_age", approval_age::build),
    more("C10", "message_budget", message_budget::build),
];

/// Controls that hold the size of an order against a limit. An operator's order that uses more than
/// half of it is to be confirmed (C28). They keep no state.
pub const SIZED: &[&str] = &[
    "max_order_qty",
    "max_order_value",
    "max_position",
    "max_position_value",
    "gross_exposure",
    "net_exposure",
    "leverage",
];

/// The control with this name.
pub fn find(name: &str) -> Option<&'static Control> {
    CHECKS.iter().find(|control| control.name == name)
}

/// Builds all controls.
///
/// # Errors
/// The first limit that is missing or cannot be used.
pub fn build_all(rows: &[LimitRow], known: &Known) -> Result<Vec<Box<dyn Check>>, LimitError> {
    for row in rows {
        let names = || CHECKS.iter().map(|control| control.name).collect::<Vec<_>>().join(", ");
        let control = find(&row.control)
            .ok_or_else(|| LimitError::of(row, format!("is not a control: {}", names())))?;
        if control.required && row.value.is_off() {
            return Err(LimitError::of(row, "cannot be off"));
        }
    }
    for control in CHECKS.iter().filter(|control| control.required) {
        let name = control.name;
        if !rows.iter().any(|row| row.control == name && row.scope == Scope::Global) {
            return Err(LimitError {
                line: None,
                message: format!(
                    "limit {name} is missing: add a [[limit]] with control = \"{name}\" and scope = \"global\""
                ),
            });
        }
    }
    CHECKS.iter().map(|control| (control.build)(rows, known)).collect()
}
