//! `qtos venue alpaca`.

use super::args::{AlpacaArgs, ClockArg, Global};
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::entry::alpaca::{AlpacaServeError, serve};
use crate::feed::{Feed, Generated, GeneratedInstrument, GeneratedMarket, Recording, Speed};
use crate::types::{Nanos, Price, Qty, Timestamp, fixed};
use crate::venue::alpaca::{AlpacaConfig, AlpacaVenue, Login, MarketClock, Pace};
use std::time::SystemTime;

/// Runs the venue until SIGINT or SIGTERM.
///
/// # Errors
/// Keys, data, ledger or address cannot be used (2); the ledger cannot be kept (70).
pub(super) fn run(args: &AlpacaArgs, global: &Global) -> Result<Exit, CliError> {
    let stop = until_signal()?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let (feed, pace): (Box<dyn Feed>, Pace) = match &args.data {
        Some(file) => {
            let pace = match args.speed {
                Speed::Times(times) => Pace::Times(f64::from(times.get())),
                Speed::Max => Pace::Max,
            };
            (Box::new(Recording::open(file)?), pace)
        }
        None => (Box::new(Generated::new(market(args.seed, now))?), Pace::Wall),
    };
    let config = AlpacaConfig {
        logins: logins(args)?,
        state_dir: Some(global.state_dir()),
        clock: match args.clock {
            ClockArg::Open => MarketClock::Open,
            ClockArg::Session => MarketClock::Session,
        },
        pace,
        rate: args.rate,
        seed: args.seed,
    };
    let venue = open(&config, feed, now)?;
    let bound = |address| eprintln!("listening at {address}");
    serve(args.listen, Box::new(venue), bound, &stop).map_err(|error| match error {
        AlpacaServeError::Listen(..) => CliError::input(error.to_string()),
        _ => CliError::core(error.to_string()),
    })?;
    Ok(Exit::Done)
}

fn open(
    config: &AlpacaConfig,
    mut feed: Box<dyn Feed>,
    now: Timestamp,
) -> Result<AlpacaVenue, CliError> {
    let instruments = feed.instruments().clone();
    let records = std::iter::from_fn(move || feed.next().transpose());
    let records = records.map(|record| record.map_err(|error| error.to_string()));
    AlpacaVenue::open(config, &instruments, Box::new(records), now)
        .map_err(|error| CliError::input(error.to_string()))
}

/// The keys and secrets of the arguments, or those of the environment.
fn logins(args: &AlpacaArgs) -> Result<Vec<Login>, CliError> {
    if args.key.len() != args.secret.len() {
        return Err(CliError::input("--key and --secret: each key needs its secret".to_owned()));
    }
    let given = args.key.iter().zip(&args.secret);
    let logins: Vec<Login> =
        given.map(|(key, secret)| Login { key: key.clone(), secret: secret.clone() }).collect();
    if !logins.is_empty() {
        return Ok(logins);
    }
    let variable = |name: &str| {
        let missing =
            || CliError::input(format!("--key and --secret are absent, and {name} is not set"));
        std::env::var(name).ok().filter(|text| !text.is_empty()).ok_or_else(missing)
    };
    Ok(vec![Login { key: variable("QTOS_VENUE_KEY")?, secret: variable("QTOS_VENUE_SECRET")? }])
}

/// How far the made-up market reaches back before the venue's start.
const HISTORY: Nanos = Nanos::from_secs(2 * 3_600);
const PRICES: &[(&str, i64)] = &[
    ("AAPL", 190),
    ("AMZN", 185),
    ("BTC/USD", 64_000),
    ("GOOG", 172),
    ("IBM", 181),
    ("SPY", 545),
    ("TSLA", 240),
    ("XLK", 221),
];

/// The made-up market of a venue that starts at `now`: eight assets that tick a few times a second.
fn market(seed: u64, now: Timestamp) -> GeneratedMarket {
    let one = |&(symbol, price): &(&str, i64)| {
        let whole = Price::from_raw(price * fixed::UNIT);
        let mut made = GeneratedInstrument::stock(symbol, whole);
        if symbol.contains('/') {
            made.instrument.lot = Qty::from_raw(Qty::whole(1).raw() / 1_000);
        }
        made
    };
    GeneratedMarket {
        start: now - HISTORY,
        interval: Nanos::from_millis(50),
        trade_every: 4,
        ..GeneratedMarket::new(seed, PRICES.iter().map(one).collect())
    }
}
