//! Session and venue joined in memory: transcripts of the protocol.

use super::*;
use crate::broker::{BrokerSession, Frame, Output, SandboxConfig, SandboxSession};
use crate::msg::TradeCorrection;
use crate::venue::wire::{
    self, ClientMessage, Decoder, Logon, PROTOCOL, Role, SnapshotPart, VenueMessage,
};
use crate::venue::{FeedClient, Loopback, Venue};

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// The gateway lists BBB only beside an instrument of its own, and has other account numbers.
fn gateway_table() -> InstrumentTable {
    let mut own = table().get(InstrumentId(0)).clone();
    own.symbol = "ZZZ".into();
    InstrumentTable::new(vec![table().get(InstrumentId(1)).clone(), own]).unwrap()
}

fn loopback(config: &ExchangeConfig, instruments: InstrumentTable) -> Loopback {
    let accounts = vec![(AccountId(4), "main".to_string()), (AccountId(5), "spare".to_string())];
    let session = SandboxSession::new(SandboxConfig::in_memory("g1", accounts), instruments);
    Loopback::new(session, Exchange::new(config, table()).unwrap())
}

fn drain(link: &mut Loopback) -> Vec<Report> {
    std::iter::from_fn(|| link.poll_report()).collect()
}

fn said(link: &mut Loopback) -> Vec<String> {
    drain(link).iter().map(line).collect()
}

fn order(seq: u32, account: u16, qty: i64, ord_type: OrdType) -> OrderRequest {
    let mut new = new_order(seq, terms(Side::Buy, qty, ord_type, TimeInForce::Gtc));
    new.account = AccountId(account);
    OrderRequest::New(new)
}

fn send(link: &mut Loopback, now: u64, request: &OrderRequest) -> Result<(), Reason> {
    let mut frame = Frame::default();
    let (session, mut submit) = link.halves();
    session.encode(at(now), request, &mut frame)?;
    submit(at(now), &frame.bytes);
    drop(submit);
    link.settle(at(now));
    Ok(())
}

#[test]
fn ids_are_mapped_by_symbol_and_account_name() {
    let mut link = loopback(&ExchangeConfig::default(), gateway_table());
    link.start(at(1));
    assert_eq!(said(&mut link), ["session Up", "snapshot 0 orders 0 positions"]);
    let bbb = quote(5, "10.00", 10, "10.02", 10).with_instrument(InstrumentId(1));
    link.on_market(at(5), &bbb);
    // The gateway's instrument 0 is the venue's 1.
    send(&mut link, 5, &order(1, 5, 7, OrdType::Market)).unwrap();
    send(&mut link, 5, &order(2, 4, 3, limit("9.00"))).unwrap();
    assert_eq!(said(&mut link), ["1 new", "1 fill 7@10.02", "2 new"]);
    link.request_snapshot(at(6));
    let reports = drain(&mut link);
    let [Report::Snapshot(snapshot)] = &reports[..] else { panic!("{reports:?}") };
    // The filled order changed after the last complete snapshot, so it is told once more.
    assert_eq!(snapshot.orders.len(), 2);
    assert_eq!(snapshot.orders[1].account, AccountId(4));
    assert_eq!(snapshot.orders[0].fills.len(), 1);
    let position = snapshot.positions[0];
    assert_eq!((position.account, position.instrument), (AccountId(5), InstrumentId(0)));
    assert_eq!((position.qty, position.avg_px), (Qty::whole(7), px("10.02")));
    link.request_snapshot(at(7));
    assert_eq!(said(&mut link), ["snapshot 1 orders 1 positions"], "what ended is told once");
    // What the venue does not list, and an account outside the logon, never leave.
    let mut foreign = order(3, 4, 1, OrdType::Market);
    if let OrderRequest::New(new) = &mut foreign {
        new.instrument = InstrumentId(1);
    }
    assert_eq!(send(&mut link, 8, &foreign), Err(Reason::BrokerUnsupported));
    assert_eq!(
        send(&mut link, 8, &order(3, 9, 1, OrdType::Market)),
        Err(Reason::BrokerUnsupported)
    );
    // Market moves fill resting orders without a request.
    let bbb = quote(9, "8.00", 10, "8.02", 10).with_instrument(InstrumentId(1));
    link.on_market(at(9), &bbb);
    assert_eq!(said(&mut link), ["2 fill 3@9"]);
}

