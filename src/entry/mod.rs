//! Layer 9, what comes in from outside: the control API on loopback, and orders of programs.
//!
//! Text becomes ids and terms here; behind [`Gateway`] there are only typed requests.

pub mod alpaca;
mod arming;
mod corporate;
pub mod dropin;
mod error;
mod gateway;
mod grounds;
mod guard;
mod limits;
mod live;
mod metrics;
mod order;
mod routes;
mod server;
mod show;

pub use dropin::{DropInError, DropInServer};
pub use gateway::{Gateway, OrderEntry, OrderFilter, Refusal};
pub use limits::rules;
pub use live::LiveGateway;
pub use order::entry as order_entry;
pub use server::{CONTROL_FILE, ControlServer, EntryError, TOKEN_FILE};

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
