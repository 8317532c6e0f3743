//! `[[broker]] kind = "alpaca"`: what its parameters mean, and the gate before real money.

use super::config::Mode;
use super::secret::SecretRef;
use super::source::{ConfigError, Params};
use super::topology::{AlpacaLogin, AlpacaSpec};
use crate::net::Endpoint;
use crate::types::InstrumentTable;
use crate::types::text::Text;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The trading API for orders with play money.
const PAPER: &str = "https://paper-api.alpaca.markets";
/// The trading API for orders with real money.
const LIVE: &str = "https://api.alpaca.markets";

/// Requests a minute without a plan that allows more.
const RATE: u32 = 200;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Environment {
    Paper,
    Live,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    environment: Option<Environment>,
    url: Option<Text<Endpoint>>,
    key: Option<Text<SecretRef>>,
    secret: Option<Text<SecretRef>>,
    token: Option<Text<SecretRef>>,
    account: Option<String>,
    rate: Option<u32>,
    #[serde(default)]
    symbols: BTreeMap<String, String>,
}

/// Whether orders to this server move real money. Only two are known not to: the paper host, and this
/// machine.
pub(super) fn is_live(endpoint: &Endpoint) -> bool {
    let paper = PAPER.parse::<Endpoint>().is_ok_and(|paper| paper.host == endpoint.host);
    !paper && !endpoint.is_loopback()
}

pub(super) fn read(
    params: &Params,
    mode: Mode,
    instruments: &InstrumentTable,
) -> Result<AlpacaSpec, ConfigError> {
    let written: Written = params.read()?;
    let wrong = |message: &str| params.error(message);
    let endpoint = match (written.environment, written.url) {
        (Some(_), Some(_)) => return Err(wrong("`environment` and `url` exclude each other")),
        (None, Some(url)) => url.0,
        (Some(Environment::Live), None) => LIVE.parse().map_err(|why: String| wrong(&why))?,
        (Some(Environment::Paper) | None, None) => {
            PAPER.parse().map_err(|why: String| wrong(&why))?
        }
    };
    if !endpoint.tls && !endpoint.is_loopback() {
        return Err(wrong("keys go over https only, except to this machine"));
    }
    if is_live(&endpoint) {
        if mode != Mode::Live {
            return Err(params.error(format!(
                "orders to {endpoint} would move real money: that needs mode = \"live\" at the top of the file"
            )));
        }
        if written.account.is_none() {
            return Err(wrong(
                "a broker for real money needs `account`, the account number that the broker shows",
            ));
        }
    }
    let login = match (written.key, written.secret, written.token) {
        (Some(key), Some(secret), None) => AlpacaLogin::Keys { key: key.0, secret: secret.0 },
        (None, None, Some(token)) => AlpacaLogin::Token(token.0),
        (None, None, None) => AlpacaLogin::Keys {
            key: SecretRef::Env("APCA_API_KEY_ID".to_owned()),
            secret: SecretRef::Env("APCA_API_SECRET_KEY".to_owned()),
        },
        _ => return Err(wrong("give `key` and `secret`, or `token` alone")),
    };
    let rate = written.rate.unwrap_or(RATE);
    if !(10..=1_000_000).contains(&rate) {
        return Err(wrong("`rate` is 10 to 1000000 requests a minute"));
    }
    let symbols = names(&written.symbols, instruments).map_err(|why| wrong(&why))?;
    Ok(AlpacaSpec { endpoint, login, account: written.account, rate, symbols })
}

/// The broker's name of each instrument: what `symbols` says, else our own.
fn names(
    given: &BTreeMap<String, String>,
    instruments: &InstrumentTable,
) -> Result<Vec<String>, String> {
    if let Some(unknown) = given.keys().find(|name| instruments.find(name).is_none()) {
        return Err(format!("`symbols`: `{unknown}` is not an [[instrument]]"));
    }
    let mut seen = BTreeSet::new();
    let mut names = Vec::with_capacity(instruments.len());
    for (_, instrument) in instruments.iter() {
        let name = given.get(&instrument.symbol).unwrap_or(&instrument.symbol);
        // Positions write a pair of coins without its slash: names must differ without it, too.
        if !seen.insert(name.replace('/', "")) {
            return Err(format!("`symbols`: two instruments are `{name}` at the broker"));
        }
        names.push(name.clone());
    }
    Ok(names)
}

/// Keys say by their first letters which environment they are for.
///
/// # Errors
/// A key of the other one.
pub(super) fn check_key(key: &str, endpoint: &Endpoint) -> Result<(), String> {
    let (paper, live) = (key.starts_with("PK"), key.starts_with("AK"));
    match is_live(endpoint) {
        _ if endpoint.is_loopback() => Ok(()),
        true if paper => Err(format!("the key is for paper trading, and {endpoint} is not")),
        false if live => Err(format!("the key is for real money, and {endpoint} is for paper")),
        _ => Ok(()),
    }
}
