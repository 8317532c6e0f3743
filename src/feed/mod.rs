//! Layer 5, feeds: where market records come from. Recorded sessions, a seeded market, and the
//! importers that turn other people's files into recordings.
//!
//! A feed numbers instruments on its own; [`Mapped`] gives its records the numbers of a session.
//! Times of a feed never go backwards. Nothing here reads a clock: [`Pace`] is handed the time.

pub mod alpaca;
pub mod counts;
pub mod error;
pub mod frames;
pub mod generated;
pub mod import;
pub mod info;
pub mod pace;
pub mod recording;
pub mod source;

pub use counts::Counts;
pub use error::FeedError;
pub use generated::{Generated, GeneratedInstrument, GeneratedMarket};
pub use info::{Info, info};
pub use pace::{Pace, Speed};
pub use recording::{Recording, RecordingWriter, Written, digest, hex};
pub use source::{Feed, Mapped};
