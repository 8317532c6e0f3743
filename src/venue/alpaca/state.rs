//! What this protocol keeps in the ledger beside the exchange's orders and fills.

use super::activities::Fill;
use super::members::MemberState;
use super::record::{Record, RecordId};
use crate::types::AccountId;
use crate::venue::LedgerState;
use serde::{Deserialize, Serialize};

/// One note of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// A record as it stands now.
    Record(RecordId, Box<Record>),
    /// An execution.
    Fill(Fill),
    /// An account's own settings as they stand now.
    Member(AccountId, Box<MemberState>),
}

impl Note {
    pub fn write(&self) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(self).map_err(|error| format!("ledger note: {error}"))
    }

    /// The notes of a ledger, oldest first.
    pub fn read_all(state: &LedgerState) -> Result<Vec<Self>, String> {
        let read = |(at, bytes): (usize, &Vec<u8>)| {
            postcard::from_bytes(bytes).map_err(|error| format!("ledger note {at}: {error}"))
        };
        state.notes.iter().enumerate().map(read).collect()
    }
}
