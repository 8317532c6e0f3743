//! The exits of a flatten: one collared order for each account and instrument, once in an episode,
//! through the same gate as any other order.
//!
//! An exit belongs to the agent whose position it closes, so that its books say what is left; where
//! several agents hold the account's position, each gets its part. What others at the broker hold is
//! closed as the operator's, in one exit with what is the operator's own.

use crate::actors::core::{Core, CoreOut};
use crate::actors::market::{Market, MarketState};
use crate::actors::notice::Notice;
use crate::kill::Route;
use crate::msg::{Contingent, NewOrder, OrderTerms};
use crate::types::{
    AccountId, AgentId, ClientOrderId, ExecType, InstrumentId, KillLevel, OrdType, OrderQty, Price,
    Qty, Reason, Scope, Side, TimeInForce, Timestamp,
};

/// One exit that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitTried {
    /// Its order.
    pub order: ClientOrderId,
    /// Whose position.
    pub route: Route,
    /// Why it was refused, if it was.
    pub refused: Option<Reason>,
}

impl Core {
    /// Accounts and instruments in which a scope holds something. An agent's scope holds what the
    /// agent holds, any other what the account holds.
    pub(super) fn held_in(&self, scope: Scope) -> impl Iterator<Item = (AccountId, InstrumentId)> {
        let books = &self.oms.books;
        books.traded().filter(move |&(account, instrument)| match scope {
            Scope::Global => !books.account(account, instrument).position.is_zero(),
            Scope::Broker(id) => {
                self.risk.broker_of(account) == Some(id)
                    && !books.account(account, instrument).position.is_zero()
            }
            Scope::Account(id) => {
                account == id && !books.account(account, instrument).position.is_zero()
            }
            Scope::Symbol(id) => {
                instrument == id && !books.account(account, instrument).position.is_zero()
            }
            Scope::Agent(id) => books
                .positions()
                .any(|(key, own)| key == (account, id, instrument) && !own.qty.is_zero()),
        })
    }

    /// Sends the exits that are due: of standing flattens as soon as nothing is in their way, of an
    /// operator's request at once.
    pub(super) fn exit(&mut self, at: Timestamp, market: &Market, out: &mut CoreOut) {
        if !self.enforcement.wants_exits() {
            return;
        }
        if !self.enforcement.asked.is_empty() {
            self.enforcement.tried.clear();
        }
        for scope in std::mem::take(&mut self.enforcement.asked) {
            for (account, instrument) in self.held_in(scope).collect::<Vec<_>>() {
                let tried = self.close(at, scope, (account, instrument), market, out);
                self.enforcement.tried.extend(tried);
            }
        }
        let flattens: Vec<(Scope, u64)> = self
            .risk
            .halts
            .kills()
            .filter(|(_, kill)| kill.level == KillLevel::Flatten)
            .map(|(scope, kill)| (scope, kill.episode))
            .collect();
        for (scope, episode) in flattens {
            for (account, instrument) in self.held_in(scope).collect::<Vec<_>>() {
                let key = (episode, account, instrument);
                if planted!(ExitAgain, self.enforcement.exited.contains(&key), false)
                    || !self.may_exit(at, scope, (account, instrument), market)
                {
                    continue;
                }
                self.enforcement.exited.insert(key);
                let _ = self.close(at, scope, (account, instrument), market, out);
            }
        }
    }

    /// Whether nothing is in the way of an exit that has one try: covered orders are gone, the books
    /// agree with the broker, there is a price.
    fn may_exit(
        &self,
        at: Timestamp,
        scope: Scope,
        (account, instrument): (AccountId, InstrumentId),
        market: &Market,
    ) -> bool {
        let Some(broker) = self.risk.broker_of(account) else { return false };
        let agent = if let Scope::Agent(id) = scope { id } else { AgentId::OPERATOR };
        let route = Route { broker, account, agent, instrument };
        let open = self.oms.open().any(|(_, order)| {
            order.route.account == account
                && order.route.instrument == instrument
                && (order.route.covered_by(scope) || order.cl_ord_id.is_exit())
        });
        let reconciled = self.oms.links().get(broker.index()).is_some_and(|link| link.reconciled);
        let live = market.state(instrument, at) == MarketState::Live;
        !open && reconciled && live && !self.risk.halts.held(route)
    }

