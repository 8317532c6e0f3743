//! The Alpaca wire: msgpack, and requests from their path, query and body.

use super::kit::text;
use qtos_gateway::alpaca::{
    ApiError, Eastern, Method, Params, Time, decode_msgpack, encode_msgpack, read_call,
};

/// A msgpack message, and a request whose lines are path, query and body.
pub fn requests(data: &[u8]) {
    if let Ok(value) = decode_msgpack(data) {
        let mut bytes = Vec::new();
        encode_msgpack(&value, &mut bytes);
        // A number of 32 bits is written with 64, a time under another key as text: once written, the
        // same for ever.
        let again = decode_msgpack(&bytes).unwrap();
        let mut twice = Vec::new();
        encode_msgpack(&again, &mut twice);
        assert_eq!(bytes, twice);
    }
    let text = text(data);
    let mut lines = text.splitn(3, '\n');
    let (path, query) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let body = lines.next().unwrap_or("").as_bytes();
    let query = Params::read(query);
    for method in [Method::Get, Method::Post, Method::Patch, Method::Put, Method::Delete] {
        if let Err(error) = read_call(method, path, &query, body) {
            assert!(error.status >= 400 && !error.message.is_empty());
            assert_eq!(ApiError::read(error.status, error.body().to_string().as_bytes()), error);
        }
    }
    if let Ok(time) = path.parse::<Time>() {
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(Eastern(time.0).to_string().parse(), Ok(time));
    }
}

/// Requests and messages as clients send them.
pub fn seeds() -> Vec<Vec<u8>> {
    let message = serde_json::json!({
        "action": "subscribe", "trades": ["AAPL"], "t": "2025-01-02T14:30:00.000000001Z", "n": -1.5,
    });
    let mut packed = Vec::new();
    encode_msgpack(&message, &mut packed);
    let order = r#"{"symbol":"AAPL","qty":1.5,"limit_price":"2","extended_hours":null}"#;
    vec![
        packed,
        format!("/v2/orders\nnested=True&limit=5\n{order}").into_bytes(),
        b"/v2/orders:by_client_order_id\nclient_order_id=a%20b\n".to_vec(),
        b"/v2/positions/BTC%2FUSD\nqty=1&percentage=50\n".to_vec(),
        b"/v2/watchlists:by_name\nname=x\n{\"symbol\":\"AAPL\"}".to_vec(),
        b"2025-01-02T09:30:00-05:00\n\n".to_vec(),
    ]
}
