//! `qtos run`: the gateway as a service, with its control API.

use super::args::{Global, RunArgs};
use super::{CliError, Exit, Progress};
use crate::entry::{ControlServer, DropInError, DropInServer, EntryError, LiveGateway};
use crate::live::{Options, RecoverError, Service, ServiceError, StateError};
use crate::replay::summary;
use crate::view::Summary;
use crate::wiring::{Registry, Topology};
use std::fs::File;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;

/// Runs it until its feeds end, the time is over, or a signal asks it to drain.
///
/// # Errors
/// Config, feed or state cannot be used (2), the state folder is taken (3), the core failed (70).
pub fn run(args: &RunArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    log_to_stderr(if global.json { "warn" } else { "info,actix_server=warn" });
    let topology = global.topology(&registry.vocabulary())?;
    let opt_in = std::env::var("QTOS_LIVE_TRADING_ENABLED").ok();
    topology.mode.check(opt_in.as_deref()).map_err(CliError::refused)?;
    let options = Options { state: global.state_dir(), file: args.file.clone(), speed: args.speed };
    let limit = args.for_seconds.map(Duration::from_secs);
    let says = !global.json;
    let summary = drive(&topology, registry, &options, limit, &mut |url, _| {
        if says {
            eprintln!("control API on {url}, state in {}", options.state.display());
        }
    })?;
    global.print(&summary);
    Ok(Exit::Done)
}

/// Runs a gateway to its end and sums it up. `started` is told where the control API is.
pub(super) fn drive(
    topology: &Topology,
    registry: &Registry,
    options: &Options,
    limit: Option<Duration>,
    started: &mut dyn FnMut(&str, &Arc<LiveGateway>),
) -> Result<Summary, CliError> {
    let token = match &topology.control.token {
        Some(reference) => Some(reference.resolve().map_err(CliError::input)?),
        None => None,
    };
    enough_descriptors()?;
    let system = actix::System::new();
    system.block_on(async {
        let bar = Progress::spin("recovering");
        let service = Service::start(topology, registry, options, &mut |done| bar.set(done))?;
        bar.finish();
        let gateway = Arc::new(LiveGateway::new(service.handle().clone()));
        let server =
            ControlServer::start(topology.control.listen, &options.state, token, gateway.clone())?;
        let entry = match &topology.entry {
            Some(spec) => {
                let figures = gateway.figures();
                let entry = DropInServer::start(spec, service.handle(), &options.state, figures)?;
                eprintln!("order entry on http://{}", entry.address());
                Some(entry)
            }
            None => None,
        };
        started(server.url(), &gateway);
        let begin = Instant::now();
        let desk = loop {
            match service.ended(Duration::ZERO) {
                Ok(Some(desk)) => break desk,
                Ok(None) => {}
                Err(error) => {
                    if let Some(entry) = entry {
                        entry.stop();
                    }
                    server.stop();
                    return Err(error.into());
                }
            }
            if limit.is_some_and(|limit| begin.elapsed() >= limit) {
                service.handle().stop().drain();
                service.handle().wake();
            }
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        };
        let elapsed = begin.elapsed();
        if let Some(entry) = entry {
            entry.stop();
        }
        server.stop();
        Ok(summary(&desk, &topology.names, elapsed))
    })
}

/// File descriptors that a small gateway needs at its start.
const DESCRIPTORS: usize = 40;

/// Tries whether there are some before anything begins: the runtimes panic where there are none.
fn enough_descriptors() -> Result<(), CliError> {
    let tried: Result<Vec<File>, _> =
        std::iter::repeat_with(|| File::open("/dev/null")).take(DESCRIPTORS).collect();
    tried.map(drop).map_err(|error| {
        CliError::input(format!("{error}: a gateway needs {DESCRIPTORS} file descriptors"))
    })
}

/// Logs as text to standard error; `RUST_LOG` overrides the level.
pub(super) fn log_to_stderr(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // A second call in one process keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        let (exit, code) = match &error {
            ServiceError::State(StateError::Locked(_)) => (Exit::Refused, "locked"),
            ServiceError::Config(_)
            | ServiceError::Broker(_)
            | ServiceError::Assembly(_)
            | ServiceError::NoFeed
            | ServiceError::MixedFeeds(_) => (Exit::Usage, "config"),
            ServiceError::CorePanicked
            | ServiceError::JournalFailed
            | ServiceError::Recover(RecoverError::Poisoned | RecoverError::Diverged(..)) => {
                (Exit::Core, "core")
            }
            ServiceError::State(_)
            | ServiceError::Recover(_)
            | ServiceError::Feed(_)
            | ServiceError::FeedFailed(_)
            | ServiceError::Latch(_)
            | ServiceError::Io(..) => (Exit::Usage, "input"),
        };
        Self::new(exit, code, error.to_string())
    }
}

impl From<DropInError> for CliError {
    fn from(error: DropInError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<EntryError> for CliError {
    fn from(error: EntryError) -> Self {
        Self::input(error.to_string())
    }
}
