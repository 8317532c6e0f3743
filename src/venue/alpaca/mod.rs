//! The local Alpaca venue: the sandbox exchange behind that protocol, with its rules, ids, codes and
//! messages. [`AlpacaVenue`] is a [`crate::alpaca::Backend`]: no socket and no clock of its own. What
//! it answers is in the ledger first, so kill -9 at any moment loses nothing that was acknowledged.

mod account;
mod activities;
mod amend;
mod bars;
mod config;
mod faults;
mod floor;
mod follow;
mod history;
mod ids;
mod listing;
mod market;
mod members;
mod news;
mod oauth;
mod positions;
mod record;
mod reserves;
mod show;
mod sim;
mod sockets;
mod state;
mod submit;
mod tape;
mod watchlists;

#[cfg(test)]
mod tests;

pub use config::{AlpacaConfig, Login, MarketClock, Pace};
pub use floor::AlpacaVenue;
