//! Supervision: one keeper actor for each lane, feed and broker connection.
//!
//! actix does not survive a panic of an actor and does not make it anew; a keeper does. Each child
//! holds a [`Guard`]: when it goes without having said that it is done, be it by a panic or an early
//! return, the keeper hears of it, waits, and starts it again from its factory. Too many failures in
//! the window end it and escalate.

use super::status::{ActorState, ActorStatus};
use crate::wiring::RestartPolicy;
use actix::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A child is gone though it was not done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Died;

/// Held by a child for as long as it lives.
#[derive(Debug)]
pub struct Guard {
    keeper: Addr<Keeper>,
    done: bool,
}

impl Guard {
    /// The child ends as it should.
    pub const fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.done {
            self.keeper.do_send(Died);
        }
    }
}

/// Starts a child.
pub type Factory = Box<dyn FnMut(Guard)>;

/// Keeps one child alive.
pub struct Keeper {
    status: Arc<ActorStatus>,
    policy: RestartPolicy,
    start: Factory,
    escalate: Box<dyn FnMut(&ActorStatus)>,
    failures: VecDeque<Instant>,
}

impl Keeper {
    /// A keeper that starts its child at once. `escalate` is called when the child has used up its
    /// restarts.
    pub fn watch(
        status: Arc<ActorStatus>,
        policy: RestartPolicy,
        start: Factory,
        escalate: Box<dyn FnMut(&ActorStatus)>,
    ) -> Addr<Self> {
        Self { status, policy, start, escalate, failures: VecDeque::new() }.start()
    }

    fn launch(&mut self, cx: &mut Context<Self>) {
        (self.start)(Guard { keeper: cx.address(), done: false });
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Context<Self>) {
        self.launch(cx);
    }
}

impl Handler<Died> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Died, cx: &mut Context<Self>) {
        let now = Instant::now();
        let window = Duration::from_nanos(self.policy.window.0);
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|&at| now.duration_since(at) > window) {
            self.failures.pop_front();
        }
        let failures = self.failures.len() as u32;
        if failures > self.policy.restarts {
            tracing::error!(actor = %self.status.name, failures, "out of restarts");
            self.status.set(ActorState::Stopped);
            (self.escalate)(&self.status);
            return;
        }
        self.status.set(ActorState::Restarting);
        let doubled = self.policy.backoff.min.0.saturating_mul(1 << (failures - 1).min(20));
        let wait = Duration::from_nanos(doubled.min(self.policy.backoff.max.0));
        tracing::warn!(actor = %self.status.name, failures, ?wait, "failed, will be started again");
        cx.run_later(wait, |keeper, cx| {
            keeper.status.count_restart();
            keeper.launch(cx);
        });
    }
}

/// Breaks the named actor on purpose, in builds with the `inject` feature: the file `INJECT` in the
/// state folder names it.
#[cfg(feature = "inject")]
pub fn inject(name: &str) {
    let mut wanted = injected().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if wanted.as_deref() == Some(name) {
        *wanted = None;
        drop(wanted);
        panic!("injected into {name}");
    }
}

/// Other builds cannot be broken on purpose.
#[cfg(not(feature = "inject"))]
#[inline]
pub const fn inject(_name: &str) {}

/// The actor to break next.
#[cfg(feature = "inject")]
pub fn injected() -> &'static std::sync::Mutex<Option<String>> {
    static WANTED: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);
    &WANTED
}
