//! Options of the commands that speak to a running gateway.

use super::ControlArgs;
use crate::types::{ClientOrderId, Date, KillLevel, Notional, Price, Qty, TimeInForce, Timestamp};
use clap::{ArgGroup, Args, Subcommand};

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
    /// The size once more, for an order that uses more than half of a limit
    #[arg(long, value_name = "SIZE")]
    pub confirm: Option<Notional>,
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
    /// The total once more, for an order that then uses more than half of a limit
    #[arg(long, value_name = "QTY")]
    pub confirm: Option<Notional>,
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

/// `corporate-action`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("kind").required(true))]
pub struct ActionArgs {
    /// Symbol
    pub symbol: String,
    /// Units after it and before it: 3:2
    #[arg(long, value_name = "N:D", group = "kind")]
    pub split: Option<String>,
    /// Cash for each unit, in the instrument's currency
    #[arg(long, value_name = "CASH", group = "kind")]
    pub dividend: Option<Price>,
    /// The trading day at whose start it takes effect; without it the one under way, now
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,
    /// Why; goes into the audit file
    #[arg(long, value_name = "R")]
    pub reason: String,
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

/// `limits`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LimitsArgs {
    /// What to do with them [default: show]
    #[command(subcommand)]
    pub command: Option<LimitsCommand>,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// What to do with the limits.
#[derive(Debug, Clone, Subcommand)]
pub enum LimitsCommand {
    /// Show them, with what is used
    Show(ControlArgs),
    /// Set one: at once where that tightens, else it hands out a challenge to confirm
    Set(LimitArgs),
    /// Confirm one that loosens
    Confirm(ConfirmArgs),
}

/// `limits set`.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Which control
    #[arg(value_name = "CONTROL")]
    pub name: String,
    /// global, broker:N, account:N, agent:N or symbol:N
    pub scope: String,
    /// As in the config file; names of a list with commas between them
    #[arg(allow_hyphen_values = true)]
    pub value: String,
    /// Why; goes into the journal
    #[arg(long, value_name = "R")]
    pub reason: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `limits confirm`.
#[derive(Debug, Clone, Args)]
pub struct ConfirmArgs {
    /// The challenge of the first step
    pub challenge: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}

/// `kill`.
#[derive(Debug, Clone, Args)]
pub struct KillArgs {
    /// global, broker:N, account:N, agent:N or symbol:N
    #[arg(long, value_name = "S", required_unless_present = "direct")]
    pub scope: Option<String>,
    /// reduce_only, block, cancel, flatten or isolate
    #[arg(long, value_name = "L", required_unless_present = "direct")]
    pub level: Option<KillLevel>,
    /// With the gateway dead or hanging: cancel everything at the brokers from here, and leave a global
    /// kill at level cancel for its next boot
    #[arg(long, conflicts_with_all = ["scope", "level", "control"])]
    pub direct: bool,
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

/// `drill`.
#[derive(Debug, Clone, Subcommand)]
pub enum DrillCommand {
    /// Raise a kill, say how long each part of it took; it stands until it is armed
    Kill(DrillArgs),
}

/// `drill kill`.
#[derive(Debug, Clone, Args)]
pub struct DrillArgs {
    /// global, broker:N, account:N, agent:N or symbol:N
    #[arg(long, value_name = "S")]
    pub scope: String,
    /// reduce_only, block or cancel
    #[arg(long, value_name = "L", default_value = "cancel")]
    pub level: KillLevel,
    /// Why
    #[arg(long, value_name = "R", default_value = "practice")]
    pub reason: String,
    /// Where the gateway is.
    #[command(flatten)]
    pub control: ControlArgs,
}
