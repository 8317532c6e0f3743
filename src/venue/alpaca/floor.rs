//! The venue behind the seam: requests, sockets and time come in here and go to their rooms.

use super::activities::Activities;
use super::config::{AlpacaConfig, MarketClock, Pace};
use super::faults::Faults;
use super::market::{Market, Source};
use super::members::{Member, MemberState};
use super::news::Newsroom;
use super::record::{RecordId, Records};
use super::sockets::Sockets;
use super::state::Note;
use super::tape::Tape;
use crate::alpaca::assets::{Assets, is_coin};
use crate::alpaca::{
    ApiError, Backend, CalendarDay, Call, Clock, Credentials, Output, Reply, Request, SocketId,
    Stream, Ticket, Uuid,
};
use crate::msg::FillSnapshot;
use crate::types::{
    AccountId, Calendar, Instrument, InstrumentTable, Nanos, Price, Qty, Reason, Timestamp,
};
use crate::venue::{
    Commit, Exchange, ExchangeConfig, Ledger, LedgerState, OrderIndex, Outbox, ServeError,
};
use std::collections::BTreeSet;

/// The venue. Its fields are the rooms of this folder.
pub struct AlpacaVenue {
    pub(super) exchange: Exchange,
    pub(super) out: Outbox,
    pub(super) assets: Assets,
    pub(super) records: Records,
    pub(super) members: Vec<Member>,
    pub(super) activities: Activities,
    pub(super) tape: Tape,
    pub(super) market: Market,
    pub(super) sockets: Sockets,
    pub(super) news: Newsroom,
    pub(super) faults: Faults,
    pub(super) clock: MarketClock,
    pub(super) seed: u64,
    /// Session time.
    pub(super) now: Timestamp,
    /// The machine's time.
    pub(super) wall: Timestamp,
    last_stamp: Timestamp,
    /// Names given to the exchange so far.
    pub(super) names: u64,
    /// Events told so far that are no executions.
    pub(super) events: u64,
    /// Orders that wait for their market to open or for an auction.
    pub(super) parked: BTreeSet<RecordId>,
    /// Why the exchange refused the request under way.
    pub(super) refused: Option<Reason>,
    /// The execution that a bust under way takes back.
    pub(super) busted: Option<Uuid>,
    /// OAuth2 codes given out: code, client, where to, scope, account.
    pub(super) codes: Vec<(String, String, String, String, AccountId)>,
    pub(super) touched: Vec<OrderIndex>,
    pub(super) fills: Vec<(OrderIndex, FillSnapshot)>,
    known_accounts: usize,
    ledger: Option<Ledger>,
    failed: Option<String>,
}

impl AlpacaVenue {
    /// Opens the ledger, plays the market up to where it stands, and is ready to serve. `source` gives
    /// records with the ids of `instruments`, from the beginning; `now` is the machine's time.
    ///
    /// # Errors
    /// [`ServeError`]: no login, a ledger or data that cannot be used, a setting out of range.
    pub fn open(
        config: &AlpacaConfig,
        instruments: &InstrumentTable,
        source: Source,
        now: Timestamp,
    ) -> Result<Self, ServeError> {
        let bad = |text: &str| ServeError::Config(text.to_owned());
        if config.logins.is_empty() {
            return Err(bad("key: there must be one"));
        }
        if config.rate == 0 {
            return Err(bad("rate: must be above zero"));
        }
        if matches!(config.pace, Pace::Times(times) if !(times.is_finite() && times > 0.0)) {
            return Err(bad("speed: must be above zero"));
        }
        let calendar = match config.clock {
            MarketClock::Open => Calendar::Always,
            MarketClock::Session => Calendar::UsEquity,
        };
        let traded = instruments.iter().map(|(_, one)| traded(one, calendar)).collect();
        let traded = InstrumentTable::new(traded).map_err(ServeError::Config)?;
        let kept = config.state_dir.as_deref().map(|dir| Ledger::open(dir, &traded)).transpose()?;
        let (ledger, state) = kept.map_or_else(
            || (None, LedgerState { instruments: traded.clone(), ..LedgerState::default() }),
            |(ledger, state)| (Some(ledger), state),
        );
        let notes = Note::read_all(&state).map_err(ServeError::Config)?;
        let exchange_config = ExchangeConfig { seed: config.seed, ..ExchangeConfig::default() };
        let (position, time) = (state.position, state.time);
        let assets = Assets::new(&traded);
        let exchange =
            Exchange::restore(&exchange_config, traded, state.accounts, state.orders, time)
                .map_err(ServeError::Config)?;
        let mut venue = Self {
            known_accounts: exchange.accounts().names().len(),
            tape: Tape::new(exchange.instruments().len()),
            exchange,
            out: Outbox::default(),
            assets,
            records: Records::default(),
            members: Vec::new(),
            activities: Activities::default(),
            market: Market::new(source, config.pace, position),
            sockets: Sockets::default(),
            news: Newsroom::new(config.seed),
            faults: Faults::default(),
            clock: config.clock,
            seed: config.seed,
            now: time,
            wall: now,
            last_stamp: time,
            names: 0,
            events: 0,
            parked: BTreeSet::new(),
            refused: None,
            busted: None,
            codes: Vec::new(),
            touched: Vec::new(),
            fills: Vec::new(),
            ledger,
            failed: None,
        };
        venue.restore(config, notes)?;
        venue.begin_market(now).map_err(ServeError::Source)?;
        venue.take_output().map_err(ServeError::Source)?;
        Ok(venue)
    }

