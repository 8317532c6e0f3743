//! Layer 1, values: numbers, times, names and the words of an order.
//!
//! Nothing here reads a clock, a file or the environment, and no valid input panics.

pub mod calendar;
pub mod fixed;
pub mod id;
pub mod instrument;
pub mod limit;
pub mod order;
pub mod reason;
pub mod scope;
pub mod text;
pub mod time;

pub use calendar::{Calendar, Date, DayStart, Phase};
pub use fixed::{Notional, NumberError, Price, Qty};
pub use id::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExchangeId, ExecId, InstrumentId, VenueOrderId,
};
pub use instrument::{Currency, Instrument, InstrumentTable};
pub use limit::{LimitRow, LimitValue};
pub use order::{ExecType, OrdStatus, OrdType, OrderQty, Side, TimeInForce, TrailingOffset};
pub use reason::Reason;
pub use scope::{KillLevel, Scope};
pub use time::{Nanos, Timestamp};
