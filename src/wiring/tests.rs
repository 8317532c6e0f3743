//! Every error has its place; every example parses.

mod session;

use super::*;
use crate::types::{AgentId, BrokerId, Scope};

const GOOD: &str = r#"currency = "USD"
[[instrument]]
symbol = "IBM"
[[instrument]]
symbol = "SAP"
tick = 0.005
currency = "EUR"
[[instrument]]
symbol = "EURUSD"
tick = "0.00001"
[[fx]]
currency = "EUR"
symbol = "EURUSD"
[[broker]]
name = "sandbox"
kind = "sandbox"
[broker.exchange]
fill_model = "touch"
[[account]]
name = "paper"
broker = "sandbox"
[[lane]]
name = "side"
idle = "park"
[[agent]]
name = "zeta"
kind = "observer"
account = "paper"
symbols = ["sap", "IBM"]
lane = "side"
[[agent]]
name = "alpha"
kind = "ema_cross"
account = "paper"
symbols = ["IBM"]
[agent.params]
fast = 10
[[limit]]
control = "max_order_qty"
scope = "agent:alpha"
value = 10
[[limit]]
control = "max_order_qty"
scope = "global"
value = 2.5
[[limit]]
control = "symbol_list"
scope = "global"
value = ["IBM", 7]
"#;

fn words() -> Vocabulary {
    Vocabulary {
        controls: ["symbol_list", "max_order_qty"].map(|name| (name.to_owned(), true)).to_vec(),
        ..Vocabulary::default()
    }
}

fn parse(text: &str) -> Result<Topology, ConfigError> {
    Topology::parse("t.toml", text, &words())
}

#[test]
fn names_become_numbers_in_sorted_order() {
    let topology = parse(GOOD).unwrap();
    let names = &topology.names;
    let symbols: Vec<_> = names.instruments().iter().map(|(_, i)| i.symbol.clone()).collect();
    assert_eq!(symbols, ["EURUSD", "IBM", "SAP"]);
    assert_eq!(names.agents(), ["operator", "external", "alpha", "zeta"]);
    let zeta = topology.agent(AgentId(3)).unwrap();
    assert_eq!((zeta.name.as_str(), zeta.lane), ("zeta", LaneId(1)));
    assert_eq!(zeta.symbols.iter().map(|&s| names.symbol(s)).collect::<Vec<_>>(), ["IBM", "SAP"]);
    assert!(topology.agent(AgentId::OPERATOR).is_none());
    let rows: Vec<_> = topology
        .limits
        .iter()
        .map(|row| (row.control.as_str(), names.scope_name(row.scope), row.value.to_string()))
        .collect();
    assert_eq!(
        rows,
        [
            ("symbol_list", "global".to_owned(), "IBM, 7".to_owned()),
            ("max_order_qty", "global".to_owned(), "2.5".to_owned()),
            ("max_order_qty", "agent:alpha".to_owned(), "10".to_owned()),
        ]
    );
    assert_eq!(topology.source().text(), GOOD);
    assert_eq!(topology.names.instruments().get(topology.fx[0].instrument).symbol, "EURUSD");
}

#[test]
fn every_scope_reads_back() {
    let names = parse(GOOD).unwrap().names;
    for text in ["global", "broker:sandbox", "account:paper", "agent:operator", "symbol:IBM"] {
        assert_eq!(names.scope_name(names.scope(text).unwrap()), text);
    }
    assert_eq!(names.scope("symbol:ibm"), names.scope("symbol:IBM"));
    assert_eq!(names.scope("global"), Ok(Scope::Global));
    for wrong in ["", "Global", "agent", "agent:nobody", "desk:1", "global:"] {
        assert!(names.scope(wrong).is_err(), "{wrong}");
    }
}

