//! Orders of the gateway as this wire shows them.

use super::backend::DropIn;
use super::ids;
use super::look::{Seen, Sight};
use super::records::Record;
use crate::alpaca::assets;
use crate::alpaca::terms::{kind, side_word, tif_word, trail};
use crate::alpaca::{Event, Number, Order, OrderClass, OrderStatus, Time};
use crate::types::{ClientOrderId, ExecType, Notional, OrdStatus, OrderQty, Price, Qty, Timestamp};

/// FIX 39 in the words of this wire. An order in doubt is on its way as far as anybody knows.
pub(super) const fn status_word(status: OrdStatus, filled: bool) -> OrderStatus {
    match status {
        OrdStatus::InDoubt if filled => OrderStatus::PartiallyFilled,
        OrdStatus::PendingNew | OrdStatus::InDoubt => OrderStatus::PendingNew,
        OrdStatus::New => OrderStatus::New,
        OrdStatus::PartiallyFilled => OrderStatus::PartiallyFilled,
        OrdStatus::Filled => OrderStatus::Filled,
        OrdStatus::Canceled => OrderStatus::Canceled,
        OrdStatus::Replaced => OrderStatus::Replaced,
        OrdStatus::PendingCancel => OrderStatus::PendingCancel,
        OrdStatus::Rejected => OrderStatus::Rejected,
        OrdStatus::Expired => OrderStatus::Expired,
        OrdStatus::PendingReplace => OrderStatus::PendingReplace,
    }
}

/// FIX 150 with FIX 39 after it as an event of the stream; `None` where there is nothing to tell.
pub(super) const fn event_word(exec_type: ExecType, status: OrdStatus) -> Option<Event> {
    Some(match exec_type {
        ExecType::New => Event::New,
        ExecType::Trade if matches!(status, OrdStatus::Filled) => Event::Fill,
        ExecType::Trade => Event::PartialFill,
        ExecType::TradeCancel => Event::TradeBust,
        ExecType::TradeCorrect => Event::TradeCorrect,
        ExecType::Canceled => Event::Canceled,
        ExecType::Replaced => Event::Replaced,
        ExecType::Rejected => Event::Rejected,
        ExecType::Expired => Event::Expired,
        ExecType::OrderStatus => return None,
    })
}

/// Which of the names of an order a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The order as it stands.
    Stands,
    /// New terms that are on their way.
    Coming,
    /// Another has taken its place.
    Gone,
    /// New terms that never came to stand.
    Refused,
}

impl DropIn {
    fn place(&self, id: ClientOrderId, seen: &Seen) -> Place {
        let next = seen.order.replacement.map(|(replace, _)| replace.cl_ord_id);
        if seen.order.cl_ord_id == id {
            Place::Stands
        } else if next == Some(id) {
            Place::Coming
        } else if self.records.follows(seen.order.cl_ord_id, id) {
            Place::Gone
        } else {
            Place::Refused
        }
    }

    /// The state that a record shows.
    pub(super) fn status(&self, id: ClientOrderId, seen: &Seen) -> OrderStatus {
        match self.place(id, seen) {
            Place::Stands => match seen.status() {
                OrdStatus::PendingNew | OrdStatus::New if seen.held => OrderStatus::Held,
                status => status_word(status, seen.order.filled().is_positive()),
            },
            Place::Coming => OrderStatus::PendingNew,
            Place::Gone => OrderStatus::Replaced,
            Place::Refused => OrderStatus::Rejected,
        }
    }

    /// The record of an order. An exit that the gateway sent in an agent's name has none of its own.
    pub(super) fn record(&self, id: ClientOrderId, seen: &Seen) -> Option<Record> {
        self.records.get(id).cloned().or_else(|| {
            id.is_exit().then(|| Record {
                id,
                client_id: id.to_string(),
                at: seen.order.sent_at,
                symbol: self.names().symbol(seen.order.route.instrument).to_owned(),
                class: OrderClass::Plain,
                parent: None,
                replaces: None,
                terms: seen.order.terms,
                ended: None,
            })
        })
    }

    /// An order, with its legs below it where that was asked for and they are in sight.
    pub(super) fn show(&self, record: &Record, sight: &Sight, nested: bool) -> Option<Order> {
        let mut order = self.show_alone(record, sight.get(&record.id)?);
        if nested && record.parent.is_none() {
            let legs = self.records.legs(record.id).iter();
            let legs: Vec<Order> = legs
                .filter_map(|leg| {
                    let seen = sight.get(leg)?;
                    let shown = self.show_alone(self.records.get(*leg)?, seen);
                    (self.place(*leg, seen) != Place::Gone).then_some(shown)
                })
                .collect();
            order.legs = (!legs.is_empty()).then_some(legs);
        }
        Some(order)
    }

