//! Feeds and importers against real files in `../shared/data`, where there are any, and against
//! small files made here.

use proptest::prelude::*;
use qtos_gateway::feed::import::{Imported, Progress, capture, csv, lean};
use qtos_gateway::feed::{
    Feed, FeedError, Generated, GeneratedInstrument, GeneratedMarket, Info, Recording,
    RecordingWriter, digest, hex, info,
};
use qtos_gateway::journal::Units;
use qtos_gateway::msg::{BookAction, MarketData};
use qtos_gateway::types::{Currency, Nanos, Price, Qty, Side};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder of the shared data, or a loud skip.
fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is absent", path.display());
    None
}

fn quiet() -> impl FnMut(Progress) {
    |_| {}
}

fn records(path: &Path) -> Vec<MarketData> {
    let mut recording = Recording::open(path).unwrap();
    std::iter::from_fn(|| recording.next().unwrap()).collect()
}

/// Runs an importer on a file with this content.
fn import_text(
    text: impl AsRef<[u8]>,
    import: impl Fn(&Path, &Path) -> Result<Imported, FeedError>,
) -> Result<Vec<MarketData>, String> {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("source"), dir.path().join("out.qrec"));
    fs::write(&file, text).unwrap();
    let result = import(&file, &out).map_err(|error| {
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "a failed import leaves no file");
        error.to_string().replace(file.to_str().unwrap(), "FILE")
    });
    result.map(|imported| {
        let records = records(&out);
        assert_eq!(imported.written.counts.records(), records.len() as u64);
        records
    })
}

fn csv_text(text: &str) -> Result<Vec<MarketData>, String> {
    import_text(text, |file, out| csv::import(file, "audusd", out, &mut quiet()))
}

fn capture_text(text: &str) -> Result<Vec<MarketData>, String> {
    import_text(text, |file, out| capture::import(file, out, &mut quiet()))
}

fn lean_day(folder: &str, symbols: &[&str], date: &str) -> Option<(Info, Vec<MarketData>)> {
    let dir = data(folder)?;
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("day.qrec");
    let symbols: Vec<_> = symbols.iter().map(|s| s.to_string()).collect();
    let mut last = None;
    lean::import(&dir, &symbols, date.parse().unwrap(), &out, &mut |p| last = Some(p)).unwrap();
    let Some(Progress { done, total }) = last else { panic!("no progress") };
    assert_eq!(done, total, "the last progress says that all is read");
    Some((info(&out).unwrap(), records(&out)))
}

#[test]
fn lean_ticks_of_ibm_and_bac_are_all_there() {
    let Some((info, records)) = lean_day("lean-us-equity-ticks", &["BAC", "ibm"], "2013-10-08")
    else {
        return;
    };
    assert_eq!((info.symbols["IBM"].quotes, info.symbols["IBM"].trades), (125_750, 33_381));
    assert_eq!((info.symbols["BAC"].quotes, info.symbols["BAC"].trades), (576_096, 125_872));
    assert_eq!((info.counts.quotes, info.counts.trades), (125_750 + 576_096, 33_381 + 125_872));
    assert_eq!(records.len() as u64, info.counts.records());
    assert!(records.windows(2).all(|pair| pair[0].ts() <= pair[1].ts()));
    // 14,400,142 ms after midnight in New York, four hours behind UTC in October.
    assert_eq!(info.first.as_deref(), Some("2013-10-08T08:00:00.142000000Z"));
    let MarketData::Quote(first) = records[0] else { panic!("{:?}", records[0]) };
    assert_eq!((first.bid, first.bid_size), ("13.8".parse().unwrap(), Qty::whole(1_000)));
    assert_eq!((first.ask, first.ask_size), (Price::ZERO, Qty::ZERO));
    assert_eq!(first.exchange.0, b'P' - b'A' + 1);
    let trade = records.iter().find_map(|record| match record {
        MarketData::Trade(trade) => Some(trade),
        _ => None,
    });
    assert_eq!(trade.unwrap().condition, 0x2000);
}

#[test]
fn lean_bars_end_when_their_interval_does() {
    let Some((info, records)) = lean_day("lean-us-equity-minute", &["IBM", "SPY"], "20131008")
    else {
        return;
    };
    assert_eq!(info.counts.bars, records.len() as u64);
    assert_eq!(info.first.as_deref(), Some("2013-10-08T08:01:00.000000000Z"));
    let MarketData::QuoteBar(bar) = records[0] else { panic!("{:?}", records[0]) };
    assert_eq!(bar.interval, Nanos::from_secs(60));
    if let Some((info, _)) = lean_day("lean-us-equity-second", &["SPY"], "2013-10-08") {
        assert!(info.counts.bars > 50_000);
    }
}

