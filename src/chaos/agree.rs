//! Whether a gateway and its venue say the same. Only at rest: while orders are under way each is
//! ahead of the other in turn.

use crate::types::{AgentId, ClientOrderId, OrdStatus, Price, Qty};
use crate::venue::{FillView, LedgerView, OrderView, PositionView};
use crate::view::{Fills, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// What a venue says of everything that it was ever asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Theirs {
    /// The name of an order that is open.
    pub open: Option<String>,
    /// Every name that was used, each time that it was.
    pub names: Vec<String>,
    /// Account, symbol and quantity of positions that are not flat.
    pub positions: Vec<(String, String, String)>,
    /// Name, cumulative quantity, quantity and price of every fill.
    pub fills: Vec<(String, String, String, String)>,
    /// How many orders there were.
    pub orders: u64,
}

impl Theirs {
    /// The ledger of a sandbox venue.
    pub fn of(ledger: &LedgerView) -> Self {
        let ids = |order: &OrderView| {
            order.earlier_ids.iter().chain([&order.cl_ord_id]).cloned().collect::<Vec<_>>()
        };
        let open = ledger.orders.iter().find(|order| is_open(order.status));
        let fill =
            |f: &FillView| (f.cl_ord_id.clone(), f.cum_qty.clone(), f.qty.clone(), f.price.clone());
        let position = |p: &PositionView| (p.account.clone(), p.symbol.clone(), p.qty.clone());
        Self {
            open: open.map(|order| order.cl_ord_id.clone()),
            names: ledger.orders.iter().flat_map(ids).collect(),
            positions: ledger.positions.iter().map(position).collect(),
            fills: ledger.fills.iter().map(fill).collect(),
            orders: ledger.orders.len() as u64,
        }
    }
}

/// The first thing in which gateway and ledger differ, in words; `None` where nothing is open, nothing
/// in doubt and all agrees. Fills are compared for orders whose id begins with `ids`: those of a state
/// folder begin with its tag, and what came before the folder it need not know.
pub fn difference(status: &Status, fills: &Fills, ledger: &Theirs, ids: &str) -> Option<String> {
    if status.orders_in_doubt != 0 || status.orders_open != 0 {
        return Some(format!(
            "the gateway has {} orders open and {} in doubt",
            status.orders_open, status.orders_in_doubt
        ));
    }
    if let Some(open) = &ledger.open {
        return Some(format!("{open} is open at the venue"));
    }
    twice(ledger).or_else(|| positions(status, ledger)).or_else(|| executions(fills, ledger, ids))
}

const fn is_open(status: OrdStatus) -> bool {
    use OrdStatus::{New, PartiallyFilled, PendingCancel, PendingNew, PendingReplace};
    matches!(status, New | PartiallyFilled | PendingNew | PendingCancel | PendingReplace)
}

/// INV-9 as the venue sees it.
fn twice(ledger: &Theirs) -> Option<String> {
    let mut seen = BTreeSet::new();
    let again = ledger.names.iter().find(|id| !seen.insert(id.as_str()));
    again.map(|id| format!("{id} was used twice"))
}

fn positions(status: &Status, ledger: &Theirs) -> Option<String> {
    let mut sums = BTreeMap::<(&str, &str), (i64, i64)>::new();
    for ours in &status.positions {
        sums.entry((&ours.account, &ours.symbol)).or_default().0 += ours.qty.raw();
    }
    for (account, symbol, qty) in &ledger.positions {
        let qty = qty.parse::<Qty>().map_or(i64::MIN, Qty::raw);
        sums.entry((account, symbol)).or_default().1 += qty;
    }
    let (key, (ours, theirs)) = sums.into_iter().find(|(_, (ours, theirs))| ours != theirs)?;
    let (ours, theirs) = (Qty::from_raw(ours), Qty::from_raw(theirs));
    Some(format!("position of {key:?}: the gateway has {ours}, the venue {theirs}"))
}

fn executions(fills: &Fills, ledger: &Theirs, ids: &str) -> Option<String> {
    type Key<'a> = (&'a str, Option<Qty>);
    type Value = (Option<Qty>, Option<Price>);
    let ours: BTreeMap<Key<'_>, Value> = fills
        .fills
        .iter()
        .filter(|fill| fill.order.starts_with(ids))
        .map(|f| ((f.order.as_str(), Some(f.cum_qty)), (Some(f.qty), Some(f.price))))
        .collect();
    let theirs: BTreeMap<Key<'_>, Value> = ledger
        .fills
        .iter()
        .filter(|(name, ..)| name.starts_with(ids))
        .map(|(name, cum_qty, qty, price)| {
            ((name.as_str(), cum_qty.parse().ok()), (qty.parse().ok(), price.parse().ok()))
        })
        .collect();
    if let Some((key, _)) = ours.iter().find(|(key, value)| theirs.get(*key) != Some(value)) {
        return Some(format!("fill {key:?} of the gateway is not in the ledger like that"));
    }
    let lost = theirs.keys().find(|key| !ours.contains_key(*key))?;
    Some(format!("fill {lost:?} of the ledger is not known to the gateway"))
}

/// What all order ids of a state folder begin with.
///
/// # Errors
/// The folder has no tag yet, or one that does not read.
pub fn ids_of(state: &Path) -> io::Result<String> {
    let tag = std::fs::read_to_string(state.join("instance"))?;
    let instance = tag.trim().parse().map_err(io::Error::other)?;
    let any = ClientOrderId { instance, epoch: 0, agent: AgentId::EXTERNAL, seq: 0 }.to_string();
    Ok(any.split_inclusive('-').next().unwrap_or_default().to_owned())
}
