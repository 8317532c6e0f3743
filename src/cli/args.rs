//! Every command and option of `qtos`. Money and quantities are decimal text.

use crate::feed::Speed;
use crate::types::{ClientOrderId, KillLevel, Notional, Price, Qty, TimeInForce, Timestamp};
use clap::{ArgGroup, Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "qtos", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Print one JSON object on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Config file [default: the built-in sandbox]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State folder: journal, kill latch, control file [default: state]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// How to reach a running gateway.
#[derive(Debug, Clone, Default, Args)]
pub struct ControlArgs {
    /// Address of the control API [default: from control.json in the state folder]
    #[arg(long, value_name = "URL")]
    pub control: Option<String>,
    /// File with the bearer token [default: from control.json in the state folder]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A command: one that works here, or one that speaks to a running gateway.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Works in this process.
    #[command(flatten)]
    Engine(EngineCommand),
    /// Speaks to a running gateway.
    #[command(flatten)]
    Client(ClientCommand),
}

/// Commands that work in this process.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Trade a generated market against the sandbox, in a fresh temporary state folder
    Demo(DemoArgs),
    /// Run the gateway live on its feeds, or on a recorded session
    Run(RunArgs),
    /// Run a recorded session through the same actors, or prove a journal
    Replay(ReplayArgs),
    /// Make a recording from other files
    #[command(subcommand)]
    Import(ImportCommand),
    /// Say what is in a recording
    Info(InfoArgs),
    /// Run a venue in its own process
    #[command(subcommand)]
    Venue(VenueCommand),
    /// Look into a journal
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Cut a recording out of a journal
    Export(ExportArgs),
    /// Check a config file and print its topology
    Check,
    /// Measure this machine and this build
    Bench(BenchArgs),
}

/// Commands that speak to a running gateway.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Everything at a glance
    Status(ControlArgs),
    /// Place, cancel or replace an order; it passes the same gates as any other
    #[command(subcommand)]
    Order(OrderCommand),
    /// List orders
    Orders(OrdersArgs),
    /// List executions
    Fills(FillsArgs),
    /// List positions
    Positions(ControlArgs),
    /// Close positions
    Flatten(FlattenArgs),
    /// List, pause or resume agents
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Show the limits
    Limits(ControlArgs),
    /// Stop trading, at once and until it is armed again
    Kill(KillArgs),
    /// Lower a kill, in two steps
    Arm(ArmArgs),
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End after so many seconds [default: on Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// A recorded session instead of the config's feeds
    #[arg(value_name = "FILE.qrec")]
    pub file: Option<PathBuf>,
    /// How fast a recording or a generated market passes: 1 and up, or max
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: Speed,
    /// End after so many seconds
    #[arg(long = "for", value_name = "S")]
    pub for_seconds: Option<u64>,
}

/// `replay`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("what").args(["file", "journal"]).required(true))]
#[command(group = ArgGroup::new("how").args(["verify", "diff"]))]
pub struct ReplayArgs {
    /// A recorded session
    #[arg(value_name = "FILE.qrec", conflicts_with = "how")]
    pub file: Option<PathBuf>,
    /// The state folder of a live session
    #[arg(long, value_name = "DIR", requires = "how")]
    pub journal: Option<PathBuf>,
    /// The same outbound orders and the same state?
    #[arg(long, requires = "journal")]
    pub verify: bool,
    /// What would another config or build have done?
    #[arg(long, requires = "journal")]
    pub diff: bool,
}

/// `import`.
#[derive(Debug, Clone, Subcommand)]
pub enum ImportCommand {
    /// Tick and bar zips in LEAN's layout
    Lean(ImportLean),
    /// `ts,bid,ask,bid_size,ask_size` or bars, with ns or ISO time
    Csv(ImportCsv),
    /// Lines of local time and venue JSON
    Capture(ImportCapture),
}

/// `import lean`.
#[derive(Debug, Clone, Args)]
pub struct ImportLean {
    /// Folder with one folder a symbol
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Which symbols
    #[arg(long = "symbol", value_name = "S", required = true, num_args = 1..)]
    pub symbols: Vec<String>,
    /// Which day: 2013-10-08 or 20131008
    #[arg(long, value_name = "D")]
    pub date: jiff::civil::Date,
    /// The recording to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `import csv`.
#[derive(Debug, Clone, Args)]
pub struct ImportCsv {
    /// The file to read
    pub file: PathBuf,
    /// Of which symbol it is
    #[arg(long, value_name = "S")]
    pub symbol: String,
    /// The recording to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `import capture`.
#[derive(Debug, Clone, Args)]
pub struct ImportCapture {
    /// The file to read
    pub file: PathBuf,
    /// The recording to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `info`.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    /// The recording
    #[arg(value_name = "FILE.qrec")]
    pub file: PathBuf,
}

/// `venue`.
#[derive(Debug, Clone, Subcommand)]
pub enum VenueCommand {
    /// A sandbox exchange with a durable ledger that serves its market data as a feed
    Sandbox(VenueArgs),
}

/// `venue sandbox`. Its ledger is in the state folder.
#[derive(Debug, Clone, Args)]
pub struct VenueArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
    /// A recorded session as its market [default: a generated one]
    #[arg(long, value_name = "FILE.qrec")]
    pub data: Option<PathBuf>,
    /// Seed of the generated market and of the exchange [default: the config's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How fast its market passes: 1 and up, or max
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: Speed,
}

/// `journal`.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// Read every record and say whether it is whole
    Verify(JournalArgs),
    /// Print records
    Show(ShowArgs),
}

