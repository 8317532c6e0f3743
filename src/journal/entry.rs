//! Entries: what a frame holds. Market records are compact, all else is postcard with its length.

use super::frame::{Frame, FrameError, FrameReader, FrameWriter};
use super::market_codec::{KIND_OTHER, MarketCodec, is_tick};
use super::varint::{self, Piece};
use crate::msg::{Input, Intervention, MarketData, OrderRequest};
use crate::types::{BrokerId, ClientOrderId, InstrumentTable, Reason, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

pub use super::market_codec::Units;

/// Version of the format; a file of another one is refused by name.
pub const FORMAT: u32 = 1;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// First entry of every file.
    Header(Box<Header>),
    /// Something a decision actor consumed at `at`.
    Input {
        /// When it was delivered.
        at: Timestamp,
        /// What.
        input: Input,
    },
    /// Market records of the reference feed up to `position` were consumed: they stand in that
    /// feed's file or seed, not here.
    Feed {
        /// Records consumed so far.
        position: u64,
        /// When they were delivered; `None`: each at its own time, never before the one before it.
        at: Option<Timestamp>,
    },
    /// What the actors decided in answer to the inputs before it. Replay makes it anew and compares.
    Derived(Derived),
    /// Digest of the state after everything before it.
    Checkpoint {
        /// SHA-256.
        digest: [u8; 32],
    },
    /// An opaque record of the room that owns the file (the sandbox ledger).
    Other(Vec<u8>),
    /// First entry after the header of a file that the same boot went on in: the file before it has
    /// so many entries, its header among them. If it has less, power was lost before its end was on
    /// stable storage, and what stands here follows from nothing.
    Continues {
        /// Entries of the file before.
        entries: u64,
    },
}

/// A decision.
#[allow(clippy::large_enum_variant, reason = "plain data; nearly all decisions are the large one")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Derived {
    /// Approved and handed to a broker.
    Sent {
        /// To which.
        broker: BrokerId,
        /// What.
        request: OrderRequest,
    },
    /// Refused before it could leave.
    Denied {
        /// The request's own id.
        cl_ord_id: ClientOrderId,
        /// Why.
        reason: Reason,
    },
    /// The guardian raised a kill, or began or ended a hold.
    Intervened(Intervention),
}

/// Where the inputs of a session come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum World {
    /// A feed or broker of another process, or the wall clock: every input is on record.
    Open,
    /// A recording or seed as feed, every record at its own time, and all brokers in this process:
    /// brokers and timers follow from the feed and are made anew.
    Closed,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderKind {
    /// A recorded market session.
    Recording,
    /// A gateway's journal. `config` is the text it ran under.
    Journal {
        /// Version of the program.
        build: String,
        /// The configuration, canonical.
        config: String,
        /// Name and digest of the file or seed that stands for the market records, if there is one.
        feed: Option<(String, [u8; 32])>,
        /// Where its inputs came from.
        world: World,
        /// Number of the journal file before it, 0 for none: a lost file is noticed.
        follows: u32,
        /// It began from a snapshot, so agents whose state is in none began anew.
        anew: bool,
    },
    /// A venue's ledger.
    Ledger,
}

/// First entry of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// What the file is.
    pub kind: HeaderKind,
    /// Instruments, in the order of the ids used in the file.
    pub instruments: InstrumentTable,
    /// Steps of their prices and sizes.
    pub units: Vec<Units>,
}

impl Header {
    /// A header whose units are the instruments' tick and lot.
    pub fn new(kind: HeaderKind, instruments: InstrumentTable) -> Self {
        let units = instruments
            .iter()
            .map(|(_, i)| Units { price: i.tick.raw().max(1), size: i.lot.raw().max(1) })
            .collect();
        Self { format: FORMAT, kind, instruments, units }
    }

    /// The header of the file in which the boot that wrote this one goes on after file `number`.
    #[must_use]
    pub fn following(&self, number: u32) -> Self {
        let mut header = self.clone();
        if let HeaderKind::Journal { follows, anew, .. } = &mut header.kind {
            (*follows, *anew) = (number, false);
        }
        header
    }

    fn codec(&self) -> MarketCodec {
        MarketCodec::new(self.units.clone(), matches!(self.kind, HeaderKind::Journal { .. }))
    }
}

/// Collects entries into frames and writes them.
#[derive(Debug)]
pub struct EntryWriter<W> {
    frames: FrameWriter<W>,
    codec: MarketCodec,
    scratch: Vec<u8>,
    count: u32,
}

