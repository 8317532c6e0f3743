//! Layer 5, the sandbox venue: an exchange that fills against market data, its durable ledger, and the
//! protocol in front of it. In process ([`Loopback`]) and as a process of its own ([`serve`]) the very
//! same bytes flow.

mod accounts;
mod config;
mod contingency;
mod exchange;
mod matching;
mod order;
mod touch;

pub use accounts::Accounts;
pub use config::{ExchangeConfig, Fees, FillModel};
pub use exchange::{Exchange, OrderRecord, Outbox, VenueReport};
pub use order::{Order, OrderIndex};