/// One change to the good file, and the error it must give.
#[test]
fn each_mistake_is_named_with_its_place() {
    let table: &[(&str, &str, &str)] = &[
        (
            "currency = \"USD\"\n",
            "currency = \"USD\nx",
            "t.toml:2:2: key with no value, expected `=`",
        ),
        (
            "tick = 0.005",
            "tik = 0.005",
            "t.toml:6:1: unknown field `tik`, expected one of `symbol`, `tick`",
        ),
        ("tick = 0.005", "tick = \"-1\"", "t.toml:6:8: `tick` must be above zero"),
        ("tick = 0.005", "tick = \"1e-3\"", "t.toml:6:8: `tick`: not a decimal number"),
        (
            "tick = 0.005",
            "tick = true",
            "t.toml:6:8: `tick`: invalid type: boolean `true`, expected text or a number",
        ),
        (
            "tick = 0.005",
            "tick = 0.12345678901234567",
            "t.toml:6:8: `tick`: a number with more than 15 digits",
        ),
        (
            "symbol = \"SAP\"",
            "symbol = \"IBM\"",
            "t.toml:5:10: instrument `IBM` is already on line 3",
        ),
        ("symbol = \"SAP\"", "symbol = \"Sap\"", "t.toml:5:10: symbol `Sap` must be upper case"),
        (
            "symbol = \"EURUSD\"\n[[broker]]",
            "symbol = \"EURGBP\"\n[[broker]]",
            "t.toml:13:10: unknown symbol `EURGBP`: EURUSD, IBM or SAP",
        ),
        (
            "[[fx]]\ncurrency = \"EUR\"",
            "[[fx]]\ncurrency = \"USD\"",
            "t.toml:12:12: `USD` is the account currency",
        ),
        (
            "kind = \"sandbox\"",
            "kind = \"ibkr\"",
            "t.toml:16:8: `kind`: unknown variant `ibkr`, expected `sandbox`",
        ),
        (
            "kind = \"sandbox\"",
            "kind = \"sandbox\"\naddr = \"127.0.0.1:1\"",
            "t.toml:18:1: `exchange` is for a sandbox in this process",
        ),
        (
            "kind = \"sandbox\"",
            "kind = \"sandbox\"\nack_timeout = \"0s\"",
            "t.toml:17:15: `ack_timeout` must be above zero",
        ),
        (
            "kind = \"sandbox\"",
            "kind = \"sandbox\"\nreconnect_max = \"1ms\"",
            "t.toml:17:17: `reconnect_max` is shorter than `reconnect_min`",
        ),
        (
            "broker = \"sandbox\"",
            "broker = \"other\"",
            "t.toml:21:10: unknown broker `other`: there is only sandbox",
        ),
        ("name = \"paper\"", "name = \"a b\"", "t.toml:20:8: `name`: `a b` is not a name"),
        ("lane = \"side\"", "lane = \"left\"", "t.toml:30:8: unknown lane `left`: core or side"),
        (
            "kind = \"observer\"",
            "kind = \"oracle\"",
            "t.toml:27:8: unknown agent kind `oracle`: ema_cross, observer, quoter or remote",
        ),
        ("account = \"paper\"", "account = \"gold\"", "t.toml:28:11: unknown account `gold`"),
        (
            "symbols = [\"sap\", \"IBM\"]",
            "symbols = [\"sap\", \"XX\"]",
            "t.toml:29:19: unknown symbol `XX`",
        ),
        (
            "symbols = [\"sap\", \"IBM\"]",
            "symbols = []",
            "t.toml:29:11: `symbols` needs at least one symbol",
        ),
        ("name = \"alpha\"", "name = \"operator\"", "t.toml:32:8: `operator` is a reserved name"),
        ("name = \"alpha\"", "name = \"zeta\"", "t.toml:32:8: agent `zeta` is already on line 26"),
        ("name = \"alpha\"\n", "", "t.toml:31:1: missing field `name`"),
        ("scope = \"agent:alpha\"", "scope = \"agent:beta\"", "t.toml:40:9: unknown agent `beta`"),
        (
            "scope = \"agent:alpha\"",
            "scope = \"world\"",
            "t.toml:40:9: `world` is not a scope: global, broker:N",
        ),
        (
            "scope = \"agent:alpha\"",
            "scope = \"global\"",
            "t.toml:43:11: `max_order_qty` for global is already on line 39",
        ),
        (
            "control = \"symbol_list\"",
            "control = \"symbols\"",
            "t.toml:47:11: unknown control `symbols`: symbol_list or max_order_qty",
        ),
        (
            "control = \"symbol_list\"\nscope = \"global\"",
            "control = \"symbol_list\"\nscope = \"agent:zeta\"",
            "t.toml:49:19: missing limit: `symbol_list` needs a [[limit]] with scope = \"global\"",
        ),
        (
            "value = 2.5",
            "value = true",
            "t.toml:45:9: `value`: invalid type: boolean `true`, expected text, a number or a list of them",
        ),
        (
            "currency = \"USD\"\n",
            "[control]\nlisten = \"0.0.0.0:80\"\n",
            "t.toml:2:10: `listen` must be a loopback address",
        ),
        (
            "currency = \"USD\"\n",
            "[entry.alpaca]\nlisten = \"127.0.0.1:80\"\n",
            "t.toml:1:1: [entry.alpaca] needs an [[agent]] with kind = \"remote\"",
        ),
        (
            "currency = \"USD\"\n",
            "[[agent]]\nname = \"r\"\nkind = \"remote\"\naccount = \"paper\"\nsymbols = [\"IBM\"]\nlane = \"side\"\n",
            "t.toml:6:8: an agent of kind `remote` has no lane",
        ),
        (
            "currency = \"USD\"\n",
            "[entry.alpaca]\nlisten = \"0.0.0.0:80\"\n[[agent]]\nname = \"r\"\nkind = \"remote\"\naccount = \"paper\"\nsymbols = [\"IBM\"]\n",
            "t.toml:2:10: `listen` must be a loopback address",
        ),
        (
            "currency = \"USD\"\n",
            "[control]\ntoken = \"hunter2\"\n",
            "t.toml:2:9: `token`: a secret is a reference, `env:NAME` or `file:PATH`, never the secret itself",
        ),
        (
            "currency = \"USD\"\n",
            "mode = \"paper\"\n",
            "t.toml:1:8: `mode`: unknown variant `paper`, expected `sandbox` or `live`",
        ),
        (
            "currency = \"USD\"\n",
            "[market]\nstale_after = \"5\"\n",
            "t.toml:2:15: `stale_after`: `5` is not a span like 250ms, 5s, 2m or 1h",
        ),
        (
            "currency = \"USD\"\n",
            "[journal]\ndurability = \"power\"\ndurability = \"power\"\n",
            "t.toml:3:1: duplicate key",
        ),
        (
            "currency = \"USD\"\n",
            "[[feed]]\nname = \"f\"\nkind = \"recording\"\n",
            "t.toml:2:8: missing field `file`",
        ),
        (
            "currency = \"USD\"\n",
            "[[feed]]\nname = \"f\"\nkind = \"sandbox\"\n[feed.params]\naddr = \"here\"\n",
            "t.toml:5:8: `addr`: invalid socket address syntax",
        ),
    ];
    let mut wrong = Vec::new();
    for (from, to, expected) in table {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replacen(from, to, 1)).expect_err(expected).to_string();
        if !error.starts_with(expected) {
            wrong.push(format!("expected {expected}\n     got {error}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.concat());
    let none = parse("").unwrap_err().to_string();
    assert_eq!(none, "t.toml:1:1: at least one [[instrument]] is needed");
}

#[test]
fn parameters_keep_their_place() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cross {
        fast: u32,
        #[serde(default)]
        _slow: u32,
    }
    let topology = parse(GOOD).unwrap();
    let params = &topology.agents[0].params;
    assert_eq!(params.read::<Cross>().unwrap().fast, 10);
    assert_eq!(params.error("too fast").to_string(), "t.toml:36:1: too fast");
    let bad = parse(&GOOD.replace("fast = 10", "fast = 10\nquick = 1")).unwrap();
    let error = bad.agents[0].params.read::<Cross>().unwrap_err().to_string();
    assert!(error.starts_with("t.toml:38:1: unknown field `quick`, expected"), "{error}");
    assert!(topology.agents[1].params.read::<toml::Table>().unwrap().is_empty());
}

#[test]
fn live_needs_the_opt_in() {
    assert!(Mode::Live.check(None).is_err());
    assert!(Mode::Live.check(Some("TRUE")).is_err());
    assert!(Mode::Live.check(Some("true")).is_ok());
    assert!(Mode::Sandbox.check(None).is_ok());
}

#[test]
fn secrets_are_fetched_and_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, " abc \n").unwrap();
    let secret = format!("file:{}", path.display()).parse::<SecretRef>().unwrap();
    assert_eq!(secret.resolve().unwrap().expose(), "abc");
    assert_eq!(format!("{:?}", secret.resolve().unwrap()), "Secret(***)");
    assert!("env:QTOS_NO_SUCH_VARIABLE".parse::<SecretRef>().unwrap().resolve().is_err());
}

