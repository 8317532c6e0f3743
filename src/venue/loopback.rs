//! A venue in the gateway's own process: a session and a venue joined in memory. The bytes that would
//! go over TCP pass through both codecs all the same.

use super::exchange::Exchange;
use super::floor::Venue;
use super::port::ConnectionId;
use crate::broker::{BrokerSession, Output, SandboxSession};
use crate::msg::{MarketData, Report};
use crate::types::Timestamp;
use std::collections::VecDeque;

/// Session, venue and the link between them.
#[derive(Debug)]
pub struct Loopback {
    session: SandboxSession,
    venue: Venue,
    link: Option<ConnectionId>,
    reports: VecDeque<Report>,
}

impl Loopback {
    /// Joins a session to an exchange. Call [`Self::start`] before anything else.
    pub fn new(session: SandboxSession, exchange: Exchange) -> Self {
        Self { session, venue: Venue::new(exchange, false), link: None, reports: VecDeque::new() }
    }

    /// Connects and logs on, anew if there was a link before; the reports say how it went.
    pub fn start(&mut self, now: Timestamp) {
        self.close(now, "restart");
        self.session.start(now);
        self.settle(now);
    }

    /// Hangs up and stays down until [`Self::start`].
    pub fn stop(&mut self, now: Timestamp) {
        self.session.close(now);
        self.settle(now);
    }

    /// Takes a market record in. `now` is the moment of delivery, never before the record's own
    /// time. Without an open order on its instrument this costs no more than the exchange's own
    /// update. Whether anything came of it: reports, or another [`Self::next_event`].
    #[inline]
    pub fn on_market(&mut self, now: Timestamp, record: &MarketData) -> bool {
        let changed = self.venue.on_market(record);
        if changed {
            self.settle(now);
        }
        changed
    }

    /// The session to encode a request with, and the way to hand the encoded bytes to the venue; with
    /// no latency they are executed at once. Without a link they are lost, as on a dead socket. Call
    /// [`Self::settle`] after.
    pub fn halves(&mut self) -> (&mut SandboxSession, impl FnMut(Timestamp, &[u8])) {
        let (venue, link) = (&mut self.venue, self.link);
        (&mut self.session, move |now, bytes: &[u8]| {
            if let Some(link) = link {
                venue.on_bytes(now, link, bytes);
            }
        })
    }

    /// Asks for a snapshot; it comes as a report.
    pub fn request_snapshot(&mut self, now: Timestamp) {
        self.session.request_snapshot(now);
        self.settle(now);
    }

    /// Lets time pass for both sides.
    pub fn advance(&mut self, now: Timestamp) {
        self.venue.advance(now);
        if self.session.deadline().is_some_and(|at| at <= now) {
            self.session.on_deadline(now);
        }
        self.settle(now);
    }

    /// When [`Self::advance`] is due next. [`Self::on_market`] advances the venue by itself.
    #[inline]
    pub fn next_event(&self) -> Option<Timestamp> {
        match (self.venue.next_event(), self.session.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The next report.
    #[inline]
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// The exchange, to look at.
    pub const fn exchange(&self) -> &Exchange {
        self.venue.exchange()
    }

    /// Cuts the link, as a network would: unread bytes of both directions are lost.
    pub fn cut(&mut self, now: Timestamp) {
        self.close(now, "cut");
        self.settle(now);
    }

    fn close(&mut self, now: Timestamp, why: &str) {
        if let Some(link) = self.link.take() {
            self.venue.disconnect(link);
            self.session.on_closed(now, 0, why);
        }
    }

    /// Carries bytes both ways until both sides are silent.
    pub fn settle(&mut self, now: Timestamp) {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Dial(_) => {
                        self.link = Some(self.venue.connect());
                        self.session.on_connected(now, 0);
                    }
                    Output::Hangup(_) => {
                        if let Some(link) = self.link.take() {
                            self.venue.disconnect(link);
                        }
                    }
                    Output::Send(_, bytes) => {
                        if let Some(link) = self.link {
                            self.venue.on_bytes(now, link, &bytes);
                        }
                    }
                    Output::Report(report) => self.reports.push_back(report),
                }
            }
            let Some(port) = self.link.and_then(|link| self.venue.port(link)) else {
                return;
            };
            if port.output().is_empty() {
                return;
            }
            let closed = port.is_closed();
            let mut bytes = std::mem::take(port.output());
            self.session.on_bytes(now, 0, &bytes);
            if closed {
                self.close(now, "refused");
            } else if let Some(port) = self.link.and_then(|link| self.venue.port(link))
                && port.output().is_empty()
            {
                // The buffer goes back, so that a steady state allocates nothing.
                bytes.clear();
                *port.output() = bytes;
            }
        }
    }
}
