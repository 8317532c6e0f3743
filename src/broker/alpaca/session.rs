//! The session as the driver sees it: what it writes and when, and what it makes of answers.

use super::book::AwaitedLeg;
use super::budget::Use;
use super::lanes::{Asked, Outcome, STREAM};
use super::refusal::{self, Answer};
use super::resync::{Names, Next, Resync};
use super::stream::{News, Stream};
use super::{AlpacaConfig, AlpacaSession, Replacing, Sweep, terms};
use crate::alpaca::{ApiError, Order, Uuid};
use crate::broker::session::{Channel, Output, Pace};
use crate::broker::{BrokerSession, Frame};
use crate::msg::{CancelReject, OrderRequest, ReplaceOrder, Report, RequestKind, SessionStatus};
use crate::net::http::{self, Method, Response};
use crate::types::{ClientOrderId, Nanos, Reason, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// Pauses between looks for an order whose answer was lost; then the snapshots decide.
const LOOKS: [Nanos; 5] = [
    Nanos::from_millis(250),
    Nanos::from_secs(1),
    Nanos::from_secs(2),
    Nanos::from_secs(4),
    Nanos::from_secs(8),
];
/// Credentials that were refused are tried again after this long.
const REFUSED: Nanos = Nanos::from_secs(60);

/// One row of the answer to a mass cancel.
#[derive(Deserialize)]
struct Swept {
    id: Uuid,
    status: u16,
}

impl AlpacaSession {
    /// A session; it connects with [`BrokerSession::start`].
    pub fn new(config: AlpacaConfig) -> Self {
        let headers = format!(
            "Host: {}\r\nUser-Agent: qtos-gateway/{}\r\nAccept: application/json\r\n{}",
            config.endpoint.authority(),
            env!("CARGO_PKG_VERSION"),
            config.credentials.headers()
        );
        let instruments = config
            .symbols
            .iter()
            .zip(0u16..)
            .map(|(symbol, id)| (symbol.replace('/', ""), crate::types::InstrumentId(id)))
            .collect();
        Self {
            headers,
            instruments,
            outputs: VecDeque::new(),
            stream: Stream::new(config.endpoint.at("/stream"), config.backoff),
            lanes: super::Lanes::new(config.backoff),
            budget: super::Budget::new(config.rate),
            book: super::Book::new(&config.known, config.floor),
            replacing: BTreeMap::new(),
            sweep: Sweep::default(),
            resync: None,
            resync_at: Timestamp::MAX,
            missed_at: Timestamp::MAX,
            covered: config.since(),
            lookups: BTreeMap::new(),
            granted: false,
            refill: Timestamp::MAX,
            staged: None,
            up: false,
            refused_until: Timestamp::ZERO,
            config,
        }
    }

    pub(super) fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }

    /// Takes one request out of the budget, and notes when to ask again.
    fn afford(&mut self, now: Timestamp, what: Use) -> bool {
        match self.budget.take(now, what) {
            Ok(()) => true,
            Err(again) => {
                self.refill = self.refill.min(again);
                false
            }
        }
    }

    /// Something was missed, or may have been: the core is to ask for a snapshot, not before `at`.
    pub(super) fn want_snapshot(&mut self, at: Timestamp) {
        self.missed_at = self.missed_at.min(at);
    }

    pub(super) fn look_up(&mut self, now: Timestamp, name: ClientOrderId) {
        self.lookups.entry(name).or_insert((now, 0));
    }

    /// The link is of no use: everything that waits for an answer on it has none.
    fn down(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.up) {
            self.report(Report::Session(SessionStatus::Down));
        }
        self.resync = None;
        (self.resync_at, self.missed_at) = (Timestamp::MAX, Timestamp::MAX);
        // Numbers that are learned later still belong to these names.
        self.sweep = Sweep::default();
        let lost: Vec<ClientOrderId> = self.replacing.values().map(|one| one.name).collect();
        for name in lost {
            self.look_up(now, name);
        }
    }

    fn unauthorized(&mut self, now: Timestamp) {
        if now < self.refused_until {
            return;
        }
        tracing::error!(
            "Alpaca refuses the credentials: the broker stays down; check the key, its environment \
             (paper or live), or log in again"
        );
        self.refused_until = now + REFUSED;
        self.hang_up(now);
        self.report(Report::Session(SessionStatus::Refused));
    }

    fn hang_up(&mut self, now: Timestamp) {
        let _ = self.stream.stop(&mut self.outputs);
        let mut lost = Vec::new();
        self.lanes.stop(&mut self.outputs, &mut lost);
        self.on_outcomes(now, lost);
        self.down(now);
    }

    fn on_news(&mut self, now: Timestamp, news: Vec<News>) {
        for one in news {
            match one {
                News::Live if self.config.number.is_some() => self.resync_at = now,
                News::Live => self.come_up(now),
                News::Lost => self.down(now),
                News::Refused => self.unauthorized(now),
                News::Update(data) => self.on_update(now, &data),
            }
        }
    }

    fn come_up(&mut self, now: Timestamp) {
        self.up = true;
        self.report(Report::Session(SessionStatus::Up));
        self.begin_resync(now);
    }

    /// The account behind the credentials must be the one that the config names.
    fn on_account(&mut self, now: Timestamp, body: &[u8]) {
        #[derive(Deserialize)]
        struct Shown {
            account_number: String,
        }
        let shown = serde_json::from_slice::<Shown>(body).map(|shown| shown.account_number).ok();
        if shown.is_some() && shown == self.config.number {
            return self.come_up(now);
        }
        tracing::error!(
            "the credentials open another account than the config names: nothing is sent"
        );
        self.unauthorized(now);
    }

    pub(super) fn begin_resync(&mut self, now: Timestamp) {
        self.resync = Some(Resync::new(now, self.covered));
        self.resync_at = now;
    }

    /// Sends what is due on connections that are free: questions, and mass cancels.
    fn drive(&mut self, now: Timestamp) {
        self.refill = Timestamp::MAX;
        if !self.up {
            return self.drive_account(now);
        }
        // What is under way may have been read before it was missed.
        if self.missed_at <= now && self.resync_at == Timestamp::MAX && self.resync.is_none() {
            self.missed_at = Timestamp::MAX;
            self.report(Report::Session(SessionStatus::Missed));
        }
        if self.sweep.wanted
            && let Some(channel) = self.lanes.free(Use::Cancel)
            && self.afford(now, Use::Cancel)
        {
            self.sweep = Sweep { asked: true, wanted: false, covers: self.book.open().collect() };
            self.ask(now, channel, Method::Delete, "/v2/orders", Asked::CancelAll);
        }
        if let Some(channel) = self.lanes.free(Use::Read) {
            self.drive_reads(now, channel);
        }
    }

    /// Nothing else is asked or sent before the account is known.
    fn drive_account(&mut self, now: Timestamp) {
        let waits = self.stream.is_live() && self.resync_at <= now;
        if waits
            && let Some(channel) = self.lanes.free(Use::Read)
            && self.afford(now, Use::Read)
        {
            self.resync_at = Timestamp::MAX;
            self.ask(now, channel, Method::Get, "/v2/account", Asked::Account);
        }
    }

    fn drive_reads(&mut self, now: Timestamp, channel: Channel) {
        let due = self.lookups.iter().find(|(_, (at, _))| *at <= now);
        if let Some((&name, &(_, tries))) = due {
            if self.afford(now, Use::Read) {
                self.lookups.remove(&name);
                let target =
                    format!("/v2/orders:by_client_order_id?client_order_id={name}&nested=true");
                self.ask(now, channel, Method::Get, &target, Asked::Lookup { name, tries });
            }
            return;
        }
        if self.resync_at > now {
            return;
        }
        let resync = self.resync.get_or_insert_with(|| Resync::new(now, self.covered));
        let target = resync.target();
        if self.afford(now, Use::Read) {
            self.resync_at = Timestamp::MAX;
            self.ask(now, channel, Method::Get, &target, Asked::Resync);
        }
    }

    fn ask(
        &mut self,
        now: Timestamp,
        channel: Channel,
        method: Method,
        target: &str,
        asked: Asked,
    ) {
        let mut bytes = Vec::with_capacity(512);
        let target = format!("{}{target}", self.config.endpoint.path);
        http::write_request(&mut bytes, method, &target, &self.headers, None);
        self.outputs.push_back(Output::Send(channel, bytes));
        self.lanes.asked(now, channel, asked);
    }

    fn on_outcomes(&mut self, now: Timestamp, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Answered(asked, response) => self.on_answer(now, asked, &response),
                Outcome::Lost(asked) => self.on_lost(now, asked),
            }
        }
    }

    /// Nobody knows what became of it.
    fn on_lost(&mut self, now: Timestamp, asked: Asked) {
        match asked {
            Asked::New(name) | Asked::Replace { name, .. } => self.look_up(now, name),
            // The order's own state answers.
            Asked::Cancel { name, .. } => self.look_up(now, name),
            Asked::CancelAll => self.sweep = Sweep::default(),
            Asked::Lookup { name, tries } => self.look_again(now, name, tries),
            Asked::Resync => self.resync_fails(now, "no answer"),
            Asked::Account => self.resync_at = now + Nanos::from_secs(1),
        }
    }

    fn look_again(&mut self, now: Timestamp, name: ClientOrderId, tries: u32) {
        match LOOKS.get(tries as usize) {
            Some(&pause) => {
                self.lookups.insert(name, (now + pause, tries + 1));
            }
            // Not there, or not to be asked: the snapshots prove it.
            None => self.want_snapshot(now),
        }
    }

    fn resync_fails(&mut self, now: Timestamp, why: &str) {
        tracing::warn!(why, "an Alpaca snapshot did not come together; another is begun");
        self.resync = None;
        self.resync_at = now + Nanos::from_secs(1);
    }

    fn on_answer(&mut self, now: Timestamp, asked: Asked, response: &Response) {
        let (remaining, reset) =
            (response.header("x-ratelimit-remaining"), response.header("x-ratelimit-reset"));
        self.budget.heard(now, remaining, reset);
        if (200..300).contains(&response.status) {
            return self.on_success(now, asked, response);
        }
        let error = ApiError::read(response.status, &response.body);
        let request = response.header("x-request-id").unwrap_or_default();
        // A look for an order that never arrived finds nothing.
        if error.status == 404 && matches!(asked, Asked::Resync | Asked::Lookup { .. }) {
            tracing::debug!(?asked, "Alpaca does not have it");
        } else {
            tracing::warn!(?asked, status = error.status, code = error.code,
                message = %error.message, request, "Alpaca refused a request");
        }
        match refusal::read(&error) {
            Answer::Unauthorized => {
                self.on_lost(now, asked);
                self.unauthorized(now);
            }
            Answer::Throttled => {
                self.budget.refused(now, response.header("retry-after"));
                self.on_lost(now, asked);
            }
            Answer::Unknown => self.on_lost(now, asked),
            Answer::Refused(reason) => self.on_refused(now, asked, reason, &error),
        }
    }

    fn on_refused(&mut self, now: Timestamp, asked: Asked, reason: Reason, error: &ApiError) {
        match asked {
            // It was sent once, so the broker has it: through a hand that sent it twice.
            Asked::New(name) if reason == Reason::BrokerDuplicate => self.look_up(now, name),
            Asked::New(name) => {
                self.book.refused(name);
                self.reject(now, name, reason);
            }
            Asked::Replace { name, .. } if reason == Reason::BrokerDuplicate => {
                self.look_up(now, name);
            }
            Asked::Replace { old, orig, name } => {
                self.replacing.remove(&old);
                self.book.refused(name);
                self.report(Report::CancelReject(CancelReject {
                    cl_ord_id: Some(name),
                    orig_cl_ord_id: orig,
                    request: RequestKind::Replace,
                    reason,
                }));
            }
            Asked::Cancel { name, .. } => {
                self.report(Report::CancelReject(CancelReject::of_cancel(name, reason)));
                // It ended, and the stream should have said so.
                self.look_up(now + LOOKS[0], name);
            }
            Asked::CancelAll => self.sweep = Sweep::default(),
            Asked::Lookup { name, tries } => match error.status {
                404 => self.look_again(now, name, tries),
                _ => self.want_snapshot(now),
            },
            Asked::Resync if error.status == 404 => self.resync_answer(now, None),
            Asked::Resync => self.resync_fails(now, &error.message),
            Asked::Account => self.resync_at = now + Nanos::from_secs(5),
        }
    }

    fn on_success(&mut self, now: Timestamp, asked: Asked, response: &Response) {
        match asked {
            Asked::Resync => self.resync_answer(now, Some(&response.body)),
            Asked::Account => self.on_account(now, &response.body),
            // The stream says what becomes of it.
            Asked::Cancel { .. } => {}
            Asked::CancelAll => {
                // Rows that failed are not covered: their cancels go by name.
                let rows: Vec<Swept> = serde_json::from_slice(&response.body).unwrap_or_default();
                let done = |row: &Swept| (200..300).contains(&row.status);
                self.sweep.covers = rows.iter().filter(|row| done(row)).map(|row| row.id).collect();
                self.sweep.asked = false;
            }
            Asked::New(name) | Asked::Lookup { name, .. } | Asked::Replace { name, .. } => {
                match serde_json::from_slice::<Order>(&response.body) {
                    Ok(order) => self.on_order(now, name, &asked, &order),
                    // It was taken; what it says of itself cannot be read.
                    Err(error) => {
                        tracing::warn!(%name, %error, "an order that cannot be read");
                        self.look_again(now, name, 0);
                    }
                }
            }
        }
    }

    /// The broker shows an order in its answer.
    fn on_order(&mut self, now: Timestamp, name: ClientOrderId, asked: &Asked, order: &Order) {
        if order.client_order_id != name.to_string() {
            tracing::error!(%name, shown = order.client_order_id, "the answer is about another order");
            return self.want_snapshot(now);
        }
        self.book.learn(now, order, terms::read(order).ok());
        if matches!(asked, Asked::Lookup { .. }) {
            // Fills, ends and replaces that the stream lost as well: a snapshot tells all of them.
            return self.want_snapshot(now);
        }
        if matches!(asked, Asked::New(_)) {
            self.acknowledge(order);
            for leg in order.legs.iter().flatten() {
                self.acknowledge(leg);
            }
        }
    }

    fn resync_answer(&mut self, now: Timestamp, body: Option<&[u8]>) {
        let Some(mut resync) = self.resync.take() else { return };
        let find = |symbol: &str| self.instruments.get(&symbol.replace('/', "")).copied();
        let names = Names { account: self.config.account, instrument: &find };
        match resync.answer(now, body, &mut self.book, &names) {
            Ok(Next::Ask(at)) => {
                self.resync_at = at;
                self.resync = Some(resync);
            }
            Ok(Next::Done(snapshot)) => {
                self.covered = resync.covers_from(self.config.floor);
                self.resync_at = Timestamp::MAX;
                self.book.prune(now);
                self.report(Report::Snapshot(snapshot));
            }
            Err(why) => self.resync_fails(now, &why),
        }
    }

    fn symbol(&self, id: crate::types::InstrumentId) -> Result<&str, Reason> {
        self.config.symbols.get(id.index()).map(String::as_str).ok_or(Reason::BrokerUnsupported)
    }

    /// The number of the order that a cancel or replace is about.
    fn number_of(
        &self,
        name: ClientOrderId,
        told: Option<crate::types::VenueOrderId>,
    ) -> Option<Uuid> {
        told.map(|id| Uuid(id.0)).or_else(|| self.book.number(name))
    }

    fn use_of(request: &OrderRequest) -> Use {
        match request {
            OrderRequest::Cancel(_) => Use::Cancel,
            OrderRequest::New(_) | OrderRequest::Replace(_) => Use::Order,
        }
    }

    /// Method, target, body and meaning of a request.
    fn words(
        &self,
        request: &OrderRequest,
    ) -> Result<(Method, String, Option<Vec<u8>>, Asked), Reason> {
        let json = |body: &dyn erased::Body| body.json().ok_or(Reason::InvalidOrder);
        let path = &self.config.endpoint.path;
        Ok(match request {
            OrderRequest::New(new) => {
                let body = terms::post(new, self.symbol(new.instrument)?)?;
                (
                    Method::Post,
                    format!("{path}/v2/orders"),
                    Some(json(&body)?),
                    Asked::New(new.cl_ord_id),
                )
            }
            OrderRequest::Replace(ReplaceOrder { orig_cl_ord_id, cl_ord_id, terms, .. }) => {
                let old = self.book.number(*orig_cl_ord_id).ok_or(Reason::UnknownOrder)?;
                let before = self.book.get(old).and_then(|node| node.terms);
                let before = before.ok_or(Reason::UnknownOrder)?;
                let body = terms::patch(&before, terms, cl_ord_id.to_string())?;
                let asked = Asked::Replace { old, orig: *orig_cl_ord_id, name: *cl_ord_id };
                (Method::Patch, format!("{path}/v2/orders/{old}"), Some(json(&body)?), asked)
            }
            OrderRequest::Cancel(cancel) => {
                let name = cancel.orig_cl_ord_id;
                let id = self.number_of(name, cancel.venue_order_id).ok_or(Reason::UnknownOrder)?;
                let asked = Asked::Cancel { name, id };
                (Method::Delete, format!("{path}/v2/orders/{id}"), None, asked)
            }
        })
    }
}