/// Which journal.
#[derive(Debug, Clone, Args)]
pub struct JournalArgs {
    /// The state folder [default: --state-dir]
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
}

/// `journal show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Which journal.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// First sequence number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// At most so many records
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u64,
}

/// `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Which journal.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// The recording to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// First moment
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Last moment
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}

/// `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Only these measurements
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// `order`.
#[derive(Debug, Clone, Subcommand)]
pub enum OrderCommand {
    /// Buy
    Buy(PlaceArgs),
    /// Sell
    Sell(PlaceArgs),
    /// Take an open order back
    Cancel(CancelArgs),
    /// Give an open order new terms
    Replace(ReplaceArgs),
}

/// `order buy` and `order sell`: a market order unless a price says otherwise.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("amount").args(["qty", "cash"]).required(true))]
#[command(group = ArgGroup::new("trailing").args(["trail", "trail_bps"]))]
pub struct PlaceArgs {
    /// Instrument
    pub symbol: String,
    /// Units
    #[arg(allow_negative_numbers = true)]
    pub qty: Option<Qty>,
    /// Money instead of units
    #[arg(long, value_name = "AMOUNT")]
    pub cash: Option<Notional>,
    /// Worst price: a limit order, or with --stop a stop limit order
    #[arg(long, value_name = "PRICE", conflicts_with = "trailing")]
    pub limit: Option<Price>,
    /// Trigger: a stop order
    #[arg(long, value_name = "PRICE", conflicts_with = "trailing")]
    pub stop: Option<Price>,
    /// Distance in price: a trailing stop
    #[arg(long, value_name = "PRICE")]
    pub trail: Option<Price>,
    /// Distance in basis points: a trailing stop
    #[arg(long, value_name = "N")]
    pub trail_bps: Option<u32>,
    /// day, gtc, gtd, ioc, fok, opg or cls
    #[arg(long, default_value = "day")]
    pub tif: TimeInForce,
    /// End of a gtd order
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// May trade outside regular hours
    #[arg(long)]
    pub extended_hours: bool,
    /// Account [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Your own number of this order: the same number is never executed twice
    #[arg(long, value_name = "N")]
    pub intent: Option<u64>,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `order cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// Client order id
    pub id: ClientOrderId,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `order replace`: what is left out stays.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("change").args(["qty", "limit", "stop"]).required(true).multiple(true))]
pub struct ReplaceArgs {
    /// Client order id
    pub id: ClientOrderId,
    /// New total, filled part included
    #[arg(long, value_name = "QTY")]
    pub qty: Option<Qty>,
    /// New worst price
    #[arg(long, value_name = "PRICE")]
    pub limit: Option<Price>,
    /// New trigger
    #[arg(long, value_name = "PRICE")]
    pub stop: Option<Price>,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `orders`.
#[derive(Debug, Clone, Args)]
pub struct OrdersArgs {
    /// Only those that may still fill
    #[arg(long)]
    pub open: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `fills`.
#[derive(Debug, Clone, Args)]
pub struct FillsArgs {
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `flatten`.
#[derive(Debug, Clone, Args)]
pub struct FlattenArgs {
    /// global, broker:N, account:N, agent:N or symbol:N
    #[arg(long, value_name = "S", default_value = "global")]
    pub scope: String,
    /// Why; goes into the journal
    #[arg(long, value_name = "R")]
    pub reason: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `agent`.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentCommand {
    /// List the agents
    List(ControlArgs),
    /// Refuse its new orders from now on
    Pause(AgentName),
    /// Hear it again, also after a quarantine
    Resume(AgentName),
}

/// Which agent.
#[derive(Debug, Clone, Args)]
pub struct AgentName {
    /// Its name
    pub name: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `kill`.
#[derive(Debug, Clone, Args)]
pub struct KillArgs {
    /// global, broker:N, account:N, agent:N or symbol:N
    #[arg(long, value_name = "S")]
    pub scope: String,
    /// reduce_only, block, cancel, flatten or isolate
    #[arg(long, value_name = "L")]
    pub level: KillLevel,
    /// Why
    #[arg(long, value_name = "R")]
    pub reason: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `arm`: first `--scope S --reason R`, then `--confirm CHALLENGE`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("step").args(["scope", "confirm"]).required(true))]
pub struct ArmArgs {
    /// First step: what to lower
    #[arg(long, value_name = "S", requires = "reason")]
    pub scope: Option<String>,
    /// First step: why it is safe
    #[arg(long, value_name = "R", requires = "scope")]
    pub reason: Option<String>,
    /// Second step: the challenge of the first
    #[arg(long, value_name = "CHALLENGE")]
    pub confirm: Option<String>,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}
