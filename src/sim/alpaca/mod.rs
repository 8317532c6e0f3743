//! The Alpaca wire in a session: the production session of that broker, byte by byte, against the local
//! venue behind a server without sockets, on the session's own clock.
//!
//! `link.rs` is the gateway's end, `server.rs` the broker's, `http.rs` its words, `faults.rs` what goes
//! wrong between them, `oracle.rs` compares the books with what the venue shows at the end.

mod faults;
mod http;
mod link;
mod oracle;
mod server;
mod socket;

pub use link::QueueLink;
pub use oracle::judge;
pub use server::AlpacaServer;

use super::fault::Fault;

/// Who the gateway is at the venue.
pub const KEY: &str = "SIMKEY";
/// Its secret.
pub const SECRET: &str = "simsecret";

/// What can go wrong on this wire alone.
pub const ONLY: &[Fault] = &[Fault::ProxyRepeats, Fault::ClosesEach];

/// What can go wrong in a session with this broker.
pub const FAULTS: &[Fault] = &[
    Fault::CleanClose,
    Fault::Reset,
    Fault::HalfOpen,
    Fault::Silent,
    Fault::Trickle,
    Fault::Garbage,
    Fault::WrongTypes,
    Fault::Oversized,
    Fault::Flood,
    Fault::DuplicateReport,
    Fault::LostReport,
    Fault::ReorderedReports,
    Fault::OldReports,
    Fault::StrangeReport,
    Fault::Revoked,
    Fault::TakenOver,
    Fault::DialFails,
    Fault::DialHangs,
    Fault::CutFrame,
    Fault::LostAnswer,
    Fault::LateAnswer,
    Fault::Throttled,
    Fault::VenueError,
    Fault::WebPage,
    Fault::ProxyRepeats,
    Fault::ClosesEach,
    Fault::Maintenance,
    Fault::LateFill,
    Fault::TradeBust,
    Fault::TradeCorrect,
    Fault::IgnoredCancel,
    Fault::NotFound,
    Fault::EmptySnapshot,
    Fault::RefusesAll,
    Fault::AgentPanic,
    Fault::Kill9,
    Fault::Stopped,
    Fault::QueueFull,
    Fault::ClockStep,
    Fault::MarketGap,
    Fault::MarketSilent,
    Fault::MarketDuplicate,
    Fault::MarketOld,
];
