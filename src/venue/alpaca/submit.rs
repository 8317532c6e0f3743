//! New orders: from the request to the exchange.

use super::floor::AlpacaVenue;
use super::ids;
use super::record::{Record, RecordId};
use crate::alpaca::rules::{self, Asked};
use crate::alpaca::{ApiError, OrderClass, OrderStatus, PostOrder, terms};
use crate::msg::{Contingent, Leg, NewOrder, OrderTerms};
use crate::types::{
    AccountId, AgentId, Calendar, ClientOrderId, InstrumentId, Nanos, Notional, OrderQty, Qty,
    TimeInForce, Timestamp,
};
use crate::venue::OrderIndex;

impl AlpacaVenue {
    /// Takes an order, or says why not. A refusal leaves nothing behind.
    pub(super) fn submit(
        &mut self,
        account: AccountId,
        post: &PostOrder,
    ) -> Result<RecordId, ApiError> {
        let symbol = post.symbol.as_deref().unwrap_or_default();
        if symbol.is_empty() {
            return Err(ApiError::invalid("symbol is required"));
        }
        let missing = || ApiError::unprocessable(format!("asset \"{symbol}\" not found"));
        let asset = self.assets.find(symbol).ok_or_else(missing)?;
        let asked = rules::read(post, self.assets.get(asset))?;
        if let Some(id) = &post.client_order_id {
            self.check_client_id(account, id)?;
        }
        self.check_account(account, asset, &asked)?;
        self.check_wash(account, asset, &asked.terms, &asked.class)?;
        self.check_cover(account, asset, &asked.terms, Qty::ZERO, Notional::ZERO)?;
        Ok(self.place(account, asset, asked, post.client_order_id.clone()))
    }

    /// A client id is used once, for ever; what it says depends on whether its order still stands.
    pub(super) fn check_client_id(&self, account: AccountId, id: &str) -> Result<(), ApiError> {
        let text = "client_order_id must be unique";
        match self.records.find_client_id(account, id).map(|id| self.records.get(id)) {
            None => Ok(()),
            Some(record) if record.is_open() => Err(ApiError::unprocessable(text)),
            Some(_) => Err(ApiError::invalid(text)),
        }
    }

    fn place(
        &mut self,
        account: AccountId,
        asset: InstrumentId,
        asked: Asked,
        client_id: Option<String>,
    ) -> RecordId {
        let head = self.records.next_id();
        let auction = self.auction(asked.terms.tif);
        let routed = auction.is_none() && self.takes_now(asset, asked.terms.extended_hours);
        let status = if routed { OrderStatus::PendingNew } else { OrderStatus::Accepted };
        let legs: Vec<RecordId> = (1..).take(asked.legs.len()).map(|at| head + at).collect();
        let first = self.exchange.orders().len() as OrderIndex;
        let mut names = Vec::new();
        for (at, terms) in std::iter::once(&asked.terms).chain(&asked.legs).enumerate() {
            let is_leg = at > 0;
            let id = head + at as RecordId;
            let client = if is_leg { None } else { client_id.clone() };
            let mut record = self.new_record(id, account, asset, *terms, client);
            record.class = asked.class.clone();
            record.order = auction.is_none().then_some(first + at as OrderIndex);
            record.auction = auction;
            record.status = if is_leg { OrderStatus::Held } else { status.clone() };
            if is_leg {
                record.parent = Some(head);
                record.intent = terms::intent(terms.side, true);
            } else {
                record.legs.clone_from(&legs);
            }
            names.push(record.name);
            self.records.put(id, record);
        }
        if auction.is_some() {
            self.parked.insert(head);
            return head;
        }
        if !routed {
            self.parked.insert(head);
        }
        let leg = |at: usize| Leg { cl_ord_id: names[at], terms: asked.legs[at - 1] };
        let contingent = match asked.class {
            OrderClass::Bracket => Contingent::Bracket { take_profit: leg(1), stop_loss: leg(2) },
            OrderClass::Oco => Contingent::OneCancelsOther(leg(1)),
            OrderClass::Oto => Contingent::OneTriggersOther(leg(1)),
            _ => Contingent::None,
        };
        self.send(head, asked.terms, contingent);
        head
    }

