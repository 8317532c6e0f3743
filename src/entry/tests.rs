//! The API over a real socket, with a gateway that only remembers.

use super::fake::Fake;
use super::{CONTROL_FILE, ControlServer, Gateway};
use crate::types::KillLevel;
use crate::view::ControlFile;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

struct Api {
    fake: Arc<Fake>,
    server: Option<ControlServer>,
    token: String,
    folder: tempfile::TempDir,
}

impl Api {
    fn start() -> Self {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::new()));
        let listen = "127.0.0.1:0".parse().unwrap();
        let gateway: Arc<dyn Gateway> = fake.clone();
        let server = ControlServer::start(listen, folder.path(), None, gateway).unwrap();
        let file = std::fs::read_to_string(folder.path().join(CONTROL_FILE)).unwrap();
        let file: ControlFile = serde_json::from_str(&file).unwrap();
        assert_eq!((file.url.as_str(), file.pid), (server.url(), std::process::id()));
        let mode = std::fs::metadata(&file.token_file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let token = std::fs::read_to_string(&file.token_file).unwrap();
        assert_eq!(token.len(), 64);
        Self { fake, server: Some(server), token, folder }
    }

    fn host(&self) -> &str {
        self.server.as_ref().unwrap().url().strip_prefix("http://").unwrap()
    }

    /// One request with exactly these headers; the status and the body.
    fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(self.host()).unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let _ = socket.write_all(text.as_bytes());
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.unwrap_or(0), body.to_owned())
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Host", self.host()),
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = self.raw(method, path, &headers, &body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// A call that must fail with this status and code; gives the message.
    fn fails(&self, method: &str, path: &str, body: &Value, status: u16, code: &str) -> String {
        let (got, answer) = self.call(method, path, body);
        assert_eq!(
            (got, answer["error"]["code"].as_str()),
            (status, Some(code)),
            "{path} {answer}"
        );
        answer["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.take().unwrap().stop();
        assert!(!self.folder.path().join(CONTROL_FILE).exists());
    }
}

#[test]
fn only_a_local_caller_with_the_token_gets_in() {
    let api = Api::start();
    let (host, bearer) = (api.host(), format!("Bearer {}", api.token));
    let port = host.rsplit(':').next().unwrap();
    let localhost = format!("localhost:{port}");
    let origin = format!("http://{host}");
    let wrong = format!("Bearer {}", "0".repeat(64));
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[("Host", host), ("Authorization", &bearer)], 200),
        (&[("Host", &localhost), ("Authorization", &bearer)], 200),
        (&[("Host", host), ("Authorization", &bearer), ("Origin", &origin)], 200),
        (&[("Host", host)], 401),
        (&[("Host", host), ("Authorization", &wrong)], 401),
        (&[("Host", host), ("Authorization", "Bearer ")], 401),
        (&[("Host", host), ("Authorization", &api.token)], 401),
        (&[("Host", "gateway.example"), ("Authorization", &bearer)], 403),
        (&[("Host", "127.0.0.1:1"), ("Authorization", &bearer)], 403),
        (&[("Host", host), ("Authorization", &bearer), ("Origin", "http://evil.example")], 403),
        (&[("Host", host), ("Authorization", &bearer), ("Origin", "null")], 403),
    ];
    for (headers, expected) in table {
        let (status, body) = api.raw("GET", "/v1/status", headers, "");
        assert_eq!(status, *expected, "{headers:?} {body}");
    }
    for (path, expected) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/v1/x", 401)] {
        assert_eq!(api.raw("GET", path, &[("Host", host)], "").0, expected, "{path}");
    }
    assert_eq!(api.raw("GET", "/metrics", &[("Host", "evil.example")], "").0, 403);
}

#[test]
fn readiness_says_why_not() {
    let api = Api::start();
    api.fake.ready.store(false, Ordering::SeqCst);
    let (status, body) = api.call("GET", "/readyz", &Value::Null);
    assert_eq!(status, 503);
    assert_eq!(body, json!({"ready": false, "reasons": ["broker:sandbox unreconciled"]}));
    assert_eq!(
        api.fails("GET", "/v1/positions", &Value::Null, 503, "unavailable"),
        "the core does not answer"
    );
}

