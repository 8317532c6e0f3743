//! The gateway's side of a feed connection to a sandbox venue, without a socket: bytes in, market
//! records out, numbered as the gateway numbers its instruments.

use super::wire::{
    self, ClientMessage, Decoder, Logon, PROTOCOL, Role, VenueMessage, WireError, market_codec,
};
use crate::journal::market_codec::MarketCodec;
use crate::msg::MarketData;
use crate::types::{InstrumentId, InstrumentTable};

/// Why a feed connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedClientError {
    /// The bytes are not of the protocol.
    #[error("sandbox feed: {0}")]
    Wire(#[from] WireError),
    /// The venue ended it.
    #[error("sandbox feed: the venue refused: {0}")]
    Refused(String),
    /// A message that a feed connection must not get at this point.
    #[error("sandbox feed: unexpected message")]
    Unexpected,
}

/// One feed connection.
#[derive(Debug)]
pub struct FeedClient {
    instruments: InstrumentTable,
    decoder: Decoder,
    link: Option<(MarketCodec, Vec<Option<InstrumentId>>)>,
    ended: bool,
    skipped: u64,
}

impl FeedClient {
    /// A client for a gateway with these instruments.
    pub fn new(instruments: InstrumentTable) -> Self {
        Self { instruments, decoder: Decoder::default(), link: None, ended: false, skipped: 0 }
    }

    /// The first bytes of a new connection; whatever came on an older one is forgotten.
    ///
    /// # Errors
    /// A name too long for a frame.
    pub fn logon(&mut self, gateway: &str) -> Result<Vec<u8>, WireError> {
        self.decoder.clear();
        self.link = None;
        let mut out = Vec::new();
        let logon = Logon {
            protocol: PROTOCOL,
            gateway: gateway.to_string(),
            role: Role::Feed,
            accounts: Vec::new(),
        };
        wire::encode(&ClientMessage::Logon(logon), &mut out)?;
        Ok(out)
    }

    /// Bytes to write about once a second; the venue closes connections that are silent for long.
    ///
    /// # Errors
    /// None in practice.
    pub fn heartbeat(&self) -> Result<Vec<u8>, WireError> {
        let mut out = Vec::new();
        wire::encode(&ClientMessage::Heartbeat, &mut out)?;
        Ok(out)
    }

    /// Takes bytes in and hands every record out, in order.
    ///
    /// # Errors
    /// [`FeedClientError`]: close the connection; what was handed out before is good.
    pub fn on_bytes(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(MarketData),
    ) -> Result<(), FeedClientError> {
        self.decoder.push(bytes);
        while let Some((message, rest)) = self.decoder.next_message::<VenueMessage>()? {
            match (message, &mut self.link) {
                (VenueMessage::LogonAck { instruments, .. }, None) => {
                    let ids =
                        instruments.iter().map(|(_, i)| self.instruments.find(&i.symbol)).collect();
                    self.link = Some((market_codec(&instruments), ids));
                }
                (VenueMessage::Market { count }, Some((codec, ids))) => {
                    let skipped = &mut self.skipped;
                    wire::decode_market(count, rest, codec, |record| {
                        match ids.get(record.instrument().index()) {
                            Some(&Some(id)) => each(record.with_instrument(id)),
                            _ => *skipped += 1,
                        }
                    })?;
                }
                (VenueMessage::EndOfFeed, Some(_)) => self.ended = true,
                (VenueMessage::Heartbeat, _) => {}
                (VenueMessage::Refused { reason }, _) => {
                    return Err(FeedClientError::Refused(reason));
                }
                _ => return Err(FeedClientError::Unexpected),
            }
        }
        Ok(())
    }

    /// Logged on.
    pub const fn is_up(&self) -> bool {
        self.link.is_some()
    }

    /// The venue has said that its data is at its end.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Records passed over because the gateway does not list their instrument.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}