    /// Takes the notes of the ledger in, and opens the accounts of the logins.
    fn restore(&mut self, config: &AlpacaConfig, notes: Vec<Note>) -> Result<(), ServeError> {
        let mut states = Vec::new();
        for note in notes {
            match note {
                Note::Record(id, record) => self.records.put(id, *record),
                Note::Fill(fill) => self.activities.add(fill),
                Note::Member(account, state) => states.push((account, *state)),
            }
        }
        self.records.take_changed();
        self.activities.take_new();
        for (id, record) in self.records.open() {
            let waits = record.status == crate::alpaca::OrderStatus::Accepted;
            if waits {
                self.parked.insert(id);
            }
        }
        let names = |record: &super::record::Record| {
            (u64::from(record.name.epoch) << 31) | u64::from(record.name.seq)
        };
        self.names = self.records.all().iter().map(names).max().unwrap_or(0);
        let stamps = self.records.all().iter().map(|record| record.created);
        self.last_stamp = stamps.max().unwrap_or(self.last_stamp);
        for login in &config.logins {
            let name = Member::id_of(login).to_string();
            let account = self.exchange.open_account(&name).map_err(ServeError::Config)?;
            if self.members.iter().any(|member| member.account == account) {
                return Err(ServeError::Config("key: one is there twice".to_owned()));
            }
            let saved = states.iter().rev().find(|(of, _)| *of == account);
            let fresh = || MemberState::new(self.wall.max(self.now));
            let state = saved.map_or_else(fresh, |(_, state)| state.clone());
            self.members.push(Member::new(account, login.clone(), state, config.rate));
        }
        Ok(())
    }

    /// A moment for a stamp, later than every one before it, so that lists can be paged by it: also by
    /// clients that cut a time off behind its microseconds.
    pub(super) fn stamp(&mut self) -> Timestamp {
        let micros = |at: Timestamp| Timestamp::from_nanos(at.nanos() - at.nanos() % 1_000);
        self.last_stamp = micros(self.now).max(micros(self.last_stamp) + Nanos(1_000));
        self.last_stamp
    }

    /// The account of a member. Accounts come from the list of members, so it is there.
    pub(super) fn member(&self, account: AccountId) -> &Member {
        let at = self.members.iter().position(|member| member.account == account).unwrap_or(0);
        &self.members[at]
    }

    pub(super) fn member_mut(&mut self, account: AccountId) -> &mut Member {
        let at = self.members.iter().position(|member| member.account == account).unwrap_or(0);
        &mut self.members[at]
    }

    /// Whose credentials these are.
    pub(super) fn whose(&self, credentials: &Credentials) -> Option<AccountId> {
        self.members.iter().find(|member| member.is(credentials)).map(|member| member.account)
    }

