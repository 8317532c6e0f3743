//! From the exchange's reports to records, executions and trade updates.

use super::activities::Fill;
use super::floor::AlpacaVenue;
use super::record::RecordId;
use crate::alpaca::{Event, Number, OrderClass, OrderStatus, TradeUpdate, Uuid};
use crate::msg::{ExecutionReport, Report};
use crate::types::{AccountId, ExecType, InstrumentId, OrdStatus, Qty};
use crate::venue::OrderIndex;
use std::collections::BTreeMap;

impl AlpacaVenue {
    /// Takes in what the exchange has said since the last call.
    pub(super) fn follow(&mut self) {
        let reports = std::mem::take(&mut self.out.reports);
        self.touched.append(&mut self.out.touched);
        // Each update tells the position after its own execution, not after the last one.
        let mut later: BTreeMap<(AccountId, InstrumentId), Qty> = BTreeMap::new();
        let order_of = |report: &ExecutionReport| {
            report.venue_order_id.0.checked_sub(1).and_then(|at| OrderIndex::try_from(at).ok())
        };
        let signed = |venue: &Self, report: &ExecutionReport, order: OrderIndex| {
            let order = &venue.exchange.orders()[order as usize].order;
            ((order.account, order.instrument), order.terms.side.signed(report.last_qty))
        };
        for report in &reports {
            if let Report::Execution(report) = &report.report
                && let Some(order) = order_of(report)
            {
                let (of, qty) = signed(self, report, order);
                let sum = later.entry(of).or_default();
                *sum = sum.saturating_add(qty);
            }
        }
        for report in reports {
            match report.report {
                Report::Execution(report) => {
                    let Some(order) = order_of(&report) else { continue };
                    let (of, qty) = signed(self, &report, order);
                    let left = later.entry(of).or_default();
                    *left = left.saturating_sub(qty);
                    let position = self.exchange.accounts().position(of.0, of.1);
                    let position = position.saturating_sub(*left);
                    if let Some(id) = self.records.of_order(order) {
                        self.follow_one(id, order, &report, position);
                    }
                }
                Report::CancelReject(reject) => self.refused = Some(reject.reason),
                _ => {}
            }
        }
    }

    fn follow_one(
        &mut self,
        id: RecordId,
        order: OrderIndex,
        report: &ExecutionReport,
        position: Qty,
    ) {
        let held = self.records.get(id).status == OrderStatus::Held;
        let now = self.now;
        match report.exec_type {
            ExecType::New if held || self.parked.contains(&id) => {}
            ExecType::New => self.tell_new(id),
            ExecType::Trade | ExecType::TradeCancel => {
                self.follow_fill(id, order, report, position);
            }
            ExecType::Canceled => {
                self.records.change(id, now, |record| {
                    record.status = OrderStatus::Canceled;
                    record.canceled_at = Some(now);
                });
                // The end of a leg that never worked is not announced.
                if !held {
                    self.tell(id, Event::Canceled);
                }
            }
            ExecType::Expired => {
                self.records.change(id, now, |record| {
                    record.status = OrderStatus::Expired;
                    record.expired_at = Some(now);
                });
                if !held {
                    self.tell(id, Event::Expired);
                }
            }
            ExecType::Rejected => {
                self.records.change(id, now, |record| {
                    record.status = OrderStatus::Rejected;
                    record.failed_at = Some(now);
                });
                self.tell(id, Event::Rejected);
            }
            ExecType::OrderStatus => {
                // Cut to what its group has left.
                let qty = self.exchange.orders()[order as usize].order.qty;
                self.records.change(id, now, |record| record.qty = Some(qty));
            }
            ExecType::Replaced | ExecType::TradeCorrect => {}
        }
    }

    fn follow_fill(
        &mut self,
        id: RecordId,
        order: OrderIndex,
        report: &ExecutionReport,
        position: Qty,
    ) {
        let now = self.now;
        let bust = report.exec_type == ExecType::TradeCancel;
        let multiplier = self.exchange.instruments().get(self.records.get(id).asset).multiplier;
        let value = report.last_px.notional(report.last_qty, multiplier);
        let done = report.ord_status == OrdStatus::Filled;
        self.records.change(id, now, |record| {
            record.cum = record.cum.saturating_add(report.last_qty);
            record.value = record.value.saturating_add(value);
            // A fill that comes after the end leaves the end as it is.
            if record.is_open() || done {
                record.status =
                    if done { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            }
            if done {
                record.filled_at = Some(now);
            }
        });
        if let Some(fill) = self.exchange.orders()[order as usize].fills.last() {
            self.fills.push((order, *fill));
        }
        let record = self.records.get(id);
        let fill = Fill {
            exec: report.exec_id.0 as u64,
            record: id,
            time: now,
            qty: report.last_qty,
            price: report.last_px,
            cum: record.cum,
            leaves: record.leaves(),
            done,
        };
        let execution = fill.id(self.seed);
        let event = match (bust, done) {
            (true, _) => Event::TradeBust,
            (false, true) => Event::Fill,
            (false, false) => Event::PartialFill,
        };
        let mut update = self.update(id, event, execution);
        update.price = Some(report.last_px.into());
        update.qty = Some(report.last_qty.abs().into());
        update.position_qty = Some(Number::from(position));
        if bust {
            update.previous_execution_id = self.busted.take();
        }
        self.activities.add(fill);
        let account = record.account;
        self.send_update(account, &update);
        if done {
            self.release_legs(id);
        }
    }

    /// The entry is filled: its exit works from now on. The stop of a bracket stays held behind the
    /// take-profit.
    fn release_legs(&mut self, id: RecordId) {
        let record = self.records.get(id);
        if !matches!(record.class, OrderClass::Bracket | OrderClass::Oto) {
            return;
        }
        if let Some(&leg) = record.legs.first()
            && self.records.get(leg).status == OrderStatus::Held
        {
            self.tell_new(leg);
        }
    }

    /// An order works from now on.
    pub(super) fn tell_new(&mut self, id: RecordId) {
        self.records.change(id, self.now, |record| record.status = OrderStatus::New);
        self.tell(id, Event::New);
    }

    /// Tells of an event that is no execution.
    pub(super) fn tell(&mut self, id: RecordId, event: Event) {
        self.events += 1;
        let number = format!("{}/{}", self.now.nanos(), self.events);
        let update = self.update(id, event, Uuid::of_text("event", &number));
        let account = self.records.get(id).account;
        self.send_update(account, &update);
    }

    fn update(&self, id: RecordId, event: Event, execution_id: Uuid) -> TradeUpdate {
        TradeUpdate {
            event,
            execution_id,
            order: self.show_alone(id),
            timestamp: crate::alpaca::Time(self.now),
            price: None,
            qty: None,
            position_qty: None,
            previous_execution_id: None,
        }
    }
}