#[test]
fn latency_keeps_the_order_of_requests_and_snapshots() {
    let config =
        ExchangeConfig { latency: Nanos(100), jitter: Nanos(80), ..ExchangeConfig::default() };
    let mut link = loopback(&config, table());
    link.start(at(0));
    assert_eq!(said(&mut link), ["session Up"], "the snapshot request is under way");
    link.advance(at(1_000));
    assert_eq!(said(&mut link), ["snapshot 0 orders 0 positions"]);
    link.on_market(at(1_000), &quote(1_000, "10.00", 10, "10.02", 10));
    send(&mut link, 1_000, &order(1, 4, 7, OrdType::Market)).unwrap();
    link.request_snapshot(at(1_000));
    assert!(said(&mut link).is_empty());
    let due = link.next_event().unwrap();
    assert!((1_100..=1_180).contains(&due.nanos()));
    // It fills at the touch as of its arrival, and the snapshot asked for after it has it.
    link.on_market(at(1_050), &quote(1_050, "11.00", 10, "11.02", 10));
    link.on_market(at(2_000), &quote(2_000, "12.00", 10, "12.02", 10));
    assert_eq!(said(&mut link), ["1 new", "1 fill 7@11.02", "snapshot 1 orders 1 positions"]);
}

#[test]
fn a_cut_link_backs_off_and_comes_back_with_everything() {
    let mut link = loopback(&ExchangeConfig::default(), table());
    link.start(at(0));
    link.on_market(at(1), &quote(1, "10.00", 10, "10.02", 10));
    send(&mut link, 1, &order(1, 4, 7, limit("9.99"))).unwrap();
    said(&mut link);
    link.cut(at(2));
    assert_eq!(said(&mut link), ["session Down"]);
    assert_eq!(send(&mut link, 2, &order(2, 4, 7, OrdType::Market)), Err(Reason::BrokerNotReady));
    // It fills while nobody listens.
    link.on_market(at(3), &quote(3, "9.00", 10, "9.02", 10));
    assert!(said(&mut link).is_empty());
    let retry = link.next_event().unwrap();
    assert_eq!(retry, at(2) + Nanos::from_millis(50));
    link.advance(retry);
    let reports = drain(&mut link);
    assert_eq!(line(&reports[0]), "session Up");
    let Report::Snapshot(snapshot) = &reports[1] else { panic!("{reports:?}") };
    assert_eq!(snapshot.orders[0].ord_status, OrdStatus::Filled);
    assert_eq!(snapshot.orders[0].fills[0].price, px("9.99"));
}

/// A client in raw messages.
struct Raw {
    id: u64,
    decoder: Decoder,
}

impl Raw {
    fn logon(venue: &mut Venue, gateway: &str, role: Role) -> Self {
        let mut raw = Self { id: venue.connect(), decoder: Decoder::default() };
        let accounts = vec!["main".to_string()];
        let logon = Logon { protocol: PROTOCOL, gateway: gateway.into(), role, accounts };
        raw.send(venue, &ClientMessage::Logon(logon));
        raw
    }
    fn send(&mut self, venue: &mut Venue, message: &ClientMessage) {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).unwrap();
        venue.on_bytes(at(0), self.id, &bytes);
    }
    fn read(&mut self, venue: &mut Venue) -> Vec<VenueMessage> {
        let bytes = std::mem::take(venue.port(self.id).unwrap().output());
        self.decoder.push(&bytes);
        let mut all = Vec::new();
        while let Some((message, _)) = self.decoder.next_message().unwrap() {
            all.push(message);
        }
        all
    }
}

