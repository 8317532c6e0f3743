//! Replaces and cancels.

use super::floor::AlpacaVenue;
use super::record::RecordId;
use crate::alpaca::{ApiError, Event, OrderClass, OrderStatus, PatchOrder, Uuid, rules};
use crate::msg::{CancelOrder, OrderTerms, ReplaceOrder};
use crate::types::{AccountId, OrderQty, Qty, Reason, Timestamp};
use serde_json::{Value, json};

const NOT_ROUTED: &str = "unable to replace order, order isn't sent to exchange yet";

impl AlpacaVenue {
    /// The order of an account that a path names.
    pub(super) fn find_order(&self, account: AccountId, id: &str) -> Result<RecordId, ApiError> {
        let missing = || ApiError::not_found(format!("order not found for {id}"));
        let uuid: Uuid = id.parse().map_err(|_| missing())?;
        self.records.find(account, uuid).ok_or_else(missing)
    }

    /// Puts another order in the place of one: its record, which stands for the order from now on.
    pub(super) fn replace(
        &mut self,
        id: RecordId,
        patch: &PatchOrder,
    ) -> Result<RecordId, ApiError> {
        let record = self.records.get(id).clone();
        match record.status {
            OrderStatus::New | OrderStatus::PartiallyFilled | OrderStatus::Held => {}
            OrderStatus::Accepted | OrderStatus::PendingNew => {
                return Err(ApiError::unprocessable(NOT_ROUTED));
            }
            ref status => {
                let state = status.as_str();
                return Err(ApiError::unprocessable(format!(
                    "order is already in \"{state}\" state"
                )));
            }
        }
        if record.class == OrderClass::Oto {
            return Err(ApiError::unprocessable("oto orders cannot be replaced"));
        }
        let terms = self.new_terms(id, patch)?;
        // Another name alone is a change as well.
        if terms == record.terms && patch.client_order_id.is_none() {
            return Err(ApiError::forbidden("order parameters are not changed"));
        }
        if let Some(client_id) = &patch.client_order_id {
            self.check_client_id(record.account, client_id)?;
        }
        let (account, asset) = (record.account, record.asset);
        let exit = record.parent.is_some() || record.class == OrderClass::Oco;
        if !exit {
            self.check_wash_but(id, &terms)?;
            let rest = match terms.qty {
                OrderQty::Units(qty) => OrderQty::Units((qty - record.cum).max(Qty::ZERO)),
                cash @ OrderQty::Cash(_) => cash,
            };
            let open = OrderTerms { qty: rest, ..terms };
            self.check_cover(account, asset, &open, record.leaves(), self.reserve(&record))?;
        }
        let new_id = self.records.next_id();
        let client_id = patch.client_order_id.clone();
        let mut new = self.new_record(new_id, account, asset, terms, client_id);
        let request =
            ReplaceOrder { orig_cl_ord_id: record.name, cl_ord_id: new.name, intent: 0, terms };
        // What the exchange says of the order from here on is said of the new record.
        let now = self.now;
        new.class.clone_from(&record.class);
        new.intent.clone_from(&record.intent);
        new.order = record.order;
        new.parent = record.parent;
        new.legs.clone_from(&record.legs);
        new.replaces = Some(id);
        new.cum = record.cum;
        new.value = record.value;
        new.status = match record.status {
            OrderStatus::Held => OrderStatus::Held,
            _ => OrderStatus::New,
        };
        self.refused = None;
        self.exchange.replace(now, &request, &mut self.out);
        if self
            .out
            .reports
            .iter()
            .any(|report| matches!(report.report, crate::msg::Report::CancelReject(_)))
        {
            self.follow();
            return Err(refusal(self.refused.take()));
        }
        let held = new.status == OrderStatus::Held;
        self.records.change(id, now, |old| {
            old.status = OrderStatus::Replaced;
            old.replaced_by = Some(new_id);
            old.replaced_at = Some(now);
        });
        self.records.put(new_id, new);
        self.relink(id, new_id, now);
        if !held {
            self.tell(id, Event::Replaced);
            self.tell(new_id, Event::New);
        }
        self.follow();
        Ok(new_id)
    }

