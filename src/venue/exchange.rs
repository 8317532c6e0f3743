//! The sandbox exchange: a deterministic state machine. Requests, market records and time in;
//! execution reports out.
//!
//! An order submitted at `t` sees the touch as of `t` and fills at once where it can. What is left
//! of it rests, by its time in force. See `matching` for the price and the size of fills.

use super::accounts::Accounts;
use super::config::{ExchangeConfig, Rules};
use super::order::{Order, OrderIndex};
use super::reporting::Outbox;
use super::touch::Touch;
use crate::msg::{
    CancelOrder, CancelReject, FillSnapshot, MarketData, NewOrder, OrderTerms, ReplaceOrder,
};
use crate::types::{
    AccountId, ClientOrderId, ExecType, InstrumentId, InstrumentTable, Notional, OrdStatus,
    OrderQty, Price, Qty, Reason, TimeInForce, Timestamp,
};
use std::collections::{BTreeSet, HashMap};

/// An order and its fills, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The order.
    pub order: Order,
    /// Its fills.
    pub fills: Vec<FillSnapshot>,
}

/// One instrument's market and the open orders in it, oldest first.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub touch: Touch,
    pub resting: Vec<OrderIndex>,
}

/// The exchange.
#[derive(Debug)]
pub struct Exchange {
    pub(super) rules: Rules,
    pub(super) instruments: InstrumentTable,
    pub(super) books: Vec<Book>,
    pub(super) orders: Vec<OrderRecord>,
    pub(super) accounts: Accounts,
    /// Instruments whose books hold orders that are not open any more.
    pub(super) stale: Vec<InstrumentId>,
    /// Only looked up, never walked: its order cannot matter.
    pub(super) ids: HashMap<ClientOrderId, OrderIndex>,
    expiries: BTreeSet<(Timestamp, OrderIndex)>,
    /// The first of `expiries`, kept apart for the hot path.
    due: Timestamp,
    pub(super) now: Timestamp,
    pub(super) execs: u64,
}

impl Exchange {
    /// An empty exchange.
    ///
    /// # Errors
    /// The setting that is out of range.
    pub fn new(config: &ExchangeConfig, instruments: InstrumentTable) -> Result<Self, String> {
        let books = (0..instruments.len()).map(|_| Book::default()).collect();
        Ok(Self {
            rules: Rules::new(config)?,
            instruments,
            books,
            orders: Vec::new(),
            accounts: Accounts::default(),
            stale: Vec::new(),
            ids: HashMap::new(),
            expiries: BTreeSet::new(),
            due: Timestamp::MAX,
            now: Timestamp::ZERO,
            execs: 0,
        })
    }

    /// An exchange as a ledger left it. The market is unknown until [`Self::rebuild`] has seen it.
    ///
    /// # Errors
    /// The setting that is out of range, or an order of an instrument that is not in the table.
    pub fn restore(
        config: &ExchangeConfig,
        instruments: InstrumentTable,
        accounts: Accounts,
        orders: Vec<OrderRecord>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let mut exchange = Self::new(config, instruments)?;
        exchange.accounts = accounts;
        exchange.now = now;
        for (at, record) in orders.iter().enumerate() {
            let order = &record.order;
            let index = at as OrderIndex;
            let Some(book) = exchange.books.get_mut(order.instrument.index()) else {
                return Err(format!("order {} is of an unknown instrument", order.cl_ord_id));
            };
            for id in order.earlier_ids.iter().chain([&order.cl_ord_id]) {
                exchange.ids.insert(*id, index);
            }
            exchange.execs = exchange.execs.max(order.changed);
            if order.is_open() {
                book.resting.push(index);
                if let Some(at) = order.expires {
                    exchange.expiries.insert((at, index));
                }
            }
        }
        exchange.orders = orders;
        exchange.set_due();
        Ok(exchange)
    }

    /// The instruments, in the order of their ids.
    pub const fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Positions and cash.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The id of an account, opened if the name is new.
    ///
    /// # Errors
    /// See [`Accounts::open`].
    pub fn open_account(&mut self, name: &str) -> Result<AccountId, String> {
        self.accounts.open(name)
    }

    /// Every order ever, oldest first.
    pub fn orders(&self) -> &[OrderRecord] {
        &self.orders
    }

    /// The order that has or had this id.
    pub fn order(&self, id: ClientOrderId) -> Option<&Order> {
        self.ids.get(&id).map(|&index| &self.orders[index as usize].order)
    }

    /// The order that a cancel names: by any id that it had, else by the exchange's own number.
    pub fn named(&self, cancel: &CancelOrder) -> Option<&Order> {
        let by_number = || {
            let index = cancel.venue_order_id?.0.checked_sub(1)?;
            self.orders.get(usize::try_from(index).ok()?).map(|record| &record.order)
        };
        self.order(cancel.orig_cl_ord_id).or_else(by_number)
    }

    /// Session time: the latest moment told.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Number of the last execution report.
    pub const fn execs(&self) -> u64 {
        self.execs
    }

