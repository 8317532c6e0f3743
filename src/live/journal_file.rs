//! The journal on a real disk: writes on the lane's thread, syncs on a thread of its own.

use crate::desk::mark::Mark;
use crate::disk::{Disk, Folder};
use crossbeam_queue::ArrayQueue;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the lane and the syncing thread share.
#[derive(Debug)]
pub struct SyncEdge {
    /// Bytes written that wait for a sync, one entry a write; bounded: when it is full the syncer is
    /// behind and one more entry would tell it nothing new.
    pending: ArrayQueue<u64>,
    /// Bytes written.
    pub written: AtomicU64,
    /// A sync failed: nobody knows what is on the disk.
    pub failed: AtomicBool,
    stop: AtomicBool,
}

/// A journal file.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    edge: Arc<SyncEdge>,
    syncer: JoinHandle<()>,
}

impl JournalFile {
    /// Makes a new file and starts the thread that syncs it, at most 5 ms behind.
    ///
    /// # Errors
    /// The file is there already, or cannot be made.
    pub fn create(
        state: &Arc<dyn Folder>,
        path: &Path,
        number: u32,
    ) -> io::Result<(Self, Arc<SyncEdge>)> {
        let file = OpenOptions::new().create_new(true).write(true).open(path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        let edge = Arc::new(SyncEdge {
            pending: ArrayQueue::new(1024),
            written: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let (own, shared) = (file.try_clone()?, Arc::clone(&edge));
        let syncer = std::thread::Builder::new().name("journal".to_owned()).spawn({
            let marker = Marker { state: Arc::clone(state), number, marked: Instant::now() };
            move || sync_loop(&own, &shared, marker)
        })?;
        Ok((Self { file, edge: Arc::clone(&edge), syncer }, edge))
    }
}

/// Keeps the head mark, at most [`MARK_EVERY`] behind the syncs.
struct Marker {
    state: Arc<dyn Folder>,
    number: u32,
    marked: Instant,
}

const MARK_EVERY: Duration = Duration::from_secs(1);

impl Marker {
    fn mark(&mut self, length: u64) {
        self.marked = Instant::now();
        // An older mark finds less, and never finds too much: no reason to stop.
        if let Err(error) = (Mark { number: self.number, length }).write(self.state.as_ref()) {
            tracing::warn!(%error, "the journal's head mark could not be written");
        }
    }
}

fn sync_loop(file: &File, edge: &SyncEdge, mut marker: Marker) {
    let (mut synced, mut unmarked) = (0, false);
    loop {
        let mut newer = false;
        while let Some(total) = edge.pending.pop() {
            (newer, synced) = (true, total);
        }
        if newer && file.sync_data().is_err() {
            edge.failed.store(true, Ordering::SeqCst);
            return;
        }
        unmarked |= newer;
        let stop = edge.stop.load(Ordering::SeqCst) && edge.pending.is_empty();
        if unmarked && (stop || marker.marked.elapsed() >= MARK_EVERY) {
            marker.mark(synced);
            unmarked = false;
        }
        if stop {
            return;
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

impl Write for JournalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.edge.failed.load(Ordering::SeqCst) {
            return Err(io::Error::other("a background sync of the journal failed"));
        }
        let count = self.file.write(bytes)?;
        let total = self.edge.written.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        // Part of a write is no end of a frame, and must not become the head mark.
        if count == bytes.len() {
            // Full: the syncer has enough to do and will see these bytes too.
            let _ = self.edge.pending.push(total);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for JournalFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        self.edge.stop.store(true, Ordering::SeqCst);
        // The last head mark; a disk that hangs may not keep the process from ending.
        let begun = Instant::now();
        while !self.syncer.is_finished() && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
