//! Lists of orders and of executions.

use super::backend::{DropIn, Program};
use super::ids;
use super::look::{self, Sight};
use crate::actors::oms::Fill;
use crate::alpaca::terms::side_word;
use crate::alpaca::{
    Activity, ApiError, Order, OrderQuery, OrderStatus, Params, Time, Uuid, Wanted, read_date,
};
use crate::types::calendar::Zone;
use crate::types::{ClientOrderId, Qty, Side, Timestamp};

/// Orders that are looked at in one turn of the core.
const LOOK: usize = 256;
const MAX_PAGE: usize = 100;
/// Executions that are looked at in one turn of the core, of all agents.
const SCAN: usize = 65_536;

impl DropIn {
    /// `GET /v2/orders`.
    pub(super) fn list_orders(
        &self,
        program: &Program,
        query: &Params,
    ) -> Result<Vec<Order>, ApiError> {
        let query = OrderQuery::read(query)?;
        let agent = program.id;
        let mut ids = match query.wanted {
            Wanted::Open => {
                let mut open = self.handle.call(move |desk, _, _| look::open(desk, agent))?;
                open.sort_unstable();
                open
            }
            Wanted::Closed | Wanted::All => self.records.of(agent).to_vec(),
        };
        let place = |id: Option<Uuid>| -> Result<Option<ClientOrderId>, ApiError> {
            let Some(id) = id else { return Ok(None) };
            let missing = || ApiError::not_found(format!("order not found for {id}"));
            let own = ids::order(id).filter(|id| self.records.get(*id).is_some());
            own.filter(|id| id.agent == agent).map(Some).ok_or_else(missing)
        };
        // Names count up, over boots as well.
        let rank = |id: ClientOrderId| (id.epoch, id.seq);
        let (before, after) = (place(query.before_order)?, place(query.after_order)?);
        ids.retain(|&id| {
            before.is_none_or(|before| rank(id) < rank(before))
                && after.is_none_or(|after| rank(id) > rank(after))
        });
        if !query.ascending {
            ids.reverse();
        }
        let mut rows = Vec::new();
        for chunk in ids.chunks(LOOK) {
            let families = chunk.iter().flat_map(|id| self.family(*id)).collect();
            let sight = self.look(families)?;
            for &id in chunk {
                if let Some(order) = self.row(id, &query, &sight) {
                    rows.push(order);
                    if rows.len() == query.limit {
                        return Ok(rows);
                    }
                }
            }
        }
        Ok(rows)
    }

    fn row(&self, id: ClientOrderId, query: &OrderQuery, sight: &Sight) -> Option<Order> {
        let record = self.record(id, sight.get(&id)?)?;
        let wanted = |status: &OrderStatus| match query.wanted {
            Wanted::Open => !status.is_terminal() && *status != OrderStatus::Held,
            Wanted::Closed => status.is_terminal(),
            Wanted::All => true,
        };
        let status = |id: ClientOrderId| sight.get(&id).map(|seen| self.status(id, seen));
        let head = record.parent.and_then(status);
        let fits = wanted(&status(id)?)
            && !(query.nested && head.is_some_and(|head| wanted(&head)))
            && query.after.is_none_or(|after| record.at > after.0)
            && query.until.is_none_or(|until| record.at < until.0)
            && query.side.as_ref().is_none_or(|side| *side == side_word(record.terms.side));
        if !fits {
            return None;
        }
        let order = self.show(&record, sight, query.nested)?;
        let symbols = query.symbols.as_ref();
        let named = |name: &String| *name == order.symbol || *name == order.symbol.replace('/', "");
        let fits = symbols.is_none_or(|names| names.iter().any(named))
            && query.class.as_ref().is_none_or(|class| *class == order.asset_class);
        fits.then_some(order)
    }