impl<W: Write> EntryWriter<W> {
    /// Begins a new file with its header.
    ///
    /// # Errors
    /// The stream's.
    pub fn create(to: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self::with(FrameWriter::create(to)?, header);
        writer.push(&Entry::Header(Box::new(header.clone())))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Goes on in a file that stands at its end, after entry `next_seq - 1`.
    pub fn resume(to: W, header: &Header, next_seq: u64) -> Self {
        Self::with(FrameWriter::resume(to, next_seq), header)
    }

    fn with(frames: FrameWriter<W>, header: &Header) -> Self {
        Self { frames, codec: header.codec(), scratch: vec![0; 1 << 12], count: 0 }
    }

    /// Buffers a market record.
    ///
    /// # Errors
    /// None in practice: encoding into memory cannot fail.
    #[inline]
    pub fn push_market(&mut self, at: Timestamp, record: &MarketData) -> io::Result<()> {
        if self.codec.encode(at, record, self.frames.payload()) {
            self.count += 1;
            return Ok(());
        }
        self.push(&Entry::Input { at, input: Input::Market(*record) })
    }

    /// Buffers an entry.
    ///
    /// # Errors
    /// None in practice: encoding into memory cannot fail.
    pub fn push(&mut self, entry: &Entry) -> io::Result<()> {
        if let Entry::Input { at, input: Input::Market(record) } = entry
            && self.codec.encode(*at, record, self.frames.payload())
        {
            self.count += 1;
            return Ok(());
        }
        // Into a slice is several times as fast as onto a vector; only snapshots need more than one.
        let bytes = loop {
            match postcard::to_slice(entry, &mut self.scratch) {
                Ok(bytes) => break bytes.len(),
                Err(postcard::Error::SerializeBufferFull) => {
                    self.scratch.resize(self.scratch.len() * 2, 0);
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        };
        let payload = self.frames.payload();
        let mut head = Piece::new(KIND_OTHER);
        head.put(bytes as u64);
        payload.extend_from_slice(head.bytes());
        payload.extend_from_slice(&self.scratch[..bytes]);
        self.count += 1;
        Ok(())
    }

    /// Bytes that wait for [`Self::flush`].
    pub const fn buffered(&self) -> usize {
        self.frames.buffered()
    }

    /// Number of the next entry.
    pub fn next_seq(&self) -> u64 {
        self.frames.next_seq() + u64::from(self.count)
    }

    /// Ends the frame if it has `size` bytes or more. Its checksum is then made, so that a flush has
    /// only that of the rest to make.
    #[inline]
    pub fn seal_from(&mut self, size: usize) {
        if self.frames.open_bytes() >= size {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.count > 0 {
            self.frames.seal(self.count);
            self.count = 0;
            self.codec.start_frame();
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The stream's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.seal();
        if self.frames.buffered() > 0 { self.frames.flush() } else { Ok(()) }
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut W {
        self.frames.get_mut()
    }

    /// Goes on in another file that has its header, the same but for what it follows; gives this one
    /// back. Call it after a flush.
    ///
    /// # Errors
    /// None in practice: encoding into memory cannot fail.
    pub fn go_on(&mut self, to: W) -> io::Result<W> {
        let entries = self.next_seq();
        let before = self.frames.go_on(to, 1);
        self.codec.start_frame();
        self.push(&Entry::Continues { entries })?;
        Ok(before)
    }
}

/// Reads a file entry by entry.
#[derive(Debug)]
pub struct EntryReader<R> {
    frames: FrameReader<R>,
    header: Header,
    codec: MarketCodec,
    frame: Frame,
    at: usize,
    left: u32,
    /// The last entry that was no market record.
    entry: Entry,
    /// The last that was one.
    market: MarketData,
    /// The last that was passed over for one.
    passed: Option<Entry>,
}

/// An entry where the reader holds it: entries are large, and most are market records.
#[derive(Debug)]
pub enum Record<'a> {
    /// An input that is a market record, with when it was delivered.
    Market(Timestamp, &'a MarketData),
    /// Anything else.
    Other(&'a Entry),
}

impl Entry {
    /// The entry as a walk sees it.
    pub const fn record(&self) -> Record<'_> {
        match self {
            Self::Input { at, input: Input::Market(record) } => Record::Market(*at, record),
            entry => Record::Other(entry),
        }
    }
}

impl Record<'_> {
    /// The entry itself.
    pub fn into_entry(self) -> Entry {
        match self {
            Self::Market(at, record) => Entry::Input { at, input: Input::Market(*record) },
            Self::Other(entry) => entry.clone(),
        }
    }
}

impl<R: Read> EntryReader<R> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// A file that is not ours, torn before its header, or of another format.
    pub fn open(from: R) -> Result<Self, FrameError> {
        let mut frames = FrameReader::open(from)?;
        let mut frame = Frame::default();
        let no_header = FrameError::Damaged { offset: 8, last_seq: 0, what: "no header entry" };
        if !frames.next(&mut frame)? {
            // A kill came between the file's magic and its header.
            return Err(FrameError::Torn { offset: 0, torn: frames.offset() });
        }
        let mut bytes = frame.payload.as_slice();
        let header = match take_other(&mut bytes) {
            Some(Entry::Header(header)) if header.format == FORMAT => header,
            Some(Entry::Header(_)) => {
                return Err(FrameError::Damaged {
                    offset: 8,
                    last_seq: 0,
                    what: "the file has another format version than this program",
                });
            }
            _ => return Err(no_header),
        };
        if header.units.len() != header.instruments.len()
            || header.units.iter().any(|unit| unit.price < 1 || unit.size < 1)
        {
            return Err(no_header);
        }
        Ok(Self {
            codec: header.codec(),
            at: frame.payload.len() - bytes.len(),
            left: frame.count.saturating_sub(1),
            frames,
            header: *header,
            frame,
            entry: Entry::Other(Vec::new()),
            market: MarketData::BLANK,
            passed: None,
        })
    }

    /// The file's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// File offset after the frame that the last entry was in.
    pub const fn offset(&self) -> u64 {
        self.frames.offset()
    }

    /// Number of the entry that [`Self::next`] gives next.
    pub const fn next_seq(&self) -> u64 {
        self.frames.next_seq() - self.left as u64
    }

    /// The next entry, `None` at a clean end. The header is not given again.
    ///
    /// # Errors
    /// Torn or damaged files; what was given before is good.
    #[allow(clippy::should_implement_trait, reason = "it fails, and borrows nothing to iterate")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Entry>, FrameError> {
        Ok(self.next_record()?.map(Record::into_entry))
    }

    /// The next entry where it stands, `None` at a clean end.
    ///
    /// # Errors
    /// As [`Self::next`].
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, FrameError> {
        if self.left == 0 && !self.next_frame()? {
            return Ok(None);
        }
        let mut bytes = &self.frame.payload[self.at..];
        let at = match bytes.split_first() {
            Some((&tag, rest)) if tag & 7 != KIND_OTHER => {
                bytes = rest;
                let Some((at, record)) = self.codec.decode(tag, &mut bytes) else {
                    return Err(self.damaged());
                };
                self.market = record;
                Some(at)
            }
            _ => match take_other(&mut bytes).filter(|entry| self.knows(entry)) {
                Some(entry) => {
                    self.entry = entry;
                    None
                }
                None => return Err(self.damaged()),
            },
        };
        self.at = self.frame.payload.len() - bytes.len();
        self.left -= 1;
        Ok(Some(match at {
            Some(at) => Record::Market(at, &self.market),
            None => self.entry.record(),
        }))
    }

    /// The next market record, for recordings, without the detour over [`Entry`]; entries of other
    /// kinds are passed over. `false` at a clean end.
    ///
    /// # Errors
    /// As [`Self::next`].
    #[inline]
    pub fn next_market(&mut self, into: &mut MarketData) -> Result<bool, FrameError> {
        if self.left == 0 && !self.next_frame()? {
            return Ok(false);
        }
        let mut bytes = &self.frame.payload[self.at..];
        if let Some((&tag, rest)) = bytes.split_first()
            && is_tick(tag)
        {
            bytes = rest;
            self.left -= 1;
            let read = self.codec.decode_tick(tag, &mut bytes, into);
            self.at = self.frame.payload.len() - bytes.len();
            return if read.is_some() { Ok(true) } else { Err(self.damaged()) };
        }
        self.next_rare(into)
    }

    /// The last entry that [`Self::next_market`] passed over.
    pub const fn passed(&self) -> Option<&Entry> {
        self.passed.as_ref()
    }

    /// The next market record where the next entry is none of the common kinds.
    #[inline(never)]
    fn next_rare(&mut self, into: &mut MarketData) -> Result<bool, FrameError> {
        while let Some(entry) = self.next()? {
            if let Entry::Input { input: Input::Market(record), .. } = entry {
                *into = record;
                return Ok(true);
            }
            self.passed = Some(entry);
        }
        Ok(false)
    }

    /// A market record in its long form must name an instrument of the header, as the compact ones.
    fn knows(&self, entry: &Entry) -> bool {
        let Entry::Input { input: Input::Market(record), .. } = entry else { return true };
        record.instrument().index() < self.header.instruments.len()
    }

    #[inline(never)]
    fn next_frame(&mut self) -> Result<bool, FrameError> {
        while self.left == 0 {
            if self.at != self.frame.payload.len() {
                return Err(self.damaged());
            }
            if !self.frames.next(&mut self.frame)? {
                return Ok(false);
            }
            self.at = 0;
            self.left = self.frame.count;
            self.codec.start_frame();
        }
        Ok(true)
    }

    #[cold]
    fn damaged(&self) -> FrameError {
        FrameError::Damaged {
            offset: self.frames.offset(),
            last_seq: self.next_seq().saturating_sub(1),
            what: "an entry whose checksum is right cannot be read",
        }
    }
}

fn take_other(bytes: &mut &[u8]) -> Option<Entry> {
    let (&tag, rest) = bytes.split_first()?;
    if tag != KIND_OTHER {
        return None;
    }
    *bytes = rest;
    let length = usize::try_from(varint::get(bytes)?).ok()?;
    let (entry, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let (entry, left) = postcard::take_from_bytes(entry).ok()?;
    left.is_empty().then_some(entry)
}
