//! The journal on a real disk: writes on the lane's thread, syncs on a thread of its own, which also
//! makes the file to go on in when one is full or a trading day begins.
//!
//! The lane takes that file where it would flush anyway and goes on in it; the old one is synced and
//! marked behind it. So the change costs the lane no call that it would not make, but one.

use crate::desk::mark::Mark;
use crate::desk::segments::segment_name;
use crate::disk::{Disk, Folder};
use crate::journal::{Header, Rotation, begin};
use crossbeam_queue::ArrayQueue;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the lane and the syncing thread share.
#[derive(Debug)]
pub struct SyncEdge {
    /// File and its length after a write, one entry a write; bounded: when it is full the syncer is
    /// behind and one more entry would tell it nothing new.
    pending: ArrayQueue<(u32, u64)>,
    /// Bytes written in this boot.
    pub written: AtomicU64,
    /// A sync failed: nobody knows what is on the disk.
    pub failed: AtomicBool,
    /// The file that the lane writes, and its length.
    number: AtomicU32,
    length: AtomicU64,
    /// The last file that nobody writes any more, and its length.
    ended: AtomicU32,
    ended_length: AtomicU64,
    /// A file to go on in.
    ready: ArrayQueue<JournalFile>,
    new_day: AtomicBool,
    /// The syncing thread has ended.
    done: AtomicBool,
}

impl SyncEdge {
    /// A file to go on in, if one is ready. Whoever takes it must.
    pub fn next(&self) -> Option<JournalFile> {
        let next = self.ready.pop()?;
        self.length.store(next.length, Ordering::Relaxed);
        self.number.store(next.number, Ordering::SeqCst);
        Some(next)
    }

    /// A trading day began.
    pub fn begin_day(&self) {
        self.new_day.store(true, Ordering::SeqCst);
    }

    /// The file that is being written.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::SeqCst)
    }

    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }
}

/// How a journal goes on in further files.
pub struct Turns {
    /// When.
    pub rotation: Rotation,
    /// Header of the first file.
    pub header: Header,
    /// Told the number of a file that has ended and is on stable storage, on the syncing thread.
    pub ended: Box<dyn FnMut(u32) + Send>,
}

/// A journal file.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    number: u32,
    length: u64,
    /// Where the last write ended that was whole.
    whole: u64,
    /// The file before it, until both were synced in this order.
    before: Option<File>,
    edge: Arc<SyncEdge>,
}

impl JournalFile {
    /// Makes a new file and starts the thread that syncs it, at most 5 ms behind.
    ///
    /// # Errors
    /// The file is there already, or cannot be made.
    pub fn create(
        state: &Arc<dyn Folder>,
        root: &Path,
        number: u32,
        turns: Turns,
    ) -> io::Result<(Self, Arc<SyncEdge>)> {
        let edge = Arc::new(SyncEdge {
            pending: ArrayQueue::new(1024),
            written: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            number: AtomicU32::new(number),
            length: AtomicU64::new(0),
            ended: AtomicU32::new(0),
            ended_length: AtomicU64::new(0),
            ready: ArrayQueue::new(1),
            new_day: AtomicBool::new(false),
            done: AtomicBool::new(false),
        });
        let first = Self::make(root, number, &edge)?;
        let syncer = Syncer {
            edge: Arc::clone(&edge),
            state: Arc::clone(state),
            root: root.to_path_buf(),
            file: first.file.try_clone()?,
            number,
            length: 0,
            ahead: None,
            next: None,
            tried: number,
            wait: None,
            turns,
            marked: Instant::now(),
        };
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let edge = Arc::clone(&syncer.edge);
            syncer.run();
            edge.done.store(true, Ordering::SeqCst);
        })?;
        Ok((first, edge))
    }

    /// An empty file whose name is on stable storage.
    fn make(root: &Path, number: u32, edge: &Arc<SyncEdge>) -> io::Result<Self> {
        let path = root.join(segment_name(number));
        let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, number, length: 0, whole: 0, before: None, edge: Arc::clone(edge) })
    }
}

/// The thread that syncs, keeps the head mark and makes the next file.
struct Syncer {
    edge: Arc<SyncEdge>,
    state: Arc<dyn Folder>,
    root: PathBuf,
    /// The file that it syncs.
    file: File,
    number: u32,
    length: u64,
    /// Bytes that were written to the file after it.
    ahead: Option<u64>,
    /// The file after it, once it is made.
    next: Option<(File, u32)>,
    /// The last number that a file was made under, or could not be.
    tried: u32,
    /// Until then no further file is tried.
    wait: Option<Instant>,
    turns: Turns,
    marked: Instant,
}

const MARK_EVERY: Duration = Duration::from_secs(1);
/// After a file could not be made.
const TRY_AGAIN: Duration = Duration::from_secs(10);