    /// Answers a call of an account.
    fn answer(&mut self, account: AccountId, call: Call) -> Result<Reply, ApiError> {
        match call {
            Call::PostOrder(post) => {
                let id = self.submit(account, &post)?;
                Ok(Reply::ok(self.show_fresh(id)))
            }
            Call::ListOrders(query) => self.list_orders(account, &query).map(Reply::ok),
            Call::GetOrder { id, nested } => {
                let id = self.find_order(account, &id)?;
                Ok(Reply::ok(self.show(id, nested)))
            }
            Call::OrderByClientId(client_id) => self
                .records
                .find_client_id(account, &client_id)
                .map(|id| Reply::ok(self.show(id, false)))
                .ok_or_else(|| ApiError::not_found(format!("order not found for {client_id}"))),
            Call::PatchOrder { id, patch } => {
                let id = self.find_order(account, &id)?;
                let new = self.replace(id, &patch)?;
                Ok(Reply::ok(self.show_fresh(new)))
            }
            Call::DeleteOrder(id) => {
                let id = self.find_order(account, &id)?;
                self.cancel(id).map(|()| Reply::empty())
            }
            Call::DeleteOrders => Ok(Reply::with(207, self.cancel_all(account))),
            Call::Account => Ok(Reply::ok(self.show_account(account))),
            Call::Configuration => Ok(Reply::ok(&self.member(account).state.config)),
            Call::PatchConfiguration(patch) => {
                let member = self.member_mut(account);
                member.changed = true;
                member.state.patch(&patch).map_err(ApiError::invalid)?;
                Ok(Reply::ok(&member.state.config))
            }
            Call::Activities { types, query } => self.list_activities(account, &types, &query),
            Call::PortfolioHistory(query) => self.portfolio_history(account, &query),
            Call::Positions => Ok(Reply::ok(self.list_positions(account))),
            Call::Position(symbol) => self.show_position(account, &symbol).map(Reply::ok),
            Call::ClosePosition { symbol, close } => {
                let id = self.close_position(account, &symbol, &close)?;
                Ok(Reply::ok(self.show_fresh(id)))
            }
            Call::ClosePositions { cancel_orders } => {
                Ok(Reply::with(207, self.close_positions(account, cancel_orders)))
            }
            Call::Assets(query) => Ok(Reply::ok(self.assets.list(&query))),
            Call::Asset(symbol) => {
                let missing = || ApiError::not_found(format!("asset not found for {symbol}"));
                self.assets
                    .find(&symbol)
                    .map(|id| Reply::ok(self.assets.get(id)))
                    .ok_or_else(missing)
            }
            Call::Clock => Clock::at(self.now, self.clock == MarketClock::Open).map(Reply::ok),
            Call::Calendar(query) => CalendarDay::list(&query).map(Reply::ok),
            Call::Watchlists => Ok(Reply::ok(self.list_watchlists(account))),
            Call::PostWatchlist(body) => self.make_watchlist(account, &body).map(Reply::ok),
            Call::Watchlist { key, action } => self.watchlist(account, &key, &action),
            Call::OptionContracts => Ok(Reply::ok(serde_json::json!({
                "option_contracts": [], "next_page_token": null
            }))),
            Call::CorporateActions => Ok(Reply::ok(serde_json::json!([]))),
            Call::MarketData { crypto, path, query } => self.market_data(crypto, &path, &query),
            Call::News(query) => self.list_news(&query).map(Reply::ok),
            Call::Authorize(query) => self.authorize(account, &query),
            Call::Token(_) | Call::Sim { .. } => Err(ApiError::no_endpoint()),
        }
    }

    /// Answers a request: who asks first, then the budget, then the call.
    fn reply(&mut self, request: &Request) -> Reply {
        let call = match request.call() {
            Ok(Call::Sim { method, path, query, body }) => {
                return self.sim(method, &path, &query, &body).unwrap_or_else(Reply::from);
            }
            Ok(Call::Token(form)) => return self.token(&form).unwrap_or_else(Reply::from),
            // The page that a browser opens: its user is the first account, logged in already.
            Ok(Call::Authorize(query)) => {
                let account = self.members[0].account;
                return self.authorize(account, &query).unwrap_or_else(Reply::from);
            }
            other => other,
        };
        let account = request.credentials.as_ref().and_then(|given| self.whose(given));
        let Some(account) = account else {
            let open = matches!(call, Ok(Call::MarketData { crypto: true, .. }));
            return match call {
                Ok(call) if open && request.credentials.is_none() => {
                    self.answer(self.members[0].account, call).unwrap_or_else(Reply::from)
                }
                _ => ApiError::unauthorized().into(),
            };
        };
        let wall = self.wall;
        let data = matches!(call, Ok(Call::MarketData { .. } | Call::News(_)));
        let member = self.member_mut(account);
        let budget = if data { &mut member.data_budget } else { &mut member.budget };
        let (headers, granted) = budget.take(wall);
        let mut reply = match call {
            _ if !granted && data => ApiError::bare(429, "too many requests.").into(),
            _ if !granted => ApiError::new(429, 42_910_000, "rate limit exceeded").into(),
            Ok(call) => self.answer(account, call).unwrap_or_else(Reply::from),
            Err(error) => error.into(),
        };
        reply.headers.extend(headers);
        reply
    }

