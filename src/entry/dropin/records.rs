//! What programs asked for, in their own words: `entry-orders.jsonl` in the state folder. The core
//! knows what became of an order; this file keeps what it does not: the program's name for it, which
//! is used once, what it hangs together with, and its terms before a replace.
//!
//! A line is written before its order goes to the core, so that a kill -9 leaves no order without a
//! name. A line whose order the core does not know means nothing.

use crate::alpaca::OrderClass;
use crate::msg::OrderTerms;
use crate::types::{AgentId, ClientOrderId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the file in the state folder.
const FILE: &str = "entry-orders.jsonl";

/// An order, or new terms for one, as a program asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The gateway's name for it.
    pub id: ClientOrderId,
    /// The program's.
    pub client_id: String,
    pub at: Timestamp,
    pub symbol: String,
    pub class: OrderClass,
    /// The first order of its list.
    pub parent: Option<ClientOrderId>,
    /// The order whose place it takes.
    pub replaces: Option<ClientOrderId>,
    pub terms: OrderTerms,
    /// When its end was heard of, in this run.
    #[serde(skip)]
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Asked(Vec<Record>),
    /// The program was told that there is no such order.
    Refused(Vec<ClientOrderId>),
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// A line before the last is not what was written.
    #[error("{0} line {1}: {2}")]
    Damaged(PathBuf, u64, serde_json::Error),
}

/// All records, and the file that they stand in.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Each line is on stable storage before its order goes.
    sync: bool,
    by_id: BTreeMap<ClientOrderId, Record>,
    /// In the order in which they were made.
    order: BTreeMap<AgentId, Vec<ClientOrderId>>,
    by_client: BTreeMap<AgentId, BTreeMap<String, Vec<ClientOrderId>>>,
    replaced_by: BTreeMap<ClientOrderId, ClientOrderId>,
    legs: BTreeMap<ClientOrderId, Vec<ClientOrderId>>,
    /// By instance, boot and agent: the highest number given.
    highest: BTreeMap<(u32, u32, AgentId), u32>,
    /// Requests of a name that came to nothing.
    turns: BTreeMap<AgentId, BTreeMap<String, usize>>,
}

