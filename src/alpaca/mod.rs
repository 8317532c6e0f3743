//! Layer 4, the vocabulary of the Alpaca wire: what stands in its JSON, which words it knows, how its
//! paths name a call, which orders it takes. No state: the local venue, the connector and the gateway's
//! own order entry each bring theirs, and the seam that a server of this protocol stands on is [`Backend`].
//!
//! Numbers are `Decimal` here: this is the border. Requests may write them as text, as a number or as
//! `null`; answers write text, but for market data and portfolio history, which write numbers.

mod account;
pub mod assets;
mod budget;
mod call;
mod data;
mod error;
mod id;
mod listing;
mod msgpack;
mod number;
mod order;
mod reference;
pub mod rules;
mod seam;
mod sessions;
pub mod terms;
mod time;
mod update;
mod words;

pub use account::{
    Account, Activity, ClosePosition, Configuration, ConfigurationPatch, PortfolioHistory, Position,
};
pub use budget::Budget;
pub use call::{Call, Method, Params, WatchlistAction, WatchlistKey, decode_percent, read_call};
pub use data::{Channel, ControlMessage, DataError, Feed, Subscription};
pub use error::ApiError;
pub use id::Uuid;
pub use listing::{OrderQuery, Wanted};
pub use msgpack::{decode as decode_msgpack, encode as encode_msgpack};
pub use number::{Number, Opt};
pub use order::{Order, PatchOrder, PostOrder, StopLoss, TakeProfit};
pub use reference::{Asset, CalendarDay, Clock, Watchlist, WatchlistBody};
pub use seam::{Backend, Credentials, Output, Reply, Request, SocketId, Stream, Ticket};
pub use time::{Eastern, Time, read_date};
pub use update::{StreamCall, TradeUpdate, authorization, listening, stream_error, stream_message};
pub use words::{
    AssetClass, Event, OrderClass, OrderStatus, OrderType, PositionIntent, PositionSide, SideWord,
    Tif,
};

#[cfg(test)]
mod tests;
