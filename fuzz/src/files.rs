//! Everything that is read from a state folder or that a user hands over as a file.

use super::frames::{file, journal, of_file};
use super::samples;
use qtos_gateway::actors::agent::Host;
use qtos_gateway::desk::{
    backup as copies, mark::Mark, segments as journals, snapshot as snapshots,
};
use qtos_gateway::disk::{Folder, MemoryFolder};
use qtos_gateway::feed::import::{self, Imported};
use qtos_gateway::feed::{Feed, FeedError, Recording, RecordingWriter, info};
use qtos_gateway::journal::{EntryReader, HeaderKind, Units};
use qtos_gateway::kill::Latch;
use qtos_gateway::live::{Act, Audit, Identity};
use qtos_gateway::types::{KillLevel, Timestamp};
use qtos_gateway::venue::{Commit, Ledger};
use qtos_gateway::wiring::{Placement, Registry, Topology};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_nanos(1_735_828_200_000_000_000);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder that holds one file.
fn with(name: &str, content: &[u8]) -> Arc<dyn Folder> {
    let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
    folder.replace(name, content).unwrap();
    folder
}

/// An odd first byte: the content as it is; an even one: `seal` makes its checksum anew.
fn sealed(data: &[u8], seal: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    match data.split_first() {
        Some((kind, rest)) if kind % 2 == 1 => rest.to_vec(),
        Some((_, rest)) => seal(rest),
        None => Vec::new(),
    }
}

/// The latch file: read whole or refused; what was read survives being written.
pub fn latch(data: &[u8]) {
    let content =
        sealed(data, |body| [hex(&Sha256::digest(body)).as_bytes(), b"\n", body].concat());
    let folder = with("kill.json", &content);
    let mut latch = match Latch::open(&folder, false) {
        Ok(latch) => latch,
        Err(why) => {
            assert!(why.to_string().contains("kill.json"), "{why}");
            let latch = Latch::distrusted(&folder, &why, NOW).unwrap();
            assert!(latch.get("global").is_some_and(|trip| trip.level >= KillLevel::Block));
            return;
        }
    };
    let before = latch.get("agent:x").map(|trip| trip.level);
    latch.raise("agent:x", KillLevel::Cancel, "fuzz", NOW).unwrap();
    assert!(latch.get("agent:x").map(|trip| trip.level) >= before.max(Some(KillLevel::Cancel)));
    let again = Latch::open(&folder, false).unwrap();
    assert_eq!(again.trips(), latch.trips());
}

pub fn latch_seeds() -> Vec<Vec<u8>> {
    let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
    let mut latch = Latch::open(&folder, true).unwrap();
    latch.raise("global", KillLevel::Block, "drill", NOW).unwrap();
    latch.raise("agent:trend", KillLevel::Flatten, "too much", NOW).unwrap();
    let content = folder.read("kill.json").unwrap();
    vec![[&[1], content.as_slice()].concat(), [&[0], &content[65..]].concat()]
}

/// The head mark: what reads is exactly what would be written.
pub fn mark(data: &[u8]) {
    let content = sealed(data, |line| [line, format!(" {:08x}\n", crc(line)).as_bytes()].concat());
    let folder = with("journal.head", &content);
    if let Ok(Some(mark)) = Mark::read(folder.as_ref()) {
        mark.write(folder.as_ref()).unwrap();
        assert_eq!(folder.read("journal.head").unwrap(), content);
    }
}

/// CRC-32 (IEEE), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

pub fn mark_seeds() -> Vec<Vec<u8>> {
    let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
    Mark { number: 3, length: 4_096 }.write(folder.as_ref()).unwrap();
    vec![[&[1], folder.read("journal.head").unwrap().as_slice()].concat(), b"\x00123 99".to_vec()]
}

/// Tag and boot number of a state folder: a boot counts up or is refused.
pub fn identity(data: &[u8]) {
    let (tag, epoch) = data.split_at(data.iter().position(|&b| b == b'|').unwrap_or(data.len()));
    let folder = with("instance", tag);
    folder.replace("epoch", epoch.strip_prefix(b"|").unwrap_or_default()).unwrap();
    if let Ok(first) = Identity::count(&folder, 5) {
        assert!(first.epoch > 0);
        if let Ok(second) = Identity::count(&folder, 6) {
            assert_eq!((second.instance, second.epoch), (first.instance, first.epoch + 1));
        } else {
            assert_eq!(first.epoch, u32::MAX);
        }
    }
}

pub fn identity_seeds() -> Vec<Vec<u8>> {
    vec![b"77|3".to_vec(), b"1|4294967295".to_vec()]
}

fn lane() -> qtos_gateway::actors::Lane {
    let text = include_str!("../../config/sandbox.toml");
    let registry = Registry::standard();
    let topology = Topology::parse("sandbox.toml", text, &registry.vocabulary()).unwrap();
    topology.lane(&registry, Placement::All).unwrap()
}

