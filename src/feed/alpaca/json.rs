//! JSON read in place: nothing is copied but text with escapes in it.

use super::cursor::{Cursor, DEPTH, Fault, Kind, rfc3339};
use super::number::decimal;
use crate::types::Timestamp;
use std::borrow::Cow;

/// A place in a JSON text.
#[derive(Debug)]
pub(super) struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What closes the list or map, and whether nothing of it was read yet.
#[derive(Debug)]
pub(super) struct Left {
    close: u8,
    first: bool,
}

impl<'a> Json<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[cold]
    const fn broken<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Broken { at: self.at, what })
    }

    /// The next byte that is no white space.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at).copied() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    fn eat(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.next() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.broken(what)
        }
    }

    /// Behind the opening quote: the raw bytes up to the closing one, and whether escapes are in them.
    #[inline]
    fn raw(&mut self) -> Result<(&'a [u8], bool), Fault> {
        self.eat(b'"', "a string was expected")?;
        let begin = self.at;
        let mut escaped = false;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    let raw = &self.bytes[begin..self.at];
                    self.at += 1;
                    return Ok((raw, escaped));
                }
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..0x20 => return self.broken("a control character in a string"),
                _ => self.at += 1,
            }
        }
        self.broken("a string without an end")
    }

    /// A string; escapes are left to the library.
    fn string(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        self.next();
        let begin = self.at;
        let (raw, escaped) = self.raw()?;
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        match serde_json::from_slice::<String>(&self.bytes[begin..self.at]) {
            Ok(text) => Ok(Cow::Owned(text.into_bytes())),
            Err(_) => self.broken("a string with an escape that is none"),
        }
    }

    fn word(&mut self) -> Result<bool, Fault> {
        let rest = &self.bytes[self.at..];
        for (word, truth) in [(&b"true"[..], true), (b"false", false), (b"null", false)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(truth);
            }
        }
        self.broken("a value was expected")
    }

    fn skip_at(&mut self, depth: u8) -> Result<(), Fault> {
        if depth > DEPTH {
            return self.broken("nested too deeply");
        }
        match self.peek()? {
            Kind::Text => self.raw().map(drop),
            Kind::Number => match self.number() {
                Err(fault @ Fault::Broken { .. }) => Err(fault),
                _ => Ok(()),
            },
            Kind::List => {
                let mut left = self.open_list()?;
                while self.more(&mut left)? {
                    self.skip_at(depth + 1)?;
                }
                Ok(())
            }
            Kind::Map => {
                let mut left = self.open_map()?;
                while self.more(&mut left)? {
                    self.key()?;
                    self.skip_at(depth + 1)?;
                }
                Ok(())
            }
            Kind::Time | Kind::Other => self.word().map(drop),
        }
    }
}

impl<'a> Cursor<'a> for Json<'a> {
    type Left = Left;

    #[inline]
    fn peek(&mut self) -> Result<Kind, Fault> {
        Ok(match self.next() {
            Some(b'"') => Kind::Text,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Map,
            Some(_) => Kind::Other,
            None => return self.broken("cut off"),
        })
    }

    #[inline]
    fn open_list(&mut self) -> Result<Left, Fault> {
        self.eat(b'[', "a list was expected")?;
        Ok(Left { close: b']', first: true })
    }

    #[inline]
    fn open_map(&mut self) -> Result<Left, Fault> {
        self.eat(b'{', "an object was expected")?;
        Ok(Left { close: b'}', first: true })
    }

    #[inline]
    fn more(&mut self, left: &mut Left) -> Result<bool, Fault> {
        let first = std::mem::take(&mut left.first);
        match self.next() {
            Some(byte) if byte == left.close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                // A comma before the end is no JSON.
                if self.next() == Some(left.close) {
                    self.broken("a value was expected")
                } else {
                    Ok(true)
                }
            }
            Some(_) if first => Ok(true),
            _ => self.broken("a comma or an end was expected"),
        }
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let key = self.string()?;
        self.eat(b':', "a colon was expected")?;
        Ok(key)
    }

    #[inline]
    fn text(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        self.string()
    }

    #[inline]
    fn number(&mut self) -> Result<i64, Fault> {
        self.next();
        let (value, length) = decimal(&self.bytes[self.at..]);
        if length == 0 {
            return self.broken("a number was expected");
        }
        self.at += length;
        Ok(value?)
    }

    #[inline]
    fn time(&mut self) -> Result<Timestamp, Fault> {
        rfc3339(&self.string()?)
    }

    fn truth(&mut self) -> Result<bool, Fault> {
        if self.peek()? == Kind::Other { self.word() } else { self.skip_at(0).map(|()| false) }
    }

    fn skip(&mut self) -> Result<(), Fault> {
        self.skip_at(0)
    }

    fn end(&mut self) -> Result<(), Fault> {
        if self.next().is_none() { Ok(()) } else { self.broken("more after the end") }
    }
}
