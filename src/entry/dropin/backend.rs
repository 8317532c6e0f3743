//! The entry behind the seam: requests, sockets and time come in here and go to their rooms.

use super::figures::Figures;
use super::keys::Keys;
use super::records::{RecordError, Records};
use super::sockets::Sockets;
use crate::alpaca::assets::Assets;
use crate::alpaca::{
    ApiError, Asset, Backend, Budget, CalendarDay, Call, Clock, Configuration, Credentials, Output,
    Reply, Request, SocketId, Stream, StreamCall, Ticket,
};
use crate::journal::Durability;
use crate::live::{Handle, Heard};
use crate::msg::RequestKind;
use crate::types::{AccountId, AgentId, Calendar, ClientOrderId, InstrumentId, Nanos, Timestamp};
use crate::wiring::Names;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A core that has not moved for so long is not asked at all.
const STALLED: Nanos = Nanos::from_secs(2);
/// How often the core's updates are looked for while somebody listens.
const LISTEN: Nanos = Nanos::from_millis(1);

/// A program outside, as the configuration knows it.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub id: AgentId,
    pub name: String,
    pub account: AccountId,
    /// What it may trade.
    pub symbols: Vec<InstrumentId>,
}

/// The order entry for programs that speak the Alpaca protocol.
pub(super) struct DropIn {
    pub handle: Handle,
    pub assets: Assets,
    pub records: Records,
    pub sockets: Sockets,
    pub figures: Arc<Figures>,
    /// What the core told that listeners are still to hear.
    pub waiting: Vec<Heard>,
    /// Changes that went to a broker: it may still refuse them.
    pub asked: BTreeMap<ClientOrderId, RequestKind>,
    /// By agent: the next number of an order.
    pub given: BTreeMap<AgentId, u32>,
    /// Events told so far that are no executions.
    pub events: u64,
    programs: Vec<Program>,
    budgets: BTreeMap<AgentId, Budget>,
    rate: u32,
    keys: Keys,
    last_stamp: Timestamp,
    now: Timestamp,
}

impl DropIn {
    /// The entry of a running gateway.
    ///
    /// # Errors
    /// What programs asked for before cannot be read.
    pub fn open(
        handle: Handle,
        state: &Path,
        rate: u32,
        figures: Arc<Figures>,
    ) -> Result<Self, RecordError> {
        let topology = handle.topology();
        let records = Records::open(state, topology.durability == Durability::Power)?;
        let programs: Vec<Program> = topology
            .remote_agents()
            .map(|agent| Program {
                id: agent.id,
                name: agent.name.clone(),
                account: agent.account,
                symbols: agent.symbols.clone(),
            })
            .collect();
        let last = programs.iter().filter_map(|program| {
            records.of(program.id).last().and_then(|id| records.get(*id)).map(|record| record.at)
        });
        Ok(Self {
            assets: Assets::new(topology.names.instruments()),
            sockets: Sockets::default(),
            waiting: Vec::new(),
            asked: BTreeMap::new(),
            given: BTreeMap::new(),
            events: 0,
            budgets: BTreeMap::new(),
            keys: Keys::of(state),
            last_stamp: last.max().unwrap_or(Timestamp::ZERO),
            now: Timestamp::ZERO,
            records,
            programs,
            rate,
            figures,
            handle,
        })
    }

    pub(super) fn names(&self) -> &Names {
        &self.handle.topology().names
    }

    /// A moment for a stamp, later than every one before it, so that lists can be paged by it: also by
    /// clients that cut a time off behind its microseconds.
    pub(super) fn stamp(&mut self, now: Timestamp) -> Timestamp {
        let micros = |at: Timestamp| Timestamp::from_nanos(at.nanos() - at.nanos() % 1_000);
        self.last_stamp = micros(now).max(micros(self.last_stamp) + Nanos(1_000));
        self.last_stamp
    }

    /// Whose credentials these are, with the key.
    fn whose(&mut self, credentials: &Credentials) -> Option<(Program, String)> {
        self.read_keys();
        let (key, agent) = self.keys.whose(credentials)?;
        let program = self.programs.iter().find(|program| program.name == agent)?;
        Some((program.clone(), key.to_owned()))
    }

    /// Keys that were revoked lose their sockets.
    fn read_keys(&mut self) {
        if self.keys.refresh() {
            let keys = &self.keys;
            self.sockets.close_where(|key| key.is_some_and(|key| !keys.stands(key)));
        }
    }

    /// Answers a request: who asks first, then the budget, then whether the core moves, then the call.
    fn reply(&mut self, now: Timestamp, request: &Request) -> Reply {
        let whose = request.credentials.as_ref().and_then(|given| self.whose(given));
        let Some((program, _)) = whose else { return ApiError::unauthorized().into() };
        let rate = self.rate;
        let budget = self.budgets.entry(program.id).or_insert_with(|| Budget::new(rate));
        let (headers, granted) = budget.take(now);
        let moves = self.handle.beat().is_some_and(|beat| beat.age < STALLED);
        let mut reply = if !granted {
            ApiError::new(429, 42_910_000, "rate limit exceeded").into()
        } else if !moves {
            // Nothing was done.
            ApiError::bare(503, "the gateway is starting, ending or stalled").into()
        } else {
            let answer = request.call().and_then(|call| self.answer(&program, call));
            answer.unwrap_or_else(Reply::from)
        };
        reply.headers.extend(headers);
        reply
    }