#[test]
fn every_example_parses_and_prints() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let topology =
            Topology::load(&path, &Vocabulary::default()).unwrap_or_else(|e| panic!("{e}"));
        topology.lane(&Registry::standard(), Placement::All).unwrap_or_else(|e| panic!("{e}"));
        let board = topology.kill_board();
        for broker in 0..topology.brokers.len() {
            let broker = BrokerId(broker as u8);
            topology.in_process(broker, &board, None).unwrap_or_else(|e| panic!("{e}"));
        }
        let text = topology.to_string();
        for agent in &topology.agents {
            assert!(text.contains(&format!("agent {} ({})", agent.name, agent.kind)), "{text}");
        }
        for feed in &topology.feeds {
            if let FeedSource::Generated(params) = &feed.source {
                topology.generated_market(Some(params)).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        seen += 1;
    }
    assert!(seen > 1, "no examples");
}

#[test]
fn a_data_stream_keeps_its_key_from_strangers_and_names_what_is_wrong() {
    let feed = |params: &str| {
        let feed = format!("[[feed]]\nname = \"f\"\nkind = \"alpaca\"\n[feed.params]\n{params}\n");
        parse(&GOOD.replacen("currency = \"USD\"\n", &feed, 1))
            .map(|topology| topology.to_string())
            .map_err(|error| error.to_string())
    };
    let shown =
        feed("feed = \"sip\"\nchannels = [\"quotes\"]\nsymbols = { IBM = \"IBM.X\" }").unwrap();
    let line = "Alpaca at https://stream.data.alpaca.markets/v2/sip: quotes of IBM.X";
    assert!(shown.contains(line), "{shown}");
    let near = feed("feed = \"crypto\"\nurl = \"ws://127.0.0.1:9100\"").unwrap();
    assert!(
        near.contains("http://127.0.0.1:9100/v1beta3/crypto/us: trades, quotes, bars"),
        "{near}"
    );
    for (params, named) in [
        ("feed = \"sip\"\nurl = \"ws://example.com\"", "encrypted"),
        ("feed = \"sip\"\nchannels = [\"orderbooks\"]", "`orderbooks` is none of this feed"),
        ("feed = \"sip\"\nchannels = []", "`channels` needs at least one"),
        ("feed = \"sip\"\nkey = \"PKSECRET\"", "never the secret itself"),
        ("feed = \"sip\"\nsymbols = { XX = \"XX\" }", "no instrument is named `XX`"),
        ("feed = \"sip\"\nsymbols = { IBM = \"A\", EURUSD = \"A\" }", "`A`"),
        ("feed = \"sip\"\nsilence = \"10ms\"", "`silence`"),
        ("feed = \"opra\"", "opra"),
        ("", "feed"),
    ] {
        let error = feed(params).unwrap_err();
        assert!(error.starts_with("t.toml:") && error.contains(named), "{params}: {error}");
        assert!(!error.contains("PKSECRET"), "{error}");
    }
}

