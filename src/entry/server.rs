//! The control API's server: its own thread, a fresh token, and a file that says where it is.

use super::gateway::Gateway;
use super::guard::{Guard, check};
use super::routes;
use crate::view::ControlFile;
use crate::wiring::Secret;
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Name of the file in the state folder that says where the API is.
pub const CONTROL_FILE: &str = "control.json";
/// Name of the token's file in the state folder.
pub const TOKEN_FILE: &str = "control.token";

/// Why the control API could not start.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The control API is not for the network.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("control API on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// A file in the state folder could not be written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The system gave no random bytes for the token.
    #[error("no random bytes for the control token: {0}")]
    Random(getrandom::Error),
    /// The server's thread did not start.
    #[error("the control API's thread: {0}")]
    Thread(io::Error),
}

/// The running control API. Dropping it leaves it running; [`Self::stop`] ends it.
#[derive(Debug)]
pub struct ControlServer {
    url: String,
    control_file: PathBuf,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl ControlServer {
    /// Listens, writes token and `control.json` into `state_dir`, serves. `token` replaces the one
    /// that is drawn at random otherwise.
    ///
    /// # Errors
    /// [`EntryError`]; nothing is left running then.
    pub fn start(
        listen: SocketAddr,
        state_dir: &Path,
        token: Option<Secret>,
        gateway: Arc<dyn Gateway>,
    ) -> Result<Self, EntryError> {
        if !listen.ip().is_loopback() {
            return Err(EntryError::NotLoopback(listen));
        }
        let taken = |error| EntryError::Listen(listen, error);
        let listener = TcpListener::bind(listen).map_err(taken)?;
        let addr = listener.local_addr().map_err(taken)?;
        let token = token.map_or_else(new_token, Ok)?;
        let token_file = write(&state_dir.join(TOKEN_FILE), token.expose())?;
        let url = format!("http://{addr}");

        let guard = web::Data::new(Guard::new(addr.port(), token));
        let (started, handle) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || serve(listener, guard, web::Data::from(gateway), &started))
            .map_err(EntryError::Thread)?;
        let died = |error| EntryError::Thread(io::Error::other(error));
        let handle = handle.recv().map_err(died)?.map_err(taken)?;

        let control = ControlFile { url: url.clone(), token_file, pid: std::process::id() };
        let control = serde_json::to_string(&control).unwrap_or_default();
        let control_file = write(&state_dir.join(CONTROL_FILE), &control)?;
        Ok(Self { url, control_file, handle, thread })
    }

    /// Base address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets running requests end, then stops, and takes `control.json` away.
    pub fn stop(self) {
        let _ = fs::remove_file(&self.control_file);
        // The stop message is sent at once; waiting for the thread is waiting for its end.
        drop(self.handle.stop(true));
        if let Ok(Err(error)) = self.thread.join() {
            tracing::warn!(%error, "control API ended with an error");
        }
    }
}

/// The thread of the server: tells whether it listens, then runs until it is stopped.
fn serve(
    listener: TcpListener,
    guard: web::Data<Guard>,
    gateway: web::Data<dyn Gateway>,
    started: &mpsc::SyncSender<io::Result<ServerHandle>>,
) -> io::Result<()> {
    actix_web::rt::System::new().block_on(async move {
        let app = move || {
            App::new()
                .app_data(guard.clone())
                .app_data(gateway.clone())
                .configure(routes::configure)
                .wrap(from_fn(check))
        };
        let server = HttpServer::new(app)
            .workers(2)
            .max_connections(256)
            .client_request_timeout(Duration::from_secs(5))
            .shutdown_timeout(2)
            .disable_signals()
            .listen(listener);
        match server.map(HttpServer::run) {
            Ok(server) => {
                let _ = started.send(Ok(server.handle()));
                server.await
            }
            Err(error) => {
                let _ = started.send(Err(error));
                Ok(())
            }
        }
    })
}

/// 256 random bits in hex.
fn new_token() -> Result<Secret, EntryError> {
    let mut bits = [0u8; 32];
    getrandom::fill(&mut bits).map_err(EntryError::Random)?;
    Ok(Secret::new(bits.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Puts a file in place whole, readable by its owner only. Gives back its absolute path.
fn write(path: &Path, text: &str) -> Result<PathBuf, EntryError> {
    let fail = |error| EntryError::File(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    fs::rename(&draft, path).map_err(fail)?;
    path.canonicalize().map_err(fail)
}
