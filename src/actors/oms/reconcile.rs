//! What a broker's complete snapshot changes: missing fills are booked, lost answers found, doubt
//! ended by evidence, strangers adopted. A position that is not ours is never papered over.

use super::order::{OrderIndex, Role};
use super::transition::{Event, Oddity, Pending, Stage};
use super::{Fill, News, Oms};
use crate::kill::Route;
use crate::msg::{BrokerSnapshot, OrderSnapshot};
use crate::types::{
    AccountId, AgentId, BrokerId, ExecType, InstrumentId, Notional, OrdStatus, OrderQty, Price,
    Qty, Reason, Side, Timestamp, VenueOrderId,
};
use std::collections::{BTreeMap, BTreeSet};

impl Oms {
    /// Merges a complete snapshot of `broker`, asked for at the time the link remembers.
    pub(in crate::actors) fn on_snapshot(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        snapshot: &BrokerSnapshot,
        news: &mut News,
    ) {
        let Some(link) = self.links.get(broker.index()).copied() else { return };
        let asked = link.asked.unwrap_or(at);
        let mut seen = BTreeSet::new();
        for theirs in &snapshot.orders {
            let index = self.match_order(at, broker, theirs);
            seen.insert(index);
            let merge = planted!(StrangersUnmerged, true, theirs.cl_ord_id.is_some());
            if merge {
                self.merge_order(at, broker, index, theirs, news);
            }
        }
        self.uphold(at, asked, broker, &seen, news);
        self.note_absent(at, broker, asked, &seen, news);
        let agree = self.compare_positions(broker, snapshot, link.known);
        self.settle(broker, asked, snapshot);
        let link = &mut self.links[broker.index()];
        link.asked = None;
        link.merged = at;
        link.told = Some((link.told.map_or(asked, |(first, _)| first), asked));
        link.mismatches = if agree { 0 } else { link.mismatches.saturating_add(1) };
        link.reconciled = agree;
        link.known |= agree;
    }

    /// Our order for theirs; a stranger is adopted as `EXTERNAL` and counts from here on.
    fn match_order(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        theirs: &OrderSnapshot,
    ) -> OrderIndex {
        let by_id = theirs.cl_ord_id.and_then(|id| self.by_id.get(&id).copied());
        let by_venue = || {
            self.orders
                .iter()
                .position(|order| {
                    order.route.broker == broker
                        && order.venue_order_id == Some(theirs.venue_order_id)
                })
                .map(|index| index as OrderIndex)
        };
        if let Some(index) = by_id.or_else(by_venue) {
            if let Some(name) = theirs.cl_ord_id {
                // Under its broker's number, though these books lost the name with the power.
                self.by_id.entry(name).or_insert(index);
            }
            return self.same_order(index, broker, theirs.venue_order_id);
        }
        let id = theirs.cl_ord_id.unwrap_or_else(|| self.external_id());
        let route = Route {
            broker,
            account: theirs.account,
            agent: AgentId::EXTERNAL,
            instrument: theirs.instrument,
        };
        let units = match theirs.terms.qty {
            OrderQty::Units(units) => units,
            OrderQty::Cash(_) => theirs.cum_qty.saturating_add(theirs.leaves_qty),
        };
        let index = self.insert(at, id, route, 0, theirs.terms, units, Role::Single, None);
        self.adopted.insert((broker, theirs.venue_order_id), index);
        index
    }

    /// One order, though these books hold it twice: under a name whose answer was lost, and as a
    /// stranger that a snapshot brought under a later name, as the record of that was lost with the
    /// power. The stranger has all its fills, so what stands under the first name ends.
    pub(super) fn same_order(
        &mut self,
        index: OrderIndex,
        broker: BrokerId,
        venue: VenueOrderId,
    ) -> OrderIndex {
        let order = &self.orders[index as usize];
        if order.venue_order_id.is_some() || self.adopted.is_empty() || !order.filled().is_zero() {
            return index;
        }
        let Some(&known) = self.adopted.get(&(broker, venue)).filter(|&&known| known != index)
        else {
            return index;
        };
        let asked = order.replacement.as_ref().map(|(replace, _)| replace.cl_ord_id);
        let (names, done) = ([Some(order.cl_ord_id), asked], order.state.is_done());
        for name in names.into_iter().flatten() {
            self.by_id.insert(name, known);
        }
        if !done {
            self.orders[index as usize].reason = Some(Reason::Absent);
            self.apply(index, Event::Rejected);
        }
        self.note(Oddity::Contradiction);
        known
    }

