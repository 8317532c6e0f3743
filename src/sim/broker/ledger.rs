//! What is true at a simulated broker: its own blotter, written without a line of the gateway's.

use crate::msg::{
    Contingent, ExecutionReport, FillSnapshot, NewOrder, OrderSnapshot, OrderTerms,
    PositionSnapshot, ReplaceOrder, TradeCorrection,
};
use crate::types::{
    AccountId, ClientOrderId, ExecId, ExecType, InstrumentId, Notional, OrdStatus, OrderQty, Price,
    Qty, Reason, TimeInForce, Timestamp, VenueOrderId,
};
use std::collections::BTreeMap;

/// An order at the broker.
#[derive(Debug, Clone)]
pub struct Booked {
    /// Every name it has had; the last is the current one. Empty: entered by hand.
    pub ids: Vec<ClientOrderId>,
    /// The broker's number.
    pub venue: VenueOrderId,
    /// Whose.
    pub account: AccountId,
    /// In what.
    pub instrument: InstrumentId,
    /// Its terms now.
    pub terms: OrderTerms,
    /// Its size.
    pub units: Qty,
    /// Filled.
    pub cum: Qty,
    /// FIX 39.
    pub status: OrdStatus,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// All fills.
    pub fills: Vec<FillSnapshot>,
    /// Version of the blotter when it last changed.
    pub changed: u64,
    /// The order whose fills release it.
    pub parent: Option<usize>,
    /// The order that it excludes.
    pub excludes: Option<usize>,
    /// The gateway was told that it was refused.
    pub belied: bool,
    /// Answers to queries for everything that lacked it.
    pub unlisted: u32,
    /// A fill of it was taken back or stated anew.
    pub corrected: bool,
}

impl Booked {
    /// Still open.
    pub const fn is_open(&self) -> bool {
        matches!(self.status, OrdStatus::New | OrdStatus::PartiallyFilled)
    }

    /// The name it goes by.
    pub fn id(&self) -> Option<ClientOrderId> {
        self.ids.last().copied()
    }

    /// Still open in units.
    pub fn leaves(&self) -> Qty {
        if self.is_open() { self.units - self.cum } else { Qty::ZERO }
    }
}

/// The blotter.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every order, oldest first.
    pub orders: Vec<Booked>,
    /// Signed positions.
    pub positions: BTreeMap<(AccountId, InstrumentId), Qty>,
    /// Cash that trading brought in, fees taken off.
    pub cash: BTreeMap<(AccountId, InstrumentId), Notional>,
    /// By any name an order has had.
    pub by_id: BTreeMap<ClientOrderId, usize>,
    version: u64,
    executions: u128,
}

impl Ledger {
    /// Takes an order or list in. The places of its orders; the names are new, the caller has looked.
    pub fn accept(&mut self, new: &NewOrder, units: Qty) -> Vec<usize> {
        let first = self.insert(Some(new.cl_ord_id), new.account, new.instrument, new.terms, units);
        let mut places = vec![first];
        for leg in new.contingent.legs() {
            let size = match leg.terms.qty {
                OrderQty::Units(size) => size,
                OrderQty::Cash(_) => units,
            };
            places.push(self.insert(
                Some(leg.cl_ord_id),
                new.account,
                new.instrument,
                leg.terms,
                size,
            ));
        }
        match (new.contingent, places.as_slice()) {
            (Contingent::OneCancelsOther(_), &[one, other]) => self.exclude(one, other),
            (Contingent::OneTriggersOther(_), &[_, leg]) => self.orders[leg].parent = Some(first),
            (Contingent::Bracket { .. }, &[_, one, other]) => {
                self.orders[one].parent = Some(first);
                self.orders[other].parent = Some(first);
                self.exclude(one, other);
            }
            _ => {}
        }
        places
    }

    fn exclude(&mut self, one: usize, other: usize) {
        self.orders[one].excludes = Some(other);
        self.orders[other].excludes = Some(one);
    }