    /// Closes what a scope holds of an instrument in an account.
    fn close(
        &mut self,
        at: Timestamp,
        scope: Scope,
        (account, instrument): (AccountId, InstrumentId),
        market: &Market,
        out: &mut CoreOut,
    ) -> Vec<ExitTried> {
        let net = self.oms.books.account(account, instrument).position;
        // What is on the other side of the account's position is no way out of it: the gate says so.
        let only = if let Scope::Agent(id) = scope { Some(id) } else { None };
        let held = self.oms.books.positions().filter(|((a, agent, i), position)| {
            (*a, *i) == (account, instrument)
                && only.is_none_or(|only| only == *agent)
                && !position.qty.is_zero()
                && (only.is_some() || position.qty.is_positive() == net.is_positive())
        });
        // Whose exit it is: what the operator's own exits of before have left goes with the strangers'.
        let mut holders: Vec<(AgentId, Qty)> = Vec::new();
        for ((_, agent, _), position) in held {
            let owner = if agent == AgentId::EXTERNAL { AgentId::OPERATOR } else { agent };
            match holders.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, qty)) => *qty = qty.saturating_add(position.qty),
                None => holders.push((owner, position.qty)),
            }
        }
        let mut left = net.abs();
        let mut tried = Vec::new();
        for (owner, held) in holders {
            let qty = if only.is_some() && held.is_positive() != net.is_positive() {
                held.abs()
            } else {
                held.abs().min(left)
            };
            if !qty.is_positive() {
                continue;
            }
            left = left.saturating_sub(qty);
            let side = if held.is_positive() { Side::Sell } else { Side::Buy };
            tried.push(self.send_exit(at, (account, instrument), owner, side, qty, market, out));
        }
        tried
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one order")]
    fn send_exit(
        &mut self,
        at: Timestamp,
        (account, instrument): (AccountId, InstrumentId),
        agent: AgentId,
        side: Side,
        qty: Qty,
        market: &Market,
        out: &mut CoreOut,
    ) -> ExitTried {
        let (instance, epoch, minted) = self.enforcement.run;
        self.enforcement.run.2 = minted + 1;
        let seq = ClientOrderId::EXITS + minted;
        let order = ClientOrderId { instance, epoch, agent, seq };
        let tick = self.oms.books.instruments().get(instrument).tick;
        let collar = self.enforcement.exit_collar;
        let mark = market.mark(instrument).unwrap_or(Price::ZERO);
        let new = NewOrder {
            cl_ord_id: order,
            account,
            instrument,
            // Agents count their intents from below.
            intent: 1 << 63 | u64::from(epoch) << 31 | u64::from(minted),
            terms: OrderTerms {
                side,
                qty: OrderQty::Units(qty),
                ord_type: OrdType::Limit { price: collared(mark, side, collar, tick) },
                tif: TimeInForce::Ioc,
                expire_at: None,
                extended_hours: false,
            },
            contingent: Contingent::None,
            parent: None,
        };
        let refused = self.admit_exit(at, &new, market, out).err();
        let route = self.risk.route(&new).unwrap_or(Route {
            broker: crate::types::BrokerId(u8::MAX),
            account,
            agent,
            instrument,
        });
        out.notices.push(Notice::Exit { order, refused });
        ExitTried { order, route, refused }
    }

    /// Exits among the news that ended before all of them traded.
    pub(in crate::actors) fn note_exits(&self, out: &mut CoreOut) {
        if self.enforcement.run.2 == 0 {
            return;
        }
        for update in &out.news.updates {
            let ended = matches!(
                update.exec_type,
                Some(ExecType::Rejected | ExecType::Expired | ExecType::Canceled)
            );
            if update.cl_ord_id.is_exit() && ended {
                let ended = Notice::ExitEnded { order: update.cl_ord_id };
                if !out.notices.contains(&ended) {
                    out.notices.push(ended);
                }
            }
        }
    }
}

/// The worst price of an exit: the mark less or plus the collar, on a step towards the mark.
fn collared(mark: Price, side: Side, collar: i64, tick: Price) -> Price {
    let (mark, tick) = (i128::from(mark.raw()), i128::from(tick.raw().max(1)));
    let room = mark * i128::from(collar) / 1_000_000;
    let raw = match side {
        Side::Sell => (mark - room + tick - 1) / tick * tick,
        Side::Buy => (mark + room) / tick * tick,
    };
    Price::from_raw(i64::try_from(raw).unwrap_or(i64::MAX))
}
