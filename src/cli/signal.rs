//! The end of commands that run until they are told to stop.

use super::CliError;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Becomes true with SIGINT or SIGTERM.
pub(super) fn until_signal() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| CliError::core(format!("signal handler: {error}")))?;
    }
    Ok(stop)
}
