//! A complete snapshot, out of many answers.
//!
//! The broker has no call that shows everything at one moment. So: positions, open orders, orders that
//! ended since the last snapshot, each order that is known here and was in neither list, the fills that
//! are not known yet, and the positions once more. What the stream says meanwhile is newer than any
//! list and wins. Positions that changed between the two readings without a word on the stream are read
//! again. A snapshot that does not come together is given up and begun anew; none is sent by halves.

use super::book::Book;
use super::terms;
use crate::alpaca::{Activity, Number, Order, Position, Uuid};
use crate::msg::{BrokerSnapshot, FillSnapshot, OrderSnapshot, PositionSnapshot};
use crate::types::{
    AccountId, ClientOrderId, ExecId, InstrumentId, Nanos, Notional, OrdStatus, Price, Qty,
    Timestamp, VenueOrderId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a page of orders, the most there are.
const PAGE: usize = 500;
/// Rows of a page of activities, the most there are.
const FILLS: usize = 100;
/// Pages of activities before what is missing is taken from the order's average.
const MOST_PAGES: u32 = 50;
/// Positions are read again so often at most.
const READINGS: u32 = 5;
/// Orders are submitted later than they are made; clocks differ.
pub(super) const MARGIN: Nanos = Nanos::from_secs(30);

/// The question that is next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Before,
    Open { after: Option<Uuid> },
    Closed { after: Option<Uuid> },
    Missing,
    Fills { page: Option<String>, pages: u32 },
    After { reading: u32 },
}

/// An order that is known here and stood in no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Id(Uuid),
    Name(ClientOrderId),
}

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask on, not before this time.
    Ask(Timestamp),
    /// It is all there.
    Done(Box<BrokerSnapshot>),
}

/// One snapshot that is being put together.
#[derive(Debug)]
pub(super) struct Resync {
    step: Step,
    begun: Timestamp,
    since: Timestamp,
    positions: BTreeMap<String, Qty>,
    rows: BTreeMap<Uuid, Order>,
    missing: BTreeSet<Missing>,
    activities: BTreeMap<Uuid, BTreeMap<Qty, FillSnapshot>>,
    /// What the stream said since it was begun.
    touched: BTreeMap<Uuid, Order>,
    moved: BTreeMap<String, Qty>,
}

/// Whose instruments and account a snapshot is told in.
pub(super) struct Names<'a> {
    pub account: AccountId,
    pub instrument: &'a dyn Fn(&str) -> Option<InstrumentId>,
}