    /// Takes a single order in; without a name it was entered by hand.
    pub fn insert(
        &mut self,
        id: Option<ClientOrderId>,
        account: AccountId,
        instrument: InstrumentId,
        terms: OrderTerms,
        units: Qty,
    ) -> usize {
        let place = self.orders.len();
        self.version += 1;
        self.orders.push(Booked {
            ids: id.into_iter().collect(),
            venue: VenueOrderId(place as u128 + 1),
            account,
            instrument,
            terms,
            units,
            cum: Qty::ZERO,
            status: OrdStatus::New,
            reason: None,
            fills: Vec::new(),
            changed: self.version,
            parent: None,
            excludes: None,
            belied: false,
            unlisted: 0,
            corrected: false,
        });
        if let Some(id) = id {
            self.by_id.insert(id, place);
        }
        place
    }

    /// The most that an order may fill now.
    pub fn room(&self, place: usize) -> Qty {
        let order = &self.orders[place];
        let Some(parent) = order.parent else { return order.leaves() };
        let other = order.excludes.map_or(Qty::ZERO, |other| self.orders[other].cum);
        let released = self.orders[parent].cum - order.cum - other;
        order.leaves().min(released).max(Qty::ZERO)
    }

    /// Books a fill, whatever the order's status is: the market does not ask. Orders of its list that
    /// changed with it follow in the answer.
    pub fn fill(
        &mut self,
        place: usize,
        qty: Qty,
        price: Price,
        fee: Notional,
        at: Timestamp,
    ) -> Vec<usize> {
        self.executions += 1;
        self.version += 1;
        let order = &mut self.orders[place];
        order.cum += qty;
        order.changed = self.version;
        order.fills.push(FillSnapshot {
            exec_id: ExecId(self.executions),
            qty,
            price,
            fee,
            transact_time: at,
        });
        if order.cum >= order.units {
            order.status = OrdStatus::Filled;
        } else if order.is_open() {
            order.status = OrdStatus::PartiallyFilled;
        }
        let key = (order.account, order.instrument);
        let (side, done, excludes) = (order.terms.side, !order.is_open(), order.excludes);
        let position = self.positions.entry(key).or_default();
        *position += side.signed(qty);
        let cash = self.cash.entry(key).or_default();
        *cash = *cash - price.notional(side.signed(qty), 1) - fee;
        let Some(other) = excludes.filter(|&other| self.orders[other].is_open()) else {
            return Vec::new();
        };
        self.version += 1;
        let rest = &mut self.orders[other];
        rest.changed = self.version;
        let left = (rest.units - qty).max(rest.cum);
        // Two exits of one entry share what it bought; two entries share their size.
        if done || left <= rest.cum {
            rest.status = OrdStatus::Canceled;
        } else {
            rest.units = left;
        }
        vec![other]
    }

    /// A share becomes `factor`; orders of before stay as they are.
    pub fn split(&mut self, instrument: InstrumentId, factor: i64) {
        self.version += 1;
        for (_, qty) in self.positions.iter_mut().filter(|((_, of), _)| *of == instrument) {
            *qty = Qty::from_raw(qty.raw() * factor);
        }
    }

