//! The journal's `write()`: a committed frame with one decision, into a real file.

use super::latency::Latencies;
use super::{BenchError, Rows, Scratch};
use crate::journal::{Derived, Disk, Durability, Header, HeaderKind, Log};
use crate::types::{AgentId, ClientOrderId, InstrumentTable, Reason};
use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

const FRAMES: u32 = 200_000;

/// A file that nobody syncs behind.
pub(super) struct Spool(pub File);

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Spool {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// `journal_append`.
pub fn append() -> Result<Rows, BenchError> {
    let file = Scratch::new("journal.qlog");
    let header = Header::new(HeaderKind::Ledger, InstrumentTable::default());
    let disk = Box::new(Spool(File::create(&file.0)?));
    let mut log = Log::create(disk, &header, Durability::Process)?;
    let mut latency = Latencies::new()?;
    for seq in 0..FRAMES {
        let agent = AgentId(AgentId::FIRST);
        let cl_ord_id = ClientOrderId { instance: 1, epoch: 1, agent, seq };
        log.derived(&Derived::Denied { cl_ord_id, reason: Reason::Kill });
        let start = Instant::now();
        log.commit()?;
        latency.add(start.elapsed());
    }
    Ok(vec![("journal_append", latency.row())])
}
