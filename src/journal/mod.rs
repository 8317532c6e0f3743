//! Layer 3, memory: one log and one codec for journals, recordings, ledgers and the sandbox wire.

pub mod entry;
pub mod frame;
pub mod log;
pub mod market_codec;
pub mod rotation;
pub mod varint;

pub use crate::disk::Disk;
pub use entry::{
    Derived, Entry, EntryReader, EntryWriter, Header, HeaderKind, Record, Units, World,
};
pub use frame::{Frame, FrameError, FrameReader, FrameWriter};
pub use log::{Durability, Log, Recorded, begin};
pub use rotation::Rotation;
