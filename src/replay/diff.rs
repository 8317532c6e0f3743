//! What would another configuration, or another build, have done with the same market?
//!
//! The journal is run again as it was, and its market records are run once more under the other
//! configuration, with brokers in this process. Decisions are compared by what they mean: numbers of
//! a live session (instance, epoch) and ids that differ between configurations do not count.

use super::ReplayError;
use super::run::{Outcome, run_on, summary};
use super::source::{JournalFeed, JournalSource};
use crate::desk::segments::JournalError;
use crate::desk::{Desk, Link};
use crate::disk::OsFolder;
use crate::journal::{Derived, Entry, Log};
use crate::msg::{Act, Control, Input, Intervention, OrderRequest, OrderTerms};
use crate::types::{AgentId, BrokerId, InstrumentId, Notional, OrderQty};
use crate::venue::ExchangeConfig;
use crate::view::{Divergence, Summary, word};
use crate::wiring::{ConfigError, Names, Placement, Registry, Start, Topology, WalkError, walk};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// How two runs over the same market differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first decision that is another one.
    pub first_difference: Option<Divergence>,
    /// The session on record.
    pub journal: Totals,
    /// The same market under the other configuration.
    pub other: Totals,
    /// Other minus journal.
    pub difference: Totals,
    /// What the comparison cannot know.
    pub notes: Vec<String>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// New orders handed to a broker.
    pub orders: i64,
    /// Executions.
    pub fills: i64,
    /// New orders and replaces refused.
    pub denied: i64,
    /// Profit in the account currency, fees taken off.
    pub pnl: Notional,
}

impl Totals {
    const NOTHING: Self = Self { orders: 0, fills: 0, denied: 0, pnl: Notional::ZERO };

    fn of(desk: &Desk, names: &Names) -> Self {
        let Summary { orders, fills, denied, pnl, .. } = summary(desk, names, Duration::ZERO);
        Self { orders: orders as i64, fills: fills as i64, denied: denied as i64, pnl }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            orders: self.orders - other.orders,
            fills: self.fills - other.fills,
            denied: self.denied - other.denied,
            pnl: self.pnl.saturating_sub(other.pnl),
        }
    }
}

/// Why two runs could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] WalkError),
    /// The run under the other configuration.
    #[error(transparent)]
    Other(#[from] ReplayError),
}

/// Compares the journal below `state` with a run of its market under `other`. `watch` is told the
/// entries done, now and then.
///
/// # Errors
/// The journal, or the other configuration.
pub fn diff(
    state: &Path,
    other: &Topology,
    registry: &Registry,
    watch: &mut dyn FnMut(u64),
) -> Result<Diff, DiffError> {
    let source = JournalSource::open(state, registry)?;
    let names = &source.topology.names;
    let mut decisions = Vec::new();
    let mut outside = 0u64;
    let entries = source.entries(|seq, entry| match entry {
        Entry::Derived(derived) => decisions.push((seq, meaning(derived, names))),
        Entry::Input { input, .. } if from_outside(input) => outside += 1,
        _ => {}
    });
    entries.map_err(WalkError::from)?;
    let mut notes = Vec::new();
    if outside > 0 {
        notes.push(format!("{outside} requests and controls of operators are not repeated"));
    }
    let folder = OsFolder::new(state);
    let own = walk(&folder, registry, Start::Oldest, watch)?;
    let own = own
        .ok_or_else(|| JournalError::Empty(state.display().to_string()))
        .map_err(WalkError::from)?;
    if let Some(difference) = &own.found().difference {
        let seq = difference.seq;
        notes.push(format!("this build does not repeat the journal itself, from record {seq} on"));
    }
    let journal = own.desk().map_or(Totals::NOTHING, |desk| Totals::of(desk, names));
    drop(own);

    let (desk, stand_ins) =
        stand_in_desk(other, registry).map_err(|error| ReplayError::Config(error.into()))?;
    notes.extend(stand_ins);
    let Outcome { mut desk, unlisted, .. } =
        run_on(desk, other, source.records(), &mut |_: &JournalFeed| {})?;
    if unlisted > 0 {
        notes.push(format!("{unlisted} records are of symbols that the other config lacks"));
    }

    let mut first_difference = None;
    let last = decisions.last().map_or(0, |(seq, _)| seq + 1);
    let mut on_record = decisions.into_iter();
    loop {
        let (expected, actual) = (on_record.next(), desk.next_decision());
        let seq = expected.as_ref().map_or(last, |(seq, _)| *seq);
        let expected = expected.map(|(_, decision)| decision);
        let actual = actual.map(|derived| meaning(&derived, &other.names));
        if expected != actual {
            let nothing = || "nothing".to_owned();
            let (expected, actual) =
                (expected.unwrap_or_else(nothing), actual.unwrap_or_else(nothing));
            first_difference = Some(Divergence { seq, expected, actual });
            break;
        }
        if expected.is_none() {
            break;
        }
    }
    let totals = Totals::of(&desk, &other.names);
    let difference = totals.minus(journal);
    Ok(Diff { first_difference, journal, other: totals, difference, notes })
}

