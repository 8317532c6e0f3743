//! `qtos broker`: what a broker says of the account, asked of the broker itself with the gateway's
//! credentials. It changes nothing there, and needs no gateway.

use super::args::{BrokerArgs, BrokerQuestion, Global};
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::live::{FetchError, Fetcher};
use crate::types::BrokerId;
use crate::view::Render;
use crate::wiring::{Registry, Topology, Venue};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::atomic::Ordering;

/// Rows of a page of activities, the most there are.
const PAGE: usize = 100;

/// What the broker said.
#[derive(Debug, Serialize)]
struct BrokerAnswer {
    broker: String,
    /// As it was said.
    answer: Box<RawValue>,
}

impl Render for BrokerAnswer {
    fn render(&self) -> String {
        let value = serde_json::from_str::<serde_json::Value>(self.answer.get());
        let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
        format!("{}\n", pretty.unwrap_or_else(|_| self.answer.to_string()))
    }
}

/// Asks.
///
/// # Errors
/// The config has no such broker, it is asked for something that its kind does not tell, or it refuses.
pub(super) fn run(
    args: &BrokerArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    let opt_in = std::env::var("QTOS_LIVE_TRADING_ENABLED").ok();
    topology.mode.check(opt_in.as_deref()).map_err(CliError::refused)?;
    let (broker, name) = find(&topology, args.broker.as_deref())?;
    let (endpoint, headers) = topology.alpaca_access(broker).map_err(CliError::input)?;
    let mut fetcher = Fetcher::new(endpoint, &headers);
    let stop = until_signal()?;
    let mut ask = |target: &str| -> Result<Box<RawValue>, CliError> {
        let body = fetcher.get(target, &|| stop.load(Ordering::Relaxed)).map_err(refused)?;
        serde_json::from_slice(&body)
            .map_err(|error| CliError::input(format!("{name}: {target}: {error}")))
    };
    let answer = match args.what {
        BrokerQuestion::Activities => activities(args, &mut ask)?,
        _ => ask(&target(args)?)?,
    };
    global.print(&BrokerAnswer { broker: name, answer });
    Ok(Exit::Done)
}

fn refused(error: FetchError) -> CliError {
    match error {
        FetchError::Refused { .. } => CliError::refused(error.to_string()),
        FetchError::Silent(..) | FetchError::Stopped => CliError::input(error.to_string()),
    }
}

/// The broker of this name, or the only one that can be asked.
fn find(topology: &Topology, name: Option<&str>) -> Result<(BrokerId, String), CliError> {
    let mut fitting = topology.brokers.iter().enumerate().filter(|(_, spec)| {
        matches!(spec.venue, Venue::Alpaca(_)) && name.is_none_or(|name| name == spec.name)
    });
    match (fitting.next(), fitting.next()) {
        (Some((number, spec)), None) => Ok((BrokerId(number as u8), spec.name.clone())),
        (Some(_), Some(_)) => Err(CliError::usage("several brokers: name one with --broker")),
        (None, _) => Err(CliError::usage(match name {
            Some(name) => format!("the config has no broker `{name}` of kind alpaca"),
            None => "the config has no broker of kind alpaca".to_owned(),
        })),
    }
}

/// What is asked for.
fn target(args: &BrokerArgs) -> Result<String, CliError> {
    let one = |list: &str, all: &str| match &args.symbol {
        None => Ok(format!("{list}{all}")),
        Some(symbol)
            if symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b"./-".contains(&b)) =>
        {
            Ok(format!("{list}/{}", symbol.replace('/', "%2F")))
        }
        Some(symbol) => Err(CliError::usage(format!("--symbol: `{symbol}` is none"))),
    };
    Ok(match args.what {
        BrokerQuestion::Account => "/v2/account".to_owned(),
        BrokerQuestion::Configuration => "/v2/account/configurations".to_owned(),
        BrokerQuestion::Positions => one("/v2/positions", "")?,
        BrokerQuestion::Assets => one("/v2/assets", "?status=active")?,
        BrokerQuestion::Clock => "/v2/clock".to_owned(),
        BrokerQuestion::Calendar => format!("/v2/calendar?{}", dates(args, "start", "end")),
        BrokerQuestion::Activities => {
            format!("/v2/account/activities?page_size={PAGE}&{}", dates(args, "after", "until"))
        }
    })
}

fn dates(args: &BrokerArgs, first: &str, last: &str) -> String {
    let named = [(first, args.from), (last, args.to)].into_iter();
    let named = named.filter_map(|(name, date)| Some(format!("{name}={}", date?)));
    named.collect::<Vec<_>>().join("&")
}

/// All pages of activities, newest first.
fn activities(
    args: &BrokerArgs,
    ask: &mut dyn FnMut(&str) -> Result<Box<RawValue>, CliError>,
) -> Result<Box<RawValue>, CliError> {
    let first = target(args)?;
    let mut rows: Vec<serde_json::Value> = Vec::new();
    loop {
        let id = rows.last().and_then(|row| row["id"].as_str());
        let page = id.map_or(first.clone(), |id| format!("{first}&page_token={id}"));
        let wrong = |error: serde_json::Error| CliError::input(format!("{page}: {error}"));
        let page: Vec<serde_json::Value> =
            serde_json::from_str(ask(&page)?.get()).map_err(wrong)?;
        let whole = page.len() == PAGE && page.iter().all(|row| row["id"].is_string());
        rows.extend(page);
        if !whole {
            return to_raw_value(&rows).map_err(|error| CliError::core(error.to_string()));
        }
    }
}