impl Syncer {
    fn run(mut self) {
        let (mut unmarked, mut newer) = (false, false);
        loop {
            // Before the queue: what was written to a file that has ended is in it.
            let ended = self.edge.ended.load(Ordering::SeqCst) >= self.number;
            while let Some((number, length)) = self.edge.pending.pop() {
                if number == self.number {
                    (newer, self.length) = (true, length);
                } else {
                    self.ahead = Some(length);
                }
            }
            if ended && self.edge.ended.load(Ordering::SeqCst) == self.number {
                (newer, self.length) = (true, self.edge.ended_length.load(Ordering::SeqCst));
            }
            if newer && self.file.sync_data().is_err() {
                self.edge.failed.store(true, Ordering::SeqCst);
                return;
            }
            unmarked |= std::mem::take(&mut newer);
            if unmarked && (ended || self.marked.elapsed() >= MARK_EVERY) {
                self.mark();
                unmarked = false;
            }
            if ended {
                if !self.turn() {
                    return;
                }
                newer = self.ahead.take().is_some_and(|length| {
                    self.length = length;
                    true
                });
                continue;
            }
            self.plan();
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    fn mark(&mut self) {
        self.marked = Instant::now();
        let mark = Mark { number: self.number, length: self.length };
        // An older mark finds less, and never finds too much: no reason to stop.
        if let Err(error) = mark.write(self.state.as_ref()) {
            tracing::warn!(%error, "the journal's head mark could not be written");
        }
    }

    /// The file has ended: goes on with the next one; `false` if there is none.
    fn turn(&mut self) -> bool {
        match self.next.take() {
            Some((file, number)) if self.edge.number() >= number => {
                let before = std::mem::replace(&mut self.number, number);
                (self.file, self.length) = (file, 0);
                (self.turns.ended)(before);
                true
            }
            Some((_, number)) => {
                // Nobody will write it: the next boot need not read it.
                drop(self.edge.ready.pop());
                let _ = self.state.remove(&segment_name(number));
                false
            }
            None => false,
        }
    }

    /// Makes the next file when it is time. All that was written to the one before this one is on
    /// stable storage by then, so a loss of power breaks the chain of files at its last link only.
    fn plan(&mut self) {
        let Rotation { size, daily } = self.turns.rotation;
        let full = size.is_some_and(|size| self.length >= size);
        let day = daily && self.edge.new_day.load(Ordering::SeqCst);
        if self.next.is_some() || !(full || day) || self.wait.is_some_and(|at| Instant::now() < at)
        {
            return;
        }
        self.tried += 1;
        match self.prepare() {
            Ok((next, file)) => {
                self.edge.new_day.store(false, Ordering::SeqCst);
                self.next = Some((file, self.tried));
                drop(self.edge.ready.push(next));
            }
            Err(error) => {
                tracing::warn!(%error, "no further journal file could be made: this one goes on");
                let _ = self.state.remove(&segment_name(self.tried));
                self.wait = Some(Instant::now() + TRY_AGAIN);
            }
        }
    }

    fn prepare(&self) -> io::Result<(JournalFile, File)> {
        let mut next = JournalFile::make(&self.root, self.tried, &self.edge)?;
        begin(&mut next, &self.turns.header.following(self.number))?;
        next.before = Some(self.file.try_clone()?);
        let file = next.file.try_clone()?;
        Ok((next, file))
    }
}

impl Write for JournalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.edge.failed.load(Ordering::SeqCst) {
            return Err(io::Error::other("a background sync of the journal failed"));
        }
        let count = self.file.write(bytes)?;
        self.length += count as u64;
        self.edge.written.fetch_add(count as u64, Ordering::Relaxed);
        if self.number == self.edge.number.load(Ordering::Relaxed) {
            self.edge.length.store(self.length, Ordering::Relaxed);
        }
        // Part of a write is no end of a frame, and must not become the head mark.
        if count == bytes.len() {
            self.whole = self.length;
            // Full: the syncer has enough to do and will see these bytes too.
            let _ = self.edge.pending.push((self.number, self.length));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for JournalFile {
    fn sync(&mut self) -> io::Result<()> {
        if let Some(before) = &self.before {
            before.sync_data()?;
            self.before = None;
        }
        self.file.sync_data()
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        if self.number > self.edge.number() {
            // It was made for nothing.
            return;
        }
        self.edge.ended_length.store(self.whole, Ordering::SeqCst);
        self.edge.ended.store(self.number, Ordering::SeqCst);
        if self.number < self.edge.number() {
            return;
        }
        // The last head mark; a disk that hangs may not keep the process from ending.
        let begun = Instant::now();
        while !self.edge.done.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
