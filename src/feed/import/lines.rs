//! Lines of a text file with their numbers, and errors that name them.

use crate::feed::FeedError;
use crate::types::Timestamp;
use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;
use std::str::FromStr;

/// Bytes read so far, shared by all readers of one import.
pub(super) type Meter = Rc<Cell<u64>>;

/// Counts what is read through it.
pub(super) struct Metered<R> {
    pub from: R,
    pub meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.meter.set(self.meter.get() + length as u64);
        Ok(length)
    }
}

/// A longer line is no line of any format here.
const MAX_LINE: usize = 16 << 20;

/// Reads lines; blank ones are passed over but numbered.
pub(super) struct Lines {
    from: BufReader<Box<dyn Read>>,
    file: String,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub fn new(file: String, from: Box<dyn Read>) -> Self {
        Self { from: BufReader::with_capacity(1 << 16, from), file, number: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank, without its end.
    pub fn next(&mut self) -> Result<Option<Line<'_>>, FeedError> {
        loop {
            self.number += 1;
            self.buffer.clear();
            let read =
                (&mut self.from).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.buffer);
            match read {
                Ok(0) => return Ok(None),
                Ok(length) if length > MAX_LINE => return Err(self.bad("longer than 16 MiB")),
                Ok(_) if self.buffer.trim_ascii().is_empty() => {}
                Ok(_) => break,
                Err(error) => return Err(self.bad(&format!("cannot be read: {error}"))),
            }
        }
        match std::str::from_utf8(self.buffer.trim_ascii_end()) {
            Ok(text) => Ok(Some(Line { text, number: self.number, file: &self.file })),
            Err(_) => Err(self.bad("not UTF-8 text")),
        }
    }

    fn bad(&self, what: &str) -> FeedError {
        Line { text: "", number: self.number, file: &self.file }.error("", what)
    }
}

/// One line.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub text: &'a str,
    number: u64,
    file: &'a str,
}

impl<'a> Line<'a> {
    pub fn error(&self, field: &'static str, what: impl Into<String>) -> FeedError {
        FeedError::Line { file: self.file.into(), line: self.number, field, what: what.into() }
    }

    /// The comma-separated fields, exactly as many as there are names.
    pub fn fields<const N: usize>(
        &self,
        names: &[&'static str; N],
    ) -> Result<[&'a str; N], FeedError> {
        let mut fields = [""; N];
        let mut parts = self.text.split(',');
        for (field, name) in fields.iter_mut().zip(names) {
            *field = parts.next().ok_or_else(|| self.error(name, "missing"))?.trim();
        }
        match parts.count() {
            0 => Ok(fields),
            more => Err(self.error("", format!("{} fields where {N} belong", N + more))),
        }
    }

    /// A value that knows how to read itself.
    pub fn parse<T: FromStr<Err: Display>>(
        &self,
        field: &'static str,
        text: &str,
    ) -> Result<T, FeedError> {
        text.parse().map_err(|error| self.error(field, format!("`{text}`: {error}")))
    }

    /// The time of a record that may not be older than the one before it.
    pub fn in_order(
        &self,
        field: &'static str,
        ts: Timestamp,
        last: &mut Timestamp,
    ) -> Result<Timestamp, FeedError> {
        if ts < *last {
            return Err(self.error(field, format!("{ts} is before {last} of the line ahead of it")));
        }
        *last = ts;
        Ok(ts)
    }
}
