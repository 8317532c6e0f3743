//! `qtos login alpaca`: the authorization-code flow of OAuth2 (RFC 6749, 4.1), with the browser coming
//! back to this machine.

use super::args::{Global, LoginArgs, LoginCommand};
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::live::Fetcher;
use crate::net::Endpoint;
use crate::view::Render;
use crate::wiring::Secret;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, RedirectUrl, Scope, TokenResponse, TokenUrl,
};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What may be done with the token.
const SCOPES: [&str; 3] = ["account:write", "trading", "data"];
/// The longest request line of a browser.
const LINE: u64 = 16 << 10;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// A token was kept.
#[derive(Debug, Serialize)]
struct LoggedIn {
    /// Where.
    file: String,
    /// What it may be used for, as the broker says.
    scopes: Vec<String>,
    /// Seconds until it ends; `null`: the broker named no end.
    expires_seconds: Option<u64>,
}

impl Render for LoggedIn {
    fn render(&self) -> String {
        let end = self.expires_seconds.map_or(String::new(), |s| format!(", ends in {s} s"));
        let (file, scopes) = (&self.file, self.scopes.join(" "));
        format!("token for {scopes}{end}: token = \"file:{file}\" in [broker.params]\n")
    }
}

/// Asks the user in a browser, and keeps the token that comes of it.
///
/// # Errors
/// A wrong argument, a file that is there, no answer, another's answer, or the broker's refusal: 2.
pub(super) fn run(command: &LoginCommand, global: &Global) -> Result<Exit, CliError> {
    let LoginCommand::Alpaca(args) = command;
    if !args.listen.ip().is_loopback() {
        return Err(CliError::input("--listen: the browser comes back to this machine".to_owned()));
    }
    if args.out.exists() {
        return Err(CliError::input(format!("{} is there already", args.out.display())));
    }
    let secret = args.client_secret.resolve().map_err(CliError::input)?;
    let stop = until_signal()?;
    let listener = TcpListener::bind(args.listen)
        .map_err(|error| CliError::input(format!("--listen {}: {error}", args.listen)))?;
    let client = client(args, &secret, &listener)?;
    let mut ask = client.authorize_url(CsrfToken::new_random);
    for scope in SCOPES {
        ask = ask.add_scope(Scope::new(scope.to_owned()));
    }
    let (url, state) = ask.add_extra_param("env", &args.environment).url();
    eprintln!("open this page in a browser on this machine:\n\n{url}\n");
    let wait = Duration::from_secs(args.wait);
    let code = come_back(&listener, state.secret(), wait, &stop).map_err(CliError::input)?;
    let token = client
        .exchange_code(AuthorizationCode::new(code))
        .request(&|request: HttpRequest| send(&request, &stop))
        .map_err(|error| CliError::input(format!("no token: {}", told(&error))))?;
    keep(&args.out, token.access_token().secret())
        .map_err(|error| CliError::input(format!("{}: {error}", args.out.display())))?;
    let scopes = token.scopes().map(|all| all.iter().map(|one| one.to_string()).collect());
    global.print(&LoggedIn {
        file: args.out.display().to_string(),
        scopes: scopes.unwrap_or_default(),
        expires_seconds: token.expires_in().map(|span| span.as_secs()),
    });
    Ok(Exit::Done)
}

fn client(args: &LoginArgs, secret: &Secret, at: &TcpListener) -> Result<Client, CliError> {
    let wrong = |what: &str, why: &dyn std::fmt::Display| CliError::input(format!("{what}: {why}"));
    // The code and the secret go there.
    let endpoint: Endpoint = args.token_url.parse().map_err(CliError::input)?;
    if !endpoint.tls && !endpoint.is_loopback() {
        return Err(wrong("--token-url", &"a secret goes over https only"));
    }
    let back = at.local_addr().map_err(|error| wrong("--listen", &error))?;
    let back = format!("http://{back}/callback");
    Ok(BasicClient::new(ClientId::new(args.client_id.clone()))
        .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
        // Alpaca reads the secret from the form only.
        .set_auth_type(AuthType::RequestBody)
        .set_auth_uri(
            AuthUrl::new(args.authorize_url.clone()).map_err(|e| wrong("--authorize-url", &e))?,
        )
        .set_token_uri(TokenUrl::new(args.token_url.clone()).map_err(|e| wrong("--token-url", &e))?)
        .set_redirect_uri(RedirectUrl::new(back).map_err(|e| wrong("--listen", &e))?))
}

/// Sends the request for the token.
fn send(request: &HttpRequest, stop: &AtomicBool) -> Result<HttpResponse, io::Error> {
    let uri = request.uri();
    let host = format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", |authority| authority.as_str())
    );
    let endpoint: Endpoint = host.parse().map_err(io::Error::other)?;
    let mut fetcher = Fetcher::new(endpoint, "");
    let stopped = || stop.load(Ordering::Relaxed);
    let (status, body) = fetcher.post_form(uri.path(), request.body(), &stopped)?;
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status.try_into().map_err(io::Error::other)?;
    Ok(response)
}

/// What an error says, without the request: that holds secrets.
fn told<E: std::error::Error>(error: &E) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Waits for the browser, and gives the code that it brings. Another's answer is refused.
fn come_back(
    listener: &TcpListener,
    state: &str,
    wait: Duration,
    stop: &AtomicBool,
) -> Result<String, String> {
    let until = Instant::now() + wait;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        // A browser asks for more than the page: for an icon, say.
        if let Some(found) = answer(stream, state).map_err(|error| error.to_string())? {
            return found;
        }
    }
    Err("nobody came back from the page".to_owned())
}

/// Answers one request; `None`: it is not the one that is waited for.
fn answer(mut stream: TcpStream, state: &str) -> io::Result<Option<Result<String, String>>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    let read = BufReader::new((&mut stream).take(LINE)).read_line(&mut line);
    let target = line.split(' ').nth(1).unwrap_or_default();
    let query = target.strip_prefix("/callback?");
    let (status, page, found) = match (read, query) {
        (Ok(_), Some(query)) => {
            let query = crate::alpaca::Params(
                query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(key, value)| (key.to_owned(), crate::alpaca::decode_percent(value)))
                    .collect(),
            );
            match (query.get("state") == Some(state), query.get("code"), query.get("error")) {
                (false, ..) => {
                    let why = "the answer is not to our question: its state is another's";
                    (400, "This is not the login that was asked for.", Some(Err(why.to_owned())))
                }
                (true, Some(code), None) => {
                    (200, "Logged in. This page can be closed.", Some(Ok(code.to_owned())))
                }
                (true, ..) => (400, "Not logged in.", Some(Err("you said no".to_owned()))),
            }
        }
        _ => (404, "", None),
    };
    let length = page.len();
    let head = "Content-Type: text/plain\r\nConnection: close\r\nContent-Length:";
    // The browser may be gone; what it brought is here.
    let _ = write!(stream, "HTTP/1.1 {status} X\r\n{head} {length}\r\n\r\n{page}");
    Ok(found)
}

/// Writes the token to a new file that only its owner may read.
fn keep(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}
