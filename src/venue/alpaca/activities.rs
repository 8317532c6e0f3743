//! Executions, as the account's activities tell of them.

use super::floor::AlpacaVenue;
use super::ids;
use super::record::RecordId;
use crate::alpaca::terms::side_word;
use crate::alpaca::{Activity, ApiError, Params, Reply, Time, Uuid};
use crate::types::{AccountId, Price, Qty, Timestamp};
use serde::{Deserialize, Serialize};

/// An execution. A quantity below zero takes an earlier one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fill {
    /// The exchange's number of it.
    pub exec: u64,
    pub record: RecordId,
    pub time: Timestamp,
    pub qty: Qty,
    pub price: Price,
    /// Of the order after it.
    pub cum: Qty,
    pub leaves: Qty,
    pub done: bool,
}

impl Fill {
    pub fn id(&self, seed: u64) -> Uuid {
        ids::of_count(seed, "execution", self.exec)
    }
}

/// All executions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Activities {
    list: Vec<Fill>,
    saved: usize,
}

impl Activities {
    pub fn add(&mut self, fill: Fill) {
        self.list.push(fill);
    }
    /// Those that came since the last call.
    pub fn take_new(&mut self) -> Vec<Fill> {
        let from = std::mem::replace(&mut self.saved, self.list.len());
        self.list[from..].to_vec()
    }
    pub fn all(&self) -> &[Fill] {
        &self.list
    }
}

const MAX_PAGE: usize = 100;

impl AlpacaVenue {
    /// `GET /v2/account/activities`. Only executions happen here.
    pub(super) fn list_activities(
        &self,
        account: AccountId,
        types: &[String],
        query: &Params,
    ) -> Result<Reply, ApiError> {
        let size = query.parse::<usize>("page_size")?.unwrap_or(MAX_PAGE);
        if size == 0 || size > MAX_PAGE {
            return Err(ApiError::invalid("page_size must be between 1 and 100"));
        }
        let (after, until) = (query.parse::<Time>("after")?, query.parse::<Time>("until")?);
        let day = query.get("date").map(|text| {
            crate::alpaca::read_date(text.get(..10).unwrap_or(text))
                .ok_or_else(|| ApiError::invalid(format!("invalid date: {text}")))
        });
        let day = day.transpose()?;
        let trades = types.is_empty() || types.iter().any(|kind| kind == "FILL");
        let trades = trades && query.get("category").is_none_or(|word| word == "trade_activity");
        let date = |at| crate::types::calendar::Zone::NewYork.date(at);
        let fits = |fill: &&Fill| {
            trades
                && self.records.get(fill.record).account == account
                && fill.qty.is_positive()
                && after.is_none_or(|after| fill.time > after.0)
                && until.is_none_or(|until| fill.time < until.0)
                && day.is_none_or(|day| date(fill.time) == day)
        };
        let mut found: Vec<&Fill> = self.activities.all().iter().filter(fits).collect();
        match query.get("direction") {
            None | Some("desc") => found.reverse(),
            Some("asc") => {}
            Some(word) => return Err(ApiError::invalid(format!("invalid direction: {word}"))),
        }
        let from = match query.get("page_token") {
            None => 0,
            Some(token) => found
                .iter()
                .position(|fill| self.activity_id(fill) == token)
                .map(|at| at + 1)
                .ok_or_else(|| ApiError::invalid("invalid page_token"))?,
        };
        let rows: Vec<Activity> =
            found[from..].iter().take(size).map(|fill| self.show_fill(fill)).collect();
        Ok(Reply::ok(rows))
    }

    fn activity_id(&self, fill: &Fill) -> String {
        let time: String =
            fill.time.to_string().chars().filter(char::is_ascii_digit).take(17).collect();
        format!("{time}::{}", fill.id(self.seed))
    }

    fn show_fill(&self, fill: &Fill) -> Activity {
        let record = self.records.get(fill.record);
        Activity {
            activity_type: "FILL".to_owned(),
            id: self.activity_id(fill),
            transaction_time: Time(fill.time),
            kind: if fill.done { "fill" } else { "partial_fill" }.to_owned(),
            price: fill.price.into(),
            qty: fill.qty.into(),
            side: side_word(record.terms.side),
            symbol: self.assets.get(record.asset).symbol.clone(),
            leaves_qty: fill.leaves.into(),
            cum_qty: fill.cum.into(),
            order_id: record.id,
            order_status: if fill.done { "filled" } else { "partially_filled" }.to_owned(),
        }
    }
}