#[test]
fn a_generated_market_starts_where_the_config_says() {
    let feed = |params: &str| {
        let feed =
            format!("[[feed]]\nname = \"f\"\nkind = \"generated\"\n[feed.params]\n{params}\n");
        let topology = parse(&GOOD.replacen("currency = \"USD\"\n", &feed, 1)).unwrap();
        let FeedSource::Generated(params) = topology.feeds[0].source.clone() else {
            panic!("not generated")
        };
        topology.generated_market(Some(&params)).map_err(|error| error.to_string())
    };
    let market = feed("seed = 3\nprice = { IBM = 180 }").unwrap();
    let prices: Vec<String> = market.instruments.iter().map(|i| i.price.to_string()).collect();
    assert_eq!((market.seed, prices), (3, vec!["100".into(), "180".into(), "100".into()]));
    let error = feed("price = { XX = 180 }").unwrap_err();
    assert!(error.starts_with("t.toml:4:1: unknown symbol `XX`"), "{error}");
    let error = feed("interval = 5").unwrap_err();
    assert!(error.starts_with("t.toml:5:12: `interval`: `5` is not a span"), "{error}");
}

/// A config whose broker is Alpaca, with these parameters, in this mode.
fn alpaca(mode: &str, params: &str) -> Result<Topology, ConfigError> {
    let start = GOOD.find("[[broker]]").unwrap();
    let end = start + GOOD[start..].find("\n[[account]]").unwrap();
    let broker =
        format!("[[broker]]\nname = \"sandbox\"\nkind = \"alpaca\"\n[broker.params]\n{params}\n");
    parse(&format!("{mode}{}{broker}{}", &GOOD[..start], &GOOD[end..]))
}

