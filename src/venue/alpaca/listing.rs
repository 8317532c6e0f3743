//! Lists of orders: filters, order, pages.

use super::floor::AlpacaVenue;
use super::record::{Record, RecordId};
use super::show::side_word;
use crate::alpaca::{ApiError, AssetClass, Order, OrderStatus, Params, SideWord, Time, Uuid};
use crate::types::{AccountId, InstrumentId};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

impl AlpacaVenue {
    /// `GET /v2/orders`.
    pub(super) fn list_orders(
        &self,
        account: AccountId,
        query: &Params,
    ) -> Result<Vec<Order>, ApiError> {
        let limit = query.parse::<usize>("limit")?.unwrap_or(DEFAULT_LIMIT);
        if limit == 0 || limit > MAX_LIMIT {
            return Err(ApiError::invalid("limit must be between 1 and 500"));
        }
        let after = query.parse::<Time>("after")?;
        let until = query.parse::<Time>("until")?;
        let place = |key: &str| -> Result<Option<RecordId>, ApiError> {
            let Some(id) = query.parse::<Uuid>(key)? else { return Ok(None) };
            let missing = || ApiError::not_found(format!("order not found for {id}"));
            self.records.find(account, id).map(Some).ok_or_else(missing)
        };
        let (before_order, after_order) = (place("before_order_id")?, place("after_order_id")?);
        if (before_order.is_some() || after_order.is_some())
            && (after.is_some()
                || until.is_some()
                || (before_order.is_some() && after_order.is_some()))
        {
            return Err(ApiError::unprocessable(
                "before_order_id, after_order_id and after/until exclude each other",
            ));
        }
        let ascending = match query.get("direction") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(word) => return Err(ApiError::invalid(format!("invalid direction: {word}"))),
        };
        let status = query.get("status").unwrap_or("open");
        let wanted = |record: &Record| match status {
            "open" => record.is_open() && record.status != OrderStatus::Held,
            "closed" => !record.is_open(),
            _ => true,
        };
        if !["open", "closed", "all"].contains(&status) {
            return Err(ApiError::invalid(format!("invalid status: {status}")));
        }
        let symbols: Vec<InstrumentId> =
            query.list("symbols").iter().filter_map(|name| self.assets.find(name)).collect();
        let any_symbol = query.get("symbols").is_none();
        let side = query.get("side").map(SideWord::from);
        let class = query.get("asset_class").map(AssetClass::from);
        let nested = query.flag("nested");
        let fits = |id: RecordId, record: &Record| {
            record.account == account
                && wanted(record)
                && !(nested && record.parent.is_some_and(|head| wanted(self.records.get(head))))
                && after.is_none_or(|after| record.created > after.0)
                && until.is_none_or(|until| record.created < until.0)
                && after_order.is_none_or(|after| id > after)
                && before_order.is_none_or(|before| id < before)
                && (any_symbol || symbols.contains(&record.asset))
                && side.as_ref().is_none_or(|side| *side == side_word(record.terms.side))
                && class.as_ref().is_none_or(|class| *class == self.assets.get(record.asset).class)
        };
        let found = |id: &RecordId| fits(*id, self.records.get(*id));
        let ids = 0..self.records.len() as RecordId;
        // Open orders are few and have a list of their own.
        let show = |id: RecordId| self.show(id, nested);
        Ok(match (status, ascending) {
            ("open", true) => {
                self.records.open().map(|(id, _)| id).filter(found).take(limit).map(show).collect()
            }
            ("open", false) => {
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
