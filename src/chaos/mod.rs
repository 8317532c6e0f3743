//! Layer 8, trouble on purpose: a proxy that breaks connections, and campaigns that kill processes or cut connections.

mod agree;
mod faults;
mod framing;
mod kill9;
mod load;
mod pairs;
mod plan;
mod proxy;
mod reconnect;
mod venues;
mod world;

pub use agree::{Theirs, difference, ids_of};
pub use faults::{Amount, Direction, Dose, Fault, Faults, Partition};
pub use framing::{Cutter, Framing};
pub use kill9::{Campaign, CampaignConfig, CampaignError, Tally, Violation, kill9};
pub use load::{Load, LoadConfig, load};
pub use pairs::{BadSlice, Pairs, PairsConfig, pairs, slices};
pub use plan::{Fate, Plan};
pub use proxy::{Incident, ProxyConfig, ProxyError, ProxyTotals, proxy};
pub use reconnect::{Footprint, ReconnectConfig, Reconnects, reconnect};
pub use venues::{VenueFault, VenueKind};
pub use world::Market;

#[cfg(test)]
mod tests;
