//! The vocabulary: what is read, what is written, what is refused.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map("[a-s]{1,40}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn msgpack_round_trips(value in any_json()) {
        let mut bytes = Vec::new();
        encode_msgpack(&value, &mut bytes);
        prop_assert_eq!(decode_msgpack(&bytes), Ok(value));
    }

    #[test]
    fn msgpack_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = decode_msgpack(&bytes);
    }

    #[test]
    fn uuids_round_trip_with_and_without_hyphens(bits: u128) {
        let id = Uuid::from_random(bits);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string().replace('-', "").parse(), Ok(id));
    }

    #[test]
    fn paths_never_panic(path in "/?(v2|__sim|v1beta1)?(/[a-z:%]{0,9}){0,5}", body in ".{0,20}") {
        let _ = read_call(Method::Get, &path, &Params::read(&body), body.as_bytes());
        let _ = read_call(Method::Post, &path, &Params::read(&body), body.as_bytes());
    }
}

#[test]
fn numbers_come_as_text_number_or_null() {
    let read = |text: &str| serde_json::from_str::<PostOrder>(text).unwrap();
    for text in [r#"{"qty":1.5}"#, r#"{"qty":"1.5"}"#, r#"{"qty":"1.50","notional":null}"#] {
        assert_eq!(read(text).qty.unwrap().to_string(), "1.5", "{text}");
        assert_eq!(read(text).notional, None);
    }
    assert_eq!(read(r#"{"qty":1,"other":[]}"#).qty.unwrap().to_string(), "1");
    assert!(serde_json::from_str::<PostOrder>(r#"{"qty":"many"}"#).is_err());
}

#[test]
fn times_are_read_with_any_offset() {
    let at = |text: &str| text.parse::<Time>().map(|time| time.to_string());
    let noon = Ok("2026-06-24T12:00:00.000000000Z".to_owned());
    for text in [
        "2026-06-24T12:00:00Z",
        "2026-06-24T08:00:00-04:00",
        "2026-06-24T14:00:00+02:00",
        "2026-06-24T14:00:00 02:00",
        "2026-06-24T12:00:00",
        "2026-06-24 12:00:00",
    ] {
        assert_eq!(at(text), noon, "{text}");
    }
    assert_eq!(at("2026-06-24"), Ok("2026-06-24T04:00:00.000000000Z".to_owned()));
    assert!(at("2026-02-30").is_err() && at("soon").is_err() && at("17").is_err());
    let clock = Eastern("2026-06-24T14:15:22.5Z".parse().unwrap());
    assert_eq!(clock.to_string(), "2026-06-24T10:15:22.500000000-04:00");
    let winter = Eastern("2026-01-01T03:00:00Z".parse().unwrap());
    assert_eq!(winter.to_string(), "2025-12-31T22:00:00.000000000-05:00");
}

#[test]
fn times_in_msgpack_are_timestamps() {
    let mut bytes = Vec::new();
    encode_msgpack(&json!({"t": "1970-01-01T00:00:01.000000002Z", "x": "t"}), &mut bytes);
    let time = [0xc7, 12, 0xff, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    assert!(bytes.windows(time.len()).any(|window| window == time));
}

#[test]
fn paths_with_colons_and_slashes_find_their_call() {
    let get = |path: &str, query: &str| read_call(Method::Get, path, &Params::read(query), b"");
    assert_eq!(
        get("/v2/orders:by_client_order_id", "client_order_id=a%20b"),
        Ok(Call::OrderByClientId("a b".into()))
    );
    assert_eq!(get("/v2/assets/BTC/USD", ""), Ok(Call::Asset("BTC/USD".into())));
    assert_eq!(get("/v2/positions/AAPL/", ""), Ok(Call::Position("AAPL".into())));
    assert_eq!(
        get("/v2/orders/x", "nested=True"),
        Ok(Call::GetOrder { id: "x".into(), nested: true })
    );
    assert_eq!(get("/v2/nothing", ""), Err(ApiError::no_endpoint()));
    let name = WatchlistKey::Name("my list".into());
    assert_eq!(
        get("/v2/watchlists:by_name", "name=my+list"),
        Ok(Call::Watchlist { key: name, action: WatchlistAction::Get })
    );
    let bad = read_call(Method::Post, "/v2/orders", &Params::default(), b"{");
    assert_eq!(bad.unwrap_err().code, Some(40_010_000));
}

#[test]
fn a_subscription_is_acknowledged_whole() {
    let feed = Feed::Stocks("iex".into());
    let mut subscription = Subscription::default();
    let mut change = |text: &str| {
        let message: ControlMessage = serde_json::from_str(text).unwrap();
        subscription.change(&feed, &message).map(|()| subscription.ack(&feed))
    };
    let ack = change(r#"{"action":"subscribe","trades":["AAPL"],"bars":["*"]}"#).unwrap();
    assert_eq!(ack["corrections"], json!(["AAPL"]));
    assert_eq!(ack["bars"], json!(["*"]));
    assert_eq!(ack["lulds"], json!([]));
    let ack = change(r#"{"action":"unsubscribe","trades":["AAPL","SPY"]}"#).unwrap();
    assert_eq!((&ack["trades"], &ack["cancelErrors"]), (&json!([]), &json!([])));
    assert_eq!(change(r#"{"action":"subscribe","news":["*"]}"#), None);
}

#[test]
fn errors_survive_a_page_of_html() {
    let page = ApiError::read(401, b"<html>nginx</html>");
    assert_eq!((page.code, page.status), (None, 401));
    let refusal = ApiError::forbidden("insufficient buying power").with("buying_power", "1");
    assert_eq!(ApiError::read(403, refusal.body().to_string().as_bytes()), refusal);
}
