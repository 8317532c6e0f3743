//! How long a boot reads a long journal of an open world.

use super::replay::ticks;
use super::{BenchError, Rows, Scratch, journal::Spool, topology};
use crate::desk::Desk;
use crate::disk::OsFolder;
use crate::journal::{Durability, Header, HeaderKind, Log, World};
use crate::live::recover;
use crate::msg::{Contingent, Input, NewOrder, OrderRequest, OrderTerms};
use crate::types::{
    AccountId, AgentId, BrokerId, ClientOrderId, InstrumentId, OrdType, OrderQty, Qty, Side,
    TimeInForce, Timestamp,
};
use crate::view::BenchRow;
use crate::wiring::{Placement, Registry, Topology};
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

/// Market records of the journal. With what the orders add it has ten million entries.
const TICKS: u64 = 8_820_000;
/// One order for so many ticks: request, decision, acknowledgement and fill, and the timer that looks
/// after them, make 13 entries of 100.
const TICKS_PER_ORDER: u64 = 38;
/// Runs, of which the median counts.
const RUNS: usize = 3;

/// `recovery`: entries a second of a journal of ten million.
pub fn recovery(registry: &Registry) -> Result<Rows, BenchError> {
    let topology = topology(registry)?;
    let state = Scratch::new("recovery");
    fs::create_dir_all(state.0.join("journal"))?;
    write(&topology, registry, &state.0)?;
    let folder = OsFolder::new(&state.0);
    let mut rates = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        let recovered = recover(&folder, &topology, registry, World::Open, None, &mut |_| {})
            .map_err(|error| BenchError::Wrong(error.to_string()))?;
        let rate = recovered.entries as f64 / start.elapsed().as_secs_f64();
        if recovered.entries < 10_000_000 {
            return Err(BenchError::Wrong(format!("only {} entries", recovered.entries)));
        }
        rates.push(rate);
    }
    rates.sort_by(f64::total_cmp);
    let rate = rates[RUNS / 2].round();
    Ok(vec![("recovery", BenchRow::Rate { unit: "entries/s".into(), rate })])
}

/// A session of one agent on the core's lane and one that asks from elsewhere.
fn write(topology: &Topology, registry: &Registry, state: &Path) -> Result<(), BenchError> {
    let kind = HeaderKind::Journal {
        build: String::new(),
        config: topology.source().text().to_owned(),
        feed: None,
        world: World::Open,
        follows: 0,
        anew: false,
    };
    let header = Header::new(kind, topology.names.instruments().clone());
    let file = File::create(state.join("journal/00000001.qlog"))?;
    let log = Log::create(Box::new(Spool(file)), &header, Durability::Process)?;
    let board = topology.kill_board();
    let mut links = Vec::new();
    for number in 0..topology.brokers.len() {
        links.extend(topology.in_process(BrokerId(number as u8), &board, None)?);
    }
    let mut desk = Desk::new(topology.lane(registry, Placement::All)?, log, links, false);
    for (number, tick) in (0..).zip(ticks(TICKS)) {
        if number == 0 {
            desk.boot(tick.ts(), 1, 1);
        }
        desk.advance(tick.ts());
        desk.market(tick.ts(), &tick, false);
        if number % TICKS_PER_ORDER == 1 {
            let request = order((number / TICKS_PER_ORDER) as u32);
            desk.deliver(tick.ts(), &Input::Request(AgentId::OPERATOR, request));
        }
        if desk.log.buffered() > 1 << 16 {
            desk.log.commit()?;
        }
    }
    let digest = desk.digest();
    desk.log.checkpoint(digest);
    desk.log.close()?;
    Ok(())
}

fn order(seq: u32) -> OrderRequest {
    OrderRequest::New(NewOrder {
        cl_ord_id: ClientOrderId { instance: 1, epoch: 1, agent: AgentId::OPERATOR, seq },
        account: AccountId(0),
        instrument: InstrumentId(0),
        intent: u64::from(seq),
        terms: OrderTerms {
            side: if seq.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            qty: OrderQty::Units(Qty::whole(1_000)),
            ord_type: OrdType::Market,
            tif: TimeInForce::Day,
            expire_at: None::<Timestamp>,
            extended_hours: false,
        },
        contingent: Contingent::None,
        parent: None,
    })
}
