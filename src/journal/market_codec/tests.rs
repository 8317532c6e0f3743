//! Every kind of record there and back, and bytes that are none.

use super::*;
use crate::msg::{Bar, Ohlc, QuoteBar};
use crate::types::Nanos;
use proptest::prelude::*;

fn any_quote() -> impl Strategy<Value = MarketData> {
    let side = prop_oneof![
        Just((0i64, 0i64)),
        (1i64..2_000_000, 0i64..50_000).prop_map(|(p, s)| (p * 10_000_000, s * 1_000_000_000)),
        (any::<i64>(), 0i64..i64::MAX),
        // The ends of the range, as multiples.
        (
            prop_oneof![Just(i64::MIN), Just(i64::MAX)].prop_map(|p| p / 10_000_000 * 10_000_000),
            Just(0)
        ),
    ];
    (any::<u64>(), 0u16..3, any::<u8>(), any::<bool>(), side.clone(), side).prop_map(
        |(ts, id, exchange, suspicious, bid, ask)| {
            MarketData::Quote(Quote {
                ts: Timestamp::from_nanos(ts),
                instrument: InstrumentId(id),
                exchange: ExchangeId(exchange),
                suspicious,
                bid: Price::from_raw(bid.0),
                bid_size: Qty::from_raw(bid.1),
                ask: Price::from_raw(ask.0),
                ask_size: Qty::from_raw(ask.1),
            })
        },
    )
}

fn any_trade() -> impl Strategy<Value = MarketData> {
    let price = prop_oneof![(1i64..9_000).prop_map(|p| p * 10_000_000), any::<i64>()];
    (any::<u64>(), 0u16..3, any::<u8>(), any::<bool>(), price, 0i64..i64::MAX, any::<u32>())
        .prop_map(|(ts, id, exchange, flag, price, size, condition)| {
            MarketData::Trade(Trade {
                ts: Timestamp::from_nanos(ts),
                instrument: InstrumentId(id),
                exchange: ExchangeId(exchange),
                suspicious: flag,
                aggressor: flag.then_some(Side::Sell),
                price: Price::from_raw(price),
                size: Qty::from_raw(size),
                condition,
            })
        })
}

fn any_level() -> impl Strategy<Value = MarketData> {
    (any::<u64>(), 0u16..3, any::<u8>(), any::<[bool; 3]>(), any::<i64>(), 0i64..i64::MAX).prop_map(
        |(ts, id, exchange, [sell, clear, more], price, size)| {
            MarketData::Level(BookLevel {
                ts: Timestamp::from_nanos(ts),
                instrument: InstrumentId(id),
                exchange: ExchangeId(exchange),
                action: if clear { BookAction::Clear } else { BookAction::Set },
                more,
                side: if sell { Side::Sell } else { Side::Buy },
                price: Price::from_raw(price),
                size: Qty::from_raw(size),
            })
        },
    )
}

fn any_ohlc() -> impl Strategy<Value = Ohlc> {
    let price = prop_oneof![(0i64..9_000).prop_map(|p| p * 10_000_000), any::<i64>()];
    let ohlc = |[open, high, low, close]: [i64; 4]| {
        let [open, high, low, close] = [open, high, low, close].map(Price::from_raw);
        Ohlc { open, high, low, close }
    };
    prop_oneof![Just(ohlc([0; 4])), prop::array::uniform4(price).prop_map(ohlc)]
}

fn any_bar() -> impl Strategy<Value = MarketData> {
    let size =
        || prop_oneof![Just(0i64), (0i64..9_000).prop_map(|s| s * 1_000_000_000), 0i64..i64::MAX];
    let interval = prop_oneof![Just(60_000_000_000u64), any::<u64>()];
    let rest = (any_ohlc(), any_ohlc(), size(), size(), any::<bool>());
    (any::<u64>(), 0u16..3, interval, rest).prop_map(
        |(ts, id, interval, (one, two, a, b, quotes))| {
            let (ts, instrument) = (Timestamp::from_nanos(ts), InstrumentId(id));
            let (interval, volume, ask_size) =
                (Nanos(interval), Qty::from_raw(a), Qty::from_raw(b));
            if quotes {
                let (bid, ask, bid_size) = (one, two, volume);
                MarketData::QuoteBar(QuoteBar {
                    ts,
                    instrument,
                    interval,
                    bid,
                    bid_size,
                    ask,
                    ask_size,
                })
            } else {
                MarketData::Bar(Bar { ts, instrument, interval, price: one, volume })
            }
        },
    )
}

fn units() -> Vec<Units> {
    vec![
        Units { price: 10_000_000, size: 1_000_000_000 },
        Units { price: 100_000, size: 1 },
        Units::FINEST,
    ]
}

proptest! {
    #[test]
    fn round_trips(records in prop::collection::vec(prop_oneof![any_quote(), any_trade(), any_level(), any_bar()], 1..40), stamped: bool) {
        let (mut to, mut from) = (MarketCodec::new(units(), stamped), MarketCodec::new(units(), stamped));
        for chunk in records.chunks(7) {
            to.start_frame();
            from.start_frame();
            let mut bytes = Vec::new();
            for record in chunk {
                prop_assert!(to.encode(record.ts(), record, &mut bytes));
            }
            let mut rest = bytes.as_slice();
            for record in chunk {
                let tag = rest[0];
                rest = &rest[1..];
                prop_assert_eq!(from.decode(tag, &mut rest), Some((record.ts(), *record)));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn no_bytes_panic(tag: u8, bytes: Vec<u8>) {
        let _ = MarketCodec::new(units(), true).decode(tag, &mut bytes.as_slice());
    }
}