#[test]
fn lean_forex_ticks_are_in_utc() {
    let Some((info, records)) = lean_day("lean-forex-oanda-ticks", &["EURUSD"], "2014-05-07")
    else {
        return;
    };
    assert_eq!(info.first.as_deref(), Some("2014-05-07T00:00:07.135000000Z"));
    let MarketData::Quote(quote) = records[0] else { panic!("{:?}", records[0]) };
    assert_eq!((quote.bid, quote.ask), ("1.39286".parse().unwrap(), "1.39298".parse().unwrap()));
    assert_eq!(quote.bid_size, lean::FOREX_SIZE);
}

/// A LEAN folder with one zip of one CSV.
fn lean_text(csv: &str, text: &str, damage: bool) -> Result<Vec<MarketData>, String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("abc");
    fs::create_dir(&folder).unwrap();
    let kind = if csv.to_lowercase().contains("quote") { "quote" } else { "trade" };
    let path = folder.join(format!("20131008_{kind}.zip"));
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(csv, options).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap();
    if damage {
        let mut bytes = fs::read(&path).unwrap();
        let middle = 30 + csv.len() + 2;
        bytes[middle] ^= 0x10;
        fs::write(&path, bytes).unwrap();
    }
    let out = dir.path().join("out.qrec");
    let date = "2013-10-08".parse().unwrap();
    let result = lean::import(dir.path(), &["ABC".into()], date, &out, &mut quiet());
    result.map(|_| records(&out)).map_err(|error| {
        assert!(fs::read_dir(dir.path()).unwrap().count() == 1, "a failed import leaves no file");
        error.to_string().replace(path.to_str().unwrap(), "ZIP")
    })
}

#[test]
fn bad_lean_lines_are_named() {
    let (trade, quote) = ("20131008_abc_Trade_Tick.csv", "20131008_abc_Quote_Tick.csv");
    let good = "14400000,1000,5,P,2000,0\n";
    for (csv, line, error) in [
        (trade, "x,1,1,P,0,0", "ZIP line 2, field `ms`: `x`: "),
        (trade, "86400000,1,1,P,0,0", "ZIP line 2, field `ms`: `86400000`: not within the day"),
        (trade, "14399999,1,1,P,0,0", "field `ms`: 2013-10-08T07:59:59.999000000Z is before 2013"),
        (trade, "14400000,1.5,1,P,0,0", "ZIP line 2, field `price`: `1.5`: "),
        (trade, "14400000,1,-1,P,0,0", "ZIP line 2, field `size`: `-1`: "),
        (trade, "14400000,1,1,pp,0,0", "field `exchange`: `pp`: not one letter from A to Z"),
        (trade, "14400000,1,1,P,xyz,0", "field `condition`: `xyz`: not up to eight hexadecimal"),
        (trade, "14400000,1,1,P,0,2", "field `suspicious`: `2`: neither 0 nor 1"),
        (trade, "14400000,1,1,P,0", "ZIP line 2, field `suspicious`: missing"),
        (trade, "14400000,1,1,P,0,0,0", "ZIP line 2: 7 fields where 6 belong"),
        ("20131008_abc_hour_trade.csv", "", "is neither ticks nor bars of a second or minute"),
    ] {
        let found = lean_text(csv, &format!("{good}{line}\n"), false).unwrap_err();
        assert!(found.contains(error), "{line}: {found}");
    }
    let found = lean_text(quote, "14400000,1,1,0,0,P,1,0\n14400000,1,1,0,z,P,1,0\n", false);
    assert!(found.unwrap_err().contains("ZIP line 2, field `ask size`: `z`: "));
    let long: String = (0..5_000).map(|n| format!("14400000,{n},5,P,2000,0\n")).collect();
    assert_eq!(lean_text(trade, &long, false).unwrap().len(), 5_000);
    let found = lean_text(trade, &long, true).unwrap_err();
    assert!(found.contains("cannot be read") || found.contains("field"), "{found}");
}