/// Bodies of two shapes through one door.
mod erased {
    pub(super) trait Body {
        fn json(&self) -> Option<Vec<u8>>;
    }
    impl<T: serde::Serialize> Body for T {
        fn json(&self) -> Option<Vec<u8>> {
            serde_json::to_vec(self).ok()
        }
    }
}

impl BrokerSession for AlpacaSession {
    fn start(&mut self, now: Timestamp) {
        if self.stream.is_idle() && now >= self.refused_until {
            self.stream.start(now, &mut self.outputs);
            self.lanes.start(now, &mut self.outputs);
        }
    }

    fn close(&mut self, now: Timestamp) {
        self.hang_up(now);
        // Closed by us: no try on our own.
        self.refused_until = Timestamp::ZERO;
    }

    fn on_connected(&mut self, now: Timestamp, channel: Channel) {
        if channel == STREAM {
            self.stream.on_connected(now, &mut self.outputs);
        } else {
            self.lanes.on_connected(channel);
        }
        self.drive(now);
    }

    fn on_bytes(&mut self, now: Timestamp, channel: Channel, bytes: &[u8]) {
        if channel == STREAM {
            let mut news = Vec::new();
            let credentials = &self.config.credentials;
            self.stream.on_bytes(now, bytes, credentials, &mut self.outputs, &mut news);
            self.on_news(now, news);
        } else {
            let mut done = Vec::new();
            self.lanes.on_bytes(now, channel, bytes, &mut self.outputs, &mut done);
            self.on_outcomes(now, done);
        }
        self.drive(now);
    }

