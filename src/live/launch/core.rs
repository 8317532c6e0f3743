//! The core lane's thread.

use super::Plan;
use crate::desk::Desk;
use crate::live::keeper::{Factory, Guard, Keeper};
use crate::live::lane::CoreLane;
use crate::live::status::{ActorState, ActorStatus};
use crate::types::Nanos;
use crate::wiring::{RestartPolicy, Topology};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The core lane's thread. A panic in it is not survived: its keeper never restarts it.
pub fn start_core(
    core: CoreLane,
    end: SyncSender<Option<Desk>>,
    status: &Arc<ActorStatus>,
    topology: &Topology,
    plan: &mut Plan,
) {
    let once = Cell::new(Some((core, end)));
    let start: Factory = Box::new(move |mut guard: Guard| {
        let Some((core, end)) = once.take() else { return };
        let spawned = std::thread::Builder::new().name("core".to_owned()).spawn(move || {
            let desk = core.run();
            guard.done();
            let _ = end.send(Some(desk));
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for the core lane");
        }
    });
    let policy = RestartPolicy {
        restarts: 0,
        window: Nanos::from_secs(1),
        backoff: topology.restarts.backoff,
    };
    let escalate: Box<dyn FnMut(&ActorStatus)> = Box::new(|status| {
        tracing::error!(actor = %status.name, "the core panicked");
        status.set(ActorState::Stopped);
    });
    plan.keepers.push(Keeper::watch(Arc::clone(status), policy, start, escalate));
}