impl Resync {
    /// A snapshot of everything open, and of what was submitted since `since` and ended.
    pub fn new(now: Timestamp, since: Timestamp) -> Self {
        Self {
            step: Step::Before,
            begun: now,
            since,
            positions: BTreeMap::new(),
            rows: BTreeMap::new(),
            missing: BTreeSet::new(),
            activities: BTreeMap::new(),
            touched: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }

    /// What the next snapshot has to go back to.
    pub fn covers_from(&self, floor: Timestamp) -> Timestamp {
        floor.max(self.begun - MARGIN)
    }

    /// The stream said something of an order.
    pub fn touch(&mut self, order: &Order, position: Option<Number>) {
        self.touched.insert(order.id, order.clone());
        if let Some(qty) = position.and_then(Number::qty) {
            self.moved.insert(spelled(&order.symbol), qty);
        }
    }

    /// Path and query of the next question.
    pub fn target(&self) -> String {
        let page = |after: &Option<Uuid>| match after {
            Some(id) => format!("&after_order_id={id}"),
            None => String::new(),
        };
        match &self.step {
            Step::Before | Step::After { .. } => "/v2/positions".to_owned(),
            Step::Open { after } => {
                format!("/v2/orders?status=open&limit={PAGE}&direction=asc{}", page(after))
            }
            Step::Closed { after: None } => {
                format!("/v2/orders?status=closed&limit={PAGE}&direction=asc&after={}", self.since)
            }
            Step::Closed { after } => {
                format!("/v2/orders?status=closed&limit={PAGE}&direction=asc{}", page(after))
            }
            Step::Missing => match self.missing.first() {
                Some(Missing::Id(id)) => format!("/v2/orders/{id}?nested=true"),
                Some(Missing::Name(name)) => {
                    format!("/v2/orders:by_client_order_id?client_order_id={name}&nested=true")
                }
                None => String::new(),
            },
            Step::Fills { page, .. } => {
                let token = page.as_ref().map_or(String::new(), |id| format!("&page_token={id}"));
                format!("/v2/account/activities/FILL?direction=desc&page_size={FILLS}{token}")
            }
        }
    }

    /// Takes the answer to the question in: its body, or `None` for 404.
    ///
    /// # Errors
    /// The answer is not what it should be: the snapshot is to be begun anew.
    pub fn answer(
        &mut self,
        now: Timestamp,
        body: Option<&[u8]>,
        book: &mut Book,
        names: &Names<'_>,
    ) -> Result<Next, String> {
        let json = |error: serde_json::Error| error.to_string();
        let gone = || "404 to a list".to_owned();
        match &self.step {
            Step::Before => {
                self.positions = positions(body.ok_or_else(gone)?)?;
                self.step = Step::Open { after: None };
            }
            Step::Open { .. } | Step::Closed { .. } => {
                let rows: Vec<Order> =
                    serde_json::from_slice(body.ok_or_else(gone)?).map_err(json)?;
                let last = (rows.len() >= PAGE).then(|| rows.last().map(|row| row.id)).flatten();
                let open = matches!(self.step, Step::Open { .. });
                for row in rows {
                    self.see(now, row, book);
                }
                self.step = match (open, last) {
                    (true, Some(id)) => Step::Open { after: Some(id) },
                    (true, None) => Step::Closed { after: None },
                    (false, Some(id)) => Step::Closed { after: Some(id) },
                    (false, None) => {
                        self.find_missing(book);
                        Step::Missing
                    }
                };
            }
            Step::Missing => {
                let asked = self.missing.pop_first();
                match (body, asked) {
                    (Some(body), _) => {
                        let row: Order = serde_json::from_slice(body).map_err(json)?;
                        // What took its place may have ended since, and stand in no list either.
                        let shown =
                            |id: &Uuid| self.rows.contains_key(id) || self.touched.contains_key(id);
                        let next = row.replaced_by.filter(|id| !shown(id));
                        self.missing.extend(next.map(Missing::Id));
                        self.see(now, row, book);
                    }
                    (None, Some(Missing::Id(id))) => book.set_ended(id, true),
                    (None, Some(Missing::Name(name))) => book.absent(name),
                    (None, None) => {}
                }
            }
            Step::Fills { pages, .. } => {
                let pages = *pages;
                let rows: Vec<Activity> =
                    serde_json::from_slice(body.ok_or_else(gone)?).map_err(json)?;
                let last = rows.last().map(|row| (row.id.clone(), row.transaction_time.0));
                let full = rows.len() >= FILLS;
                for row in rows {
                    self.fill(row)?;
                }
                let wanted = self.wanted(book);
                let oldest =
                    wanted.iter().filter_map(|id| self.rows.get(id)).map(|row| row.submitted_at.0);
                let oldest = oldest.min();
                self.step = match (last, oldest) {
                    (Some((id, at)), Some(oldest))
                        if full && at + MARGIN >= oldest && pages < MOST_PAGES =>
                    {
                        Step::Fills { page: Some(id), pages: pages + 1 }
                    }
                    _ => Step::After { reading: 0 },
                };
                if matches!(self.step, Step::After { .. }) {
                    self.settle_fills(now, book);
                }
            }
            Step::After { reading } => {
                let reading = *reading;
                let after = positions(body.ok_or_else(gone)?)?;
                let quiet = self.unexplained(&after);
                self.positions = after;
                if quiet || reading >= READINGS {
                    return Ok(Next::Done(Box::new(self.finish(book, names))));
                }
                self.step = Step::After { reading: reading + 1 };
                return Ok(Next::Ask(now + Nanos::from_millis(100)));
            }
        }
        if self.step == Step::Missing && self.missing.is_empty() {
            self.step = match self.wanted(book).is_empty() {
                true => Step::After { reading: 0 },
                false => Step::Fills { page: None, pages: 0 },
            };
        }
        Ok(Next::Ask(now))
    }

    fn see(&mut self, now: Timestamp, mut row: Order, book: &mut Book) {
        let terms = terms::read(&row);
        if let Err(field) = terms {
            tracing::warn!(id = %row.id, field, "an order of the broker has a field that cannot be read");
        }
        // What the stream has said since is newer, but it names no legs.
        if self.touched.contains_key(&row.id) {
            book.learn(now, &row, None);
        } else {
            book.learn(now, &row, terms.ok());
            book.set_ended(row.id, row.status.is_terminal());
        }
        for leg in row.legs.take().into_iter().flatten() {
            self.missing.remove(&Missing::Id(leg.id));
            self.rows.entry(leg.id).or_insert(leg);
        }
        self.rows.insert(row.id, row);
    }

    fn find_missing(&mut self, book: &Book) {
        let shown = |id: &Uuid| self.rows.contains_key(id) || self.touched.contains_key(id);
        let known = book.open().chain(book.corrected());
        let successors = self.rows.values().filter_map(|row| row.replaced_by);
        let ids = known.chain(successors).filter(|id| !shown(id)).map(Missing::Id);
        let names = book.unnumbered().map(Missing::Name);
        // Lists do not nest legs.
        let nested = book.awaiting_legs().map(Missing::Id);
        self.missing = ids.chain(names).chain(nested).collect();
    }

    /// Orders whose fills are not all known.
    fn wanted(&self, book: &mut Book) -> BTreeSet<Uuid> {
        let unknown = |(id, row): &(&Uuid, &Order)| {
            let filled = row.filled_qty.qty().unwrap_or(Qty::ZERO);
            let read = self.activities.get(id).map(sum);
            let own = book.own_filled(**id, filled);
            filled.is_positive()
                && read.unwrap_or(Qty::ZERO) < own
                && !book.is_filled_to(**id, filled)
        };
        let wanted: Vec<Uuid> = {
            let mut unknown = unknown;
            self.rows.iter().filter(|pair| unknown(pair)).map(|(id, _)| *id).collect()
        };
        wanted.into_iter().collect()
    }

    fn fill(&mut self, row: Activity) -> Result<(), String> {
        let fill = FillSnapshot {
            exec_id: exec_id(&row),
            qty: row.qty.qty().ok_or("an activity's qty")?,
            price: row.price.price().ok_or("an activity's price")?,
            fee: Notional::ZERO,
            transact_time: row.transaction_time.0,
        };
        let end = row.cum_qty.qty().ok_or("an activity's cum_qty")?;
        self.activities.entry(row.order_id).or_default().insert(end, fill);
        Ok(())
    }

    /// Books what the broker lists for orders whose fills were not all known. Where its list lacks some
    /// as well, the order's average says what they came to.
    fn settle_fills(&mut self, now: Timestamp, book: &mut Book) {
        let rows: Vec<(Uuid, Qty, Option<Number>)> = self
            .rows
            .values()
            .filter(|row| !self.touched.contains_key(&row.id))
            .map(|row| (row.id, row.filled_qty.qty().unwrap_or(Qty::ZERO), row.filled_avg_price))
            .collect();
        for (id, filled, average) in rows {
            if !filled.is_positive() || book.is_filled_to(id, filled) {
                continue;
            }
            let mut fills: Vec<FillSnapshot> =
                self.activities.remove(&id).unwrap_or_default().into_values().collect();
            fills.sort_by_key(|fill| fill.transact_time);
            book.set_fills(now, id, fills.clone());
            if book.is_filled_to(id, filled) {
                continue;
            }
            let known = fills.iter().fold(Qty::ZERO, |sum, fill| sum.saturating_add(fill.qty));
            let own = book.own_filled(id, filled);
            let lacks = own.saturating_sub(known);
            let Some(price) = average.and_then(Number::price).filter(|_| lacks.is_positive())
            else {
                continue;
            };
            tracing::warn!(%id, %lacks, "fills that the broker does not list, booked at the order's average");
            let spent = price.notional(own, 1).saturating_sub(
                fills
                    .iter()
                    .fold(Notional::ZERO, |sum, f| sum.saturating_add(f.price.notional(f.qty, 1))),
            );
            let rest = if fills.is_empty() { price } else { spent.per(lacks, 1) };
            fills.push(FillSnapshot {
                exec_id: ExecId(id.0 ^ u128::from(own.raw().unsigned_abs())),
                qty: lacks,
                price: if rest.is_positive() { rest } else { price },
                fee: Notional::ZERO,
                transact_time: now,
            });
            book.set_fills(now, id, fills);
        }
    }

    /// Whether each position that changed between the readings has its word on the stream.
    fn unexplained(&self, after: &BTreeMap<String, Qty>) -> bool {
        let symbols: BTreeSet<&String> = self.positions.keys().chain(after.keys()).collect();
        symbols.into_iter().all(|symbol| {
            self.positions.get(symbol) == after.get(symbol) || self.moved.contains_key(symbol)
        })
    }

    fn finish(&mut self, book: &Book, names: &Names<'_>) -> BrokerSnapshot {
        let mut snapshot = BrokerSnapshot::default();
        let mut rows = std::mem::take(&mut self.rows);
        rows.append(&mut self.touched);
        let successors: BTreeSet<Uuid> = rows
            .values()
            .filter(|row| book.own_name(row).is_some())
            .filter_map(|row| row.replaces)
            .collect();
        for row in rows.values() {
            // Another order of ours stands in its place, with its fills.
            if successors.contains(&row.id) {
                continue;
            }
            let Some(instrument) = (names.instrument)(&row.symbol) else { continue };
            let terms = book.get(row.id).and_then(|node| node.terms).or(terms::read(row).ok());
            let Some(terms) = terms else { continue };
            let fills = book.fills(row.id);
            let cum_qty = fills.iter().fold(Qty::ZERO, |sum, fill| sum.saturating_add(fill.qty));
            let filled = row.filled_qty.qty().unwrap_or(Qty::ZERO);
            let ord_status = match terms::status(&row.status, filled) {
                // It goes on in an order that the broker does not show: nothing can be said of it.
                OrdStatus::Replaced if book.is_own(row.replaced_by) => continue,
                // The successor is nobody's here: this one is gone.
                OrdStatus::Replaced => OrdStatus::Canceled,
                status => status,
            };
            snapshot.orders.push(OrderSnapshot {
                cl_ord_id: book.own_name(row),
                venue_order_id: VenueOrderId(row.id.0),
                account: names.account,
                instrument,
                terms,
                ord_status,
                cum_qty,
                leaves_qty: terms::leaves(row, filled),
                fills,
            });
        }
        let mut held = std::mem::take(&mut self.positions);
        held.append(&mut self.moved);
        for (symbol, qty) in held {
            let Some(instrument) = (names.instrument)(&symbol) else {
                tracing::warn!(symbol, %qty, "a position in an instrument that the gateway does not list");
                continue;
            };
            if !qty.is_zero() {
                let avg_px = Price::ZERO;
                let account = names.account;
                snapshot.positions.push(PositionSnapshot { account, instrument, qty, avg_px });
            }
        }
        snapshot
    }
}

fn sum(fills: &BTreeMap<Qty, FillSnapshot>) -> Qty {
    fills.values().fold(Qty::ZERO, |sum, fill| sum.saturating_add(fill.qty))
}

/// Positions write a pair of coins without the slash that orders write.
fn spelled(symbol: &str) -> String {
    symbol.replace('/', "")
}

fn positions(body: &[u8]) -> Result<BTreeMap<String, Qty>, String> {
    let rows: Vec<Position> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    rows.into_iter()
        .map(|row| {
            let qty = row.qty.qty().ok_or_else(|| format!("qty of {}", row.symbol))?;
            // Shorts are negative; a side that says otherwise is believed.
            let short = matches!(row.side, crate::alpaca::PositionSide::Short);
            let qty = if short { -qty.abs() } else { qty };
            Ok((spelled(&row.symbol), qty))
        })
        .collect()
}

/// The number behind the time in an activity's id, where it has one.
fn exec_id(row: &Activity) -> ExecId {
    let own = row.id.rsplit("::").next().and_then(|text| text.parse::<Uuid>().ok());
    ExecId(own.map_or(row.order_id.0, |id| id.0))
}