    fn on_closed(&mut self, now: Timestamp, channel: Channel, error: &str) {
        if channel == STREAM {
            let news = self.stream.on_closed(now, error, &mut self.outputs);
            self.on_news(now, news.into_iter().collect());
        } else {
            let mut done = Vec::new();
            self.lanes.on_closed(now, channel, error, &mut done);
            self.on_outcomes(now, done);
        }
    }

    fn on_deadline(&mut self, now: Timestamp) {
        if self.refused_until > Timestamp::ZERO && now >= self.refused_until {
            self.refused_until = Timestamp::ZERO;
            self.stream.start(now, &mut self.outputs);
            self.lanes.start(now, &mut self.outputs);
        }
        let news = self.stream.on_deadline(now, &mut self.outputs);
        self.on_news(now, news.into_iter().collect());
        let mut done = Vec::new();
        self.lanes.on_deadline(now, &mut self.outputs, &mut done);
        self.on_outcomes(now, done);
        self.drive(now);
    }

    fn pace(&mut self, now: Timestamp, request: &OrderRequest) -> Pace {
        if !self.up {
            return Pace::Now;
        }
        let what = Self::use_of(request);
        let of = match request {
            OrderRequest::New(_) => None,
            OrderRequest::Replace(replace) => Some((replace.orig_cl_ord_id, None)),
            OrderRequest::Cancel(cancel) => Some((cancel.orig_cl_ord_id, cancel.venue_order_id)),
        };
        if let Some((name, told)) = of {
            match self.number_of(name, told) {
                Some(id) if what == Use::Cancel && self.sweep.covers.contains(&id) => {
                    if self.sweep.asked {
                        return Pace::Later;
                    }
                    self.sweep.covers.remove(&id);
                    return Pace::Covered;
                }
                Some(_) => {}
                // Its number comes with the answer, or with the look for it.
                None if self.book.awaits_number(name) => return Pace::Later,
                None => return Pace::Now,
            }
        }
        // A mass cancel that is about to go covers what is open now.
        if what == Use::Cancel && self.sweep.wanted {
            return Pace::Later;
        }
        if self.lanes.free(what).is_none() {
            return Pace::Later;
        }
        if !self.granted && !self.afford(now, what) {
            return Pace::Later;
        }
        self.granted = true;
        Pace::Now
    }

