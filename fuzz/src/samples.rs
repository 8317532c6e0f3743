//! Values that seeds are made of.

use qtos_gateway::feed::{Feed, Generated, GeneratedInstrument, GeneratedMarket};
use qtos_gateway::msg::{
    BrokerSnapshot, CancelOrder, CancelReject, Contingent, Control, ExecutionReport, Input,
    KillOrder, Leg, MarketData, NewOrder, OrderRequest, OrderSnapshot, OrderTerms,
    PositionSnapshot, ReplaceOrder, Report, SessionStatus,
};
use qtos_gateway::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, ExecId, ExecType, InstrumentId, InstrumentTable,
    KillLevel, Notional, OrdStatus, OrdType, OrderQty, Price, Qty, Reason, Scope, Side,
    TimeInForce, Timestamp, VenueOrderId,
};

pub fn stocks() -> Vec<GeneratedInstrument> {
    let stock = |name, price| GeneratedInstrument::stock(name, Price::from_raw(price));
    vec![stock("IBM", 100_000_000_000), stock("MSFT", 250_000_000_000)]
}

pub fn table() -> InstrumentTable {
    InstrumentTable::new(stocks().into_iter().map(|stock| stock.instrument).collect()).unwrap()
}

/// The first records of a generated market.
pub fn records(count: usize) -> Vec<MarketData> {
    let mut feed = Generated::new(GeneratedMarket::new(7, stocks())).unwrap();
    let mut next = || feed.next().unwrap();
    std::iter::from_fn(&mut next).take(count).collect()
}

pub fn id(seq: u32) -> ClientOrderId {
    ClientOrderId { instance: 1, epoch: 1, agent: AgentId(2), seq }
}

pub fn terms(side: Side, qty: i64, price: i64) -> OrderTerms {
    OrderTerms {
        side,
        qty: OrderQty::Units(Qty::whole(qty)),
        ord_type: OrdType::Limit { price: Price::from_raw(price * 1_000_000_000) },
        tif: TimeInForce::Day,
        expire_at: None,
        extended_hours: false,
    }
}

pub fn requests() -> Vec<OrderRequest> {
    let new = NewOrder {
        cl_ord_id: id(1),
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: 1,
        terms: terms(Side::Buy, 10, 100),
        contingent: Contingent::None,
        parent: None,
    };
    let leg = Leg { cl_ord_id: id(3), terms: terms(Side::Sell, 10, 110) };
    let pair = NewOrder { cl_ord_id: id(2), contingent: Contingent::OneTriggersOther(leg), ..new };
    let replace = ReplaceOrder {
        orig_cl_ord_id: id(1),
        cl_ord_id: id(4),
        intent: 2,
        terms: terms(Side::Buy, 12, 101),
    };
    vec![
        OrderRequest::New(new),
        OrderRequest::New(pair),
        OrderRequest::Replace(replace),
        OrderRequest::Cancel(CancelOrder::of(id(4))),
    ]
}

pub fn execution(
    exec_type: ExecType,
    ord_status: OrdStatus,
    cum: i64,
    last: i64,
) -> ExecutionReport {
    ExecutionReport {
        cl_ord_id: id(1),
        venue_order_id: VenueOrderId(9),
        exec_id: ExecId(11),
        exec_type,
        ord_status,
        last_qty: Qty::whole(last),
        last_px: Price::from_raw(100_000_000_000),
        cum_qty: Qty::whole(cum),
        leaves_qty: Qty::whole(10 - cum),
        fee: Notional::ZERO,
        reason: Some(Reason::BrokerOther),
        transact_time: Timestamp::from_nanos(5),
    }
}

pub fn snapshot() -> BrokerSnapshot {
    BrokerSnapshot {
        orders: vec![OrderSnapshot {
            cl_ord_id: Some(id(1)),
            venue_order_id: VenueOrderId(9),
            account: AccountId(0),
            instrument: InstrumentId(0),
            terms: terms(Side::Buy, 10, 100),
            ord_status: OrdStatus::New,
            cum_qty: Qty::ZERO,
            leaves_qty: Qty::whole(10),
            fills: Vec::new(),
        }],
        positions: vec![PositionSnapshot {
            account: AccountId(0),
            instrument: InstrumentId(0),
            qty: Qty::whole(4),
            avg_px: Price::from_raw(100_000_000_000),
        }],
    }
}

pub fn inputs() -> Vec<Input> {
    let broker = BrokerId(0);
    let kill = KillOrder {
        scope: Scope::Global,
        level: KillLevel::Cancel,
        reason: "drill".into(),
        episode: 1,
        rule: None,
    };
    let rejected = CancelReject::of_cancel(id(1), Reason::Busy);
    let mut inputs = vec![
        Input::Control(Control::Boot { instance: 1, epoch: 1 }),
        Input::Report(broker, Report::Session(SessionStatus::Up)),
        Input::Report(broker, Report::Snapshot(Box::new(snapshot()))),
        Input::Report(broker, Report::Execution(execution(ExecType::New, OrdStatus::New, 0, 0))),
        Input::Report(
            broker,
            Report::Execution(execution(ExecType::Trade, OrdStatus::PartiallyFilled, 4, 4)),
        ),
        Input::Report(broker, Report::CancelReject(rejected)),
        Input::Control(Control::Kill(kill)),
        Input::Tick,
    ];
    inputs.extend(requests().into_iter().map(|request| Input::Request(AgentId(2), request)));
    inputs.extend(records(6).into_iter().map(Input::Market));
    inputs
}
