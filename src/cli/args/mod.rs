//! Every command and option of `qtos`. Money and quantities are decimal text.

mod chaos;
mod client;
mod engine;

pub use chaos::{ChaosCommand, Kill9Args, PairsArgs, ProxyArgs, ReconnectArgs};
pub use client::{
    ActionArgs, AgentCommand, AgentName, ArmArgs, CancelArgs, ConfirmArgs, DrillArgs, DrillCommand,
    FillsArgs, FlattenArgs, KillArgs, LimitArgs, LimitsArgs, LimitsCommand, OrderCommand,
    OrdersArgs, PlaceArgs, ReplaceArgs,
};
pub use engine::{
    AlpacaArgs, AuditCommand, BackupArgs, BenchArgs, BrokerArgs, BrokerQuestion, CheckArgs,
    ClockArg, DemoArgs, ExportArgs, ImportAlpaca, ImportCapture, ImportCommand, ImportCsv,
    ImportLean, InfoArgs, JournalArgs, JournalCommand, LoginArgs, LoginCommand, RecordArgs,
    ReplayArgs, RestoreArgs, RunArgs, ShowArgs, SimArgs, TokenCommand, VenueArgs, VenueCommand,
    WatchdogArgs,
};

use clap::{Args, Parser, Subcommand};
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
    /// Keep what live feeds bring: frames as they came, and a recording
    Record(RecordArgs),
    /// Say what is in a recording
    Info(InfoArgs),
    /// Run a venue in its own process
    #[command(subcommand)]
    Venue(VenueCommand),
    /// Cause trouble on purpose
    #[command(subcommand)]
    Chaos(ChaosCommand),
    /// Look into a journal
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Look into the audit file: who did what to this gateway
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Keys of programs that trade through the order entry
    #[command(subcommand)]
    Token(TokenCommand),
    /// Ask a broker itself about the account; needs no gateway and changes nothing
    Broker(BrokerArgs),
    /// Log in at a broker and keep its token
    #[command(subcommand)]
    Login(LoginCommand),
    /// Cut a recording out of a journal
    Export(ExportArgs),
    /// Copy a state folder into one file, also while its gateway runs
    Backup(BackupArgs),
    /// Make a new state folder of a backup, globally blocked
    Restore(RestoreArgs),
    /// Check a config file and print its topology, or list every control
    Check(CheckArgs),
    /// Stop trading, at once and until it is armed again
    Kill(KillArgs),
    /// Watch a gateway from a process of its own, and cancel at its brokers when it hangs or dies
    Watchdog(WatchdogArgs),
    /// Measure this machine and this build
    Bench(BenchArgs),
    /// Simulate sessions with faults and check every invariant
    Sim(SimArgs),
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
    /// Book a split or a dividend on what is held
    CorporateAction(ActionArgs),
    /// Tell the gateway that an operator is there (guardian rule `dead_man`)
    Heartbeat(ControlArgs),
    /// List, pause or resume agents
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Show or set the limits
    Limits(LimitsArgs),
    /// Practise, and measure
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Lower a kill, in two steps
    Arm(ArmArgs),
}
