#![forbid(unsafe_code)]
#![deny(unused, missing_docs)]
//! qtos-gateway.
pub mod broker;
pub mod cli;
pub mod entry;
pub mod journal;
pub mod msg;
pub mod types;
pub mod view;
pub mod wiring;
