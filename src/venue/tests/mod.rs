//! Tests of the venue, by property.

mod contingency;
mod exchange;
mod ledger;
mod loopback;
mod property;
mod server;

use super::{Exchange, ExchangeConfig, FillModel, Outbox};
use crate::msg::*;
use crate::types::*;

pub fn px(text: &str) -> Price {
    text.parse().unwrap()
}

pub fn id(seq: u32) -> ClientOrderId {
    ClientOrderId { instance: 7, epoch: 1, agent: AgentId(2), seq }
}

pub fn table() -> InstrumentTable {
    let make = |symbol: &str| Instrument {
        symbol: symbol.into(),
        tick: px("0.01"),
        lot: Qty::whole(1),
        multiplier: 1,
        currency: Currency::USD,
        calendar: Calendar::Always,
    };
    InstrumentTable::new(vec![make("AAA"), make("BBB")]).unwrap()
}

pub fn quote(ts: u64, bid: &str, bid_size: i64, ask: &str, ask_size: i64) -> MarketData {
    MarketData::Quote(Quote {
        ts: Timestamp::from_nanos(ts),
        instrument: InstrumentId(0),
        exchange: ExchangeId(0),
        suspicious: false,
        bid: px(bid),
        bid_size: Qty::whole(bid_size),
        ask: px(ask),
        ask_size: Qty::whole(ask_size),
    })
}

pub fn trade(ts: u64, price: &str, size: i64) -> MarketData {
    MarketData::Trade(Trade {
        ts: Timestamp::from_nanos(ts),
        instrument: InstrumentId(0),
        exchange: ExchangeId(0),
        suspicious: false,
        aggressor: None,
        price: px(price),
        size: Qty::whole(size),
        condition: 0,
    })
}

pub fn terms(side: Side, qty: i64, ord_type: OrdType, tif: TimeInForce) -> OrderTerms {
    OrderTerms {
        side,
        qty: OrderQty::Units(Qty::whole(qty)),
        ord_type,
        tif,
        expire_at: None,
        extended_hours: false,
    }
}

pub fn limit(price: &str) -> OrdType {
    OrdType::Limit { price: px(price) }
}

pub fn stop(price: &str) -> OrdType {
    OrdType::Stop { stop_px: px(price) }
}

pub fn new_order(seq: u32, terms: OrderTerms) -> NewOrder {
    NewOrder {
        cl_ord_id: id(seq),
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: u64::from(seq),
        terms,
        contingent: Contingent::None,
        parent: None,
    }
}

/// An exchange with one account, and what it said since the last look.
pub struct Lab {
    pub exchange: Exchange,
    pub out: Outbox,
    pub now: u64,
}

impl Lab {
    pub fn new(model: FillModel) -> Self {
        Self::with(&ExchangeConfig { fill_model: model, ..ExchangeConfig::default() })
    }

    pub fn with(config: &ExchangeConfig) -> Self {
        let mut exchange = Exchange::new(config, table()).unwrap();
        exchange.open_account("main").unwrap();
        Self { exchange, out: Outbox::default(), now: 1_000 }
    }

    pub fn market(&mut self, record: MarketData) {
        self.exchange.on_market(&record, &mut self.out);
    }

    /// A quote of 100 on each side, at the next moment.
    pub fn quote(&mut self, bid: &str, ask: &str) {
        self.sized(bid, 100, ask, 100);
    }

    pub fn sized(&mut self, bid: &str, bid_size: i64, ask: &str, ask_size: i64) {
        self.now += 1;
        self.market(quote(self.now, bid, bid_size, ask, ask_size));
    }

    pub fn trade(&mut self, price: &str, size: i64) {
        self.now += 1;
        self.market(trade(self.now, price, size));
    }

    pub fn submit(&mut self, new: NewOrder) {
        self.exchange.submit(Timestamp::from_nanos(self.now), &new, &mut self.out);
    }

    pub fn order(&mut self, seq: u32, side: Side, qty: i64, ord_type: OrdType, tif: TimeInForce) {
        self.submit(new_order(seq, terms(side, qty, ord_type, tif)));
    }

    pub fn cancel(&mut self, seq: u32) {
        let cancel = CancelOrder::of(id(seq));
        self.exchange.cancel(Timestamp::from_nanos(self.now), &cancel, &mut self.out);
    }

    pub fn replace(&mut self, orig: u32, seq: u32, terms: OrderTerms) {
        let replace = ReplaceOrder {
            orig_cl_ord_id: id(orig),
            cl_ord_id: id(seq),
            intent: u64::from(seq),
            terms,
        };
        self.exchange.replace(Timestamp::from_nanos(self.now), &replace, &mut self.out);
    }

    /// What was said, in short: `1 new`, `1 fill 5@10.01`, `1 canceled`, `1 refused cancel too_late`.
    pub fn said(&mut self) -> Vec<String> {
        let lines = self.out.reports.iter().map(|sent| line(&sent.report)).collect();
        self.out.clear();
        lines
    }

    pub fn left(&self, seq: u32) -> Order {
        self.exchange.order(id(seq)).unwrap().clone()
    }
}

pub use super::Order;

pub fn line(report: &Report) -> String {
    match report {
        Report::Execution(r) => {
            let id = r.cl_ord_id.seq;
            match r.exec_type {
                ExecType::New => format!("{id} new"),
                ExecType::TradeCancel | ExecType::TradeCorrect => unreachable!("named by no fill"),
                ExecType::Trade => format!("{id} fill {}@{}", r.last_qty, r.last_px),
                ExecType::OrderStatus => format!("{id} leaves {}", r.leaves_qty),
                ExecType::Canceled => match r.reason {
                    Some(reason) => format!("{id} canceled {reason}"),
                    None => format!("{id} canceled"),
                },
                ExecType::Rejected => format!("{id} rejected {}", r.reason.unwrap()),
                ExecType::Expired => format!("{id} expired"),
                ExecType::Replaced => format!("{id} replaced"),
            }
        }
        Report::Correction(r) => format!("{} corrected", r.cl_ord_id.seq),
        Report::CancelReject(r) => {
            format!("{} refused {:?} {}", r.orig_cl_ord_id.seq, r.request, r.reason)
        }
        Report::Session(status) => format!("session {status:?}"),
        Report::Snapshot(s) => {
            format!("snapshot {} orders {} positions", s.orders.len(), s.positions.len())
        }
        Report::NotSent { .. } => "not sent".into(),
    }
}
