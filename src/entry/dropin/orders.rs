//! Orders of programs: new ones, new terms, cancels. Each goes through the same gates as any other.

use super::backend::{DropIn, Program};
use super::look::{self, Sight};
use super::records::Record;
use super::refuse::refused;
use super::{ids, show};
use crate::alpaca::rules::{self, Asked};
use crate::alpaca::{ApiError, Order, OrderClass, OrderStatus, PatchOrder, PostOrder, Uuid};
use crate::msg::{
    CancelOrder, Contingent, Leg, NewOrder, OrderRequest, OrderTerms, ReplaceOrder, RequestKind,
};
use crate::types::{ClientOrderId, OrderQty, Reason, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the core made of a request.
enum Decision {
    /// Approved, and on its way.
    Taken,
    /// Refused, with proof that it did not leave.
    Refused(Reason),
    /// The program has used the name; whether that order is open.
    Used(bool),
}

/// The number of what a program wants: follows from its name for it, so that the risk gate, too, lets
/// a name through once. `turn` counts requests of the name that the core refused.
fn intent(client_id: &str, turn: usize) -> u64 {
    let digest = Sha256::digest(format!("{turn}/{client_id}").as_bytes());
    digest.iter().take(8).fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
}

impl DropIn {
    /// `POST /v2/orders`.
    pub(super) fn post(&mut self, program: &Program, post: &PostOrder) -> Result<Order, ApiError> {
        let symbol = post.symbol.as_deref().unwrap_or_default();
        if symbol.is_empty() {
            return Err(ApiError::invalid("symbol is required"));
        }
        let asset = self.assets.find(symbol);
        let asset = asset
            .ok_or_else(|| ApiError::unprocessable(format!("asset \"{symbol}\" not found")))?;
        let asked = rules::read(post, self.assets.get(asset))?;
        if !program.symbols.contains(&asset) {
            return Err(refused(Reason::SymbolList));
        }
        let named = post.client_order_id.clone().filter(|id| !id.is_empty());

        let now = self.session_time()?;
        let legs = asked.legs.len() as u32;
        let id = self.next_ids(program, 1 + legs);
        let leg_id = |number: u32| ClientOrderId { seq: id.seq + 1 + number, ..id };
        let at = self.stamp(now);
        let name = |id| ids::of_order(id).to_string();
        let head = Record {
            id,
            client_id: named.unwrap_or_else(|| name(id)),
            at,
            symbol: self.assets.get(asset).symbol.clone(),
            class: asked.class.clone(),
            parent: None,
            replaces: None,
            terms: asked.terms,
            ended: None,
        };
        let mut records = vec![head.clone()];
        for (number, terms) in (0..).zip(&asked.legs) {
            let id = leg_id(number);
            let (client_id, at) = (name(id), self.stamp(now));
            let parent = Some(head.id);
            records.push(Record { id, client_id, at, parent, terms: *terms, ..head.clone() });
        }
        let contingent = contingent(&asked, leg_id);
        let turn = self.records.turns(program.id, &head.client_id);
        let new = NewOrder {
            cl_ord_id: id,
            account: program.account,
            instrument: asset,
            intent: intent(&head.client_id, turn),
            terms: asked.terms,
            contingent,
            parent: None,
        };
        let sight = self.submit(program, OrderRequest::New(new), records)?;
        let shown = self.show(&head, &sight, true);
        shown.map(show::fresh).ok_or_else(|| ApiError::bare(500, "the order is not in the books"))
    }

    /// Notes a request, hands it to the core, and gives what the core knows of its orders afterwards.
    /// A name that was used is found on the core's own lane, behind every request before this one.
    fn submit(
        &mut self,
        program: &Program,
        request: OrderRequest,
        records: Vec<Record>,
    ) -> Result<Sight, ApiError> {
        let agent = program.id;
        let ids: Vec<ClientOrderId> = records.iter().map(|record| record.id).collect();
        let before = self.records.named(agent, &records[0].client_id).to_vec();
        self.records.ask(records).map_err(|error| {
            tracing::error!(%error, "an order could not be noted, so it did not go");
            ApiError::bare(500, "the order could not be noted, so it did not go")
        })?;
        let names = ids.clone();
        let answer = self.handle.call(move |desk, at, _| {
            let core = desk.lane.core.as_ref();
            let used = core.and_then(|core| {
                before.iter().find_map(|id| core.oms.find(*id).map(|(_, order)| order))
            });
            if let Some(order) = used {
                return (Decision::Used(!order.state.is_done()), Sight::new());
            }
            let decision = match desk.request(at, agent, request) {
                Ok(()) => Decision::Taken,
                Err(reason) => Decision::Refused(reason),
            };
            (decision, look::orders(desk, &names))
        });
        let (decision, sight) = answer?;
        match decision {
            Decision::Taken => Ok(sight),
            Decision::Refused(reason) => {
                self.records.refuse(ids);
                Err(refused(reason))
            }
            Decision::Used(open) => {
                self.records.refuse(ids);
                let text = "client_order_id must be unique";
                Err(if open { ApiError::unprocessable(text) } else { ApiError::invalid(text) })
            }
        }
    }

    /// The order of a program that a path names, and what the core knows of it and of its list.
    pub(super) fn find_order(
        &self,
        program: &Program,
        id: &str,
    ) -> Result<(Record, Sight), ApiError> {
        let missing = || ApiError::not_found(format!("order not found for {id}"));
        let uuid: Uuid = id.parse().map_err(|_| missing())?;
        let own = ids::order(uuid).filter(|id| id.agent == program.id).ok_or_else(missing)?;
        let sight = self.look(self.family(own))?;
        let record = sight.get(&own).and_then(|seen| self.record(own, seen)).ok_or_else(missing)?;
        Ok((record, sight))
    }

    /// An order by the name that its program gave it.
    pub(super) fn by_client_id(&self, program: &Program, name: &str) -> Result<Order, ApiError> {
        let missing = || ApiError::not_found(format!("order not found for {name}"));
        let ids = self.records.named(program.id, name).to_vec();
        let sight = self.look(ids.clone())?;
        let known = ids.iter().rev().find(|id| sight.contains_key(id)).ok_or_else(missing)?;
        let record = self.records.get(*known).ok_or_else(missing)?;
        self.show(record, &sight, false).ok_or_else(missing)
    }

    /// `PATCH /v2/orders/{id}`: another order in the place of one.
    pub(super) fn patch(
        &mut self,
        program: &Program,
        id: &str,
        patch: &PatchOrder,
    ) -> Result<Order, ApiError> {
        let (old, sight) = self.find_order(program, id)?;
        let seen = sight.get(&old.id).ok_or_else(ApiError::no_endpoint)?;
        match self.status(old.id, seen) {
            OrderStatus::New | OrderStatus::PartiallyFilled | OrderStatus::Held => {}
            OrderStatus::PendingNew => {
                return Err(ApiError::unprocessable(
                    "unable to replace order, order isn't sent to exchange yet",
                ));
            }
            status => return Err(ended(&status)),
        }
        if old.class == OrderClass::Oto {
            return Err(ApiError::unprocessable("oto orders cannot be replaced"));
        }
        let qty = match seen.order.terms.qty {
            OrderQty::Units(_) => OrderQty::Units(seen.order.units),
            cash @ OrderQty::Cash(_) => cash,
        };
        let before = OrderTerms { qty, ..seen.order.terms };
        let crypto = self.assets.is_crypto(seen.order.route.instrument);
        let terms = rules::patched(&before, seen.order.filled(), patch, crypto)?;
        if terms == before && patch.client_order_id.is_none() {
            return Err(ApiError::forbidden("order parameters are not changed"));
        }
        let named = patch.client_order_id.clone().filter(|id| !id.is_empty());
        if named.as_ref().is_some_and(|name| name.len() > rules::MAX_CLIENT_ID) {
            return Err(ApiError::invalid("client_order_id must be no more than 128 characters"));
        }
        let id = self.next_ids(program, 1);
        let client_id = named.unwrap_or_else(|| ids::of_order(id).to_string());
        let now = self.session_time()?;
        let (at, replaces) = (self.stamp(now), Some(old.id));
        let new = Record { id, client_id, at, replaces, terms, ended: None, ..old.clone() };
        let turn = self.records.turns(program.id, &new.client_id);
        let replace = ReplaceOrder {
            orig_cl_ord_id: old.id,
            cl_ord_id: id,
            intent: intent(&new.client_id, turn),
            terms,
        };
        self.submit(program, OrderRequest::Replace(replace), vec![new.clone()])?;
        self.asked.insert(old.id, RequestKind::Replace);
        let sight = self.look(self.family(id))?;
        let shown = self.show(&new, &sight, true);
        shown.ok_or_else(|| ApiError::bare(500, "the order is not in the books"))
    }

    /// `DELETE /v2/orders/{id}`: takes it back, and those that hang together with it. Repeating it is
    /// no error.
    pub(super) fn cancel(&mut self, program: &Program, id: &str) -> Result<(), ApiError> {
        let (record, sight) = self.find_order(program, id)?;
        self.cancel_group(program, &record, &sight)
    }

    fn cancel_group(
        &mut self,
        program: &Program,
        record: &Record,
        sight: &Sight,
    ) -> Result<(), ApiError> {
        let status = sight.get(&record.id).map(|seen| self.status(record.id, seen));
        match status {
            Some(OrderStatus::Canceled | OrderStatus::Expired | OrderStatus::PendingCancel) => {
                return Ok(());
            }
            Some(status) if status.is_terminal() => return Err(ended(&status)),
            _ => {}
        }
        let is_exit = record.parent.is_some() || record.class == OrderClass::Oco;
        let mut group = vec![record.id];
        if is_exit {
            let others = sight.iter().filter(|(id, seen)| {
                **id != record.id && seen.order.cl_ord_id == **id && !seen.order.state.is_done()
            });
            group.extend(others.map(|(id, _)| *id));
        }
        let (agent, asked) = (program.id, group.clone());
        let answer = self.handle.call(move |desk, at, _| {
            let mut answers = group
                .into_iter()
                .map(|id| desk.request(at, agent, OrderRequest::Cancel(CancelOrder::of(id))));
            let first = answers.next().unwrap_or(Ok(()));
            // The others of a list may have ended with the first.
            answers.for_each(drop);
            first
        })?;
        if answer.is_ok() {
            self.asked.extend(asked.into_iter().map(|id| (id, RequestKind::Cancel)));
        }
        match answer {
            Ok(()) | Err(Reason::ChangePending) => Ok(()),
            Err(Reason::UnknownOrder) => Err(ApiError::unprocessable("order is not open")),
            Err(reason) => Err(refused(reason)),
        }
    }

    /// `DELETE /v2/orders`: a row for each that was open.
    pub(super) fn cancel_all(&mut self, program: &Program) -> Result<Vec<Value>, ApiError> {
        let agent = program.id;
        let open = self.handle.call(move |desk, _, _| look::open(desk, agent))?;
        let families = open.iter().flat_map(|id| self.family(*id)).collect();
        let sight = self.look(families)?;
        let is_open = |id: ClientOrderId| {
            let seen = sight.get(&id);
            seen.is_some_and(|seen| !seen.order.state.is_done() && seen.order.cl_ord_id == id)
        };
        let mut rows = Vec::new();
        for id in open {
            let Some(record) = sight.get(&id).and_then(|seen| self.record(id, seen)) else {
                continue;
            };
            // Legs go with their entry; exits whose entry is done stand alone.
            let head = record.parent.map(|parent| self.standing(parent));
            if !is_open(id) || head.is_some_and(is_open) {
                continue;
            }
            let shown = ids::of_order(id);
            rows.push(match self.cancel_group(program, &record, &sight) {
                Ok(()) => {
                    let now = self.look(vec![id])?;
                    json!({"id": shown, "status": 200, "body": self.show(&record, &now, false)})
                }
                Err(error) => json!({"id": shown, "status": error.status, "body": error.body()}),
            });
        }
        Ok(rows)
    }

    /// The name under which an order, and whatever took its place, stands now.
    fn standing(&self, id: ClientOrderId) -> ClientOrderId {
        let mut at = id;
        while let Some(next) = self.records.successor(at) {
            at = next.id;
        }
        at
    }

    /// All names of the orders that hang together with this one.
    pub(super) fn family(&self, id: ClientOrderId) -> Vec<ClientOrderId> {
        let parent = self.records.get(id).and_then(|record| record.parent);
        let head = self.standing(parent.unwrap_or(id));
        let mut all = vec![id, head, self.records.root(head)];
        all.extend(self.records.legs(head));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The core's time: the machine's, or that of a recording.
    pub(super) fn session_time(&self) -> Result<Timestamp, ApiError> {
        Ok(self.handle.call(|_, at, _| at)?)
    }

    /// What the core knows of these orders.
    pub(super) fn look(&self, ids: Vec<ClientOrderId>) -> Result<Sight, ApiError> {
        if ids.is_empty() {
            return Ok(Sight::new());
        }
        Ok(self.handle.call(move |desk, _, _| look::orders(desk, &ids))?)
    }

    /// The first of so many new names of a program.
    fn next_ids(&mut self, program: &Program, count: u32) -> ClientOrderId {
        let (instance, epoch) = self.handle.numbers();
        let given = self
            .given
            .entry(program.id)
            .or_insert_with(|| self.records.next_seq((instance, epoch), program.id));
        let seq = *given;
        *given += count;
        ClientOrderId { instance, epoch, agent: program.id, seq }
    }
}

fn ended(status: &OrderStatus) -> ApiError {
    ApiError::unprocessable(format!("order is already in \"{}\" state", status.as_str()))
}

fn contingent(asked: &Asked, id: impl Fn(u32) -> ClientOrderId) -> Contingent {
    let leg =
        |at: u32| asked.legs.get(at as usize).map(|terms| Leg { cl_ord_id: id(at), terms: *terms });
    match (&asked.class, leg(0), leg(1)) {
        (OrderClass::Bracket, Some(take_profit), Some(stop_loss)) => {
            Contingent::Bracket { take_profit, stop_loss }
        }
        (OrderClass::Oco, Some(leg), _) => Contingent::OneCancelsOther(leg),
        (OrderClass::Oto, Some(leg), _) => Contingent::OneTriggersOther(leg),
        _ => Contingent::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_one_number_for_each_turn() {
        assert_eq!(intent("a", 0), intent("a", 0));
        assert!(intent("a", 0) != intent("a", 1) && intent("a", 0) != intent("b", 0));
        assert_ne!(intent("1", 12), intent("2/1", 1));
    }
}