#[test]
fn a_new_logon_takes_over_and_nothing_of_the_old_one_is_executed_after() {
    let config = ExchangeConfig { latency: Nanos(100), ..ExchangeConfig::default() };
    let mut venue = Venue::new(Exchange::new(&config, table()).unwrap(), false);
    let mut old = Raw::logon(&mut venue, "g", Role::Trader);
    let mut other = Raw::logon(&mut venue, "h", Role::Trader);
    let mut feed = Raw::logon(&mut venue, "g", Role::Feed);
    let OrderRequest::New(first) = order(1, 0, 5, limit("9.00")) else { unreachable!() };
    old.send(&mut venue, &ClientMessage::Request(OrderRequest::New(first)));
    let mut new = Raw::logon(&mut venue, "g", Role::Trader);
    // Bytes that were still in the old socket.
    let late = NewOrder { cl_ord_id: id(2), ..first };
    old.send(&mut venue, &ClientMessage::Request(OrderRequest::New(late)));
    new.send(&mut venue, &ClientMessage::SnapshotRequest { id: 9, since: 0 });
    venue.advance(at(1_000));
    assert!(venue.exchange().orders().is_empty());
    assert!(venue.port(old.id).unwrap().is_closed());
    assert!(
        !venue.port(other.id).unwrap().is_closed() && !venue.port(feed.id).unwrap().is_closed()
    );
    assert!(matches!(old.read(&mut venue).last(), Some(VenueMessage::Refused { .. })));
    let messages = new.read(&mut venue);
    assert!(matches!(&messages[..], [VenueMessage::LogonAck { .. }, VenueMessage::Snapshot(part)]
        if part.last && part.id == 9 && part.orders.is_empty()));
    // Two gateways on one account both hear of its orders, and either may cancel them.
    new.send(&mut venue, &ClientMessage::Request(OrderRequest::New(first)));
    venue.advance(at(2_000));
    other.send(&mut venue, &ClientMessage::CancelAll);
    venue.advance(at(3_000));
    assert!(matches!(&new.read(&mut venue)[..],
        [VenueMessage::Execution(a), VenueMessage::Execution(b)]
        if a.exec_type == ExecType::New && b.exec_type == ExecType::Canceled));
    assert_eq!(other.read(&mut venue).len(), 3);
    feed.send(&mut venue, &ClientMessage::CancelAll);
    assert!(matches!(feed.read(&mut venue).last(), Some(VenueMessage::Refused { .. })));
}

