//! Keys of programs: who may send orders in whose name. The file holds salted hashes, never a secret.
//! `qtos token` writes it; a running entry reads it again when it changes.

use crate::alpaca::Credentials;
use crate::types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the file in the state folder.
pub const KEYS_FILE: &str = "entry-keys.json";
const LOCK: &str = "entry-keys.lock";
/// Letters of a key id: none that look alike.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// It is not what was written.
    #[error("{0}: {1}")]
    Damaged(PathBuf, serde_json::Error),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// No key of this id.
    #[error("there is no key `{0}`")]
    Unknown(String),
}

/// A key, as the file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its id, which is no secret.
    pub key: String,
    /// The agent in whose name it trades.
    pub agent: String,
    /// When it was made.
    pub created: Timestamp,
    /// Since when it is good for nothing.
    pub revoked: Option<Timestamp>,
    salt: String,
    hash: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct KeysFile {
    keys: Vec<KeyRow>,
}

/// A key that was just made. The secret is nowhere else.
#[derive(Debug, Clone, Serialize)]
pub struct NewKey {
    /// `APCA-API-KEY-ID`.
    pub key: String,
    /// `APCA-API-SECRET-KEY`.
    pub secret: String,
    /// In whose name it trades.
    pub agent: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(salt: &str, secret: &str) -> String {
    hex(&Sha256::digest(format!("{salt}/{secret}").as_bytes()))
}

/// Takes the same time wherever the two differ.
fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |odd, (a, b)| odd | (a ^ b)) == 0
}

fn read(path: &Path) -> Result<KeysFile, KeyError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| KeyError::Damaged(path.to_owned(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeysFile::default()),
        Err(error) => Err(KeyError::File(path.to_owned(), error)),
    }
}

/// Changes the file of a state folder, one process at a time.
fn change<R>(
    state: &Path,
    change: impl FnOnce(&mut KeysFile) -> Result<R, KeyError>,
) -> Result<R, KeyError> {
    let path = state.join(KEYS_FILE);
    let io = |error| KeyError::File(path.clone(), error);
    fs::create_dir_all(state).map_err(io)?;
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(0o600);
    let lock = lock.open(state.join(LOCK)).map_err(io)?;
    lock.lock().map_err(io)?;
    let mut file = read(&path)?;
    let result = change(&mut file)?;
    let text =
        serde_json::to_vec_pretty(&file).map_err(|error| KeyError::Damaged(path.clone(), error))?;
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    let mut to = options.write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
    to.write_all(&text).and_then(|()| to.sync_all()).map_err(io)?;
    fs::rename(&draft, &path).map_err(io)?;
    File::open(state).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(result)
}

/// Makes a key for an agent.
///
/// # Errors
/// [`KeyError`]; then there is no new key.
pub fn create(state: &Path, agent: &str, now: Timestamp) -> Result<NewKey, KeyError> {
    let mut bits = [0u8; 66];
    getrandom::fill(&mut bits).map_err(KeyError::Random)?;
    let (name, rest) = bits.split_at(18);
    let (salt, secret) = rest.split_at(16);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte & 31)]);
    let key = format!("QT{}", name.iter().map(letter).collect::<String>());
    let (salt, secret) = (hex(salt), hex(secret));
    change(state, |file| {
        let hash = hash(&salt, &secret);
        let (key, agent) = (key.clone(), agent.to_owned());
        file.keys.push(KeyRow { key, agent, created: now, revoked: None, salt, hash });
        Ok(())
    })?;
    Ok(NewKey { key, secret, agent: agent.to_owned() })
}

/// Every key, the oldest first.
///
/// # Errors
/// [`KeyError`].
pub fn list(state: &Path) -> Result<Vec<KeyRow>, KeyError> {
    read(&state.join(KEYS_FILE)).map(|file| file.keys)
}

/// Takes a key's power away, for ever; gives its agent.
///
/// # Errors
/// [`KeyError::Unknown`] and the disk's.
pub fn revoke(state: &Path, key: &str, now: Timestamp) -> Result<String, KeyError> {
    change(state, |file| {
        let row = file.keys.iter_mut().find(|row| row.key == key);
        let row = row.ok_or_else(|| KeyError::Unknown(key.to_owned()))?;
        row.revoked.get_or_insert(now);
        Ok(row.agent.clone())
    })
}

/// The keys that a running entry takes.
#[derive(Debug)]
pub(super) struct Keys {
    path: PathBuf,
    rows: Vec<KeyRow>,
    /// Which file was read: inode, length, time of its last change.
    version: Option<(u64, u64, i64, i64)>,
}

impl Keys {
    /// Those of a state folder.
    pub fn of(state: &Path) -> Self {
        let mut keys = Self { path: state.join(KEYS_FILE), rows: Vec::new(), version: None };
        keys.refresh();
        keys
    }

    /// Reads the file again if it is another; whether it was. A file that cannot be read lets nobody in.
    pub fn refresh(&mut self) -> bool {
        let meta = fs::metadata(&self.path).ok();
        let version = meta.map(|meta| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()));
        if version == self.version {
            return false;
        }
        self.version = version;
        self.rows = match read(&self.path) {
            Ok(file) => file.keys,
            Err(error) => {
                tracing::error!(%error, "no key is taken");
                Vec::new()
            }
        };
        true
    }

    /// The key and the agent of these credentials, if they are good.
    pub fn whose(&self, credentials: &Credentials) -> Option<(&str, &str)> {
        let Credentials::Key(key, secret) = credentials else { return None };
        let row = self.rows.iter().find(|row| row.key == *key && row.revoked.is_none())?;
        equal(&hash(&row.salt, secret), &row.hash).then_some((&*row.key, &*row.agent))
    }

    /// Whether a key is still good.
    pub fn stands(&self, key: &str) -> bool {
        self.rows.iter().any(|row| row.key == key && row.revoked.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn pair(key: &str, secret: &str) -> Credentials {
        Credentials::Key(key.to_owned(), secret.to_owned())
    }

    #[test]
    fn a_key_opens_until_it_is_revoked_and_its_secret_is_nowhere() {
        let state = tempfile::tempdir().unwrap();
        let mut keys = Keys::of(state.path());
        let made = create(state.path(), "desk", Timestamp::from_nanos(1)).unwrap();
        let other = create(state.path(), "other", Timestamp::from_nanos(2)).unwrap();
        assert!(keys.refresh() && !keys.refresh());
        let mine = pair(&made.key, &made.secret);
        assert_eq!(keys.whose(&mine), Some((&*made.key, "desk")));
        for wrong in [
            pair(&made.key, &other.secret),
            pair(&other.key, &made.secret),
            pair(&made.key, ""),
            pair("", &made.secret),
            Credentials::Bearer(made.secret.clone()),
        ] {
            assert_eq!(keys.whose(&wrong), None);
        }
        let path = state.path().join(KEYS_FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&made.secret) && text.contains(&made.key));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        revoke(state.path(), &made.key, Timestamp::from_nanos(3)).unwrap();
        assert!(keys.refresh());
        assert_eq!(keys.whose(&mine), None);
        assert!(!keys.stands(&made.key) && keys.stands(&other.key));
        assert!(matches!(
            revoke(state.path(), "QT", Timestamp::from_nanos(4)),
            Err(KeyError::Unknown(_))
        ));
        // Two keys made at once never share anything.
        assert!(made.key != other.key && made.secret != other.secret);
        fs::write(&path, "{").unwrap();
        assert!(keys.refresh() && !keys.stands(&other.key));
    }
}
