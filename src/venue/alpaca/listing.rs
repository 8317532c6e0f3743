//! Lists of orders.

use super::floor::AlpacaVenue;
use super::record::{Record, RecordId};
use crate::alpaca::terms::side_word;
use crate::alpaca::{ApiError, Order, OrderQuery, OrderStatus, Params, Uuid, Wanted};
use crate::types::{AccountId, InstrumentId};

impl AlpacaVenue {
    /// `GET /v2/orders`.
    pub(super) fn list_orders(
        &self,
        account: AccountId,
        query: &Params,
    ) -> Result<Vec<Order>, ApiError> {
        let query = OrderQuery::read(query)?;
        let place = |id: Option<Uuid>| -> Result<Option<RecordId>, ApiError> {
            let Some(id) = id else { return Ok(None) };
            let missing = || ApiError::not_found(format!("order not found for {id}"));
            self.records.find(account, id).map(Some).ok_or_else(missing)
        };
        let (before_order, after_order) = (place(query.before_order)?, place(query.after_order)?);
        let wanted = |record: &Record| match query.wanted {
            Wanted::Open => record.is_open() && record.status != OrderStatus::Held,
            Wanted::Closed => !record.is_open(),
            Wanted::All => true,
        };
        let symbols = query.symbols.as_ref().map(|names| {
            names.iter().filter_map(|name| self.assets.find(name)).collect::<Vec<InstrumentId>>()
        });
        let (side, class, nested) = (&query.side, &query.class, query.nested);
        let fits = |id: RecordId, record: &Record| {
            record.account == account
                && wanted(record)
                && !(nested && record.parent.is_some_and(|head| wanted(self.records.get(head))))
                && query.after.is_none_or(|after| record.created > after.0)
                && query.until.is_none_or(|until| record.created < until.0)
                && after_order.is_none_or(|after| id > after)
                && before_order.is_none_or(|before| id < before)
                && symbols.as_ref().is_none_or(|symbols| symbols.contains(&record.asset))
                && side.as_ref().is_none_or(|side| *side == side_word(record.terms.side))
                && class.as_ref().is_none_or(|class| *class == self.assets.get(record.asset).class)
        };
        let found = |id: &RecordId| fits(*id, self.records.get(*id));
        let ids = 0..self.records.len() as RecordId;
        // Open orders are few and have a list of their own.
        let show = |id: RecordId| self.show(id, nested);
        let limit = query.limit;
        Ok(match (query.wanted, query.ascending) {
            (Wanted::Open, true) => {
                self.records.open().map(|(id, _)| id).filter(found).take(limit).map(show).collect()
            }
            (Wanted::Open, false) => {
                let mut open: Vec<RecordId> =
                    self.records.open().map(|(id, _)| id).filter(found).collect();
                open.reverse();
                open.into_iter().take(limit).map(show).collect()
            }
            (_, true) => ids.filter(found).take(limit).map(show).collect(),
            (_, false) => ids.rev().filter(found).take(limit).map(show).collect(),
        })
    }
}
