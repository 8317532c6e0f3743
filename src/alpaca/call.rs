//! From method, path and query to the call that they name. Paths of this API hold colons, and symbols
//! in them hold slashes, so they are taken apart here and not by a router.

use super::account::{ClosePosition, ConfigurationPatch};
use super::error::ApiError;
use super::number::Number;
use super::order::{PatchOrder, PostOrder};
use super::reference::WatchlistBody;
use serde::de::DeserializeOwned;

/// HTTP methods that this API has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of HTTP")]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

/// The fields of a query or a form, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    /// The first value of a key, unless it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == key);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value that must be readable where it is there.
    ///
    /// # Errors
    /// 422 that names the key.
    pub fn parse<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| ApiError::invalid(format!("invalid {key}: {text}")))
        };
        self.get(key).map(parse).transpose()
    }

    /// A flag; its first letter may be large.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
    }

    /// A list with commas.
    pub fn list(&self, key: &str) -> Vec<String> {
        let all = self.0.iter().filter(|(own, _)| own == key);
        all.flat_map(|(_, value)| value.split(','))
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is the endpoint of its name")]
pub enum Call {
    PostOrder(Box<PostOrder>),
    ListOrders(Params),
    GetOrder {
        id: String,
        nested: bool,
    },
    OrderByClientId(String),
    PatchOrder {
        id: String,
        patch: PatchOrder,
    },
    DeleteOrder(String),
    DeleteOrders,
    Account,
    Configuration,
    PatchConfiguration(Box<ConfigurationPatch>),
    Activities {
        types: Vec<String>,
        query: Params,
    },
    PortfolioHistory(Params),
    Positions,
    Position(String),
    ClosePosition {
        symbol: String,
        close: ClosePosition,
    },
    ClosePositions {
        cancel_orders: bool,
    },
    Assets(Params),
    Asset(String),
    Clock,
    Calendar(Params),
    Watchlists,
    PostWatchlist(WatchlistBody),
    Watchlist {
        key: WatchlistKey,
        action: WatchlistAction,
    },
    OptionContracts,
    CorporateActions,
    /// Market data of stocks (`crypto` false) or coins, the path below its root in pieces.
    MarketData {
        crypto: bool,
        path: Vec<String>,
        query: Params,
    },
    News(Params),
    Authorize(Params),
    Token(Params),
    /// Below `/__sim/`: what only a local venue has.
    Sim {
        method: Method,
        path: Vec<String>,
        query: Params,
        body: Vec<u8>,
    },
}

/// How a watchlist is named.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "by its id or its name")]
pub enum WatchlistKey {
    Id(String),
    Name(String),
}

/// What to do with a watchlist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the methods of its endpoint")]
pub enum WatchlistAction {
    Get,
    Put(WatchlistBody),
    Add(String),
    Delete,
    Remove(String),
}

/// The call that a request names.
///
/// # Errors
/// What to answer instead: 404 for a path that there is not, 422 for a body that cannot be read.
pub fn read_call(
    method: Method,
    path: &str,
    query: &Params,
    body: &[u8],
) -> Result<Call, ApiError> {
    use Method::{Delete, Get, Patch, Post};
    let pieces: Vec<&str> = path.trim_matches('/').split('/').collect();
    let query_of = || query.clone();
    let owned = |pieces: &[&str]| pieces.iter().map(|&piece| piece.to_owned()).collect();
    Ok(match (method, pieces.as_slice()) {
        (Post, ["v2", "orders"]) => Call::PostOrder(Box::new(json(body)?)),
        (Get, ["v2", "orders"]) => Call::ListOrders(query_of()),
        (Delete, ["v2", "orders"]) => Call::DeleteOrders,
        (Get, ["v2", "orders:by_client_order_id"]) => {
            Call::OrderByClientId(query.get("client_order_id").unwrap_or_default().to_owned())
        }
        (Get, ["v2", "orders", id]) => {
            Call::GetOrder { id: (*id).to_owned(), nested: query.flag("nested") }
        }
        (Patch, ["v2", "orders", id]) => {
            Call::PatchOrder { id: (*id).to_owned(), patch: json(body)? }
        }
        (Delete, ["v2", "orders", id]) => Call::DeleteOrder((*id).to_owned()),
        (Get, ["v2", "account"]) => Call::Account,
        (Get, ["v2", "account", "configurations"]) => Call::Configuration,
        (Patch, ["v2", "account", "configurations"]) => {
            Call::PatchConfiguration(Box::new(json(body)?))
        }
        (Get, ["v2", "account", "activities"]) => {
            Call::Activities { types: query.list("activity_types"), query: query_of() }
        }
        (Get, ["v2", "account", "activities", kind]) => {
            Call::Activities { types: vec![(*kind).to_owned()], query: query_of() }
        }
        (Get, ["v2", "account", "portfolio", "history"]) => Call::PortfolioHistory(query_of()),
        (Get, ["v2", "positions"]) => Call::Positions,
        (Delete, ["v2", "positions"]) => {
            Call::ClosePositions { cancel_orders: query.flag("cancel_orders") }
        }
        (Get, ["v2", "positions", symbol @ ..]) => Call::Position(symbol.join("/")),
        (Delete, ["v2", "positions", symbol @ ..]) => Call::ClosePosition {
            symbol: symbol.join("/"),
            close: ClosePosition {
                qty: query.parse("qty")?.map(Number),
                percentage: query.parse("percentage")?.map(Number),
            },
        },
        (Get, ["v2", "assets"]) => Call::Assets(query_of()),
        (Get, ["v2", "assets", symbol @ ..]) => Call::Asset(symbol.join("/")),
        (Get, ["v2", "clock"]) => Call::Clock,
        (Get, ["v2", "calendar"]) => Call::Calendar(query_of()),
        (Get, ["v2", "options", "contracts"]) => Call::OptionContracts,
        (Get, ["v2", "corporate_actions", "announcements"]) => Call::CorporateActions,
        (Get, ["v2", "watchlists"]) => Call::Watchlists,
        (Post, ["v2", "watchlists"]) => Call::PostWatchlist(json(body)?),
        (_, ["v2", "watchlists:by_name"]) => {
            let name = query.get("name").unwrap_or_default().to_owned();
            watchlist(method, WatchlistKey::Name(name), &[], body)?
        }
        (_, ["v2", "watchlists", id, rest @ ..]) => {
            watchlist(method, WatchlistKey::Id((*id).to_owned()), rest, body)?
        }
        (Get, ["v2", "stocks", rest @ ..]) => {
            Call::MarketData { crypto: false, path: owned(rest), query: query_of() }
        }
        (Get, ["v1beta3", "crypto", _, rest @ ..]) => {
            Call::MarketData { crypto: true, path: owned(rest), query: query_of() }
        }
        (Get, ["v1beta1", "news"]) => Call::News(query_of()),
        (Get, ["oauth", "authorize"]) => Call::Authorize(query_of()),
        (Post, ["oauth", "token"]) => Call::Token(form(body)),
        (_, ["__sim", rest @ ..]) => {
            Call::Sim { method, path: owned(rest), query: query_of(), body: body.to_vec() }
        }
        _ => return Err(ApiError::no_endpoint()),
    })
}

fn watchlist(
    method: Method,
    key: WatchlistKey,
    rest: &[&str],
    body: &[u8],
) -> Result<Call, ApiError> {
    let action = match (method, rest) {
        (Method::Get, []) => WatchlistAction::Get,
        (Method::Put, []) => WatchlistAction::Put(json(body)?),
        (Method::Post, []) => {
            let body: WatchlistBody = json(body)?;
            WatchlistAction::Add(body.symbol.unwrap_or_default())
        }
        (Method::Delete, []) => WatchlistAction::Delete,
        (Method::Delete, symbol) => WatchlistAction::Remove(symbol.join("/")),
        _ => return Err(ApiError::no_endpoint()),
    };
    Ok(Call::Watchlist { key, action })
}

/// A body, whatever its content type says.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let format = |error: serde_json::Error| {
        ApiError::new(422, 40_010_000, format!("request body format is invalid: {error}"))
    };
    serde_json::from_slice(body).map_err(format)
}

/// A form, percent-decoded.
fn form(body: &[u8]) -> Params {
    Params::read(&String::from_utf8_lossy(body))
}

impl Params {
    /// Reads a query or a form, `a=b&c=d`, percent-decoded; a `+` is a blank.
    pub fn read(text: &str) -> Self {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_percent(&key.replace('+', " ")), decode_percent(&value.replace('+', " ")))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }
}

/// Takes percent codes out; what is none stays as it is.
pub fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
