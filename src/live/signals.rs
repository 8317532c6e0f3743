//! What reaches the gateway from outside of it but the control API: signals and the KILL file.
//!
//! SIGUSR1 and SIGUSR2 set a flag of the kill board itself, so they count from the handler on;
//! this thread then makes them durable. SIGTERM and SIGINT drain; a second one ends with a kill at
//! level cancel.

use super::handle::Handle;
use crate::types::{KillLevel, Scope};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Registers the handlers and starts the watching thread; it ends with the service.
///
/// # Errors
/// A handler could not be registered.
pub fn watch(handle: Handle, state: PathBuf, ended: Arc<AtomicBool>) -> io::Result<()> {
    let [block, cancel] = handle.board().signal_flags();
    flag::register(SIGUSR1, block)?;
    flag::register(SIGUSR2, cancel)?;
    let asked = Arc::new(AtomicUsize::new(0));
    let terms = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    flag::register(SIGTERM, Arc::clone(&terms[0]))?;
    flag::register(SIGINT, Arc::clone(&terms[1]))?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let kill_file = state.join("KILL");
        while !ended.load(Ordering::SeqCst) {
            if let Some(level) = handle.board().take_signal() {
                let _ = handle.kill(Scope::Global, level, "signal");
                handle.board().clear_signals(level);
            }
            if kill_file.exists() && handle.board().level(Scope::Global) < KillLevel::Cancel {
                let _ = handle.kill(Scope::Global, KillLevel::Cancel, "KILL file");
            }
            if terms.iter().any(|term| term.swap(false, Ordering::SeqCst)) {
                if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    tracing::info!("draining");
                    handle.stop().drain();
                } else {
                    let _ = handle.kill(Scope::Global, KillLevel::Cancel, "second SIGTERM");
                    handle.stop().now();
                }
                handle.wake();
            }
            #[cfg(feature = "inject")]
            if let Ok(name) = std::fs::read_to_string(state.join("INJECT")) {
                let _ = std::fs::remove_file(state.join("INJECT"));
                *super::keeper::injected()
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) =
                    Some(name.trim().to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    })?;
    Ok(())
}
