//! What only a local venue has, below `/__sim/`: faults, busts, late fills.
//!
//! | request | does |
//! |---|---|
//! | `POST faults` with a rule | sets it; `GET` lists, `DELETE` clears |
//! | `POST disconnect` | ends all sockets |
//! | `POST bust?order=ID` | takes the order's last execution back |
//! | `POST fill?order=ID&qty=Q&price=P` | an execution outside the market, also after the order's end |

use super::faults::Rule;
use super::floor::AlpacaVenue;
use super::record::RecordId;
use crate::alpaca::{ApiError, Method, Number, Params, Reply};
use crate::types::{Price, Qty};
use serde_json::json;

impl AlpacaVenue {
    /// A request below `/__sim/`.
    pub(super) fn sim(
        &mut self,
        method: Method,
        path: &[String],
        query: &Params,
        body: &[u8],
    ) -> Result<Reply, ApiError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (method, path.as_slice()) {
            (Method::Post, ["faults"]) => {
                let rule: Rule = serde_json::from_slice(body)
                    .map_err(|error| ApiError::invalid(format!("fault: {error}")))?;
                self.faults.set(rule);
                Ok(Reply::ok(json!({"faults": self.faults.rules()})))
            }
            (Method::Get, ["faults"]) => Ok(Reply::ok(json!({"faults": self.faults.rules()}))),
            (Method::Delete, ["faults"]) => {
                self.faults.clear();
                Ok(Reply::empty())
            }
            (Method::Post, ["disconnect"]) => {
                self.sockets.close_all();
                Ok(Reply::empty())
            }
            (Method::Post, ["bust"]) => {
                let id = self.sim_order(query)?;
                let last = self.activities.all().iter().rev();
                let last = last.clone().find(|fill| fill.record == id && fill.qty.is_positive());
                let fill = *last.ok_or_else(|| ApiError::invalid("the order has no execution"))?;
                self.busted = Some(fill.id(self.seed));
                self.execute(id, -fill.qty, fill.price)?;
                Ok(Reply::ok(self.show(id, false)))
            }
            (Method::Post, ["fill"]) => {
                let id = self.sim_order(query)?;
                let number = |key: &str| -> Result<Number, ApiError> {
                    let missing = || ApiError::invalid(format!("{key} is required"));
                    query.parse(key)?.map(Number).ok_or_else(missing)
                };
                let bad = || ApiError::invalid("qty and price must be > 0");
                let qty = number("qty")?.qty().filter(|qty| qty.is_positive()).ok_or_else(bad)?;
                let price =
                    number("price")?.price().filter(|price| price.is_positive()).ok_or_else(bad)?;
                self.execute(id, qty, price)?;
                Ok(Reply::ok(self.show(id, false)))
            }
            _ => Err(ApiError::no_endpoint()),
        }
    }

    /// The order that `order` names, of any account.
    fn sim_order(&self, query: &Params) -> Result<RecordId, ApiError> {
        let id = query.get("order").unwrap_or_default();
        let found = self.members.iter().find_map(|one| self.find_order(one.account, id).ok());
        found.ok_or_else(|| ApiError::not_found(format!("order not found for {id}")))
    }

    /// Books an execution that the market did not make.
    fn execute(&mut self, id: RecordId, qty: Qty, price: Price) -> Result<(), ApiError> {
        let order = self.records.get(id).order;
        let order = order.ok_or_else(|| ApiError::invalid("the order is not at the exchange"))?;
        self.exchange
            .execute(self.now, order, qty, price, &mut self.out)
            .map_err(|reason| ApiError::invalid(format!("{reason:?}")))?;
        self.follow();
        Ok(())
    }
}
