//! MessagePack read in place. Floats mean the shortest decimal that gives them.

use super::cursor::{Cursor, DEPTH, Fault, Kind, rfc3339};
use super::number::{float, whole};
use crate::types::{NumberError, Timestamp};
use std::borrow::Cow;

/// A place in a MessagePack message.
#[derive(Debug)]
pub(super) struct Pack<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Pack<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[cold]
    const fn broken<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Broken { at: self.at, what })
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return self.broken("cut off") };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn unsigned(&mut self, width: usize) -> Result<u64, Fault> {
        Ok(self.take(width)?.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
    }

    fn length(&mut self, width: usize) -> Result<usize, Fault> {
        Ok(usize::try_from(self.unsigned(width)?).unwrap_or(usize::MAX))
    }

    #[inline]
    fn mark(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// The length of text or bytes behind their mark; `None` for anything else.
    #[inline]
    fn text_length(&mut self, mark: u8) -> Result<Option<usize>, Fault> {
        Ok(Some(match mark {
            0xa0..=0xbf => usize::from(mark & 31),
            0xc4 | 0xd9 => self.length(1)?,
            0xc5 | 0xda => self.length(2)?,
            0xc6 | 0xdb => self.length(4)?,
            _ => return Ok(None),
        }))
    }

    /// The length of an extension behind its mark, its kind not counted.
    fn extension(&mut self, mark: u8) -> Result<Option<usize>, Fault> {
        Ok(Some(match mark {
            0xd4..=0xd8 => 1 << (mark - 0xd4),
            0xc7 => self.length(1)?,
            0xc8 => self.length(2)?,
            0xc9 => self.length(4)?,
            _ => return Ok(None),
        }))
    }

    fn skip_at(&mut self, depth: u8) -> Result<(), Fault> {
        if depth > DEPTH {
            return self.broken("nested too deeply");
        }
        match self.peek()? {
            Kind::Text => self.text().map(drop),
            Kind::Number => match self.number() {
                Err(fault @ Fault::Broken { .. }) => Err(fault),
                _ => Ok(()),
            },
            Kind::List | Kind::Map => {
                let map = self.peek()? == Kind::Map;
                let mut left = if map { self.open_map()? } else { self.open_list()? };
                while self.more(&mut left)? {
                    if map {
                        self.skip_at(depth + 1)?;
                    }
                    self.skip_at(depth + 1)?;
                }
                Ok(())
            }
            Kind::Time => {
                let mark = self.mark()?;
                let length = self.extension(mark)?.unwrap_or(0);
                self.take(length.saturating_add(1)).map(drop)
            }
            Kind::Other => match self.mark()? {
                0xc0 | 0xc2 | 0xc3 => Ok(()),
                _ => self.broken("a byte that begins nothing"),
            },
        }
    }
}

impl<'a> Cursor<'a> for Pack<'a> {
    type Left = usize;

    #[inline]
    fn peek(&mut self) -> Result<Kind, Fault> {
        Ok(match self.bytes.get(self.at) {
            Some(0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb) => Kind::Text,
            Some(0x00..=0x7f | 0xca..=0xd3 | 0xe0..=0xff) => Kind::Number,
            Some(0x90..=0x9f | 0xdc | 0xdd) => Kind::List,
            Some(0x80..=0x8f | 0xde | 0xdf) => Kind::Map,
            Some(0xc7..=0xc9 | 0xd4..=0xd8) => Kind::Time,
            Some(_) => Kind::Other,
            None => return self.broken("cut off"),
        })
    }

    #[inline]
    fn open_list(&mut self) -> Result<usize, Fault> {
        match self.mark()? {
            mark @ 0x90..=0x9f => Ok(usize::from(mark & 15)),
            0xdc => self.length(2),
            0xdd => self.length(4),
            _ => self.broken("a list was expected"),
        }
    }

    #[inline]
    fn open_map(&mut self) -> Result<usize, Fault> {
        match self.mark()? {
            mark @ 0x80..=0x8f => Ok(usize::from(mark & 15)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => self.broken("a map was expected"),
        }
    }

    #[inline]
    fn more(&mut self, left: &mut usize) -> Result<bool, Fault> {
        let more = *left > 0;
        *left -= usize::from(more);
        Ok(more)
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        self.text()
    }

    #[inline]
    fn text(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let mark = self.mark()?;
        match self.text_length(mark)? {
            Some(length) => self.take(length).map(Cow::Borrowed),
            None => self.broken("a text was expected"),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<i64, Fault> {
        let value = match self.mark()? {
            mark @ 0x00..=0x7f => whole(i128::from(mark))?,
            // A float of four bytes: its own shortest decimal, not that of the wider float.
            0xca => {
                let narrow = f32::from_bits(self.unsigned(4)? as u32);
                let text = narrow.to_string();
                let wide = text.parse().map_err(|_| NumberError::NotANumber)?;
                float(wide)?
            }
            0xcb => float(f64::from_bits(self.unsigned(8)?))?,
            mark @ 0xcc..=0xcf => whole(i128::from(self.unsigned(1 << (mark - 0xcc))?))?,
            0xd0 => whole(i128::from(self.unsigned(1)? as u8 as i8))?,
            0xd1 => whole(i128::from(self.unsigned(2)? as u16 as i16))?,
            0xd2 => whole(i128::from(self.unsigned(4)? as u32 as i32))?,
            0xd3 => whole(i128::from(self.unsigned(8)? as i64))?,
            mark @ 0xe0..=0xff => whole(i128::from(mark as i8))?,
            _ => return self.broken("a number was expected"),
        };
        Ok(value)
    }

    #[inline]
    fn time(&mut self) -> Result<Timestamp, Fault> {
        if self.peek()? == Kind::Text {
            return rfc3339(&self.text()?);
        }
        let mark = self.mark()?;
        let Some(length) = self.extension(mark)? else { return self.broken("a time was expected") };
        let kind = self.mark()?;
        let body = self.take(length)?;
        let big = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        let (nanos, seconds) = match (kind, length) {
            (0xff, 4) => (0, big(body)),
            (0xff, 8) => (big(body) >> 34, big(body) & ((1 << 34) - 1)),
            (0xff, 12) => (big(&body[..4]), big(&body[4..])),
            _ => return Err(Fault::Time),
        };
        let at = seconds.checked_mul(1_000_000_000).and_then(|at| at.checked_add(nanos));
        at.filter(|_| nanos < 1_000_000_000).map(Timestamp::from_nanos).ok_or(Fault::Time)
    }

    fn truth(&mut self) -> Result<bool, Fault> {
        let truth = self.bytes.get(self.at) == Some(&0xc3);
        self.skip_at(0).map(|()| truth)
    }

    fn skip(&mut self) -> Result<(), Fault> {
        self.skip_at(0)
    }

    fn end(&mut self) -> Result<(), Fault> {
        if self.at == self.bytes.len() { Ok(()) } else { self.broken("more after the end") }
    }
}
