//! Options of `qtos chaos`.

use crate::chaos::{Amount, Direction, Dose, Framing, Partition, VenueKind};
use crate::types::Nanos;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `chaos`.
#[derive(Debug, Clone, Subcommand)]
pub enum ChaosCommand {
    /// A TCP proxy in front of a venue that delays, drops, repeats, cuts and partitions
    Proxy(Box<ProxyArgs>),
    /// Kill a trading gateway and its venue with kill -9, again and again, and compare them each time
    Kill9(Kill9Args),
    /// Have an Alpaca venue hang up on a trading gateway and misbehave every 5 to 20 s, and compare them
    Reconnect(ReconnectArgs),
    /// Trade at a venue that misbehaves in each way, alone and in pairs, and compare
    Pairs(PairsArgs),
}

/// `chaos proxy`. A DOSE is a probability for each piece (0.01) or the numbers of pieces, from 1, in
/// each direction of each connection (@3,17).
#[derive(Debug, Clone, Args)]
pub struct ProxyArgs {
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The venue
    #[arg(long, value_name = "ADDR")]
    pub to: SocketAddr,
    /// Of every draw: the same seed does the same to the same pieces
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What a piece is: lines, sandbox (frames of its protocol), or none (what one read gave)
    #[arg(long, value_name = "KIND", default_value = "none")]
    pub framing: Framing,
    /// Each piece comes later: 20, 20ms, or 5ms..50ms by seed
    #[arg(long, value_name = "MS", value_parser = Amount::delay)]
    pub delay: Option<Amount>,
    /// A direction passes so many bytes a second: 2000, or 500..5000 by seed
    #[arg(long, value_name = "BYTES", value_parser = Amount::bytes)]
    pub trickle: Option<Amount>,
    /// Pieces that never come
    #[arg(long, value_name = "DOSE", default_value = "0")]
    pub drop: Dose,
    /// Pieces that come twice
    #[arg(long, value_name = "DOSE", default_value = "0")]
    pub duplicate: Dose,
    /// Pieces that change places with the next one
    #[arg(long, value_name = "DOSE", default_value = "0")]
    pub reorder: Dose,
    /// Pieces in whose place both sides get a TCP reset
    #[arg(long, value_name = "DOSE", default_value = "0")]
    pub reset: Dose,
    /// Pieces from which on nothing passes, and nobody is told
    #[arg(long, value_name = "DOSE", default_value = "0")]
    pub half_open: Dose,
    /// When nothing passes on any connection: 10s..20s once, 2s/30s again and again by seed
    #[arg(long, value_name = "WHEN")]
    pub partition: Vec<Partition>,
    /// Only pieces that go this way: to-venue or to-client
    #[arg(long, value_name = "WAY")]
    pub only: Option<Direction>,
    /// No new fault after so long: everything passes
    #[arg(long, value_name = "SPAN")]
    pub faults_for: Option<Nanos>,
    /// End after so many seconds
    #[arg(long = "for", value_name = "S")]
    pub for_seconds: Option<u64>,
}

/// `chaos kill9`. The worlds live below the state folder, by default a temporary one.
#[derive(Debug, Clone, Args)]
pub struct Kill9Args {
    /// Checked kills in all, those of resumed runs included
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub count: u64,
    /// Of every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// File that remembers how far the campaign has come; a run goes on where it stands
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Which venue the gateways trade at
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub venue: VenueKind,
    /// The venue also misbehaves between the kills, where it can (alpaca)
    #[arg(long)]
    pub faults: bool,
    /// Pairs of a gateway and a venue at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub worlds: u64,
}

/// `chaos reconnect`. The world lives below the state folder, by default a temporary one.
#[derive(Debug, Clone, Args)]
pub struct ReconnectArgs {
    /// How long
    #[arg(long, value_name = "M", default_value_t = 60)]
    pub minutes: u64,
    /// Of every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `chaos pairs`. The worlds live below the state folder, by default a temporary one.
#[derive(Debug, Clone, Args)]
pub struct PairsArgs {
    /// How long each slice is
    #[arg(long, value_name = "SPAN", default_value = "15s")]
    pub slice: Nanos,
    /// A recording for the venue's market, instead of a generated one; the gateway's config must take its data
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Seconds of the recording in a second
    #[arg(long, value_name = "X", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub speed: u32,
    /// Each way alone, and no pairs
    #[arg(long)]
    pub alone: bool,
    /// Of every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}
