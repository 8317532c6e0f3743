//! Importers: other people's files become recordings.
//!
//! All of them stream, stop at the first line they cannot read with its number and field, and leave
//! no file behind when they fail.

pub mod alpaca;
pub mod capture;
pub mod csv;
pub mod frames;
pub mod lean;
pub mod merge;

mod book_sync;
mod lines;
mod units;
mod zip_csv;

use super::{FeedError, RecordingWriter, Written};
use crate::msg::MarketData;
use lines::Meter;

/// How far an import is, in bytes of its source files as they lie on disk. Importers that read a
/// source twice count it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes to read.
    pub total: u64,
}

/// Told now and then during an import, and at its end.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// What an import made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The recording.
    pub written: Written,
    /// Source rows of a kind that has no place in a recording, passed over.
    pub skipped: u64,
}

/// The gateway's name of an instrument: upper case, of letters, digits and `. - _ / :`.
fn symbol(text: &str) -> Result<String, FeedError> {
    let plain = |c: char| c.is_alphanumeric() || "._-/:".contains(c);
    if text.chars().all(plain) && text.chars().any(char::is_alphanumeric) && text.len() <= 64 {
        return Ok(text.to_uppercase());
    }
    Err(FeedError::Source(format!("`{text}` is no symbol: letters, digits and . - _ / : only")))
}

/// Calls back every so many records.
const EVERY: u64 = 1 << 14;

/// Passes records on and reports progress.
struct Watched<'a, 'b> {
    meter: Meter,
    total: u64,
    count: u64,
    on: &'a mut (dyn FnMut(Progress) + 'b),
}

impl Watched<'_, '_> {
    fn each(
        &mut self,
        records: &mut impl Iterator<Item = Result<MarketData, FeedError>>,
        mut take: impl FnMut(&MarketData) -> Result<(), FeedError>,
    ) -> Result<(), FeedError> {
        for record in records {
            take(&record?)?;
            self.count += 1;
            if self.count.is_multiple_of(EVERY) {
                self.report();
            }
        }
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        (self.on)(Progress { done: self.meter.get().min(self.total), total: self.total });
    }

    fn write(
        &mut self,
        records: &mut impl Iterator<Item = Result<MarketData, FeedError>>,
        mut to: RecordingWriter,
    ) -> Result<Written, FeedError> {
        self.each(records, |record| to.push(record))?;
        to.finish()
    }
}