/// A snapshot file, and the state in it: loaded or refused. What was loaded has a digest, which the boot
/// compares with the one in the file.
pub fn snapshot(data: &[u8]) {
    let content =
        sealed(data, |body| [b"QTOSSNP1".as_slice(), &Sha256::digest(body), body].concat());
    let folder = with("snapshot/00000001.snap", &content);
    let state = match snapshots::read(folder.as_ref(), 1) {
        Ok((head, state)) => {
            assert_eq!((head.format, head.after), (snapshots::FORMAT, 1));
            state
        }
        // The state alone: what lies behind a head that reads.
        Err(_) => data.to_vec(),
    };
    let mut lane = lane();
    if lane.load(&state).is_ok() {
        if let Some(core) = &lane.core {
            core.digest(&lane.market);
        }
        let mut saved = Vec::new();
        lane.save(&mut saved);
        let mut again = self::lane();
        again.load(&saved).unwrap();
        let mut same = Vec::new();
        again.save(&mut same);
        assert_eq!(saved, same);
        assert_eq!(lane.hosts().iter().map(Host::next_timer).count(), again.hosts().len());
    }
}

pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    use qtos_gateway::actors::{Outbox, step};
    let (mut lane, mut out) = (lane(), Outbox::default());
    for input in samples::inputs() {
        step(&mut lane, NOW, &input, &mut out);
        out.clear();
    }
    let mut state = Vec::new();
    lane.save(&mut state);
    let head = snapshots::Head {
        format: snapshots::FORMAT,
        build: "0".into(),
        setting: snapshots::Setting { config: String::new(), feed: None },
        after: 1,
        whole: true,
        digest: [0; 32],
    };
    let body = [vec![0], postcard::to_stdvec(&head).unwrap(), state.clone()].concat();
    vec![state, body]
}

/// A backup: restored blocked and with another tag, or refused and then without one.
pub fn backup(data: &[u8]) {
    let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
    let restored = copies::restore(file(data).as_slice(), &folder, 9, NOW);
    let tag = folder.read(copies::INSTANCE);
    match restored {
        Ok(_) => {
            assert_eq!(tag.unwrap(), b"9");
            let latch = Latch::open(&folder, false).unwrap();
            assert!(latch.get("global").is_some_and(|trip| trip.level >= KillLevel::Block));
        }
        Err(_) => assert!(tag.is_err(), "nothing starts from a folder that was begun"),
    }
}

pub fn backup_seeds() -> Vec<Vec<u8>> {
    let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
    Identity::count(&folder, 77).unwrap();
    folder.replace("journal/00000001.qlog", &journal(HeaderKind::Recording)).unwrap();
    let mut out = Vec::new();
    copies::backup(folder.as_ref(), &mut out).unwrap();
    of_file(&out)
}

/// A journal file of a state folder, with its number in its name.
pub fn segments(data: &[u8]) {
    let name = journals::segment_name(1);
    let folder = with(&name, &file(data));
    let Ok(Some(mut segment)) = journals::Segment::open(folder.as_ref(), &name) else { return };
    let length = file(data).len() as u64;
    while let Ok(Some(_)) = segment.next() {}
    assert!(segment.offset() <= length);
    assert_eq!(journals::list(folder.as_ref()).unwrap(), [name]);
}

thread_local! {
    static DIR: tempfile::TempDir = tempfile::tempdir().unwrap();
}

/// Runs `body` with a folder of this thread; it may be used again.
fn in_dir<T>(body: impl FnOnce(&Path) -> T) -> T {
    DIR.with(|dir| body(dir.path()))
}

/// The venue's ledger: what reads can be opened for more, and reads the same.
pub fn ledger(data: &[u8]) {
    in_dir(|dir| {
        let (dir, content) = (dir.join("ledger"), file(data));
        std::fs::create_dir_all(&dir).unwrap();
        let _ = std::fs::remove_file(dir.join("cursor"));
        std::fs::write(dir.join("ledger"), &content).unwrap();
        let read = Ledger::load(&dir);
        let Ok((mut ledger, state)) = Ledger::open(&dir, &samples::table()) else { return };
        assert_eq!(read.unwrap(), state);
        ledger.append(&commit(&state)).unwrap();
        drop(ledger);
        let (_, after) = Ledger::open(&dir, &samples::table()).unwrap();
        assert_eq!(after.orders, state.orders);
    });
}

fn commit(state: &qtos_gateway::venue::LedgerState) -> Commit {
    Commit {
        position: state.position,
        time: state.time,
        accounts: Vec::new(),
        orders: Vec::new(),
        fills: Vec::new(),
        notes: Vec::new(),
    }
}

