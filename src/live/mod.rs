//! Layer 8, driver A: real time. Lanes are threads, sockets and supervision are actix actors.
//!
//! `service.rs` puts it together, `lane.rs` drives the core lane, `sockets.rs` carries
//! the bytes of broker connections (`desk/connection.rs`), `keeper.rs` is supervision.

mod agent_lane;
mod audit;
mod behind;
mod broker_io;
mod clock;
pub(crate) mod data_io;
mod direct;
mod drill;
pub(crate) mod edge;
mod feed_io;
mod fetch;
mod handle;
mod journal_file;
mod keeper;
mod lane;
mod lane_broker;
mod lane_feed;
mod launch;
mod recover;
mod service;
mod socket;
mod sockets;
pub mod state;
mod status;
mod watch;
mod watchdog;

pub use audit::{Act, Audit, AuditError, AuditLine};
pub use behind::snapshot_after;
pub use clock::now as clock_now;
pub use data_io::{DriveError, FeedFigures, drive, log_event, side_by_side};
pub use direct::{Direct, DirectError, kill_direct};
pub use drill::Drilled;
pub use edge::{Heard, RemoteEdge};
pub use fetch::{FetchError, Fetcher};
pub use handle::{Handle, NoAnswer};
pub use keeper::inject;
pub use lane::Figures;
pub use recover::{RecoverError, Recovered, recover};
pub use service::{Options, Service, ServiceError};
pub use state::{Identity, StateError, StateFolder};
pub use status::{ActorState, ActorStatus};
pub use watchdog::{Beat, News, Watchdog};

#[cfg(test)]
mod interleavings;