    fn merge_order(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        let order = &mut self.orders[index as usize];
        order.venue_order_id = Some(theirs.venue_order_id);
        order.absent_since = None;
        let before = order.cl_ord_id;
        let renamed = order.replacement.map(|(replace, _)| replace.cl_ord_id);
        if let Some(after) = renamed.filter(|&after| theirs.cl_ord_id == Some(after)) {
            self.apply(index, Event::Replaced);
            news.renamed.push((before, after));
            self.tell(at, index, Some(ExecType::Replaced), Qty::ZERO, Price::ZERO, news);
        } else {
            self.take_over(at, broker, index, theirs, news);
            if let Some(name) = theirs.cl_ord_id {
                // What has ended leaves nothing: its terms say how large it was.
                let left = theirs.cum_qty.saturating_add(theirs.leaves_qty);
                let units = match theirs.terms.qty {
                    OrderQty::Units(units) => units.max(left),
                    OrderQty::Cash(_) => left,
                };
                self.outgrow(index, name, units);
            }
        }
        let mut cum_qty = Qty::ZERO;
        for fill in &theirs.fills {
            cum_qty = cum_qty.saturating_add(fill.qty);
            let order = &self.orders[index as usize];
            let known =
                cum_qty <= order.cum_qty || order.ahead.iter().any(|&(_, end)| end == cum_qty);
            if planted!(MissedFillsStay, known, true) {
                continue;
            }
            let complete = theirs.ord_status == OrdStatus::Filled && cum_qty == theirs.cum_qty;
            let fill = Fill {
                at,
                transact_time: fill.transact_time,
                order: index,
                exec_id: fill.exec_id,
                qty: fill.qty,
                price: fill.price,
                fee: fill.fee,
                cum_qty,
                arrival: None,
                late: false,
                taken_back: false,
            };
            self.on_fill(fill, complete, broker, news);
        }
        let asked = self.links[broker.index()].asked.unwrap_or(at);
        self.dispute(at, asked, index, theirs, news);
        self.resize(index, theirs);
        let order = &self.orders[index as usize];
        let (event, exec_type) = match theirs.ord_status {
            OrdStatus::New
            | OrdStatus::PartiallyFilled
            | OrdStatus::PendingNew
            | OrdStatus::PendingCancel
            | OrdStatus::PendingReplace => match order.state.stage {
                // Rejected: proven absent by snapshots that lacked it, and alive after all.
                Stage::Sent | Stage::InDoubt | Stage::Rejected => (Event::Accepted, ExecType::New),
                _ => return self.settle_change(at, index, theirs, news),
            },
            OrdStatus::Canceled | OrdStatus::Replaced => (Event::Canceled, ExecType::Canceled),
            OrdStatus::Rejected => (Event::Rejected, ExecType::Rejected),
            OrdStatus::Expired => (Event::Expired, ExecType::Expired),
            // A fill that is not in the list is not invented: cum and status wait for evidence.
            OrdStatus::Filled if order.cum_qty == theirs.cum_qty && order.ahead.is_empty() => {
                (Event::LastFill, ExecType::OrderStatus)
            }
            OrdStatus::Filled | OrdStatus::InDoubt => return,
        };
        // An end stays, but for what lives after all, and what filled to its end after it.
        let revised = match event {
            Event::Accepted => true,
            Event::LastFill => order.state.stage != Stage::Filled,
            _ => false,
        };
        if order.state.is_done() && !revised {
            return;
        }
        self.apply(index, event);
        self.tell(at, index, Some(exec_type), Qty::ZERO, Price::ZERO, news);
    }

    /// The broker's size of an order under the name that we know: a fill of the order that excludes it
    /// made it smaller, and the report of that was lost. One that is larger than we know counts with
    /// all that may trade.
    fn resize(&mut self, index: OrderIndex, theirs: &OrderSnapshot) {
        let order = &self.orders[index as usize];
        if theirs.cl_ord_id != Some(order.cl_ord_id) || order.replacement.is_some() {
            return;
        }
        let units = theirs.cum_qty.saturating_add(theirs.leaves_qty);
        if !theirs.leaves_qty.is_positive() || order.state.is_done() || units == order.units {
            return;
        }
        if units > order.units {
            self.orders[index as usize].units = units;
            self.note(Oddity::Contradiction);
            self.refresh(index);
        } else {
            self.cut(index, units);
        }
    }

    /// An order that stands under another of its names: a replace that was held for refused was
    /// carried out. With no change under way, a snapshot asked for since the last one knows better.
    fn take_over(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        let asked = self.links[broker.index()].asked.unwrap_or(at);
        let order = &mut self.orders[index as usize];
        let (before, terms) = (order.cl_ord_id, theirs.terms);
        let newer = order.state.pending == Pending::None && order.asked_at < asked;
        let Some(after) = theirs.cl_ord_id.filter(|&after| after != before && newer) else {
            return;
        };
        // Names count up: an older one is a snapshot from before the replace.
        if after.is_older_than(before) {
            return;
        }
        // A name that these books lost with the power belongs to it as well.
        if *self.by_id.entry(after).or_insert(index) != index {
            return;
        }
        order.cl_ord_id = after;
        order.terms = terms;
        if let OrderQty::Units(units) = terms.qty {
            order.units = units;
        }
        self.note(Oddity::Contradiction);
        self.refresh(index);
        news.renamed.push((before, after));
        self.tell(at, index, Some(ExecType::Replaced), Qty::ZERO, Price::ZERO, news);
    }