#[test]
fn real_money_needs_every_word_of_consent() {
    let live = "mode = \"live\"\n";
    let account = "account = \"123\"\n";
    for (mode, params, right) in [
        ("", "", true),
        ("", "environment = \"paper\"", true),
        ("", "url = \"http://127.0.0.1:9100\"", true),
        ("", "environment = \"live\"", false),
        ("", &format!("environment = \"live\"\n{account}"), false),
        ("", "url = \"https://api.alpaca.markets\"", false),
        // A host that nobody knows may move real money.
        ("", "url = \"https://broker.example\"", false),
        ("", "url = \"http://paper-api.alpaca.markets\"", false),
        ("", "url = \"http://10.0.0.1:9100\"", false),
        (live, "environment = \"live\"", false),
        (live, "environment = \"paper\"\nurl = \"https://api.alpaca.markets\"", false),
        ("", "rate = 5", false),
        ("", "key = \"env:K\"", false),
        ("", "key = \"PK123\"\nsecret = \"env:S\"", false),
        ("", "symbols = { NOPE = \"X\" }", false),
        ("", "symbols = { IBM = \"SAP\" }", false),
        ("", "symbols = { IBM = \"IB/M\" }", true),
    ] {
        let read = alpaca(mode, params);
        assert_eq!(read.is_ok(), right, "{mode}{params}: {:?}", read.err());
    }
    // In live mode every control needs a row: what is wrong with a whole one is the broker's.
    let error = alpaca(live, "environment = \"live\"").unwrap_err().to_string();
    assert!(error.contains("`account`"), "{error}");
    let error = alpaca("", "key = \"PKSECRET\"\nsecret = \"env:S\"").unwrap_err().to_string();
    assert!(!error.contains("PKSECRET"), "{error}");
}

#[test]
fn keys_of_one_environment_are_not_sent_to_the_other() {
    use super::alpaca::check_key;
    let at = |url: &str| url.parse().unwrap();
    let (paper, live) = (at("https://paper-api.alpaca.markets"), at("https://api.alpaca.markets"));
    let here = at("http://127.0.0.1:9100");
    for (key, endpoint, right) in [
        ("PK1", &paper, true),
        ("AK1", &paper, false),
        ("PK1", &live, false),
        ("AK1", &live, true),
        ("XX1", &live, true),
        ("PK1", &here, true),
        ("AK1", &here, true),
    ] {
        assert_eq!(check_key(key, endpoint).is_ok(), right, "{key} at {endpoint}");
    }
}
