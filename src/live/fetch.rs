//! Requests for data over HTTP, one after the other, for commands that wait for each answer.

use super::socket::{Dialing, Socket};
use crate::net::http::{Body, Method, Response, ResponseDecoder, write_request};
use crate::net::{Backoff, Endpoint};
use crate::types::Nanos;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DIAL: Duration = Duration::from_secs(10);
/// An answer that takes longer will not come.
const ANSWER: Duration = Duration::from_secs(60);
/// How often a request that only asks is made again.
const TRIES: u32 = 8;
/// Nobody waits longer than this for a limit to end.
const LONGEST: u64 = 120;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The venue said no.
    #[error("{host} refused {path}: status {status}{text}")]
    Refused {
        /// Who.
        host: String,
        /// What was asked, without its query.
        path: String,
        /// With which status.
        status: u16,
        /// What it said, after a colon.
        text: String,
    },
    /// It did not answer, in spite of all tries.
    #[error("{0} gives no answer: {1}")]
    Silent(String, String),
    /// Somebody wants this to end.
    #[error("stopped")]
    Stopped,
}

/// A client of one server.
#[derive(Debug)]
pub struct Fetcher {
    endpoint: Endpoint,
    headers: String,
    socket: Option<Socket>,
    decoder: ResponseDecoder,
}

impl Fetcher {
    /// A client that sends `headers`, whole lines with their ends, with every request.
    pub fn new(endpoint: Endpoint, headers: &str) -> Self {
        let headers = format!(
            "Host: {}\r\nAccept: application/json\r\nUser-Agent: qtos\r\n{headers}",
            endpoint.authority()
        );
        Self { endpoint, headers, socket: None, decoder: ResponseDecoder::default() }
    }

