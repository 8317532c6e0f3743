//! The one CSV inside a zip, as a stream whose checksum is verified at its end.

use super::lines::{Meter, Metered};
use crate::feed::FeedError;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// An opened zip.
pub(super) struct ZipCsv {
    /// The CSV's name, lower case.
    pub name: String,
    /// Its size in the zip.
    pub packed: u64,
    /// Its bytes.
    pub bytes: Box<dyn Read>,
}

impl ZipCsv {
    pub fn open(path: &Path, meter: &Meter) -> Result<Self, FeedError> {
        let bad = |what: &str| FeedError::Source(format!("{}: {what}", path.display()));
        let io = |error| FeedError::io(path, error);
        let mut file = File::open(path).map_err(io)?;
        let mut zip = zip::ZipArchive::new(file.try_clone().map_err(io)?)
            .map_err(|error| bad(&error.to_string()))?;
        if zip.len() != 1 {
            return Err(bad(&format!("{} files in the zip where one belongs", zip.len())));
        }
        let entry = zip.by_index_raw(0).map_err(|error| bad(&error.to_string()))?;
        let name = entry.name().map_err(|error| bad(&error.to_string()))?.to_ascii_lowercase();
        let packed = entry.compressed_size();
        let start =
            entry.data_start().ok_or_else(|| bad("the zip does not say where its file is"))?;
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        let raw = Metered { from: file.take(packed), meter: meter.clone() };
        let unpacked: Box<dyn Read> = match entry.compression() {
            _ if entry.encrypted() => return Err(bad("the zip is encrypted")),
            zip::CompressionMethod::Stored => Box::new(raw),
            zip::CompressionMethod::Deflated => {
                Box::new(DeflateDecoder::new(BufReader::with_capacity(1 << 16, raw)))
            }
            other => return Err(bad(&format!("packed by {other}; only deflate is known"))),
        };
        let crc = crc32fast::Hasher::new();
        let bytes = Box::new(Checked { from: unpacked, crc, expected: entry.crc32() });
        Ok(Self { name, packed, bytes })
    }
}

struct Checked {
    from: Box<dyn Read>,
    crc: crc32fast::Hasher,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.crc.update(&buffer[..length]);
        if length == 0 && !buffer.is_empty() && self.crc.clone().finalize() != self.expected {
            let what = "the zip's checksum does not match: it is damaged or cut off";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(length)
    }
}
