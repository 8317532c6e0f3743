//! Trouble on purpose: rules that lose, delay or spoil what goes out. Set under `/__sim/faults`.

use super::sockets::Frame;
use crate::alpaca::{Output, Reply, Request, Ticket};
use crate::types::{Nanos, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The request is not looked at; its connection ends.
    Drop,
    /// The request is done; its connection ends without an answer.
    LostResponse,
    /// The request is done; the answer comes late.
    Delay,
    /// The request is not looked at; this status is the answer.
    Status,
    /// As a status of 503, for every request but those below `/__sim/`.
    Maintenance,
    /// A trade update is lost.
    UpdateLost,
    /// A trade update comes twice.
    UpdateDuplicated,
    /// A trade update comes behind the next one.
    UpdateReordered,
    /// A trade update comes late; those behind it wait.
    UpdateDelayed,
    /// Sockets stay open and say nothing, pings are answered.
    Mute,
    /// Sockets stay open and say nothing, not even to pings.
    HalfOpen,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub kind: Kind,
    /// Of requests: `POST`, `GET`...; all where it is left out.
    #[serde(default)]
    pub method: Option<String>,
    /// Of requests: how their path begins.
    #[serde(default)]
    pub path: Option<String>,
    /// How often it applies; for ever where it is left out.
    #[serde(default)]
    pub times: Option<u32>,
    /// How late, milliseconds.
    #[serde(default)]
    pub ms: u64,
    /// Of [`Kind::Status`].
    #[serde(default)]
    pub status: Option<u16>,
    /// Seconds in a `Retry-After` header.
    #[serde(default)]
    pub retry_after: Option<u32>,
}

/// What a request meets.
#[derive(Debug, Default)]
pub(super) struct Met(Option<Rule>);

/// An output, and how much later than now it goes.
pub(super) struct Late(Output, Nanos);

impl Met {
    /// The answer where the request is not to be looked at.
    pub fn before(&self, ticket: Ticket) -> Option<Late> {
        let rule = self.0.as_ref()?;
        let status = match rule.kind {
            Kind::Drop => return Some(Late(Output::Hangup(ticket), Nanos(0))),
            Kind::Status => rule.status.unwrap_or(500),
            Kind::Maintenance => 503,
            _ => return None,
        };
        let code = u32::from(status) * 100_000 + 10_000;
        let mut reply = Reply::with(status, json!({"code": code, "message": "made on purpose"}));
        if let Some(seconds) = rule.retry_after {
            reply.headers.push(("Retry-After", seconds.to_string()));
        }
        Some(Late(Output::Reply(ticket, reply), Nanos(0)))
    }

    /// What becomes of the answer.
    pub fn after(&self, ticket: Ticket, reply: Reply) -> Late {
        match &self.0 {
            Some(rule) if rule.kind == Kind::LostResponse => Late(Output::Hangup(ticket), Nanos(0)),
            Some(rule) if rule.kind == Kind::Delay => {
                Late(Output::Reply(ticket, reply), Nanos::from_millis(rule.ms))
            }
            _ => Late(Output::Reply(ticket, reply), Nanos(0)),
        }
    }
}

/// The rules, and what waits because of them.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    /// By the machine's time at which it goes, then by order.
    waiting: BTreeMap<(Timestamp, u64), Output>,
    count: u64,
    /// A trade update that the next one overtakes.
    overtaken: Option<Output>,
    /// Trade updates wait until then, so that a late one stays in its place.
    updates_until: Timestamp,
}

impl Faults {
    pub fn set(&mut self, rule: Rule) {
        self.rules.push(rule);
    }
    pub fn clear(&mut self) {
        self.rules.clear();
    }
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn spend(&mut self, fits: impl Fn(&Rule) -> bool) -> Option<Rule> {
        let at = self.rules.iter().position(fits)?;
        let rule = self.rules[at].clone();
        if let Some(times) = &mut self.rules[at].times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(at);
            }
        }
        Some(rule)
    }

    /// The rule that a request meets.
    pub fn meet(&mut self, request: &Request) -> Met {
        if self.rules.is_empty() || request.path.starts_with("/__sim") {
            return Met(None);
        }
        let method = format!("{:?}", request.method).to_uppercase();
        Met(self.spend(|rule| {
            let of_requests = matches!(
                rule.kind,
                Kind::Drop | Kind::LostResponse | Kind::Delay | Kind::Status | Kind::Maintenance
            );
            of_requests
                && rule.method.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&method))
                && rule.path.as_ref().is_none_or(|own| request.path.starts_with(own))
        }))
    }

    /// Takes an answer in.
    pub fn push(&mut self, Late(output, after): Late, wall: Timestamp) {
        self.wait(wall + after, output);
    }

    fn wait(&mut self, at: Timestamp, output: Output) {
        self.count += 1;
        self.waiting.insert((at, self.count), output);
    }

    pub fn next_event(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// What goes out now: the frames that are not spoiled, and what has waited long enough.
    pub fn release(&mut self, wall: Timestamp, frames: Vec<Frame>) -> Vec<Output> {
        for frame in frames {
            self.frame(wall, frame);
        }
        let later = self.waiting.split_off(&(wall + Nanos(1), 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    fn frame(&mut self, wall: Timestamp, Frame { update, output }: Frame) {
        let silent =
            self.rules.iter().find(|rule| matches!(rule.kind, Kind::Mute | Kind::HalfOpen));
        if let Some(rule) = silent {
            let half_open = rule.kind == Kind::HalfOpen;
            if half_open && let Some(socket) = output.socket() {
                self.wait(wall, Output::Freeze(socket));
            }
            return;
        }
        if !update {
            return self.wait(wall, output);
        }
        let kinds = |rule: &Rule| {
            matches!(
                rule.kind,
                Kind::UpdateLost
                    | Kind::UpdateDuplicated
                    | Kind::UpdateReordered
                    | Kind::UpdateDelayed
            )
        };
        let rule = if self.overtaken.is_some() { None } else { self.spend(kinds) };
        let mut at = wall.max(self.updates_until);
        match rule.as_ref().map(|rule| rule.kind) {
            Some(Kind::UpdateLost) => return,
            Some(Kind::UpdateDuplicated) => self.wait(at, output.clone()),
            Some(Kind::UpdateReordered) => {
                self.overtaken = Some(output);
                return;
            }
            Some(Kind::UpdateDelayed) => {
                at = at + Nanos::from_millis(rule.map_or(0, |rule| rule.ms));
                self.updates_until = at;
            }
            _ => {}
        }
        self.wait(at, output);
        if let Some(overtaken) = self.overtaken.take() {
            self.wait(at, overtaken);
        }
    }
}