#[test]
fn bad_requests_are_named() {
    let api = Api::start();
    let invalid = |path: &str, body: Value, part: &str| {
        let message = api.fails("POST", path, &body, 400, "invalid");
        assert!(message.contains(part), "{path} {body}: {message}");
    };
    let order = |change: Value| {
        let mut body =
            json!({"symbol": "AAPL", "side": "buy", "type": "limit", "qty": "10", "price": "1.5"});
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    invalid("/v1/orders", json!({}), "missing field `symbol`");
    invalid("/v1/orders", order(json!({"colour": 1})), "unknown field `colour`");
    invalid("/v1/orders", order(json!({"qty": "-1"})), "`qty` must be above zero");
    invalid("/v1/orders", order(json!({"qty": null})), "exactly one of `qty` and `cash`");
    invalid("/v1/orders", order(json!({"cash": 5})), "exactly one of `qty` and `cash`");
    invalid("/v1/orders", order(json!({"symbol": "XX"})), "unknown symbol `XX`");
    invalid("/v1/orders", order(json!({"account": "gold"})), "unknown account `gold`");
    invalid("/v1/orders", order(json!({"type": "market"})), "a market order has no `price`");
    invalid(
        "/v1/orders",
        order(json!({"type": "stop_limit"})),
        "a stop_limit order needs `stop_px`",
    );
    invalid("/v1/orders", order(json!({"type": "peg"})), "`peg` is not an order type");
    invalid("/v1/orders", order(json!({"tif": "gtd"})), "`expire_at` goes with time in force gtd");
    invalid("/v1/orders", order(json!({"price": 0.12345678901234567})), "more than 15 digits");
    invalid("/v1/orders/abc/replace", json!({"price": "1"}), "`abc` is not a client order id");
    invalid("/v1/orders/q7-1-0-1/replace", json!({}), "a replace needs");
    invalid("/v1/kill", json!({"scope": "desk", "level": "block"}), "`desk` is not a scope");
    invalid("/v1/kill", json!({"scope": "global", "level": "normal"}), "a kill only raises");
    invalid("/v1/kill", json!({"scope": "global", "level": "panic"}), "unknown variant `panic`");
    invalid("/v1/agents/operator/pause", Value::Null, "`operator` is no strategy");
    api.fails("POST", "/v1/agents/nobody/pause", &Value::Null, 404, "not_found");
    api.fails("DELETE", "/v1/orders/q7-1-0-9", &Value::Null, 404, "not_found");
    api.fails("PUT", "/v1/orders", &Value::Null, 404, "not_found");
    api.fails("GET", "/v1/kill", &Value::Null, 404, "not_found");
    api.fails("GET", "/v1/orders?limit=many", &Value::Null, 400, "invalid");
    api.fails("POST", "/v1/orders", &json!("x".repeat(64 * 1024)), 413, "too_large");
    assert!(api.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn an_order_lives_through_the_api() {
    let api = Api::start();
    let body =
        json!({"symbol": "aapl", "side": "buy", "type": "limit", "qty": 10, "price": "1.50"});
    let (status, order) = api.call("POST", "/v1/orders", &body);
    assert_eq!((status, &order["price"], &order["tif"]), (200, &json!("1.5"), &json!("day")));
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let (_, order) = api.call("POST", &format!("{path}/replace"), &json!({"price": "2"}));
    assert_eq!(order["price"], "2");
    let (_, open) = api.call("GET", "/v1/orders?open=true", &Value::Null);
    assert_eq!(open["orders"].as_array().unwrap().len(), 1);
    let (_, order) = api.call("DELETE", &path, &Value::Null);
    assert_eq!(order["status"], "pending_cancel");
    let (_, open) = api.call("GET", "/v1/orders?open=true", &Value::Null);
    assert!(open["orders"].as_array().unwrap().is_empty());
}

#[test]
fn a_kill_latches_first_and_only_both_steps_arm() {
    let api = Api::start();
    let global = json!({"scope": "global", "reason": "all clear"});
    assert_eq!(api.fails("POST", "/v1/arm", &global, 409, "refused"), "global is not killed");
    let kill = json!({"scope": "global", "level": "cancel", "reason": "drill"});
    let (status, result) = api.call("POST", "/v1/kill", &kill);
    assert_eq!(status, 200);
    assert_eq!(
        result,
        json!({"scope": "global", "level": "cancel", "episode": 1, "open_orders": 2})
    );
    let calls = api.fake.calls.lock().unwrap().clone();
    assert_eq!(calls[1..], ["latch Global cancel", "kill Global cancel drill"]);

    let order = json!({"symbol": "AAPL", "side": "sell", "type": "market", "qty": 1});
    api.fails("POST", "/v1/orders", &order, 422, "kill");
    let (_, challenge) = api.call("POST", "/v1/arm", &global);
    assert_eq!(challenge["expires_seconds"], 60);
    api.fails("POST", "/v1/arm/confirm", &json!({"challenge": "wrong"}), 409, "refused");
    assert_eq!(api.fake.level.load(Ordering::SeqCst), KillLevel::Cancel as u8);
    let (_, done) =
        api.call("POST", "/v1/arm/confirm", &json!({"challenge": challenge["challenge"]}));
    assert_eq!(done, json!({"scope": "global", "level": "normal"}));
    assert_eq!(api.call("POST", "/v1/orders", &order).0, 200);
}

#[test]
fn agents_pause_and_positions_flatten() {
    let api = Api::start();
    let (_, agent) = api.call("POST", "/v1/agents/maker/pause", &Value::Null);
    assert_eq!((&agent["name"], &agent["state"]), (&json!("maker"), &json!("paused")));
    let (_, agent) = api.call("POST", "/v1/agents/maker/resume", &Value::Null);
    assert_eq!(agent["state"], "running");
    let body = json!({"scope": "symbol:MSFT", "reason": "weekend"});
    assert_eq!(api.call("POST", "/v1/flatten", &body).1["scope"], "symbol:MSFT");
    let path = "/v1/corporate-actions";
    let split = json!({"symbol": "MSFT", "split": "3:2", "reason": "as announced"});
    assert_eq!(api.call("POST", path, &split).1["waits"], false);
    let pays =
        json!({"symbol": "MSFT", "dividend": "0.83", "on": "2025-02-20", "reason": "as announced"});
    assert_eq!(api.call("POST", path, &pays).1["on"], "2025-02-20");
    let both = json!({"symbol": "MSFT", "split": "3:2", "dividend": "1", "reason": "as announced"});
    api.fails("POST", path, &both, 400, "invalid");
    let odd = json!({"symbol": "MSFT", "split": "3", "reason": "as announced"});
    api.fails("POST", path, &odd, 400, "invalid");
}

#[test]
fn the_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let gateway: Arc<dyn Gateway> = Arc::new(Fake::new());
    let error = ControlServer::start("0.0.0.0:0".parse().unwrap(), folder.path(), None, gateway);
    assert_eq!(error.unwrap_err().to_string(), "0.0.0.0:0 is not a loopback address");
}
