//! Layer 4, the vocabulary of the Alpaca wire: what stands in its JSON, which words it knows, how its
//! paths name a call. No behaviour: the local venue, the connector and the gateway's own order entry
//! each bring theirs, and the seam that a server of this protocol stands on is [`Backend`].
//!
//! Numbers are `Decimal` here: this is the border. Requests may write them as text, as a number or as
//! `null`; answers write text, but for market data and portfolio history, which write numbers.

mod account;
mod call;
mod data;
mod error;
mod id;
mod msgpack;
mod number;
mod order;
mod reference;
mod seam;
mod time;
mod update;
mod words;

pub use account::{
    Account, Activity, ClosePosition, Configuration, ConfigurationPatch, PortfolioHistory, Position,
};
pub use call::{Call, Method, Params, WatchlistAction, WatchlistKey, decode_percent, read_call};
pub use data::{Channel, ControlMessage, DataError, Feed, Subscription};
pub use error::ApiError;
pub use id::Uuid;
pub use msgpack::{decode as decode_msgpack, encode as encode_msgpack};
pub use number::{Number, Opt};
pub use order::{Order, PatchOrder, PostOrder, StopLoss, TakeProfit};
pub use reference::{Asset, CalendarDay, Clock, Watchlist, WatchlistBody};
pub use seam::{Backend, Credentials, Output, Reply, Request, SocketId, Stream, Ticket};
pub use time::{Eastern, Time, read_date};
pub use update::{StreamRequest, TradeUpdate};
pub use words::{
    AssetClass, Event, OrderClass, OrderStatus, OrderType, PositionIntent, PositionSide, SideWord,
    Tif,
};

#[cfg(test)]
mod tests;