#[test]
fn missing_lean_files_and_odd_symbols_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.qrec");
    let date = "2013-10-08".parse().unwrap();
    for (symbol, error) in
        [("ABC", "no 20131008_quote.zip and no 20131008_trade.zip"), ("../x", "no `/`")]
    {
        let result = lean::import(dir.path(), &[symbol.into()], date, &out, &mut quiet());
        let found = result.unwrap_err().to_string();
        assert!(found.contains(error), "{found}");
    }
}

#[test]
fn fractions_of_milliseconds_are_exact() {
    let records = lean_text("a_trade_tick.csv", "14400009.367,137450,100,D,1,1\n", false).unwrap();
    assert_eq!(records[0].ts().to_string(), "2013-10-08T08:00:00.009367000Z");
    let MarketData::Trade(trade) = records[0] else { panic!() };
    assert!(trade.suspicious);
    assert_eq!(trade.price, "13.745".parse().unwrap());
}

#[test]
fn csv_quotes_and_bars_are_read_exactly() {
    let quotes = "TS,Bid,Ask,Bid_Size,Ask_Size\r\n\
                  1735689600002188752,0.65001,0.65003,1000000,1900000\r\n\
                  2025-01-01T00:00:00.5Z,0.65002,0.65001,100000,0\r\n\
                  \r\n\
                  2025-01-01 00:00:01,0.7,0.8,0.5,3\r\n";
    let records = csv_text(quotes).unwrap();
    let MarketData::Quote(crossed) = records[1] else { panic!() };
    assert!(crossed.bid > crossed.ask, "a crossed quote is data");
    assert_eq!(records[0].ts().nanos(), 1_735_689_600_002_188_752);
    assert_eq!(records[2].ts().to_string(), "2025-01-01T00:00:01.000000000Z");

    let days = "date,open,high,low,close,volume\n2013-10-07,1,3,0.5,2,100\n20131008,2,3,2,3,0\n";
    let MarketData::Bar(bar) = csv_text(days).unwrap()[1] else { panic!() };
    assert_eq!(bar.ts.to_string(), "2013-10-09T00:00:00.000000000Z");
    assert_eq!((bar.interval, bar.volume), (Nanos::from_secs(86_400), Qty::ZERO));

    let bars = "ts,open,high,low,close,volume\n0,1,1,1,1,1\n60000000000,1,1,1,1,1\n300000000000,1,1,1,1,1\n";
    let bars = csv_text(bars).unwrap();
    let MarketData::Bar(bar) = bars[2] else { panic!() };
    assert_eq!((bar.ts.nanos(), bar.interval), (360_000_000_000, Nanos::from_secs(60)));
}

#[test]
fn bad_csv_lines_are_named() {
    let good = "ts,bid,ask,bid_size,ask_size\n5,1,2,3,4\n";
    for (line, error) in [
        ("6,1,2,3", "FILE line 3, field `ask_size`: missing"),
        ("6,1,2,3,4,5", "FILE line 3: 6 fields where 5 belong"),
        ("soon,1,2,3,4", "FILE line 3, field `ts`: `soon` is neither nanoseconds"),
        ("4,1,2,3,4", "FILE line 3, field `ts`: 1970-01-01T00:00:00.000000004Z is before 1970"),
        ("-6,1,2,3,4", "FILE line 3, field `ts`: "),
        ("6,one,2,3,4", "FILE line 3, field `bid`: `one`: "),
        ("6,0,2,3,4", "FILE line 3, field `bid`: `0`: a price is above zero"),
        ("6,1,-2,3,4", "FILE line 3, field `ask`: `-2`: a price is above zero"),
        ("6,1,2,-3,4", "FILE line 3, field `bid_size`: `-3`: a size is never below zero"),
        ("6,1,2,3,1e5", "FILE line 3, field `ask_size`: `1e5`: "),
        ("6,1,2,3,NaN", "FILE line 3, field `ask_size`: `NaN`: "),
        ("6,1,2,3,", "FILE line 3, field `ask_size`: ``: "),
        ("6,1.0000000001,2,3,4", "FILE line 3, field `bid`: `1.0000000001`: "),
        ("6,99999999999,2,3,4", "FILE line 3, field `bid`: `99999999999`: "),
        ("\u{1}\u{2}", "FILE line 3, field `bid`: missing"),
    ] {
        let found = csv_text(&format!("{good}{line}\n")).unwrap_err();
        assert!(found.starts_with(error), "{line}: {found}");
    }
    for (text, error) in [
        ("", "FILE: it is empty"),
        ("1,2,3,4,5\n", "FILE line 1: a header must say ts,bid,ask,bid_size,ask_size or"),
        (
            "date,open,high,low,close,volume\n2013-02-30,1,1,1,1,1\n",
            "FILE line 2, field `date`: `2013-02-30` is no day",
        ),
        (
            "ts,open,high,low,close,volume\n1,5,4,3,4,1\n",
            "FILE line 2, field `open`: `5` is outside of low 3 to high 4",
        ),
    ] {
        let found = csv_text(text).unwrap_err();
        assert!(found.starts_with(error), "{text}: {found}");
    }
    let binary = import_text(b"ts,bid,ask,bid_size,ask_size\n\xff\xfe\n", |file, out| {
        csv::import(file, "X", out, &mut quiet())
    });
    assert_eq!(binary.unwrap_err(), "FILE line 2: not UTF-8 text");
    let missing = csv::import(Path::new("no/such.csv"), "X", Path::new("out"), &mut quiet());
    assert!(matches!(missing, Err(FeedError::Io { .. })));
}