/// An operator's request or decision: no agent would repeat it.
const fn from_outside(input: &Input) -> bool {
    match input {
        Input::Request(from, _) => from.0 == AgentId::OPERATOR.0,
        Input::Control(control) => {
            matches!(
                control,
                Control::Kill(_)
                    | Control::Arm(_)
                    | Control::Agent { .. }
                    | Control::Flatten { .. }
                    | Control::Heartbeat
                    | Control::CorporateAction(_)
            )
        }
        Input::Market(_) | Input::Report(..) | Input::Tick => false,
    }
}

/// A desk whose brokers all run in this process; one that is another process gets a stand-in, and a
/// note says so.
fn stand_in_desk(
    topology: &Topology,
    registry: &Registry,
) -> Result<(Desk, Vec<String>), ConfigError> {
    let board = topology.kill_board();
    let lane = topology.lane(registry, Placement::All)?;
    let (mut links, mut notes): (Vec<Box<dyn Link>>, _) = (Vec::new(), Vec::new());
    for (number, broker) in topology.brokers.iter().enumerate() {
        let id = BrokerId(number as u8);
        links.push(match topology.in_process(id, &board, None)? {
            Some(link) => link,
            None => {
                notes.push(format!(
                    "broker `{}` is another process: a sandbox with default settings stands in, \
                     so fills differ from the venue's",
                    broker.name
                ));
                topology
                    .sandbox_link(id, &ExchangeConfig::default(), &board, None)
                    .map_err(|message| topology.source().missing(message))?
            }
        });
    }
    let mut desk = Desk::new(lane, Log::none(), links, false);
    desk.keep_decisions();
    Ok((desk, notes))
}

/// A decision in words that do not depend on the numbers of a session.
fn meaning(derived: &Derived, names: &Names) -> String {
    match derived {
        Derived::Denied { cl_ord_id, reason } => {
            format!("{}: denied, {}", names.agent(cl_ord_id.agent), word(reason))
        }
        Derived::Intervened(Intervention { rule, scope, act }) => {
            let act = match act {
                Act::Hold(true) => "holds".to_owned(),
                Act::Hold(false) => "ends its hold on".to_owned(),
                Act::Kill { level, .. } => format!("raises to {level}"),
            };
            format!("guardian: {} {act} {}", rule.name(), names.scope_name(*scope))
        }
        Derived::Sent { request, .. } => match request {
            OrderRequest::New(new) => {
                let terms = terms(&new.terms, Some((new.instrument, names)));
                let legs: String = new
                    .contingent
                    .legs()
                    .map(|leg| format!(", with {}", self::terms(&leg.terms, None)))
                    .collect();
                format!("{}: {terms}{legs}", names.agent(new.cl_ord_id.agent))
            }
            OrderRequest::Replace(replace) => {
                let agent = names.agent(replace.cl_ord_id.agent);
                format!("{agent}: replace by {}", terms(&replace.terms, None))
            }
            OrderRequest::Cancel(cancel) => {
                format!("{}: cancel", names.agent(cancel.orig_cl_ord_id.agent))
            }
        },
    }
}