impl Records {
    /// Reads the file of a state folder. A torn last line, as a crash leaves it, is cut off: its order
    /// never went.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn open(state: &Path, sync: bool) -> Result<Self, RecordError> {
        let path = state.join(FILE);
        let io = |error| RecordError::File(path.clone(), error);
        let mut options = OpenOptions::new();
        let file = options.create(true).read(true).append(true).mode(0o600).open(&path);
        let mut records = Self {
            file: file.map_err(io)?,
            path: path.clone(),
            length: 0,
            sync,
            by_id: BTreeMap::new(),
            order: BTreeMap::new(),
            by_client: BTreeMap::new(),
            replaced_by: BTreeMap::new(),
            legs: BTreeMap::new(),
            highest: BTreeMap::new(),
            turns: BTreeMap::new(),
        };
        let mut reader = BufReader::new(records.file.try_clone().map_err(io)?);
        let (mut bytes, mut number) = (Vec::new(), 0);
        loop {
            bytes.clear();
            let length = reader.read_until(b'\n', &mut bytes).map_err(io)? as u64;
            if length == 0 {
                break;
            }
            if bytes.last() != Some(&b'\n') {
                records.file.set_len(records.length).map_err(io)?;
                break;
            }
            number += 1;
            let line = serde_json::from_slice(&bytes)
                .map_err(|error| RecordError::Damaged(path.clone(), number, error))?;
            records.take(line);
            records.length += length;
        }
        Ok(records)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Asked(asked) => asked.into_iter().for_each(|record| self.put(record)),
            Line::Refused(ids) => ids.into_iter().for_each(|id| self.drop(id)),
        }
    }

    fn put(&mut self, record: Record) {
        let (id, agent) = (record.id, record.id.agent);
        let highest = self.highest.entry((id.instance, id.epoch, agent)).or_default();
        *highest = id.seq.max(*highest);
        self.order.entry(agent).or_default().push(id);
        let names = self.by_client.entry(agent).or_default();
        names.entry(record.client_id.clone()).or_default().push(id);
        if let Some(old) = record.replaces {
            self.replaced_by.insert(old, id);
        }
        if let Some(parent) = record.parent {
            self.legs.entry(parent).or_default().push(id);
        }
        self.by_id.insert(id, record);
    }

    fn drop(&mut self, id: ClientOrderId) {
        let Some(record) = self.by_id.remove(&id) else { return };
        // It is among the last.
        if let Some(order) = self.order.get_mut(&id.agent)
            && let Some(at) = order.iter().rposition(|own| *own == id)
        {
            order.remove(at);
        }
        if let Some(names) = self.by_client.get_mut(&id.agent)
            && let Some(own) = names.get_mut(&record.client_id)
        {
            own.retain(|own| *own != id);
            if own.is_empty() {
                names.remove(&record.client_id);
            }
        }
        if let Some(old) = record.replaces
            && self.replaced_by.get(&old) == Some(&id)
        {
            self.replaced_by.remove(&old);
        }
        *self.turns.entry(id.agent).or_default().entry(record.client_id).or_default() += 1;
        if let Some(legs) = record.parent.and_then(|parent| self.legs.get_mut(&parent)) {
            legs.retain(|leg| *leg != id);
        }
    }

    fn write(&mut self, line: &Line) -> Result<(), RecordError> {
        let io = |error| RecordError::File(self.path.clone(), error);
        let mut bytes = serde_json::to_vec(line).map_err(|error| io(error.into()))?;
        bytes.push(b'\n');
        // What a write that failed left behind is no line, and must not become the beginning of one.
        self.file.set_len(self.length).map_err(io)?;
        self.file.write_all(&bytes).map_err(io)?;
        if self.sync {
            self.file.sync_data().map_err(io)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Notes orders of one request, before it goes to the core.
    ///
    /// # Errors
    /// It is not on record, so it must not go.
    pub fn ask(&mut self, records: Vec<Record>) -> Result<(), RecordError> {
        let line = Line::Asked(records);
        self.write(&line)?;
        self.take(line);
        Ok(())
    }

    /// Forgets orders of a request that the core refused: their names are free again.
    pub fn refuse(&mut self, ids: Vec<ClientOrderId>) {
        let line = Line::Refused(ids);
        if let Err(error) = self.write(&line) {
            // The core knows that they did not leave.
            tracing::error!(%error, "a refusal could not be noted");
        }
        self.take(line);
    }

    pub fn get(&self, id: ClientOrderId) -> Option<&Record> {
        self.by_id.get(&id)
    }

    /// Those of an agent, the oldest first.
    pub fn of(&self, agent: AgentId) -> &[ClientOrderId] {
        self.order.get(&agent).map_or(&[], Vec::as_slice)
    }

    /// Those that a program gave this name: more than one only where some of them never reached the core.
    pub fn named(&self, agent: AgentId, client_id: &str) -> &[ClientOrderId] {
        let names = self.by_client.get(&agent).and_then(|names| names.get(client_id));
        names.map_or(&[], Vec::as_slice)
    }

    /// How often a name was asked for and refused.
    pub fn turns(&self, agent: AgentId, client_id: &str) -> usize {
        let names = self.turns.get(&agent).and_then(|names| names.get(client_id));
        names.copied().unwrap_or(0)
    }

    /// The order that was last asked for in the place of this one.
    pub fn successor(&self, id: ClientOrderId) -> Option<&Record> {
        self.by_id.get(self.replaced_by.get(&id)?)
    }

    /// The first order in whose place this one stands.
    pub fn root(&self, id: ClientOrderId) -> ClientOrderId {
        let mut root = id;
        while let Some(before) = self.by_id.get(&root).and_then(|record| record.replaces) {
            root = before;
        }
        root
    }

    /// Whether this one came to stand, by one replace or more, in the place of `before`.
    pub fn follows(&self, id: ClientOrderId, before: ClientOrderId) -> bool {
        let mut at = id;
        while let Some(old) = self.by_id.get(&at).and_then(|record| record.replaces) {
            if old == before {
                return true;
            }
            at = old;
        }
        false
    }

    /// The legs of an order, those that were replaced among them.
    pub fn legs(&self, id: ClientOrderId) -> &[ClientOrderId] {
        self.legs.get(&self.root(id)).map_or(&[], Vec::as_slice)
    }

    /// Notes when an order's end was heard of.
    pub fn end(&mut self, id: ClientOrderId, at: Timestamp) {
        if let Some(record) = self.by_id.get_mut(&id) {
            record.ended.get_or_insert(at);
        }
    }

    /// The next number of an agent in a boot. Those of refused orders do not come again.
    pub fn next_seq(&self, (instance, epoch): (u32, u32), agent: AgentId) -> u32 {
        self.highest.get(&(instance, epoch, agent)).map_or(1, |seq| seq + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{OrdType, OrderQty, Qty, Side, TimeInForce};

    const AGENT: AgentId = AgentId(2);

    fn id(seq: u32) -> ClientOrderId {
        ClientOrderId { instance: 1, epoch: 1, agent: AGENT, seq }
    }

    fn record(seq: u32, name: &str) -> Record {
        Record {
            id: id(seq),
            client_id: name.to_owned(),
            at: Timestamp::from_nanos(u64::from(seq)),
            symbol: "AAPL".to_owned(),
            class: OrderClass::Plain,
            parent: None,
            replaces: None,
            terms: OrderTerms {
                side: Side::Buy,
                qty: OrderQty::Units(Qty::whole(1)),
                ord_type: OrdType::Market,
                tif: TimeInForce::Day,
                expire_at: None,
                extended_hours: false,
            },
            ended: None,
        }
    }

    #[test]
    fn names_chains_and_refusals_are_there_after_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let mut records = Records::open(state.path(), false).unwrap();
        let leg = Record { parent: Some(id(1)), ..record(2, "leg") };
        records.ask(vec![record(1, "a \"b\""), leg]).unwrap();
        records.ask(vec![Record { replaces: Some(id(1)), ..record(3, "c") }]).unwrap();
        records.ask(vec![record(4, "gone")]).unwrap();
        records.refuse(vec![id(4)]);
        records.ask(vec![Record { replaces: Some(id(3)), ..record(5, "d") }]).unwrap();
        drop(records);
        // The half of a line that a crash leaves.
        let path = state.path().join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"asked\":[{\"id\"").unwrap();
        for _ in 0..2 {
            let records = Records::open(state.path(), true).unwrap();
            assert_eq!(records.named(AGENT, "a \"b\""), [id(1)]);
            assert_eq!((records.turns(AGENT, "gone"), records.turns(AGENT, "c")), (1, 0));
            assert!(records.named(AGENT, "gone").is_empty() && records.get(id(4)).is_none());
            assert_eq!(records.of(AGENT), [id(1), id(2), id(3), id(5)]);
            assert_eq!((records.root(id(5)), records.root(id(2))), (id(1), id(2)));
            assert_eq!(records.legs(id(5)), [id(2)]);
            assert_eq!(records.successor(id(1)).unwrap().id, id(3));
            assert!(records.follows(id(5), id(1)) && !records.follows(id(1), id(5)));
            assert_eq!(records.next_seq((1, 1), AGENT), 6);
            assert_eq!(records.next_seq((1, 2), AGENT), 1);
        }
        std::fs::write(&path, "{}\n{\"refused\":[]}\n").unwrap();
        assert!(matches!(Records::open(state.path(), false), Err(RecordError::Damaged(_, 1, _))));
    }
}
