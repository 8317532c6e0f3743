//! A data stream on the core lane itself: the lane reads the socket, and no thread lies between a frame
//! and the agents. It has no keeper: a panic in it is one of the core.

use super::data_io::{FeedFigures, Line, TURN, ToLane};
use super::edge::MarketEdge;
use super::feed_io::FeedEnd;
use super::status::ActorStatus;
use crate::feed::alpaca::{FeedSession, FeedSettings};
use crate::types::{Nanos, Timestamp};
use std::sync::Arc;

/// How often deadlines, a dial's outcome and what waits for room are looked at.
const LOOK: Nanos = Nanos(TURN.as_nanos() as u64);

/// The stream.
pub struct LaneFeed {
    session: FeedSession,
    line: Line,
    edge: MarketEdge,
    end: Arc<FeedEnd>,
    status: Arc<ActorStatus>,
    figures: Arc<FeedFigures>,
    look: Timestamp,
}

impl LaneFeed {
    /// A stream by these settings. `edge` leads to the queue that the lane empties after each
    /// [`Self::turn`]: what finds no room there is merged and counted as from any other feed.
    pub fn new(
        settings: FeedSettings,
        (edge, end): (MarketEdge, Arc<FeedEnd>),
        status: Arc<ActorStatus>,
        figures: Arc<FeedFigures>,
        now: Timestamp,
    ) -> Self {
        let line = Line::new(settings.endpoint.clone());
        let session = FeedSession::new(settings, now);
        Self { session, line, edge, end, status, figures, look: now }
    }

    /// Reads what has come.
    pub fn turn(&mut self, now: Timestamp) {
        let mut sink = ToLane { edge: &mut self.edge, end: &self.end, status: &self.status };
        self.line.read(&mut self.session, now, &mut sink);
        if now >= self.look {
            self.look = now + LOOK;
            self.line.on_time(&mut self.session, now, &mut sink);
            sink.edge.flush();
            self.status.beat(now);
            self.figures.publish(&self.session);
        }
        self.line.carry_out(&mut self.session, now, &mut sink);
    }
}
