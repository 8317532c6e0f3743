//! Broker connections: an actor each, on an arbiter of its own.

use crate::live::broker_io::{BrokerIo, BrokerParts};
use crate::live::keeper::Guard;
use actix::prelude::*;

/// Starts a broker's actor; `guard` tells its keeper when it is gone.
pub fn launch_broker(parts: BrokerParts, guard: Guard) {
    let arbiter = Arbiter::new();
    BrokerIo::start_in_arbiter(&arbiter.handle(), move |_| BrokerIo::new(parts, guard));
}
