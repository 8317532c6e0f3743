//! `qtos token`: keys of programs outside. The file of the state folder is changed here; a running
//! gateway reads it again by itself.

use super::args::{Global, TokenCommand};
use super::{CliError, Exit};
use crate::agents::REMOTE;
use crate::entry::dropin::keys::{self, KeyError, KeyRow, NewKey};
use crate::live::{Act, Audit};
use crate::types::Timestamp;
use crate::view::{Render, Table};
use crate::wiring::Registry;
use serde::Serialize;
use std::time::SystemTime;

/// A key without what it is checked by.
#[derive(Debug, Serialize)]
struct KeyView {
    key: String,
    agent: String,
    created: Timestamp,
    revoked: Option<Timestamp>,
}

/// Every key.
#[derive(Debug, Serialize)]
struct KeyList {
    keys: Vec<KeyView>,
}

/// A key that is good for nothing any more.
#[derive(Debug, Serialize)]
struct Revoked {
    key: String,
    agent: String,
}

/// A key that was made: the only time that its secret is seen.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Made(NewKey);

/// Makes, lists or revokes keys.
///
/// # Errors
/// No such agent or key, or the file cannot be used: exit code 2.
pub(super) fn run(
    command: &TokenCommand,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    let state = global.state_dir();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let audit = |what: &str, agent: &str, key: &str| {
        let act = Act::new("operator", what, format!("agent:{agent}"), "").changed("", key);
        Audit::of(&state).write(now, act).map_err(|error| CliError::input(error.to_string()))
    };
    match command {
        TokenCommand::New { agent } => {
            let topology = global.topology(&registry.vocabulary())?;
            let known = topology.agents.iter().find(|own| own.name == *agent);
            if known.is_none_or(|own| own.kind != REMOTE) {
                let message = format!("`{agent}` is no [[agent]] of kind `{REMOTE}`");
                return Err(CliError::input(message));
            }
            let made = keys::create(&state, agent, now)?;
            // A key that nobody can account for is not given out.
            if let Err(error) = audit("token_new", agent, &made.key) {
                let _ = keys::revoke(&state, &made.key, now);
                return Err(error);
            }
            global.print(&Made(made));
        }
        TokenCommand::List => {
            let show = |row: KeyRow| KeyView {
                key: row.key,
                agent: row.agent,
                created: row.created,
                revoked: row.revoked,
            };
            let keys = keys::list(&state)?.into_iter().map(show).collect();
            global.print(&KeyList { keys });
        }
        TokenCommand::Revoke { key } => {
            let agent = keys::revoke(&state, key, now)?;
            audit("token_revoke", &agent, key)?;
            global.print(&Revoked { key: key.clone(), agent });
        }
    }
    Ok(Exit::Done)
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        Self::input(error.to_string())
    }
}

impl Render for Made {
    fn render(&self) -> String {
        let NewKey { key, secret, agent } = &self.0;
        format!(
            "APCA_API_KEY_ID={key}\nAPCA_API_SECRET_KEY={secret}\n# trades as agent {agent}; the secret is not shown again\n"
        )
    }
}

impl Render for KeyList {
    fn render(&self) -> String {
        let mut table = Table::new(&["key", "agent", "created", "revoked"]);
        for row in &self.keys {
            let revoked = row.revoked.map_or_else(String::new, |at| at.to_string());
            table.row([&row.key, &row.agent, &row.created.to_string(), &revoked]);
        }
        table.text("no keys")
    }
}

impl Render for Revoked {
    fn render(&self) -> String {
        format!("{} of agent {} opens nothing any more\n", self.key, self.agent)
    }
}
