//! Limits worked out again at the wire: from the bytes that leave and from what was shown, not by
//! asking a control. Where a control is stricter than the arithmetic here, nothing is said.

use super::shown::Shown;
use super::watch::Violation;
use crate::kill::{Effect, Route};
use crate::msg::{OrderRequest, OrderTerms};
use crate::types::{AgentId, BrokerId, Nanos, Notional, OrderQty, Price, Qty, Scope, Timestamp};
use crate::wiring::Topology;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Nanoseconds of a day.
const DAY: u64 = 86_400_000_000_000;

/// At most so many in a span.
#[derive(Debug, Clone, Copy)]
struct Rate {
    most: usize,
    span: Nanos,
}

impl Rate {
    /// `40/1s`.
    fn read(text: &str) -> Option<Self> {
        let (most, span) = text.split_once('/')?;
        Some(Self { most: most.parse().ok()?, span: span.parse().ok()? })
    }
}

/// The rows for everything, and those that some sessions have for an agent.
#[derive(Debug)]
pub struct Bounds {
    order_qty: Option<Qty>,
    order_value: Option<Notional>,
    collar_percent: Option<i128>,
    rate: Option<Rate>,
    budget: Option<Rate>,
    day_orders: Option<u64>,
    day_sent: Option<Notional>,
    /// Units that an account may hold at worst.
    pub position: Option<Qty>,
    /// The same for one agent over all its accounts.
    pub agent_position: Option<(AgentId, Qty)>,
    /// Orders open at once.
    pub open_orders: Option<usize>,
    /// Worth of everything at its worst.
    pub gross: Option<Notional>,
    /// The same with long and short set off.
    pub net: Option<Notional>,
    /// What an account may lose on a day.
    pub daily_loss: Option<Notional>,
    /// What fills of a day may be worth.
    pub day_traded: Option<Notional>,
    /// Own orders must not meet, and whether those that are open make way.
    pub self_match: Option<bool>,
    recent: VecDeque<Timestamp>,
    messages: BTreeMap<BrokerId, VecDeque<Timestamp>>,
    intents: BTreeSet<(AgentId, u64)>,
    day: u64,
    orders: u64,
    sent: Notional,
}

impl Bounds {
    /// The limits of a session.
    pub fn new(topology: &Topology) -> Self {
        let row = |control: &str, scope: Scope| {
            let mut rows = topology.limits.iter();
            rows.find(|row| row.control == control && row.scope == scope)
                .map(|row| row.value.to_string())
        };
        let text = |control: &str| row(control, Scope::Global);
        let money = |control: &str| text(control).and_then(|text| text.parse().ok());
        let agent = AgentId(AgentId::FIRST);
        Self {
            order_qty: text("max_order_qty").and_then(|text| text.parse().ok()),
            order_value: money("max_order_value"),
            collar_percent: text("price_collar")
                .and_then(|text| text.strip_suffix('%').and_then(|number| number.parse().ok())),
            rate: text("order_rate").and_then(|text| Rate::read(&text)),
            budget: text("message_budget").and_then(|text| Rate::read(&text)),
            day_orders: text("day_orders").and_then(|text| text.parse().ok()),
            day_sent: money("day_value_sent"),
            position: text("max_position").and_then(|text| text.parse().ok()),
            agent_position: row("max_position", Scope::Agent(agent))
                .and_then(|text| Some((agent, text.parse().ok()?))),
            open_orders: text("open_orders").and_then(|text| text.parse().ok()),
            gross: money("gross_exposure"),
            net: money("net_exposure"),
            daily_loss: money("daily_loss"),
            day_traded: money("day_value_traded"),
            self_match: text("self_match").map(|text| text == "cancel_old"),
            recent: VecDeque::new(),
            messages: BTreeMap::new(),
            intents: BTreeSet::new(),
            day: 0,
            orders: 0,
            sent: Notional::ZERO,
        }
    }

    /// Connections begin anew; with the power, the memory of the last requests is gone as well.
    pub fn rebooted(&mut self, lost_power: bool) {
        self.messages.clear();
        if lost_power {
            self.recent.clear();
            self.intents.clear();
            (self.orders, self.sent) = (0, Notional::ZERO);
        }
    }

    /// Whether `at` is on another day than the last request; then its sums begin again.
    fn turn(&mut self, at: Timestamp) {
        if self.day != at.nanos() / DAY {
            self.day = at.nanos() / DAY;
            (self.orders, self.sent) = (0, Notional::ZERO);
        }
    }

