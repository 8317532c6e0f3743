//! Options of the commands that work in this process.

use crate::feed::Speed;
use crate::types::{Date, Nanos, Timestamp};
use clap::{ArgGroup, Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End after so many seconds [default: on Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// `check`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// List every control and rule with its value, and with what is used of it if a gateway runs
    #[arg(long)]
    pub controls: bool,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: super::ControlArgs,
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

/// `watchdog`.
#[derive(Debug, Clone, Args)]
pub struct WatchdogArgs {
    /// Between two looks at the gateway
    #[arg(long, value_name = "SPAN", default_value = "250ms")]
    pub every: Nanos,
    /// It acts when the gateway's core has not moved for so long
    #[arg(long, value_name = "SPAN", default_value = "3s")]
    pub after: Nanos,
    /// Address of the control API [default: from control.json in the state folder, at every look]
    #[arg(long, value_name = "URL")]
    pub control: Option<String>,
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
    /// Lines of local time and venue JSON, or frames of `qtos record`
    Capture(ImportCapture),
    /// Alpaca's history, by request
    Alpaca(ImportAlpaca),
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

/// `import alpaca`.
#[derive(Debug, Clone, Args)]
pub struct ImportAlpaca {
    /// Which symbols; OURS=THEIRS where the recording's name is another: BTCUSD=BTC/USD
    #[arg(long = "symbol", value_name = "S", required = true, num_args = 1..)]
    pub symbols: Vec<String>,
    /// From when: RFC 3339, or a date in New York
    #[arg(long, value_name = "T")]
    pub start: crate::alpaca::Time,
    /// To when
    #[arg(long, value_name = "T")]
    pub end: crate::alpaca::Time,
    /// What: trades, quotes, bars, news, snapshots
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "trades,quotes")]
    pub kinds: Vec<crate::feed::import::alpaca::What>,
    /// Feed of stocks: sip, iex [default: the venue's choice]
    #[arg(long, value_name = "F")]
    pub feed: Option<String>,
    /// Length of bars
    #[arg(long, value_name = "T", default_value = "1Min")]
    pub timeframe: crate::feed::import::alpaca::Timeframe,
    /// The recording to write
    #[arg(long, value_name = "FILE.qrec")]
    pub out: PathBuf,
    /// The data host
    #[arg(long, value_name = "URL", default_value = "https://data.alpaca.markets")]
    pub url: String,
    /// File with the key on its first line and the secret on its second
    /// [default: APCA_API_KEY_ID and APCA_API_SECRET_KEY]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// `record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// Folder for the recordings: one folder a feed, one pair of files a day
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_seconds: Option<u64>,
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
    /// A local venue that speaks the Alpaca protocol, for its SDKs and for the connector
    Alpaca(AlpacaArgs),
    /// Print the ledger of a sandbox exchange, also while it runs
    Ledger,
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

/// `venue alpaca`. Its ledger is in the state folder. Keys in arguments are seen by everyone on the
/// machine: those of this command open nothing but this venue.
#[derive(Debug, Clone, Args)]
pub struct AlpacaArgs {
    /// Where to listen, for HTTP and WebSockets
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Key of an account; several make several accounts [default: QTOS_VENUE_KEY]
    #[arg(long, value_name = "K")]
    pub key: Vec<String>,
    /// Secret of the key at the same place [default: QTOS_VENUE_SECRET]
    #[arg(long, value_name = "S")]
    pub secret: Vec<String>,
    /// A recorded session as its market [default: a generated one, in the machine's time]
    #[arg(long, value_name = "FILE.qrec")]
    pub data: Option<PathBuf>,
    /// When the market is open
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ClockArg::Open)]
    pub clock: ClockArg,
    /// How fast recorded data passes: 1 and up, or max
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: Speed,
    /// Requests in a minute for each account
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rate: u32,
    /// Seed of ids, news and the generated market
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `--clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClockArg {
    /// Always
    Open,
    /// In the sessions of the US exchanges
    Session,
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
    /// Only this journal file
    #[arg(long, value_name = "NUMBER")]
    pub file: Option<u32>,
    /// From this sequence number of each file on, instead of the end
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
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

/// `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The state folder; its gateway may run
    #[arg(value_name = "STATE")]
    pub state: PathBuf,
    /// The file to write; it must not be there
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `restore`, into `--state-dir`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `broker`.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// What to ask for
    #[arg(value_enum, value_name = "WHAT")]
    pub what: BrokerQuestion,
    /// Which broker of the config, where there are several
    #[arg(long, value_name = "NAME")]
    pub broker: Option<String>,
    /// Only this symbol, as the broker writes it (positions, assets)
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// From this date on (calendar, activities)
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Up to this date (calendar, activities)
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
}