    /// Hands a record's order to the exchange, and follows what comes of it.
    fn send(&mut self, id: RecordId, terms: OrderTerms, contingent: Contingent) {
        let record = self.records.get(id);
        let new = NewOrder {
            cl_ord_id: record.name,
            account: record.account,
            instrument: record.asset,
            intent: 0,
            terms,
            contingent,
            parent: None,
        };
        self.exchange.submit(self.now, &new, &mut self.out);
        self.follow();
    }

    /// A record of an order that does not stand yet.
    pub(super) fn new_record(
        &mut self,
        id: RecordId,
        account: AccountId,
        asset: InstrumentId,
        terms: OrderTerms,
        client_id: Option<String>,
    ) -> Record {
        let count = u64::from(id);
        let made = || ids::of_count(self.seed, "client order", count).to_string();
        let client_id = client_id.filter(|id| !id.is_empty()).unwrap_or_else(made);
        let created = self.stamp();
        Record {
            id: ids::of_count(self.seed, "order", count),
            client_id,
            account,
            asset,
            class: OrderClass::Plain,
            intent: self.intent(account, asset, terms.side),
            order: None,
            name: self.next_name(),
            parent: None,
            legs: Vec::new(),
            replaces: None,
            replaced_by: None,
            status: OrderStatus::PendingNew,
            terms,
            qty: match terms.qty {
                OrderQty::Units(qty) => Some(qty),
                OrderQty::Cash(_) => None,
            },
            cum: Qty::ZERO,
            value: Notional::ZERO,
            created,
            updated: created,
            filled_at: None,
            expired_at: None,
            canceled_at: None,
            failed_at: None,
            replaced_at: None,
            auction: None,
        }
    }

    /// The next name that the exchange has not heard yet.
    pub(super) fn next_name(&mut self) -> ClientOrderId {
        self.names += 1;
        let (epoch, seq) =
            ((self.names >> 31) as u32, self.names as u32 & (ClientOrderId::EXITS - 1));
        ClientOrderId { instance: 1, epoch, agent: AgentId(AgentId::FIRST), seq }
    }

    /// When an auction order goes to the exchange: with the opening, or just before the close.
    fn auction(&self, tif: TimeInForce) -> Option<Timestamp> {
        let calendar = Calendar::UsEquity;
        match tif {
            TimeInForce::Opg => Some(calendar.next_open(self.now).unwrap_or(Timestamp::MAX)),
            TimeInForce::Cls => {
                let close = calendar.session(self.now).map(|session| session.close);
                let next = || calendar.next_open(self.now).and_then(|open| calendar.session(open));
                let close = match close {
                    Some(close) if self.now < close => Some(close),
                    _ => next().map(|session| session.close),
                };
                Some(close.map_or(Timestamp::MAX, |close| close - Nanos(1)))
            }
            _ => None,
        }
    }

    /// Whether an order of this asset would trade now.
    pub(super) fn takes_now(&self, asset: InstrumentId, extended_hours: bool) -> bool {
        let calendar = self.exchange.instruments().get(asset).calendar;
        calendar.phase(self.now).takes(extended_hours)
    }

    /// Orders that waited for their market to open, or for their auction.
    pub(super) fn wake_parked(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        for id in self.parked.clone() {
            let record = self.records.get(id);
            if !record.is_open() {
                self.parked.remove(&id);
                continue;
            }
            match record.auction {
                Some(at) if at <= self.now => {
                    self.parked.remove(&id);
                    let terms = OrderTerms { tif: TimeInForce::Ioc, ..record.terms };
                    let order = self.exchange.orders().len() as OrderIndex;
                    self.records.change(id, self.now, |record| record.order = Some(order));
                    self.send(id, terms, Contingent::None);
                }
                Some(_) => {}
                None => {
                    if self.takes_now(record.asset, record.terms.extended_hours) {
                        self.parked.remove(&id);
                        self.tell_new(id);
                    }
                }
            }
        }
    }
}
