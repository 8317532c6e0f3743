//! MessagePack for the data streams: JSON values to bytes and back. Times become the Timestamp
//! extension, which the SDKs insist on.

use super::Time;
use serde_json::{Map, Number, Value};

/// Keys whose text is a time.
const TIMES: [&str; 3] = ["t", "created_at", "updated_at"];
/// Deepest nesting that is read.
const DEPTH: u8 = 16;

/// A value as MessagePack.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(no) => out.push(if *no { 0xc3 } else { 0xc2 }),
        Value::Number(number) => encode_number(number, out),
        Value::String(text) => encode_text(text, out),
        Value::Array(items) => {
            encode_length(items.len(), [0x90, 0xdc, 0xdd], out);
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Object(fields) => {
            encode_length(fields.len(), [0x80, 0xde, 0xdf], out);
            for (key, value) in fields {
                encode_text(key, out);
                match value.as_str().map(str::parse::<Time>) {
                    Some(Ok(time)) if TIMES.contains(&key.as_str()) => encode_time(time, out),
                    _ => encode(value, out),
                }
            }
        }
    }
}

fn encode_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(value) = number.as_u64() {
        if value < 128 {
            out.push(value as u8);
        } else {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
    } else if let Some(value) = number.as_i64() {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.as_f64().unwrap_or(0.0).to_be_bytes());
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    match bytes.len() {
        len @ 0..32 => out.push(0xa0 | len as u8),
        len @ 32..256 => out.extend_from_slice(&[0xd9, len as u8]),
        len => {
            out.push(0xdb);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// `marks`: up to 15 entries, up to 65,535, more.
fn encode_length(len: usize, marks: [u8; 3], out: &mut Vec<u8>) {
    match len {
        0..16 => out.push(marks[0] | len as u8),
        16..65_536 => {
            out.push(marks[1]);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(marks[2]);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// The 96-bit form: nanoseconds, then seconds.
fn encode_time(time: Time, out: &mut Vec<u8>) {
    let nanos = time.0.nanos();
    out.extend_from_slice(&[0xc7, 12, 0xff]);
    out.extend_from_slice(&((nanos % 1_000_000_000) as u32).to_be_bytes());
    out.extend_from_slice(&((nanos / 1_000_000_000) as i64).to_be_bytes());
}

/// What is in the bytes: one value and nothing after it. Times become RFC 3339 text.
///
/// # Errors
/// Where and why it cannot be read.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    if reader.at == bytes.len() {
        Ok(value)
    } else {
        Err(format!("msgpack: {} bytes after the end", bytes.len() - reader.at))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| format!("msgpack: cut off at byte {}", self.at))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, String> {
        Ok(self.take(width)?.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
    }

    fn value(&mut self, depth: u8) -> Result<Value, String> {
        if depth > DEPTH {
            return Err("msgpack: nested too deeply".to_owned());
        }
        let mark = self.unsigned(1)? as u8;
        Ok(match mark {
            0x00..=0x7f => mark.into(),
            0x80..=0x8f => self.map(u64::from(mark & 15), depth)?,
            0x90..=0x9f => self.array(u64::from(mark & 15), depth)?,
            0xa0..=0xbf => self.text(u64::from(mark & 31))?,
            0xc0 => Value::Null,
            0xc2 => false.into(),
            0xc3 => true.into(),
            0xc4 | 0xd9 => {
                let len = self.unsigned(1)?;
                self.text(len)?
            }
            0xc5 | 0xda => {
                let len = self.unsigned(2)?;
                self.text(len)?
            }
            0xc6 | 0xdb => {
                let len = self.unsigned(4)?;
                self.text(len)?
            }
            0xca => f64::from(f32::from_bits(self.unsigned(4)? as u32)).into(),
            0xcb => f64::from_bits(self.unsigned(8)?).into(),
            0xcc => self.unsigned(1)?.into(),
            0xcd => self.unsigned(2)?.into(),
            0xce => self.unsigned(4)?.into(),
            0xcf => self.unsigned(8)?.into(),
            0xd0 => (self.unsigned(1)? as u8 as i8).into(),
            0xd1 => (self.unsigned(2)? as u16 as i16).into(),
            0xd2 => (self.unsigned(4)? as u32 as i32).into(),
            0xd3 => (self.unsigned(8)? as i64).into(),
            0xd6 => self.time(4)?,
            0xd7 => self.time(8)?,
            0xc7 => {
                let len = self.unsigned(1)?;
                self.time(len as usize)?
            }
            0xdc => {
                let len = self.unsigned(2)?;
                self.array(len, depth)?
            }
            0xdd => {
                let len = self.unsigned(4)?;
                self.array(len, depth)?
            }
            0xde => {
                let len = self.unsigned(2)?;
                self.map(len, depth)?
            }
            0xdf => {
                let len = self.unsigned(4)?;
                self.map(len, depth)?
            }
            0xe0..=0xff => (mark as i8).into(),
            _ => return Err(format!("msgpack: byte {mark:#04x} at {}", self.at - 1)),
        })
    }

    fn text(&mut self, len: u64) -> Result<Value, String> {
        let at = self.at;
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        let text = std::str::from_utf8(bytes);
        text.map(Value::from).map_err(|_| format!("msgpack: no UTF-8 at byte {at}"))
    }

    fn array(&mut self, len: u64, depth: u8) -> Result<Value, String> {
        (0..len).map(|_| self.value(depth + 1)).collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    fn map(&mut self, len: u64, depth: u8) -> Result<Value, String> {
        let mut fields = Map::new();
        for _ in 0..len {
            let Value::String(key) = self.value(depth + 1)? else {
                return Err(format!("msgpack: a key that is no text before byte {}", self.at));
            };
            let value = self.value(depth + 1)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }

    fn time(&mut self, len: usize) -> Result<Value, String> {
        if self.unsigned(1)? != 0xff {
            return Err(format!("msgpack: an extension that is no time at byte {}", self.at));
        }
        let (nanos, seconds) = match len {
            4 => (0, self.unsigned(4)?),
            8 => {
                let both = self.unsigned(8)?;
                (both >> 34, both & ((1 << 34) - 1))
            }
            12 => (self.unsigned(4)?, self.unsigned(8)?),
            _ => return Err(format!("msgpack: a time of {len} bytes")),
        };
        let at = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Ok(crate::types::Timestamp::from_nanos(at).to_string().into())
    }
}
