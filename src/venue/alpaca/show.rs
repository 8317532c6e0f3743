//! Orders as the wire shows them.

use super::floor::AlpacaVenue;
use super::record::{Record, RecordId};
use crate::alpaca::terms::{intent, kind, side_word, tif_word, trail};
use crate::alpaca::{Number, Opt, Order, OrderStatus, PositionIntent, Time};
use crate::types::{
    AccountId, InstrumentId, Nanos, OrdType, OrderQty, Price, Side, TimeInForce, Timestamp,
    TrailingOffset,
};
use crate::venue::Order as ExchangeOrder;
use rust_decimal::Decimal;

/// How long an order that is good till cancelled stands.
const GTC: Nanos = Nanos::from_secs(90 * 86_400);

impl AlpacaVenue {
    /// An order, with its legs below it where that was asked for.
    pub(super) fn show(&self, id: RecordId, nested: bool) -> Order {
        let mut order = self.show_alone(id);
        let legs = &self.records.get(id).legs;
        if nested && !legs.is_empty() {
            order.legs = Some(legs.iter().map(|&leg| self.show_alone(leg)).collect());
        }
        order
    }

    /// An order as the answer to the request that made it: what came of it is told by the stream.
    pub(super) fn show_fresh(&self, id: RecordId) -> Order {
        let mut order = self.show(id, true);
        let record = self.records.get(id);
        let routed = record.auction.is_none() && !self.parked.contains(&id);
        if record.replaces.is_none() {
            order.status = if routed { OrderStatus::PendingNew } else { OrderStatus::Accepted };
            order.filled_qty = Number::default();
            order.filled_avg_price = None;
            order.filled_at = None;
            order.canceled_at = None;
            order.expired_at = None;
            order.failed_at = None;
        }
        for leg in order.legs.iter_mut().flatten() {
            leg.status = OrderStatus::Held;
        }
        order
    }

    /// An order without its legs.
    pub(super) fn show_alone(&self, id: RecordId) -> Order {
        let record = self.records.get(id);
        let asset = self.assets.get(record.asset);
        let terms = &record.terms;
        let exchange_order =
            record.order.map(|order| &self.exchange.orders()[order as usize].order);
        let average = record.cum.is_positive().then(|| record.value.per(record.cum, 1).into());
        let uuid = |id: RecordId| self.records.get(id).id;
        let kind = kind(&terms.ord_type);
        let (trail_price, trail_percent) = trail(&terms.ord_type);
        Order {
            id: record.id,
            client_order_id: record.client_id.clone(),
            created_at: Time(record.created),
            updated_at: Time(record.updated),
            submitted_at: Time(record.created),
            filled_at: record.filled_at.map(Time),
            expired_at: record.expired_at.map(Time),
            expires_at: self.expires(record, exchange_order).map(Time),
            canceled_at: record.canceled_at.map(Time),
            failed_at: record.failed_at.map(Time),
            replaced_at: record.replaced_at.map(Time),
            replaced_by: record.replaced_by.map(uuid),
            replaces: record.replaces.map(uuid),
            asset_id: asset.id,
            symbol: asset.symbol.clone(),
            asset_class: asset.class.clone(),
            notional: match terms.qty {
                OrderQty::Cash(cash) => Some(cash.into()),
                OrderQty::Units(_) => None,
            },
            qty: record.qty.map(Number::from),
            filled_qty: record.cum.into(),
            filled_avg_price: average,
            order_class: record.class.clone(),
            order_type: kind.clone(),
            kind,
            side: side_word(terms.side),
            position_intent: Some(record.intent.clone()),
            time_in_force: tif_word(terms.tif),
            limit_price: terms.ord_type.limit_price().map(Number::from),
            stop_price: self.stop_price(record, exchange_order),
            status: record.status.clone(),
            extended_hours: terms.extended_hours,
            legs: None,
            trail_percent,
            trail_price,
            hwm: match terms.ord_type {
                OrdType::TrailingStop { .. } => self.best(record, exchange_order).map(Number::from),
                _ => None,
            },
            subtag: None,
            source: None,
        }
    }

    fn expires(&self, record: &Record, order: Option<&ExchangeOrder>) -> Option<Timestamp> {
        match record.terms.tif {
            TimeInForce::Gtc => Some(record.created + GTC),
            _ => order.and_then(|order| order.expires),
        }
    }

    /// What an order means to do to the position that stands.
    pub(super) fn intent(
        &self,
        account: AccountId,
        asset: InstrumentId,
        side: Side,
    ) -> PositionIntent {
        let position = self.exchange.accounts().position(account, asset);
        let closes = match side {
            Side::Buy => position.is_negative(),
            Side::Sell => position.is_positive() || self.assets.is_crypto(asset),
        };
        intent(side, closes)
    }

    /// The best price since entry of a trailing stop; until it saw one, that of the market.
    fn best(&self, record: &Record, order: Option<&ExchangeOrder>) -> Option<Price> {
        order.and_then(|order| order.best).or_else(|| {
            let (bid, ask) = self.exchange.touch(record.asset);
            let far = if record.terms.side == Side::Buy { ask } else { bid };
            far.or_else(|| self.mark(record.asset))
        })
    }

    fn stop_price(&self, record: &Record, order: Option<&ExchangeOrder>) -> Opt {
        let OrdType::TrailingStop { offset } = record.terms.ord_type else {
            return record.terms.ord_type.stop_price().map(Number::from);
        };
        let Number(best) = self.best(record, order)?.into();
        let distance = match offset {
            TrailingOffset::Price(price) => price.to_decimal(),
            TrailingOffset::BasisPoints(points) => {
                (best * Decimal::from(points) / Decimal::from(10_000)).round_dp(4)
            }
        };
        Some(Number(match record.terms.side {
            Side::Buy => best + distance,
            Side::Sell => best - distance,
        }))
    }
}