    fn encode(
        &mut self,
        _now: Timestamp,
        request: &OrderRequest,
        frame: &mut Frame,
    ) -> Result<(), Reason> {
        self.staged = None;
        if !self.up {
            return Err(Reason::BrokerNotReady);
        }
        let (method, target, body, asked) = self.words(request)?;
        let channel = self.lanes.free(Self::use_of(request)).ok_or(Reason::Busy)?;
        frame.channel = channel;
        frame.bytes.clear();
        http::write_request(&mut frame.bytes, method, &target, &self.headers, body.as_deref());
        self.staged = Some((channel, asked));
        Ok(())
    }

    fn written(&mut self, now: Timestamp, request: &OrderRequest) {
        self.granted = false;
        let Some((channel, asked)) = self.staged.take() else { return };
        match request {
            OrderRequest::New(new) => {
                let legs = new.contingent.legs();
                let legs = legs.map(|leg| AwaitedLeg { name: leg.cl_ord_id, terms: leg.terms });
                self.book.sent(new.cl_ord_id, new.terms, legs);
            }
            OrderRequest::Replace(replace) => {
                self.book.sent(replace.cl_ord_id, replace.terms, std::iter::empty());
                if let Asked::Replace { old, orig, name } = asked {
                    self.replacing.insert(old, Replacing { orig, name, terms: replace.terms });
                }
            }
            OrderRequest::Cancel(_) => {}
        }
        self.lanes.asked(now, channel, asked);
    }

