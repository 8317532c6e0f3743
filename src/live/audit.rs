//! Who did what to this gateway: `audit.log` in the state folder, one JSON line an act.
//!
//! Each line carries the SHA-256 of the line before it and of its own text, so a line that is changed,
//! taken out or put in between is noticed. Lines cut off at the end are not: keep a copy of the last
//! hash elsewhere. The file is written by the control side only, a lock on it keeps writers of several
//! processes apart, and an act is on stable storage when [`Audit::write`] returns.

use crate::types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the file in the state folder.
pub const AUDIT_FILE: &str = "audit.log";
/// What the first line has for the hash of the line before it.
const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How often a writer asks for the lock, a millisecond apart. A stopped process may hold it.
const TRIES: u32 = 500;

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// `operator`, a rule of the guardian, `gateway`, `direct`, `watchdog`.
    pub who: String,
    /// The act's word: `kill`, `arm_request`, `order`...
    pub what: String,
    /// To what: a scope, an order, a version.
    pub scope: String,
    /// Why, as it was given.
    pub reason: String,
    /// How it stood before; empty where that says nothing.
    pub before: String,
    /// How it stands now, or what came of it.
    pub after: String,
}

impl Act {
    /// An act with its reason.
    pub fn new(who: &str, what: &str, scope: impl Into<String>, reason: &str) -> Self {
        let (who, what, reason) = (who.to_owned(), what.to_owned(), reason.to_owned());
        Self { who, what, scope: scope.into(), reason, before: String::new(), after: String::new() }
    }

    /// The same with what it changed.
    #[must_use]
    pub fn changed(mut self, before: impl ToString, after: impl ToString) -> Self {
        (self.before, self.after) = (before.to_string(), after.to_string());
        self
    }
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub time: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
    /// Hash of the line before.
    pub previous: String,
}

/// Why the file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// A line is not what was written.
    #[error("{0} line {1}: {2}")]
    Broken(PathBuf, u64, &'static str),
    /// Another process holds it and does not let go.
    #[error("{0} is held by another process")]
    Held(PathBuf),
}

/// The file of a state folder.
#[derive(Debug, Clone)]
pub struct Audit(PathBuf);

fn hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Between the hashed text and its hash.
const SEAL: &str = ",\"hash\":\"";

/// Takes a line apart: what it says, and its hash.
fn open_line(line: &str) -> Result<(AuditLine, String), &'static str> {
    let shape = "not a line of this file";
    let (body, rest) = line.rsplit_once(SEAL).ok_or(shape)?;
    let sum = rest.strip_suffix("\"}").ok_or(shape)?;
    if hash(body.as_bytes()) != sum {
        return Err("its own hash does not fit");
    }
    let said = serde_json::from_str(&format!("{body}}}")).map_err(|_| shape)?;
    Ok((said, sum.to_owned()))
}

impl Audit {
    /// The file of this state folder; it need not exist yet.
    pub fn of(state: &Path) -> Self {
        Self(state.join(AUDIT_FILE))
    }

    /// Reads every line and checks the chain; `each` sees the lines in their order. Gives the number of
    /// lines and the bytes of a torn last one. A file that does not exist has no lines.
    ///
    /// # Errors
    /// [`AuditError::Broken`] names the first line that does not fit.
    pub fn verify(&self, mut each: impl FnMut(AuditLine)) -> Result<(u64, u64), AuditError> {
        let io = |error| AuditError::Io(self.0.clone(), error);
        let mut file = match File::open(&self.0) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
            Err(error) => return Err(io(error)),
        };
        let (mut number, mut last, mut bytes) = (0, ORIGIN.to_owned(), Vec::new());
        loop {
            bytes.clear();
            if file.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
                return Ok((number, 0));
            }
            if bytes.pop() != Some(b'\n') {
                return Ok((number, bytes.len() as u64 + 1));
            }
            let broken = |what| AuditError::Broken(self.0.clone(), number + 1, what);
            let text = std::str::from_utf8(&bytes).map_err(|_| broken("not text"))?;
            let (line, sum) = open_line(text).map_err(broken)?;
            if line.previous != last {
                return Err(broken("the line before it is another"));
            }
            each(line);
            (number, last) = (number + 1, sum);
        }
    }

    /// Adds an act; it is on stable storage when this returns. A torn last line, as a crash leaves it, is
    /// cut off first.
    ///
    /// # Errors
    /// The disk's; [`AuditError::Held`].
    pub fn write(&self, now: Timestamp, act: Act) -> Result<(), AuditError> {
        let io = |error| AuditError::Io(self.0.clone(), error);
        let mut file =
            OpenOptions::new().create(true).append(true).read(true).open(&self.0).map_err(io)?;
        self.lock(&file)?;
        let last = last_line(&mut file).map_err(io)?;
        let previous = match &last {
            None => ORIGIN.to_owned(),
            // The chain goes on behind a line that was tampered with, and `verify` names it for ever.
            Some(bytes) => std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| open_line(text).ok())
                .map_or_else(|| hash(bytes), |(_, sum)| sum),
        };
        let body = serde_json::to_string(&AuditLine { time: now, act, previous })
            .map_err(|error| io(error.into()))?;
        let body = body.trim_end_matches('}');
        let line = format!("{body}{SEAL}{}\"}}\n", hash(body.as_bytes()));
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }

    fn lock(&self, file: &File) -> Result<(), AuditError> {
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::Error(error)) => {
                    return Err(AuditError::Io(self.0.clone(), error));
                }
            }
        }
        Err(AuditError::Held(self.0.clone()))
    }

    /// The same as [`Self::write`]; what it did holds also where that cannot be noted, and the log says so.
    pub fn note(&self, now: Timestamp, act: Act) {
        if let Err(error) = self.write(now, act) {
            tracing::error!(%error, "an act could not be noted");
        }
    }
}

