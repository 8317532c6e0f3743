//! The drop-in gateway: the Alpaca protocol in front of the gateway itself. A program written for that
//! protocol points its base URL here; each of its orders is one of its agent, an `[[agent]]` of kind
//! `remote`, and goes through risk gate, journal and kill switch to whatever broker the agent's account
//! has.
//!
//! The core stays the one that knows: what is shown is asked of it, between two deliveries. Only what
//! it cannot know is kept here, the program's own words (`records.rs`) and who may come in (`keys.rs`).

mod account;
mod backend;
mod data;
mod figures;
mod ids;
pub mod keys;
mod listing;
mod look;
mod orders;
mod records;
mod refuse;
mod show;
mod sockets;
mod updates;

pub use figures::Figures;
pub use records::RecordError;

use super::alpaca;
use crate::live::Handle;
use crate::wiring::AlpacaEntrySpec;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Why the entry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DropInError {
    /// The address is taken or not ours.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// What programs asked for before cannot be read.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// No thread.
    #[error("no thread for the order entry: {0}")]
    Thread(io::Error),
}

/// A running order entry.
#[derive(Debug)]
pub struct DropInServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Between the end of an entry that failed and the next one.
const PAUSE: Duration = Duration::from_secs(1);

impl DropInServer {
    /// Starts the entry of a running gateway on a thread of its own.
    ///
    /// # Errors
    /// [`DropInError`].
    pub fn start(
        spec: &AlpacaEntrySpec,
        handle: &Handle,
        state: &Path,
        figures: &Arc<Figures>,
    ) -> Result<Self, DropInError> {
        let taken = |error| DropInError::Listen(spec.listen, error);
        let listener = TcpListener::bind(spec.listen).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let make = {
            let (handle, state, figures, rate) =
                (handle.clone(), PathBuf::from(state), Arc::clone(figures), spec.rate);
            move || backend::DropIn::open(handle.clone(), &state, rate, Arc::clone(&figures))
        };
        let first = make()?;
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let run = move || {
            let mut next = Some(first);
            while !ends.load(Ordering::Relaxed) {
                let served = match (next.take().map_or_else(&make, Ok), listener.try_clone()) {
                    (Ok(entry), Ok(listener)) => {
                        alpaca::serve_on(listener, Box::new(entry), |_| (), &ends)
                            .map_err(|error| error.to_string())
                    }
                    (Err(error), _) => Err(error.to_string()),
                    (_, Err(error)) => Err(error.to_string()),
                };
                if let Err(error) = served {
                    // Trading goes on without it; programs come back and look at their orders.
                    tracing::error!(error, "the order entry failed, and begins anew");
                    std::thread::sleep(PAUSE);
                }
            }
        };
        let spawned = std::thread::Builder::new().name("entry".to_owned()).spawn(run);
        Ok(Self { address, stop, thread: spawned.map_err(DropInError::Thread)? })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // It ends with its requests; a panic in it was told already.
        let _ = self.thread.join();
    }
}