    /// The body of the answer to a GET. Limits are waited for, and what may pass is tried again.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn get(&mut self, target: &str, stop: &dyn Fn() -> bool) -> Result<Vec<u8>, FetchError> {
        let mut backoff = Backoff::new(Nanos::from_secs(1), Nanos::from_secs(30));
        let mut last = String::new();
        for _ in 0..TRIES {
            let pause = match self.once(Method::Get, target, None, stop) {
                Ok(response) if response.status == 200 => {
                    if let Some(wait) = exhausted(&response, epoch()) {
                        rest(wait, stop)?;
                    }
                    return Ok(response.body);
                }
                Ok(response) if matches!(response.status, 408 | 429 | 500..=599) => {
                    last = format!("status {}", response.status);
                    told(&response, epoch())
                }
                Ok(response) => {
                    return Err(FetchError::Refused {
                        host: self.endpoint.authority(),
                        path: target.split('?').next().unwrap_or_default().to_owned(),
                        status: response.status,
                        text: message(&response.body),
                    });
                }
                Err(error) => {
                    self.socket = None;
                    last = error.to_string();
                    None
                }
            };
            if stop() {
                return Err(FetchError::Stopped);
            }
            rest(pause.unwrap_or_else(|| Duration::from_nanos(backoff.wait().0)), stop)?;
        }
        Err(FetchError::Silent(self.endpoint.authority(), last))
    }

    /// The answer to a form, whatever its status. It is sent once.
    ///
    /// # Errors
    /// There is none.
    pub fn post_form(
        &mut self,
        target: &str,
        form: &[u8],
        stop: &dyn Fn() -> bool,
    ) -> io::Result<(u16, Vec<u8>)> {
        let response = self.once(Method::Post, target, Some(Body::Form(form)), stop)?;
        Ok((response.status, response.body))
    }

    fn once(
        &mut self,
        method: Method,
        target: &str,
        body: Option<Body<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<Response> {
        if self.socket.is_none() {
            let dialing = Dialing::begin(self.endpoint.clone(), DIAL, || {});
            self.socket = Some(loop {
                if let Some(outcome) = dialing.poll() {
                    break outcome?;
                }
                nap(stop)?;
            });
            self.decoder.clear();
        }
        let Some(socket) = &mut self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        let target = format!("{}{target}", self.endpoint.path);
        let mut bytes = Vec::new();
        write_request(&mut bytes, method, &target, &self.headers, body);
        socket.write(&bytes)?;
        let begin = std::time::Instant::now();
        let mut buffer = vec![0; 1 << 16];
        let response = loop {
            socket.flush()?;
            match socket.read(&mut buffer) {
                Ok(0) => match self.decoder.finish().map_err(io::Error::other)? {
                    Some(response) => break response,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
                Ok(count) => {
                    self.decoder.push(&buffer[..count]);
                    if let Some(response) =
                        self.decoder.next_response().map_err(io::Error::other)?
                    {
                        break response;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if begin.elapsed() > ANSWER {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    nap(stop)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if response.closes {
            self.socket = None;
        }
        Ok(response)
    }
}

fn nap(stop: &dyn Fn() -> bool) -> io::Result<()> {
    if stop() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    std::thread::sleep(Duration::from_micros(200));
    Ok(())
}

fn rest(wait: Duration, stop: &dyn Fn() -> bool) -> Result<(), FetchError> {
    let begin = std::time::Instant::now();
    while begin.elapsed() < wait {
        if stop() {
            return Err(FetchError::Stopped);
        }
        std::thread::sleep(wait.saturating_sub(begin.elapsed()).min(Duration::from_millis(50)));
    }
    Ok(())
}

/// Seconds since 1970.
fn epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn seconds(response: &Response, header: &str) -> Option<u64> {
    response.header(header)?.trim().parse().ok()
}

/// How long the server wants us to wait: `Retry-After`, or the moment at which its limit begins anew.
fn told(response: &Response, now: u64) -> Option<Duration> {
    let wait = seconds(response, "retry-after")
        .or_else(|| Some(seconds(response, "x-ratelimit-reset")?.saturating_sub(now).max(1)));
    wait.map(|wait| Duration::from_secs(wait.min(LONGEST)))
}

/// The pause behind an answer that used the limit up.
fn exhausted(response: &Response, now: u64) -> Option<Duration> {
    (seconds(response, "x-ratelimit-remaining")? == 0).then(|| told(response, now)).flatten()
}

/// What an error says, where it says it as JSON.
fn message(body: &[u8]) -> String {
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    said.and_then(|said| said["message"].as_str().map(|text| format!(": {text}")))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn response(head: &str) -> Response {
        let mut decoder = ResponseDecoder::default();
        decoder.push(format!("HTTP/1.1 429 No\r\n{head}Content-Length: 0\r\n\r\n").as_bytes());
        decoder.next_response().unwrap().unwrap()
    }

    #[test]
    fn the_server_says_how_long_to_wait() {
        let secs = |wait: Option<Duration>| wait.map(|wait| wait.as_secs());
        assert_eq!(secs(told(&response("Retry-After: 7\r\n"), 0)), Some(7));
        assert_eq!(secs(told(&response("X-RateLimit-Reset: 1005\r\n"), 1_000)), Some(5));
        assert_eq!(secs(told(&response("X-RateLimit-Reset: 5\r\n"), 1_000)), Some(1));
        assert_eq!(secs(told(&response("Retry-After: 99999999\r\n"), 0)), Some(LONGEST));
        assert_eq!(told(&response(""), 0), None);
        let empty = response("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 3\r\n");
        assert_eq!(secs(exhausted(&empty, 1)), Some(2));
        assert_eq!(exhausted(&response("X-RateLimit-Remaining: 1\r\n"), 1), None);
    }

    /// A server that answers each request with the next of these, each on a connection of its own.
    fn server(answers: &'static [&'static str]) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        at
    }

    #[test]
    fn limits_and_lost_connections_are_tried_again_and_refusals_are_not() {
        let at = server(&[
            "HTTP/1.1 429 No\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 403 No\r\nContent-Length: 39\r\n\r\n{\"code\":42210000,\"message\":\"too young\"}",
        ]);
        let mut fetcher = Fetcher::new(at, "");
        assert_eq!(fetcher.get("/a?b=c", &|| false).unwrap(), b"{}");
        let error = fetcher.get("/a?b=c", &|| false).unwrap_err().to_string();
        assert!(error.contains("/a: status 403: too young"), "{error}");
        assert!(matches!(fetcher.get("/a", &|| true), Err(FetchError::Stopped)));
    }
}
