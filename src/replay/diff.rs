//! What would another configuration, or another build, have done with the same market?
//!
//! The journal is run again as it was, and its market records are run once more under the other
//! configuration, with brokers in this process. Decisions are compared by what they mean: numbers of
//! a live session (instance, epoch) and ids that differ between configurations do not count.

use super::run::{Outcome, run_on, summary};
use super::source::{JournalFeed, JournalSource};
use super::verify::VerifyError;
use crate::desk::segments::JournalError;
use crate::desk::{Desk, Link};
use crate::journal::{Derived, Entry, Log};
use crate::msg::{Control, Input, OrderRequest, OrderTerms};
use crate::types::{AgentId, BrokerId, InstrumentId, Notional, OrderQty, text};
use crate::venue::ExchangeConfig;
use crate::view::{Divergence, Summary, word};
use crate::wiring::{Names, Placement, Registry, Topology, walk};
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
    #[serde(with = "text")]
    pub pnl: Notional,
}

impl Totals {
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
) -> Result<Diff, VerifyError> {
    let source = JournalSource::open(state, registry)?;
    let names = &source.topology.names;
    let mut decisions = Vec::new();
    let mut outside = 0u64;
    let walked = walk(state, registry, &mut |seq, entry| {
        match entry {
            Entry::Derived(derived) => decisions.push((seq, meaning(derived, names))),
            Entry::Input { input, .. } if from_outside(input) => outside += 1,
            _ => {}
        }
        if seq & 0xfff == 0 {
            watch(seq);
        }
    })?;
    let empty = || JournalError::Empty(state.to_path_buf());
    let walked = walked.ok_or_else(empty)?;
    let journal = Totals::of(walked.desk().ok_or_else(empty)?, names);
    let difference = walked.found().difference.clone();
    drop(walked);

    let mut notes = Vec::new();
    if outside > 0 {
        notes.push(format!("{outside} requests and controls of operators are not repeated"));
    }
    if let Some(own) = difference {
        notes.push(format!("this build does not repeat the journal itself, from {}", own.seq));
    }
    let (desk, stand_ins) = stand_in_desk(other, registry)?;
    notes.extend(stand_ins);
    let feed = source.records()?;
    let Outcome { mut desk, unlisted, .. } = run_on(desk, other, feed, &mut |_: &JournalFeed| {})?;
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
            matches!(control, Control::Kill(_) | Control::Arm(_) | Control::Agent { .. })
        }
        Input::Market(_) | Input::Report(..) | Input::Tick => false,
    }
}

/// A desk whose brokers all run in this process; one that is another process gets a stand-in, and a
/// note says so.
fn stand_in_desk(
    topology: &Topology,
    registry: &Registry,
) -> Result<(Desk, Vec<String>), VerifyError> {
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