    /// Everything that changed since the last call, to be written before anybody hears of it.
    fn take_commit(&mut self) -> Result<Option<Commit>, String> {
        let mut notes = Vec::new();
        for id in self.records.take_changed() {
            notes.push(Note::Record(id, Box::new(self.records.get(id).clone())).write()?);
        }
        for fill in self.activities.take_new() {
            notes.push(Note::Fill(fill).write()?);
        }
        for member in self.members.iter_mut().filter(|member| member.changed) {
            member.changed = false;
            notes.push(Note::Member(member.account, Box::new(member.state.clone())).write()?);
        }
        let names = self.exchange.accounts().names();
        if notes.is_empty() && self.touched.is_empty() && names.len() == self.known_accounts {
            return Ok(None);
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        let orders = self.exchange.orders();
        let commit = Commit {
            position: self.market.position(),
            time: self.now,
            accounts: names[self.known_accounts..].to_vec(),
            orders: self.touched.iter().map(|&at| orders[at as usize].order.clone()).collect(),
            fills: std::mem::take(&mut self.fills),
            notes,
        };
        self.known_accounts = names.len();
        self.touched.clear();
        Ok(Some(commit))
    }

    /// Time is a number that only grows, of the session as of the machine.
    fn at(&mut self, wall: Timestamp) {
        self.wall = self.wall.max(wall);
        if self.failed.is_none() {
            self.failed = self.play().err();
        }
        self.wake_parked();
    }
}

impl Backend for AlpacaVenue {
    fn request(&mut self, now: Timestamp, ticket: Ticket, request: &Request) {
        self.market.release(now);
        self.at(now);
        let fault = self.faults.meet(request);
        if let Some(done) = fault.before(ticket) {
            self.faults.push(done, self.wall);
            return;
        }
        let reply = self.reply(request);
        self.faults.push(fault.after(ticket, reply), self.wall);
    }

    fn open(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        stream: Stream,
        credentials: Option<&Credentials>,
    ) {
        self.market.release(now);
        self.at(now);
        let account = credentials.and_then(|given| self.whose(given));
        self.sockets.open(self.wall, socket, stream, account);
    }

    fn receive(&mut self, now: Timestamp, socket: SocketId, message: &[u8]) {
        self.at(now);
        self.on_message(socket, message);
    }

    fn closed(&mut self, socket: SocketId) {
        self.sockets.closed(socket);
    }

    fn advance(&mut self, now: Timestamp) {
        self.at(now);
        self.sockets.advance(self.wall);
        self.publish_news();
    }

    fn next_event(&self) -> Option<Timestamp> {
        let market = self.market.next_event(self.exchange.next_event());
        let own = [self.sockets.next_event(), self.faults.next_event(), self.news.next_event()];
        own.into_iter().flatten().chain(market).min()
    }

    fn take_output(&mut self) -> Result<Vec<Output>, String> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let (Some(commit), Some(ledger)) = (self.take_commit()?, &mut self.ledger) {
            ledger.append(&commit).map_err(|error| format!("ledger: {error}"))?;
        }
        if let (Some((position, time)), Some(ledger)) =
            (self.market.take_cursor(self.now), &mut self.ledger)
        {
            ledger.set_cursor(position, time).map_err(|error| format!("ledger: {error}"))?;
        }
        let frames = self.sockets.take_frames();
        Ok(self.faults.release(self.wall, frames))
    }
}

/// The steps that the exchange trades an instrument in: fractions of a share, and a hundredth of a
/// cent below one dollar. What of them an order may use is checked before it gets there.
fn traded(instrument: &Instrument, calendar: Calendar) -> Instrument {
    let crypto = is_coin(&instrument.symbol);
    Instrument {
        tick: Price::from_raw(if crypto { 1 } else { 100_000 }),
        lot: Qty::from_raw(1),
        calendar: if crypto { Calendar::Always } else { calendar },
        ..instrument.clone()
    }
}