/// A venue's ledger after a little trading.
pub fn ledger_seeds() -> Vec<Vec<u8>> {
    use qtos_gateway::venue::wire::{ClientMessage, Logon, PROTOCOL, Role, encode};
    use qtos_gateway::venue::{Exchange, ExchangeConfig, Venue};
    let exchange = Exchange::new(&ExchangeConfig::default(), samples::table()).unwrap();
    let mut venue = Venue::new(exchange, true);
    let mut records = samples::records(60).into_iter();
    records.by_ref().take(20).for_each(|record| {
        venue.on_market(&record);
    });
    let (id, now) = (venue.connect(), venue.now());
    let accounts = vec!["paper".to_owned()];
    let logon = Logon { protocol: PROTOCOL, gateway: "g".into(), role: Role::Trader, accounts };
    let mut bytes = Vec::new();
    encode(&ClientMessage::Logon(logon), &mut bytes).unwrap();
    for request in samples::requests() {
        encode(&ClientMessage::Request(request), &mut bytes).unwrap();
    }
    venue.on_bytes(now, id, &bytes);
    in_dir(|dir| {
        let dir = dir.join("seed");
        let _ = std::fs::remove_dir_all(&dir);
        let (mut ledger, _) = Ledger::open(&dir, &samples::table()).unwrap();
        for record in records {
            venue.on_market(&record);
            let now = venue.now();
            venue.advance(now);
            if let Some(commit) = venue.take_commit(1) {
                ledger.append(&commit).unwrap();
            }
        }
        drop(ledger);
        of_file(&std::fs::read(dir.join("ledger")).unwrap())
    })
}

/// The audit file: a chain that holds, or the line where it breaks. Even first byte: lines whose own
/// hashes are right, so that what is behind them is reached.
pub fn audit(data: &[u8]) {
    let content = sealed(data, |body| {
        let lines = body.split(|&byte| byte == b'\n').map(|line| {
            [line, b",\"hash\":\"", hex(&Sha256::digest(line)).as_bytes(), b"\"}\n"].concat()
        });
        lines.collect::<Vec<_>>().concat()
    });
    in_dir(|dir| {
        let audit = Audit::of(dir);
        std::fs::write(dir.join("audit.log"), &content).unwrap();
        let mut seen = 0;
        let before = audit.verify(|_| seen += 1);
        if let Err(error) = &before {
            assert!(error.to_string().contains(&format!("line {}", seen + 1)), "{error}");
        }
        audit.write(NOW, Act::new("fuzz", "write", "global", "after it")).unwrap();
        match (before, audit.verify(|_| ())) {
            (Ok((lines, _)), after) => assert_eq!(after.unwrap(), (lines + 1, 0)),
            (Err(_), after) => assert!(after.is_err(), "a break stays one"),
        }
    });
}

pub fn audit_seeds() -> Vec<Vec<u8>> {
    in_dir(|dir| {
        let _ = std::fs::remove_file(dir.join("audit.log"));
        let audit = Audit::of(dir);
        for number in 0..3 {
            let act = Act::new("operator", "kill", "global", "drill").changed(number, "cancel");
            audit.write(NOW, act).unwrap();
        }
        let content = std::fs::read(dir.join("audit.log")).unwrap();
        let text = String::from_utf8(content.clone()).unwrap();
        let bodies: Vec<&str> =
            text.lines().filter_map(|line| line.rsplit_once(",\"hash\"")).map(|(b, _)| b).collect();
        vec![[&[1], content.as_slice()].concat(), format!("\0{}", bodies.join("\n")).into_bytes()]
    })
}

