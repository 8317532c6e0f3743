//! Feeds: a file or seed on a thread, a venue on an arbiter of its own.

use super::Plan;
use crate::broker::Backoff;
use crate::feed::alpaca::FeedSettings;
use crate::feed::{Feed, FeedError};
use crate::live::clock::Clock;
use crate::live::data_io::{self, FeedFigures};
use crate::live::edge::{MarketEdge, Waker};
use crate::live::feed_io::{self, FeedEnd};
use crate::live::keeper::{Factory, Guard};
use crate::live::lane::FeedIn;
use crate::live::lane_feed::LaneFeed;
use crate::live::service::{Options, ServiceError};
use crate::live::status::{ActorState, ActorStatus};
use crate::msg::MarketData;
use crate::wiring::{FeedSource, ReferenceFeed, Topology};
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A feed before its thread or actor is started.
pub struct PlannedFeed {
    queue: Arc<ArrayQueue<MarketData>>,
    /// Whether more will come.
    pub end: Arc<FeedEnd>,
    driver: Driver,
}

/// Who fills the queue.
enum Driver {
    /// A thread or actor under a keeper.
    Own(Factory),
    /// The core lane.
    Core(Box<LaneFeed>),
}

impl PlannedFeed {
    /// The core lane's end of it, and what starts the other one where that is no part of the lane.
    pub fn split(self) -> (FeedIn, Option<Factory>) {
        let (stream, start) = match self.driver {
            Driver::Own(start) => (None, Some(start)),
            Driver::Core(stream) => (Some(*stream), None),
        };
        (FeedIn { queue: self.queue, end: self.end, stream }, start)
    }
}

/// What comes over a socket.
#[derive(Clone)]
enum Stream {
    Venue(SocketAddr),
    Data(FeedSettings, Arc<FeedFigures>),
}

/// Plans the reference feed, or else every feed of the configuration.
pub fn feeds(
    topology: &Topology,
    options: &Options,
    (reference, position): (Option<ReferenceFeed>, u64),
    waker: &Arc<Waker>,
    stop: &Arc<AtomicBool>,
    plan: &mut Plan,
) -> Result<Vec<(Arc<ActorStatus>, PlannedFeed)>, ServiceError> {
    let mut planned = Vec::new();
    if let Some(open) = reference {
        let status = plan.status("feed:reference".to_owned());
        let queue = Arc::new(ArrayQueue::new(65_536));
        let end = Arc::new(FeedEnd::after(position));
        let merged = plan.merged("core");
        let speed = options.speed;
        let handed = Cell::new(Some(open));
        let (topology, start_status) = (topology.clone(), Arc::clone(&status));
        let (own_queue, own_end, waker, stop) =
            (Arc::clone(&queue), Arc::clone(&end), Arc::clone(waker), Arc::clone(stop));
        let mut name = None;
        let start: Factory = Box::new(move |mut guard: Guard| {
            let feed = match handed.take() {
                Some(open) => {
                    name = Some((open.name.clone(), open.digest));
                    Ok(open.feed)
                }
                // After a panic: from the beginning, past what was handed over.
                None => reopen(&topology, name.as_ref(), &own_end),
            };
            let edge =
                MarketEdge::new(Arc::clone(&own_queue), Arc::clone(&waker), Arc::clone(&merged));
            let (end, status, stop) =
                (Arc::clone(&own_end), Arc::clone(&start_status), Arc::clone(&stop));
            let spawned = std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
                match feed {
                    Ok(feed) => feed_io::pump(feed, speed, &edge, &end, &status, &stop),
                    Err(error) => {
                        let _ = end.failed.set(format!("the feed cannot be opened again: {error}"));
                        end.ended.store(true, Ordering::SeqCst);
                        status.set(ActorState::Stopped);
                    }
                }
                guard.done();
            });
            if let Err(error) = spawned {
                tracing::error!(%error, "no thread for the feed");
            }
        });
        planned.push((status, PlannedFeed { queue, end, driver: Driver::Own(start) }));
        return Ok(planned);
    }
    for spec in &topology.feeds {
        let stream = match &spec.source {
            FeedSource::Sandbox(addr) => Stream::Venue(*addr),
            FeedSource::Alpaca(feed) => Stream::Data(
                feed.settings(topology.names.instruments()).map_err(FeedError::Source)?,
                plan.figures(&spec.name),
            ),
            FeedSource::Recording(_) | FeedSource::Generated(_) => continue,
        };
        let status = plan.status(format!("feed:{}", spec.name));
        let queue = Arc::new(ArrayQueue::new(65_536));
        let end: Arc<FeedEnd> = Arc::default();
        let merged = plan.merged(&spec.name);
        if let (true, Stream::Data(settings, figures)) = (spec.on_core, &stream) {
            let edge = MarketEdge::new(Arc::clone(&queue), Arc::clone(waker), merged);
            let ends = (edge, Arc::clone(&end));
            let (settings, figures) = (settings.clone(), Arc::clone(figures));
            let now = Clock::new().now();
            let feed = LaneFeed::new(settings, ends, Arc::clone(&status), figures, now);
            let driver = Driver::Core(Box::new(feed));
            planned.push((status, PlannedFeed { queue, end, driver }));
            continue;
        }
        let instruments = topology.names.instruments().clone();
        let (own_queue, own_end, waker, own_status) =
            (Arc::clone(&queue), Arc::clone(&end), Arc::clone(waker), Arc::clone(&status));
        let arbiter = Arbiter::new();
        let (first, limit) = (topology.restarts.backoff.min, topology.restarts.backoff.max);
        let start: Factory = Box::new(move |mut guard: Guard| {
            let mut edge =
                MarketEdge::new(Arc::clone(&own_queue), Arc::clone(&waker), Arc::clone(&merged));
            let (end, status, instruments) =
                (Arc::clone(&own_end), Arc::clone(&own_status), instruments.clone());
            let stream = stream.clone();
            arbiter.spawn(async move {
                match stream {
                    Stream::Venue(addr) => {
                        let backoff = Backoff::new(first, limit);
                        feed_io::follow_venue(
                            addr,
                            &instruments,
                            backoff,
                            &mut edge,
                            &end,
                            &status,
                        )
                        .await;
                    }
                    Stream::Data(settings, figures) => {
                        data_io::follow_stream(settings, &mut edge, &end, &status, &figures).await;
                    }
                }
                guard.done();
            });
        });
        planned.push((status, PlannedFeed { queue, end, driver: Driver::Own(start) }));
    }
    Ok(planned)
}

fn reopen(
    topology: &Topology,
    name: Option<&(String, [u8; 32])>,
    end: &FeedEnd,
) -> Result<Box<dyn Feed>, FeedError> {
    let (name, digest) =
        name.ok_or_else(|| FeedError::Source("the feed was never open".to_owned()))?;
    let mut open = topology.open_reference(name, digest)?;
    open.feed.skip(end.position())?;
    Ok(open.feed)
}
