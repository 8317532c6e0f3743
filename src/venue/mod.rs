//! Layer 5, the sandbox venue: an exchange that fills against market data, its durable ledger, and the
//! protocol in front of it. In process ([`Loopback`]) and as a process of its own ([`serve`]) the very
//! same bytes flow.

mod accounts;
mod admission;
pub mod alpaca;
mod config;
mod contingency;
mod exchange;
mod feed_client;
mod floor;
mod ledger;
mod levels;
mod loopback;
mod matching;
mod order;
mod port;
mod reporting;
mod server;
mod touch;
mod view;
pub mod wire;

#[cfg(test)]
mod tests;

pub use accounts::Accounts;
pub use config::{ExchangeConfig, Fees, FillModel};
pub use exchange::{Exchange, OrderRecord};
pub use feed_client::{FeedClient, FeedClientError};
pub use floor::Venue;
pub use ledger::{Commit, Ledger, LedgerError, LedgerState};
pub use loopback::Loopback;
pub use order::{Order, OrderIndex};
pub use port::{ConnectionId, Port};
pub use reporting::{Outbox, VenueReport};
pub use server::{ServeError, ServeSummary, ServerConfig, serve};
pub use view::{CashView, FillView, LedgerView, OrderView, PositionView};
