//! The drop-in gateway as a program meets it: HTTP and a WebSocket, over `kill -9`, a kill of its agent
//! and the end of its key, with the broker in the gateway's process and in one of its own.

use crate::rig::{Process, json, qtos, serve, wait};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A gateway with an order entry, and a key for it.
struct Desk {
    dir: TempDir,
    _venue: Option<Process>,
    gateway: Option<Process>,
    starts: u32,
    address: String,
    key: String,
    secret: String,
}

fn config(addr: Option<&str>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/drop-in.toml");
    let text = fs::read_to_string(path).unwrap().replace("127.0.0.1:9200", "127.0.0.1:0");
    let Some(addr) = addr else { return text };
    let from = text.find("[[feed]]").unwrap();
    let to = text.find("[[account]]").unwrap();
    let venue = format!(
        "[[feed]]\nname = \"venue\"\nkind = \"sandbox\"\n[feed.params]\naddr = \"{addr}\"\n\n\
         [[broker]]\nname = \"sandbox\"\nkind = \"sandbox\"\naddr = \"{addr}\"\n\
         ack_timeout = \"300ms\"\nreconcile_every = \"1s\"\n\n"
    );
    format!("{}{venue}{}", &text[..from], &text[to..])
}

impl Desk {
    fn new(venue: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (venue, text) = if venue {
            fs::write(dir.path().join("venue.toml"), config(Some("127.0.0.1:1"))).unwrap();
            let args = ["venue", "sandbox", "--listen", "127.0.0.1:0", "--state-dir", "v"];
            let more = ["--seed", "1", "--speed", "20", "--config", "venue.toml"];
            let (venue, addr) = serve(dir.path(), "venue", &[&args[..], &more].concat());
            (Some(venue), config(Some(&addr)))
        } else {
            (None, config(None))
        };
        fs::write(dir.path().join("c.toml"), text).unwrap();
        let make = ["token", "new", "--agent", "desk", "--config", "c.toml", "--state-dir", "g"];
        let (code, made) = json(dir.path(), &make);
        assert_eq!(code, 0, "{made}");
        let word = |name: &str| made[name].as_str().unwrap().to_owned();
        let (key, secret) = (word("key"), word("secret"));
        let address = String::new();
        Self { dir, _venue: venue, gateway: None, starts: 0, address, key, secret }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the gateway and waits until it takes orders.
    fn up(&mut self) {
        self.starts += 1;
        let name = format!("gateway-{}", self.starts);
        let args = ["run", "--config", "c.toml", "--state-dir", "g", "--json"];
        let mut gateway = Process::start(self.path(), &name, &args);
        self.address = wait("the address of the entry", || {
            assert!(gateway.ended().is_none(), "{}", gateway.stderr());
            let text = gateway.stderr();
            let line = text.lines().find_map(|line| line.strip_prefix("order entry on http://"));
            line.map(str::to_owned).filter(|_| text.ends_with('\n'))
        });
        self.gateway = Some(gateway);
        wait("a gateway that takes orders", || {
            let (_, out, _) = qtos(self.path(), &["status", "--state-dir", "g", "--json"]);
            let status: Value = serde_json::from_str(&out).ok()?;
            (status["ready"] == true).then_some(())
        });
    }

    /// Status and body of a request.
    fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("APCA-API-KEY-ID", &self.key)
            .header("APCA-API-SECRET-KEY", &self.secret);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let mut answer = agent.run(request.body(text).unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn named(&self, name: &str) -> Value {
        self.get(&format!("/v2/orders:by_client_order_id?client_order_id={name}"))
    }

    /// A command to the running gateway.
    fn command(&self, args: &[&str]) -> Value {
        let (code, answer) = json(self.path(), &[args, &["--state-dir", "g"]].concat());
        assert_eq!(code, 0, "{answer}");
        answer
    }
}

fn buy(name: &str, qty: u32, limit: Option<&str>) -> Value {
    let mut order = json!({
        "symbol": "AAPL", "qty": qty.to_string(), "side": "buy", "type": "market",
        "time_in_force": "day", "client_order_id": name,
    });
    if let Some(price) = limit {
        order["type"] = "limit".into();
        order["limit_price"] = price.into();
    }
    order
}

/// The stream of trade updates, as plainly as it can be read.
struct Updates(TcpStream);

impl Updates {
    fn open(desk: &Desk) -> Self {
        let mut socket = TcpStream::connect(&desk.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            socket,
            "GET /stream HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            desk.address
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut updates = Self(socket);
        updates.send(&json!({"action": "auth", "key": desk.key, "secret": desk.secret}));
        assert_eq!(updates.next().unwrap()["data"]["status"], "authorized");
        updates.send(&json!({"action": "listen", "data": {"streams": ["trade_updates"]}}));
        assert_eq!(updates.next().unwrap()["data"]["streams"], json!(["trade_updates"]));
        updates
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string().into_bytes();
        // A mask of zeros leaves the text as it is.
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend((text.len() as u16).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text);
        self.0.write_all(&frame).unwrap();
    }

    /// The next message; `None` at the end.
    fn next(&mut self) -> Option<Value> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        let mut length = u64::from(head[1] & 0x7f);
        if length == 126 {
            let mut more = [0; 2];
            self.0.read_exact(&mut more).ok()?;
            length = u64::from(u16::from_be_bytes(more));
        }
        let mut text = vec![0; length as usize];
        self.0.read_exact(&mut text).ok()?;
        match head[0] & 0xf {
            1 | 2 => Some(serde_json::from_slice(&text).unwrap()),
            _ => None,
        }
    }

    /// The next event: its word, the order's client id, and all of it.
    fn event(&mut self) -> (String, String, Value) {
        let message = self.next().expect("the stream ended");
        let data = message["data"].clone();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (word(&data["event"]), word(&data["order"]["client_order_id"]), data)
    }

    fn expect(&mut self, event: &str, name: &str) -> Value {
        let (word, client_id, data) = self.event();
        assert_eq!((&*word, &*client_id), (event, name), "{data}");
        data
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn life_of_a_program(venue: bool) {
    let mut desk = Desk::new(venue);
    desk.up();
    assert_eq!(desk.ask("GET", "/v2/watchlists", Value::Null).0, 404);
    let mut updates = Updates::open(&desk);

    // An order fills, and the stream says so in order.
    let (status, order) = desk.ask("POST", "/v2/orders", buy("one", 2, None));
    assert_eq!((status, &order["status"]), (200, &json!("pending_new")), "{order}");
    assert_eq!(updates.expect("new", "one")["order"]["status"], "new");
    let fill = updates.expect("fill", "one");
    assert_eq!((&fill["position_qty"], &fill["qty"]), (&json!("2"), &json!("2")), "{fill}");
    assert_eq!((&fill["order"]["id"], &fill["order"]["status"]), (&order["id"], &json!("filled")));
    let shown = desk.get(&format!("/v2/orders/{}", order["id"].as_str().unwrap()));
    assert_eq!(shown["filled_avg_price"], fill["price"]);
    let activity = &desk.get("/v2/account/activities/FILL")[0];
    assert!(activity["id"].as_str().unwrap().ends_with(fill["execution_id"].as_str().unwrap()));

    // One rests, and gets another price.
    let price = shown["filled_avg_price"].as_str().unwrap().parse::<f64>().unwrap();
    // As the wire writes it: no zeros behind.
    let cents =
        |price: f64| format!("{price:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    let [low, lower] = [0.9, 0.8].map(|part| cents(price * part));
    let (_, rest) = desk.ask("POST", "/v2/orders", buy("rest", 1, Some(&low)));
    updates.expect("new", "rest");
    let path = format!("/v2/orders/{}", rest["id"].as_str().unwrap());
    let patch = json!({"limit_price": lower, "client_order_id": "rest-2"});
    let (status, next) = desk.ask("PATCH", &path, patch);
    assert_eq!((status, &next["replaces"]), (200, &rest["id"]), "{next}");
    let replaced = updates.expect("replaced", "rest");
    assert_eq!(replaced["order"]["replaced_by"], next["id"]);
    assert_eq!(updates.expect("new", "rest-2")["order"]["limit_price"], lower);

    // What a limit forbids is refused in the shape of the wire, and its name stays free.
    let (status, no) = desk.ask("POST", "/v2/orders", buy("much", 501, Some(&low)));
    assert_eq!(
        (status, &no["code"], &no["reason"]),
        (403, &json!(40_310_000), &json!("max_position"))
    );
    let path = "/v2/orders:by_client_order_id?client_order_id=much";
    assert_eq!(desk.ask("GET", path, Value::Null).0, 404);
    let (status, no) = desk.ask("POST", "/v2/orders", buy("one", 1, None));
    assert_eq!((status, &no["code"]), (422, &json!(40_010_001)), "{no}");

    // A new boot knows it all, and a name stays used.
    desk.gateway.as_mut().unwrap().kill9();
    drop(updates);
    desk.up();
    assert_eq!(desk.named("one")["status"], "filled");
    let (old, new) = (desk.named("rest"), desk.named("rest-2"));
    assert_eq!((&old["status"], &old["limit_price"]), (&json!("replaced"), &json!(low)), "{old}");
    assert_eq!((&new["status"], &new["limit_price"]), (&json!("new"), &json!(lower)), "{new}");
    assert_eq!((&new["id"], &old["replaced_by"]), (&next["id"], &next["id"]));
    for (name, code) in [("one", 40_010_001), ("rest", 42_210_000), ("rest-2", 42_210_000)] {
        let (status, no) = desk.ask("POST", "/v2/orders", buy(name, 1, None));
        // `rest` stands in the books under its new name: open, so its name is refused as that of one.
        assert_eq!((status, &no["code"]), (422, &json!(code)), "{name}: {no}");
    }
    assert_eq!(desk.get("/v2/positions/AAPL")["qty"], "2");
    let open = desk.get("/v2/orders");
    assert_eq!((open.as_array().unwrap().len(), &open[0]["id"]), (1, &next["id"]), "{open}");

    // A kill of its agent: the stream shows the cancel, and nothing new goes.
    let mut updates = Updates::open(&desk);
    desk.command(&["kill", "--scope", "agent:desk", "--level", "cancel", "--reason", "test"]);
    let end = updates.expect("canceled", "rest-2");
    assert_eq!(end["order"]["status"], "canceled");
    let (status, no) = desk.ask("POST", "/v2/orders", buy("late", 1, None));
    assert_eq!((status, &no["code"], &no["reason"]), (403, &json!(40_310_000), &json!("kill")));
    assert_eq!(desk.get("/v2/account")["trading_blocked"], true);

    // Without its key the program is nobody, and its stream ends.
    desk.command(&["token", "revoke", &desk.key]);
    assert!(updates.next().is_none(), "the stream of a revoked key goes on");
    assert_eq!(desk.ask("GET", "/v2/account", Value::Null).0, 401);
    let gateway = desk.gateway.as_mut().unwrap();
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0, "{}", gateway.stderr());
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());

    let (code, answer) = json(desk.path(), &["replay", "--journal", "g", "--verify"]);
    assert_eq!((code, &answer["identical"]), (0, &json!(true)), "{answer}");
    for path in files(desk.path()) {
        let bytes = fs::read(&path).unwrap();
        let secret = desk.secret.as_bytes();
        let stray = bytes.windows(secret.len()).any(|part| part == secret);
        // What printed it once was the command that made it.
        let printed = path.extension().is_some_and(|end| end == "out");
        assert!(!stray || printed, "the secret stands in {}", path.display());
    }
}

#[test]
fn a_program_trades_in_a_world_that_repeats() {
    life_of_a_program(false);
}

#[test]
fn a_program_trades_at_a_broker_of_another_process() {
    life_of_a_program(true);
}