    /// Best bid and ask of an instrument.
    pub fn touch(&self, instrument: InstrumentId) -> (Option<Price>, Option<Price>) {
        self.books
            .get(instrument.index())
            .map_or((None, None), |book| (book.touch.bid(), book.touch.ask()))
    }

    /// When [`Self::advance`] is due next.
    #[inline]
    pub fn next_event(&self) -> Option<Timestamp> {
        (self.due != Timestamp::MAX).then_some(self.due)
    }

    /// Takes a market record in. Without an open order on its instrument it only moves the touch.
    /// A record of an instrument outside the table is passed over.
    #[inline]
    pub fn on_market(&mut self, record: &MarketData, out: &mut Outbox) {
        let ts = record.ts();
        if ts >= self.due {
            self.advance(ts, out);
        }
        self.now = self.now.max(ts);
        let Some(book) = self.books.get_mut(record.instrument().index()) else {
            return;
        };
        if let Some(moved) = book.touch.apply(record, self.rules.fill_model)
            && !book.resting.is_empty()
        {
            self.match_resting(record.instrument(), moved, out);
        }
    }

    /// Takes a record in that the exchange saw before it was restored: the market moves, no order.
    pub fn rebuild(&mut self, record: &MarketData) {
        self.now = self.now.max(record.ts());
        if let Some(book) = self.books.get_mut(record.instrument().index()) {
            book.touch.apply(record, self.rules.fill_model);
        }
    }

    /// Lets time pass: orders whose time is over expire.
    pub fn advance(&mut self, now: Timestamp, out: &mut Outbox) {
        self.now = self.now.max(now);
        while let Some(&(at, index)) = self.expiries.first()
            && at <= now
        {
            self.close(index, OrdStatus::Expired, None, out);
        }
        self.sweep();
    }

    /// A new order or list. `account` is one of [`Self::open_account`].
    pub fn submit(&mut self, now: Timestamp, new: &NewOrder, out: &mut Outbox) {
        self.now = self.now.max(now);
        let first = self.orders.len() as OrderIndex;
        if let Err(reason) = self.check_list(new) {
            let mut reject = |id: ClientOrderId, terms: OrderTerms| {
                // An id that is known keeps the order it names; the answer is for the asker only.
                if self.ids.contains_key(&id) {
                    out.reports.push(self.refusal(id, reason));
                } else if self.instruments.len() > new.instrument.index() {
                    let index = self.add(new, id, terms);
                    self.close(index, OrdStatus::Rejected, Some(reason), out);
                } else {
                    out.reports.push(self.refusal(id, reason));
                }
            };
            reject(new.cl_ord_id, new.terms);
            new.contingent.legs().for_each(|leg| reject(leg.cl_ord_id, leg.terms));
            return;
        }
        self.add(new, new.cl_ord_id, new.terms);
        for leg in new.contingent.legs() {
            self.add(new, leg.cl_ord_id, leg.terms);
        }
        self.tie(first, &new.contingent);
        let all = first..self.orders.len() as OrderIndex;
        for index in all.clone() {
            self.report(index, ExecType::New, None, out);
        }
        for index in all.clone() {
            self.work_arrival(index, out);
        }
        for index in all {
            self.rest(index);
        }
        self.sweep();
    }

    /// New terms for an open order.
    pub fn replace(&mut self, now: Timestamp, replace: &ReplaceOrder, out: &mut Outbox) {
        self.now = self.now.max(now);
        let index = match self.check_replace(replace) {
            Ok(index) => index,
            Err(reason) => {
                return self.cancel_reject(CancelReject::of_replace(replace, reason), out);
            }
        };
        let order = &mut self.orders[index as usize].order;
        order.earlier_ids.push(order.cl_ord_id);
        order.cl_ord_id = replace.cl_ord_id;
        if order.terms.ord_type != replace.terms.ord_type {
            order.triggered = false;
            order.best = None;
            order.arrived = false;
        }
        order.terms = replace.terms;
        if let OrderQty::Units(qty) = replace.terms.qty {
            order.qty = qty;
        }
        let before = order.expires.take();
        self.ids.insert(replace.cl_ord_id, index);
        if let Some(at) = before {
            self.expiries.remove(&(at, index));
        }
        self.set_expiry(index);
        self.report(index, ExecType::Replaced, None, out);
        self.work_arrival(index, out);
        self.sweep();
    }

    /// Takes an open order back, see [`Self::named`].
    pub fn cancel(&mut self, now: Timestamp, cancel: &CancelOrder, out: &mut Outbox) {
        self.now = self.now.max(now);
        let refused = |reason| CancelReject::of_cancel(cancel.orig_cl_ord_id, reason);
        match self.named(cancel) {
            None => self.cancel_reject(refused(Reason::UnknownOrder), out),
            Some(order) if order.is_open() => {
                self.close(order.index, OrdStatus::Canceled, None, out);
                self.sweep();
            }
            Some(_) => self.cancel_reject(refused(Reason::BrokerTooLate), out),
        }
    }