/// The last whole line, without its end; what stands behind it is cut off.
fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut from, mut tail) = (length, Vec::new());
    // Backwards, a piece at a time, until two line ends or the beginning are in sight.
    while from > 0 && tail.iter().filter(|byte| **byte == b'\n').count() < 2 {
        let piece = from.min(4096);
        from -= piece;
        file.seek(SeekFrom::Start(from))?;
        let mut more = vec![0; piece as usize];
        file.read_exact(&mut more)?;
        more.append(&mut tail);
        tail = more;
    }
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < tail.len() {
        file.set_len(from + whole as u64)?;
    }
    let Some(end) = whole.checked_sub(1) else { return Ok(None) };
    let begin = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(Some(tail[begin..end].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn three() -> (tempfile::TempDir, Audit, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::of(dir.path());
        for (number, reason) in ["}", "two \"words\"\n", &"long ".repeat(2_000)].iter().enumerate()
        {
            let act = Act::new("operator", "kill", "global", reason).changed("normal", "cancel");
            audit.write(Timestamp::from_nanos(number as u64), act).unwrap();
        }
        let bytes = fs::read(&audit.0).unwrap();
        (dir, audit, bytes)
    }

    #[test]
    fn every_flip_is_named_with_its_line_and_missing_lines_are_noticed() {
        let (_dir, audit, good) = three();
        let mut reasons = Vec::new();
        assert_eq!(audit.verify(|line| reasons.push(line.act.reason)).unwrap(), (3, 0));
        assert_eq!((&*reasons[0], &*reasons[1]), ("}", "two \"words\"\n"));
        for at in (0..good.len() - 1).filter(|at| *at < 800 && at % 5 == 0 || at % 997 == 0) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&audit.0, &bad).unwrap();
            let line = 1 + good[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            match audit.verify(|_| ()) {
                Err(AuditError::Broken(_, named, _)) => assert_eq!(named, line, "flip at {at}"),
                other => panic!("flip at {at}: {other:?}"),
            }
        }
        let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
        for (left, named) in [([1, 2], 1), ([0, 2], 2)] {
            fs::write(&audit.0, left.map(|line: usize| lines[line]).concat()).unwrap();
            let found = audit.verify(|_| ());
            assert!(matches!(found, Err(AuditError::Broken(_, line, _)) if line == named));
        }
    }

    #[test]
    fn a_torn_line_is_cut_off_and_a_damaged_one_stays_named() {
        let (_dir, audit, good) = three();
        let act = || Act::new("gateway", "boot", "", "");
        let whole = good[..good.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        fs::write(&audit.0, &good[..good.len() - 5]).unwrap();
        let torn = (good.len() - 5 - whole) as u64;
        assert_eq!(audit.verify(|_| ()).unwrap(), (2, torn));
        audit.write(Timestamp::ZERO, act()).unwrap();
        assert_eq!(audit.verify(|_| ()).unwrap(), (3, 0));
        let mut bad = good;
        bad[whole + 20] ^= 1;
        fs::write(&audit.0, &bad).unwrap();
        audit.write(Timestamp::ZERO, act()).unwrap();
        assert!(matches!(audit.verify(|_| ()), Err(AuditError::Broken(_, 3, _))));
    }
}