fn terms(terms: &OrderTerms, of: Option<(InstrumentId, &Names)>) -> String {
    let qty = match terms.qty {
        OrderQty::Units(qty) => qty.to_string(),
        OrderQty::Cash(amount) => format!("{amount} worth of"),
    };
    let mut text = format!("{} {qty}", word(&terms.side));
    if let Some((instrument, names)) = of {
        text += &format!(" {}", names.symbol(instrument));
    }
    text += &format!(" {}", terms.ord_type.name());
    for (what, price) in
        [("at", terms.ord_type.limit_price()), ("stop", terms.ord_type.stop_price())]
    {
        if let Some(price) = price {
            text += &format!(" {what} {price}");
        }
    }
    text + " " + &word(&terms.tif)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Folder;
    use crate::feed::{FeedError, RecordingWriter};
    use crate::journal::{Durability, Header, HeaderKind, World};
    use crate::replay::verify::verify;
    use crate::wiring::closed_desk;

    const CONFIG: &str = include_str!("../../config/sandbox.toml");

    fn parse(text: &str) -> Topology {
        Topology::parse("t.toml", text, &Registry::standard().vocabulary()).unwrap()
    }

    /// A session over a recording of two generated minutes, in a state folder.
    fn session(folder: &Path) -> Summary {
        let (registry, topology) = (Registry::standard(), parse(CONFIG));
        let mut market = topology.open_feed(&topology.feeds[0]).unwrap().unwrap().feed;
        let instruments = topology.names.instruments().clone();
        let header = Header::new(HeaderKind::Recording, instruments.clone());
        let path = folder.join("day.qrec");
        let mut out = RecordingWriter::create(&path, instruments.clone(), header.units).unwrap();
        for _ in 0..12_000 {
            out.push(&market.next().unwrap().unwrap()).unwrap();
        }
        out.finish().unwrap();

        let mut open = topology.open_recording(&path).unwrap();
        let kind = HeaderKind::Journal {
            build: String::new(),
            config: CONFIG.to_owned(),
            feed: Some((open.name.clone(), open.digest)),
            world: World::Closed,
            follows: 0,
            anew: false,
        };
        let file = OsFolder::new(folder).create("journal/1.qlog").unwrap();
        let header = Header::new(kind, instruments);
        let mut desk = closed_desk(&topology, &registry, &topology.kill_board(), None).unwrap();
        desk.log = Log::create(file, &header, Durability::Process).unwrap();
        let mut booted = false;
        while let Some(record) = open.feed.next().unwrap() {
            let at = record.ts().max(desk.now());
            if !booted {
                desk.boot(at, 77, 3);
                booted = true;
            }
            desk.advance(at);
            desk.market(at, &record, true);
        }
        desk.log.checkpoint(desk.digest());
        desk.log.close().unwrap();
        summary(&desk, &topology.names, Duration::ZERO)
    }

    #[test]
    fn a_session_repeats_and_another_config_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let before = session(folder.path());
        assert!(before.orders > 3 && before.fills > 3, "{before:?}");
        let registry = Registry::standard();
        let verified =
            verify(&OsFolder::new(folder.path()), &registry, &mut |_| {}).unwrap().unwrap();
        assert!(verified.identical(), "{verified:?}");
        assert_eq!((verified.orders, verified.expected.is_some()), (before.orders, true));

        let compare = |text: &str| diff(folder.path(), &parse(text), &registry, &mut |_| {});
        let same = compare(CONFIG).unwrap();
        assert_eq!((&same.first_difference, same.journal), (&None, same.other), "{same:?}");
        assert_eq!(same.journal.orders, before.orders as i64);
        assert_eq!(same.notes, Vec::<String>::new());

        let larger = compare(&CONFIG.replace("qty = \"10\"", "qty = \"11\"")).unwrap();
        let first = larger.first_difference.unwrap();
        assert!(first.expected.contains("10 AAPL market"), "{first:?}");
        assert!(first.actual.contains("11 AAPL market"), "{first:?}");

        let remote = CONFIG.replace("[broker.exchange]", "addr = \"127.0.0.1:1\"\n[broker.unused]");
        let remote =
            remote.replace("fill_model = \"displayed\"", "").replace("[broker.unused]", "");
        let remote = remote.replacen("seed = 7\n\n[[account]]", "\n[[account]]", 1);
        let notes = compare(&remote).unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("stands in")), "{notes:?}");
    }

    #[test]
    fn a_journal_is_a_feed() {
        let folder = tempfile::tempdir().unwrap();
        session(folder.path());
        let source = JournalSource::open(folder.path(), &Registry::standard()).unwrap();
        let mut feed = source.records();
        let all: Result<Vec<_>, FeedError> =
            std::iter::from_fn(|| crate::feed::Feed::next(&mut feed).transpose()).collect();
        assert_eq!(all.unwrap().len(), 12_000);
    }
}
