//! `qtos venue`.

use super::args::{Global, VenueArgs, VenueCommand};
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::feed::{Feed, Generated, Recording, Speed};
use crate::types::InstrumentTable;
use crate::venue::{
    ExchangeConfig, Ledger, LedgerView, ServeError, ServeSummary, ServerConfig, serve,
};
use crate::view::{Render, Table, VenueResult, word};
use crate::wiring::{FeedSource, Registry, Topology, Venue};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A client that sends nothing for so long is gone.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a venue until SIGINT or SIGTERM, or prints the ledger of one. Its instruments, its generated
/// market and the exchange's settings are those of the config.
///
/// # Errors
/// Config, recording or address cannot be used (2); the ledger cannot be kept (70).
pub fn run(command: &VenueCommand, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    match command {
        VenueCommand::Sandbox(args) => sandbox(args, global, registry),
        VenueCommand::Alpaca(args) => super::venue_alpaca::run(args, global),
        VenueCommand::Ledger => ledger(global),
    }
}

/// Prints what the ledger of the state folder says.
fn ledger(global: &Global) -> Result<Exit, CliError> {
    let view =
        Ledger::read(&global.state_dir()).map_err(|error| CliError::input(error.to_string()))?;
    global.print(&view);
    Ok(Exit::Done)
}

impl Render for LedgerView {
    fn render(&self) -> String {
        let mut orders =
            Table::new(&["order", "id", "account", "symbol", ">qty", ">filled", "status"]);
        for o in &self.orders {
            let status = word(&o.status);
            orders.row([
                &o.order_id,
                &o.cl_ord_id,
                &o.account,
                &o.symbol,
                &o.qty,
                &o.cum_qty,
                &status,
            ]);
        }
        let mut positions = Table::new(&["account", "symbol", ">qty", ">price"]);
        for p in &self.positions {
            positions.row([&p.account, &p.symbol, &p.qty, &p.avg_price]);
        }
        let (orders, positions) = (orders.text("no orders"), positions.text("no positions"));
        format!("{orders}\n{} fills, at {}\n\n{positions}", self.fills.len(), self.time)
    }
}

fn sandbox(args: &VenueArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    let stop = until_signal()?;
    let config = server_config(args, global, &topology)?;
    let summary = match &args.data {
        Some(file) => play(&config, Recording::open(file)?, &stop),
        None => play(&config, generated(args, &topology)?, &stop),
    }
    .map_err(|error| match error {
        ServeError::Append(_) | ServeError::Io(_) => CliError::core(error.to_string()),
        _ => CliError::input(error.to_string()),
    })?;
    global.print(&VenueResult {
        events: summary.position,
        orders: summary.orders,
        time: summary.time,
    });
    Ok(Exit::Done)
}

fn play(
    config: &ServerConfig,
    mut feed: impl Feed,
    stop: &AtomicBool,
) -> Result<ServeSummary, ServeError> {
    let instruments: InstrumentTable = feed.instruments().clone();
    let records = std::iter::from_fn(move || feed.next().transpose());
    let records = records.map(|record| record.map_err(|error| error.to_string()));
    serve(config, instruments, records, |addr| eprintln!("listening at {addr}"), stop)
}

fn server_config(
    args: &VenueArgs,
    global: &Global,
    topology: &Topology,
) -> Result<ServerConfig, CliError> {
    let own = topology.brokers.iter().find_map(|broker| match &broker.venue {
        Venue::InProcess(params) => Some(params),
        Venue::Remote(_) | Venue::Alpaca(_) => None,
    });
    let mut exchange: ExchangeConfig =
        own.map_or_else(|| Ok(ExchangeConfig::default()), |params| params.read())?;
    exchange.seed = args.seed.unwrap_or(exchange.seed);
    Ok(ServerConfig {
        listen: args.listen.to_string(),
        state_dir: global.state_dir(),
        exchange,
        speed: match args.speed {
            Speed::Times(times) => Some(f64::from(times.get())),
            Speed::Max => None,
        },
        hold_until_feed: true,
        client_timeout: CLIENT_TIMEOUT,
    })
}

/// The config's generated feed; where it has none, all its instruments from the default price.
fn generated(args: &VenueArgs, topology: &Topology) -> Result<Generated, CliError> {
    let params = topology.feeds.iter().find_map(|feed| match &feed.source {
        FeedSource::Generated(params) => Some(params),
        _ => None,
    });
    let mut market = topology.generated_market(params)?;
    market.seed = args.seed.unwrap_or(market.seed);
    Ok(Generated::new(market)?)
}