    /// A fill is taken back, or stands with another size and price. An order that was complete goes on
    /// if it may (`again`), or stays ended. What to tell its owner.
    pub fn correct(
        &mut self,
        place: usize,
        which: usize,
        corrected: Option<(Qty, Price)>,
        again: bool,
        at: Timestamp,
    ) -> Option<TradeCorrection> {
        self.executions += 1;
        self.version += 1;
        let exec_id = ExecId(self.executions);
        let order = &mut self.orders[place];
        let old = order.fills.remove(which);
        order.corrected = true;
        let corrected = corrected.map(|(qty, price)| FillSnapshot {
            exec_id,
            qty,
            price,
            fee: old.fee,
            transact_time: at,
        });
        let (qty, fee) = corrected.map_or_else(Default::default, |new| (new.qty, new.fee));
        let paid = |fill: &FillSnapshot, sign: Qty| fill.price.notional(sign, 1);
        let side = order.terms.side;
        let mut flow = paid(&old, side.signed(old.qty)) + old.fee - fee;
        if let Some(new) = corrected {
            flow -= paid(&new, side.signed(new.qty));
            order.fills.push(new);
        }
        order.cum = order.cum - old.qty + qty;
        order.changed = self.version;
        let alone = order.parent.is_none() && order.excludes.is_none();
        let rests = !matches!(order.terms.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if order.status == OrdStatus::Filled && order.cum < order.units {
            order.status = match again && alone && rests {
                true if order.cum.is_zero() => OrdStatus::New,
                true => OrdStatus::PartiallyFilled,
                false => OrdStatus::Canceled,
            };
        }
        let key = (order.account, order.instrument);
        *self.positions.entry(key).or_default() += side.signed(qty - old.qty);
        let cash = self.cash.entry(key).or_default();
        *cash += flow;
        let order = &self.orders[place];
        Some(TradeCorrection {
            cl_ord_id: order.id()?,
            venue_order_id: order.venue,
            exec_id,
            exec_ref_id: old.exec_id,
            corrected,
            ord_status: order.status,
            leaves_qty: order.leaves(),
        })
    }

    /// Ends an order.
    pub fn end(&mut self, place: usize, status: OrdStatus, reason: Option<Reason>) {
        self.version += 1;
        let order = &mut self.orders[place];
        (order.status, order.reason, order.changed) = (status, reason, self.version);
    }

    /// Legs that will never be released: their parent ended.
    pub fn orphans(&self, parent: usize) -> Vec<usize> {
        let filled = self.orders[parent].cum;
        let waits = |order: &Booked| order.parent == Some(parent) && order.is_open();
        (parent + 1..self.orders.len().min(parent + 3))
            .filter(|&leg| waits(&self.orders[leg]) && filled.is_zero())
            .collect()
    }

    /// Gives an order new terms.
    pub fn replace(&mut self, place: usize, replace: &ReplaceOrder, units: Qty) {
        self.version += 1;
        let order = &mut self.orders[place];
        order.ids.push(replace.cl_ord_id);
        (order.terms, order.units, order.changed) = (replace.terms, units, self.version);
        self.by_id.insert(replace.cl_ord_id, place);
    }

    /// A report about an order as it stands; `None` for one entered by hand, of which nobody is told.
    pub fn report(
        &self,
        place: usize,
        exec_type: ExecType,
        at: Timestamp,
    ) -> Option<ExecutionReport> {
        let order = &self.orders[place];
        Some(ExecutionReport {
            cl_ord_id: order.id()?,
            venue_order_id: order.venue,
            exec_id: ExecId(self.executions << 64 | u128::from(self.version)),
            exec_type,
            ord_status: order.status,
            last_qty: Qty::ZERO,
            last_px: Price::ZERO,
            cum_qty: order.cum,
            leaves_qty: order.leaves(),
            fee: Notional::ZERO,
            reason: order.reason,
            transact_time: at,
        })
    }

    /// The report of an order's last fill.
    pub fn trade(&self, place: usize) -> Option<ExecutionReport> {
        let fill = self.orders[place].fills.last()?;
        Some(ExecutionReport {
            exec_id: fill.exec_id,
            last_qty: fill.qty,
            last_px: fill.price,
            fee: fill.fee,
            ..self.report(place, ExecType::Trade, fill.transact_time)?
        })
    }

    /// Version of the blotter.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Open orders and those that changed after `since`.
    pub fn snapshot(&self, since: u64) -> (Vec<OrderSnapshot>, Vec<PositionSnapshot>) {
        let orders = self
            .orders
            .iter()
            .filter(|order| order.is_open() || order.changed > since)
            .map(|order| OrderSnapshot {
                cl_ord_id: order.id(),
                venue_order_id: order.venue,
                account: order.account,
                instrument: order.instrument,
                terms: order.terms,
                ord_status: order.status,
                cum_qty: order.cum,
                leaves_qty: order.leaves(),
                fills: order.fills.clone(),
            })
            .collect();
        let positions = self
            .positions
            .iter()
            .filter(|(_, qty)| !qty.is_zero())
            .map(|(&(account, instrument), &qty)| PositionSnapshot {
                account,
                instrument,
                qty,
                avg_px: Price::ZERO,
            })
            .collect();
        (orders, positions)
    }
}
