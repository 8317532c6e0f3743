//! The sandbox protocol from every side that reads it, and the proxy's cutter.

use super::kit::{both, framed};
use super::samples;
use qtos_gateway::broker::{BrokerSession, Frame, SandboxConfig, SandboxSession};
use qtos_gateway::chaos::{Cutter, Framing};
use qtos_gateway::msg::CancelReject;
use qtos_gateway::types::{AccountId, ExecType, OrdStatus, Reason, Timestamp};
use qtos_gateway::venue::wire::{
    ClientMessage, Decoder, Logon, PROTOCOL, Role, SnapshotPart, VenueMessage, decode_market,
    encode, encode_market, market_codec,
};
use qtos_gateway::venue::{Exchange, ExchangeConfig, FeedClient, Venue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const NOW: Timestamp = Timestamp::from_nanos(1_735_828_200_000_000_000);

fn decoded<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    // Two pieces: where a read ends must not matter.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for piece in [first, second] {
        decoder.push(piece);
        while let Ok(Some((message, _))) = decoder.next_message::<T>() {
            let mut out = Vec::new();
            encode(&message, &mut out).unwrap();
            let mut again = Decoder::default();
            again.push(&out);
            let (same, rest) = again.next_message::<T>().unwrap().unwrap();
            assert_eq!(same, message);
            assert!(rest.is_empty());
        }
    }
}

/// Messages of either direction, and the records behind them.
pub fn messages(data: &[u8]) {
    let bytes = framed(data);
    decoded::<ClientMessage>(&bytes);
    decoded::<VenueMessage>(&bytes);
    let (mut decoder, mut codec) = (Decoder::default(), market_codec(&samples::table()));
    decoder.push(&bytes);
    while let Ok(Some((message, rest))) = decoder.next_message::<VenueMessage>() {
        if let VenueMessage::Market { count } = message {
            let mut records = Vec::new();
            let whole = decode_market(count, rest, &mut codec, |record| records.push(record));
            assert!(records.len() <= count as usize);
            assert!(whole.is_err() || records.len() == count as usize);
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut client = Vec::new();
    let logon = |role| {
        let accounts = vec!["paper".to_owned()];
        ClientMessage::Logon(Logon { protocol: PROTOCOL, gateway: "g".into(), role, accounts })
    };
    let mut feed = Vec::new();
    encode(&logon(Role::Feed), &mut feed).unwrap();
    encode(&ClientMessage::Heartbeat, &mut feed).unwrap();
    encode(&logon(Role::Trader), &mut client).unwrap();
    for request in samples::requests() {
        encode(&ClientMessage::Request(request), &mut client).unwrap();
    }
    encode(&ClientMessage::SnapshotRequest { id: 1, since: 0 }, &mut client).unwrap();
    encode(&ClientMessage::CancelAll, &mut client).unwrap();

    let mut venue = Vec::new();
    let snapshot = samples::snapshot();
    let part = |id, last| SnapshotPart {
        id,
        last,
        version: 3,
        orders: snapshot.orders.clone(),
        positions: snapshot.positions.clone(),
    };
    let rejected = CancelReject::of_cancel(samples::id(1), Reason::BrokerOther);
    for message in [
        VenueMessage::LogonAck {
            instruments: samples::table(),
            accounts: vec![AccountId(0)],
            now: NOW,
        },
        VenueMessage::Snapshot(part(1, false)),
        VenueMessage::Snapshot(part(1, true)),
        VenueMessage::Execution(samples::execution(ExecType::New, OrdStatus::New, 0, 0)),
        VenueMessage::Execution(samples::execution(
            ExecType::Trade,
            OrdStatus::PartiallyFilled,
            4,
            4,
        )),
        VenueMessage::CancelReject(rejected),
        VenueMessage::Heartbeat,
    ] {
        encode(&message, &mut venue).unwrap();
    }
    let mut market = Vec::new();
    let ack =
        VenueMessage::LogonAck { instruments: samples::table(), accounts: Vec::new(), now: NOW };
    encode(&ack, &mut market).unwrap();
    let mut codec = market_codec(&samples::table());
    encode_market(&samples::records(30), &mut codec, &mut market).unwrap();
    encode(&VenueMessage::EndOfFeed, &mut market).unwrap();
    encode(&VenueMessage::Refused { reason: "no".into() }, &mut market).unwrap();
    [client, feed, venue, market].iter().flat_map(|frames| both(frames)).collect()
}

/// A broker session whose venue says anything: it says no more than it heard, and goes on.
pub fn session(data: &[u8]) {
    let config = SandboxConfig::tcp("g", vec![(AccountId(0), "paper".to_owned())]);
    let mut session = SandboxSession::new(config, samples::table());
    let bytes = framed(data);
    let mut now = NOW;
    session.start(now);
    session.on_connected(now, 0);
    drain(&mut session);
    for piece in bytes.chunks(bytes.len().div_ceil(3).max(1)) {
        session.on_bytes(now, 0, piece);
        drain(&mut session);
        if let Some(deadline) = session.deadline() {
            assert!(
                deadline.since(now).0 < 3_600_000_000_000,
                "a session does not sleep for hours"
            );
            now = now.max(deadline);
            session.on_deadline(now);
            drain(&mut session);
        }
        for request in samples::requests() {
            let _ = session.encode(now, &request, &mut Frame::default());
        }
    }
    session.on_closed(now, 0, "test");
    drain(&mut session);
}

fn drain(session: &mut SandboxSession) {
    for _ in 0..10_000 {
        if session.poll_output().is_none() {
            return;
        }
    }
    panic!("a session that never stops talking");
}

/// A feed connection whose venue says anything.
pub fn feed_client(data: &[u8]) {
    let mut client = FeedClient::new(samples::table());
    let bytes = framed(data);
    for piece in bytes.chunks(bytes.len().div_ceil(3).max(1)) {
        if client.on_bytes(piece, |record| assert!(record.instrument().index() < 2)).is_err() {
            return;
        }
    }
}

/// The venue's side: a client that says anything, with a market that moves.
pub fn venue(data: &[u8]) {
    let exchange = Exchange::new(&ExchangeConfig::default(), samples::table()).unwrap();
    let mut venue = Venue::new(exchange, true);
    let mut records = samples::records(12).into_iter();
    for record in records.by_ref().take(6) {
        venue.on_market(&record);
    }
    let connection = venue.connect();
    let bytes = framed(data);
    for piece in bytes.chunks(bytes.len().div_ceil(3).max(1)) {
        let now = venue.now();
        venue.on_bytes(now, connection, piece);
        venue.advance(now);
        if let Some(record) = records.next() {
            venue.on_market(&record);
        }
        if let Some(commit) = venue.take_commit(1) {
            assert!(commit.orders.len() < 1_000);
        }
    }
    venue.disconnect(connection);
}

/// Nothing is lost on the way through a proxy, whatever the framing, and pieces do not depend on reads.
pub fn cutter(data: &[u8]) {
    let bytes = framed(data);
    for framing in [Framing::None, Framing::Lines, Framing::Sandbox] {
        let cut = |step: usize| {
            let (mut cutter, mut pieces) = (Cutter::new(framing), Vec::new());
            for some in bytes.chunks(step) {
                cutter.push(some);
                pieces.extend(std::iter::from_fn(|| cutter.next_piece()));
            }
            pieces.push(cutter.rest());
            pieces.concat()
        };
        assert_eq!(cut(bytes.len().max(1)), bytes);
        assert_eq!(cut(7), bytes);
    }
}