    /// Takes all open orders of these accounts back.
    pub fn cancel_all(&mut self, now: Timestamp, accounts: &[AccountId], out: &mut Outbox) {
        self.now = self.now.max(now);
        for at in 0..self.books.len() {
            for index in self.books[at].resting.clone() {
                let order = &self.orders[index as usize].order;
                if order.is_open() && accounts.contains(&order.account) {
                    self.close(index, OrdStatus::Canceled, None, out);
                }
            }
        }
        self.sweep();
    }

    /// Books an execution that matching did not make: one that comes late, also after the order's end,
    /// or with a quantity below zero one that takes an earlier one back.
    ///
    /// # Errors
    /// No such order, or more than it asked for or has filled.
    pub fn execute(
        &mut self,
        now: Timestamp,
        index: OrderIndex,
        qty: Qty,
        price: Price,
        out: &mut Outbox,
    ) -> Result<(), Reason> {
        self.now = self.now.max(now);
        let Some(record) = self.orders.get_mut(index as usize) else {
            return Err(Reason::UnknownOrder);
        };
        let order = &mut record.order;
        let after = order.cum.saturating_add(qty);
        if qty.is_zero() || after.is_negative() || after > order.qty {
            return Err(Reason::InvalidOrder);
        }
        let (account, id, side) = (order.account, order.instrument, order.terms.side);
        if !self.accounts.can_book(account, id, side, qty) {
            return Err(Reason::InvalidOrder);
        }
        let multiplier = self.instruments.get(id).multiplier;
        self.accounts.book(account, id, multiplier, side, qty, price, Notional::ZERO);
        let open = order.is_open();
        order.cum = after;
        let done = open && after == order.qty;
        if open {
            let none = after.is_zero();
            order.status = if none { OrdStatus::New } else { OrdStatus::PartiallyFilled };
        }
        if done {
            order.status = OrdStatus::Filled;
        }
        let kind = if qty.is_negative() { ExecType::TradeCancel } else { ExecType::Trade };
        self.report(index, kind, Some((qty, price, Notional::ZERO)), out);
        if open && qty.is_positive() {
            self.after_fill(index, qty, out);
        }
        if done {
            self.close(index, OrdStatus::Filled, None, out);
        }
        self.sweep();
        Ok(())
    }

    /// Appends an order to the list, known by its id from now on.
    fn add(&mut self, new: &NewOrder, cl_ord_id: ClientOrderId, terms: OrderTerms) -> OrderIndex {
        let index = self.orders.len() as OrderIndex;
        let qty = match terms.qty {
            OrderQty::Units(qty) => qty,
            OrderQty::Cash(_) => Qty::ZERO,
        };
        let order = Order {
            index,
            cl_ord_id,
            earlier_ids: Vec::new(),
            account: new.account,
            instrument: new.instrument,
            terms,
            qty,
            cum: Qty::ZERO,
            status: OrdStatus::New,
            reason: None,
            triggered: false,
            arrived: false,
            best: None,
            expires: None,
            released: None,
            excludes: None,
            legs: [None; 2],
            changed: 0,
        };
        self.ids.insert(cl_ord_id, index);
        self.orders.push(OrderRecord { order, fills: Vec::new() });
        index
    }

    /// Puts an order that is still open into its book.
    fn rest(&mut self, index: OrderIndex) {
        let order = &self.orders[index as usize].order;
        if order.is_open() {
            self.books[order.instrument.index()].resting.push(index);
            self.set_expiry(index);
        }
    }

    fn set_expiry(&mut self, index: OrderIndex) {
        let order = &mut self.orders[index as usize].order;
        if !order.is_open() {
            return;
        }
        order.expires = match order.terms.tif {
            TimeInForce::Day => {
                let calendar = self.instruments.get(order.instrument).calendar;
                Some(self.rules.day_end(self.now, calendar, order.terms.extended_hours))
            }
            TimeInForce::Gtd => order.terms.expire_at,
            _ => None,
        };
        if let Some(at) = order.expires {
            self.expiries.insert((at, index));
            self.set_due();
        }
    }

    fn set_due(&mut self) {
        self.due = self.expiries.first().map_or(Timestamp::MAX, |&(at, _)| at);
    }

    /// Ends an open order and what depends on it.
    pub(super) fn close(
        &mut self,
        index: OrderIndex,
        status: OrdStatus,
        reason: Option<Reason>,
        out: &mut Outbox,
    ) {
        let order = &mut self.orders[index as usize].order;
        order.status = status;
        order.reason = reason;
        if let Some(at) = order.expires {
            self.expiries.remove(&(at, index));
            self.set_due();
        }
        let order = &self.orders[index as usize].order;
        self.stale.push(order.instrument);
        match status {
            // The fill itself is the report.
            OrdStatus::Filled => {}
            OrdStatus::Expired => self.report(index, ExecType::Expired, None, out),
            OrdStatus::Rejected => self.report(index, ExecType::Rejected, None, out),
            _ => self.report(index, ExecType::Canceled, None, out),
        }
        self.settle_legs(index, out);
    }

    /// Takes closed orders out of the books.
    pub(super) fn sweep(&mut self) {
        while let Some(id) = self.stale.pop() {
            let orders = &self.orders;
            self.books[id.index()].resting.retain(|&index| orders[index as usize].order.is_open());
        }
    }
}
