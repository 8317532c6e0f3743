//! Which feeds a run has, and how each is started again: files and seeds on a thread, venues in an
//! actor's arbiter.

use super::edge::{MarketEdge, Waker};
use super::feed_io::{self, FeedEnd};
use super::keeper::{Factory, Guard};
use super::lane::FeedIn;
use super::service::{Options, Plan, ServiceError};
use super::status::{ActorState, ActorStatus};
use crate::broker::Backoff;
use crate::feed::FeedError;
use crate::wiring::{FeedSource, ReferenceFeed, Topology};
use actix::prelude::*;
use crossbeam_queue::ArrayQueue;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The recording or seed of this run, if it has one.
pub(super) fn reference(
    topology: &Topology,
    options: &Options,
) -> Result<Option<ReferenceFeed>, ServiceError> {
    if let Some(file) = &options.file {
        return Ok(Some(topology.open_recording(file)?));
    }
    let is_reference = |source: &FeedSource| !matches!(source, FeedSource::Sandbox(_));
    match topology.feeds.as_slice() {
        [] => Err(ServiceError::NoFeed),
        [one] => Ok(topology.open_feed(one)?),
        many => match many.iter().find(|feed| is_reference(&feed.source)) {
            None => Ok(None),
            Some(feed) => Err(ServiceError::MixedFeeds(feed.name.clone())),
        },
    }
}

/// A feed before its thread or actor is started.
pub(super) struct PlannedFeed {
    queue: Arc<ArrayQueue<crate::msg::MarketData>>,
    pub end: Arc<FeedEnd>,
    start: Factory,
}

impl PlannedFeed {
    pub fn inlet(&self) -> FeedIn {
        FeedIn { queue: Arc::clone(&self.queue), end: Arc::clone(&self.end) }
    }

    pub fn factory(self) -> Factory {
        self.start
    }
}

/// The feeds of a run, none of them started: the reference feed alone, or every venue's.
pub(super) fn feeds(
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
        planned.push((status, PlannedFeed { queue, end, start }));
        return Ok(planned);
    }
    for spec in &topology.feeds {
        let FeedSource::Sandbox(addr) = spec.source else { continue };
        let status = plan.status(format!("feed:{}", spec.name));
        let queue = Arc::new(ArrayQueue::new(65_536));
        let end: Arc<FeedEnd> = Arc::default();
        let merged = plan.merged(&spec.name);
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
            arbiter.spawn(async move {
                let backoff = Backoff::new(first, limit);
                feed_io::follow_venue(addr, &instruments, backoff, &mut edge, &end, &status).await;
                guard.done();
            });
        });
        planned.push((status, PlannedFeed { queue, end, start }));
    }
    Ok(planned)
}

fn reopen(
    topology: &Topology,
    name: Option<&(String, [u8; 32])>,
    end: &FeedEnd,
) -> Result<Box<dyn crate::feed::Feed>, FeedError> {
    let (name, digest) =
        name.ok_or_else(|| FeedError::Source("the feed was never open".to_owned()))?;
    let mut open = topology.open_reference(name, digest)?;
    open.feed.skip(end.position())?;
    Ok(open.feed)
}
