//! The session as the driver sees it: what it writes, and when.

use super::book::AwaitedLeg;
use super::budget::Use;
use super::lanes::{Asked, STREAM};
use super::resync::Resync;
use super::stream::{News, Stream};
use super::{AlpacaConfig, AlpacaSession, Replacing, Sweep, terms};
use crate::alpaca::Uuid;
use crate::broker::session::{Channel, Output, Pace};
use crate::broker::{BrokerSession, Counted, Frame};
use crate::msg::{OrderRequest, ReplaceOrder, Report, SessionStatus};
use crate::net::http::{self, Body, Method};
use crate::types::{ClientOrderId, Nanos, Reason, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Credentials that were refused are tried again after this long.
const REFUSED: Nanos = Nanos::from_secs(60);

/// Method, target and body of a request, and what its answer will be about.
type Words = (Method, String, Option<Vec<u8>>, Asked);

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
    pub(super) fn afford(&mut self, now: Timestamp, what: Use) -> bool {
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
            self.config.figures.count(Counted::Lost);
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

    pub(super) fn unauthorized(&mut self, now: Timestamp) {
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

    pub(super) fn come_up(&mut self, now: Timestamp) {
        self.up = true;
        self.report(Report::Session(SessionStatus::Up));
        self.begin_resync(now);
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

    pub(super) fn ask(
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
        self.config.figures.count(Counted::Requests);
        self.lanes.asked(now, channel, asked);
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

    /// A request in the broker's words.
    fn words(&self, request: &OrderRequest) -> Result<Words, Reason> {
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

fn json(body: &impl serde::Serialize) -> Result<Vec<u8>, Reason> {
    serde_json::to_vec(body).map_err(|_| Reason::InvalidOrder)
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
        let body = body.as_deref().map(Body::Json);
        http::write_request(&mut frame.bytes, method, &target, &self.headers, body);
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
        self.config.figures.count(Counted::Requests);
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
        // Until a snapshot that is asked for already has begun, there is nothing to do about it.
        let asked = self.resync.is_some() || self.resync_at != Timestamp::MAX;
        let missed = Some(self.missed_at).filter(|at| live && *at != Timestamp::MAX && !asked);
        let again = Some(self.refused_until).filter(|at| *at > Timestamp::ZERO);
        let due = [self.stream.deadline(), self.lanes.deadline(), questions, missed, again];
        due.into_iter().flatten().min()
    }
}
