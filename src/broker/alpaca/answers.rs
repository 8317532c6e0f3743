//! What the session makes of answers, and of requests that never had one.

use super::budget::Use;
use super::lanes::{Asked, Outcome};
use super::refusal::{self, Answer};
use super::resync::{Names, Next};
use super::{AlpacaSession, Sweep, terms};
use crate::alpaca::{ApiError, Order, Uuid};
use crate::broker::Counted;
use crate::msg::{CancelReject, Report, RequestKind};
use crate::net::http::{Method, Response};
use crate::types::{ClientOrderId, Nanos, Reason, Timestamp};
use serde::Deserialize;

/// Pauses between looks for an order whose answer was lost; then the snapshots decide.
const LOOKS: [Nanos; 5] = [
    Nanos::from_millis(250),
    Nanos::from_secs(1),
    Nanos::from_secs(2),
    Nanos::from_secs(4),
    Nanos::from_secs(8),
];
/// One row of the answer to a mass cancel.
#[derive(Deserialize)]
struct Swept {
    id: Uuid,
    status: u16,
}

impl AlpacaSession {
    /// Nothing else is asked or sent before the account is known.
    pub(super) fn drive_account(&mut self, now: Timestamp) {
        let waits = self.stream.is_live() && self.resync_at <= now;
        if waits
            && let Some(channel) = self.lanes.free(Use::Read)
            && self.afford(now, Use::Read)
        {
            self.resync_at = Timestamp::MAX;
            self.ask(now, channel, Method::Get, "/v2/account", Asked::Account);
        }
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

    pub(super) fn on_outcomes(&mut self, now: Timestamp, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Answered(asked, response) => self.on_answer(now, asked, &response),
                Outcome::Lost(asked) => self.on_lost(now, asked),
            }
        }
    }

    /// Nobody knows what became of it.
    fn on_lost(&mut self, now: Timestamp, asked: Asked) {
        self.config.figures.count(Counted::Unknown);
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
        self.config.figures.count(Counted::Scattered);
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
            self.config.figures.count(Counted::Refused);
            tracing::warn!(?asked, status = error.status, code = error.code,
                message = %error.message, request, "Alpaca refused a request");
        }
        match refusal::read(&error) {
            Answer::Unauthorized => {
                self.on_lost(now, asked);
                self.unauthorized(now);
            }
            Answer::Throttled => {
                self.config.figures.count(Counted::Throttled);
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
                self.book.shown();
                self.book.prune(now);
                self.config.figures.count(Counted::Snapshots);
                self.report(Report::Snapshot(snapshot));
            }
            Err(why) => self.resync_fails(now, &why),
        }
    }
}
