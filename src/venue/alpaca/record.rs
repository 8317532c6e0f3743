//! Orders as this protocol sees them. The exchange keeps one order over its replaces, this protocol
//! makes each replace an order of its own; so several records may stand for one order.

use crate::alpaca::{OrderClass, OrderStatus, PositionIntent, Uuid};
use crate::msg::OrderTerms;
use crate::types::{AccountId, ClientOrderId, InstrumentId, Notional, Qty, Timestamp};
use crate::venue::OrderIndex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A record's place in the list, from 0.
pub(super) type RecordId = u32;

/// All that is kept of an order beyond what the exchange keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: Uuid,
    pub client_id: String,
    pub account: AccountId,
    pub asset: InstrumentId,
    pub class: OrderClass,
    /// What it meant to do to the position as that stood when it came.
    pub intent: PositionIntent,
    /// The exchange's order; none while it waits for an auction.
    pub order: Option<OrderIndex>,
    /// The name that the exchange knows it by.
    pub name: ClientOrderId,
    pub parent: Option<RecordId>,
    pub legs: Vec<RecordId>,
    pub replaces: Option<RecordId>,
    pub replaced_by: Option<RecordId>,
    pub status: OrderStatus,
    pub terms: OrderTerms,
    /// Total units; none of a notional order.
    pub qty: Option<Qty>,
    /// Units filled, those before a replace included.
    pub cum: Qty,
    /// What they cost in total.
    pub value: Notional,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub filled_at: Option<Timestamp>,
    pub expired_at: Option<Timestamp>,
    pub canceled_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub replaced_at: Option<Timestamp>,
    /// When an auction order goes to the exchange.
    pub auction: Option<Timestamp>,
}

impl Record {
    pub fn is_open(&self) -> bool {
        !self.status.is_terminal()
    }
    pub fn leaves(&self) -> Qty {
        self.qty.map_or(Qty::ZERO, |qty| (qty - self.cum).max(Qty::ZERO))
    }
    /// Reserves and opposes others: working, not a leg that waits.
    pub fn counts(&self) -> bool {
        self.is_open() && self.status != OrderStatus::Held
    }
}

/// The records, and the ways to them.
#[derive(Debug, Default)]
pub(super) struct Records {
    list: Vec<Record>,
    by_id: BTreeMap<Uuid, RecordId>,
    by_client_id: BTreeMap<(AccountId, String), RecordId>,
    by_order: BTreeMap<OrderIndex, RecordId>,
    /// Those that are open.
    open: BTreeSet<RecordId>,
    /// Those that changed since they were saved.
    changed: BTreeSet<RecordId>,
}

impl Records {
    pub fn len(&self) -> usize {
        self.list.len()
    }
    pub fn all(&self) -> &[Record] {
        &self.list
    }
    pub fn get(&self, id: RecordId) -> &Record {
        &self.list[id as usize]
    }

    /// Puts a record in its place, a new one or what became of an old one.
    pub fn put(&mut self, id: RecordId, record: Record) {
        let at = id as usize;
        if record.is_open() {
            self.open.insert(id);
        } else {
            self.open.remove(&id);
        }
        if record.status != OrderStatus::Replaced
            && let Some(order) = record.order
        {
            self.by_order.insert(order, id);
        }
        self.changed.insert(id);
        if at < self.list.len() {
            self.list[at] = record;
            return;
        }
        self.by_id.insert(record.id, id);
        self.by_client_id.insert((record.account, record.client_id.clone()), id);
        self.list.push(record);
    }

    /// Changes a record.
    pub fn change(&mut self, id: RecordId, now: Timestamp, change: impl FnOnce(&mut Record)) {
        let mut record = self.list[id as usize].clone();
        change(&mut record);
        record.updated = now;
        self.put(id, record);
    }

    pub fn next_id(&self) -> RecordId {
        self.list.len() as RecordId
    }
    pub fn find(&self, account: AccountId, id: Uuid) -> Option<RecordId> {
        self.by_id.get(&id).copied().filter(|&id| self.get(id).account == account)
    }
    pub fn find_client_id(&self, account: AccountId, client_id: &str) -> Option<RecordId> {
        self.by_client_id.get(&(account, client_id.to_owned())).copied()
    }
    /// The record that stands for an order of the exchange now.
    pub fn of_order(&self, order: OrderIndex) -> Option<RecordId> {
        self.by_order.get(&order).copied()
    }
    /// Open orders, oldest first.
    pub fn open(&self) -> impl Iterator<Item = (RecordId, &Record)> {
        self.open.iter().map(|&id| (id, self.get(id)))
    }
    /// What changed since the last call.
    pub fn take_changed(&mut self) -> Vec<RecordId> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }
    /// The group of orders that an order belongs to, itself included.
    pub fn group(&self, id: RecordId) -> Vec<RecordId> {
        let head = self.get(id).parent.unwrap_or(id);
        std::iter::once(head).chain(self.get(head).legs.iter().copied()).collect()
    }
}
