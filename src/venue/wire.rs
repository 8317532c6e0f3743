//! The sandbox protocol: messages in journal frames, in both directions.
//!
//! ```text
//! stream  = frame*                      (see journal::frame; seq is 0, count is 1)
//! payload = postcard(message) | records (only after VenueMessage::Market)
//! ```
//! The client speaks first with a logon. The venue answers with [`VenueMessage::LogonAck`], which
//! carries its instruments and the ids of the accounts asked for; from then on every id in either
//! direction is the venue's. TCP keeps the order, the checksum of each frame the content.

use crate::journal::Units;
use crate::journal::frame::{self, Frame, MAX_PAYLOAD, Parsed};
use crate::journal::market_codec::{KIND_OTHER, MarketCodec};
use crate::journal::varint::{self, Piece};
use crate::msg::{
    CancelReject, ExecutionReport, MarketData, OrderRequest, OrderSnapshot, PositionSnapshot,
    TradeCorrection,
};
use crate::types::{AccountId, InstrumentTable, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of the protocol; a venue refuses another one by name.
pub const PROTOCOL: u32 = 1;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Orders and reports.
    Trader,
    /// Market data.
    Feed,
}

/// First message of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logon {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Who connects. A trader takes over from an older connection of the same name.
    pub gateway: String,
    /// What for.
    pub role: Role,
    /// Names of the accounts it trades; opened where the venue does not know them.
    pub accounts: Vec<String>,
}

/// From the gateway to the venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "requests are the rule, and no box on their way")]
pub enum ClientMessage {
    /// Who this is.
    Logon(Logon),
    /// A new order, replace or cancel. Traders only.
    Request(OrderRequest),
    /// Cancel every open order in the logon's accounts. Traders only.
    CancelAll,
    /// Send a snapshot. Traders only.
    SnapshotRequest {
        /// Comes back in the answer.
        id: u64,
        /// Ended orders are told if they changed after this version; 0 tells all.
        since: u64,
    },
    /// Still there; the venue answers with one.
    Heartbeat,
}

/// From the venue to the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum VenueMessage {
    /// Welcome.
    LogonAck {
        /// The venue's instruments, in the order of their ids.
        instruments: InstrumentTable,
        /// Ids of the logon's accounts, in their order.
        accounts: Vec<AccountId>,
        /// Session time.
        now: Timestamp,
    },
    /// FIX 8.
    Execution(ExecutionReport),
    /// FIX 8 for a trade that is cancelled or corrected.
    Correction(TradeCorrection),
    /// FIX 9.
    CancelReject(CancelReject),
    /// A part of a snapshot.
    Snapshot(SnapshotPart),
    /// So many market records follow in the same frame.
    Market {
        /// How many.
        count: u32,
    },
    /// The venue's data is at its end.
    EndOfFeed,
    /// Answer to a heartbeat.
    Heartbeat,
    /// The connection ends, and why.
    Refused {
        /// In words, for the log.
        reason: String,
    },
}

/// A part of a snapshot; all parts of one id are one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotPart {
    /// Of the request.
    pub id: u64,
    /// Nothing follows: the snapshot is complete.
    pub last: bool,
    /// What to ask with next time, see [`ClientMessage::SnapshotRequest`].
    pub version: u64,
    /// Some of its orders.
    pub orders: Vec<OrderSnapshot>,
    /// Its positions, all in the last part.
    pub positions: Vec<PositionSnapshot>,
}

/// Bytes that are not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The frame does not stand.
    #[error("bad frame: {0}")]
    Frame(&'static str),
    /// The frame stands, its content does not.
    #[error("a frame whose checksum is right cannot be read")]
    Message,
    /// The message does not fit a frame.
    #[error("the message is longer than a frame may be")]
    TooLong,
}

/// Appends a message as one frame.
///
/// # Errors
/// [`WireError::TooLong`]; `out` is as it was.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    framed(out, |out| append(message, out))
}

/// Appends one frame whose payload `write` appends.
fn framed(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let start = frame::begin(out);
    let head = out.len();
    let written = write(out);
    let result = if out.len() - head > MAX_PAYLOAD { Err(WireError::TooLong) } else { written };
    match result {
        Ok(()) => frame::seal(0, 1, out, start),
        Err(_) => out.truncate(start),
    }
    result
}

fn append<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    postcard::to_io(message, out).map(drop).map_err(|_| WireError::Message)
}

/// A codec for market records of these instruments.
pub fn market_codec(instruments: &InstrumentTable) -> MarketCodec {
    let units = instruments
        .iter()
        .map(|(_, i)| Units { price: i.tick.raw().max(1), size: i.lot.raw().max(1) })
        .collect();
    MarketCodec::new(units, false)
}

/// Appends market records as one frame.
///
/// # Errors
/// [`WireError::TooLong`]: send fewer at once.
pub fn encode_market(
    records: &[MarketData],
    codec: &mut MarketCodec,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    framed(out, |out| {
        append(&VenueMessage::Market { count: records.len() as u32 }, out)?;
        codec.start_frame();
        for record in records {
            if !codec.encode(record.ts(), record, out) {
                let long = postcard::to_stdvec(record).map_err(|_| WireError::Message)?;
                let mut head = Piece::new(KIND_OTHER);
                head.put(long.len() as u64);
                out.extend_from_slice(head.bytes());
                out.extend_from_slice(&long);
            }
        }
        Ok(())
    })
}

/// Reads the `count` records behind a [`VenueMessage::Market`].
///
/// # Errors
/// [`WireError::Message`]; what was pushed to `records` before it is good.
pub fn decode_market(
    count: u32,
    mut bytes: &[u8],
    codec: &mut MarketCodec,
    mut each: impl FnMut(MarketData),
) -> Result<(), WireError> {
    codec.start_frame();
    for _ in 0..count {
        each(take_record(&mut bytes, codec).ok_or(WireError::Message)?);
    }
    if bytes.is_empty() { Ok(()) } else { Err(WireError::Message) }
}

fn take_record(bytes: &mut &[u8], codec: &mut MarketCodec) -> Option<MarketData> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    if tag & 7 != KIND_OTHER {
        return codec.decode(tag, bytes).map(|(_, record)| record);
    }
    let length = usize::try_from(varint::get(bytes)?).ok()?;
    let (long, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    postcard::from_bytes(long).ok()
}

/// Cuts a byte stream into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    frame: Frame,
}

impl Decoder {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets everything: a new connection begins.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
    }

    /// The next whole message and the bytes behind it in its frame.
    ///
    /// # Errors
    /// [`WireError`]: the stream cannot be read on.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<(T, &[u8])>, WireError> {
        let bytes = &self.buffer[self.start..];
        if bytes.is_empty() {
            return Ok(None);
        }
        match frame::parse(bytes, &mut self.frame) {
            Parsed::Whole(length) => self.start += length,
            Parsed::Partial => return Ok(None),
            Parsed::Damaged(what) => return Err(WireError::Frame(what)),
        }
        postcard::take_from_bytes(&self.frame.payload).map(Some).map_err(|_| WireError::Message)
    }
}