    /// A request leaves.
    pub fn at_wire(
        &mut self,
        at: Timestamp,
        (route, effect): (Route, Effect),
        request: &OrderRequest,
        shown: &Shown,
        out: &mut Vec<Violation>,
    ) {
        let mut bad = |invariant, what: String| out.push(Violation::new(invariant, what));
        if let Some(Rate { most, span }) = self.budget {
            // A fifth of the messages is kept for cancels.
            let (messages, open) =
                (self.messages.entry(route.broker).or_default(), most - most.div_ceil(5));
            let used = slide(messages, span, at);
            if used >= open && effect != Effect::Cancels {
                bad("I19", format!("{request:?} after {used} messages of {open}"));
            }
            messages.push_back(at);
        }
        let (agent, intent, terms): (_, _, Vec<OrderTerms>) = match request {
            OrderRequest::New(new) => {
                let legs = new.contingent.legs().map(|leg| leg.terms);
                let all = std::iter::once(new.terms).chain(legs).collect();
                (new.cl_ord_id.agent, new.intent, all)
            }
            OrderRequest::Replace(replace) => {
                (replace.cl_ord_id.agent, replace.intent, vec![replace.terms])
            }
            OrderRequest::Cancel(_) => return,
        };
        if !self.intents.insert((agent, intent)) {
            bad("I05", format!("intent {intent} of {agent:?} left before"));
        }
        let used = slide(&mut self.recent, Nanos::from_secs(1), at) + 1;
        self.recent.push_back(at);
        if self.rate.is_some_and(|rate| rate.span == Nanos::from_secs(1) && used > rate.most) {
            bad("I19", format!("{used} requests within a second"));
        }
        if let Some(why) = shown.unfit(route.instrument, at) {
            bad("I03", format!("{request:?} on a price that is {why}"));
        }
        if effect == Effect::Opens && shown.halted(route.instrument) {
            bad("I03", format!("{request:?} in a halt"));
        }
        let mark = shown.mark(route.instrument);
        for terms in &terms {
            if let Some(what) = self.wrong_size(terms, mark) {
                bad("I04", format!("{what}: {request:?}"));
            }
            if let Some(what) = self.wrong_price(terms, mark) {
                bad("I03", format!("{what}: {request:?}"));
            }
        }
        self.turn(at);
        self.orders += terms.len() as u64;
        self.sent += terms.first().and_then(|first| least_value(first, mark)).unwrap_or_default();
        if self.day_orders.is_some_and(|most| self.orders > most) {
            bad("I19", format!("{} orders on a day", self.orders));
        }
        if self.day_sent.is_some_and(|most| self.sent > most) {
            bad("I19", format!("orders worth {} on a day", self.sent));
        }
    }

    fn wrong_size(&self, terms: &OrderTerms, mark: Option<Price>) -> Option<String> {
        let OrderQty::Units(units) = terms.qty else { return None };
        if let Some(most) = self.order_qty.filter(|most| units > *most) {
            return Some(format!("{units} units, {most} are allowed"));
        }
        let (value, most) = (least_value(terms, mark)?, self.order_value?);
        (value > most).then(|| format!("worth {value}, {most} is allowed"))
    }

    fn wrong_price(&self, terms: &OrderTerms, mark: Option<Price>) -> Option<String> {
        let (percent, mark) = (self.collar_percent?, mark?);
        let named = [terms.ord_type.limit_price(), terms.ord_type.stop_price()];
        named.into_iter().flatten().find_map(|price| {
            let off = (i128::from(price.raw()) - i128::from(mark.raw())).abs();
            (off * 100 > i128::from(mark.raw()) * percent)
                .then(|| format!("{price} is beyond {percent}% of {mark}"))
        })
    }
}

/// Drops what has left the span that ends at `at`; how many are left.
fn slide(times: &mut VecDeque<Timestamp>, span: Nanos, at: Timestamp) -> usize {
    while times.front().is_some_and(|first| *first + span <= at) {
        times.pop_front();
    }
    times.len()
}

/// What an order that names units is worth at least.
fn least_value(terms: &OrderTerms, mark: Option<Price>) -> Option<Notional> {
    let OrderQty::Units(units) = terms.qty else { return None };
    let named = terms.ord_type.limit_price().or(terms.ord_type.stop_price());
    Some(named.or(mark)?.notional(units, 1))
}