#[test]
fn odd_input_ends_the_connection_with_a_reason() {
    let new = || Venue::new(Exchange::new(&ExchangeConfig::default(), table()).unwrap(), false);
    let refused = |venue: &mut Venue, raw: &mut Raw| match raw.read(venue).pop() {
        Some(VenueMessage::Refused { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let mut venue = new();
    let mut raw = Raw { id: venue.connect(), decoder: Decoder::default() };
    venue.on_bytes(at(0), raw.id, b"GET / HTTP/1.1\r\n\r\n");
    assert!(refused(&mut venue, &mut raw).contains("no frame"));
    let mut raw = Raw { id: venue.connect(), decoder: Decoder::default() };
    raw.send(&mut venue, &ClientMessage::CancelAll);
    assert!(refused(&mut venue, &mut raw).contains("logon"));
    let mut raw = Raw { id: venue.connect(), decoder: Decoder::default() };
    let logon = Logon { protocol: 99, gateway: "g".into(), role: Role::Feed, accounts: vec![] };
    raw.send(&mut venue, &ClientMessage::Logon(logon));
    assert!(refused(&mut venue, &mut raw).contains("protocol 99"));
    let mut raw = Raw::logon(&mut venue, "g", Role::Trader);
    let mut foreign = new_order(1, terms(Side::Buy, 1, OrdType::Market, TimeInForce::Day));
    foreign.account = AccountId(3);
    raw.send(&mut venue, &ClientMessage::Request(OrderRequest::New(foreign)));
    assert!(refused(&mut venue, &mut raw).contains("account"));
    let mut raw = Raw::logon(&mut venue, "g", Role::Trader);
    foreign.account = AccountId(0);
    foreign.instrument = InstrumentId(77);
    raw.send(&mut venue, &ClientMessage::Request(OrderRequest::New(foreign)));
    assert!(refused(&mut venue, &mut raw).contains("instrument"));
    // Every flip of a bit in a session is refused or harmless, never a panic.
    let mut bytes = Vec::new();
    let accounts = vec!["main".to_string()];
    let logon = Logon { protocol: PROTOCOL, gateway: "g".into(), role: Role::Trader, accounts };
    wire::encode(&ClientMessage::Logon(logon), &mut bytes).unwrap();
    let new_order = OrderRequest::New(new_order(1, foreign.terms));
    wire::encode(&ClientMessage::Request(new_order), &mut bytes).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut venue = new();
        let id = venue.connect();
        venue.on_bytes(at(0), id, &flipped);
        assert!(venue.exchange().orders().is_empty(), "bit {bit}");
    }
    // So is garbage inside a frame whose checksum is right.
    let mut rng = rand_pcg::Pcg32::new(1, 1);
    for _ in 0..5_000 {
        let mut payload = vec![0; 1 + rand_core::Rng::next_u32(&mut rng) as usize % 60];
        rand_core::Rng::fill_bytes(&mut rng, &mut payload);
        payload[0] %= 6;
        let mut framed = bytes.clone();
        crate::journal::frame::encode(0, 1, &payload, &mut framed);
        let mut venue = new();
        let id = venue.connect();
        venue.on_bytes(at(0), id, &framed);
    }
}

#[test]
fn the_session_hangs_up_on_silence_garbage_and_refusal() {
    let outputs = |session: &mut SandboxSession| -> Vec<Output> {
        std::iter::from_fn(|| session.poll_output()).collect()
    };
    let mut session = SandboxSession::new(SandboxConfig::tcp("g", vec![]), table());
    session.start(at(0));
    assert_eq!(outputs(&mut session), [Output::Dial(0)]);
    // No answer to the dial within three seconds; waits double from 50 ms.
    let mut now = at(0);
    for wait in [50, 100, 200] {
        now = session.deadline().unwrap();
        session.on_deadline(now);
        assert_eq!(outputs(&mut session), [Output::Hangup(0)]);
        assert_eq!(session.deadline(), Some(now + Nanos::from_millis(wait)));
        session.on_deadline(now + Nanos::from_millis(wait));
        assert_eq!(outputs(&mut session), [Output::Dial(0)]);
    }
    session.on_connected(now, 0);
    outputs(&mut session);
    let ack = |session: &mut SandboxSession, now: Timestamp| {
        let ack = VenueMessage::LogonAck { instruments: table(), accounts: vec![], now };
        let mut bytes = Vec::new();
        wire::encode(&ack, &mut bytes).unwrap();
        // Bytes may come one at a time.
        for byte in bytes {
            session.on_bytes(now, 0, &[byte]);
        }
    };
    ack(&mut session, now);
    let up = outputs(&mut session);
    assert!(matches!(
        &up[..],
        [Output::Send(0, _), Output::Report(Report::Session(SessionStatus::Up))]
    ));
    for _ in 0..2 {
        now = session.deadline().unwrap();
        session.on_deadline(now);
        assert!(matches!(&outputs(&mut session)[..], [Output::Send(0, _)]), "a heartbeat");
    }
    now = session.deadline().unwrap();
    session.on_deadline(now);
    let down = Output::Report(Report::Session(SessionStatus::Down));
    assert_eq!(outputs(&mut session), [Output::Hangup(0), down.clone()]);
    // A success starts the waits over.
    assert_eq!(session.deadline(), Some(now + Nanos::from_millis(50)));
    session.on_closed(now, 0, "late");
    assert!(outputs(&mut session).is_empty());
    session.on_deadline(now + Nanos::from_millis(50));
    session.on_connected(now, 0);
    ack(&mut session, now);
    outputs(&mut session);
    session.on_bytes(now, 0, b"garbage");
    assert_eq!(outputs(&mut session), [Output::Hangup(0), down]);
}

/// A correction may be older than what snapshots have said since: what they left out is asked for again.
#[test]
fn a_correction_has_the_next_snapshot_list_everything() {
    let mut session = SandboxSession::new(SandboxConfig::tcp("g", vec![]), table());
    let hear = |session: &mut SandboxSession, message: &VenueMessage| {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).unwrap();
        session.on_bytes(at(0), 0, &bytes);
        // What it asks for: the number of the snapshot, and since when.
        let mut asked = None;
        while let Some(output) = session.poll_output() {
            let Output::Send(0, bytes) = output else { continue };
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            if let Some((ClientMessage::SnapshotRequest { id, since }, _)) =
                decoder.next_message().unwrap()
            {
                asked = Some((id, since));
            }
        }
        asked
    };
    let ask = |session: &mut SandboxSession| {
        session.request_snapshot(at(0));
        hear(session, &VenueMessage::Heartbeat)
    };
    let answer = |id, version| {
        let (orders, positions) = (vec![], vec![]);
        VenueMessage::Snapshot(SnapshotPart { id, last: true, version, orders, positions })
    };
    let correction = VenueMessage::Correction(TradeCorrection {
        cl_ord_id: id(1),
        venue_order_id: VenueOrderId(1),
        exec_id: ExecId(2),
        exec_ref_id: ExecId(1),
        corrected: None,
        ord_status: OrdStatus::Canceled,
        leaves_qty: Qty::ZERO,
    });
    session.start(at(0));
    session.on_connected(at(0), 0);
    while session.poll_output().is_some() {}
    let ack = VenueMessage::LogonAck { instruments: table(), accounts: vec![], now: at(0) };
    assert_eq!(hear(&mut session, &ack), Some((1, 0)));
    hear(&mut session, &answer(1, 7));
    assert_eq!(ask(&mut session), Some((2, 7)));
    // It crosses a snapshot under way, which says nothing new of what ended.
    hear(&mut session, &correction);
    hear(&mut session, &answer(2, 9));
    assert_eq!(ask(&mut session), Some((3, 0)));
    assert_eq!(ask(&mut session), Some((4, 0)), "until it is answered");
    hear(&mut session, &answer(4, 9));
    assert_eq!(ask(&mut session), Some((5, 9)));
}

#[test]
fn the_feed_client_gets_every_kind_of_record_under_its_own_ids() {
    let mut venue = Venue::new(Exchange::new(&ExchangeConfig::default(), table()).unwrap(), false);
    let mut client = FeedClient::new(gateway_table());
    let link = venue.connect();
    venue.on_bytes(at(0), link, &client.logon("g").unwrap());
    let ohlc = Ohlc { open: px("1"), high: px("2"), low: px("0.5"), close: px("1.5") };
    let bbb = InstrumentId(1);
    let records = [
        quote(1, "10.00", 10, "10.02", 10).with_instrument(bbb),
        quote(2, "10.00", 10, "10.02", 10),
        trade(3, "10.01", 5).with_instrument(bbb),
        MarketData::Bar(Bar {
            ts: at(4),
            instrument: bbb,
            interval: Nanos(5),
            price: ohlc,
            volume: Qty::whole(9),
        }),
        MarketData::Gap(Gap { ts: at(5), instrument: bbb, missing: 3 }),
    ];
    venue.publish(&records);
    venue.end_of_feed();
    venue.on_bytes(at(0), link, &client.heartbeat().unwrap());
    let bytes = std::mem::take(venue.port(link).unwrap().output());
    let mut got = Vec::new();
    for part in bytes.chunks(13) {
        client.on_bytes(part, |record| got.push(record)).unwrap();
    }
    let expected: Vec<MarketData> = records
        .iter()
        .filter(|record| record.instrument() == bbb)
        .map(|record| record.with_instrument(InstrumentId(0)))
        .collect();
    assert_eq!(got, expected);
    assert!(client.is_up() && client.ended());
    assert_eq!(client.skipped(), 1);
    assert!(client.on_bytes(b"junk junk junk junk junk", |_| {}).is_err());
}