    /// Tells the group of a replaced order who stands in its place.
    fn relink(&mut self, old: RecordId, new: RecordId, now: Timestamp) {
        if let Some(parent) = self.records.get(new).parent {
            self.records.change(parent, now, |parent| {
                parent.legs.iter_mut().filter(|leg| **leg == old).for_each(|leg| *leg = new);
            });
        }
        for leg in self.records.get(new).legs.clone() {
            self.records.change(leg, now, |leg| leg.parent = Some(new));
        }
    }

    /// The wash rule for an order that one takes the place of: the rule counts the others only.
    fn check_wash_but(&self, id: RecordId, terms: &OrderTerms) -> Result<(), ApiError> {
        let record = self.records.get(id);
        self.check_wash(record.account, record.asset, terms, &record.class)
    }

    /// The terms of an order after a patch. A notional order that names units since stays one.
    fn new_terms(&self, id: RecordId, patch: &PatchOrder) -> Result<OrderTerms, ApiError> {
        let record = self.records.get(id);
        let crypto = self.assets.is_crypto(record.asset);
        let qty = record.qty.map_or(record.terms.qty, OrderQty::Units);
        let before = OrderTerms { qty, ..record.terms };
        rules::patched(&before, record.cum, patch, crypto)
    }

    /// Takes an order back, and those that hang together with it. Repeating it is no error.
    pub(super) fn cancel(&mut self, id: RecordId) -> Result<(), ApiError> {
        let status = &self.records.get(id).status;
        match status {
            OrderStatus::Canceled | OrderStatus::Expired => return Ok(()),
            _ if status.is_terminal() => {
                return Err(ApiError::unprocessable(format!(
                    "order is already in \"{}\" state",
                    status.as_str()
                )));
            }
            _ => {}
        }
        let record = self.records.get(id);
        let is_exit = record.parent.is_some() || record.class == OrderClass::Oco;
        let group = if is_exit { self.records.group(id) } else { vec![id] };
        self.cancel_one(id);
        for other in group {
            if self.records.get(other).is_open() {
                self.cancel_one(other);
            }
        }
        Ok(())
    }

    fn cancel_one(&mut self, id: RecordId) {
        let record = self.records.get(id);
        if record.order.is_some() {
            let cancel = CancelOrder::of(record.name);
            self.exchange.cancel(self.now, &cancel, &mut self.out);
            return self.follow();
        }
        let now = self.now;
        self.records.change(id, now, |record| {
            record.status = OrderStatus::Canceled;
            record.canceled_at = Some(now);
        });
        self.tell(id, Event::Canceled);
    }

    /// Takes all open orders of an account back: a row for each.
    pub(super) fn cancel_all(&mut self, account: AccountId) -> Vec<Value> {
        let open: Vec<RecordId> = self
            .records
            .open()
            .filter(|(_, record)| record.account == account && record.parent.is_none())
            .map(|(id, _)| id)
            .chain(
                // Exits whose entry is done stand alone.
                self.records.open().filter_map(|(id, record)| {
                    let parent = record.parent.map(|parent| self.records.get(parent))?;
                    (record.account == account && !parent.is_open()).then_some(id)
                }),
            )
            .collect();
        let rows = open.into_iter().map(|id| {
            let order = self.records.get(id).id;
            match self.cancel(id) {
                Ok(()) => json!({"id": order, "status": 200, "body": self.show(id, false)}),
                Err(error) => json!({"id": order, "status": error.status, "body": error.body()}),
            }
        });
        rows.collect()
    }
}

/// Why the exchange refused a replace.
fn refusal(reason: Option<Reason>) -> ApiError {
    match reason {
        Some(Reason::BrokerTooLate) => ApiError::unprocessable("order is not open"),
        Some(Reason::InvalidOrder) => ApiError::unprocessable("invalid order parameters"),
        _ => ApiError::unprocessable("unable to replace order"),
    }
}
