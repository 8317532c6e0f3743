//! `qtos kill`.

use super::args::{Global, KillArgs};
use super::client::Client;
use super::{CliError, Exit};
use crate::live::{Direct, DirectError, kill_direct};
use crate::types::Nanos;
use crate::view::{DirectBroker, DirectResult, KillRequest, KillResult, Render, Table};
use crate::wiring::Registry;

/// How long each broker gets for its cancels.
const PATIENCE: Nanos = Nanos::from_secs(10);

/// Raises a kill. When this returns done, the latch holds and is durable.
pub(super) fn run(args: &KillArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let KillArgs { scope, level, reason, control, .. } = args;
    let (Some(scope), Some(level)) = (scope, level) else {
        return direct(reason, global, registry);
    };
    let body = KillRequest { scope: scope.clone(), level: *level, reason: reason.clone() };
    let result: KillResult = Client::find(control, global)?.post("/v1/kill", Some(&body))?;
    global.print(&result);
    Ok(Exit::Done)
}

/// Cancels at the brokers without the gateway. False where one has not confirmed, or none was there to.
fn direct(reason: &str, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    let done = kill_direct(&topology, &global.state_dir(), ("operator", reason), PATIENCE)?;
    let result = DirectResult { brokers: shown(done) };
    global.print(&result);
    let all = result.brokers.iter().all(|one| one.confirmed);
    Ok(if all && !result.brokers.is_empty() { Exit::Done } else { Exit::False })
}

/// What came of each broker, to be printed.
pub(super) fn shown(done: Vec<Direct>) -> Vec<DirectBroker> {
    let brokers = done.into_iter().map(|one| DirectBroker {
        broker: one.broker,
        open_before: one.open_before,
        open_after: one.open_after,
        confirmed: one.confirmed,
        took_ms: one.took.0 / 1_000_000,
    });
    brokers.collect()
}

impl From<DirectError> for CliError {
    fn from(error: DirectError) -> Self {
        Self::input(error.to_string())
    }
}

impl Render for DirectResult {
    fn render(&self) -> String {
        table(&self.brokers)
    }
}

/// A row a broker.
pub(super) fn table(brokers: &[DirectBroker]) -> String {
    let mut table = Table::new(&["broker", ">open before", "open after", "confirmed", ">ms"]);
    for one in brokers {
        let open = |open: Option<u64>| open.map_or("unknown".to_owned(), |open| open.to_string());
        let (before, after) = (open(one.open_before), open(one.open_after));
        table.row([&one.broker, &before, &after, &one.confirmed, &one.took_ms]);
    }
    table.text("no broker outside of the gateway: nothing was cancelled")
}
