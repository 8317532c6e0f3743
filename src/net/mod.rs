//! Layer 2, bytes of HTTP and WebSocket: state machines without a socket, for whatever side of a
//! connection somebody else owns. Bytes in, messages out, and the other way round.

mod endpoint;
pub mod http;
mod reconnect;
pub mod ws;

pub use endpoint::Endpoint;
pub use reconnect::Backoff;
