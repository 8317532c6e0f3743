//! Fuzz targets: one for each family of decoders, and one that runs event sequences into the order
//! state machine. `docs/fuzz.md` says which decoder is in which.
//!
//! A target takes bytes and panics where a promise is broken: that it neither panics nor hangs itself,
//! that what it read can be written and reads the same again, that an error says where. Two drivers
//! run them: `tests/fuzz.rs` of the gateway (stable Rust, a seed and a count) and libFuzzer
//! (`bin/target.rs`, nightly).

mod kit;

mod alpaca;
mod files;
mod frames;
mod orders;
mod samples;
mod text;
mod wire;

/// One target.
pub struct Target {
    /// Its name in commands and documents.
    pub name: &'static str,
    /// Takes an input; panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin with, made by the gateway's own encoders.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many times as much as the cheapest ones it costs: drivers give it so much less.
    pub cost: u32,
}

const fn target(
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    cost: u32,
) -> Target {
    Target { name, run, seeds, cost }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("frames", frames::frames, frames::frame_seeds, 1),
    target("entries", frames::entries, frames::entry_seeds, 2),
    target("market_codec", frames::market_codec, frames::market_seeds, 1),
    target("varint", frames::varint, frames::varint_seeds, 1),
    target("wire", wire::messages, wire::seeds, 1),
    target("broker_session", wire::session, wire::seeds, 4),
    target("feed_client", wire::feed_client, wire::seeds, 2),
    target("venue", wire::venue, wire::seeds, 8),
    target("cutter", wire::cutter, wire::seeds, 1),
    target("alpaca", alpaca::requests, alpaca::seeds, 2),
    target("latch", files::latch, files::latch_seeds, 4),
    target("mark", files::mark, files::mark_seeds, 1),
    target("identity", files::identity, files::identity_seeds, 4),
    target("snapshot", files::snapshot, files::snapshot_seeds, 20),
    target("backup", files::backup, files::backup_seeds, 8),
    target("segments", files::segments, frames::entry_seeds, 4),
    target("ledger", files::ledger, files::ledger_seeds, 40),
    target("audit", files::audit, files::audit_seeds, 20),
    target("recording", files::recording, files::recording_seeds, 20),
    target("csv", files::csv, files::csv_seeds, 40),
    target("capture", files::capture, files::capture_seeds, 40),
    target("lean", files::lean, files::lean_seeds, 60),
    target("values", text::values, text::value_seeds, 1),
    target("limits", text::limits, text::limit_seeds, 8),
    target("calendar", text::calendar, text::calendar_seeds, 1),
    target("config", text::config, text::config_seeds, 60),
    target("control", text::control, text::control_seeds, 4),
    target("two_step", text::two_step, text::two_step_seeds, 4),
    target("arguments", text::arguments, text::argument_seeds, 200),
    target("transitions", orders::transitions, orders::seeds, 1),
    target("orders", orders::orders, orders::seeds, 20),
];