/// What a broker can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BrokerQuestion {
    /// Cash, equity, buying power, blocks
    Account,
    /// The account's own settings
    Configuration,
    /// What it holds
    Positions,
    /// What can be traded
    Assets,
    /// Whether the market is open, and when next
    Clock,
    /// Trading days and their hours
    Calendar,
    /// Fills, fees, dividends, transfers: newest first
    Activities,
}

/// `login`.
#[derive(Debug, Clone, Subcommand)]
pub enum LoginCommand {
    /// Alpaca by OAuth2: a browser asks you, the token goes into a file
    Alpaca(LoginArgs),
}

/// `login alpaca`. The client's id and secret are those of your OAuth2 application at Alpaca.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The application's id
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// Where the application's secret is: env:NAME or file:PATH
    #[arg(long, value_name = "WHERE", default_value = "env:QTOS_OAUTH_CLIENT_SECRET")]
    pub client_secret: crate::wiring::SecretRef,
    /// The file for the token; it must not be there
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Which account the token is for: paper or live
    #[arg(long, value_name = "WHICH", default_value = "paper", value_parser = ["paper", "live"])]
    pub environment: String,
    /// Where the browser comes back to: as registered with the application, on this machine
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8400")]
    pub listen: std::net::SocketAddr,
    /// The page that asks you
    #[arg(long, value_name = "URL", default_value = "https://app.alpaca.markets/oauth/authorize")]
    pub authorize_url: String,
    /// Where the code becomes a token
    #[arg(long, value_name = "URL", default_value = "https://api.alpaca.markets/oauth/token")]
    pub token_url: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "S", default_value_t = 300)]
    pub wait: u64,
}

/// `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Only these measurements
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// `sim`.
#[derive(Debug, Clone, Args)]
pub struct SimArgs {
    /// So many sessions [default: 1000; of each planted bug 2000]
    #[arg(long, value_name = "N")]
    pub sessions: Option<u64>,
    /// The first seed; the others follow it
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Whose wire: `sandbox`, or `alpaca` [default: sandbox]
    #[arg(long, value_name = "BROKER", conflicts_with_all = ["scenario", "mutants"])]
    pub broker: Option<crate::sim::Broker>,
    /// Stop after so many minutes
    #[arg(long, value_name = "M")]
    pub minutes: Option<u64>,
    /// Play a scenario, or `all` of them, instead
    #[arg(long, value_name = "ID|all")]
    pub scenario: Option<String>,
    /// Plant bugs, one after the other, and tell which are noticed; needs a build with `--features mutants`
    #[arg(long, conflicts_with_all = ["minutes", "scenario", "faults", "ledger"])]
    pub mutants: bool,
    /// Only faults of these kinds
    #[arg(long, value_name = "KIND,..", value_delimiter = ',')]
    pub faults: Vec<crate::sim::Fault>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Add a line with the result to this file
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<std::path::PathBuf>,
}

/// `audit`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum AuditCommand {
    /// Print every act
    Show,
    /// Check the chain of hashes and name the first line that does not fit
    Verify,
}

/// `token`.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Make a key and its secret, and print both once
    New {
        /// In whose name it trades: an agent of kind `remote`
        #[arg(long, value_name = "NAME")]
        agent: String,
    },
    /// List the keys
    List,
    /// Take a key's power away at once, for ever
    Revoke {
        /// Its id
        key: String,
    },
}
