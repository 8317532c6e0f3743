//! The gateway's own view of the market: the latest quote and trade, nothing older.

use super::backend::DropIn;
use crate::alpaca::{ApiError, Params};
use crate::types::InstrumentId;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

impl DropIn {
    /// `/v2/stocks/...` and `/v1beta3/crypto/{loc}/...`, as far as it is there.
    pub(super) fn market_data(
        &self,
        crypto: bool,
        path: &[String],
        query: &Params,
    ) -> Result<Value, ApiError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (names, kind, one) = match path.as_slice() {
            [kind @ ("quotes" | "trades"), "latest"] if !crypto => {
                (query.list("symbols"), *kind, None)
            }
            ["latest", kind @ ("quotes" | "trades")] if crypto => {
                (query.list("symbols"), *kind, None)
            }
            [symbol, kind @ ("quotes" | "trades"), "latest"] if !crypto => {
                (vec![(*symbol).to_owned()], *kind, Some(*symbol))
            }
            _ => return Err(ApiError::no_endpoint()),
        };
        let mut asked = Vec::new();
        for name in names {
            let id = self.assets.find(&name).filter(|id| self.assets.is_crypto(*id) == crypto);
            let id = id.ok_or_else(|| ApiError::bare(400, &format!("invalid symbol: {name}")))?;
            asked.push(id);
        }
        let rows = self.latest(kind == "quotes", asked)?;
        let single = kind.trim_end_matches('s');
        Ok(match one {
            Some(symbol) => json!({"symbol": symbol, single: rows.get(symbol)}),
            None => json!({ kind: rows }),
        })
    }

    fn latest(
        &self,
        quotes: bool,
        asked: Vec<InstrumentId>,
    ) -> Result<Map<String, Value>, ApiError> {
        let seen = self.handle.call(move |desk, _, _| {
            let market = &desk.lane.market;
            let row = |id| (id, market.touch(id), market.last_trade(id), market.updated(id));
            asked.into_iter().map(row).collect::<Vec<_>>()
        })?;
        let show = |(id, touch, last, at)| {
            let touch: crate::actors::market::Touch = touch;
            let last: Option<crate::types::Price> = last;
            let at: crate::types::Timestamp = at;
            // Market data writes numbers.
            let price = |price: crate::types::Price| price.to_decimal().to_f64();
            let size = |qty: crate::types::Qty| qty.to_decimal().to_f64();
            let row = if quotes {
                (touch.bid.is_positive() || touch.ask.is_positive()).then(|| {
                    json!({
                        "t": at.to_string(), "ax": "V", "ap": price(touch.ask), "as": size(touch.ask_size),
                        "bx": "V", "bp": price(touch.bid), "bs": size(touch.bid_size), "c": ["R"], "z": "C",
                    })
                })
            } else {
                last.map(|last| {
                    json!({"t": at.to_string(), "x": "V", "p": price(last), "s": 0, "c": ["@"], "i": 0, "z": "C"})
                })
            };
            row.map(|row| (self.assets.get(id).symbol.clone(), row))
        };
        Ok(seen.into_iter().filter_map(show).collect())
    }
}
