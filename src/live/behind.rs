//! Snapshots while the gateway runs, made off its lanes: when a journal file has ended, the journal is
//! run again from the last snapshot to the end of that file, on a thread of its own, and what comes out
//! is the core as it was then (INV-7). Then retention may take what no boot needs any more.

use crate::desk::{segments, snapshot};
use crate::disk::Folder;
use crate::wiring::{Registry, can_begin, walk_to};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the snapshots of a running gateway are made of.
pub struct Behind {
    /// The state folder.
    pub state: Arc<dyn Folder>,
    /// The kinds of agents.
    pub registry: Registry,
    /// Journal files that stay; `None`: all.
    pub keep: Option<u32>,
    /// One is being made: the file that ends meanwhile gets none.
    pub busy: Arc<AtomicBool>,
}

impl Behind {
    /// Begins a snapshot of the core after file `number`, which is on stable storage.
    pub fn ended(&self, number: u32) {
        if self.busy.swap(true, Ordering::SeqCst) {
            return;
        }
        let (state, registry) = (Arc::clone(&self.state), self.registry.clone());
        let (keep, busy) = (self.keep, Arc::clone(&self.busy));
        let spawned = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            let made = catch_unwind(AssertUnwindSafe(|| {
                snapshot_after(state.as_ref(), &registry, number)
            }));
            match made.unwrap_or_else(|_| Err("the rerun panicked".to_owned())) {
                Ok(()) => prune(state.as_ref(), &registry, keep),
                // Without it the next boot reads more; the journal is as it was.
                Err(why) => tracing::warn!(number, why, "no snapshot after a journal file"),
            }
            busy.store(false, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            self.busy.store(false, Ordering::SeqCst);
            tracing::warn!(%error, "no thread for a snapshot");
        }
    }
}

/// Writes the snapshot of an open world after journal file `number`, from the journal alone.
///
/// # Errors
/// Why there is none.
pub fn snapshot_after(state: &dyn Folder, registry: &Registry, number: u32) -> Result<(), String> {
    let walk = walk_to(state, registry, number).map_err(|error| error.to_string())?;
    let walk = walk.filter(|walk| walk.found().last == number);
    let walk = walk.ok_or_else(|| "the file is not there any more".to_owned())?;
    if let Some(difference) = &walk.found().difference {
        let (seq, actual) = (difference.seq, &difference.actual);
        return Err(format!("entry {seq} says `{}`, the rerun `{actual}`", difference.expected));
    }
    let (desk, setting) =
        walk.desk().zip(walk.setting()).ok_or_else(|| "nothing was run".to_owned())?;
    if !desk.lane.is_saved() {
        return Err("an agent has no state to save, and goes on".to_owned());
    }
    snapshot::write(state, desk, &setting, number).map_err(|error| error.to_string())
}

/// Removes what `[journal] keep` lets go.
pub fn prune(state: &dyn Folder, registry: &Registry, keep: Option<u32>) {
    let good = |after| can_begin(state, registry, after);
    match keep.map(|keep| segments::prune(state, keep, good)) {
        None | Some(Ok(0)) => {}
        Some(Ok(files)) => {
            tracing::info!(files, "journal files that no boot needs were removed");
        }
        Some(Err(error)) => tracing::warn!(%error, "old journal files could not be removed"),
    }
}
