#![forbid(unsafe_code)]
#![deny(unused, missing_docs)]
//! qtos-gateway.
pub mod actors;
pub mod agents;
pub mod broker;
pub mod cli;
pub mod desk;
pub mod entry;
pub mod feed;
pub mod journal;
pub mod kill;
pub mod msg;
pub mod types;
pub mod venue;
pub mod view;
pub mod wiring;
