//! TCP connections that never block their thread, encrypted where the endpoint says so.
//!
//! A connection is made on a thread of its own, with the whole TLS handshake, and handed over when it
//! can carry the first byte: from then on a write starts in the call that asks for it.

use crate::net::Endpoint;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A connection that stands.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What the peer has not taken yet, as it goes over the wire.
    backlog: Vec<u8>,
}

impl Socket {
    fn open(endpoint: &Endpoint, timeout: Duration) -> io::Result<Self> {
        let until = Instant::now() + timeout;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for addr in (endpoint.host.as_str(), endpoint.port).to_socket_addrs()? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "connect timed out"));
            }
            match TcpStream::connect_timeout(&addr, left) {
                Ok(stream) => return Self::shake(stream, endpoint, until),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn shake(mut stream: TcpStream, endpoint: &Endpoint, until: Instant) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut tls = None;
        if endpoint.tls {
            let name = ServerName::try_from(endpoint.host.clone())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let mut connection =
                ClientConnection::new(trusted()?, name).map_err(io::Error::other)?;
            connection.set_buffer_limit(None);
            while connection.is_handshaking() {
                let left = until.saturating_duration_since(Instant::now());
                let left = left.max(Duration::from_millis(1));
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))?;
                connection.complete_io(&mut stream).map_err(|error| match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        io::Error::new(io::ErrorKind::TimedOut, "TLS handshake timed out")
                    }
                    _ => error,
                })?;
            }
            tls = Some(Box::new(connection));
        }
        stream.set_nonblocking(true)?;
        Ok(Self { stream, tls, backlog: Vec::new() })
    }

    /// The same connection once more, to wait for.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn duplicate(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Reads what is there; 0 at the end of the connection. Call it until it says `WouldBlock`.
    ///
    /// # Errors
    /// `WouldBlock`: nothing more for now. Any other: the connection is of no more use.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(into) };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if tls.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            // Key updates and alerts have answers.
            while tls.wants_write() {
                tls.write_tls(&mut self.backlog)?;
            }
        }
    }

    /// Starts the write of `bytes`. What the peer does not take at once goes out in order with
    /// [`Self::flush`].
    ///
    /// # Errors
    /// The connection is of no more use.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.backlog)?;
                }
            }
            None => self.backlog.extend_from_slice(bytes),
        }
        self.flush()
    }

    /// As [`Self::write`], but keeps nothing of what could not begin.
    ///
    /// # Errors
    /// `WouldBlock`: the peer takes nothing now, and nothing was kept. Else as [`Self::write`].
    pub fn begin(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.tls.is_some() || self.has_backlog() {
            // What was encrypted must go.
            return self.write(bytes);
        }
        let taken = self.stream.write(bytes)?;
        self.backlog.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Whether something written before still waits for the peer.
    pub const fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Writes as much of the backlog as the peer takes now.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            match self.stream.write(&self.backlog) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.backlog.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The certificates that the system trusts; read once.
fn trusted() -> io::Result<Arc<ClientConfig>> {
    static TRUSTED: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = TRUSTED.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
            return Err(format!("this system has no trusted certificates for TLS{why}"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    });
    config.clone().map_err(io::Error::other)
}

/// A connection that is being made.
#[derive(Debug)]
pub struct Dialing(Receiver<io::Result<Socket>>);

impl Dialing {
    /// Begins on a thread of its own; `wake` is called when there is an outcome.
    pub fn begin(
        endpoint: Endpoint,
        timeout: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (outcome, receiver) = sync_channel(1);
        let spawned = std::thread::Builder::new().name("dial".to_owned()).spawn(move || {
            // Who asked may have changed its mind.
            let _ = outcome.send(Socket::open(&endpoint, timeout));
            wake();
        });
        if let Err(error) = spawned {
            let (outcome, receiver) = sync_channel(1);
            let _ = outcome.send(Err(error));
            return Self(receiver);
        }
        Self(receiver)
    }

    /// The outcome, once there is one.
    pub fn poll(&self) -> Option<io::Result<Socket>> {
        match self.0.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(io::Error::other("the dial panicked"))),
        }
    }
}