/// A recording: its records come in order, and `info` counts what reading gives.
pub fn recording(data: &[u8]) {
    in_dir(|dir| {
        let path = dir.join("fuzz.qrec");
        std::fs::write(&path, file(data)).unwrap();
        let counted = info(&path);
        let Ok(mut recording) = Recording::open(&path) else {
            return assert!(counted.is_err());
        };
        let mut count = 0;
        let end = loop {
            match recording.next() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match (counted, end) {
            (Ok(info), Ok(())) => assert_eq!(info.counts.records(), count),
            (Err(_), Err(error)) => assert!(error.to_string().contains("fuzz.qrec"), "{error}"),
            (info, end) => panic!("{info:?} and {end:?} differ"),
        }
    });
}

pub fn recording_seeds() -> Vec<Vec<u8>> {
    in_dir(|dir| {
        let path = dir.join("seed.qrec");
        let units = vec![Units { price: 10_000_000, size: 1_000_000_000 }; 2];
        let mut writer = RecordingWriter::create(&path, samples::table(), units).unwrap();
        for record in samples::records(50) {
            writer.push(&record).unwrap();
        }
        writer.finish().unwrap();
        of_file(&std::fs::read(&path).unwrap())
    })
}

/// An import: a recording that reads, or an error that names the file, and no recording.
fn imported(import: impl FnOnce(&Path) -> Result<Imported, FeedError>, named: &str) {
    in_dir(|dir| {
        let out = dir.join("out.qrec");
        let _ = std::fs::remove_file(&out);
        match import(&out) {
            Ok(done) => {
                let reader = EntryReader::open(std::fs::File::open(&out).unwrap());
                assert!(reader.is_ok());
                assert_eq!(info(&out).unwrap().counts.records(), done.written.counts.records());
            }
            Err(error) => {
                assert!(!out.exists(), "a failed import leaves no file");
                let text = error.to_string();
                assert!(text.contains(named), "{text}");
                if let FeedError::Line { line, .. } = error {
                    assert!(line > 0);
                }
            }
        }
    });
}

pub fn csv(data: &[u8]) {
    in_dir(|dir| {
        let path = dir.join("in.csv");
        std::fs::write(&path, data).unwrap();
        imported(|out| import::csv::import(&path, "ABC", out, &mut |_| {}), "");
    });
}

pub fn csv_seeds() -> Vec<Vec<u8>> {
    vec![
        b"ts,bid,ask,bid_size,ask_size\n1,99.9,100.1,5,6\n2013-10-08T09:30:00Z,99,101,0,6\n"
            .to_vec(),
        b"ts,open,high,low,close,volume\n60000000000,1,3,1,2,10\n120000000000,2,4,2,3,11\n"
            .to_vec(),
        b"date,open,high,low,close,volume\n2013-10-08,1,3,1,2,10\n20131009,2,4,2,3,11\n".to_vec(),
    ]
}

pub fn capture(data: &[u8]) {
    in_dir(|dir| {
        let path = dir.join("in.capture");
        std::fs::write(&path, data).unwrap();
        imported(|out| import::capture::import(&path, out, &mut |_| {}), "");
    });
}

pub fn capture_seeds() -> Vec<Vec<u8>> {
    let lines = [
        r#"1 {"e":"depthUpdate","s":"XUSDT","U":1,"u":4,"b":[["1.5","2"]],"a":[["1.7","0"]]}"#,
        r#"2 {"stream":"x@trade","data":{"e":"trade","s":"XUSDT","p":"1.6","q":"0.25","X":"MARKET","m":true}}"#,
        r#"3 {"lastUpdateId":3,"bids":[["1.40","1"]],"asks":[["1.70","2"],["1.80","3"]]}"#,
        r#"4 {"e":"bookTicker","s":"XUSDT","b":"1.5","B":"2","a":"1.7","A":"2"}"#,
        r#"6 {"result":null,"id":1}"#,
    ];
    vec![(lines.join("\n") + "\n").into_bytes()]
}

/// Even first byte: the rest is the text in a zip that is whole, the byte says of which kind; odd: the
/// rest is the zip.
pub fn lean(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let quote = kind & 2 != 0;
    let (side, zip) = (if quote { "quote" } else { "trade" }, kind % 2 == 1);
    in_dir(|dir| {
        let dir = dir.join("lean");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("abc")).unwrap();
        let path = dir.join("abc").join(format!("20131008_{side}.zip"));
        let bars = if kind & 4 != 0 { "Minute" } else { "Tick" };
        let name = match quote {
            true => format!("20131008_abc_{bars}_Quote.csv"),
            false => format!("20131008_abc_{bars}_Trade.csv"),
        };
        std::fs::write(&path, if zip { rest.to_vec() } else { zipped(&name, rest) }).unwrap();
        let date = "2013-10-08".parse().unwrap();
        let import =
            |out: &Path| import::lean::import(&dir, &["ABC".into()], date, out, &mut |_| {});
        imported(import, "");
    });
}

fn zipped(name: &str, text: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(name, options).unwrap();
    zip.write_all(text).unwrap();
    zip.finish().unwrap().into_inner()
}

pub fn lean_seeds() -> Vec<Vec<u8>> {
    let ticks = b"14400000,1000,5,P,2000,0\n14400001,1001,5,N,0,1\n";
    let quotes = b"14400000,1000,1,1001,2,P,0,0\n14400005,0,0,1001,2,P,0,0\n";
    let bars = b"34200000,1000,1010,990,1005,100\n34260000,1005,1010,990,1005,100\n";
    let quote_bars = b"34200000,1000,1010,990,1005,1,1001,1011,991,1006,2\n";
    let zip = zipped("20131008_abc_Trade_Tick.csv", ticks);
    [(0u8, ticks.as_slice()), (2, quotes), (4, bars), (6, quote_bars), (1, &zip)]
        .into_iter()
        .map(|(kind, text)| [&[kind], text].concat())
        .collect()
}
