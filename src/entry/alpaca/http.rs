//! From HTTP to the backend and back. Any path comes here; the body is taken whatever its content
//! type says, and what a client may send is read as leniently as the real venue does.

use super::runner::Inlet;
use super::stream;
use crate::alpaca::{
    ApiError, Credentials, Feed, Method, Params, Reply, Request, Stream, decode_percent,
};
use actix_web::body::{BodySize, MessageBody};
use actix_web::error::Error;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Largest body, bytes.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Numbers the answers.
static ANSWERS: AtomicU64 = AtomicU64::new(1);

/// Everything comes here.
pub(super) async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    inlet: web::Data<Inlet>,
) -> Result<HttpResponse, Error> {
    let path = path_of(&request);
    // Faults are for tests on this machine.
    let near = request.peer_addr().is_some_and(|peer| peer.ip().is_loopback());
    if path.starts_with("/__sim") && !near {
        return Ok(respond(ApiError::no_endpoint().into()));
    }
    let upgrade = request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if upgrade {
        return match stream_of(&path, &request) {
            Some(stream) => stream::open(&request, payload, &inlet, stream, credentials(&request)),
            None => Ok(respond(ApiError::no_endpoint().into())),
        };
    }
    let method = match *request.method() {
        actix_web::http::Method::GET => Method::Get,
        actix_web::http::Method::POST => Method::Post,
        actix_web::http::Method::PATCH => Method::Patch,
        actix_web::http::Method::PUT => Method::Put,
        actix_web::http::Method::DELETE => Method::Delete,
        _ => return Ok(respond(ApiError::no_endpoint().into())),
    };
    let body = match payload.to_bytes_limited(MAX_BODY).await {
        Ok(body) => body?.to_vec(),
        Err(_) => return Ok(respond(ApiError::bare(413, "request body is too large").into())),
    };
    let asked = Request {
        method,
        path,
        query: Params::read(request.query_string()),
        body,
        credentials: credentials(&request),
    };
    let Ok(wait) = inlet.request(asked) else {
        return Ok(respond(ApiError::new(503, 50_310_000, "too many requests at once").into()));
    };
    match wait.await {
        Ok(reply) => Ok(respond(reply)),
        Err(_) => Ok(hang_up()),
    }
}

/// The path, percent-decoded, without slashes at its end.
fn path_of(request: &HttpRequest) -> String {
    let path = decode_percent(request.path());
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

/// The stream that the path of a handshake names.
fn stream_of(path: &str, request: &HttpRequest) -> Option<Stream> {
    let msgpack = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == b"application/msgpack");
    let pieces: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let feed = match pieces.as_slice() {
        ["stream"] => return Some(Stream::Trading),
        ["v2", feed @ ("iex" | "sip" | "delayed_sip" | "test" | "otc")] => {
            Feed::Stocks((*feed).to_owned())
        }
        ["v1beta1", feed @ ("boats" | "overnight")] => Feed::Stocks((*feed).to_owned()),
        ["v1beta3", "crypto", _] | ["v1beta2", "crypto"] => Feed::Crypto,
        ["v1beta1", "news"] => Feed::News,
        _ => return None,
    };
    Some(Stream::Data { feed, msgpack })
}

/// The two headers, a token, or Basic.
fn credentials(request: &HttpRequest) -> Option<Credentials> {
    let text = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
    if let (Some(key), Some(secret)) = (text("APCA-API-KEY-ID"), text("APCA-API-SECRET-KEY")) {
        return Some(Credentials::Key(key, secret));
    }
    let given = text("Authorization")?;
    if let Some(token) = given.strip_prefix("Bearer ") {
        return Some(Credentials::Bearer(token.trim().to_owned()));
    }
    let pair = decode_base64(given.strip_prefix("Basic ")?.trim())?;
    let (key, secret) = pair.split_once(':')?;
    Some(Credentials::Key(key.to_owned(), secret.to_owned()))
}

/// Base 64 with or without its padding.
fn decode_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(value)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

fn respond(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    let number = ANSWERS.fetch_add(1, Ordering::Relaxed);
    response.insert_header(("X-Request-ID", format!("{number:032x}")));
    match reply.body {
        Some(body) => {
            response.content_type("application/json; charset=UTF-8").body(body.to_string())
        }
        None => response.finish(),
    }
}

/// An answer whose body fails at once: the client sees its connection end.
fn hang_up() -> HttpResponse {
    HttpResponse::Ok().force_close().body(Broken)
}

/// A body that promises a byte and fails.
struct Broken;

impl MessageBody for Broken {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("hung up on purpose"))))
    }
}