    /// An order without its legs.
    pub(super) fn show_alone(&self, record: &Record, seen: &Seen) -> Order {
        let place = self.place(record.id, seen);
        let stands = place == Place::Stands;
        let next = self.records.successor(record.id).filter(|_| place == Place::Gone);
        let mut terms = if stands { seen.order.terms } else { record.terms };
        if let (true, OrderQty::Units(_)) = (stands, terms.qty) {
            // A leg is cut to what its list has left.
            terms.qty = OrderQty::Units(seen.order.units);
        }
        let (cum, value) = match place {
            Place::Stands => (seen.order.filled(), seen.order.value),
            // What traded under the old terms.
            Place::Gone => seen.traded(|fill| next.is_none_or(|next| fill.at <= next.at)),
            Place::Coming | Place::Refused => (Qty::ZERO, Notional::ZERO),
        };
        let status = self.status(record.id, seen);
        let last_fill = seen.fills.last().map(|(_, fill)| fill.at);
        let changed = seen.order.asked_at.max(record.at);
        let ended = record.ended.unwrap_or(changed);
        let when = |is: bool, at: Timestamp| is.then_some(Time(at));
        let (trail_price, trail_percent) = trail(&terms.ord_type);
        let asset = assets::describe(&record.symbol);
        let kind = kind(&terms.ord_type);
        Order {
            id: ids::of_order(record.id),
            client_order_id: record.client_id.clone(),
            created_at: Time(record.at),
            updated_at: Time(changed.max(last_fill.unwrap_or(changed)).max(ended)),
            submitted_at: Time(record.at),
            filled_at: when(status == OrderStatus::Filled, last_fill.unwrap_or(ended)),
            expired_at: when(status == OrderStatus::Expired, ended),
            expires_at: None,
            canceled_at: when(status == OrderStatus::Canceled, ended),
            failed_at: when(status == OrderStatus::Rejected, ended),
            replaced_at: next.map(|next| Time(next.at)),
            replaced_by: next.map(|next| ids::of_order(next.id)),
            replaces: record.replaces.map(ids::of_order),
            asset_id: asset.id,
            symbol: asset.symbol,
            asset_class: asset.class,
            notional: match terms.qty {
                OrderQty::Cash(cash) => Some(cash.into()),
                OrderQty::Units(_) => None,
            },
            qty: match terms.qty {
                OrderQty::Units(qty) => Some(qty.into()),
                OrderQty::Cash(_) => None,
            },
            filled_qty: cum.into(),
            filled_avg_price: average(value, cum).map(Number::from),
            order_class: record.class.clone(),
            order_type: kind.clone(),
            kind,
            side: side_word(terms.side),
            position_intent: None,
            time_in_force: tif_word(terms.tif),
            limit_price: terms.ord_type.limit_price().map(Number::from),
            stop_price: terms.ord_type.stop_price().map(Number::from),
            status,
            extended_hours: terms.extended_hours,
            legs: None,
            trail_percent,
            trail_price,
            hwm: None,
            subtag: None,
            source: None,
        }
    }
}

/// Average price of what traded.
pub(super) fn average(value: Notional, cum: Qty) -> Option<Price> {
    cum.is_positive().then(|| value.per(cum, 1))
}

/// An order as the answer to the request that made it: what comes of it is told by the stream.
pub(super) fn fresh(mut order: Order) -> Order {
    let blank = |order: &mut Order, status| {
        order.status = status;
        order.filled_qty = Number::default();
        order.filled_avg_price = None;
        (order.filled_at, order.canceled_at) = (None, None);
        (order.expired_at, order.failed_at) = (None, None);
    };
    blank(&mut order, OrderStatus::PendingNew);
    for leg in order.legs.iter_mut().flatten() {
        blank(leg, OrderStatus::Held);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_word() {
        use OrderStatus as W;
        let table = [
            (OrdStatus::PendingNew, W::PendingNew),
            (OrdStatus::New, W::New),
            (OrdStatus::PartiallyFilled, W::PartiallyFilled),
            (OrdStatus::Filled, W::Filled),
            (OrdStatus::Canceled, W::Canceled),
            (OrdStatus::Replaced, W::Replaced),
            (OrdStatus::PendingCancel, W::PendingCancel),
            (OrdStatus::Rejected, W::Rejected),
            (OrdStatus::Expired, W::Expired),
            (OrdStatus::PendingReplace, W::PendingReplace),
            (OrdStatus::InDoubt, W::PendingNew),
        ];
        let ended = |status: OrdStatus| {
            matches!(
                status,
                OrdStatus::Filled
                    | OrdStatus::Canceled
                    | OrdStatus::Replaced
                    | OrdStatus::Rejected
                    | OrdStatus::Expired
            )
        };
        for (status, word) in table {
            assert_eq!(status_word(status, false), word);
            // In doubt is live: no state that may still trade looks like an end, and the other way.
            for filled in [false, true] {
                assert_eq!(status_word(status, filled).is_terminal(), ended(status), "{status:?}");
            }
        }
        assert_eq!(status_word(OrdStatus::InDoubt, true), W::PartiallyFilled);
    }

    #[test]
    fn every_execution_has_its_event() {
        use ExecType as E;
        let some = |exec| event_word(exec, OrdStatus::PartiallyFilled).unwrap();
        assert_eq!(some(E::Trade), Event::PartialFill);
        assert_eq!(event_word(E::Trade, OrdStatus::Filled), Some(Event::Fill));
        // A fill after a cancel does not make the order filled.
        assert_eq!(event_word(E::Trade, OrdStatus::Canceled), Some(Event::PartialFill));
        for (exec, event) in [
            (E::New, Event::New),
            (E::TradeCancel, Event::TradeBust),
            (E::TradeCorrect, Event::TradeCorrect),
            (E::Canceled, Event::Canceled),
            (E::Replaced, Event::Replaced),
            (E::Rejected, Event::Rejected),
            (E::Expired, Event::Expired),
        ] {
            assert_eq!(some(exec), event);
        }
        assert_eq!(event_word(E::OrderStatus, OrdStatus::New), None);
    }
}