    /// `GET /v2/account/activities`: executions; nothing else happens here.
    pub(super) fn list_activities(
        &self,
        program: &Program,
        types: &[String],
        query: &Params,
    ) -> Result<Vec<Activity>, ApiError> {
        let size = query.parse::<usize>("page_size")?.unwrap_or(MAX_PAGE);
        if size == 0 || size > MAX_PAGE {
            return Err(ApiError::invalid("page_size must be between 1 and 100"));
        }
        let (after, until) = (query.parse::<Time>("after")?, query.parse::<Time>("until")?);
        let day = query.get("date").map(|text| {
            read_date(text.get(..10).unwrap_or(text))
                .ok_or_else(|| ApiError::invalid(format!("invalid date: {text}")))
        });
        let day = day.transpose()?;
        let ascending = match query.get("direction") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(word) => return Err(ApiError::invalid(format!("invalid direction: {word}"))),
        };
        let trades = types.is_empty() || types.iter().any(|kind| kind == "FILL");
        if !trades || query.get("category").is_some_and(|word| word != "trade_activity") {
            return Ok(Vec::new());
        }
        let instance = self.handle.numbers().0;
        let from = query.get("page_token").map(|token| {
            let id = token.split("::").nth(1).and_then(|id| id.parse().ok());
            id.and_then(|id| ids::fill(instance, id))
                .ok_or_else(|| ApiError::invalid("invalid page_token"))
        });
        let mut from = from.transpose()?;
        let mut rows = Vec::new();
        loop {
            let (found, next) = self.fills(program, from, ascending, size - rows.len())?;
            let fits = |at: Timestamp| {
                after.is_none_or(|after| at > after.0)
                    && until.is_none_or(|until| at < until.0)
                    && day.is_none_or(|day| Zone::NewYork.date(at) == day)
            };
            rows.extend(found.into_iter().filter(|row| fits(row.transaction_time.0)));
            from = next;
            if rows.len() == size || from.is_none() {
                return Ok(rows);
            }
        }
    }

    /// So many executions of a program behind the one at place `from`, and where to go on, if there is
    /// more.
    fn fills(
        &self,
        program: &Program,
        from: Option<usize>,
        ascending: bool,
        most: usize,
    ) -> Result<(Vec<Activity>, Option<usize>), ApiError> {
        let agent = program.id;
        let looked = self.handle.call(move |desk, _, _| {
            let Some(core) = &desk.lane.core else { return (Vec::new(), None) };
            let (fills, orders) = (core.oms.fills(), core.oms.orders());
            let mut rows = Vec::new();
            let mut at = from;
            for _ in 0..SCAN {
                let next = match (at, ascending) {
                    (None, true) => Some(0),
                    (None, false) => fills.len().checked_sub(1),
                    (Some(at), true) => at.checked_add(1),
                    (Some(at), false) => at.checked_sub(1),
                };
                let Some((place, fill)) = next.and_then(|at| Some((at, *fills.get(at)?))) else {
                    return (rows, None);
                };
                at = Some(place);
                let order = &orders[fill.order as usize];
                if order.route.agent == agent && fill.qty.is_positive() {
                    rows.push((place, fill, order.cl_ord_id, order.units, order.terms.side));
                    if rows.len() == most {
                        return (rows, at);
                    }
                }
            }
            (rows, at)
        });
        let (rows, next) = looked?;
        let ids = rows.iter().map(|(_, _, id, ..)| *id).collect();
        let sight = self.look(ids)?;
        let instance = self.handle.numbers().0;
        let show = |(place, fill, id, units, side): (usize, Fill, ClientOrderId, Qty, Side)| {
            let record = self.record(id, sight.get(&id)?)?;
            let leaves = (units - fill.cum_qty).max(Qty::ZERO);
            let done = leaves.is_zero();
            let digits = |at: Timestamp| {
                at.to_string().chars().filter(char::is_ascii_digit).take(17).collect::<String>()
            };
            let uuid = ids::of_fill(instance, place);
            Some(Activity {
                activity_type: "FILL".to_owned(),
                id: format!("{}::{uuid}", digits(fill.at)),
                transaction_time: Time(fill.at),
                kind: if done { "fill" } else { "partial_fill" }.to_owned(),
                price: fill.price.into(),
                qty: fill.qty.into(),
                side: side_word(side),
                symbol: record.symbol,
                leaves_qty: leaves.into(),
                cum_qty: fill.cum_qty.into(),
                order_id: ids::of_order(id),
                order_status: if done { "filled" } else { "partially_filled" }.to_owned(),
            })
        };
        Ok((rows.into_iter().filter_map(show).collect(), next))
    }
}
