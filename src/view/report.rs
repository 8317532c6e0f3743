//! What a run, a file or a measurement came to.

use crate::feed::Counts;
use crate::types::{Notional, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Summary of `demo`, `run` and `replay`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Market records consumed.
    pub events: u64,
    /// Wall-clock time of the run.
    pub seconds: f64,
    /// Their quotient.
    pub events_per_second: f64,
    /// New orders approved and handed to a broker.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// New or replace refused by risk, hold or kill.
    pub denied: u64,
    /// Realised + unrealised - fees, in the account currency.
    pub pnl: Notional,
    /// Of the core's state, 64 lower-case hex digits.
    pub digest: String,
    /// By name.
    pub agents: BTreeMap<String, AgentSummary>,
}

/// One agent's part of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// New orders handed to a broker.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Realised + unrealised - fees, in the account currency.
    pub pnl: Notional,
}

/// `backup` and `restore`: what was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The backup, or the state folder.
    pub to: String,
    /// Files in it.
    pub files: u32,
}

/// `import`: what was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The recording.
    pub out: String,
    /// Records by kind.
    #[serde(flatten)]
    pub counts: Counts,
    /// Source rows of a kind that has no place in a recording.
    pub skipped: u64,
    /// Time of the first record.
    pub first: Option<Timestamp>,
    /// Time of the last record.
    pub last: Option<Timestamp>,
}

/// `venue`: what a venue process did until it was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VenueResult {
    /// Market records over the life of its ledger.
    pub events: u64,
    /// Orders in its ledger.
    pub orders: u64,
    /// Session time.
    pub time: Timestamp,
}

/// `replay --verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResult {
    /// The same outbound orders and the same state.
    pub identical: bool,
    /// Outbound requests compared.
    pub orders: u64,
    /// Of the state that the replay came to.
    pub digest: String,
    /// Of the state that the journal tells.
    pub expected: String,
    /// Where they part.
    pub first_divergence: Option<Divergence>,
}

/// The first point where two runs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Journal sequence number.
    pub seq: u64,
    /// What the journal says.
    pub expected: String,
    /// What the replay did.
    pub actual: String,
}

/// `journal verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalCheck {
    /// Whole, but for a torn tail.
    pub ok: bool,
    /// Good records.
    pub records: u64,
    /// Bytes of an unfinished record at the end.
    pub torn_bytes: u64,
    /// Sequence number of the last good record, in the last file.
    pub last_seq: u64,
    /// What is wrong, and where.
    pub error: Option<String>,
}

/// `journal show`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JournalRecords {
    /// Oldest first.
    pub records: Vec<JournalRecord>,
}

/// One record of a journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Number of the journal file.
    pub file: u32,
    /// Its sequence number in that file.
    pub seq: u64,
    /// The entry as it stands, its kind first; instruments, agents, brokers and accounts by their
    /// numbers in the header.
    pub record: Box<RawValue>,
}

/// `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The file can be used.
    pub ok: bool,
    /// The file.
    pub file: String,
    /// The topology as text.
    pub topology: String,
}

/// `bench`: by name of the measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bench(pub BTreeMap<String, BenchRow>);

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BenchRow {
    /// So many a second.
    Rate {
        /// Of what.
        unit: String,
        /// Median.
        rate: f64,
    },
    /// So long each.
    Latency {
        /// Of time.
        unit: String,
        /// Median.
        p50: f64,
        /// 99 of 100 are at most this.
        p99: f64,
        /// 999 of 1,000 are at most this.
        p999: f64,
        /// 9,999 of 10,000 are at most this.
        p9999: f64,
        /// The longest.
        max: f64,
    },
}
