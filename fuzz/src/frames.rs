//! Frames, entries, the market codec and its numbers.

use super::kit::{both, framed};
use super::samples;
use qtos_gateway::journal::frame::{FILE_MAGIC, encode};
use qtos_gateway::journal::market_codec::{KIND_OTHER, MarketCodec};
use qtos_gateway::journal::{
    Entry, EntryReader, EntryWriter, Frame, FrameError, FrameReader, FrameWriter, Header,
    HeaderKind, Units, varint,
};
use qtos_gateway::msg::Input;
use qtos_gateway::types::Timestamp;

/// What was read is what stands there, byte by byte; an error names the place where reading ended.
pub fn frames(data: &[u8]) {
    let bytes = file(data);
    let mut again = FILE_MAGIC.to_vec();
    let mut reader = match FrameReader::open(bytes.as_slice()) {
        Ok(reader) => reader,
        Err(FrameError::Torn { offset: 0, torn }) => return assert_eq!(torn, bytes.len() as u64),
        Err(FrameError::NotALog) => return,
        Err(error) => panic!("{error}"),
    };
    let mut frame = Frame::default();
    loop {
        let end = reader.next(&mut frame);
        if let Ok(true) = end {
            encode(frame.seq, frame.count, &frame.payload, &mut again);
            continue;
        }
        let offset = reader.offset();
        assert_eq!(again.len() as u64, offset);
        assert!(bytes.starts_with(&again));
        match end {
            Ok(_) => assert_eq!(offset, bytes.len() as u64, "a clean end is the end"),
            Err(FrameError::Torn { offset: at, torn }) => {
                assert_eq!((at, at + torn), (offset, bytes.len() as u64));
            }
            Err(FrameError::Damaged { offset: at, .. }) => assert_eq!(at, offset),
            Err(error) => panic!("{error}"),
        }
        return;
    }
}

/// A file of the frames of this input.
pub fn file(data: &[u8]) -> Vec<u8> {
    match data.first() {
        Some(kind) if kind % 2 == 1 => data[1..].to_vec(),
        _ => [FILE_MAGIC.as_slice(), &framed(data)].concat(),
    }
}

pub fn frame_seeds() -> Vec<Vec<u8>> {
    let mut writer = FrameWriter::create(Vec::new()).unwrap();
    for payload in [b"one".as_slice(), b"", &[0x51; 300]] {
        writer.payload().extend_from_slice(payload);
        writer.seal(1);
    }
    writer.flush().unwrap();
    of_file(&writer.into_inner())
}

/// Inputs for [`file`]: as it is, and with checksums made anew.
pub fn of_file(file: &[u8]) -> Vec<Vec<u8>> {
    let [_, payloads] = both(&file[FILE_MAGIC.len()..]);
    vec![[&[1], file].concat(), payloads]
}

/// Entries that were read can be written, and read the same.
pub fn entries(data: &[u8]) {
    let bytes = file(data);
    let Ok(mut reader) = EntryReader::open(bytes.as_slice()) else { return };
    let header = reader.header().clone();
    let mut entries = Vec::new();
    while let Ok(Some(mut entry)) = reader.next() {
        // A recording has no times of delivery: a record's own time stands for it.
        if let (HeaderKind::Recording, Entry::Input { at, input: Input::Market(record) }) =
            (&header.kind, &mut entry)
        {
            *at = record.ts();
        }
        entries.push(entry);
    }
    assert!(reader.offset() <= bytes.len() as u64);
    let Ok(mut writer) = EntryWriter::create(Vec::new(), &header) else { return };
    for entry in &entries {
        writer.push(entry).unwrap();
    }
    writer.flush().unwrap();
    let written = std::mem::take(writer.get_mut());
    let mut reader = EntryReader::open(written.as_slice()).unwrap();
    assert_eq!(*reader.header(), header);
    for entry in &entries {
        assert_eq!(reader.next().unwrap().as_ref(), Some(entry));
    }
    assert_eq!(reader.next().unwrap(), None);
}

pub fn journal(kind: HeaderKind) -> Vec<u8> {
    let header = Header::new(kind, samples::table());
    let mut writer = EntryWriter::create(Vec::new(), &header).unwrap();
    for (number, input) in samples::inputs().into_iter().enumerate() {
        let at = Timestamp::from_nanos(1_000_000_000 + number as u64);
        writer.push(&Entry::Input { at, input }).unwrap();
        if number % 4 == 3 {
            writer.flush().unwrap();
        }
    }
    writer.push(&Entry::Feed { position: 3, at: None }).unwrap();
    writer.push(&Entry::Checkpoint { digest: [7; 32] }).unwrap();
    writer.flush().unwrap();
    std::mem::take(writer.get_mut())
}

pub fn entry_seeds() -> Vec<Vec<u8>> {
    [HeaderKind::Recording, HeaderKind::Ledger]
        .into_iter()
        .flat_map(|kind| of_file(&journal(kind)))
        .collect()
}

fn codec(stamped: bool) -> MarketCodec {
    let units = Units { price: 10_000_000, size: 1_000_000_000 };
    MarketCodec::new(vec![units, Units::FINEST], stamped)
}

/// Records that were read can be written, and read the same.
pub fn market_codec(data: &[u8]) {
    let Some((first, mut bytes)) = data.split_first() else { return };
    let stamped = first % 2 == 1;
    let mut reader = codec(stamped);
    reader.start_frame();
    let mut records = Vec::new();
    while let Some((&tag, rest)) = bytes.split_first() {
        if tag & 7 == KIND_OTHER {
            break;
        }
        bytes = rest;
        let Some(record) = reader.decode(tag, &mut bytes) else { break };
        records.push(record);
    }
    let (mut writer, mut reader) = (codec(stamped), codec(stamped));
    writer.start_frame();
    reader.start_frame();
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (at, record) in &records {
        if writer.encode(*at, record, &mut written) {
            kept.push((*at, *record));
        }
    }
    let mut bytes = written.as_slice();
    for expected in kept {
        let (&tag, rest) = bytes.split_first().unwrap();
        bytes = rest;
        assert_eq!(reader.decode(tag, &mut bytes), Some(expected));
    }
    assert!(bytes.is_empty());
}

pub fn market_seeds() -> Vec<Vec<u8>> {
    [false, true]
        .into_iter()
        .map(|stamped| {
            let mut codec = codec(stamped);
            codec.start_frame();
            let mut out = vec![u8::from(stamped)];
            for record in samples::records(40) {
                codec.encode(record.ts(), &record, &mut out);
            }
            out
        })
        .collect()
}

/// What `put` writes behind the tag of a record.
fn written(put: impl FnOnce(&mut varint::Piece)) -> Vec<u8> {
    let mut piece = varint::Piece::new(0);
    put(&mut piece);
    piece.bytes()[1..].to_vec()
}

/// A number that was read is written no longer than it was, and reads the same.
pub fn varint(data: &[u8]) {
    let mut bytes = data;
    while let Some(value) = varint::get(&mut bytes) {
        let out = written(|piece| piece.put(value));
        assert_eq!(varint::get(&mut out.as_slice()), Some(value));
    }
    let mut bytes = data;
    while let Some(value) = varint::get_signed(&mut bytes) {
        let out = written(|piece| piece.put_signed(value));
        assert_eq!(varint::get_signed(&mut out.as_slice()), Some(value));
    }
}

pub fn varint_seeds() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for shift in 0..64 {
        out.extend(written(|piece| piece.put(1 << shift)));
        out.extend(written(|piece| piece.put_signed(-1 << shift)));
    }
    out.extend(written(|piece| piece.put(u64::MAX)));
    vec![out]
}
