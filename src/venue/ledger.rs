//! The venue's durable ledger: what it accepted and executed, written before it is acknowledged.
//!
//! `ledger` is an append-only log of [`Commit`]s, one frame each: a commit is there as a whole or not
//! at all, and a torn tail is cut off at the next start. `cursor` is a small file, overwritten in
//! place, that says how far the market data was played; if it is torn the last commit's position
//! stands. Nothing is lost by kill -9; a power cut may take what the system had not yet written.

use super::accounts::Accounts;
use super::exchange::OrderRecord;
use super::order::{Order, OrderIndex};
use crate::journal::frame::FrameError;
use crate::journal::{Entry, EntryReader, EntryWriter, Header, HeaderKind};
use crate::msg::FillSnapshot;
use crate::types::{InstrumentTable, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const LEDGER: &str = "ledger";
const CURSOR: &str = "cursor";

/// Changes that happen together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Market records taken in before it.
    pub position: u64,
    /// Session time.
    pub time: Timestamp,
    /// Accounts opened, in the order of their ids.
    pub accounts: Vec<String>,
    /// Orders that changed, as they stand now, in the order of their places.
    pub orders: Vec<Order>,
    /// Fills, oldest first. One with a quantity below zero takes an earlier one back.
    pub fills: Vec<(OrderIndex, FillSnapshot)>,
    /// What the protocol in front of the exchange keeps with it; only that protocol reads it.
    pub notes: Vec<Vec<u8>>,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The operating system could not read or write.
    #[error("ledger: {0}")]
    Io(#[from] io::Error),
    /// The file is damaged, before its end.
    #[error("ledger: {0}")]
    Frame(#[from] FrameError),
    /// Another venue has it open.
    #[error("ledger: another venue uses this state folder")]
    InUse,
    /// It was written for other instruments than the venue's data now has.
    #[error("ledger: it was written for other instruments than this data has")]
    Instruments,
    /// The file is whole but says what cannot be.
    #[error("ledger: entry {seq} {what}")]
    Content {
        /// Number of the entry.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What a ledger says: the state after its last commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerState {
    /// Instruments, in the order of their ids.
    pub instruments: InstrumentTable,
    /// Positions and cash.
    pub accounts: Accounts,
    /// Every order ever, oldest first.
    pub orders: Vec<OrderRecord>,
    /// Session time.
    pub time: Timestamp,
    /// Market records taken in.
    pub position: u64,
    /// See [`Commit::notes`]; all of them, oldest first.
    pub notes: Vec<Vec<u8>>,
}

impl LedgerState {
    fn apply(&mut self, commit: Commit) -> Result<(), &'static str> {
        for name in &commit.accounts {
            self.accounts.open(name).map_err(|_| "opens an account that cannot be")?;
        }
        for order in commit.orders {
            if order.instrument.index() >= self.instruments.len()
                || order.account.index() >= self.accounts.names().len()
            {
                return Err("has an order of an unknown account or instrument");
            }
            let (at, known) = (order.index as usize, self.orders.len());
            match self.orders.get_mut(at) {
                Some(record) => record.order = order,
                None if at == known => self.orders.push(OrderRecord { order, fills: Vec::new() }),
                None => return Err("skips an order"),
            }
        }
        for (index, fill) in commit.fills {
            let record = self.orders.get_mut(index as usize).ok_or("fills an unknown order")?;
            let order = &record.order;
            let multiplier = self.instruments.get(order.instrument).multiplier;
            self.accounts.book(
                order.account,
                order.instrument,
                multiplier,
                order.terms.side,
                fill.qty,
                fill.price,
                fill.fee,
            );
            record.fills.push(fill);
        }
        self.notes.extend(commit.notes);
        self.time = self.time.max(commit.time);
        self.position = self.position.max(commit.position);
        Ok(())
    }
}

/// The open ledger of a running venue.
#[derive(Debug)]
pub struct Ledger {
    writer: EntryWriter<File>,
    cursor: File,
}

impl Ledger {
    /// Opens the ledger of a state folder, or begins one, and says what it holds.
    ///
    /// # Errors
    /// [`LedgerError`]. A torn tail is no error: it was never acknowledged and is cut off.
    pub fn open(
        dir: &Path,
        instruments: &InstrumentTable,
    ) -> Result<(Self, LedgerState), LedgerError> {
        fs::create_dir_all(dir)?;
        let path = dir.join(LEDGER);
        if !path.exists() {
            Self::begin(dir, instruments)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut tail = load(&file)?;
        if !tail.state.instruments.fits(instruments) {
            return Err(LedgerError::Instruments);
        }
        file.set_len(tail.offset)?;
        file.seek(SeekFrom::Start(tail.offset))?;
        let writer = EntryWriter::resume(file, &tail.header, tail.next_seq);
        let cursor = dir.join(CURSOR);
        if let Some((position, time)) = fs::read(&cursor).ok().and_then(|bytes| read_cursor(&bytes))
        {
            tail.state.position = tail.state.position.max(position);
            tail.state.time = tail.state.time.max(time);
        }
        let cursor = OpenOptions::new().create(true).truncate(false).write(true).open(cursor)?;
        Ok((Self { writer, cursor }, tail.state))
    }

    /// Reads the ledger of a state folder without touching it, also while a venue runs.
    ///
    /// # Errors
    /// [`LedgerError`]; a torn tail is no error.
    pub fn load(dir: &Path) -> Result<LedgerState, LedgerError> {
        Ok(load(&File::open(dir.join(LEDGER))?)?.state)
    }

    /// Writes a commit. Once this returns, kill -9 does not lose it.
    ///
    /// # Errors
    /// The file's: nothing of the commit may be acknowledged, and the venue must stop.
    pub fn append(&mut self, commit: &Commit) -> io::Result<()> {
        let bytes = postcard::to_stdvec(commit).map_err(io::Error::other)?;
        self.writer.push(&Entry::Other(bytes))?;
        self.writer.flush()
    }

    /// Writes how far the market data was played.
    ///
    /// # Errors
    /// The file's.
    pub fn set_cursor(&mut self, position: u64, time: Timestamp) -> io::Result<()> {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&position.to_le_bytes());
        bytes[8..16].copy_from_slice(&time.nanos().to_le_bytes());
        let crc = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        self.cursor.seek(SeekFrom::Start(0))?;
        self.cursor.write_all(&bytes)
    }

    /// The file appears with its header whole, or not at all.
    fn begin(dir: &Path, instruments: &InstrumentTable) -> io::Result<()> {
        let fresh = dir.join("ledger.new");
        EntryWriter::create(
            File::create(&fresh)?,
            &Header::new(HeaderKind::Ledger, instruments.clone()),
        )?;
        match fs::remove_file(dir.join(CURSOR)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(fresh, dir.join(LEDGER))
    }
}

fn read_cursor(bytes: &[u8]) -> Option<(u64, Timestamp)> {
    let word = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let crc = u32::from_le_bytes(bytes.get(16..20)?.try_into().ok()?);
    (bytes.len() == 20 && crc32fast::hash(&bytes[..16]) == crc)
        .then_some((word(0)?, Timestamp::from_nanos(word(8)?)))
}

struct Tail {
    state: LedgerState,
    header: Header,
    offset: u64,
    next_seq: u64,
}

fn load(file: &File) -> Result<Tail, LedgerError> {
    let mut reader = EntryReader::open(file)?;
    let header = reader.header().clone();
    if header.kind != HeaderKind::Ledger {
        return Err(LedgerError::Content { seq: 0, what: "is of another kind of file" });
    }
    let mut state =
        LedgerState { instruments: header.instruments.clone(), ..LedgerState::default() };
    loop {
        let seq = reader.next_seq();
        let content = |what| LedgerError::Content { seq, what };
        match reader.next() {
            Ok(Some(Entry::Other(bytes))) => {
                let commit = postcard::from_bytes(&bytes).map_err(|_| content("cannot be read"))?;
                state.apply(commit).map_err(content)?;
            }
            Ok(Some(_)) => return Err(content("is not of a ledger")),
            Ok(None) | Err(FrameError::Torn { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Tail { state, header, offset: reader.offset(), next_seq: reader.next_seq() })
}