    /// A working order whose cancel or replace got no answer: the snapshot was taken after the
    /// request was lost with its link, so a change that it does not show did not happen.
    fn settle_change(
        &mut self,
        at: Timestamp,
        index: OrderIndex,
        theirs: &OrderSnapshot,
        news: &mut News,
    ) {
        let order = &self.orders[index as usize];
        let link = &self.links[order.route.broker.index()];
        let asked = link.asked.unwrap_or(at);
        let patience = self.patience[order.route.broker.index()];
        // Lost with its link, or unanswered for so long that a snapshot asked since would show it.
        let lost = order.asked_at <= link.down || asked >= order.asked_at + patience.absence;
        let pending =
            matches!(theirs.ord_status, OrdStatus::PendingCancel | OrdStatus::PendingReplace);
        let early = !lost || order.asked_at >= asked;
        if planted!(ChangeGivenUp, early, false) || pending {
            return;
        }
        let event = match (order.state.pending, order.unchanged_since) {
            (Pending::None, _) => return,
            (Pending::Cancel, _) => Event::CancelRejected,
            // The larger of both sizes stays reserved until a later snapshot says the same.
            (Pending::Replace, None) => {
                self.orders[index as usize].unchanged_since = Some(at);
                return;
            }
            (Pending::Replace, Some(since)) if asked < since + patience.absence => return,
            (Pending::Replace, Some(_)) => Event::ReplaceRejected,
        };
        self.apply(index, event);
        self.tell(at, index, None, Qty::ZERO, Price::ZERO, news);
    }

    /// Our open orders that the broker does not list. Two complete snapshots far enough apart are
    /// proof; one is a reason to look again.
    fn note_absent(
        &mut self,
        at: Timestamp,
        broker: BrokerId,
        asked: Timestamp,
        seen: &BTreeSet<OrderIndex>,
        news: &mut News,
    ) {
        let patience = self.patience[broker.index()];
        let missing: Vec<OrderIndex> = self
            .open()
            .filter(|(index, order)| {
                order.route.broker == broker && order.sent_at < asked && !seen.contains(index)
            })
            .map(|(index, _)| index)
            .collect();
        for index in missing {
            let order = &mut self.orders[index as usize];
            let lacked = order.absent_since;
            match planted!(AbsentAtOnce, lacked, lacked.or(Some(Timestamp::ZERO))) {
                None => {
                    order.absent_since = Some(at);
                    let since = order.absent_since;
                    self.apply(index, Event::Lost);
                    self.orders[index as usize].absent_since = since;
                }
                Some(since) if asked >= since + patience.absence => {
                    order.reason = Some(Reason::Absent);
                    self.apply(index, Event::Rejected);
                    self.tell(at, index, Some(ExecType::Rejected), Qty::ZERO, Price::ZERO, news);
                }
                Some(_) => {}
            }
        }
    }

    /// Whether the broker's positions are ours. Books that never saw this broker take its positions
    /// over as opening positions of `EXTERNAL`.
    fn compare_positions(
        &mut self,
        broker: BrokerId,
        snapshot: &BrokerSnapshot,
        known: bool,
    ) -> bool {
        let mut differences: BTreeMap<(AccountId, InstrumentId), (Qty, Price)> = snapshot
            .positions
            .iter()
            .map(|theirs| ((theirs.account, theirs.instrument), (theirs.qty, theirs.avg_px)))
            .collect();
        let ours: Vec<(AccountId, InstrumentId)> = self
            .books
            .traded()
            .filter(|(account, _)| self.brokers.get(account.index()) == Some(&broker))
            .collect();
        for key in ours {
            differences.entry(key).or_default();
        }
        differences.retain(|&(account, instrument), (qty, _)| {
            let late = self.actions.explains(account, instrument, *qty);
            *qty = qty.saturating_sub(self.books.account(account, instrument).position);
            !qty.is_zero() && !late
        });
        if planted!(PaperedOver, known, false) || differences.is_empty() {
            return differences.is_empty();
        }
        for ((account, instrument), (qty, avg_px)) in differences {
            let route = Route { broker, account, agent: AgentId::EXTERNAL, instrument };
            let side = if qty.is_positive() { Side::Buy } else { Side::Sell };
            self.books.book(route, side, qty.abs(), avg_px, Notional::ZERO);
            self.books.day.reopen(account);
            self.note(Oddity::Adopted);
        }
        true
    }
}
