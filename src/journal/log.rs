//! Gate 2: the log that a lane writes, and the proof that it was written.
//!
//! Entries are encoded into the lane's buffer; [`Log::commit`] writes it out and hands out a
//! [`Recorded`], without which no order may leave. In `process` durability the write has reached the
//! operating system and survives the death of the process; in `power` durability it is on the disk.

use super::entry::{Derived, Entry, EntryWriter, Header};
use crate::disk::Disk;
use crate::msg::{Input, MarketData};
use crate::types::Timestamp;
use std::io;

/// Market records are sealed into frames of this many bytes, so that an order between them waits for
/// the checksum of one piece, however much came before it.
const PIECE: usize = 1 << 10;

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Survives the death of the process; power loss may take the last 5 ms.
    #[default]
    Process,
    /// Survives power loss.
    Power,
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Power => "power",
        })
    }
}

/// Proof that everything pushed before was recorded. Only [`Log::commit`] makes one (INV-3).
#[derive(Debug)]
pub struct Recorded {
    seq: u64,
}

impl Recorded {
    /// Number of the entry after the last recorded one.
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

/// A lane's log.
pub struct Log {
    writer: Option<EntryWriter<Box<dyn Disk>>>,
    durability: Durability,
    /// Consumption of the reference feed that has no entry yet.
    feed: Option<(u64, Option<Timestamp>)>,
    by_reference: bool,
    failed: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("feed", &self.feed).field("failed", &self.failed).finish()
    }
}

/// Begins a file with its header, on stable storage when this returns.
///
/// # Errors
/// The disk's.
pub fn begin(disk: &mut dyn Disk, header: &Header) -> io::Result<()> {
    EntryWriter::create(&mut *disk, header)?;
    disk.sync()
}

impl Log {
    /// A log that remembers nothing: for replays, whose inputs are on record already.
    pub const fn none() -> Self {
        Self {
            writer: None,
            durability: Durability::Process,
            feed: None,
            by_reference: true,
            failed: false,
        }
    }

    /// Begins a file with its header, on stable storage before anything follows. With a feed named
    /// in the header, market records are kept as positions in that feed.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(
        mut disk: Box<dyn Disk>,
        header: &Header,
        durability: Durability,
    ) -> io::Result<Self> {
        let by_reference = matches!(&header.kind, super::HeaderKind::Journal { feed: Some(_), .. });
        begin(disk.as_mut(), header)?;
        let writer = EntryWriter::resume(disk, header, 1);
        Ok(Self { writer: Some(writer), durability, feed: None, by_reference, failed: false })
    }

    /// Whether market records are kept as positions of a reference feed.
    pub const fn by_reference(&self) -> bool {
        self.by_reference
    }

    /// Notes a market record that was delivered at `at`.
    #[inline]
    pub fn market(&mut self, at: Timestamp, record: &MarketData) {
        if let Some(writer) = &mut self.writer {
            let pushed = writer.push_market(at, record);
            writer.seal_from(PIECE);
            if pushed.is_err() {
                self.fail();
            }
        }
    }

    /// Notes that the reference feed was consumed up to `position`, the last of it at `at`; `None`
    /// where every record is delivered at its own time.
    #[inline]
    pub fn feed(&mut self, position: u64, at: Option<Timestamp>) {
        if self.writer.is_none() {
            return;
        }
        if self.feed.is_some_and(|(_, before)| before != at) {
            self.settle_feed();
        }
        self.feed = Some((position, at));
    }

    fn settle_feed(&mut self) {
        if let Some((position, at)) = self.feed.take() {
            self.push(&Entry::Feed { position, at });
        }
    }

    /// Notes an input that is no market record.
    pub fn input(&mut self, at: Timestamp, input: &Input) {
        if self.writer.is_some() {
            self.settle_feed();
            self.push(&Entry::Input { at, input: input.clone() });
        }
    }

    /// Notes a decision.
    pub fn derived(&mut self, derived: &Derived) {
        if self.writer.is_some() {
            self.settle_feed();
            self.push(&Entry::Derived(*derived));
        }
    }

    /// Notes the digest of the state after everything before.
    pub fn checkpoint(&mut self, digest: [u8; 32]) {
        if self.writer.is_some() {
            self.settle_feed();
            self.push(&Entry::Checkpoint { digest });
        }
    }

    fn push(&mut self, entry: &Entry) {
        if let Some(writer) = &mut self.writer
            && writer.push(entry).is_err()
        {
            self.fail();
        }
    }

    /// The end of this log: what comes after it is not kept, as nobody would write it out.
    fn fail(&mut self) {
        self.failed = true;
        self.writer = None;
    }

    /// Writes out what is buffered and proves it.
    ///
    /// # Errors
    /// The disk's; from then on every commit fails, and nothing but cancels may leave.
    pub fn commit(&mut self) -> io::Result<Recorded> {
        if self.failed {
            return Err(io::Error::other("the journal failed before"));
        }
        self.settle_feed();
        let Some(writer) = &mut self.writer else {
            return Ok(Recorded { seq: 0 });
        };
        let mut written = planted!(SentUnwritten, writer.flush(), Ok(()));
        if written.is_ok() && self.durability == Durability::Power {
            written = writer.get_mut().sync();
        }
        let seq = writer.next_seq();
        if written.is_err() {
            self.fail();
        }
        planted!(DiskErrorLost, written, Ok(())).map(|()| Recorded { seq })
    }

    /// Writes and puts everything on stable storage: at the end of a run.
    ///
    /// # Errors
    /// The disk's.
    pub fn close(&mut self) -> io::Result<()> {
        self.commit()?;
        let synced = self.writer.as_mut().map_or(Ok(()), |writer| writer.get_mut().sync());
        synced.inspect_err(|_| self.fail())
    }

    /// Goes on in `next`, a file that [`begin`] made with the header that follows this one's. What is
    /// buffered is written out to the old file, which comes back; in `process` durability its end may
    /// not be on stable storage yet. `None` if this log remembers nothing.
    ///
    /// # Errors
    /// The disk's: the log has failed then.
    pub fn go_on(&mut self, next: Box<dyn Disk>) -> io::Result<Option<Box<dyn Disk>>> {
        self.commit()?;
        let gone = self.writer.as_mut().map(|writer| writer.go_on(next)).transpose();
        gone.inspect_err(|_| self.fail())
    }

    /// Bytes that wait for a commit.
    pub fn buffered(&self) -> usize {
        self.writer.as_ref().map_or(0, EntryWriter::buffered)
    }

    /// Whether the disk refused: the gateway must not open risk any more.
    pub const fn has_failed(&self) -> bool {
        self.failed
    }
}
