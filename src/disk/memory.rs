//! A folder in memory that fails when told to, and that forgets what was not synced when the power
//! goes.

use super::{Disk, Folder};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// ENOSPC; of a write, half is there.
    Full,
    /// EIO; of a write, half is there.
    Broken,
    /// A write takes half and says so; every other call works.
    Short,
    /// EINTR: nothing happened, the next call works.
    Interrupted,
}

#[derive(Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    /// So many of them survive a loss of power.
    synced: usize,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// Names that survive a loss of power.
    synced: BTreeMap<String, usize>,
    calls: u64,
    faults: Vec<(u64, Fault, bool)>,
}

impl State {
    /// Counts a call that changes something and says how it fails.
    fn call(&mut self) -> Option<Fault> {
        let now = self.calls;
        self.calls += 1;
        let fault = self.faults.iter().find(|(at, _, lasting)| *at == now || *lasting && *at < now);
        fault.map(|(_, fault, _)| *fault)
    }

    /// As [`Self::call`], for calls that work or do not.
    fn whole(&mut self) -> io::Result<()> {
        match self.call() {
            None | Some(Fault::Short) => Ok(()),
            Some(fault) => Err(error(fault)),
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => ErrorKind::StorageFull.into(),
        Fault::Broken | Fault::Short => io::Error::other("input/output error"),
        Fault::Interrupted => ErrorKind::Interrupted.into(),
    }
}

/// Files in memory. Clones are the same folder. One thread uses it at a time: the lock is there
/// because [`Folder`]s may be shared, not because anybody waits for it.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl MemoryFolder {
    /// An empty folder without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls so far wanted to change something: create, write, sync, rename, remove.
    pub fn calls(&self) -> u64 {
        self.shared.state().calls
    }

    /// Has call number `call` (the first is 0) fail; `lasting`: and every later one, until
    /// [`Self::heal`].
    pub fn fail(&self, call: u64, fault: Fault, lasting: bool) {
        self.shared.state().faults.push((call, fault, lasting));
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.shared.state().faults.clear();
    }

    /// The power goes: names that were not synced are forgotten, and of the bytes that were not
    /// synced, `keep` says of each file how many stay.
    pub fn lose_power(&self, mut keep: impl FnMut(usize) -> usize) {
        let mut state = self.shared.state();
        state.names = state.synced.clone();
        for file in &mut state.files {
            let unsynced = file.bytes.len() - file.synced;
            let kept = file.synced + keep(unsynced).min(unsynced);
            file.bytes.truncate(kept);
            file.synced = kept;
        }
    }

    /// Changes the bytes of a file behind everybody's back; `false` if it is not there.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.shared.state();
        let Ok(at) = state.find(name) else { return false };
        let file = &mut state.files[at];
        change(&mut file.bytes);
        file.synced = file.synced.min(file.bytes.len());
        true
    }
}

struct Handle {
    shared: Arc<Shared>,
    at: usize,
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.state();
        let fault = state.call();
        let taken = match fault {
            None => bytes.len(),
            Some(Fault::Interrupted) => 0,
            Some(Fault::Short) => bytes.len().div_ceil(2),
            Some(Fault::Full | Fault::Broken) => bytes.len() / 2,
        };
        state.files[self.at].bytes.extend_from_slice(&bytes[..taken]);
        match fault {
            None | Some(Fault::Short) => Ok(taken),
            Some(fault) => Err(error(fault)),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Handle {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.shared.state();
        state.whole()?;
        let file = &mut state.files[self.at];
        file.synced = file.bytes.len();
        Ok(())
    }
}

impl Folder for MemoryFolder {
    fn list(&self, below: &str) -> io::Result<Vec<String>> {
        let inside = |name: &&String| match name.rsplit_once('/') {
            Some((folder, _)) => folder == below,
            None => below.is_empty(),
        };
        Ok(self.shared.state().names.keys().filter(inside).cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let state = self.shared.state();
        let at = state.find(name)?;
        Ok(Box::new(io::Cursor::new(state.files[at].bytes.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Disk>> {
        let mut state = self.shared.state();
        state.whole()?;
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let at = state.files.len();
        state.files.push(Inode::default());
        state.names.insert(name.to_owned(), at);
        Ok(Box::new(Handle { shared: Arc::clone(&self.shared), at }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.shared.state();
        state.whole()?;
        let at = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), at);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.shared.state();
        state.whole()?;
        state.find(name)?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_names(&self, _name: &str) -> io::Result<()> {
        let mut state = self.shared.state();
        state.whole()?;
        state.synced = state.names.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever call fails, and how: a file that is replaced is the old or the new one, also after
    /// a loss of power, and the next attempt works.
    #[test]
    fn a_replaced_file_is_old_or_new() {
        for fault in [Fault::Full, Fault::Broken, Fault::Short, Fault::Interrupted] {
            for call in 0..7 {
                for power in [false, true] {
                    let folder = MemoryFolder::new();
                    folder.replace("kill.json", b"old").unwrap();
                    folder.fail(folder.calls() + call, fault, false);
                    let done = folder.replace("kill.json", b"newer");
                    if power {
                        folder.lose_power(|unsynced| unsynced / 2);
                    }
                    let content = folder.read("kill.json").unwrap();
                    assert!(content == b"old" || content == b"newer", "{fault:?} {call}");
                    assert!(done.is_err() || content == b"newer", "{fault:?} {call}");
                    folder.heal();
                    folder.replace("kill.json", b"newest").unwrap();
                    assert_eq!(folder.read("kill.json").unwrap(), b"newest");
                }
            }
        }
    }
}
