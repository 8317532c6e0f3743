//! Alpaca's market data: a session that turns the bytes of a data stream into market records, and the
//! reader of its messages and of rows of history. No socket, no clock.
//!
//! What is hot (trades, quotes, bars, books) goes straight from the bytes to fixed point, by one walk
//! over the message that asks an encoding for keys and values (`cursor.rs`): JSON and MessagePack are
//! two of them, and the order of keys does not matter.

mod cursor;
mod fields;
mod json;
mod message;
mod number;
mod pack;
mod session;
mod symbols;
mod tape;

pub use message::{Control, Decoder, Encoding, Other, Row, Said};
pub use session::{Counters, FeedEvent, FeedSession, FeedSettings, FeedSink, Want};
pub use symbols::{MAX_SYMBOL, Symbols};

#[cfg(test)]
mod tests;
