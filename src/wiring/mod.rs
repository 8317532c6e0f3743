//! Layer 7, composition: a config file becomes a [`Topology`], in which every name is a number and
//! nothing is left to check.

mod alpaca;
mod alpaca_feed;
mod assemble;
mod brokers;
mod build;
mod config;
mod entry;
mod feeds;
mod guardian;
mod market;
mod names;
mod print;
mod secret;
mod session;
mod source;
mod topology;
mod walk;

pub use alpaca_feed::AlpacaFeed;
pub use assemble::{AssemblyError, Placement, Registry, closed_desk, remembered_desk};
pub use brokers::RemoteSession;
pub use config::{Idle, Mode};
pub use feeds::ReferenceFeed;
pub use names::{EXTERNAL, Names, OPERATOR};
pub use secret::{Secret, SecretRef};
pub use source::{ConfigError, Params, Source};
pub use topology::{
    AccountSpec, AgentSpec, AlpacaEntrySpec, AlpacaLogin, AlpacaSpec, Backoff, BrokerSpec,
    ControlSpec, FeedSource, FeedSpec, FxMark, LaneId, LaneSpec, LoadError, RestartPolicy,
    Topology, Venue, Vocabulary,
};
pub use walk::{Resumed, Start, Walk, WalkError, Walked, can_begin, walk, walk_to};

#[cfg(test)]
mod tests;