    fn answer(&mut self, program: &Program, call: Call) -> Result<Reply, ApiError> {
        match call {
            Call::PostOrder(post) => self.post(program, &post).map(Reply::ok),
            Call::ListOrders(query) => self.list_orders(program, &query).map(Reply::ok),
            Call::GetOrder { id, nested } => {
                let (record, sight) = self.find_order(program, &id)?;
                Ok(Reply::ok(self.show(&record, &sight, nested)))
            }
            Call::OrderByClientId(name) => self.by_client_id(program, &name).map(Reply::ok),
            Call::PatchOrder { id, patch } => self.patch(program, &id, &patch).map(Reply::ok),
            Call::DeleteOrder(id) => self.cancel(program, &id).map(|()| Reply::empty()),
            Call::DeleteOrders => self.cancel_all(program).map(|rows| Reply::with(207, rows)),
            Call::Account => self.show_account(program).map(Reply::ok),
            Call::Configuration => Ok(Reply::ok(Configuration::default())),
            Call::Activities { types, query } => {
                self.list_activities(program, &types, &query).map(Reply::ok)
            }
            Call::Positions => self.list_positions(program).map(Reply::ok),
            Call::Position(symbol) => self.show_position(program, &symbol).map(Reply::ok),
            Call::ClosePosition { symbol, close } => {
                self.close_position(program, &symbol, &close).map(Reply::ok)
            }
            Call::ClosePositions { cancel_orders } => {
                let rows = self.close_positions(program, cancel_orders)?;
                Ok(Reply::with(207, rows))
            }
            Call::Assets(query) => {
                let all = self.assets.list(&query).into_iter();
                Ok(Reply::ok(all.map(|one| self.asset(program, one)).collect::<Vec<Asset>>()))
            }
            Call::Asset(symbol) => {
                let missing = || ApiError::not_found(format!("asset not found for {symbol}"));
                let id = self.assets.find(&symbol).ok_or_else(missing)?;
                Ok(Reply::ok(self.asset(program, self.assets.get(id))))
            }
            Call::Clock => {
                // Instruments without hours trade always.
                let instruments = self.names().instruments();
                let always = |id: &InstrumentId| instruments.get(*id).calendar == Calendar::Always;
                let open = program.symbols.iter().all(always);
                Clock::at(self.session_time()?, open).map(Reply::ok)
            }
            Call::Calendar(query) => CalendarDay::list(&query).map(Reply::ok),
            Call::MarketData { crypto, path, query } => {
                self.market_data(crypto, &path, &query).map(Reply::ok)
            }
            Call::PatchConfiguration(_)
            | Call::PortfolioHistory(_)
            | Call::Watchlists
            | Call::PostWatchlist(_)
            | Call::Watchlist { .. }
            | Call::OptionContracts
            | Call::CorporateActions
            | Call::News(_)
            | Call::Authorize(_)
            | Call::Token(_)
            | Call::Sim { .. } => Err(ApiError::no_endpoint()),
        }
    }
}

impl Backend for DropIn {
    fn request(&mut self, now: Timestamp, ticket: Ticket, request: &Request) {
        self.now = now;
        let reply = self.reply(now, request);
        self.figures.count(request.method, &request.path, reply.status);
        self.sockets.reply(ticket, reply);
    }

    fn open(&mut self, now: Timestamp, socket: SocketId, stream: Stream, _: Option<&Credentials>) {
        self.sockets.open(now, socket, &stream);
    }

    fn receive(&mut self, _: Timestamp, socket: SocketId, message: &[u8]) {
        match StreamCall::read(message) {
            StreamCall::Auth(given) => {
                let owner = given.and_then(|given| self.whose(&given));
                let owner = owner.map(|(program, key)| (program.id, key));
                self.sockets.admit(socket, owner);
            }
            StreamCall::Listen(updates) => self.sockets.listen(socket, updates),
            StreamCall::Unknown => self.sockets.scold(socket, "unknown action"),
            StreamCall::Garbled => {
                self.sockets.scold(socket, "invalid syntax");
                self.sockets.close(socket);
            }
        }
    }

    fn closed(&mut self, socket: SocketId) {
        self.sockets.closed(socket);
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = now;
        self.read_keys();
        self.hear();
        self.sockets.advance(now);
        self.figures.set_sockets(self.sockets.len());
    }

    fn next_event(&self) -> Option<Timestamp> {
        self.sockets.listens().then_some(self.now + LISTEN)
    }

    fn take_output(&mut self) -> Result<Vec<Output>, String> {
        Ok(self.sockets.take())
    }
}