    fn cancel_all(&mut self, now: Timestamp) {
        self.sweep.wanted = true;
        self.drive(now);
    }

    fn sweep(&mut self, now: Timestamp) {
        self.cancel_all(now);
    }

    fn request_snapshot(&mut self, now: Timestamp) {
        if self.up {
            // What was read before was read too early.
            if !self.lanes.awaits(|asked| *asked == Asked::Resync) {
                self.begin_resync(now);
            } else {
                self.resync = None;
                self.resync_at = now;
            }
            self.drive(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Timestamp> {
        let live = self.stream.is_live();
        let look = self.lookups.values().map(|(at, _)| *at).min().filter(|_| live);
        let reads = self.lanes.free(Use::Read).is_some() && live;
        let resync = Some(self.resync_at).filter(|at| reads && *at != Timestamp::MAX);
        let refill = Some(self.refill).filter(|at| *at != Timestamp::MAX);
        // A budget without room is asked again when it has some.
        let questions = [look.filter(|_| reads), resync].into_iter().flatten().min();
        let questions = match (questions, refill) {
            (Some(due), Some(refill)) => Some(due.max(refill)),
            (due, refill) => due.or(refill),
        };
        let missed = Some(self.missed_at)
            .filter(|at| live && *at != Timestamp::MAX && self.resync.is_none());
        let again = Some(self.refused_until).filter(|at| *at > Timestamp::ZERO);
        let due = [self.stream.deadline(), self.lanes.deadline(), questions, missed, again];
        due.into_iter().flatten().min()
    }
}