const DEPTH: &str = r#"{"stream":"x@depth","data":{"e":"depthUpdate","s":"XUSDT","U":1,"u":5,"pu":0,"b":[["1.50","2.000"]],"a":[]}}"#;

#[test]
fn a_small_capture_is_read_exactly() {
    let text = format!(
        "1 {DEPTH}\n2 {}\n3 {}\n4 {}\n5 {}\n6 {}\n",
        r#"{"stream":"x@trade","data":{"e":"trade","s":"XUSDT","p":"1.6","q":"0.25","X":"MARKET","m":true}}"#,
        r#"{"lastUpdateId":3,"bids":[["1.40","1"]],"asks":[["1.70","2"],["1.80","3"]]}"#,
        r#"{"e":"bookTicker","s":"XUSDT","b":"1.5","B":"2","a":"1.7","A":"2"}"#,
        r#"{"stream":"x@trade","data":{"e":"trade","s":"XUSDT","p":"9","q":"1","X":"NA","m":true}}"#,
        r#"{"result":null,"id":1}"#,
    );
    let records = capture_text(&text).unwrap();
    let MarketData::Trade(trade) = records[0] else { panic!("{records:?}") };
    assert_eq!((trade.ts.nanos(), trade.aggressor), (2, Some(Side::Sell)));
    let levels: Vec<_> = records[1..6]
        .iter()
        .map(|record| match record {
            MarketData::Level(l) => (l.ts.nanos(), l.action, l.more, l.side, l.price.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let (clear, set) = (BookAction::Clear, BookAction::Set);
    let expected = [
        (3, clear, true, Side::Buy, "0"),
        (3, set, true, Side::Buy, "1.4"),
        (3, set, true, Side::Sell, "1.7"),
        (3, set, false, Side::Sell, "1.8"),
        (3, set, false, Side::Buy, "1.5"),
    ];
    assert_eq!(
        levels,
        expected.map(|(ts, a, more, side, price)| (ts, a, more, side, price.to_string()))
    );
    assert!(matches!(records[6], MarketData::Quote(_)));
    assert_eq!(records.len(), 7);
}

#[test]
fn bad_capture_lines_are_named() {
    for (line, error) in [
        ("{}", "FILE line 2: not a local time in ns, a space and JSON"),
        ("x {}", "FILE line 2, field `local time`: `x`: "),
        ("0 {}", "FILE line 2, field `local time`: 1970-01-01T00:00:00.000000000Z is before"),
        ("2 {\"e\":", "FILE line 2: JSON: EOF while parsing"),
        (r#"2 {"e":"trade","s":"X","q":"1","m":true}"#, "FILE line 2: JSON: missing field `p`"),
        (
            r#"2 {"e":"trade","s":"X","p":1.5,"q":"1","m":true}"#,
            "FILE line 2: JSON: invalid type: floating point",
        ),
        (r#"2 {"e":"trade","s":"X","p":"?","q":"1","m":true}"#, "FILE line 2, field `p`: `?`: "),
        (
            r#"2 {"e":"trade","s":"X","p":"1","q":"-1","m":true}"#,
            "FILE line 2, field `q`: `-1`: a size is never below zero",
        ),
        (
            r#"2 {"e":"trade","s":"","p":"1","q":"1","m":true}"#,
            "FILE line 2, field `s`: `` is no symbol",
        ),
        (
            r#"2 {"e":"depthUpdate","s":"X","U":1,"u":2,"pu":0,"b":[["1"]],"a":[]}"#,
            "FILE line 2: JSON: invalid length 1",
        ),
        (
            r#"2 {"lastUpdateId":1,"bids":[["1","x"]],"asks":[]}"#,
            "FILE line 2, field `bids`: `x`: ",
        ),
    ] {
        let found = capture_text(&format!("1 {DEPTH}\n{line}\n")).unwrap_err();
        assert!(found.starts_with(error), "{line}: {found}");
    }
    let found = capture_text("1 {\"channel\":\"l2Book\"}\n").unwrap_err();
    assert_eq!(found, "FILE: no bookTicker, trade or depthUpdate frame in it");
    let torn = import_text([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1], |file, out| {
        capture::import(file, out, &mut quiet())
    });
    assert!(torn.unwrap_err().starts_with("FILE line 1: cannot be read: "));
}

#[test]
fn the_binance_capture_is_all_there_and_its_book_never_breaks() {
    let Some(dir) = data("hftbacktest-binance-raw") else { return };
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("btc.qrec");
    let file = dir.join("usdm_btcusdt_20240808.gz");
    let imported = capture::import(&file, &out, &mut quiet()).unwrap();
    assert_eq!(imported.skipped, 0);
    let info = info(&out).unwrap();
    assert_eq!((info.counts.quotes, info.counts.trades), (66_089, 21_313));
    assert_eq!((info.counts.gaps, info.symbols.len()), (0, 1));
    assert_eq!(imported.written.counts, info.symbols["BTCUSDT"]);
    let recording = Recording::open(&out).unwrap();
    let instrument = recording.instruments().get(recording.instruments().find("BTCUSDT").unwrap());
    assert_eq!(instrument.currency, Currency::new("USDT").unwrap());
    // One snapshot, at frame 55, and from then on a book that is whole and uncrossed.
    let mut sides = [std::collections::BTreeMap::new(), std::collections::BTreeMap::new()];
    let mut clears = 0;
    for record in records(&out) {
        let MarketData::Level(l) = record else { continue };
        let side = &mut sides[usize::from(l.side == Side::Sell)];
        if l.action == BookAction::Clear {
            clears += 1;
            sides.iter_mut().for_each(|side| side.clear());
        } else if l.size.is_zero() {
            side.remove(&l.price);
        } else {
            side.insert(l.price, l.size);
        }
        if !l.more {
            let (bid, ask) =
                (sides[0].last_key_value().unwrap().0, sides[1].first_key_value().unwrap().0);
            assert!(bid < ask, "crossed at {}: {bid} {ask}", l.ts);
        }
    }
    assert_eq!(clears, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written over a good file, the answer is a recording or an error that names the
    /// source, and never a panic.
    #[test]
    fn garbage_is_an_error_or_data(place in 0usize..200, garbage: Vec<u8>, cut in 0usize..200) {
        let spoil = |good: &str| {
            let mut bytes = good.as_bytes().to_vec();
            let place = place % bytes.len();
            let end = (place + cut).min(bytes.len());
            bytes.splice(place..end, garbage.iter().copied());
            bytes
        };
        let quotes = "ts,bid,ask,bid_size,ask_size\n5,1,2,3,4\n6,1,2,3,4\n";
        let bars = "date,open,high,low,close,volume\n2013-10-07,1,3,0.5,2,100\n";
        let frames = format!("1 {DEPTH}\n2 {{\"lastUpdateId\":3,\"bids\":[],\"asks\":[[\"1.7\",\"2\"]]}}\n");
        let of_csv = |file: &Path, out: &Path| csv::import(file, "X", out, &mut quiet());
        let of_capture = |file: &Path, out: &Path| capture::import(file, out, &mut quiet());
        for result in [
            import_text(spoil(quotes), of_csv),
            import_text(spoil(bars), of_csv),
            import_text(spoil(&frames), of_capture),
        ] {
            if let Err(error) = result {
                prop_assert!(error.starts_with("FILE"), "{}", error);
            }
        }
    }

    /// Two decimals are written and read back without loss, whatever their digits.
    #[test]
    fn csv_numbers_are_exact(rows in prop::collection::vec((0u64..1 << 60, 1i64..i64::MAX, 1i64..i64::MAX, 0i64..i64::MAX, 0i64..i64::MAX), 1..20)) {
        let mut rows = rows;
        rows.sort();
        let (price, size) = (Price::from_raw, Qty::from_raw);
        let lines: String = rows.iter().map(|r| {
            format!("{},{},{},{},{}\n", r.0, price(r.1), price(r.2), size(r.3), size(r.4))
        }).collect();
        let records = csv_text(&format!("ts,bid,ask,bid_size,ask_size\n{lines}")).unwrap();
        for (record, r) in records.iter().zip(&rows) {
            let MarketData::Quote(q) = record else { panic!() };
            prop_assert_eq!((q.ts.nanos(), q.bid.raw(), q.ask.raw()), (r.0, r.1, r.2));
            prop_assert_eq!((q.bid_size.raw(), q.ask_size.raw()), (r.3, r.4));
        }
        prop_assert_eq!(records.len(), rows.len());
    }
}

fn write_generated(path: &Path, count: u64) -> Vec<MarketData> {
    let stock = |symbol, price: &str| GeneratedInstrument::stock(symbol, price.parse().unwrap());
    let market = GeneratedMarket::new(3, vec![stock("ABC", "20"), stock("XYZ", "150")]);
    let mut feed = Generated::new(GeneratedMarket { records: Some(count), ..market }).unwrap();
    let units = vec![Units { price: 10_000_000, size: 1_000_000_000 }; 2];
    let mut writer = RecordingWriter::create(path, feed.instruments().clone(), units).unwrap();
    let mut all = Vec::new();
    while let Some(record) = feed.next().unwrap() {
        writer.push(&record).unwrap();
        all.push(record);
    }
    assert!(!path.exists(), "it has its name only when it is whole");
    assert_eq!(writer.finish().unwrap().counts.records(), count);
    all
}

#[test]
fn a_recording_gives_back_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.qrec");
    let written = write_generated(&path, 20_000);
    assert_eq!(records(&path), written);
    let mut recording = Recording::open(&path).unwrap();
    assert_eq!(recording.skip(12_345).unwrap(), 12_345);
    assert_eq!(recording.next().unwrap(), Some(written[12_345]));
    assert_eq!(recording.position(), 12_346);
    let before = (fs::read(&path).unwrap(), digest(&path).unwrap());
    assert_eq!(hex(&before.1), info(&path).unwrap().digest);
    fs::remove_file(&path).unwrap();
    write_generated(&path, 20_000);
    assert_eq!((fs::read(&path).unwrap(), digest(&path).unwrap()), before, "same seed, same bytes");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no partial file stays");

    let json = serde_json::to_value(info(&path).unwrap()).unwrap();
    for key in ["quotes", "trades", "bars", "symbols", "first", "last", "digest"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert!(json["symbols"]["ABC"]["quotes"].as_u64().unwrap() > 5_000);
}

#[test]
fn a_step_back_in_time_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.qrec");
    let written = write_generated(&path, 100);
    let header = Recording::open(&path).unwrap().header().clone();
    let second = dir.path().join("b.qrec");
    let mut writer = RecordingWriter::create(&second, header.instruments, header.units).unwrap();
    writer.push(&written[50]).unwrap();
    let error = writer.push(&written[49]).unwrap_err();
    assert!(matches!(error, FeedError::Backwards { position: 1, .. }), "{error}");
    drop(writer);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "an unfinished one leaves nothing");
}

#[test]
fn torn_and_damaged_recordings_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.qrec");
    let written = write_generated(&path, 20_000);
    let whole = fs::read(&path).unwrap();
    let check = |bytes: &[u8], words: &str| {
        fs::write(&path, bytes).unwrap();
        let error = info(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        // What is given before the error is good.
        let Ok(mut recording) = Recording::open(&path) else { return };
        let mut good = 0;
        while let Ok(Some(record)) = recording.next() {
            assert_eq!(record, written[good]);
            good += 1;
        }
        assert!(good < written.len());
    };
    check(&whole[..whole.len() - 1], "torn tail");
    check(&whole[..whole.len() / 2], "torn tail");
    fs::write(&path, &whole).unwrap();
    let mut recording = Recording::open(&path).unwrap();
    let mut ends = vec![recording.offset()];
    while recording.next().unwrap().is_some() {
        ends.push(recording.offset());
    }
    ends.dedup();
    assert!(ends.len() > 3, "several frames");
    ends.retain(|end| *end < whole.len() as u64);
    for end in ends {
        check(&whole[..end as usize], "end mark");
    }
    check(&whole[..5], "not a recording");
    check(b"", "not a recording");
    check(b"ts,bid,ask\n", "not a recording");
    for place in (9..whole.len()).step_by(whole.len() / 50) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x40;
        check(&bytes, "a.qrec: ");
    }
}
