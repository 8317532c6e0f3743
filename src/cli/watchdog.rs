//! `qtos watchdog`.

use super::args::{ControlArgs, Global, WatchdogArgs};
use super::client::look;
use super::kill::shown;
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::live::{Direct, News, Watchdog};
use crate::types::Timestamp;
use crate::view::{Render, WatchdogAct};
use crate::wiring::Registry;

/// Watches until SIGINT or SIGTERM. Each act is one object on standard output; what else happens is
/// said on standard error.
///
/// # Errors
/// Config or spans cannot be used (2). False where the last act is not confirmed by every broker.
pub(super) fn run(
    args: &WatchdogArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    if !topology.brokers.iter().any(|broker| broker.venue.is_remote()) {
        let message =
            "no broker of this config has a process of its own: there is nothing to cancel";
        return Err(CliError::input(message));
    }
    if args.every.0 == 0 || args.after.0 < 4 * args.every.0 {
        return Err(CliError::usage("`--after` must be at least four times `--every`"));
    }
    let stop = until_signal()?;
    let state = global.state_dir();
    let watchdog =
        Watchdog { topology: &topology, state: &state, every: args.every, after: args.after };
    let control = ControlArgs { control: args.control.clone(), token_file: None };
    let mut confirmed = true;
    watchdog.run(
        &mut |patience| look(&control, &state, patience),
        &mut |at, news| {
            if let Some(act) = say(at, news) {
                confirmed = act.confirmed;
                global.print(&act);
            }
        },
        &stop,
    );
    Ok(if confirmed { Exit::Done } else { Exit::False })
}

/// A line for people, or an act.
fn say(at: Timestamp, news: News) -> Option<WatchdogAct> {
    match news {
        News::Waiting => eprintln!("{at} waiting: not armed until the gateway moves"),
        News::Armed(boot) => eprintln!("{at} armed: boot {boot} of the gateway moves"),
        News::Ended(boot) => eprintln!("{at} boot {boot} ended with no order open"),
        News::Silent(span) => {
            eprintln!("{at} THE GATEWAY HAS NOT MOVED FOR {} ms: cancelling", span.0 / 1_000_000);
        }
        News::Acted(done) => {
            let (brokers, error): (Vec<Direct>, _) = match done {
                Ok(brokers) => (brokers, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            let confirmed = error.is_none() && brokers.iter().all(|one| one.confirmed);
            return Some(WatchdogAct { time: at, confirmed, brokers: shown(brokers), error });
        }
    }
    None
}

impl Render for WatchdogAct {
    fn render(&self) -> String {
        let word = if self.confirmed { "cancelled" } else { "NOT CONFIRMED" };
        let error = self.error.iter().map(|error| format!("error: {error}\n"));
        let brokers = super::kill::table(&self.brokers);
        format!("{} {word}\n{brokers}{}", self.time, error.collect::<String>())
    }
}
