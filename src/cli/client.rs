//! The caller's side of the control API.

use super::args::{ControlArgs, Global};
use super::{CliError, Exit};
use crate::entry::{CONTROL_FILE, TOKEN_FILE};
use crate::live::Beat;
use crate::types::Nanos;
use crate::view::{ControlFile, ErrorView, Liveness};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// A gateway's address with the right to speak to it.
pub(super) struct Client {
    agent: Agent,
    url: String,
    bearer: String,
}

impl Client {
    /// Finds the gateway: by the options, else by `control.json` in the state folder.
    pub fn find(args: &ControlArgs, global: &Global) -> Result<Self, CliError> {
        let state = global.state_dir();
        let (url, token_file) = match &args.control {
            Some(url) => (url.trim_end_matches('/').to_owned(), state.join(TOKEN_FILE)),
            None => control_file(&state.join(CONTROL_FILE))?,
        };
        let token_file = args.token_file.clone().unwrap_or(token_file);
        let token = std::fs::read_to_string(&token_file).map_err(|error| {
            CliError::input(format!("token file {}: {error}", token_file.display()))
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(2)))
            .timeout_global(Some(Duration::from_secs(15)))
            .build();
        let bearer = format!("Bearer {}", token.trim());
        Ok(Self { agent: Agent::new_with_config(config), url, bearer })
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let request = self.agent.get(self.at(path)).header("Authorization", &self.bearer);
        self.answer(request.call())
    }

    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let request = self.agent.delete(self.at(path)).header("Authorization", &self.bearer);
        self.answer(request.call())
    }

    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CliError> {
        let request = self.agent.post(self.at(path)).header("Authorization", &self.bearer);
        self.answer(match body {
            Some(body) => request.send_json(body),
            None => request.send_empty(),
        })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, CliError> {
        let mut answer = answer.map_err(|error| {
            let message = format!("no gateway answers at {}: {error}", self.url);
            CliError::new(Exit::Usage, "unreachable", message)
        })?;
        let status = answer.status().as_u16();
        let unreadable =
            |error: ureq::Error| CliError::core(format!("answer of {}: {error}", self.url));
        if status == 200 {
            return answer.body_mut().read_json().map_err(unreadable);
        }
        let error: ErrorView = answer.body_mut().read_json().map_err(unreadable)?;
        Err(CliError::new(exit_of(status), &error.error.code, error.error.message))
    }
}

/// Input is wrong, the gateway refused, or it failed.
const fn exit_of(status: u16) -> Exit {
    match status {
        409 | 422 | 503 => Exit::Refused,
        400..=499 => Exit::Usage,
        _ => Exit::Core,
    }
}

/// Asks a gateway for its core's beat, for a watchdog: without a token, and for at most `patience`.
pub(super) fn look(args: &ControlArgs, state: &Path, patience: Nanos) -> Option<Beat> {
    let url = match &args.control {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => control_file(&state.join(CONTROL_FILE)).ok()?.0,
    };
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_nanos(patience.0)))
        .build();
    let call = Agent::new_with_config(agent).get(format!("{url}/livez?watchdog=true")).call();
    let said: Liveness = call.ok()?.body_mut().read_json().ok()?;
    let age = Nanos::from_millis(said.core_beat_age_ms?);
    Some(Beat { boot: said.boot, age })
}

fn control_file(path: &Path) -> Result<(String, PathBuf), CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!(
            "no running gateway: {}: {error} (--state-dir or --control name another)",
            path.display()
        );
        CliError::new(Exit::Usage, "unreachable", message)
    })?;
    let file: ControlFile = serde_json::from_str(&text)
        .map_err(|error| CliError::input(format!("{}: {error}", path.display())))?;
    Ok((file.url, file.token_file))
}
