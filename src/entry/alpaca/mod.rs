//! A server of the Alpaca protocol: HTTP and WebSockets on one plain port, in front of a
//! [`Backend`]. One thread owns the backend; requests reach it through a bounded queue, and what it
//! says goes back to the connection that waits for it.

mod http;
mod runner;
mod stream;

use crate::alpaca::Backend;
use actix_web::{App, HttpServer, web};
use runner::{Inlet, Runner};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Why a server of the Alpaca protocol ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum AlpacaServeError {
    /// The address is taken or not ours.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The server or a thread of it did not start.
    #[error("server: {0}")]
    Io(#[from] io::Error),
    /// What stands behind it gave up.
    #[error("{0}")]
    Backend(String),
}

/// Connections at once.
const MAX_CONNECTIONS: usize = 1_024;

/// Serves until `stop` is true or the backend fails. `on_bound` is told the address.
///
/// # Errors
/// [`AlpacaServeError`].
pub fn serve(
    listen: SocketAddr,
    backend: Box<dyn Backend>,
    on_bound: impl FnOnce(SocketAddr),
    stop: &AtomicBool,
) -> Result<(), AlpacaServeError> {
    let listener =
        TcpListener::bind(listen).map_err(|error| AlpacaServeError::Listen(listen, error))?;
    serve_on(listener, backend, on_bound, stop)
}

/// [`serve`] on a socket that listens already.
///
/// # Errors
/// [`AlpacaServeError`].
pub fn serve_on(
    listener: TcpListener,
    backend: Box<dyn Backend>,
    on_bound: impl FnOnce(SocketAddr),
    stop: &AtomicBool,
) -> Result<(), AlpacaServeError> {
    let address = listener.local_addr()?;
    let (inlet, runner) = Runner::new(backend);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| runner.run(stop));
        actix_web::rt::System::new().block_on(async {
            let server = start(listener, inlet)?;
            let handle = server.handle();
            let served = actix_web::rt::spawn(server);
            on_bound(address);
            while !running.is_finished() {
                actix_web::rt::time::sleep(Duration::from_millis(20)).await;
            }
            handle.stop(false).await;
            served.await.map_err(io::Error::other)?
        })?;
        match running.join() {
            Ok(result) => result.map_err(AlpacaServeError::Backend),
            Err(_) => Err(AlpacaServeError::Backend("the backend's thread panicked".to_owned())),
        }
    })
}

fn start(listener: TcpListener, inlet: Inlet) -> io::Result<actix_web::dev::Server> {
    let app = move || {
        App::new()
            .app_data(web::Data::new(inlet.clone()))
            .app_data(web::PayloadConfig::new(http::MAX_BODY))
            .default_service(web::to(http::handle))
    };
    let server = HttpServer::new(app)
        .workers(2)
        .max_connections(MAX_CONNECTIONS)
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
